from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from bsmfit.scan.blocks import SINGLE_BLOCK_POINTS, BlockFolder, cut_rows

BLOCK = {"n_signal": np.arange(6.0).reshape(2, 3), "status": np.zeros((2, 3), np.int8)}
ROWS = range(4, 6)


@pytest.mark.parametrize(
    ("n_mass", "n_coupling", "multiple_of"),
    [(601, 201, 40), (1000, 1000, 8), (1001, 999, 7), (3, 300_000, 1)],
)
def test_blocks_cover_all_rows_once(n_mass: int, n_coupling: int, multiple_of: int):
    cuts = cut_rows(n_mass, n_coupling, multiple_of=multiple_of)
    assert [i for rows in cuts for i in rows] == list(range(n_mass))
    assert all(len(rows) % multiple_of == 0 for rows in cuts[:-1])
    assert (len(cuts) == 1) == (n_mass * n_coupling <= SINGLE_BLOCK_POINTS)


def test_block_is_read_back(tmp_path: Path):
    folder = BlockFolder(tmp_path, "a")
    folder.save(ROWS, BLOCK)
    found = folder.load(ROWS)
    assert found is not None
    assert found.keys() == BLOCK.keys()
    for name, value in BLOCK.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_missing_and_foreign_blocks_do_not_count(tmp_path: Path):
    BlockFolder(tmp_path, "a").save(ROWS, BLOCK)
    assert BlockFolder(tmp_path, "b").load(ROWS) is None
    assert BlockFolder(tmp_path, "a").load(range(4)) is None


@pytest.mark.parametrize("keep", [0, 10, 300, -5])
def test_damaged_block_does_not_count(tmp_path: Path, keep: int):
    folder = BlockFolder(tmp_path, "a")
    folder.save(ROWS, BLOCK)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    assert folder.load(ROWS) is None


def test_removing_twice_is_fine(tmp_path: Path):
    folder = BlockFolder(tmp_path / "blocks", "a")
    folder.save(ROWS, BLOCK)
    folder.remove()
    folder.remove()
    assert not folder.directory.exists()


def test_kill_9_while_writing_leaves_whole_blocks_only(tmp_path: Path):
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        import numpy as np
        from bsmfit.scan.blocks import BlockFolder
        folder = BlockFolder(Path(sys.argv[1]), "a")
        big = {"n_signal": np.random.default_rng(1).random((2, 20000))}
        start = 0
        while True:
            folder.save(range(start, start + 2), big)
            print(start, flush=True)
            start += 2
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    ) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    folder = BlockFolder(tmp_path, "a")
    whole = [path for path in tmp_path.iterdir() if not path.name.startswith(".part")]
    assert len(whole) >= 5
    for path in whole:
        start, stop = map(int, path.stem.split("-"))
        assert folder.load(range(start, stop)) is not None


def test_any_damaged_byte_is_computed_again_or_harmless(make_plan, tmp_path, caplog):
    """Every byte of a block is changed in turn: no traceback, no other numbers."""
    folder = BlockFolder.from_plan(tmp_path, make_plan())
    rows, block = range(2), {"a": np.arange(6.0).reshape(2, 3)}
    folder.save(rows, block)
    (path,) = folder.directory.iterdir()
    whole = path.read_bytes()
    for position in range(0, len(whole), 11):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= change
            path.write_bytes(damaged)
            loaded = folder.load(rows)
            if loaded is not None:
                np.testing.assert_array_equal(loaded["a"], block["a"])
    path.write_bytes(b"\x89HDF\r\n")
    assert folder.load(rows) is None


def test_files_of_others_in_the_folder_of_blocks_stay(make_plan, tmp_path):
    folder = BlockFolder.from_plan(tmp_path, make_plan())
    folder.save(range(2), {"a": np.ones(2)})
    others = [folder.directory / name for name in ("thesis.nc", "000000-000002.txt")]
    for path in others:
        path.write_text("mine")
    folder.remove()
    assert sorted(folder.directory.iterdir()) == sorted(others)
    for path in others:
        path.unlink()
    folder.remove()
    assert not folder.directory.exists()
    folder.remove()
