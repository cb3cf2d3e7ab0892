"""Numbers of records in words: value, error, unit, provenance and source."""

from __future__ import annotations

from bsmfit.records.quantity import Count, Quantity
from bsmfit.records.shared_entries import RecordNuisance

__all__ = ["Section", "nuisance_in_words", "quantity_in_words"]

Section = tuple[str, list[tuple[str, str]]]
"""A title and its rows of (name, text)."""


def quantity_in_words(quantity: Quantity | Count) -> str:
    """A number with everything that a record says about it.

    Args:
        quantity: The number.

    Returns:
        One line.

    Examples:
        >>> cut = Quantity(value=1.0, unit="m", provenance="assumed", source="a guess")
        >>> quantity_in_words(cut)
        '1 m  [assumed] a guess'
    """
    error = ""
    if isinstance(quantity, Quantity) and quantity.uncertainty is not None:
        down = quantity.uncertainty_down
        error = (
            f" +{quantity.uncertainty:g} -{down:g}"
            if down is not None
            else (f" +- {quantity.uncertainty:g}")
        )
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    source = f"[{quantity.provenance}] {quantity.source.strip()}"
    return f"{quantity.value:g}{error}{unit}  {source}"


def nuisance_in_words(entry: RecordNuisance) -> str:
    """The size of an uncertainty, what it acts on, and its source.

    Args:
        entry: The uncertainty.

    Returns:
        One line.
    """
    return (
        f"{entry.size:.3g} of the {entry.affects} [{entry.provenance}] {entry.source}"
    )
