"""Workers and a Dask cluster against one worker: one command, one table.

    python benchmarks/workers.py [MASSES [SMALL]] [--json]

Every route computes the same card of MASSES x 1000 points (20,000 masses: a minute or
more on one core) in blocks of 50,000. Start-up (imports, records, compilation) is the
time of a run of one block for each worker and is taken off. All workers are pinned to
one core each, that of the route with one worker too.

    one       one spawned worker on one core
    two       two spawned workers (asked for: 1.8 times as fast)
    dask 2    local:2 (asked for: 1.6 times)

The overhead of Dask is measured for itself: SMALL (1000) blocks of two points each more
than 100 of them, by Dask less the same by one worker (asked for: below 10 ms a block).
Only a machine that does nothing else gives ratios of time on the clock: load is printed
beside them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bsmfit import enable_x64
from bsmfit.scan.batch import workers
from bsmfit.scan.batch.batch_run import run_batch
from bsmfit.scan.batch.run_card import AxesCard, AxisCard, RunCard
from bsmfit.scan.content_digest import content_digest
from bsmfit.scan.store import read_scan

N_COUPLING, BLOCK_POINTS = 1000, 50_000
ROUTES = {
    "one": {"n_worker": 1},
    "two": {"n_worker": 2},
    "dask 2": {"dask": "local:2"},
}
ASKED = {"two": 1.8, "dask 2": 1.6}


def card(n_mass: int, n_coupling: int, block_points: int) -> RunCard:
    """The dark photon against two searches."""
    return RunCard(
        model="dark-photon",
        channels=("na62-dump-mumu", "na62-dump-ee"),
        axes=AxesCard(
            mass=AxisCard(low=0.22, high=0.6, points=n_mass),
            coupling=AxisCard(low=1e-7, high=1e-5, points=n_coupling),
        ),
        block_points=block_points,
    )


def seconds(plane: RunCard, route: dict) -> tuple[float, str]:
    """Time of one run [s], and the digest of its result."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run_batch(plane, Path(folder), **route)
        taken = time.perf_counter() - start
        return taken, content_digest(read_scan(Path(folder) / "scan.nc"))


def measure(n_mass: int, n_small: int) -> dict:
    """All routes, and the overhead of a Dask block."""
    rows_of_block = BLOCK_POINTS // N_COUPLING
    result: dict = {"points": n_mass * N_COUPLING, "cores": os.cpu_count()}
    digests = set()
    for name, route in ROUTES.items():
        n_worker = 1 if name == "one" else 2
        small = card(n_worker * rows_of_block, N_COUPLING, BLOCK_POINTS)
        start_up, _ = seconds(small, route)
        whole, digest = seconds(card(n_mass, N_COUPLING, BLOCK_POINTS), route)
        digests.add(digest)
        # the blocks of the start-up run are work too, done at the same speed
        share = 1.0 - n_worker * rows_of_block / n_mass
        result[name] = {"start_up": start_up, "work": (whole - start_up) / share}
        print(f"{name}: {whole:.1f} s in all, {result[name]}", file=sys.stderr)
    for name in ASKED:
        result[name]["ratio"] = result["one"]["work"] / result[name]["work"]
    result["one_digest"] = len(digests) == 1
    result["dask_ms_per_block"] = overhead_ms(n_small)
    result["load"] = os.getloadavg()
    return result


def overhead_ms(n_small: int) -> float:
    """What Dask adds to a block of two points, on one worker [ms]."""
    taken = {}
    for name, route in (("dask", {"dask": "local:1"}), ("worker", {"n_worker": 1})):
        few, _ = seconds(card(100, 2, 2), route)
        many, _ = seconds(card(n_small + 100, 2, 2), route)
        taken[name] = 1e3 * (many - few) / n_small
    return taken["dask"] - taken["worker"]


def pin_one_core_each() -> None:
    """Workers have one core, however many of them there are."""
    plain = workers.core_shares

    def shares(n_worker: int) -> list[list[int]]:
        return [cores[:1] for cores in plain(n_worker)]

    workers.core_shares = shares


def main() -> None:
    """Measure and print a table, or JSON."""
    enable_x64()
    pin_one_core_each()
    given = [int(word) for word in sys.argv[1:] if word != "--json"]
    n_mass, n_small = (given + [20_000, 1000][len(given) :])[:2]
    result = measure(n_mass, n_small)
    if "--json" in sys.argv:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['points']:.3g} points, load {result['load'][0]:.2f}")
    print(f"{'route':8} {'start-up [s]':>13} {'work [s]':>9} {'ratio':>6} {'asked':>6}")
    for name in ROUTES:
        row = result[name]
        ratio = f"{row['ratio']:6.2f} {ASKED[name]:6.1f}" if name in ASKED else ""
        print(f"{name:8} {row['start_up']:13.1f} {row['work']:9.1f} {ratio}")
    print(f"Dask adds {result['dask_ms_per_block']:.1f} ms to a block (asked: 10)")
    print(f"same result by every route: {result['one_digest']}")


if __name__ == "__main__":
    main()
