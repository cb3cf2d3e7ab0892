"""Rate of every kernel against the number of points in flight, on any device.

    python benchmarks/device.py                      # from the source tree, 5 minutes
    python benchmarks/device.py --out figures.json   # and as JSON
    python benchmarks/device.py --short              # does it run? 1000 points each
    python benchmarks/device.py --seconds 60 --largest 4 --kernel "map" --kernel toys

Two kinds of row. A *kernel* is the function of one point, vmapped over all points at
once (`device_kernels`). A *scan* is the whole way of `scan_plane` without files: chunks
as it chooses them, rows split over all devices, results brought back to the host.

Compilation is timed apart; seconds are wall-clock seconds of `jax.block_until_ready`,
the median of up to five calls, in float64. Sizes grow by tens until the time is spent
or the memory is not enough. Where the device is no CPU, a process pinned to one core
of this machine measures the same afterwards, and the ratios are in the same file.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import jax
import jax.numpy as jnp
from device_kernels import KERNELS, PLANES, Kernel, planned

import bsmfit

CPU_SHARE = 0.4
"""Part of the time for the CPU, where it is measured beside another device."""

Row = dict[str, Any]


def timed(call: Callable[[], Any]) -> tuple[float, int]:
    """Median seconds of up to five calls, and how many there were."""
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < 3.0:
        start = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), len(seconds)


def measure_kernel(kernel: Kernel, n_point: int) -> Row:
    """Compile and time a kernel at one size."""
    function, make = kernel
    arguments = jax.block_until_ready(make(n_point))
    start = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    compilation = time.perf_counter() - start
    result = jax.block_until_ready(program(*arguments))
    with jax.transfer_guard("disallow"):
        warm, n_call = timed(lambda: program(*arguments))
    floats = [x for x in jax.tree.leaves(result) if x.dtype == jnp.float64]
    memory = program.memory_analysis()
    return {
        "n_point": n_point,
        "compilation_s": round(compilation, 3),
        "warm_s": warm,
        "points_per_s": n_point / warm,
        "n_call": n_call,
        "temporary_bytes_per_point": memory.temp_size_in_bytes / n_point,
        "share_finite": float(jnp.mean(jnp.isfinite(floats[0]))),
    }


def measure_scan(name: str, n_point: int) -> Row:
    """Time a map the way that scans go, results in host memory."""
    from bsmfit.scan.runner import Status, run_plane

    n_mass = 10 ** ((len(str(n_point)) - 1) // 2)
    axes = planned(name)
    whole = planned(
        name,
        (axes.first.low, axes.first.high, n_mass),
        (axes.coupling.low, axes.coupling.high, n_point // n_mass),
    )

    def scan() -> dict[str, Any]:
        return run_plane(
            whole.point,
            whole.first.points(),
            coupling=whole.coupling.points(),
            chunk_points=whole.chunk_points,
            devices=whole.devices,
        )

    start = time.perf_counter()
    plane = scan()
    cold = time.perf_counter() - start
    warm, n_call = timed(scan)
    return {
        "n_point": n_point,
        "compilation_s": round(cold - warm, 3),
        "warm_s": warm,
        "points_per_s": n_point / warm,
        "n_call": n_call,
        "n_device": len(whole.devices),
        "chunk_points": whole.chunk_points,
        "share_finite": float((plane["status"] == Status.OK).mean()),
    }


def tasks(words: list[str]) -> dict[str, Callable[[int], Row]]:
    """What can be measured, by name: kernels and scans."""
    kernels: dict[str, Kernel] = {}

    def measure(name: str, n_point: int) -> Row:
        if name not in kernels:
            kernels[name] = KERNELS[name]()
        return measure_kernel(kernels[name], n_point)

    every: dict[str, Callable[[int], Row]] = {
        name: lambda n, name=name: measure(name, n) for name in KERNELS
    }
    every |= {
        f"scan of a {name}": lambda n, name=name: measure_scan(name, n)
        for name in PLANES
    }
    return {
        name: task
        for name, task in every.items()
        if any(word in name for word in words)
    }


def machine() -> Row:
    """What the figures belong to."""
    from bsmfit.scan.devices import describe_devices, local_devices

    devices = local_devices()
    names = ("jax", "jaxlib", "equinox", "numpy")
    memory = devices[0].memory_stats() or {}
    return {
        "bsmfit": bsmfit.__version__,
        "device": describe_devices(devices),
        "platform": devices[0].platform,
        "n_device": len(devices),
        "memory_bytes": memory.get("bytes_limit"),
        "cpu": platform.processor() or platform.machine(),
        "n_core": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in names},
        "is_float64": bool(jax.config.read("jax_enable_x64")),
    }


def measure_all(
    wanted: dict[str, Callable[[int], Row]], sizes: list[int], seconds: float
) -> dict[str, list[Row]]:
    """All tasks at the first size, then at the next, while the time lasts."""
    end = time.perf_counter() + seconds
    found: dict[str, list[Row]] = {name: [] for name in wanted}
    left = dict(wanted)
    for n_point in sizes:
        for name, task in list(left.items()):
            # ten times the points take up to ten times the time, twice at least
            expected = 0.0
            if found[name]:
                last = found[name][-1]
                expected = 20 * last["warm_s"] + last["compilation_s"]
            if time.perf_counter() + expected > end:
                print(f"{name:44s} {n_point:9d}  no time left", flush=True)
                del left[name]
                continue
            try:
                row = task(n_point)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                print(f"{name:44s} {n_point:9d}  out of memory", flush=True)
                found[name].append({"n_point": n_point, "error": "out of memory"})
                del left[name]
                continue
            found[name].append(row)
            print(
                f"{name:44s} {n_point:9d} {row['compilation_s']:9.2f}"
                f" {row['warm_s']:10.4f} {row['points_per_s']:12.4g}"
                f" {row['share_finite']:7.2%}",
                flush=True,
            )
    return found


def beside_on_one_core(options: list[str]) -> Row:
    """The same on one core of this machine, by a process of its own."""
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cpu.json"
        command = [sys.executable, __file__, *options, "--core", str(core)]
        subprocess.run(
            [*command, "--out", str(out)],
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            check=True,
        )
        return json.loads(out.read_text(encoding="utf-8"))


def best_rate(rows: list[Row]) -> float:
    """Points per second at the size that suits best; nan where nothing was measured."""
    rates = [row["points_per_s"] for row in rows if "error" not in row]
    return max(rates, default=float("nan"))


def ratios(mine: dict[str, list[Row]], cpu: dict[str, list[Row]]) -> Row:
    """How much faster than one core, each at its best size; None if unmeasured."""
    found = {name: best_rate(mine[name]) / best_rate(cpu[name]) for name in mine}
    return {name: None if math.isnan(x) else x for name, x in found.items()}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--seconds", type=float, default=250.0, help="time to spend")
    parser.add_argument("--smallest", type=int, default=4, help="log10 of the points")
    parser.add_argument("--largest", type=int, default=6, help="log10 of the points")
    parser.add_argument("--short", action="store_true", help="1000 points, once")
    parser.add_argument("--core", type=int, help="measure the CPU, on this core")
    parser.add_argument(
        "--kernel", action="append", help="only what has this in its name"
    )
    given = parser.parse_args()
    if given.short:
        given.smallest = given.largest = 3
    if not tasks(given.kernel or [""]):
        parser.error(f"there are: {'; '.join(tasks(['']))}")
    return given


def main() -> None:
    given = parse()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})  # before XLA counts cores
    bsmfit.enable_x64()
    about = machine()
    print(json.dumps(about, indent=2))
    print(f"{'task':44s} {'points':>9s} {'compile/s':>9s} {'warm/s':>10s}", end=" ")
    print(f"{'points/s':>12s} {'finite':>7s}", flush=True)
    sizes = [10**k for k in range(given.smallest, given.largest + 1)]
    is_cpu = about["platform"] == "cpu"
    share = 1.0 if is_cpu else 1.0 - CPU_SHARE
    found = measure_all(tasks(given.kernel or [""]), sizes, share * given.seconds)
    report: Row = {"machine": about, "tasks": found}
    if not is_cpu:
        seconds = CPU_SHARE * given.seconds
        options = [f"--seconds={seconds}", f"--smallest={given.smallest}"]
        options += [f"--largest={given.largest}"]
        options += [f"--kernel={word}" for word in given.kernel or []]
        report["one_core"] = beside_on_one_core(options)
        report["ratio_to_one_core"] = ratios(found, report["one_core"]["tasks"])
        print(json.dumps(report["ratio_to_one_core"], indent=2))
    if given.out:
        text = json.dumps(report, indent=2)
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
