r"""Probabilities of the count of one region, at nodes of the shared nuisances.

$$P(n\,|\,j) = \sum_p w_p\sum_q v_q\,\mathrm{Pois}(n\,|\,\mu S\,r_{jp} + b_{jq})$$

with the response $r_{jp}$ of the signal at the shared node j and the node p of its
private nuisances, and the background at nodes q of its own. A whole count is a table
over n. An effective count has a continuous distribution, $P(\le x\,|\,\lambda) =
Q(x+1,\lambda)$ for $x > -1$, which is that of a Poisson count at whole x.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from bsmfit.channels.search_region import (
    LARGEST_SPREAD,
    LogResponse,
    SearchRegion,
    SearchResponse,
)
from bsmfit.inference.counts.joint_counts import averaged_poisson_pmf
from bsmfit.inference.exclusion.nuisance_sort import (
    N_UNKNOWN,
    NuisanceSort,
    hermite_rule,
    private_background_nodes,
)
from bsmfit.likelihood.effective_count import log_at_most
from bsmfit.likelihood.quadrature import axis_rule

__all__ = [
    "FEW_EFFECTIVE",
    "RegionRates",
    "effective_cdf",
    "observed_probability",
    "whole_table",
]

_LARGEST_RATE, _LARGEST_LOG_TERM = 1e4, 300.0
_LARGEST_EFFECTIVE_RATE = 600.0
_SMALLEST_VARIANCE = 1e-12
# rates of counts beyond it overlap too little at the fewer nodes
_FEW_COUNTS, _N_MANY = 25, 32
FEW_EFFECTIVE = 20.0
"""Smallest value up to which the distribution of an effective count is computed."""

_N_CHEBYSHEV, _N_CHEBYSHEV_MANY = 32, 48


class RegionRates(eqx.Module):
    """Signal and background of one region at all nodes, at strength 1.

    The axis of the shared nodes has length 1 where the region does not feel them.

    Attributes:
        signal: Signal at the shared nodes [events], at most 1e4; 0 in a closed region.
        signal_factors: Factors on it at the private nodes.
        signal_weights: Weights of the private nodes of the signal, of sum 1.
        background: Background [events].
        background_weights: Weights of its private nodes, of sum 1.
    """

    signal: Float[Array, " n_felt_signal"]
    signal_factors: Float[Array, " n_private"]
    signal_weights: Float[Array, " n_private"]
    background: Float[Array, "n_felt_background n_background"]
    background_weights: Float[Array, " n_background"]

    @classmethod
    def of(
        cls,
        region: SearchRegion,
        index: int,
        *,
        sort: NuisanceSort,
        nodes: Float[Array, "n_shared n_nuisance"],
        n_max: int,
    ) -> RegionRates:
        """Evaluate a region at the nodes.

        Args:
            region: The region.
            index: Which one it is in the sort.
            sort: Where the nuisances act.
            nodes: Nodes of the shared nuisances.
            n_max: Largest count that matters, which sizes a rule.

        Returns:
            The rates.
        """
        shared = {name: nodes[:, i] for i, name in enumerate(sort.shared)}
        theta, weights = _signal_nodes(region, sort.private_signal[index], n_max)
        total = jnp.zeros(1)
        if region.signal:
            factors = [
                jnp.exp(_log_factor(term.responses, shared)) for term in region.signal
            ]
            widest = max(factor.shape[0] for factor in factors)
            stacked = jnp.stack([jnp.broadcast_to(f, (widest,)) for f in factors])
            # an exponential for each process, not for each process and node
            logs = jnp.stack([term.log_events for term in region.signal])
            total = jnp.exp(jnp.minimum(logs, _LARGEST_LOG_TERM)) @ stacked
        signal = jnp.where(region.is_open, jnp.minimum(total, _LARGEST_RATE), 0.0)
        own_nodes, own_weights = private_background_nodes(
            region, sort.private_background[index]
        )
        own = {
            name: jnp.asarray(own_nodes[:, i])
            for i, name in enumerate(sort.private_background[index])
        }
        background = jnp.zeros((1, own_weights.size))
        for term in region.background:
            outer = jnp.exp(_log_factor(term.responses, shared))
            inner = jnp.exp(_log_factor(term.responses, own))
            background = background + term.events * outer[:, None] * inner[None, :]
        return cls(
            signal, jnp.exp(theta), weights, background, jnp.asarray(own_weights)
        )

    def signal_at(self, strength: Float[Array, ""] | float) -> Float[Array, "j p"]:
        """Signal at a strength at all nodes [events]."""
        return strength * self.signal[:, None] * self.signal_factors[None, :]


def whole_table(
    region: SearchRegion,
    rates: RegionRates,
    strength: Float[Array, ""] | float,
    *,
    n_max: int,
) -> Float[Array, "n_count n_shared"]:
    """Probability of 0 to n_max events given each shared node.

    Args:
        region: The region.
        rates: Its rates.
        strength: Strength of the signal.
        n_max: Largest count.

    Returns:
        Probabilities; certainty of no event in a closed region.
    """
    if _is_none(strength) or not region.signal:
        table = averaged_poisson_pmf(
            rates.background.T, rates.background_weights, n_max=n_max
        )
    elif rates.background_weights.shape[0] == 1:
        rate = rates.signal_at(strength) + rates.background
        table = averaged_poisson_pmf(rate.T, rates.signal_weights, n_max=n_max)
    else:
        fakes = averaged_poisson_pmf(
            rates.background.T, rates.background_weights, n_max=n_max
        )
        table = _convolved(_signal_table(rates, strength, n_max=n_max), fakes)
    no_event = np.zeros((n_max + 1, 1))
    no_event[0] = 1.0
    return jnp.where(region.is_open, table, jnp.asarray(no_event))


def _signal_table(
    rates: RegionRates, strength: Float[Array, ""] | float, *, n_max: int
) -> Float[Array, "n_count n_felt_signal"]:
    r"""Poisson probabilities of the signal, private nuisances averaged over.

    $$\sum_pw_p\mathrm{Pois}(k\,|\,sc_p) = \frac{s^k}{k!}\sum_p(w_pc_p^k)e^{-sc_p}$$

    so that one exponential for each pair of nodes serves all counts.
    """
    none = jnp.exp(-rates.signal_at(strength))
    powers = rates.signal_factors[:, None] ** np.arange(n_max + 1.0)[None, :]
    sums = none @ (rates.signal_weights[:, None] * powers)
    signal = strength * rates.signal
    term = jnp.ones_like(signal)
    terms = [term]
    for k in range(1, n_max + 1):
        term = term * signal / k
        terms.append(term)
    return jnp.stack(terms) * sums.T


def effective_cdf(
    region: SearchRegion,
    rates: RegionRates,
    strength: Float[Array, ""] | float,
    *,
    count: Float[Array, " n_value"],
    n_max: int,
) -> Float[Array, "n_value n_felt"]:
    r"""Probability of at most x events for real x, given each shared node.

    For many values it is computed at Chebyshev points up to the largest one, and
    $F(x)/(x+1)$ interpolated: to 2e-7 of the largest probability.

    Args:
        region: The region.
        rates: Its rates.
        strength: Strength of the signal.
        count: Values x.
        n_max: Largest value that matters; above it the probability is that at n_max.

    Returns:
        Probabilities; 0 up to x = -1. In a closed region 1 from x = 0 on.
    """
    rate, weights = rates.background[:, None, :], jnp.ones(1)
    if not _is_none(strength):
        # at most that, so that the sum stays finite
        signal = jnp.minimum(rates.signal_at(strength), _LARGEST_EFFECTIVE_RATE)
        rate, weights = signal[:, :, None] + rate, rates.signal_weights
    highest = float(max(n_max, FEW_EFFECTIVE))
    x = jnp.clip(count, -1.0 + 1e-9, highest)

    def average(at: Float[Array, " n_at"]) -> Float[Array, "n_at n_felt"]:
        values = _at_most(at[:, None, None, None], rate[None], highest=highest)
        return values @ rates.background_weights @ weights

    n_node = _N_CHEBYSHEV if highest <= FEW_EFFECTIVE else _N_CHEBYSHEV_MANY
    if count.shape[0] <= n_node:
        values = average(x)
    else:
        half = 0.5 * (jnp.max(x) + 1.0)
        nodes, matrix = _chebyshev_rule(n_node)
        at = half * (1.0 + nodes)
        coefficients = matrix @ (average(at - 1.0) / at[:, None])
        values = _chebyshev((x + 1.0) / half - 1.0, coefficients) * (x + 1.0)[:, None]
    inside = jnp.where(count[:, None] > -1.0, values, 0.0)
    closed = jnp.where(count[:, None] >= 0.0, 1.0, 0.0)
    return jnp.where(region.is_open, inside, closed)


def _chebyshev_rule(
    n_node: int,
) -> tuple[Float[Array, " n_node"], Float[Array, "n_node n_node"]]:
    """Chebyshev points, and the matrix from values there to coefficients."""
    nodes = np.cos(np.pi * (np.arange(n_node) + 0.5) / n_node)
    vander = np.polynomial.chebyshev.chebvander(nodes, n_node - 1)
    return jnp.asarray(nodes), jnp.asarray(np.linalg.inv(vander))


def _chebyshev(
    x: Float[Array, " n_value"], coefficients: Float[Array, "n_node n_felt"]
) -> Float[Array, "n_value n_felt"]:
    """Sum of Chebyshev polynomials by Clenshaw's recurrence, which vectorises."""
    x = x[:, None]
    later, last = jnp.zeros_like(x), jnp.zeros_like(x)
    for coefficient in coefficients[:0:-1]:
        later, last = 2.0 * x * later - last + coefficient[None, :], later
    return x * later - last + coefficients[0][None, :]


