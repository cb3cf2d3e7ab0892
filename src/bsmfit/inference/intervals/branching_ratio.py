r"""A branching ratio measured: best value, interval, significance, limits, posterior.

    likelihood = pi_nunu_likelihood(channel)
    found = measure_branching_ratio(likelihood, unit=UNIT)
    found.value, found.low, found.high, found.significance.z_one_sided

| number | method |
|---|---|
| best value and interval | profile likelihood, $\tilde t_\mu\le z^2$ |
| significance | one count below ten events: exact; else $\sqrt{q_0}$ |
| upper limits | CLs; exact below ten events, else $\tilde q_\mu$ |
| posterior | flat in the branching ratio, by quadrature |

Interval and $\sqrt{q_0}$ of several regions are asymptotic whatever the counts are, as
in the publications; `reason` says where fewer than ten events are expected.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit.channels.pi_nunu_likelihood import UNIT
from bsmfit.core.argument import choice, instance, instances, level, real_number
from bsmfit.errors import InputError
from bsmfit.inference.intervals.confidence_interval import discovery_significance
from bsmfit.inference.intervals.profile_interval import (
    Discovery,
    Interval,
    discovery,
    profile_interval,
)
from bsmfit.inference.intervals.significance import Significance
from bsmfit.inference.limits.method import ENOUGH_EVENTS
from bsmfit.inference.limits.points import Points
from bsmfit.inference.limits.result import Limit
from bsmfit.inference.limits.upper_limit import upper_limit
from bsmfit.inference.posteriors.credible import CredibleLimits, credible_map
from bsmfit.inference.posteriors.priors import FlatStrength
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.likelihood import Likelihood, point_shape

__all__ = ["ONE_SIGMA", "BranchingRatio", "measure_branching_ratio"]

_LIMIT_METHODS = ("auto", "exact", "asymptotic")
ONE_SIGMA = 0.6827
"""Probability within one standard deviation of a normal distribution."""


class BranchingRatio(eqx.Module):
    r"""What data say about a branching ratio; every one is in units of 1.

    Attributes:
        value: Best value, >= 0.
        low: Lower end of the interval; 0 where it reaches the boundary.
        high: Upper end of the interval.
        is_low_at_zero: Whether 0 lies inside the interval.
        is_converged: Whether the fits and both ends converged; elsewhere nan.
        significance: Of the excess over background alone, one-sided and two-sided.
        limits: CLs upper limits, one for each level asked for.
        posterior: Central interval, mean and upper limit, prior flat in the value.
        cl: Confidence level of the interval.
        method: ``"profile"``, of the value and the interval.
        reason: Whether enough events are expected for that method.
    """

    value: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    is_low_at_zero: Bool[Array, ""]
    is_converged: Bool[Array, ""]
    significance: Significance
    limits: tuple[Limit, ...]
    posterior: CredibleLimits
    cl: float = eqx.field(static=True)
    method: str = eqx.field(static=True, default="profile")
    reason: str = eqx.field(static=True, default="")

    @property
    def error_up(self) -> Float[Array, ""]:
        """Distance from the best value to the upper end."""
        return self.high - self.value

    @property
    def error_down(self) -> Float[Array, ""]:
        """Distance from the best value to the lower end."""
        return self.value - self.low


def measure_branching_ratio(
    likelihood: Likelihood,
    *,
    unit: float = UNIT,
    cl: float = ONE_SIGMA,
    limit_levels: Sequence[float] = (0.90, 0.95),
    limit_method: str = "auto",
) -> BranchingRatio:
    """Measure the branching ratio that is the strength of a likelihood.

    Args:
        likelihood: The likelihood of one point.
        unit: Branching ratio at strength 1 [1], within (0, 1]; the one that the
            likelihood was made with, whose default is the same.
        cl: Confidence level of the interval and of the central posterior interval.
        limit_levels: Confidence levels of the upper limits.
        limit_method: ``"auto"``, ``"exact"`` or ``"asymptotic"``, as for limits.

    Returns:
        The measurement.

    Raises:
        InputError: A level, unit or method that is not allowed, or a grid of points.

    Examples:
        >>> from bsmfit.likelihood.region import Region, Term
        >>> region = Region("r", 20, [Term("s", 1.0)], [Term("b", 10.0)])
        >>> found = measure_branching_ratio(
        ...     Likelihood.from_regions([region]), unit=1e-11, limit_levels=()
        ... )
        >>> print(f"{found.value:.3g}")
        1e-10
    """
    cl = level(cl)
    unit = real_number("unit", unit, low=0.0, high=1.0, is_low_open=True)
    limit_levels = _levels(limit_levels)
    choice("limit_method", limit_method, _LIMIT_METHODS)
    hint = "make one with bsmfit.Likelihood.from_regions([...])"
    instance("likelihood", likelihood, Likelihood, hint=hint)
    if point_shape(likelihood):
        msg = f"give the likelihood of one point, not a grid {point_shape(likelihood)}"
        raise InputError(msg)
    is_few, reason = _count(likelihood)
    arrays = likelihood.arrays()
    interval, found = _fit(arrays, cl=cl)
    is_one_low_count = is_few and arrays.observed.shape[0] == 1
    significance = (
        discovery_significance(likelihood, method="exact")
        if is_one_low_count
        else Significance(
            p_value=found.p_value,
            z_one_sided=found.z_one_sided,
            z_two_sided=found.z_two_sided,
            method="asymptotic",
            ensemble="asymptotic",
        )
    )
    limits = tuple(
        upper_limit(likelihood, cl=each, method=limit_method) for each in limit_levels
    )
    return BranchingRatio(
        value=interval.strength * unit,
        low=interval.low * unit,
        high=interval.high * unit,
        is_low_at_zero=interval.is_low_at_zero,
        is_converged=interval.is_converged & found.is_converged,
        significance=significance,
        limits=tuple(dataclasses.replace(x, value=x.value * unit) for x in limits),
        posterior=_posterior(likelihood, unit=unit, cl=cl),
        cl=cl,
        reason=reason,
    )


def _levels(levels: object) -> tuple[float, ...]:
    """The levels of the limits, several or none."""
    hint = "write limit_levels=(0.90, 0.95), or () for none"
    given = instances("limit_levels", levels, object, hint=hint)
    return tuple(level(entry, name="of limit_levels") for entry in given)


@eqx.filter_jit
def _fit(arrays: LikelihoodArrays, *, cl: float) -> tuple[Interval, Discovery]:
    """Interval and significance by one compiled program."""
    return profile_interval(arrays, cl=cl), discovery(arrays)


def _count(likelihood: Likelihood) -> tuple[bool, str]:
    """Whether fewer than ten events were observed or expected, and a sentence."""
    points = Points.from_likelihood(likelihood, "measure_branching_ratio")
    n_event = float(np.min(points.n_event))
    if n_event < ENOUGH_EVENTS:
        return True, (
            f"{n_event:.3g} events (observed or expected without signal, the smaller), "
            f"fewer than {ENOUGH_EVENTS:g}: the interval is approximate"
        )
    return False, f"{ENOUGH_EVENTS:g} events or more"


def _posterior(likelihood: Likelihood, *, unit: float, cl: float) -> CredibleLimits:
    """Posterior of the branching ratio, for the one point of a likelihood."""
    found = credible_map(likelihood, prior=FlatStrength(), cl=cl)
    return dataclasses.replace(
        found,
        upper_limit=found.upper_limit[0] * unit,
        lower=found.lower[0] * unit,
        upper=found.upper[0] * unit,
        mean=found.mean[0] * unit,
        is_converged=found.is_converged[0],
    )
