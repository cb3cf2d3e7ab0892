from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bsmfit.errors import InputError, OutputError
from bsmfit.scan import atomic
from bsmfit.scan.grid import Axis
from bsmfit.scan.plan import PLAN_FILE, ScanPlan, claim_folder


@dataclass(frozen=True)
class Part:
    name: str
    inputs: tuple[tuple[str, str], ...] = ()
    preset: str | None = None
    coupling: str = "epsilon"


AXES = {"mass": Axis(0.2, 0.7, 10), "coupling": Axis(1e-7, 1e-5, 20)}


def plan_of(*channels: Part, cl: float = 0.9) -> ScanPlan:
    return ScanPlan.from_parts(Part("dark-photon"), channels, cl=cl, **AXES)


def test_identity_does_not_depend_on_the_order_of_channels():
    one, two = Part("a", (("a.csv", "1"),)), Part("b", (("b.csv", "2"),))
    assert plan_of(one, two).identity() == plan_of(two, one).identity()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"preset": "other"},
        {"channels": ("other",)},
        {"mass": "0.2:0.8:32"},
        {"coupling": "1e-07:1e-05:162"},
        {"cl": 0.95},
        {"version": "0.0.0"},
        {"inputs": (("record.yaml", "cd34"),)},
    ],
)
def test_every_field_is_part_of_the_identity(make_plan, changes):
    old, new = make_plan(), make_plan(**changes)
    assert old.identity() != new.identity()
    (line,) = new.differences(old)
    assert next(iter(changes)) in line or "record.yaml" in line


def test_plan_is_read_back(make_plan):
    plan = make_plan(preset="brems")
    assert ScanPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("cl", [0.0, 1.0, -0.1, 90.0, float("nan")])
def test_level_outside_its_range_is_refused(cl: float):
    with pytest.raises(InputError, match=r"\(0, 1\)"):
        plan_of(Part("a"), cl=cl)


def test_a_channel_counts_once():
    with pytest.raises(InputError, match="twice"):
        plan_of(Part("a"), Part("a"))
    with pytest.raises(InputError, match="at least one"):
        plan_of()


def test_folder_of_the_same_plan_is_continued(make_plan, tmp_path: Path):
    claim_folder(tmp_path / "a" / "b", make_plan())
    claim_folder(tmp_path / "a" / "b", make_plan())
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == [PLAN_FILE]


def test_folder_of_another_plan_is_refused_with_the_difference(
    make_plan, tmp_path: Path
):
    claim_folder(tmp_path, make_plan())
    (tmp_path / "blocks").mkdir()
    with pytest.raises(OutputError, match=r"cl: 0.9 there, 0.95 now.*--overwrite"):
        claim_folder(tmp_path, make_plan(cl=0.95))
    claim_folder(tmp_path, make_plan(cl=0.95), overwrite=True)
    assert ScanPlan.from_json((tmp_path / PLAN_FILE).read_text()).cl == 0.95


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"model": "a"}'])
def test_unreadable_plan_is_refused(make_plan, tmp_path: Path, text: str):
    (tmp_path / PLAN_FILE).write_text(text)
    (tmp_path / "scan.nc").write_text("mine")
    with pytest.raises(OutputError, match="without a readable"):
        claim_folder(tmp_path, make_plan())


def test_result_without_plan_is_not_overwritten(make_plan, tmp_path: Path):
    (tmp_path / "scan.nc").write_text("mine")
    with pytest.raises(OutputError, match="without a readable"):
        claim_folder(tmp_path, make_plan())


def test_plan_that_never_computed_anything_does_not_hold_the_folder(
    make_plan, tmp_path: Path
):
    claim_folder(tmp_path, make_plan())
    claim_folder(tmp_path, make_plan(cl=0.95))


def test_folder_that_is_a_file_is_refused(make_plan, tmp_path: Path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        claim_folder(tmp_path / "out", make_plan())


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "result"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with (
        pytest.raises(OutputError, match="No space left"),
        atomic.atomic_file(path) as temporary,
    ):
        temporary.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["result"]
    assert path.read_text() == "old"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path):
    path = tmp_path / "result"
    with atomic.atomic_file(path) as first:
        first.write_text("first")
        with atomic.atomic_file(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["result"]


def test_overwriting_removes_contours_of_the_run_before_and_nothing_else(
    make_plan, tmp_path: Path
):
    written = ["contour.png", "contour_a=1e-05.csv", "contour_expected_a=1_b=-2.5.csv"]
    kept = ["contour_mine.csv", "my_contour.csv", "contour_a=1.txt"]
    for name in (*written, *kept):
        (tmp_path / name).write_text("x")
    claim_folder(tmp_path, make_plan(), overwrite=True)
    found = {path.name for path in tmp_path.iterdir()} - {PLAN_FILE}
    assert found == set(kept)


def test_plan_without_further_axes_says_nothing_of_them(make_plan):
    assert "further" not in make_plan().to_json()
    plan = make_plan(further=(("a", "1.0,2.0"),))
    assert ScanPlan.from_json(plan.to_json()) == plan
