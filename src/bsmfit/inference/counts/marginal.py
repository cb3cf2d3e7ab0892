r"""Exact CLs with nuisance parameters averaged over (Cousins-Highland).

$$CL_s(S) = \frac{E_\theta[P(\le n;\, S r(\theta) + b(\theta))]}
  {E_\theta[P(\le n;\, b(\theta))]},\qquad r(\theta) = \sum_t f_t\, e^{K_t\theta}$$

$S$ is the total signal at nominal nuisances and $f_t$ its composition, which stays
fixed while $S$ varies. A sum of two Poisson counts is their convolution, so with the
signal nodes $j$ of the quadrature

$$E_\theta[P(\le n)] = \sum_j w_j\, e^{-S r_j} \sum_{m\le n}\frac{(S r_j)^m}{m!}\,
  C_{n-m,j},\qquad C_{l,j} = \sum_{k\le l} E_{\theta^B}[\mathrm{Pois}(k\,|\,b)\,|\,j],$$

exactly: the background is averaged once per model, and what a solver repeats is one
exponential per signal node. `marginal_counts` makes the $C$ and $r$; the other
functions read them.

Where all signal terms respond alike, $r_j$ does not depend on the composition. Under
`vmap` over grid points nothing in `marginal_log_limits` is batched then: the equation
is solved once for each count 0 to n_max, and a point gathers the one it needs.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.inference.counts.composite_response import N_COMPRESSED, compress_response
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.poisson import Level, solve_log_limit
from bsmfit.likelihood.poisson_series import averaged_terms, weighted_sum
from bsmfit.likelihood.quadrature import NuisanceQuadrature

__all__ = [
    "LARGEST_COUNT",
    "MarginalCounts",
    "count_probabilities",
    "marginal_cls",
    "marginal_counts",
    "marginal_log_limit",
    "marginal_log_limits",
    "marginal_log_probabilities",
]

LARGEST_COUNT = 60
"""Largest count of the sums, which stay finite up to it."""

# exp(-1e4) is exactly 0 and 1e4**60 is finite
_LARGEST_RATE = 1e4
_SMALLEST_PROBABILITY = 1e-300


class MarginalCounts(eqx.Module):
    r"""Probabilities of counts, prepared at the nodes of the signal nuisances.

    Attributes:
        weights: $w_j$, of sum 1.
        response: $r_j$, signal over nominal signal.
        background_terms: Probability of k background events given node j, over
            exp(log_scale); k from 0 to n_max.
        log_scale: Common factor of the terms, which cancels in CLs.
    """

    weights: Float[Array, " n_node"]
    response: Float[Array, " n_node"]
    background_terms: Float[Array, "n_count n_node"]
    log_scale: Float[Array, ""]


def marginal_counts(
    log_signal: Float[Array, " n_signal"],
    model: CountingModel,
    *,
    quadrature: NuisanceQuadrature,
    n_max: int,
) -> MarginalCounts:
    """Average the background over its nuisances and list the signal's responses.

    Differentiable in the signal's composition, the background and all responses.

    Args:
        log_signal: ln of the expected signal events at nominal nuisances, per term.
            Only differences matter; unused where all terms respond alike.
        model: Background and responses.
        quadrature: Nodes for this model.
        n_max: Largest count, at most 60.

    Returns:
        What the other functions of this module need.
    """
    require_x64("marginal_counts")
    signal_nodes = quadrature.signal_nodes.T
    weights = quadrature.signal_weights
    outer = jnp.exp(model.background_log_kappa @ signal_nodes)
    if quadrature.is_common_signal:
        response = jnp.exp(model.signal_log_kappa[0] @ signal_nodes)
    else:
        fractions = jax.nn.softmax(log_signal)
        response = fractions @ jnp.exp(model.signal_log_kappa @ signal_nodes)
        is_large = weights.shape[0] > N_COMPRESSED
        if quadrature.is_background_separate and is_large:
            response, weights = compress_response(response, weights)
            outer = jnp.ones((outer.shape[0], weights.shape[0]))
    inner = jnp.exp(model.background_log_kappa @ quadrature.background_nodes.T)
    background = jnp.einsum("r,rj,ri->ji", model.background, outer, inner)
    offset = lax.stop_gradient(jnp.min(background))
    terms = averaged_terms(
        jnp.exp(offset - background),
        background,
        lambda term: term @ quadrature.background_weights,
        n_max=n_max,
    )
    return MarginalCounts(
        weights=weights,
        response=response,
        background_terms=terms,
        log_scale=-offset,
    )


def count_probabilities(counts: MarginalCounts) -> Float[Array, " n_count"]:
    """Probability of 0, 1, ..., n_max events without signal, nuisances averaged.

    Args:
        counts: The prepared probabilities.

    Returns:
        Probabilities, whose sum falls short of 1 by what lies above n_max.
    """
    return jnp.exp(counts.log_scale) * (counts.background_terms @ counts.weights)


def marginal_cls(
    counts: MarginalCounts, n: Int[Array, ""], *, signal: Float[Array, ""]
) -> Float[Array, ""]:
    """CLs of a signal at a count.

    1 (to rounding) at zero signal and exactly 0 for a signal beyond all bounds (1e300),
    with finite gradients in between and there.

    Args:
        counts: The prepared probabilities.
        n: Observed events; clipped to 0 and n_max.
        signal: Expected signal at nominal nuisances [events], >= 0.

    Returns:
        CLs, within [0, 1].
    """
    require_x64("marginal_cls")
    row = _row(counts, n)
    probability = _probability(counts, row[:, None, :], signal[None])[0]
    return probability / (row[0] @ counts.weights)


def marginal_log_probabilities(
    counts: MarginalCounts, n: Int[Array, ""], *, signal: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""$\ln CL_{s+b}$ and $\ln CL_b$ of a signal at a count.

    Args:
        counts: The prepared probabilities.
        n: Observed events; clipped to 0 and n_max.
        signal: Expected signal at nominal nuisances [events], >= 0.

    Returns:
        Log probabilities of at most n events, with and without the signal; at least
        ln 1e-300.
    """
    require_x64("marginal_log_probabilities")
    row = _row(counts, n)
    with_signal = _probability(counts, row[:, None, :], signal[None])[0]
    floor = _SMALLEST_PROBABILITY
    return (
        jnp.log(jnp.maximum(with_signal, floor)) + counts.log_scale,
        jnp.log(jnp.maximum(row[0] @ counts.weights, floor)) + counts.log_scale,
    )


