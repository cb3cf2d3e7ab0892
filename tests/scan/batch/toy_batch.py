"""A batch run whose blocks cost nothing, in this process or as a program of its own.

python toy_batch.py kills FOLDER LOG N_KILL SEED    killed at random, then finished
python toy_batch.py work FOLDER LOG [FATAL]         a worker; dies once at row FATAL
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr

from bsmfit.scan.batch import batch_run, open_batch
from bsmfit.scan.batch.manifest import Manifest
from bsmfit.scan.batch.run_card import RunCard
from bsmfit.scan.batch.worker_process import live_as_worker
from bsmfit.scan.blocks import BlockCut
from bsmfit.scan.grid import Axis
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.planned_map import PlannedMap
from bsmfit.scan.store import build_dataset

N_BLOCK = int(os.environ.get("TOY_BLOCKS", "16"))
CARD = RunCard(model="toy", channels=("toy-search",))


class ToyMap(PlannedMap):
    """Two rows a block, of a plane with one island."""

    def __init__(self, card: RunCard, log: Path | None = None, pause: float = 0.0):
        plan = ScanPlan(
            model=card.model,
            preset=card.preset,
            channels=card.channels,
            coupling_name="g",
            mass=f"0.2:0.8:{2 * N_BLOCK}",
            coupling="1e-07:1e-05:30",
            cl=card.cl,
        )
        values = {
            "first": Axis(0.2, 0.8, 2 * N_BLOCK),
            "coupling": Axis(1e-7, 1e-5, 30),
            "plan": plan,
            "log": log,
            "pause": pause,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def compute(self, rows: range, cut: BlockCut) -> dict[str, np.ndarray]:
        time.sleep(self.pause)  # pyright: ignore[reportAttributeAccessIssue]
        m = self.first.points()[rows.start : rows.stop, None]
        g = self.coupling.points()[None, :]
        n_signal = 1e27 * g**4 * m**2 * np.exp(-6e12 * g**2 * m**2)
        n_up = np.full(n_signal.shape, 2.302585)
        log: Path | None = self.log  # pyright: ignore[reportAttributeAccessIssue]
        if log is not None:
            with log.open("a") as file:
                file.write(f"{rows.start}\n")
        return {
            "n_signal": n_signal,
            "n_up_obs": n_up,
            "n_up_exp": n_up[..., None] * np.array([1.0, 1.0, 1.1, 1.7, 2.3]),
            "cls_obs": np.exp(-n_signal),
            "cls_exp": np.exp(-n_signal),
            "n_obs": np.zeros(len(rows), dtype=np.int32),
            "status": np.zeros(n_signal.shape, dtype=np.int8),
        }


def plan_toy(
    card: RunCard, log: Path | None = None, pause: float = 0.0
) -> tuple[PlannedMap, Manifest]:
    toy = ToyMap(card, log, pause)
    cut = BlockCut(n_mass=2 * N_BLOCK, block_rows=2, chunk_rows=2)
    return toy, Manifest(card, toy.plan.identity(), cut, n_coupling=30)


def label_toy(planned: PlannedMap, plane: dict[str, np.ndarray]) -> xr.Dataset:
    return build_dataset(
        plane,
        planned.plan,
        mass=planned.first.points(),
        coupling=planned.coupling.points(),
    )


def install(log: Path | None = None, pause: float = 0.0) -> None:
    """Put the toy in place of catalogue and physics."""
    open_batch.plan_card = lambda card, _=None: plan_toy(card, log, pause)
    batch_run.label_map = label_toy
    batch_run.circumstances = lambda _: {}


def run_with_kills(folder: Path, n_kill: int, seed: int) -> int:
    """Kill a run again and again, then let it finish; the number of kills that hit."""
    chance, n_hit = random.Random(seed), 0
    for _ in range(n_kill):
        child = os.fork()
        if child == 0:
            batch_run.run_batch(CARD, folder)
            os._exit(0)
        time.sleep(chance.uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        n_hit += os.waitpid(child, 0)[1] == signal.SIGKILL
    batch_run.run_batch(CARD, folder)
    return n_hit


class DyingMap(ToyMap):
    """Ends its process at one row, once."""

    def compute(self, rows: range, cut: BlockCut) -> dict[str, np.ndarray]:
        log: Path | None = self.log  # pyright: ignore[reportAttributeAccessIssue]
        assert log is not None
        mark = log.with_suffix(f".died-{rows.start}")
        if rows.start == int(sys.argv[4]) and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().compute(rows, cut)


def main() -> None:
    what, folder, log = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if what == "kills":
        install(log, pause=0.005)
        n_hit = run_with_kills(folder, int(sys.argv[4]), int(sys.argv[5]))
        sys.stdout.write(f"{n_hit}\n")
        return
    install(log)
    if len(sys.argv) > 4:
        open_batch.plan_card = lambda card, _=None: (
            DyingMap(card, log),
            plan_toy(card)[1],
        )
    live_as_worker(folder, sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()


__all__ = ["CARD", "N_BLOCK", "install", "label_toy", "plan_toy"]
