"""Further parameters on the command line."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from bsmfit.cli.app import app
from bsmfit.cli.scan_files import _endings
from bsmfit.export.contour_csv import read_contour
from bsmfit.scan.store import read_scan

PLANE = ["--mass", "0.05:0.15:3", "--coupling", "1e-10:1e-7:6", "--no-figure"]


def scan(*arguments: object):
    start = ["scan", "axion-pair-rate", "--channel", "na62-pi4e"]
    return CliRunner().invoke(app, [*start, *PLANE, *map(str, arguments)])


def area(path) -> float:
    """Area of the islands of a file, in the logarithms."""
    total = 0.0
    for polygon in read_contour(path).polygons:
        logs = [(math.log(m), math.log(g)) for m, g in polygon.outer]
        total += 0.5 * sum(a * d - c * b for (a, b), (c, d) in pairwise(logs))
    return total


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("scan")
    result = scan("--parameter", "decay_length=0.01,0.001", "--out", out)
    assert result.exit_code == 0, result.output
    return out


def test_each_value_has_a_contour_of_its_own(folder):
    whole = read_scan(folder / "scan.nc")
    assert whole["decay_length"].values.tolist() == [0.001, 0.01]
    short = folder / "contour_decay_length=0.001.csv"
    assert read_contour(short).header["parameters"] == '{"decay_length": 0.001}'
    assert area(short) > area(folder / "contour_decay_length=0.01.csv") > 0.0
    assert not (folder / "contour.csv").exists()


def test_profiled_is_excluded_for_every_value(folder):
    options = ["--parameter", "decay_length=0.01,0.001", "--profile", "decay_length"]
    result = scan(*options, "--out", folder)
    assert result.exit_code == 0, result.output
    profiled = folder / "contour.csv"
    # fewest decay inside where it lives longest
    longest = folder / "contour_decay_length=0.01.csv"
    assert area(profiled) == pytest.approx(area(longest), rel=1e-9)
    assert read_contour(profiled).header["profiled"] == "decay_length"


def test_one_value_is_fixed(folder, tmp_path):
    assert scan("--parameter", "decay_length=0.01", "--out", tmp_path).exit_code == 0
    plane = area(tmp_path / "contour.csv")
    one = area(folder / "contour_decay_length=0.01.csv")
    assert plane == pytest.approx(one, rel=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parameter", "decay_length"], "gives no value"),
        (["--parameter", "decay_length=a"], "'a' is no number"),
        (["--parameter", "decay_length=1,1"], "one or more different values"),
        (["--parameter", "decay_length=1:2:0"], "needs at least 2 points"),
        (["--parameter", "decay_lenght=1"], "did you mean 'decay_length'"),
        (["--parameter", "a=1", "--parameter", "a=2"], "names 'a' twice"),
        (["--profile", "decay_length"], "--profile that --parameter scans"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path, options, message):
    result = scan(*options, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_names_of_files_differ():
    assert _endings([{"a": 1.0}, {"a": 2.5}]) == ["_a=1", "_a=2.5"]
    assert len(set(_endings([{"a": 1.0}, {"a": 1.0 + 1e-12}]))) == 2