def marginal_log_limits(
    counts: MarginalCounts, *, cl: Level
) -> tuple[Float[Array, " n_count"], Bool[Array, " n_count"]]:
    r"""Log of the upper limit on the total signal for each count 0 to n_max.

    Solves $CL_s = 1 - cl$; differentiable through that equation. Small efficiency
    errors loosen the limit at $n = 0$ as $U_0[1 + (U_0 - 1)\ln^2\kappa_s/2]$, $U_0 =
    -\ln(1 - cl)$.

    Args:
        counts: The prepared probabilities.
        cl: Confidence level, for example 0.90.

    Returns:
        ln of the limits on the signal at nominal nuisances [events], and whether each
        equation is solved.
    """
    require_x64("marginal_log_limits")
    cumulative = _cumulative_by_signal_count(counts).swapaxes(0, 1)
    without_signal = cumulative[0] @ counts.weights
    n = jnp.arange(cumulative.shape[1], dtype=without_signal.dtype)

    def log_cls_of(log_signal: Float[Array, " n_count"]) -> Float[Array, " n_count"]:
        probability = _probability(counts, cumulative, jnp.exp(log_signal))
        return jnp.log(probability / without_signal)

    return solve_log_limit(log_cls_of, jnp.log(n + 3.0), cl=cl)


def marginal_log_limit(
    counts: MarginalCounts, n: Int[Array, ""], *, cl: Level
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Log of the upper limit on the total signal for one count.

    As `marginal_log_limits`, for the observed count alone.

    Args:
        counts: The prepared probabilities.
        n: Observed events; clipped to 0 and n_max.
        cl: Confidence level, for example 0.90.

    Returns:
        ln of the limit on the signal at nominal nuisances [events], and whether the
        equation is solved.
    """
    require_x64("marginal_log_limit")
    row = _row(counts, n)
    without_signal = row[0] @ counts.weights

    def log_cls_of(log_signal: Float[Array, ""]) -> Float[Array, ""]:
        signal = jnp.exp(log_signal)[None]
        return jnp.log(
            _probability(counts, row[:, None, :], signal)[0] / without_signal
        )

    clipped = jnp.clip(n, 0, row.shape[0] - 1)
    start = jnp.log(clipped.astype(without_signal.dtype) + 3.0)
    return solve_log_limit(log_cls_of, start, cl=cl)


def _row(
    counts: MarginalCounts, n: Int[Array, ""]
) -> Float[Array, "n_signal_count n_node"]:
    """C[n - m, j] for the total n, clipped to 0 and n_max; 0 where m > n."""
    cumulative = jnp.cumsum(counts.background_terms, axis=0)
    n_count = cumulative.shape[0]
    left = jnp.clip(n, 0, n_count - 1) - jnp.arange(n_count)
    return jnp.where((left >= 0)[:, None], cumulative[jnp.maximum(left, 0)], 0.0)


def _cumulative_by_signal_count(
    counts: MarginalCounts,
) -> Float[Array, "n_count n_signal_count n_node"]:
    """C[n - m, j] for a total n of which m are signal events; 0 where m > n."""
    cumulative = jnp.cumsum(counts.background_terms, axis=0)
    n_count = cumulative.shape[0]
    n = jnp.arange(n_count)
    difference = n[:, None] - n[None, :]
    gathered = cumulative[jnp.maximum(difference, 0)]
    return jnp.where((difference >= 0)[:, :, None], gathered, 0.0)


def _probability(
    counts: MarginalCounts,
    cumulative: Float[Array, "n_signal_count limit n_node"],
    signal: Float[Array, " limit"],
) -> Float[Array, " limit"]:
    """Probability of at most n events with this signal, over exp(log_scale)."""
    rate = jnp.minimum(signal[:, None] * counts.response[None, :], _LARGEST_RATE)
    by_count = jnp.broadcast_to(cumulative, (cumulative.shape[0], *rate.shape))
    return weighted_sum(rate, by_count) @ counts.weights
