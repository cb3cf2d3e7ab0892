r"""Which method answers, and why.

Asymptotic formulae are 40 % too strong at no event and still 5 % at ten. ``"auto"``
takes the exact sums as soon as any point of a grid observes or expects fewer than ten
events, and the asymptotic formulae elsewhere, or where a bin has more events than the
sums reach to (60); the result says which and why. Asking for
asymptotic formulae below ten events is allowed, with a warning.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from bsmfit.errors import InputError, LowCountWarning, UnknownNameError
from bsmfit.inference.limits.points import Points

__all__ = ["ENOUGH_EVENTS", "LARGEST_COUNT", "METHODS", "Choice", "choose_method"]

ENOUGH_EVENTS = 10.0
# the sums over counts end there
LARGEST_COUNT = 60
METHODS = ("auto", "exact", "asymptotic", "toys")


class Choice(NamedTuple):
    """A method and the reason for it.

    Attributes:
        method: ``"exact"``, ``"asymptotic"`` or ``"toys"``.
        reason: One sentence.
    """

    method: str
    reason: str


def choose_method(points: Points, method: str) -> Choice:
    """Choose the method for all points of a grid.

    Args:
        points: The points.
        method: One of `METHODS`.

    Returns:
        The choice.

    Raises:
        UnknownNameError: There is no such method.
        InputError: The choice is left open, but numbers are traced.
    """
    if method not in METHODS:
        kind = "method"
        raise UnknownNameError.from_choices(kind, method, METHODS)
    if not points.is_concrete:
        if method == "auto":
            msg = (
                "method='auto' looks at the counts, which are traced here; name the "
                "method ('exact' below ten events)"
            )
            raise InputError(msg)
        return Choice(method, "asked for; counts are traced")
    if method != "asymptotic":
        _refuse_fractions(points)
    n_event = float(np.min(points.n_event)) if points.n_event.size else 0.0
    few = f"a point has {n_event:.3g} events (observed or expected, the smaller)"
    is_low = n_event < ENOUGH_EVENTS
    if method == "auto":
        largest = float(np.max(np.asarray(points.arrays.observed), initial=0.0))
        if largest > LARGEST_COUNT:
            reason = f"a bin has {largest:g} events, beyond the exact sums"
            return Choice("asymptotic", reason)
        if is_low:
            return Choice("exact", f"{few}, fewer than {ENOUGH_EVENTS:g}")
        reason = f"every point has {ENOUGH_EVENTS:g} events or more"
        return Choice("asymptotic", reason)
    if method == "asymptotic" and is_low:
        msg = (
            f"{few}: asymptotic formulae are wrong by up to 40 % below "
            f"{ENOUGH_EVENTS:g}; method='exact' is not"
        )
        warnings.warn(msg, LowCountWarning, stacklevel=3)
        return Choice(method, f"asked for, although {few}")
    return Choice(method, "asked for")


def _refuse_fractions(points: Points) -> None:
    """Refuse sums over outcomes where a count is no whole number."""
    observed = np.asarray(points.arrays.observed)
    fractional = observed[observed != np.rint(observed)]
    if fractional.size:
        msg = (
            f"a region has {fractional[0]:.4g} observed events, an effective count: "
            "sums over outcomes need whole numbers. For one search take "
            "invisible_limit, for a combination credible_map (equal "
            "to CLs where nothing is uncertain), or method='asymptotic'"
        )
        raise InputError(msg)
