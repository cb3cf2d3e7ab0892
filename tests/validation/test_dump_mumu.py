"""Published numbers of the search for A' -> mu+ mu-, as `bsmfit validate` has them."""

from __future__ import annotations

import math

import pytest

from bsmfit.validation.dump_mumu import dump_mumu_rows
from bsmfit.validation.targets import ValidationRow, count_verdicts

KNOWN_MISSES: set[tuple[str, str]] = set()


@pytest.fixture(scope="module")
def rows() -> list[ValidationRow]:
    return dump_mumu_rows()


@pytest.mark.validation
def test_all_independent_numbers_but_the_known_misses_are_met(rows):
    missed = {(row.target, row.quantity) for row in rows if row.verdict == "fail"}
    assert missed == KNOWN_MISSES


@pytest.mark.validation
def test_numbers_that_an_input_rests_on_are_not_counted(rows):
    dependent = {(row.target, row.quantity) for row in rows if not row.is_independent}
    assert ("na62-dump-mumu lower edge", "epsilon at 0.3 GeV") in dependent
    assert any("event" in target for target, _ in dependent)
    assert sum("mean of both edges" in quantity for _, quantity in dependent) == 2
    calibration = next(row for row in rows if row.note == "calibration point")
    # the calibrated efficiency, rounded to three digits, reproduces its own point
    assert abs(calibration.deviation) < 2e-3
    passed, judged = count_verdicts(rows)
    assert passed == judged - len(KNOWN_MISSES)


@pytest.mark.validation
def test_low_masses_are_reported(rows):
    reported = {row.quantity for row in rows if row.verdict == "reported"}
    assert {"epsilon at 0.22 GeV", "epsilon at 0.25 GeV"} <= reported


@pytest.mark.validation
def test_notch_needs_the_limit_for_one_event(rows):
    notch = [row for row in rows if "notch" in row.target]
    assert len(notch) == 6
    assert all(row.verdict == "pass" for row in notch)


def test_verdict_and_deviation():
    row = ValidationRow("t", "q", 2.0, 2.1, 0.04, "s")
    assert row.deviation == pytest.approx(0.05)
    assert row.verdict == "fail"
    absolute = ValidationRow("t", "q", 2.0, 2.1, 0.2, "s", is_relative=False)
    assert absolute.deviation == pytest.approx(0.1)
    assert absolute.verdict == "pass"
    assert ValidationRow("t", "q", 2.0, math.nan, 0.2, "s").verdict == "fail"
    assert count_verdicts([row, absolute]) == (1, 2)
