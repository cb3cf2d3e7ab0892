r"""Which method answers, and why.

Asymptotic formulae are 40 % too strong at no event and still 5 % at ten. What counts
are the bins that carry signal, at the level of signal that is tested
(`bsmfit.inference.limits.carriers`): a background of any size in a bin without signal
says nothing about them. ``"auto"`` takes

1. the exact sums where a bin that carries more than 1 % of the limit observes or
   expects fewer than ten events at any point;
2. the asymptotic formulae elsewhere, and where there are no exact sums: beyond 60
   events in one bin, for counts that are no whole numbers, for free factors that no bin
   without signal fixes.

The result says which and why. Where fewer than ten events stand behind asymptotic
formulae, asked for or not, there is a `LowCountWarning` and a word in the reason.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.argument import choice as one_of
from bsmfit.errors import (
    InputError,
    LowCountWarning,
    NoExactMethodError,
)
from bsmfit.inference.limits.carriers import Carriers
from bsmfit.inference.limits.exact import ExactPlan
from bsmfit.inference.limits.points import Points

__all__ = [
    "ENOUGH_EVENTS",
    "METHODS",
    "Choice",
    "Question",
    "asymptotic_choice",
    "choose_method",
]

ENOUGH_EVENTS = 10.0
_ROUNDING = 1e-9
METHODS = ("auto", "exact", "asymptotic", "toys")
# nodes times bins of a Fourier transform that one point may take: a minute
_LARGEST_TRANSFORM = 4000


class Question(NamedTuple):
    """What is asked of the points.

    Attributes:
        ordering: What is more signal-like, for exact sums of several bins.
        method: One of `METHODS`.
        has_expected: Whether data without signal are meant, not the observed ones.
        strength: Tested strengths; near the limit where there are none.
        free_prior: Prior of free factors.
        plan: A plan that was given.
    """

    ordering: str
    method: str
    has_expected: bool = False
    strength: Float[Array, " n_point"] | None = None
    free_prior: str = "flat"
    plan: ExactPlan | None = None


class Choice(NamedTuple):
    """A method and the reason for it.

    Attributes:
        method: ``"exact"``, ``"asymptotic"`` or ``"toys"``.
        reason: One sentence.
        plan: For the exact method, nodes and largest counts.
    """

    method: str
    reason: str
    plan: ExactPlan | None = None


def choose_method(points: Points, question: Question) -> Choice:
    """Choose the method for all points of a grid.

    Args:
        points: The points.
        question: What is asked of them, and by which method.

    Returns:
        The choice.

    Raises:
        UnknownNameError: There is no such method.
        InputError: The choice is left open, but numbers are traced; or a method does
            not exist for these points.
    """
    method = question.method
    one_of("method", method, METHODS)
    if not points.is_concrete:
        if method == "auto":
            msg = (
                "method='auto' looks at the counts, which are traced here; name the "
                "method ('exact' below ten events)"
            )
            raise InputError(msg)
        return _with_plan(
            points, Choice(method, "asked for; counts are traced"), question
        )
    if method in ("exact", "toys"):
        return _with_plan(points, Choice(method, "asked for"), question)
    if method == "asymptotic":
        return asymptotic_choice(points, question, "asked for")
    carriers = _carriers(points, question)
    n_event = float(np.min(carriers.n_smallest, initial=np.inf))
    if n_event >= ENOUGH_EVENTS * (1.0 - _ROUNDING):
        return asymptotic_choice(
            points,
            question,
            f"every bin with signal has {ENOUGH_EVENTS:g} events or more",
        )
    few = _few(n_event)
    try:
        choice = _with_plan(points, Choice("exact", few), question)
    except NoExactMethodError as refusal:
        obstacle = str(refusal).split("; ")[0]
        return asymptotic_choice(points, question, f"{few}, but {obstacle}")
    if (cost := _transform_cost(choice.plan)) > _LARGEST_TRANSFORM:
        obstacle = f"exact sums would take {cost} transforms for each strength"
        return asymptotic_choice(points, question, f"{few}, but {obstacle}")
    return choice


def asymptotic_choice(points: Points, question: Question, reason: str) -> Choice:
    """Asymptotic formulae, with a warning where few events stand behind them.

    Args:
        points: The points.
        question: What is asked of them.
        reason: Why.

    Returns:
        The choice.
    """
    carriers = _carriers(points, question)
    behind = float(np.min(carriers.n_effective, initial=np.inf))
    if is_asked := reason == "asked for":
        behind = min(behind, float(np.min(carriers.n_background, initial=np.inf)))
    if behind >= ENOUGH_EVENTS * (1.0 - _ROUNDING):
        return Choice("asymptotic", reason)
    few = (
        f"although only {behind:.3g} events stand behind the asymptotic formulae, "
        f"fewer than {ENOUGH_EVENTS:g}: they may be wrong by up to 40 %"
    )
    hint = (
        "; method='exact' is not" if is_asked and _has_exact(points, question) else ""
    )
    warnings.warn(f"{reason}, {few}{hint}", LowCountWarning, stacklevel=4)
    return Choice("asymptotic", f"{reason}, {few}")


def _has_exact(points: Points, question: Question) -> bool:
    """Whether there are exact sums, so that a message may name them."""
    try:
        _with_plan(points, Choice("exact", ""), question)
    except NoExactMethodError:
        return False
    return True


def _carriers(points: Points, question: Question) -> Carriers:
    return Carriers.of(
        points, strength=question.strength, has_expected=question.has_expected
    )


def _few(n_event: float) -> str:
    return (
        f"a bin with signal has {n_event:.3g} events (observed or expected, the "
        f"smaller), fewer than {ENOUGH_EVENTS:g}"
    )


def _with_plan(points: Points, choice: Choice, question: Question) -> Choice:
    """Make the plan of an exact method, and say what its nodes do not know."""
    if choice.method != "exact":
        return choice
    plan = question.plan or ExactPlan.from_points(
        points,
        ordering=question.ordering,
        has_expected=question.has_expected,
        free_prior=question.free_prior,
    )
    return choice._replace(reason=choice.reason + _conditions(plan), plan=plan)


def _conditions(plan: ExactPlan) -> str:
    """How bins without signal enter."""
    if not plan.ensemble.startswith("conditioned"):
        return ""
    priors = {
        "conditioned-flat": ", free factors flat in their expected counts",
        "conditioned-jeffreys": ", free factors with Jeffreys's prior",
    }
    return (
        "; bins without signal condition the nuisances"
        f"{priors.get(plan.ensemble, '')} (ln CLs to {plan.error:.0e})"
    )


def _transform_cost(plan: ExactPlan | None) -> int:
    """Nodes times bins of each Fourier transform."""
    if plan is None or plan.technique != "convolution":
        return 0
    return plan.n_node * plan.n_counted