def _at_most(
    count: Float[Array, "*#shape"], rate: Float[Array, "*#shape"], *, highest: float
) -> Float[Array, "*#shape"]:
    r"""$Q(x+1,\lambda)$ for $-1 < x$ up to the highest.

    `log_at_most` is right up to 20. Above, $Q(x+1) = Q(x-k+1) +
    \sum_{i=1}^k\lambda^{x-k+i}e^{-\lambda}/\Gamma(x-k+i+1)$ with $x-k\le20$.
    """
    n_more = math.ceil(highest - FEW_EFFECTIVE)
    if n_more <= 0:
        return jnp.exp(log_at_most(count, rate))
    n_step = jnp.maximum(jnp.ceil(count - FEW_EFFECTIVE), 0.0)
    low = count - n_step
    total = jnp.exp(log_at_most(low, rate))
    safe = jnp.maximum(rate, 1e-10)
    term = jnp.exp(low * jnp.log(safe) - safe - gammaln(low + 1.0))
    for i in range(1, n_more + 1):
        term = term * safe / (low + i)
        total = total + jnp.where(i <= n_step, term, 0.0)
    return jnp.minimum(total, 1.0)


def observed_probability(
    region: SearchRegion, rates: RegionRates
) -> Float[Array, " n_shared"]:
    """Probability of the observed count of a control region, given each node.

    Args:
        region: A region without signal, its count as large as it likes.
        rates: Its rates.

    Returns:
        Probabilities over a common factor; 1 in a closed region.
    """
    n = region.observed
    rate = jnp.maximum(rates.background, 1e-300)
    log_terms = n * jnp.log(rate) - rate
    log_terms = log_terms - jax.lax.stop_gradient(jnp.max(log_terms))
    return jnp.where(region.is_open, jnp.exp(log_terms) @ rates.background_weights, 1.0)


