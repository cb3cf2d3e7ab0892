from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path

import pytest

from bsmfit.errors import DataFileError, InputError, OutputError
from bsmfit.scan import atomic
from bsmfit.scan.batch import open_batch, workers
from bsmfit.scan.batch.batch_run import merge_batch, run_batch, run_share
from bsmfit.scan.batch.manifest import MANIFEST_FILE, Manifest
from bsmfit.scan.batch.progress import batch_status
from bsmfit.scan.content_digest import content_digest
from bsmfit.scan.runner import join_rows
from bsmfit.scan.store import read_scan

N_BLOCK = 16
FIRST_ROWS = list(range(0, 2 * N_BLOCK, 2))


def digest(folder: Path) -> str:
    return content_digest(read_scan(folder / "scan.nc"))


@pytest.fixture(scope="session")
def undisturbed(toy_module) -> str:
    """Digest of the whole plane, computed without files."""
    planned, manifest = toy_module.plan_toy(toy_module.CARD)
    blocks = [planned.compute(rows, manifest.cut) for rows in manifest.cut.blocks()]
    return content_digest(toy_module.label_toy(planned, join_rows(blocks)))


@pytest.fixture
def half_done(toy, tmp_path: Path) -> Path:
    """A folder with every other block."""
    run_share(toy.CARD, tmp_path / "half", (1, 2))
    toy.log.unlink()
    return tmp_path / "half"


def test_run_leaves_the_result_and_nothing_else(toy, tmp_path):
    outcome = run_batch(toy.CARD, tmp_path / "a")
    assert (outcome.n_block, outcome.n_computed, outcome.n_missing) == (
        N_BLOCK,
        N_BLOCK,
        0,
    )
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["batch.json", "plan.json", "scan.nc"]
    assert run_batch(toy.CARD, tmp_path / "a").n_computed == 0
    assert toy.computed() == FIRST_ROWS


def test_shares_in_any_order_give_the_same_result(toy, undisturbed, tmp_path):
    for number in (3, 1, 2):
        outcome = run_share(toy.CARD, tmp_path / "a", (number, 3))
        assert outcome.n_missing == 0
    merge_batch(tmp_path / "a")
    assert digest(tmp_path / "a") == undisturbed
    assert toy.computed() == FIRST_ROWS


def test_share_out_of_range_is_refused(toy, tmp_path):
    for share in ((0, 3), (4, 3)):
        with pytest.raises(InputError, match="I from 1 to N"):
            run_share(toy.CARD, tmp_path / "a", share)


def test_merging_too_early_says_what_is_missing(half_done):
    with pytest.raises(OutputError, match=r"8 of 16 blocks.*number 2.*resume"):
        merge_batch(half_done)


