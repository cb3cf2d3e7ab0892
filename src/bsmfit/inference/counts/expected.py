r"""Limits to be expected without a signal: quantiles, their width, and the mean.

Two definitions, both without toys.

*Counts and nuisances* (`expected_limits`). The limit in the signal norm is
$s_{up}(n)/r(\theta)$ with the count and the true nuisances both drawn:

$$F(x) = \sum_n\int d\theta\,\varphi(\theta)\,\mathrm{Pois}(n|b(\theta))\,
  1[s_{up}(n)/r(\theta)\le x]
  = \sum_n P_n\,\Phi[-w_n(-y_n)],\qquad
  y_n = \frac{\ln x - \ln s_{up}(n) + \mu_n}{\sigma_n}$$

with mean $\mu_n$ and standard deviation $\sigma_n$ of $\ln r$ among the $\theta$ that
give $n$ events, and the normal score $w_n$ of the standardised $\ln r$ by the
Cornish-Fisher expansion in its skewness and kurtosis. The indicator is integrated in
closed form, never by nodes. This is exact for one signal axis that the background does
not share ($\mu_n = 0$, $\sigma_n = \ln\kappa_s$, $w_n(y) = y$).

*Counts only* (`counts_only_limits`). The limit at the smallest n with $P(\le n|b)$ at
or above the level: what is quoted where no nuisance is drawn. At low background all
five coincide, which is why the mean is given beside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import ndtri
from jaxtyping import Array, Bool, Float, Int
from scipy.special import pdtrc

from bsmfit._x64 import require_x64
from bsmfit.errors import NoExactMethodError
from bsmfit.inference.counts.composite_response import cornish_fisher, normal_score
from bsmfit.inference.counts.marginal import (
    LARGEST_COUNT,
    MarginalCounts,
    count_probabilities,
)
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.quadrature import NuisanceQuadrature

__all__ = [
    "QUANTILE_LEVELS",
    "TAIL_TOLERANCE",
    "count_ceiling",
    "count_quantiles",
    "counts_only_limits",
    "expected_limits",
    "mean_limit",
]

# standard normal distribution at -2, -1, 0, 1, 2
QUANTILE_LEVELS = (
    0.022750131948179195,
    0.15865525393145707,
    0.5,
    0.8413447460685429,
    0.9772498680518208,
)
# probability above n_max that no quantile or mean notices
TAIL_TOLERANCE = 1e-5
_N_ITERATION, _LAST_STEP = 24, 1e-8
# keeps the density finite for nuisances of almost no size
_SMALLEST_SPREAD = 1e-6
_SMALLEST_PROBABILITY = 1e-300


def expected_limits(
    counts: MarginalCounts, log_limits: Float[Array, " n_count"]
) -> Float[Array, " 5"]:
    """Quantiles of the limit when counts and nuisances are both drawn.

    Differentiable. Without signal nuisances they are `counts_only_limits`.

    Args:
        counts: The prepared probabilities.
        log_limits: ln of the limit for each count.

    Returns:
        Limits [events] at the levels of QUANTILE_LEVELS, ascending.
    """
    require_x64("expected_limits")
    if counts.weights.size == 1:
        return counts_only_limits(counts, log_limits)
    probabilities = count_probabilities(counts)
    mean, spread, skewness, kurtosis = _log_response_moments(counts)
    centre = log_limits - mean
    levels = jnp.asarray(QUANTILE_LEVELS)

    def excess(log_limit: Float[Array, " 5"]) -> Float[Array, " 5"]:
        pull = (log_limit[:, None] - centre[None, :]) / spread[None, :]
        score = normal_score(-pull, skewness[None, :], kurtosis[None, :])
        # the normal distribution at -score; `ndtr` computes erf beside it
        reached = 0.5 * lax.erfc(math.sqrt(0.5) * score) @ probabilities
        return _log_odds(reached) - _log_odds(levels)

    ends = (
        lax.stop_gradient(jnp.min(centre - 12.0 * spread)),
        lax.stop_gradient(jnp.max(centre + 12.0 * spread)),
    )
    start = _separate_quantiles(
        probabilities, centre, spread, skewness=skewness, kurtosis=kurtosis
    )
    start = lax.stop_gradient(start)
    quantiles = lax.custom_root(
        excess,
        jnp.clip(start, *ends),
        lambda function, guess: _bracketed_newton(function, guess, *ends),
        lambda g, y: y / g(jnp.ones_like(y)),
    )
    return jnp.exp(quantiles)


def count_quantiles(probabilities: Float[Array, " n_count"]) -> Int[Array, " 5"]:
    r"""Smallest count whose cumulative probability reaches each level.

    Args:
        probabilities: Of the counts 0 to n_max.

    Returns:
        Counts at the levels of QUANTILE_LEVELS, at most n_max.
    """
    cumulative = jnp.cumsum(probabilities)
    levels = jnp.asarray(QUANTILE_LEVELS)
    n = jnp.sum(cumulative[None, :] < levels[:, None], axis=1)
    return jnp.minimum(n, probabilities.shape[0] - 1)


def counts_only_limits(
    counts: MarginalCounts, log_limits: Float[Array, " n_count"]
) -> Float[Array, " 5"]:
    """Limits at the quantiles of the count, nothing else drawn.

    Args:
        counts: The prepared probabilities.
        log_limits: ln of the limit for each count.

    Returns:
        Limits [events] at the levels of QUANTILE_LEVELS, ascending.
    """
    return jnp.exp(log_limits)[count_quantiles(count_probabilities(counts))]


def mean_limit(
    counts: MarginalCounts, log_limits: Float[Array, " n_count"]
) -> Float[Array, ""]:
    r"""Mean of the limit over counts, $\sum_n P_n s_{up}(n)$.

    Args:
        counts: The prepared probabilities.
        log_limits: ln of the limit for each count.

    Returns:
        The mean [events], without what lies above n_max.
    """
    return count_probabilities(counts) @ jnp.exp(log_limits)


def count_ceiling(
    model: CountingModel, quadrature: NuisanceQuadrature, *, n_observed: int
) -> int:
    """Smallest n_max that covers the observed count and the expected ones.

    A plain number, to be computed before tracing. At most `LARGEST_COUNT`: where more
    events than that are to be expected, there are no expected limits.

    Args:
        model: Background and its responses.
        quadrature: Nodes for this model.
        n_observed: Largest observed count.

    Returns:
        n_max, with a probability above it of less than TAIL_TOLERANCE, or
        `LARGEST_COUNT`.

    Raises:
        NoExactMethodError: The observed count is above `LARGEST_COUNT`.
    """
    if n_observed > LARGEST_COUNT:
        msg = (
            f"{n_observed} events are beyond the exact sums of one count "
            f"({LARGEST_COUNT}); use method='asymptotic'"
        )
        raise NoExactMethodError(msg)
    response = np.asarray(model.background_log_kappa)
    outer = np.exp(response @ np.asarray(quadrature.signal_nodes).T)
    inner = np.exp(response @ np.asarray(quadrature.background_nodes).T)
    rate = np.einsum("r,rj,ri->ji", np.asarray(model.background), outer, inner)
    n_max = n_observed
    while n_max < LARGEST_COUNT and (
        np.asarray(quadrature.signal_weights)
        @ pdtrc(n_max, rate)
        @ np.asarray(quadrature.background_weights)
        >= TAIL_TOLERANCE
    ):
        n_max += 1
    return n_max


def _log_response_moments(
    counts: MarginalCounts,
) -> tuple[
    Float[Array, " n_count"],
    Float[Array, " n_count"],
    Float[Array, " n_count"],
    Float[Array, " n_count"],
]:
    """Mean, deviation, skewness and excess kurtosis of ln r among nodes that give n."""
    joint = counts.background_terms * counts.weights[None, :]
    total = jnp.sum(joint, axis=1, keepdims=True)
    is_possible = total > 0.0
    prior = jnp.broadcast_to(counts.weights[None, :], joint.shape)
    posterior = jnp.where(
        is_possible, joint / jnp.where(is_possible, total, 1.0), prior
    )
    log_response = jnp.log(counts.response)
    mean = posterior @ log_response
    deviation = log_response[None, :] - mean[:, None]
    variance = jnp.sum(posterior * deviation**2, axis=1)
    spread = jnp.sqrt(jnp.maximum(variance, _SMALLEST_SPREAD**2))
    scaled = deviation / spread[:, None]
    skewness = jnp.sum(posterior * scaled**3, axis=1)
    kurtosis = jnp.sum(posterior * scaled**4, axis=1) - 3.0
    is_spread = variance > _SMALLEST_SPREAD**2
    return (
        mean,
        spread,
        jnp.where(is_spread, skewness, 0.0),
        jnp.where(is_spread, kurtosis, 0.0),
    )


def _separate_quantiles(
    probabilities: Float[Array, " n_count"],
    centre: Float[Array, " n_count"],
    spread: Float[Array, " n_count"],
    *,
    skewness: Float[Array, " n_count"],
    kurtosis: Float[Array, " n_count"],
) -> Float[Array, " 5"]:
    """Quantiles of ln x if the limits of different counts did not overlap."""
    n = count_quantiles(probabilities)
    own = probabilities[n]
    below = jnp.cumsum(probabilities)[n] - own
    share = (jnp.asarray(QUANTILE_LEVELS) - below) / jnp.where(own > 0.0, own, 1.0)
    score = ndtri(jnp.clip(share, 1e-6, 1.0 - 1e-6))
    return centre[n] - spread[n] * cornish_fisher(-score, skewness[n], kurtosis[n])


def _log_odds(probability: Float[Array, " 5"]) -> Float[Array, " 5"]:
    """Ln p/(1 - p): straighter in the tails than p, where Newton is slow."""
    inside = jnp.clip(probability, _SMALLEST_PROBABILITY, 1.0 - 1e-15)
    return jnp.log(inside / (1.0 - inside))


def _bracketed_newton(
    function: Callable[[Float[Array, " 5"]], Float[Array, " 5"]],
    guess: Float[Array, " 5"],
    low: Float[Array, ""],
    high: Float[Array, ""],
) -> Float[Array, " 5"]:
    """Root of an increasing function: Newton, or bisection where that leaves.

    Newton's steps square the error, so that one of 1e-8 is the last that is needed.
    """

    def is_unfinished(state: _NewtonState) -> Bool[Array, ""]:
        return (state.n_done < _N_ITERATION) & (jnp.max(state.step) > _LAST_STEP)

    def step(state: _NewtonState) -> _NewtonState:
        point = state.point
        value, slope = jax.jvp(function, (point,), (jnp.ones_like(point),))
        below = jnp.where(value < 0.0, point, state.below)
        above = jnp.where(value < 0.0, state.above, point)
        newton = point - value / jnp.where(slope > 0.0, slope, 1.0)
        is_inside = (slope > 0.0) & (newton >= below) & (newton <= above)
        moved = jnp.where(is_inside, newton, 0.5 * (below + above))
        return _NewtonState(
            state.n_done + 1, moved, below, above, jnp.abs(moved - point)
        )

    start = _NewtonState(
        n_done=jnp.zeros((), int),
        point=guess,
        below=jnp.broadcast_to(low, guess.shape),
        above=jnp.broadcast_to(high, guess.shape),
        step=jnp.full(guess.shape, jnp.inf),
    )
    return lax.while_loop(is_unfinished, step, start).point


class _NewtonState(NamedTuple):
    n_done: Int[Array, ""]
    point: Float[Array, " 5"]
    below: Float[Array, " 5"]
    above: Float[Array, " 5"]
    step: Float[Array, " 5"]
