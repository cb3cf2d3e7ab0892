from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import bsmfit.catalogue.channels
import bsmfit.catalogue.models
import bsmfit.catalogue.records
import bsmfit.scan.exclusion_map
import bsmfit.validation.report
from bsmfit.catalogue.files import data_root, model_root
from bsmfit.cli.app import app
from bsmfit.cli.scan_report import _without_result
from bsmfit.errors import UnknownNameError
from bsmfit.export.contour_csv import read_contour
from bsmfit.scan.devices import local_devices
from bsmfit.scan.exclusion_map import as_axis
from bsmfit.scan.folder_lock import own_folder
from bsmfit.scan.grid import Axis
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import Status
from bsmfit.scan.store import build_dataset, read_scan
from bsmfit.validation.targets import ValidationRow

SCAN = ["scan", "toy", "--channel", "toy-mumu", "--mass", "0.2:0.8:13"]
SCAN += ["--coupling", "1e-7:1e-5:41"]


@dataclass(frozen=True)
class ToyModel:
    name: str = "toy"
    preset: str = "plain"
    coupling: str = "epsilon"
    inputs: tuple[tuple[str, str], ...] = (("toy.yaml", "ab12"),)

    def with_parameters(self, **values: float) -> ToyModel:
        assert not values
        return self


@dataclass(frozen=True)
class ToyChannel:
    name: str = "toy-mumu"
    inputs: tuple[tuple[str, str], ...] = (("record.yaml", "cd34"),)
    default_mass: tuple[float, float, int] = (0.2, 0.7, 11)
    default_coupling: tuple[float, float, int] = (1e-7, 1e-5, 31)


def load_toy_model(
    name: str,
    preset: str | None = None,
    processes: dict[str, float] | None = None,
    allow_code: bool = False,
) -> ToyModel:
    if name != "toy":
        kind = "model"
        raise UnknownNameError.from_choices(kind, name, ["toy"])
    if preset not in (None, "plain", "fancy"):
        kind = "preset"
        raise UnknownNameError.from_choices(kind, preset, ["plain", "fancy"])
    return ToyModel(preset=preset or "plain")


def load_toy_channel(name: str) -> ToyChannel:
    if name not in ("toy-mumu", "toy-ee"):
        kind = "channel"
        raise UnknownNameError.from_choices(kind, name, ["toy-mumu", "toy-ee"])
    return ToyChannel(name)


