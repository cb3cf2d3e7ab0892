"""What a validation row is, and how a verdict is reached.

A row compares one reference number with what bsmfit computes. It is independent unless
an input of the computation was derived from, calibrated to or supported by that number,
or the row repeats another one; only independent rows count. Rows of one edge are
correlated: neighbouring masses share the physics. A row without a tolerance is
reported, not judged. Where only a lower bound is published ("> 5 sigma"), every larger
number passes.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ValidationRow", "count_verdicts"]


@dataclass(frozen=True)
class ValidationRow:
    """One published number and ours.

    Attributes:
        target: Name of the group of numbers, for example ``"dump-mumu lower edge"``.
        quantity: What it is and where, for example ``"epsilon at 0.35 GeV"``.
        published: Published value.
        ours: Our value; nan where we have none.
        tolerance: Largest accepted deviation; None for a number that is only reported.
        is_relative: Whether deviation and tolerance are relative to the published one.
        is_independent: Whether no input was derived from or calibrated to this number.
        source: Where the published number comes from.
        note: What a reader must know, or nothing.
        is_lower_bound: Whether the published value is a lower bound: only numbers
            that lie more than the tolerance below it fail.
    """

    target: str
    quantity: str
    published: float
    ours: float
    tolerance: float | None
    source: str
    is_relative: bool = True
    is_independent: bool = True
    note: str = ""
    is_lower_bound: bool = False

    @property
    def deviation(self) -> float:
        """Ours minus published, relative to the published value where so declared."""
        difference = self.ours - self.published
        return difference / self.published if self.is_relative else difference

    @property
    def verdict(self) -> str:
        """``"pass"``, ``"fail"``, or ``"reported"`` where there is no tolerance."""
        if self.tolerance is None:
            return "reported"
        miss = -self.deviation if self.is_lower_bound else abs(self.deviation)
        return "pass" if miss <= self.tolerance else "fail"


def count_verdicts(rows: list[ValidationRow]) -> tuple[int, int]:
    """Count what counts: independent rows with a tolerance.

    Args:
        rows: All rows.

    Returns:
        How many pass, and how many there are.
    """
    judged = [row for row in rows if row.is_independent and row.tolerance is not None]
    return sum(row.verdict == "pass" for row in judged), len(judged)
