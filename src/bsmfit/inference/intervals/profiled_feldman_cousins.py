r"""Feldman-Cousins intervals for one count with nuisances: profile ordering.

Strengths are tested with $\tilde t_\mu$, twice the difference of the negative log
likelihoods at the strength and at the best strength not below zero, nuisances fitted in
both. Its distribution at each strength is that with the nuisances at the values fitted
to the data there, $\hat{\hat\theta}_\mu$. The interval is the range of strengths whose
p value $P(\tilde t_\mu\ge\tilde t_\mu^\mathrm{obs})$ is at least $1 - cl$.

Two ensembles answer different questions:

- `unconditional`: count and auxiliary measurements $a_j\sim N(\hat{\hat\theta}_j, 1)$
  are drawn. Toys, with the same random numbers at every strength.
- `conditional`: the auxiliary measurements stay as observed. What is left is one count,
  so its distribution is a finite sum, without toys.

For errors that vanish the conditional interval tends to that of
`bsmfit.inference.intervals.feldman_cousins`, since $\tilde t_\mu = -2\ln R(n)$ then.
The unconditional one does not: however small the error, the continuous $a$ split
outcomes with the same count into more and less extreme ones, half of each, as in a
mid-p value, and the interval is shorter. At an error of exactly zero the ties are back.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from bsmfit._x64 import require_x64
from bsmfit.core.argument import MOST_TOYS, choice, level, whole_number
from bsmfit.inference.fits.counting_fit import (
    CountingPoint,
    background_fit,
    conditional_fit,
    free_fit,
)

__all__ = [
    "ENSEMBLES",
    "ProfiledInterval",
    "profiled_feldman_cousins",
    "profiled_statistic",
]

ENSEMBLES = ("unconditional", "conditional")
# outcomes this close are the same outcome
_TIE = 1e-9
_TAIL_TOLERANCE = 1e-6

_Outcomes = tuple[
    Float[Array, " n_outcome"],
    Float[Array, "n_outcome n_nuisance"],
    Float[Array, " n_outcome"],
]


class ProfiledInterval(eqx.Module):
    """An interval on the strength, with the p values it was read from.

    Attributes:
        low: Lower end; the first tested strength if that is accepted.
        high: Upper end; nan where the largest tested strength is accepted.
        strengths: The tested strengths.
        p_values: Their p values.
        p_errors: Standard error of the p values from the finite number of toys.
        is_converged: Whether both ends are inside the grid, all fits have converged and
            counts reach far enough.
        cl: Confidence level.
        ensemble: What is drawn: "unconditional" or "conditional".
        n_toy: Number of toys at each strength; 0 for a finite sum.
    """

    low: Float[Array, ""]
    high: Float[Array, ""]
    strengths: Float[Array, " n_strength"]
    p_values: Float[Array, " n_strength"]
    p_errors: Float[Array, " n_strength"]
    is_converged: Bool[Array, ""]
    cl: float = eqx.field(static=True)
    ensemble: str = eqx.field(static=True)
    n_toy: int = eqx.field(static=True)
    method: str = eqx.field(static=True, default="profiled-feldman-cousins")


def profiled_statistic(
    point: CountingPoint, strength: Float[Array, ""]
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    r"""The statistic $\tilde t_\mu$ of one count.

    Args:
        point: One count.
        strength: The tested strength, >= 0.

    Returns:
        $\tilde t_\mu\ge0$, and whether its fits converged.
    """
    fit = conditional_fit(point, strength)
    background = background_fit(point)
    free = free_fit(point, background_only=background)
    statistic = jnp.maximum(2.0 * (fit.nll - free.nll), 0.0)
    return statistic, fit.is_converged & background.is_converged


def profiled_feldman_cousins(
    point: CountingPoint,
    strengths: Float[Array, " n_strength"],
    *,
    cl: float,
    key: PRNGKeyArray,
    ensemble: str = "unconditional",
    n_toy: int = 2000,
    n_max: int = 60,
) -> ProfiledInterval:
    r"""Interval on the strength from the profile likelihood ratio.

    The ends are interpolated between neighbouring tested strengths, linearly in the
    p value; they are right to about $\sigma_p$ over the slope of the p value, and to
    the spacing where the p value jumps. A jump, and a piece of the acceptance region
    narrower than the spacing, is not resolved.

    Args:
        point: One count.
        strengths: Strengths to test, ascending, from 0 to beyond the upper end.
        cl: Confidence level, for example 0.90.
        key: Random key; the same random numbers serve all strengths.
        ensemble: One of `ENSEMBLES`: whether auxiliary measurements are drawn, too.
        n_toy: Toys at each strength, for the unconditional ensemble.
        n_max: Largest count of the sums; drawn counts above it are cut off.

    Returns:
        The interval and the p values.

    Raises:
        InputError: There is no such ensemble, level or number of toys.

    References:
        Feldman and Cousins, physics/9711021 (ordering); profiled by NOvA,
        arXiv:2207.14353 (unverified).
    """
    require_x64("profiled_feldman_cousins")
    choice("ensemble", ensemble, ENSEMBLES)
    cl = level(cl)
    n_toy = whole_number("n_toy", n_toy, low=1, high=MOST_TOYS)
    is_drawn = ensemble == "unconditional"
    uniform_key, normal_key = jax.random.split(key)
    uniforms = jax.random.uniform(uniform_key, (n_toy,))
    normals = jax.random.normal(normal_key, (n_toy, point.auxiliary.shape[0]))

    def p_value(
        strength: Float[Array, ""],
    ) -> tuple[Float[Array, ""], Float[Array, ""], Bool[Array, ""]]:
        observed, is_fitted = profiled_statistic(point, strength)
        fit = conditional_fit(point, strength)
        pmf = _poisson_probabilities(fit.expected, n_max)
        if is_drawn:
            outcomes = _toys(pmf, fit.theta, uniforms, normals)
        else:
            outcomes = _counts(pmf, point.auxiliary)
        p, is_all_fitted = _tail_probability(point, strength, observed, outcomes)
        variance = p * (1.0 - p) / n_toy if is_drawn else jnp.zeros_like(p)
        is_covered = 1.0 - jnp.sum(pmf) < _TAIL_TOLERANCE
        return p, jnp.sqrt(variance), is_fitted & is_all_fitted & is_covered

    p_values, p_errors, is_good = lax.map(p_value, strengths)
    low, high = _ends(strengths, p_values, 1.0 - cl)
    return ProfiledInterval(
        low=low,
        high=high,
        strengths=strengths,
        p_values=p_values,
        p_errors=p_errors,
        is_converged=jnp.all(is_good) & jnp.isfinite(low) & jnp.isfinite(high),
        cl=cl,
        ensemble=ensemble,
        n_toy=n_toy if is_drawn else 0,
    )


def _poisson_probabilities(
    expected: Float[Array, ""], n_max: int
) -> Float[Array, " n_count"]:
    n = jnp.arange(n_max + 1, dtype=expected.dtype)
    return jnp.exp(xlogy(n, expected) - expected - gammaln(n + 1.0))


def _counts(
    pmf: Float[Array, " n_count"], auxiliary: Float[Array, " n_nuisance"]
) -> _Outcomes:
    """All counts with their probabilities, auxiliaries as observed."""
    n = jnp.arange(pmf.size, dtype=pmf.dtype)
    return n, jnp.broadcast_to(auxiliary, (pmf.size, auxiliary.size)), pmf


def _toys(
    pmf: Float[Array, " n_count"],
    theta: Float[Array, " n_nuisance"],
    uniforms: Float[Array, " n_toy"],
    normals: Float[Array, "n_toy n_nuisance"],
) -> _Outcomes:
    """Drawn counts and auxiliaries: quantiles of fixed random numbers."""
    cumulative = jnp.cumsum(pmf)[:-1]

    def count(uniform: Float[Array, ""]) -> Int[Array, ""]:
        return jnp.sum(uniform > cumulative)

    n = jax.vmap(count)(uniforms).astype(pmf.dtype)
    weights = jnp.full(n.shape, 1.0 / n.size, dtype=pmf.dtype)
    return n, theta[None, :] + normals, weights


def _tail_probability(
    point: CountingPoint,
    strength: Float[Array, ""],
    observed: Float[Array, ""],
    outcomes: _Outcomes,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Probability of a statistic at least as large as observed."""
    counts, auxiliaries, weights = outcomes

    def statistic(
        n: Float[Array, ""], auxiliary: Float[Array, " n_nuisance"]
    ) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        outcome = eqx.tree_at(
            lambda p: (p.n_observed, p.auxiliary), point, (n, auxiliary)
        )
        return profiled_statistic(outcome, strength)

    values, is_fitted = jax.vmap(statistic)(counts, auxiliaries)
    probability = weights @ (values >= observed - _TIE).astype(weights.dtype)
    is_good = is_fitted | (weights < _TAIL_TOLERANCE)
    return probability, jnp.all(is_good)


def _ends(
    strengths: Float[Array, " n_strength"],
    p_values: Float[Array, " n_strength"],
    level: float,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """First and last strength at which the p value is at the level."""
    is_accepted = p_values >= level
    last = strengths.size - 1
    first_in = jnp.argmax(is_accepted)
    last_in = last - jnp.argmax(is_accepted[::-1])

    def crossing(inside: Int[Array, ""], outside: Int[Array, ""]) -> Float[Array, ""]:
        rise = p_values[inside] - p_values[outside]
        is_rising = rise > 0.0
        fraction = (p_values[inside] - level) / jnp.where(is_rising, rise, 1.0)
        step = strengths[outside] - strengths[inside]
        return strengths[inside] + jnp.where(is_rising, fraction, 0.0) * step

    low = crossing(first_in, jnp.maximum(first_in - 1, 0))
    high = crossing(last_in, jnp.minimum(last_in + 1, last))
    has_any = jnp.any(is_accepted)
    low = jnp.where(has_any, low, jnp.nan)
    return low, jnp.where(has_any & (last_in < last), high, jnp.nan)