def toy_axes(model, channels, *, mass=None, coupling=None):
    first = channels[0]
    return (
        as_axis(first.default_mass if mass is None else mass),
        as_axis(first.default_coupling if coupling is None else coupling),
    )


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[ScanPlan]:
    """Put toys in place of catalogue and physics; return the scans that were run."""
    done: list[ScanPlan] = []

    def plan_toy(
        model, channels, *, mass, coupling, parameters, parameter, cl, ordering, device
    ):
        assert parameter is None
        assert ordering == "likelihood-ratio" or not parameters
        mass, coupling = toy_axes(model, channels, mass=mass, coupling=coupling)
        assert isinstance(mass, Axis)
        plan = ScanPlan.from_parts(model, channels, mass=mass, coupling=coupling, cl=cl)
        exclusion = SimpleNamespace(ordering="count")
        return SimpleNamespace(
            plan=plan,
            exclusion=exclusion,
            first=mass,
            coupling=coupling,
            devices=local_devices(device),
        )

    def compute_toy(planned, *, blocks, progress):
        mass, coupling, plan = planned.first, planned.coupling, planned.plan
        m, g = mass.points()[:, None], coupling.points()[None, :]
        n_signal = 1e27 * g**4 * m**2 * np.exp(-6e12 * g**2 * m**2)
        n_up = np.full(n_signal.shape, 2.302585)
        progress(n_signal.size, n_signal.size)
        done.append(plan)
        plane = {
            "n_signal": n_signal,
            "n_up_obs": n_up,
            "n_up_exp": n_up[..., None] * np.array([1.0, 1.0, 1.1, 1.7, 2.3]),
            "cls_obs": np.exp(-n_signal),
            "cls_exp": np.exp(-n_signal),
            "n_obs": np.zeros(m.size, dtype=np.int32),
            "status": np.zeros(n_signal.shape, dtype=np.int8),
        }
        return build_dataset(
            plane, plan, mass=mass.points(), coupling=coupling.points()
        )

    monkeypatch.setattr(bsmfit.catalogue.models, "load_model", load_toy_model)
    monkeypatch.setattr(bsmfit.catalogue.channels, "load_channel", load_toy_channel)
    monkeypatch.setattr(bsmfit.scan.exclusion_map, "plan_map", plan_toy)
    monkeypatch.setattr(bsmfit.scan.exclusion_map, "compute_map", compute_toy)
    monkeypatch.setattr(bsmfit.channels.combination, "as_channels", tuple)
    return done


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def only_line(result) -> str:
    """The one line of an error: exit code 2, no traceback, nothing on stdout."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("bsmfit: error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_scan_writes_results_and_says_what_is_excluded(scans, tmp_path: Path):
    out = tmp_path / "deep" / "result"
    result = run(*SCAN, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "contour.csv",
        "contour.pdf",
        "contour.png",
        "contour_expected.csv",
        "plan.json",
        "scan.nc",
    ]
    dataset = read_scan(out / "scan.nc")
    assert dataset.sizes["mass"] == 13
    assert dataset.attrs["cl"] == 0.9
    assert dataset.attrs["created"]
    assert json.loads(dataset.attrs["inputs"]) == {
        "record.yaml": "cd34",
        "toy.yaml": "ab12",
    }
    assert len(read_contour(out / "contour.csv").polygons) == 1
    assert "0.2 to 0.8" in result.stdout
    assert "contour.csv" in result.stdout


def test_ranges_default_to_those_of_the_channel(scans, tmp_path: Path):
    result = run(
        "scan", "toy", "--channel", "toy-mumu", "--out", str(tmp_path), "--no-figure"
    )
    assert result.exit_code == 0, result.output
    assert (scans[0].mass, scans[0].coupling) == ("0.2:0.7:11", "1e-07:1e-05:31")
    assert not list(tmp_path.glob("*.png"))


def test_same_scan_is_reused_and_overwrite_computes_again(scans, tmp_path: Path):
    arguments = [*SCAN, "--out", str(tmp_path), "--no-figure"]
    assert run(*arguments).exit_code == 0
    before = (tmp_path / "scan.nc").read_bytes()
    (tmp_path / "contour.csv").unlink()
    assert run(*arguments).exit_code == 0
    assert len(scans) == 1
    assert (tmp_path / "scan.nc").read_bytes() == before
    assert (tmp_path / "contour.csv").exists()
    assert run(*arguments, "--overwrite").exit_code == 0
    assert len(scans) == 2


def test_channels_are_combined_and_preset_is_passed(scans, tmp_path: Path):
    arguments = [*SCAN, "--channel", "toy-ee", "--preset", "fancy", "--cl", "0.95"]
    result = run(*arguments, "--out", str(tmp_path), "--no-figure")
    assert result.exit_code == 0, result.output
    assert scans[0].channels == ("toy-ee", "toy-mumu")
    assert (scans[0].preset, scans[0].cl) == ("fancy", 0.95)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({1: "toi"}, ["unknown model 'toi'", "did you mean 'toy'"]),
        ({3: "toy-mum"}, ["unknown channel", "did you mean 'toy-mumu'"]),
        ({5: "0.8:0.2:13"}, ["mass range", "reversed"]),
        ({5: "0.2:0.2:13"}, ["mass range", "empty"]),
        ({5: "0.2:0.8:1"}, ["mass range", "at least 2"]),
        ({5: "x:0.8:5"}, ["mass range", "not a number"]),
        ({7: "1e-5:1e-7:41"}, ["coupling range", "reversed"]),
        ({7: "0:1e-5:41"}, ["coupling range", "above 0"]),
    ],
)
def test_bad_arguments_are_one_line_before_any_computation(
    scans, tmp_path: Path, changes: dict[int, str], words: list[str]
):
    arguments = [changes.get(i, argument) for i, argument in enumerate(SCAN)]
    out = tmp_path / "out"
    line = only_line(run(*arguments, "--out", str(out)))
    assert all(word in line for word in words)
    assert not scans
    assert not out.exists()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--preset", "fansy"], ["unknown preset", "did you mean 'fancy'"]),
        (["--cl", "1.0"], ["--cl = 1", "between 0 and 1"]),
        (["--cl", "0"], ["--cl = 0", "between 0 and 1"]),
        (["--cl", "90"], ["--cl = 90", "did you mean 0.9"]),
        (["--channel", "toy-mumu"], ["given twice"]),
    ],
)
def test_bad_options_are_one_line_before_any_computation(
    scans, tmp_path: Path, extra: list[str], words: list[str]
):
    line = only_line(run(*SCAN, *extra, "--out", str(tmp_path / "out")))
    assert all(word in line for word in words)
    assert not scans


def test_folder_of_another_scan_is_refused_until_overwritten(scans, tmp_path: Path):
    arguments = [*SCAN, "--out", str(tmp_path), "--no-figure"]
    assert run(*arguments).exit_code == 0
    line = only_line(run(*arguments, "--cl", "0.95"))
    assert "cl: 0.9 there, 0.95 now" in line
    assert "--overwrite" in line
    assert len(scans) == 1
    assert run(*arguments, "--cl", "0.95", "--overwrite").exit_code == 0
    assert read_scan(tmp_path / "scan.nc").attrs["cl"] == 0.95


def test_folder_that_another_process_writes_is_refused(scans, tmp_path: Path):
    with own_folder(tmp_path):
        line = only_line(run(*SCAN, "--out", str(tmp_path)))
    assert f"is being written by process {os.getpid()} on" in line
    assert not scans


def test_output_that_is_a_file_is_refused_before_any_computation(scans, tmp_path: Path):
    (tmp_path / "out").write_text("a file")
    assert "cannot write" in only_line(run(*SCAN, "--out", str(tmp_path / "out")))
    assert not scans


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_refused_before_any_computation(scans, tmp_path: Path):
    tmp_path.chmod(0o555)
    line = only_line(run(*SCAN, "--out", str(tmp_path / "out")))
    assert "Permission denied" in line
    assert not scans


def test_refused_folder_is_refused_before_any_computation(
    scans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    line = only_line(run(*SCAN, "--out", str(tmp_path / "out")))
    assert "Permission denied" in line
    assert not scans


def test_disk_full_at_the_end_is_one_line_and_leaves_no_half_file(
    scans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fill(path: Path, content: bytes) -> None:
        path.write_bytes(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bsmfit.scan.store.write_sealed", fill)
    line = only_line(run(*SCAN, "--out", str(tmp_path)))
    assert "No space left on device" in line
    assert "scan.nc" in line
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_interrupt_says_that_blocks_are_kept(
    scans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: object, **__: object) -> xr.Dataset:
        raise KeyboardInterrupt

    monkeypatch.setattr(bsmfit.scan.exclusion_map, "compute_map", interrupt)
    result = run(*SCAN, "--out", str(tmp_path))
    assert result.exit_code == 130
    assert "finished blocks are kept" in result.stderr


def test_missing_option_is_a_usage_error():
    result = run("scan", "toy")
    assert result.exit_code == 2
    assert "--channel" in result.stderr


def test_help_has_examples():
    commands = (["scan"], ["limit"], ["measure"], ["list"], ["show"], ["validate"])
    for command in (*commands, ["cite"], ["tables", "build"]):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Example: bsmfit" in result.stdout


def test_list_names_models_and_groups_channels_by_command(monkeypatch):
    monkeypatch.setattr(bsmfit.catalogue.records, "model_names", lambda: ("toy",))
    monkeypatch.setattr(bsmfit.catalogue.records, "preset_names", lambda _: ("plain",))
    monkeypatch.setattr(
        bsmfit.catalogue.records, "channel_names", lambda: ("toy-ee", "toy-mumu")
    )
    monkeypatch.setattr(bsmfit.catalogue.records, "pi_nunu_names", lambda: ("toy-pi",))
    monkeypatch.setattr(
        "bsmfit.catalogue.projections.projection_names", lambda: ("toy-later",)
    )
    assert run("list", "models").stdout == "toy\n"
    channels = ["for scan and limit:", "  toy-ee", "  toy-mumu"]
    channels += ["for measure:", "  toy-pi"]
    assert run("list", "channels").stdout.splitlines() == channels
    assert run("list").stdout.splitlines() == [
        "models:",
        "  toy",
        "channels:",
        *[f"  {line}" for line in channels],
        "presets:",
        "  plain (toy)",
        "projections:",
        "  toy-later",
    ]


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("na62-dump-mumu", ["[published]", "[calibrated]", "[unverified]"]),
        ("na62-pi-invisible-run1", ["[published]", "[calibrated]", "[unverified]"]),
        ("na62-pi-nunu-run1", ["[published]", "[derived]"]),
        ("dark-scalar", ["[computed]", "[reconstructed]", "[derived]"]),
    ],
)
def test_show_prints_the_provenance_of_every_number(name, tags):
    result = run("show", name)
    assert result.exit_code == 0, result.output
    assert all(tag in result.stdout for tag in tags)


def test_show_of_an_unknown_name_knows_measurements_too():
    line = only_line(run("show", "na62-pi-nunu-run"))
    assert "did you mean 'na62-pi-nunu-run1'" in line


@pytest.mark.parametrize("command", ["scan", "limit"])
def test_search_commands_refer_a_measurement_to_its_own(tmp_path: Path, command: str):
    arguments = ["limit", "na62-pi-nunu-run1"]
    if command == "scan":
        arguments = ["scan", "dark-scalar", "--channel", "na62-pi-nunu-run1"]
        arguments += ["--out", str(tmp_path / "out")]
    line = only_line(run(*arguments))
    assert "`bsmfit measure na62-pi-nunu-run1`" in line
    assert not (tmp_path / "out").exists()


def own_card(tmp_path: Path) -> str:
    """A user's own card, of a name that no channel has default couplings for."""
    text = (model_root() / "dark-scalar.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("name: dark-scalar", "name: mine", 1))
    return str(path)


RUN_1 = "na62-pi-invisible-run1"


@pytest.mark.parametrize(
    ("model", "channels", "words"),
    [
        (
            "dark-scalar",
            [RUN_1, "na62-pi-invisible-2017"],
            [f"{RUN_1} and na62-pi-invisible-2017 share data", "na62-2017"],
        ),
        (
            "fv-axion",
            [RUN_1, "na62-dump-mumu"],
            ["needs the production process", "'kaon-to-pion'"],
        ),
        ("dark-photon", [RUN_1], ["process 'kaon-to-pion'", "bsmfit list presets"]),
        ("mine", [RUN_1], ["no default couplings for 'mine'", "give the range"]),
    ],
)
def test_scan_that_makes_no_sense_is_one_line_and_writes_nothing(
    tmp_path: Path, model: str, channels: list[str], words: list[str]
):
    arguments = ["scan", own_card(tmp_path) if model == "mine" else model]
    for channel in channels:
        arguments += ["--channel", channel]
    line = only_line(run(*arguments, "--out", str(tmp_path / "out")))
    assert all(word in line for word in words)
    assert not (tmp_path / "out").exists()


def test_broken_record_and_missing_table_are_one_line(tmp_path: Path):
    folder = tmp_path / "mine"
    shutil.copytree(data_root() / "NA62_2103.15389", folder)
    record = folder / "record.yaml"
    arguments = ["limit", str(record), "--mass", "0.2"]
    (folder / "forward.npz").unlink()
    assert "make it with `bsmfit tables build" in only_line(run(*arguments))
    text = record.read_text(encoding="utf-8")
    record.write_text(text.replace("kind: pi-invisible", "kind: [pi-invisible"))
    assert "record.yaml" in only_line(run(*arguments))


def test_yields_only_is_refused_where_there_are_none(tmp_path: Path):
    arguments = ["--channel", RUN_1, "--yields-only", "--out", str(tmp_path / "new")]
    result = run("tables", "build", *arguments)
    assert result.exit_code == 2
    assert f"{RUN_1} has no yields" in result.stderr
    assert not (tmp_path / "new").exists()


def test_masses_without_sensitivity_are_named_apart_from_failed_points(make_dataset):
    dataset = make_dataset()
    status = dataset["status"].values
    mass = dataset["mass"].values
    closed = (mass > 0.3) & (mass < 0.4)
    status[closed] = Status.NO_SENSITIVITY
    status[-1] = Status.NO_SENSITIVITY
    status[0, :7] = Status.NOT_CONVERGED
    first, last = 1e3 * mass[closed][[0, -1]]
    end = 1e3 * mass[-1]
    assert _without_result(dataset) == [
        f"no sensitivity: masses {first:.4g} to {last:.4g} MeV, {end:.4g} to {end:.4g} "
        f"MeV ({closed.sum() + 1} of {mass.size}), not excluded",
        "points without result, not excluded: 7 not converged",
    ]
    assert _without_result(make_dataset()) == []


@pytest.mark.parametrize(("ours", "code"), [(1.04, 0), (1.06, 1)])
def test_validate_fails_where_a_published_number_is_missed(
    monkeypatch: pytest.MonkeyPatch, ours: float, code: int
):
    row = ValidationRow("target", "quantity", 1.0, ours, 0.05, "source")
    monkeypatch.setattr(bsmfit.validation.report, "validation_rows", lambda: [row])
    result = run("validate")
    assert result.exit_code == code, result.output
    assert f"{1 - code} of 1 independent" in result.stdout


def test_installed_command_reports_version_and_errors(tmp_path: Path):
    program = "import sys; from bsmfit.cli.app import main; sys.exit(main())"
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    version = call("--version")
    assert version.returncode == 0
    assert version.stdout == f"bsmfit {bsmfit.__version__}\n"
    wrong = call("scan", "no-such-model", "--channel", "x", "--out", str(tmp_path))
    assert wrong.returncode == 2
    assert wrong.stdout == ""
    assert wrong.stderr.startswith("bsmfit: error: unknown model 'no-such-model'")
    assert wrong.stderr.count("\n") == 1