def test_only_what_is_missing_or_damaged_is_computed(toy, undisturbed, half_done):
    blocks = sorted((half_done / "blocks").iterdir())
    whole = blocks[3].read_bytes()
    blocks[3].write_bytes(whole[:-100])
    flipped = bytearray(blocks[5].read_bytes())
    flipped[len(flipped) // 2] ^= 1
    blocks[5].write_bytes(flipped)
    blocks[7].write_bytes(b"")
    assert batch_status(half_done).n_whole == 5
    run_batch(toy.CARD, half_done)
    damaged = [4 * i for i in (3, 5, 7)]
    assert toy.computed() == sorted(FIRST_ROWS[1::2] + damaged)
    assert digest(half_done) == undisturbed


def test_changed_plan_is_refused_with_the_difference(toy, half_done):
    other = toy.CARD.model_copy(update={"cl": 0.95, "preset": "fancy"})
    before = sorted(half_done.rglob("*"))
    with pytest.raises(
        OutputError, match=r'cl: 0.9 there, 0.95 now; preset: null there, "fancy" now'
    ):
        run_batch(other, half_done)
    assert sorted(half_done.rglob("*")) == before
    run_batch(other, half_done, overwrite=True)
    assert len(toy.computed()) == N_BLOCK
    assert Manifest.read(half_done).card == other


def test_overwriting_keeps_files_of_others(toy, half_done):
    mine = half_done / "blocks" / "notes.txt"
    mine.write_text("mine")
    run_batch(toy.CARD, half_done, overwrite=True)
    assert mine.read_text() == "mine"


def test_damaged_manifest_is_refused(toy, half_done):
    path = half_done / MANIFEST_FILE
    content = path.read_bytes()
    for position in range(0, len(content), 37):
        flipped = bytearray(content)
        flipped[position] ^= 4
        path.write_bytes(flipped)
        with pytest.raises(DataFileError, match=r"batch\.json"):
            run_batch(toy.CARD, half_done)
    path.unlink()
    with pytest.raises(DataFileError, match="holds no batch run"):
        batch_status(half_done)


def test_damaged_result_is_computed_again(toy, undisturbed, tmp_path):
    path = tmp_path / "a" / "scan.nc"
    run_batch(toy.CARD, path.parent)
    path.write_bytes(path.read_bytes()[:-1])
    assert not batch_status(path.parent).is_finished
    run_batch(toy.CARD, path.parent)
    assert len(toy.computed()) == 2 * N_BLOCK
    assert digest(path.parent) == undisturbed


def test_full_disk_keeps_what_was_written(toy, undisturbed, half_done, monkeypatch):
    n_left = 9

    def fsync(descriptor: int) -> None:
        nonlocal n_left
        n_left -= 1
        if n_left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", fsync)
        with pytest.raises(OutputError, match="No space left"):
            run_batch(toy.CARD, half_done)
    assert not list(half_done.rglob(".part*"))
    n_whole = batch_status(half_done).n_whole
    assert n_whole > 8
    toy.log.unlink()
    run_batch(toy.CARD, half_done)
    assert len(toy.computed()) == N_BLOCK - n_whole
    assert digest(half_done) == undisturbed


def test_folder_that_takes_no_files_is_refused(toy, tmp_path, monkeypatch):
    def write_bytes(self: Path, content: bytes) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(OutputError, match="Read-only file system"):
        run_batch(toy.CARD, tmp_path / "a")
    assert toy.computed() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_after_the_block_in_flight(
    toy, undisturbed, tmp_path, monkeypatch, number
):
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def compute(self, rows, cut):
        if rows.start == 10:
            os.kill(os.getpid(), number)
        return plain(self, rows, cut)

    plain = toy.ToyMap.compute
    with monkeypatch.context() as patch:
        patch.setattr(toy.ToyMap, "compute", compute)
        outcome = run_batch(toy.CARD, tmp_path / "a")
    assert outcome.stopped_by == number
    assert (outcome.n_computed, outcome.n_missing) == (6, 10)
    assert batch_status(tmp_path / "a").n_whole == 6
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    run_batch(toy.CARD, tmp_path / "a")
    assert toy.computed() == FIRST_ROWS
    assert digest(tmp_path / "a") == undisturbed


def test_workers_give_the_same_and_one_that_dies_is_replaced(
    toy, undisturbed, tmp_path, monkeypatch
):
    def command(directory: Path, cores: list[int], options: list[str]) -> list[str]:
        assert options == []
        program = [sys.executable, "-W", "ignore", toy.__spec__.origin, "work"]
        return [*program, str(directory), str(toy.log), "8"]

    monkeypatch.setattr(workers, "worker_command", command)
    outcome = run_batch(toy.CARD, tmp_path / "a", n_worker=2)
    assert outcome.n_computed == N_BLOCK
    assert toy.log.with_suffix(".died-8").exists()
    assert toy.computed() == FIRST_ROWS
    assert digest(tmp_path / "a") == undisturbed


def test_worker_that_cannot_go_on_says_why(toy, tmp_path, monkeypatch):
    text = "import sys; sys.exit('bsmfit: error: the moon is in the way')"
    monkeypatch.setattr(
        workers, "worker_command", lambda *_: [sys.executable, "-c", text]
    )
    with pytest.raises(OutputError, match=r"^the moon is in the way"):
        run_batch(toy.CARD, tmp_path / "a", n_worker=1)


def test_worker_that_always_dies_is_given_up(toy, tmp_path, monkeypatch):
    text = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(
        workers, "worker_command", lambda *_: [sys.executable, "-c", text]
    )
    with pytest.raises(OutputError, match=r"3 workers in turn.*SIGKILL.*rows 0:2"):
        run_batch(toy.CARD, tmp_path / "a", n_worker=1)


def test_files_that_have_changed_stop_a_worker(toy, half_done, monkeypatch):
    open_batch.plan_card = lambda card, _: toy.plan_toy(
        card.model_copy(update={"preset": "other"})
    )
    with pytest.raises(OutputError, match="cannot be continued"):
        open_batch.reopen_batch(half_done)
