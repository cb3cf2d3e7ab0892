"""Published numbers of K+ -> pi+ nu nubar, as `bsmfit validate` has them."""

from __future__ import annotations

import math

import pytest

from bsmfit.validation.pi_nunu import (
    fit_rows,
    limit_rows,
    sensitivity_rows,
    sum_rows,
)
from bsmfit.validation.targets import ValidationRow, count_verdicts


def test_sensitivities_from_their_factors_are_the_published_ones():
    rows = sensitivity_rows()
    assert [row.quantity for row in rows if row.verdict != "pass"] == []
    assert count_verdicts(rows) == (3, 3)


def test_sums_are_the_published_ones_and_count_for_nothing():
    rows = sum_rows()
    assert [row.quantity for row in rows if row.verdict != "pass"] == []
    assert count_verdicts(rows) == (0, 0)


@pytest.mark.validation
def test_fitted_values_errors_and_significances_are_met():
    rows = fit_rows()
    assert [row.quantity for row in rows if row.verdict == "fail"] == []
    # three numbers and a significance, of Run 1 and of 2016-22
    assert count_verdicts(rows) == (8, 8)
    reported = [row for row in rows if row.verdict == "reported"]
    assert len(reported) == 6
    assert all(math.isfinite(row.ours) for row in reported)


@pytest.mark.slow
@pytest.mark.validation
def test_limits_of_the_first_data_are_met():
    rows = limit_rows()
    assert [row.quantity for row in rows if row.verdict != "pass"] == []
    assert all("exact" in row.note for row in rows)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [(5.0, "pass"), (9.0, "pass"), (4.8, "pass"), (4.7, "fail"), (math.nan, "fail")],
)
def test_lower_bound_is_passed_by_every_larger_number(ours, verdict):
    row = ValidationRow(
        "t", "q", 5.0, ours, 0.25, "s", is_relative=False, is_lower_bound=True
    )
    assert row.verdict == verdict
