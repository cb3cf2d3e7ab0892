"""The rows of the report on dark scalars and kaon decays: verdicts and honesty."""

from __future__ import annotations

import pytest

from bsmfit.core.constants import PION_CHARGED_MASS
from bsmfit.validation.dark_scalar import dark_scalar_rows
from bsmfit.validation.targets import ValidationRow

pytestmark = pytest.mark.validation


@pytest.fixture(scope="module")
def rows() -> list[ValidationRow]:
    return dark_scalar_rows()


def test_every_judged_row_passes(rows):
    assert [row for row in rows if row.verdict == "fail"] == []
    assert sum(row.verdict == "pass" for row in rows) >= 20


def test_digitised_lifetimes_do_not_count(rows):
    for row in rows:
        if row.target == "dark-scalar lifetime":
            mass = float(row.quantity.split(" at ")[1].split()[0])
            assert row.is_independent == (mass < 2 * PION_CHARGED_MASS)


def test_lifetimes_beyond_the_agreement_of_the_codes_are_reported(rows):
    reported = [row for row in rows if row.verdict == "reported"]
    assert any("2.0 GeV" in row.quantity for row in reported)
