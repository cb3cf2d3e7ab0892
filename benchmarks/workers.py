"""Two pinned workers against one: wall time of one card, start-up apart.

    python benchmarks/workers.py [MASSES]

Start-up (imports, records, compilation) is the time of a run of one block per worker.
Only a machine that does nothing else gives a ratio: load is printed beside it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bsmfit import enable_x64
from bsmfit.scan.batch.batch_run import run_batch
from bsmfit.scan.batch.run_card import AxesCard, AxisCard, RunCard

N_COUPLING, BLOCK_POINTS = 1000, 50_000


def seconds(n_mass: int, n_worker: int) -> float:
    """Wall time of one run [s]."""
    card = RunCard(
        model="dark-photon",
        channels=("na62-dump-mumu", "na62-dump-ee"),
        axes=AxesCard(
            mass=AxisCard(low=0.22, high=0.6, points=n_mass),
            coupling=AxisCard(low=1e-7, high=1e-5, points=N_COUPLING),
        ),
        block_points=BLOCK_POINTS,
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run_batch(card, Path(folder), n_worker=n_worker)
        return time.perf_counter() - start


def main() -> None:
    """Measure and print JSON."""
    enable_x64()
    n_mass = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    result: dict[str, float] = {"points": n_mass * N_COUPLING}
    for n_worker in (1, 2):
        start_up = seconds(n_worker * BLOCK_POINTS // N_COUPLING, n_worker)
        whole = seconds(n_mass, n_worker)
        result[f"start_up_{n_worker}"] = start_up
        result[f"work_{n_worker}"] = whole - start_up
    result["ratio"] = result["work_1"] / result["work_2"]
    result["load"] = os.getloadavg()[0]
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
