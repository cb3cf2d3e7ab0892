"""A run that is killed at random gives the result of an undisturbed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bsmfit.scan.batch.batch_run import run_batch
from bsmfit.scan.content_digest import content_digest
from bsmfit.scan.store import read_scan


def run_with_kills(toy, tmp_path: Path, *, n_kill: int, seed: int) -> None:
    run_batch(toy.CARD, tmp_path / "undisturbed")
    folder, log = tmp_path / "killed", tmp_path / "killed.log"
    command = [sys.executable, "-W", "ignore", toy.__spec__.origin, "kills"]
    done = subprocess.run(
        [*command, str(folder), str(log), str(n_kill), str(seed)],
        env=os.environ | {"TOY_BLOCKS": str(toy.N_BLOCK)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    n_hit = int(done.stdout)
    computed = [int(line) for line in log.read_text().split()]
    assert sorted(set(computed)) == list(range(0, 2 * toy.N_BLOCK, 2))
    assert len(computed) <= toy.N_BLOCK + n_hit  # one block is in flight
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["batch.json", "plan.json", "scan.nc"]
    whole = read_scan(tmp_path / "undisturbed" / "scan.nc")
    assert content_digest(read_scan(folder / "scan.nc")) == content_digest(whole)


def test_five_kills_lose_nothing(toy, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(toy, "N_BLOCK", 40)
    run_with_kills(toy, tmp_path, n_kill=5, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_fifty_kills_in_200_blocks_lose_nothing(toy, tmp_path, monkeypatch, seed: int):
    monkeypatch.setattr(toy, "N_BLOCK", 200)
    run_with_kills(toy, tmp_path, n_kill=50, seed=seed)
