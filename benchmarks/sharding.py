"""One map on one and on several virtual CPU devices, wall time, side by side.

    python benchmarks/sharding.py [--devices 2] [--rounds 3] [--map "two dump"]

XLA cuts the CPU into virtual devices (``--xla_force_host_platform_device_count``), over
which a scan splits its rows. Each number of devices has a process of its own, and they
take turns. Only a machine that does nothing else gives a ratio: load is printed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

FLAG = "--xla_force_host_platform_device_count"
N_MASS, N_COUPLING = 400, 250


def child(name: str) -> None:
    """Answer every line on stdin with the seconds of one warm map."""
    from device_kernels import planned

    import bsmfit
    from bsmfit.scan.runner import run_plane

    bsmfit.enable_x64()
    axes = planned(name)
    whole = planned(
        name,
        (axes.first.low, axes.first.high, N_MASS),
        (axes.coupling.low, axes.coupling.high, N_COUPLING),
    )
    for _ in sys.stdin:
        start = time.perf_counter()
        run_plane(
            whole.point,
            whole.first.points(),
            coupling=whole.coupling.points(),
            chunk_points=whole.chunk_points,
            devices=whole.devices,
        )
        print(time.perf_counter() - start, flush=True)


def start_child(name: str, n_device: int) -> subprocess.Popen[str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} {FLAG}={n_device}".lstrip()
    return subprocess.Popen(
        [sys.executable, __file__, "--child", "--map", name],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("again\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=2, help="virtual devices")
    parser.add_argument("--rounds", type=int, default=3, help="maps of each")
    parser.add_argument("--map", default="joint map, two dump searches")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.map)
        return
    processes = {n: start_child(given.map, n) for n in (1, given.devices)}
    try:
        cold = {n: ask(process) for n, process in processes.items()}
        warm: dict[int, list[float]] = {n: [] for n in processes}
        for _ in range(given.rounds):
            for n, process in processes.items():
                warm[n].append(ask(process))
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    median = {n: statistics.median(seconds) for n, seconds in warm.items()}
    report = {
        "map": given.map,
        "points": N_MASS * N_COUPLING,
        "cold_s": cold,
        "warm_s": warm,
        "ratio": median[1] / median[given.devices],
        "n_core": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
