"""Rates of heavy neutral leptons are right, and limits come out as they went in."""

from __future__ import annotations

import pytest

from bsmfit.validation.heavy_neutral_lepton import heavy_neutral_lepton_rows

pytestmark = pytest.mark.validation


def test_all_rows_pass_and_limits_do_not_count():
    rows = heavy_neutral_lepton_rows()
    assert {row.verdict for row in rows} == {"pass"}
    assert all(row.is_independent != ("limit" in row.target) for row in rows)
    assert sum(row.is_independent for row in rows) == 2
