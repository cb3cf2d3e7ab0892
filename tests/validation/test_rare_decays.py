"""The LFV and LNV table, as `bsmfit validate` has it."""

from __future__ import annotations

import pytest

from bsmfit.validation.rare_decays import (
    last_digit,
    limit_rows,
    sensitivity_rows,
    sideband_rows,
)
from bsmfit.validation.targets import count_verdicts


@pytest.mark.validation
def test_every_limit_is_met_and_only_independent_ones_count():
    rows = limit_rows()
    assert len(rows) == 11
    assert [row.quantity for row in rows if row.verdict != "pass"] == []
    assert count_verdicts(rows) == (3, 3)
    assert all("inferred" in row.note for row in rows if not row.is_independent)


def test_sensitivities_are_those_of_their_factors():
    rows = sensitivity_rows()
    assert [row.quantity for row in rows if row.verdict != "pass"] == []
    # the factor 0.84 and what follows from a limit count for nothing
    assert count_verdicts(rows) == (2, 2)
    assert len(rows) == 7


def test_sidebands_agree_with_their_background():
    rows = sideband_rows()
    assert len(rows) == 2
    # 2271 over 2281 +- 11, and none over 0.04
    assert all(abs(row.ours) < 0.25 for row in rows)
    assert count_verdicts(rows) == (2, 2)


def test_last_digit_is_that_of_two_printed_digits():
    assert last_digit(2.2e-10) == pytest.approx(1e-11)
    assert last_digit(5.0e-10) == pytest.approx(1e-11)
    assert last_digit(1.0) == pytest.approx(0.1)
