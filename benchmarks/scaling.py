"""How time and memory grow with points and with searches, on one core.

    taskset -c 0 python benchmarks/scaling.py                 # points to 1e6, searches
    taskset -c 0 python benchmarks/scaling.py --largest 1e7
    taskset -c 0 python benchmarks/scaling.py searches

points: the dark photon of the preset `full` (six production processes in this mass
range, their norms nuisances at 64 common nodes) in the muons of the dump, observed and
expected limits and bands. One fresh process for each number of points: CPU seconds of
the second run, after compilation, and the peak memory of the process.

searches: 1 to 10 searches of one count that share an exposure, all numbers varying from
point to point, exact joint CLs (`joint_speed.py`): by enumeration
up to 6, by convolution beyond.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N_COUPLING = 1000
SEARCHES = (1, 2, 3, 4, 5, 6, 8, 10)

MAP = """
import json, resource, time
from pathlib import Path
import bsmfit
from bsmfit.scan.batch.batch_run import run_batch
from bsmfit.scan.batch.run_card import AxesCard, AxisCard, RunCard
bsmfit.enable_x64()

def card(n_mass):
    return RunCard(
        model="dark-photon",
        preset="full",
        channels=("na62-dump-mumu",),
        axes=AxesCard(
            mass=AxisCard(low=0.215, high=0.6, points=n_mass),
            coupling=AxisCard(low=1e-7, high=1e-5, points={n_coupling}),
        ),
        block_points=100_000,
    )

folder = Path({folder!r})
run_batch(card(100), folder / "first")
start = time.process_time()
run_batch(card({n_mass}), folder / "second")
seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
print(json.dumps({{"seconds": seconds, "gib": peak}}))
"""


def points(n_point: int) -> dict[str, float]:
    """CPU seconds and peak memory of one map [s, GiB]."""
    with tempfile.TemporaryDirectory() as folder:
        code = MAP.format(
            n_coupling=N_COUPLING, n_mass=n_point // N_COUPLING, folder=folder
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            cwd=Path(__file__).parent.parent,
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


def technique(n_search: int) -> str:
    """What sums the outcomes of so many searches."""
    return "cls" if n_search <= 6 else "cls convolution"


def searches(n_search: int, n_point: int) -> dict[str, float]:
    """CPU seconds of the second call, and those of the first with compilation."""
    import jax
    import joint_speed

    import bsmfit

    bsmfit.enable_x64()
    joint_speed.N_CHANNEL = n_search
    jax.clear_caches()
    data, seconds = joint_speed.grid(n_point), []
    for _ in range(2):
        start = time.process_time()
        jax.block_until_ready(joint_speed.compute(data, technique(n_search), 64))
        seconds.append(time.process_time() - start)
    return {"first": seconds[0], "seconds": seconds[1]}


def main() -> None:
    """Print both tables, or one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=["points", "searches"])
    parser.add_argument("--largest", type=float, default=1e6)
    given = parser.parse_args()
    if "points" in given.what:
        print("| points | CPU s | us a point | peak GiB |\n| --- | --- | --- | --- |")
        n_point = 10_000
        while n_point <= given.largest:
            found = points(n_point)
            each = 1e6 * found["seconds"] / n_point
            print(
                f"| {n_point:.0e} | {found['seconds']:.2f} | {each:.1f} | "
                f"{found['gib']:.2f} |",
                flush=True,
            )
            n_point *= 10
    if "searches" in given.what:
        print(
            "| searches | CPU s | us a point | first call |\n| --- | --- | --- | --- |"
        )
        for n_search in SEARCHES:
            n_point = 10_000 if n_search < 5 else 64
            found = searches(n_search, n_point)
            each = 1e6 * found["seconds"] / n_point
            print(
                f"| {n_search} | {technique(n_search)} | {n_point} | {each:.1f} | "
                f"{found['first']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