def _is_none(strength: Float[Array, ""] | float) -> bool:
    """Whether it is known that there is no signal."""
    return isinstance(strength, float) and strength == 0.0


def _signal_nodes(
    region: SearchRegion, names: Sequence[str], n_max: int
) -> tuple[Float[Array, " n_private"], Float[Array, " n_private"]]:
    """Logs of the factor of the private nuisances of the signal, in quadrature."""
    if not names or not region.signal:
        return jnp.zeros(1), jnp.ones(1)
    own = [
        response
        for response in region.signal[0].responses
        if isinstance(response, LogResponse) and response.name in names
    ]
    if all(response.size is not None for response in own):
        spread = math.hypot(*(response.size or 0.0 for response in own))
        theta, weights = axis_rule(spread)
        return jnp.asarray(spread * theta), jnp.asarray(weights)
    variance = jnp.asarray(_SMALLEST_VARIANCE)
    for response in own:
        variance = variance + jnp.asarray(response.log_kappa) ** 2
    theta, weights = hermite_rule(N_UNKNOWN if n_max <= _FEW_COUNTS else _N_MANY)
    spread = jnp.minimum(jnp.sqrt(variance), LARGEST_SPREAD)
    return spread * jnp.asarray(theta), jnp.asarray(weights)


def _log_factor(
    responses: Sequence[SearchResponse], theta: dict[str, Float[Array, " _"]]
) -> Float[Array, " n_node"]:
    """Log of the product of the responses to some nuisances, at their nodes."""
    total = jnp.zeros(1)
    for response in responses:
        if response.name not in theta:
            continue
        total = total + response.log_factor(theta[response.name])
    return total


def _convolved(
    events: Float[Array, "n_count n_events"], fakes: Float[Array, "n_count n_fakes"]
) -> Float[Array, "n_count n_either"]:
    """Distribution of the sum of two counts."""
    n = np.arange(events.shape[0])
    difference = n[:, None] - n[None, :]
    shifted = jnp.where(
        jnp.asarray(difference >= 0)[:, :, None],
        fakes[np.maximum(difference, 0)],
        0.0,
    )
    return jnp.sum(shifted * events[None, :, :], axis=1)
