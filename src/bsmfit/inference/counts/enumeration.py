r"""Probabilities of sets of outcomes of several counts, by listing them all.

$$P(Q\le Q_{obs}\,|\,j) = \sum_{\vec n:\,Q(\vec n)\le Q_{obs}+10^{-9}}
  \prod_c p_{cj}(n_c)$$

For an ordering that is a sum, $Q=\sum_c n_cw_c$, the last channel enters by its
cumulative distribution: $(n_{max}+1)^{K-1}$ lookups. For any other ordering all
$(n_{max}+1)^K$ outcomes are flagged and the flags contracted with one channel's
probabilities after the other. Which outcomes belong to the set does not depend on the
node, so a node costs only its multiplications.

What lies above n_max is left out. For an ordering that grows with each count, its share
is bounded: outcomes with $n_c > n_{max}$ are in the set only if $n_{max}+1$ events in
$c$ alone are, and the rest of such an outcome is in the set with $n_c = 0$ too, hence

$$\frac{P(n_c > n_{max},\,\mathrm{set})}{P(\mathrm{set})}\le
  \frac{P(n_c > n_{max})}{P(n_c = 0)}.$$
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from bsmfit.errors import InputError
from bsmfit.inference.counts.joint_counts import (
    SMALLEST_BACKGROUND,
    TIE_TOLERANCE,
    CountTerms,
    JointCounts,
    event_weights,
)

__all__ = [
    "LARGEST_ENUMERATION",
    "OrderedOutcomes",
    "drop_uninformative",
    "enumerated_node_probabilities",
    "enumerated_probability",
    "flagged_node_probabilities",
    "ordered_outcomes",
    "outcome_grid",
    "outcome_node_terms",
    "outcome_statistic",
    "relative_truncation",
]

# Outcomes that are listed at once; beyond it, see `convolution`
LARGEST_ENUMERATION = 2_000_000
_N_FREE_STEP = 14


class OrderedOutcomes(NamedTuple):
    """Where outcomes stand in an ordering; large is signal-like.

    Attributes:
        statistic: Q of every outcome of `outcome_grid`.
        observed: Q of the observed counts.
        first_neglected: Q of n_max + 1 events in one channel and none elsewhere.
    """

    statistic: Float[Array, " n_outcome"]
    observed: Float[Array, ""]
    first_neglected: Float[Array, " n_channel"]


def enumerated_probability(
    pmf: Float[Array, "n_channel n_count n_node"],
    node_weights: Float[Array, " n_node"],
    *,
    event_weights: Float[Array, " n_channel"],
    q_observed: Float[Array, ""],
) -> Float[Array, ""]:
    r"""$P(\sum_c n_c w_c\le Q_{obs})$, averaged over the nodes.

    Args:
        pmf: Probability of 0 to n_max events per channel and node.
        node_weights: Weights of the nodes, of sum 1.
        event_weights: $w_c$, >= 0.
        q_observed: $Q_{obs}$; outcomes up to 1e-9 above it count as tied.

    Returns:
        The probability, without what lies above n_max.

    Examples:
        >>> import jax.numpy as jnp
        >>> coin = jnp.full((2, 2, 1), 0.5)
        >>> one = jnp.ones(1)
        >>> w = jnp.array([1.0, 2.0])
        >>> q = jnp.array(1.0)
        >>> float(enumerated_probability(coin, one, event_weights=w, q_observed=q))
        0.5
    """
    nodes = enumerated_node_probabilities(
        pmf, event_weights=event_weights, q_observed=q_observed
    )
    return nodes @ node_weights


def enumerated_node_probabilities(
    terms: Float[Array, "n_channel n_count n_node"],
    *,
    event_weights: Float[Array, " n_channel"],
    q_observed: Float[Array, ""],
) -> Float[Array, " n_node"]:
    r"""Sum of the products of terms over all outcomes with $Q\le Q_{obs}$.

    Args:
        terms: Probability of 0 to n_max events, up to a factor per channel and node.
        event_weights: $w_c$, >= 0.
        q_observed: $Q_{obs}$.

    Returns:
        The sum for each node.
    """
    n_channel, n_count, _ = terms.shape
    _check_size(n_count, n_channel - 1)
    left = jnp.reshape(q_observed + TIE_TOLERANCE, (1,))
    n = jnp.arange(n_count, dtype=terms.dtype)
    for weight in event_weights[:-1]:
        left = (left[:, None] - (weight * n)[None, :]).reshape(-1)
    last = event_weights[-1]
    safe = jnp.where(last > 0.0, last, 1.0)
    largest = jnp.where(last > 0.0, jnp.floor(left / safe), 1.0 * n_count)
    largest = jnp.where(left >= 0.0, jnp.clip(largest, 0, n_count - 1), -1.0)
    cumulative = jnp.pad(jnp.cumsum(terms[-1], axis=0), ((1, 0), (0, 0)))
    return _contract(cumulative[largest.astype(int) + 1], terms[:-1])


def flagged_node_probabilities(
    terms: Float[Array, "n_channel n_count n_node"],
    is_included: Bool[Array, " n_outcome"],
) -> Float[Array, " n_node"]:
    """Sum of the products of terms over the flagged outcomes.

    Args:
        terms: Probability of 0 to n_max events, up to a factor per channel and node.
        is_included: For each outcome of `outcome_grid`.

    Returns:
        The sum for each node.
    """
    flags = is_included.astype(terms.dtype).reshape(-1, terms.shape[1])
    return _contract(flags @ terms[-1], terms[:-1])


def ordered_outcomes(
    counts: JointCounts, strength: Float[Array, ""], *, ordering: str
) -> OrderedOutcomes:
    """Q of all outcomes in one of the `ORDERINGS`, see `outcome_statistic`.

    Args:
        counts: The counts.
        strength: Tested signal strength [1], >= 0.
        ordering: One of `ORDERINGS`.

    Returns:
        Q of the outcomes, of the observed one, and of the first ones left out.
    """
    n_channel = counts.signal.shape[0]
    dtype = counts.signal.dtype
    rows = jnp.concatenate(
        [
            jnp.asarray(outcome_grid(n_channel, n_max=counts.n_max), dtype),
            counts.n_observed.astype(dtype)[None, :],
            (counts.n_max + 1.0) * jnp.eye(n_channel, dtype=dtype),
        ]
    )
    statistic = outcome_statistic(counts, strength, rows, ordering=ordering)
    return OrderedOutcomes(
        statistic=statistic[: -n_channel - 1],
        observed=statistic[-n_channel - 1],
        first_neglected=statistic[-n_channel:],
    )


def outcome_statistic(
    counts: JointCounts,
    strength: Float[Array, ""],
    rows: Float[Array, "n_row n_channel"],
    *,
    ordering: str,
) -> Float[Array, " n_row"]:
    r"""Q of given outcomes in one of the `ORDERINGS`.

    For ``"qtilde"``, $Q = -\tilde q_\mu$ at nominal nuisances, with $\hat\mu$ from
    $\sum_c s_c[n_c/(\hat\mu s_c+b_c)-1] = 0$ by Newton from below: the left side is
    convex and decreasing, so the iteration is monotone. It grows with every count.

    Args:
        counts: Signal and background; the observed counts are not read.
        strength: Tested signal strength [1], >= 0.
        rows: Counts per channel.
        ordering: One of `ORDERINGS`.

    Returns:
        Q, large for signal-like outcomes.
    """
    if ordering == "qtilde":
        return _minus_qtilde(counts, strength, rows)
    return rows @ event_weights(counts, strength, ordering=ordering)


def outcome_grid(n_channel: int, *, n_max: int) -> np.ndarray:
    """All outcomes with 0 to n_max events per channel, the last one varying fastest.

    Args:
        n_channel: Number of channels.
        n_max: Largest count.

    Returns:
        Counts, of shape (outcome, channel).
    """
    _check_size(n_max + 1, n_channel)
    return np.array(list(product(range(n_max + 1), repeat=n_channel)))


def outcome_node_terms(
    terms: Float[Array, "n_channel n_count n_node"],
) -> Float[Array, "n_outcome n_node"]:
    """Product of the terms of each outcome of `outcome_grid`.

    Args:
        terms: Probability of 0 to n_max events, up to a factor per channel and node.

    Returns:
        The products.
    """
    result = terms[0]
    for channel in terms[1:]:
        result = result[:, None, :] * channel[None, :, :]
        result = result.reshape(-1, terms.shape[2])
    return result


def drop_uninformative(
    counts: CountTerms, event_weights: Float[Array, " n_channel"]
) -> CountTerms:
    """Make channels whose events weigh nothing certain to have none.

    Their counts do not matter, so the sum over them is 1, exactly. This is what makes a
    channel without signal cost no accuracy, however large its background.

    Args:
        counts: Terms and rates.
        event_weights: Weight of one event; n_max + 1 of them within the tie tolerance
            of zero weigh nothing.

    Returns:
        Terms and rates with those channels at 1 for no event and 0 otherwise.
    """
    n_count = counts.terms.shape[1]
    is_dropped = event_weights * n_count <= TIE_TOLERANCE
    no_event = jnp.zeros_like(counts.terms).at[:, 0].set(1.0)
    return CountTerms(
        terms=jnp.where(is_dropped[:, None, None], no_event, counts.terms),
        rate=jnp.where(is_dropped[:, None], 0.0, counts.rate),
    )


def relative_truncation(
    counts: CountTerms,
    node_probabilities: Float[Array, " n_node"],
    *,
    is_reachable: Bool[Array, " n_channel"],
) -> Float[Array, " n_node"]:
    """Bound of what lies above n_max in each node, over what was summed there.

    The tail of a channel is that of a geometric series with the ratio of its last two
    terms: a bound for Poisson counts, an estimate for averaged ones.

    Args:
        counts: Terms and rates.
        node_probabilities: What was summed in each node, a probability.
        is_reachable: Whether an outcome with n_max + 1 events in the channel, and none
            in the others, belongs to the set.

    Returns:
        Bound of the neglected probability over the summed one; inf where there is none.
    """
    terms, rate = counts
    ratio = terms[:, -1] / jnp.maximum(terms[:, -2], 1e-300)
    is_falling = ratio < 1.0
    tail = terms[:, -1] * ratio / (1.0 - jnp.where(is_falling, ratio, 0.0))
    over_none = tail / jnp.maximum(terms[:, 0], 1e-300)
    over_all = tail * jnp.exp(-rate) / jnp.maximum(node_probabilities, 1e-300)[None]
    share = jnp.where(is_falling, jnp.minimum(over_none, over_all), jnp.inf)
    return jnp.sum(jnp.where(is_reachable[:, None], share, 0.0), axis=0)


def _contract(
    partial: Float[Array, "n_row n_node"],
    terms: Float[Array, "n_left n_count n_node"],
) -> Float[Array, " n_node"]:
    """Sum over the channels that are left, from the last to the first."""
    n_count, n_node = terms.shape[1:]
    for channel in terms[::-1]:
        partial = partial.reshape(-1, n_count, n_node)
        partial = jnp.sum(partial * channel[None], axis=1)
    return partial.reshape(n_node)


def _minus_qtilde(
    counts: JointCounts,
    strength: Float[Array, ""],
    rows: Float[Array, "n_row n_channel"],
) -> Float[Array, " n_row"]:
    signal = counts.nominal_signal
    background = jnp.maximum(counts.nominal_background, SMALLEST_BACKGROUND)
    free = _free_strength(
        rows, lax.stop_gradient(signal), lax.stop_gradient(background)
    )
    is_below = free < strength
    free = jnp.where(is_below, free, strength)
    at_free = jnp.log(free[:, None] * signal[None, :] + background[None, :])
    at_tested = jnp.log(strength * signal + background)
    gain = jnp.sum(rows * (at_free - at_tested[None, :]), axis=1)
    qtilde = 2.0 * (gain + (strength - free) * jnp.sum(signal))
    return jnp.where(is_below, -jnp.maximum(qtilde, 0.0), 0.0)


def _free_strength(
    rows: Float[Array, "n_row n_channel"],
    signal: Float[Array, " n_channel"],
    background: Float[Array, " n_channel"],
) -> Float[Array, " n_row"]:
    """Best strength >= 0 of each outcome."""
    total = jnp.maximum(jnp.sum(signal), 1e-300)
    has_signal = signal > 0.0
    ratio = background / jnp.where(has_signal, signal, 1.0)
    single = rows / total - jnp.where(has_signal, ratio, jnp.inf)[None, :]
    best = jnp.maximum(jnp.max(single, axis=1), 0.0)

    def newton(_: Array, best: Float[Array, " n_row"]) -> Float[Array, " n_row"]:
        per_event = signal[None, :] / (
            best[:, None] * signal[None, :] + background[None, :]
        )
        slope = jnp.sum(rows * per_event**2, axis=1)
        is_flat = slope <= 0.0
        value = jnp.sum(rows * per_event, axis=1) - total
        step = value / jnp.where(is_flat, 1.0, slope)
        return jnp.where(is_flat, 0.0, jnp.maximum(best + step, 0.0))

    # at the maximum of the likelihood its derivative does not matter
    return lax.stop_gradient(lax.fori_loop(0, _N_FREE_STEP, newton, best))


def _check_size(n_count: int, n_channel: int) -> None:
    if n_count**n_channel > LARGEST_ENUMERATION:
        msg = (
            f"{n_count}**{n_channel} outcomes are more than {LARGEST_ENUMERATION}: "
            "lower n_max, merge channels of equal signal over background, or use "
            'method="convolution"'
        )
        raise InputError(msg)
