"""Ticks of logarithmic axes that never leave a reader with one label or none.

The labels of an axis are the sparsest of these sets that has enough of them: powers of
ten; 1, 2, 5 of each; 1, 2, 3, 5, 7; 1, 2, 3, 4, 5, 6, 8; equal steps, for an axis so
short that none of these fall into it often enough.
"""

from __future__ import annotations

import math

from matplotlib.axis import Axis
from matplotlib.ticker import (
    FixedLocator,
    Formatter,
    FuncFormatter,
    LogFormatterSciNotation,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

__all__ = ["log_ticks", "set_log_ticks"]

_MANTISSAS = ((1,), (1, 2, 5), (1, 2, 3, 5, 7), (1, 2, 3, 4, 5, 6, 8))
_MANY_DECADES = 7
_LABELS_LONG_AXIS = 8  # labels of an axis of many decades, and most equal steps
_ROUNDING = 1e-9


def log_ticks(low: float, high: float, *, n_least: int) -> list[float]:
    """Choose the labelled ticks of a logarithmic axis.

    Args:
        low: Lower end, > 0.
        high: Upper end, > `low`.
        n_least: Fewest labels wanted.

    Returns:
        Ticks within the ends, ascending.

    Examples:
        >>> log_ticks(1e-8, 1e-4, n_least=3)
        [1e-08, 1e-07, 1e-06, 1e-05, 0.0001]
        >>> log_ticks(215.0, 800.0, n_least=4)
        [300.0, 400.0, 500.0, 600.0, 800.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in _MANTISSAS:
        ticks = [float(f"{m}e{decade}") for decade in decades for m in mantissas]
        inside = [tick for tick in ticks if _is_inside(tick, low, high)]
        if len(inside) >= n_least:
            return inside
    equal = MaxNLocator(_LABELS_LONG_AXIS, steps=[1, 2, 2.5, 5, 10])
    steps = equal.tick_values(low, high)
    return [float(tick) for tick in steps if _is_inside(float(tick), low, high)]


def set_log_ticks(
    axis: Axis, low: float, high: float, *, n_least: int, is_plain: bool
) -> None:
    """Set the ticks and labels of a logarithmic axis.

    Args:
        axis: The axis of a figure.
        low: Lower end, > 0.
        high: Upper end, > `low`.
        n_least: Fewest labels wanted.
        is_plain: Plain numbers, such as 300; powers of ten otherwise.
    """
    if math.log10(high / low) > _MANY_DECADES and not is_plain:
        axis.set_major_locator(LogLocator(numticks=_LABELS_LONG_AXIS))
        axis.set_minor_locator(LogLocator(numticks=50))
    else:
        axis.set_major_locator(FixedLocator(log_ticks(low, high, n_least=n_least)))
    axis.set_major_formatter(_plain() if is_plain else _scientific())
    axis.set_minor_formatter(NullFormatter())


def _plain() -> Formatter:
    return FuncFormatter(lambda value, _: f"{value:.10g}")


def _scientific() -> Formatter:
    return LogFormatterSciNotation(
        labelOnlyBase=False, minor_thresholds=(math.inf, math.inf)
    )


def _is_inside(tick: float, low: float, high: float) -> bool:
    return low * (1 - _ROUNDING) <= tick <= high * (1 + _ROUNDING)
