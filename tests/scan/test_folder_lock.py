from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bsmfit.errors import OutputError
from bsmfit.scan import folder_lock
from bsmfit.scan.folder_lock import LOCK_FILE, own_folder, owners, share_folder


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folder_lock, "_PAUSE", 0.0)


def test_a_folder_has_one_owner_who_is_named(tmp_path: Path):
    with own_folder(tmp_path / "a"):
        assert f"process {os.getpid()} on " in owners(tmp_path / "a")[0]
        with (
            pytest.raises(OutputError, match=f"written by process {os.getpid()} on"),
            own_folder(tmp_path / "a"),
        ):
            pass
    assert list((tmp_path / "a").iterdir()) == []
    with own_folder(tmp_path / "a"):
        pass


def test_jobs_share_a_folder_and_each_runs_once(tmp_path: Path):
    with share_folder(tmp_path, "1-of-2"):
        with share_folder(tmp_path, "2-of-2"):
            assert len(owners(tmp_path)) >= 2
        for again in (share_folder(tmp_path, "1-of-2"), own_folder(tmp_path)):
            with pytest.raises(OutputError, match="being written by"), again:
                pass
    assert list(tmp_path.iterdir()) == []
    with (
        own_folder(tmp_path),
        pytest.raises(OutputError, match="being written by"),
        share_folder(tmp_path, "1-of-2"),
    ):
        pass


def test_lock_of_a_killed_process_is_taken_over(tmp_path: Path, caplog):
    program = (
        "import os, sys; from pathlib import Path\n"
        "from bsmfit.scan.folder_lock import own_folder\n"
        "with own_folder(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert killed.returncode == -9
    assert (tmp_path / LOCK_FILE).exists()
    assert owners(tmp_path) == []
    with own_folder(tmp_path):
        assert "took over the lock of process" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_lock_of_another_host_needs_to_be_asked_for(tmp_path: Path):
    text = {"pid": "7", "host": "elsewhere", "since": "yesterday"}
    (tmp_path / LOCK_FILE).write_text(json.dumps(text))
    with (
        pytest.raises(OutputError, match=r"process 7 on elsewhere.*--take-over"),
        own_folder(tmp_path),
    ):
        pass
    with own_folder(tmp_path, take_over=True):
        pass


@pytest.mark.parametrize("text", ["", "[]", "\x00", '{"pid": 1}'])
def test_damaged_lock_file_is_no_obstacle(tmp_path: Path, text: str):
    (tmp_path / LOCK_FILE).write_text(text)
    if text == '{"pid": 1}':
        with pytest.raises(OutputError, match="--take-over"), own_folder(tmp_path):
            pass
        return
    with own_folder(tmp_path):
        pass


@pytest.mark.parametrize("enter", [own_folder, lambda path: share_folder(path, "1")])
def test_folder_of_a_run_that_never_began_is_not_left(tmp_path: Path, enter):
    def fail_in(path: Path, file: str = "") -> None:
        with enter(path):
            if file:
                (path / file).touch()
            raise ArithmeticError

    (tmp_path / "mine").mkdir()
    for name in ("new/deep", "mine"):
        with pytest.raises(ArithmeticError):
            fail_in(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(ArithmeticError):
        fail_in(tmp_path / "new" / "deep", "scan.nc")
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["scan.nc"]
