"""What the reports of several commands have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["QUANTILE_NAMES", "aligned", "expected_in_words", "finite", "percent"]

QUANTILE_NAMES = (
    "minus_2_sigma",
    "minus_1_sigma",
    "median",
    "plus_1_sigma",
    "plus_2_sigma",
)
"""Names of the expected limits in a JSON report."""


def finite(value: Any) -> float | None:
    """A number that JSON knows; None for what has no value.

    Args:
        value: A number, or an array of one.

    Returns:
        The number, or None where it is infinite or nan.
    """
    number = float(value)
    return number if math.isfinite(number) else None


def percent(level: float) -> str:
    """A confidence level for people.

    Args:
        level: Confidence level, within (0, 1).

    Returns:
        The text.
    """
    return f"{100 * level:.4g} % CL"


def expected_in_words(expected: Mapping[str, float | None]) -> str:
    """Expected limits for people.

    Args:
        expected: Limits by the names in `QUANTILE_NAMES`.

    Returns:
        The median and both bands.
    """
    values = [
        "none" if expected[name] is None else f"{expected[name]:.4g}"
        for name in QUANTILE_NAMES
    ]
    return (
        f"{values[2]} ({values[1]} to {values[3]} at 1 sigma, {values[0]} to "
        f"{values[4]} at 2 sigma)"
    )


def aligned(lines: Mapping[str, str]) -> str:
    """One line for each entry, the texts below each other.

    Args:
        lines: Texts by name.

    Returns:
        The lines.
    """
    width = max(map(len, lines))
    return "\n".join(f"{key:{width}}  {text}" for key, text in lines.items())
