from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import jax
import pytest
from typer.testing import CliRunner

import bsmfit
from bsmfit.cli.app import app
from bsmfit.scan.batch import batch_run

CARD = """\
card_version: 1
model: dark-photon
channels: [na62-dump-mumu]
axes:
  mass: {low: 0.25, high: 0.5, points: 6}
  coupling: {low: 1.0e-7, high: 1.0e-5, points: 7}
block_points: 14
"""
WITHOUT_JAX = """
import sys
sys.argv = ["bsmfit", *sys.argv[1:]]
from bsmfit.cli.app import main
try:
    main()
except SystemExit as end:
    print("exit", end.code, "jax" in sys.modules)
"""


def run(*arguments: object):
    return CliRunner().invoke(app, ["batch", *map(str, arguments)])


def content(result) -> str:
    assert result.exit_code == 0, result.output
    (line,) = [x for x in result.stdout.splitlines() if x.startswith("content ")]
    return line


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card") / "card.yaml"
    path.write_text(CARD)
    return path


@pytest.fixture(scope="module")
def finished(card: Path) -> Path:
    """A run of a real search, in shares; status was asked in between."""
    out = card.parent / "shares"
    for number in (2, 1):
        assert run("run", card, "--out", out, "--block", f"{number}/2").exit_code == 0
    assert run("merge", out).exit_code == 0
    return out


def test_every_route_gives_the_same_numbers(card, finished, tmp_path):
    from bsmfit.scan.store import read_scan

    whole = run("run", card, "--out", tmp_path / "whole")
    assert content(run("merge", finished)) == content(whole)
    model = bsmfit.load_model("dark-photon")
    channel = bsmfit.load_channel("na62-dump-mumu")
    plane = bsmfit.scan_plane(
        model, channel, mass=(0.25, 0.5, 6), coupling=(1e-7, 1e-5, 7)
    )
    stored = read_scan(tmp_path / "whole" / "scan.nc")
    assert stored.attrs["plan_hash"] == plane.attrs["plan_hash"]
    for name in ("n_signal", "cls_obs", "n_up_obs"):
        assert abs(stored[name] / plane[name] - 1.0).max() < 1e-12


@pytest.mark.parametrize("command", ["status", "resume"])
def test_finished_work_is_seen_without_jax(finished, command):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JAX, "batch", command, str(finished)],
        env=os.environ | {"PYTHONPATH": str(Path(bsmfit.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "exit 0 False", done.stderr
    assert "complete" in done.stdout


def test_status_as_json(finished):
    report = json.loads(run("status", finished, "--json").stdout)
    assert report["is_finished"]
    assert (report["n_block"], report["n_whole"], report["owners"]) == (3, 3, [])


def test_submit_files_name_every_share_once(card, tmp_path):
    out = tmp_path / "farm"
    arguments = ["submit", card, "--out", out, "--jobs", 3, "--scheduler"]
    assert "sbatch" in run(*arguments, "slurm").stdout
    script = (out / "submit.sh").read_text()
    assert "#SBATCH --array=1-3\n" in script
    assert "--block ${SLURM_ARRAY_TASK_ID}/3" in script
    assert (
        subprocess.run(["bash", "-n", out / "submit.sh"], check=False).returncode == 0
    )
    assert "condor_submit" in run(*arguments, "htcondor").stdout
    script = (out / "submit.sub").read_text()
    assert "number = $(Process) + 1\n" in script
    assert "--block $INT(number)/3\n" in script
    assert script.endswith("queue 3\n")
    many = run("submit", card, "--out", out, "--jobs", 4, "--scheduler", "slurm")
    assert (many.exit_code, "the card has 3 blocks" in many.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--block", "4/3"], "I is from 1 to N"),
        (["--block", "0/3"], "I is from 1 to N"),
        (["--block", "1-3"], "the third of ten jobs is 3/10"),
        (["--block", "1/2", "--workers", "2"], "--block and --workers do not go"),
        (["--block", "1/2", "--dask", "local:2"], "--block and --dask do not go"),
        (["--workers", "2", "--dask", "local:2"], "--workers and --dask do not go"),
        (["--dask", "local:0"], "write local:N with N from 1 to 1024"),
        (["--block", "1/2", "--overwrite"], "--block and --overwrite do not go"),
    ],
)
def test_what_cannot_be_meant_is_one_line(card, tmp_path, options, message):
    result = run("run", card, "--out", tmp_path, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_folder_without_a_run_is_one_line(tmp_path):
    for command in ("status", "resume", "merge"):
        result = run(command, tmp_path)
        assert result.exit_code == 2
        assert "holds no batch run" in result.stderr


def test_stopped_run_says_how_to_go_on(tmp_path, capsys):
    import typer

    from bsmfit.cli.batch import _tell
    from bsmfit.scan.batch.batch_run import Outcome
    from bsmfit.scan.batch.host import Host

    with pytest.raises(typer.Exit) as end:
        _tell(
            Outcome(n_block=9, n_computed=2, n_missing=4, stopped_by=15),
            tmp_path,
            Host("cpu"),
        )
    assert end.value.exit_code == 143
    said = capsys.readouterr().err
    assert "5 of 9 blocks are done and kept" in said
    assert f"bsmfit batch resume {tmp_path} --device cpu" in said


def test_run_without_any_number_is_told_and_fails(tmp_path, capsys):
    import typer
    import xarray as xr

    from bsmfit.cli.batch import _tell_result

    flags = {"flag_meanings": "ok not_converged", "flag_values": [0, 1]}
    for codes, is_told in (([1, 1], True), ([1, 0], False)):
        dataset = xr.Dataset({"status": ("mass", codes, flags)})
        try:
            _tell_result(dataset, tmp_path)
            code = 0
        except typer.Exit as end:
            code = end.exit_code
        said = capsys.readouterr()
        assert code == int(is_told)
        assert ("no point of the plane has a result" in said.err) == is_told
        assert f"wrote {tmp_path / 'scan.nc'}" in said.out


def test_schema_is_json():
    assert "channels" in json.loads(run("schema").stdout)["properties"]


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(card, tmp_path):
    out = tmp_path / "out"
    for words in (
        ("scan", "dark-photon", "--channel", "na62-dump-mumu"),
        ("batch", "run", str(card)),
    ):
        done = CliRunner().invoke(app, [*words, "--out", str(out), "--device", "gpu"])
        assert done.exit_code == 2
        assert "device gpu" in done.stderr
        assert "cpu" in done.stderr
        assert not out.exists()


def test_work_that_is_complete_needs_no_device(finished):
    assert run("resume", finished, "--device", "gpu").exit_code == 0


def test_workers_are_refused_where_they_would_share_a_gpu(card, tmp_path, monkeypatch):
    gpu = Mock(spec=jax.Device, platform="gpu", device_kind="Some GPU")
    monkeypatch.setattr(batch_run, "local_devices", lambda _: (gpu,))
    done = run("run", card, "--out", tmp_path / "out", "--workers", "2")
    assert done.exit_code == 2
    assert "Some GPU" in done.stderr
    assert not (tmp_path / "out").exists()
