r"""Limits and CLs of any likelihood, on a grid of points: the front door.

    likelihood = Likelihood.from_regions([...])       # leading axes: points of a grid
    limit = upper_limit(likelihood, cl=0.90)
    limit.value, limit.status, limit.method, limit.reason

The method is chosen from the counts (`bsmfit.inference.limits.method`) or by name:

| method | ensemble | statistic | for |
|---|---|---|---|
| ``exact`` | known background, or marginal | count, or ordering by name | few events |
| ``asymptotic`` | - | $\tilde q_\mu$ | ten events or more |
| ``toys`` | unconditional, conditional or marginal | $\tilde q_\mu$ | one count |

All points are computed by one compiled program in blocks; a point that fails has a
status and does not disturb the others. Where yields are traced (inside `jax.grad`,
`jit` or `vmap`), name the method and give the ``plan`` of an exact one, made before
from similar values by `exact_plan`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from bsmfit.core.argument import choice, instance, level
from bsmfit.core.array_argument import check_range, real_array
from bsmfit.errors import InputError
from bsmfit.inference.counts.joint_cls import ORDERINGS
from bsmfit.inference.limits.asymptotic_limits import (
    asymptotic_cls,
    asymptotic_expected_limits,
    asymptotic_limits,
)
from bsmfit.inference.limits.effective import EffectivePoints
from bsmfit.inference.limits.exact import (
    ExactPlan,
    exact_cls,
    exact_expected_limits,
    exact_limits,
)
from bsmfit.inference.limits.method import (
    Choice,
    Question,
    asymptotic_choice,
    choose_method,
)
from bsmfit.inference.limits.points import Points, point_status
from bsmfit.inference.limits.result import ClsTest, ExpectedLimits, Limit, Status
from bsmfit.inference.toys.limits import (
    Toys,
    toy_cls,
    toy_expected_limits,
    toy_limits,
)
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.response import Value

__all__ = ["cls_test", "exact_plan", "expected_upper_limits", "upper_limit"]

_ORDERING = "likelihood-ratio"


def upper_limit(
    likelihood: Likelihood,
    *,
    cl: float,
    method: str = "auto",
    ordering: str = _ORDERING,
    toys: Toys | None = None,
    plan: ExactPlan | None = None,
    free_prior: str = "flat",
) -> Limit:
    r"""CLs upper limit on the signal strength.

    The strength at which $CL_s = 1 - cl$; in units of the signal that the likelihood
    expects at strength 1, so that a signal of one event gives a limit in events.

    Args:
        likelihood: The likelihood; leading axes of its arrays are points of a grid.
        cl: Confidence level, for example 0.90.
        method: ``"auto"``, ``"exact"``, ``"asymptotic"`` or ``"toys"``.
        ordering: For exact limits of several bins: ``"likelihood-ratio"``,
            ``"qtilde"`` or ``"sum"``.
        toys: Number, ensemble and key of toys.
        plan: For exact limits of traced values.
        free_prior: For exact limits, prior of factors that nothing constrains but bins
            without signal: ``"flat"`` in the expected counts there, or
            ``"jeffreys"``.

    Returns:
        The limit; nan and a status where there is none, inf where there is no signal.

    Raises:
        InputError: A level, method or ordering that does not exist, or one that the
            likelihood does not allow.

    Examples:
        >>> from bsmfit.likelihood.region import Region, Term
        >>> from bsmfit.likelihood.response import LogNormal
        >>> region = Region(
        ...     "dimuon",
        ...     observed=1,
        ...     signal=[Term("dark-photon", 1.0, [LogNormal("protons", 1.1)])],
        ...     background=[Term("fakes", 0.016, [LogNormal("fakes", 1.125)])],
        ... )
        >>> limit = upper_limit(Likelihood.from_regions([region]), cl=0.90)
        >>> round(float(limit.value), 4), limit.method, limit.ensemble
        (3.9068, 'exact', 'marginal')
    """
    cl = level(cl)
    traced = jnp.asarray(cl)  # one program for all levels
    _check_choices(ordering, toys, plan)
    points = Points.from_likelihood(likelihood, "upper_limit")
    if _is_effective(likelihood, method):
        effective = EffectivePoints.of(likelihood, ordering=ordering)
        value, is_found = effective.limits(cl=traced)
        status = point_status(points, is_found)
        return Limit(
            value=_answered(points, value, status),
            status=points.reshape(status),
            monte_carlo_error=points.reshape(jnp.zeros_like(value)),
            cl=cl,
            **_effective_words(effective),
        )
    question = Question(ordering, method, free_prior=free_prior, plan=plan)

    def answer(choice: Choice) -> _Answer:
        error = jnp.zeros(points.signal.shape[0])
        if choice.plan is not None:
            value, is_found = exact_limits(points, choice.plan, cl=traced)
            return _Answer.exact(choice.plan, (value, error), is_found)
        if choice.method == "asymptotic":
            value, is_found = asymptotic_limits(points, cl=traced)
            return _Answer((value, error), is_found, "asymptotic")
        value, error, is_found = toy_limits(
            points, _needed(toys).draw(points), cl=cl, ensemble=_needed(toys).kind
        )
        return _Answer((value, error), is_found, _needed(toys).ensemble)

    choice, found = _answered_by(points, question, answer)
    status = point_status(points, found.is_converged)
    error = found.values[1]
    return Limit(
        value=_answered(points, found.values[0], status),
        status=points.reshape(status),
        monte_carlo_error=points.reshape(error),
        cl=cl,
        method=choice.method,
        ensemble=found.ensemble,
        ordering=found.ordering,
        reason=choice.reason,
    )


def expected_upper_limits(
    likelihood: Likelihood,
    *,
    cl: float,
    method: str = "auto",
    ordering: str = _ORDERING,
    toys: Toys | None = None,
    plan: ExactPlan | None = None,
    free_prior: str = "flat",
) -> ExpectedLimits:
    r"""Upper limits that data without a signal would give: median and bands.

    What fluctuates is stated by method. ``exact``, one bin: counts and nuisances are
    drawn, quantiles of the limit; several bins: the limits of the quantiles of the
    ordering statistic. ``asymptotic``: the Asimov set of the data, profiled at strength
    0. ``toys``: quantiles of the statistic in the background toys.

    Args:
        likelihood: The likelihood; leading axes of its arrays are points of a grid.
        cl: Confidence level.
        method: As in `upper_limit`.
        ordering: As in `upper_limit`.
        toys: As in `upper_limit`.
        plan: As in `upper_limit`, made for expected limits.
        free_prior: As in `upper_limit`.

    Returns:
        Limits at -2, -1, 0, 1 and 2 standard deviations.

    Raises:
        InputError: As in `upper_limit`.
    """
    cl = level(cl)
    traced = jnp.asarray(cl)  # one program for all levels
    _check_choices(ordering, toys, plan)
    points = Points.from_likelihood(likelihood, "expected_upper_limits")
    if _is_effective(likelihood, method):
        effective = EffectivePoints.of(likelihood, ordering=ordering)
        value, is_found = effective.expected_limits(cl=traced)
        status = point_status(points, is_found)
        return ExpectedLimits(
            value=_answered(points, value, status),
            status=points.reshape(status),
            cl=cl,
            **_effective_words(effective),
        )
    question = Question(ordering, method, True, free_prior=free_prior, plan=plan)

    def answer(choice: Choice) -> _Answer:
        if choice.plan is not None:
            value, is_found = exact_expected_limits(points, choice.plan, cl=traced)
            return _Answer.exact(choice.plan, (value,), is_found)
        if choice.method == "asymptotic":
            value, is_found = asymptotic_expected_limits(points, cl=traced)
            return _Answer((value,), is_found, "asymptotic")
        value, is_found = toy_expected_limits(
            points, _needed(toys).draw(points), cl=cl, ensemble=_needed(toys).kind
        )
        return _Answer((value,), is_found, _needed(toys).ensemble)

    choice, found = _answered_by(points, question, answer)
    status = point_status(points, found.is_converged)
    return ExpectedLimits(
        value=_answered(points, found.values[0], status),
        status=points.reshape(status),
        cl=cl,
        method=choice.method,
        ensemble=found.ensemble,
        ordering=found.ordering,
        reason=choice.reason,
    )


def cls_test(
    likelihood: Likelihood,
    strength: Value = 1.0,
    *,
    method: str = "auto",
    ordering: str = _ORDERING,
    toys: Toys | None = None,
    plan: ExactPlan | None = None,
    free_prior: str = "flat",
) -> ClsTest:
    r"""$CL_s$ of a signal strength.

    Args:
        likelihood: The likelihood; leading axes of its arrays are points of a grid.
        strength: Tested strength, >= 0; one number, or one for each point.
        method: As in `upper_limit`.
        ordering: As in `upper_limit`.
        toys: As in `upper_limit`.
        plan: As in `upper_limit`.
        free_prior: As in `upper_limit`.

    Returns:
        $CL_s$ and the two probabilities that it is made of.

    Raises:
        InputError: As in `upper_limit`, or a strength that does not fit the grid.
    """
    _check_choices(ordering, toys, plan)
    points = Points.from_likelihood(likelihood, "cls_test")
    tested = _strengths(strength, points)
    if _is_effective(likelihood, method) and not isinstance(tested, Tracer):
        effective = EffectivePoints.of(likelihood, ordering=ordering)
        log_clsb, log_clb, is_found = effective.test(tested)
        status = point_status(points, is_found, strength=tested)
        return ClsTest(
            value=_answered(points, jnp.exp(log_clsb - log_clb), status),
            log_clsb=_answered(points, log_clsb, status),
            log_clb=_answered(points, log_clb, status),
            status=points.reshape(status),
            monte_carlo_error=points.reshape(jnp.zeros_like(tested)),
            **_effective_words(effective),
        )
    question = Question(ordering, method, False, tested, free_prior, plan)

    def answer(choice: Choice) -> _Answer:
        if choice.plan is not None:
            *logs, is_found = exact_cls(points, choice.plan, tested)
            return _Answer.exact(choice.plan, tuple(logs), is_found)
        if choice.method == "asymptotic":
            *logs, is_found = asymptotic_cls(points, tested)
            return _Answer(tuple(logs), is_found, "asymptotic")
        draw = _needed(toys).draw(points)
        found = toy_cls(points, tested, draw, ensemble=_needed(toys).kind)
        values = (jnp.log(found.clsb), jnp.log(found.clb), found.error)
        is_found = found.fraction_converged == 1.0
        return _Answer(values, is_found, _needed(toys).ensemble)

    choice, found = _answered_by(points, question, answer)
    log_clsb, log_clb = found.values[:2]
    status = point_status(points, found.is_converged, strength=tested)
    error = found.values[2] if len(found.values) > 2 else jnp.zeros_like(tested)
    return ClsTest(
        value=_answered(points, jnp.exp(log_clsb - log_clb), status),
        log_clsb=_answered(points, log_clsb, status),
        log_clb=_answered(points, log_clb, status),
        status=points.reshape(status),
        monte_carlo_error=points.reshape(error),
        method=choice.method,
        ensemble=found.ensemble,
        ordering=found.ordering,
        reason=choice.reason,
    )


def exact_plan(
    likelihood: Likelihood,
    *,
    ordering: str = _ORDERING,
    has_expected: bool = False,
    free_prior: str = "flat",
) -> ExactPlan:
    """Nodes and largest counts for exact methods, to be used where values are traced.

    Args:
        likelihood: A likelihood of the same structure and similar values.
        ordering: As in `upper_limit`.
        has_expected: Whether the plan is for expected limits.
        free_prior: As in `upper_limit`.

    Returns:
        The plan.

    Examples:
        >>> import jax
        >>> from bsmfit.likelihood.region import Region, Term
        >>> def likelihood(background):
        ...     region = Region(
        ...         "r", 1, signal=[Term("s", 1.0)], background=[Term("b", background)]
        ...     )
        ...     return Likelihood.from_regions([region])
        >>> plan = exact_plan(likelihood(0.77))
        >>> def limit(background):
        ...     found = upper_limit(
        ...         likelihood(background), cl=0.90, method="exact", plan=plan
        ...     )
        ...     return found.value
        >>> round(float(jax.grad(limit)(jnp.array(0.77))), 6)
        -0.45985
    """
    _check_choices(ordering)
    points = Points.from_likelihood(likelihood, "exact_plan")
    return ExactPlan.from_points(
        points, ordering=ordering, has_expected=has_expected, free_prior=free_prior
    )


class _Answer(NamedTuple):
    """What a method found for all points."""

    values: tuple[Array, ...]
    is_converged: Bool[Array, " n_point"]
    ensemble: str
    ordering: str = "qtilde"

    @classmethod
    def exact(
        cls, plan: ExactPlan, values: tuple[Array, ...], is_found: Array
    ) -> _Answer:
        return cls(values, is_found, plan.ensemble, plan.ordering)


def _answered_by(
    points: Points, question: Question, answer: Callable[[Choice], _Answer]
) -> tuple[Choice, _Answer]:
    """Choose a method and ask it.

    Where the method was left open and sums do not converge, asymptotic formulae answer.
    """
    choice = choose_method(points, question)
    found = answer(choice)
    if question.method != "auto" or choice.plan is None:
        return choice, found
    status = np.asarray(point_status(points, found.is_converged))
    if not (n_failed := int(np.sum(status == Status.NOT_CONVERGED))):
        return choice, found
    where = f" at {n_failed} of {status.size} points" if status.size > 1 else ""
    reason = f"{choice.reason}, but exact sums do not converge{where}"
    choice = asymptotic_choice(points, question, reason)
    return choice, answer(choice)


def _is_effective(likelihood: Likelihood, method: str) -> bool:
    """Whether effective counts are to be summed exactly."""
    return method in ("auto", "exact") and any(
        region.is_effective for region in likelihood.regions
    )


def _effective_words(points: EffectivePoints) -> dict[str, str]:
    is_single = len(points.regions) == 1
    return {
        "method": "exact",
        "ensemble": points.kernel.ensemble,
        "ordering": "count" if is_single else points.kernel.ordering,
        "reason": "effective counts have a continuous distribution, summed exactly",
    }


def _check_choices(
    ordering: str, toys: Toys | None = None, plan: ExactPlan | None = None
) -> None:
    """Refuse an ordering, toys or a plan that are none, also where they have no say."""
    choice("ordering", ordering, ORDERINGS)
    if toys is not None:
        instance("toys", toys, Toys, hint="write bsmfit.Toys(jax.random.key(0))")
    if plan is not None:
        instance("plan", plan, ExactPlan, hint="make one with bsmfit.exact_plan")


def _needed(toys: Toys | None) -> Toys:
    if toys is None:
        msg = "method='toys' needs toys=Toys(jax.random.key(seed))"
        raise InputError(msg)
    return toys


def _answered(
    points: Points,
    value: Float[Array, " n_point *value"],
    status: Int[Array, " n_point"],
) -> Float[Array, " *grid"]:
    """Values on the grid: nan without an answer, inf without a signal."""
    rank = (slice(None),) + (None,) * (value.ndim - 1)
    is_right = (status == Status.OK)[rank]
    without = jnp.where(status == Status.NO_SIGNAL, jnp.inf, jnp.nan)[rank]
    return points.reshape(jnp.where(is_right, value, without))


def _strengths(strength: Value, points: Points) -> Float[Array, " n_point"]:
    """One strength for each point."""
    given = real_array("strength", strength)
    check_range("strength", given, low=0.0)
    try:
        spread = jnp.broadcast_to(given, points.shape)
    except ValueError as error:
        msg = (
            f"strength has shape {given.shape}, which does not broadcast to the grid "
            f"{points.shape}"
        )
        raise InputError(msg) from error
    return spread.reshape(-1)
