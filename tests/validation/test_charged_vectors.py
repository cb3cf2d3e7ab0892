"""The rows of the report on vectors with charges."""

from __future__ import annotations

from bsmfit.validation.charged_vectors import charged_vector_rows
from bsmfit.validation.targets import count_verdicts


def test_widths_of_four_vectors_are_met():
    rows = charged_vector_rows()
    passed, judged = count_verdicts(rows)
    assert passed == judged >= 15
    assert [row for row in rows if row.verdict == "fail"] == []
    baryon = [row for row in rows if row.verdict == "reported"]
    assert len(baryon) == 4
