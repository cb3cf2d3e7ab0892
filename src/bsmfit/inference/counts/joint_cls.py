r"""Exact CLs of several low counts together, observed and expected.

$$CL_s(\mu) = \frac{\sum_jw_j\,P(Q_\mu\le Q_\mu^{obs}\,|\,\mu, j)}
  {\sum_jw_j\,P(Q_\mu\le Q_\mu^{obs}\,|\,0, j)}$$

without toys, so a combined map has no noise and has derivatives. The ordering $Q_\mu$
is that of the tested strength and of nominal nuisances in both probabilities; it is
named in every result, since the answer depends on it.

Methods: ``"enumeration"`` (a few channels, any ordering, bounded truncation) and
``"convolution"`` (many bins, orderings that are sums). All inputs are traced; one
compilation serves a map. For maps use `jax.lax.map` with a `batch_size`, which bounds
the memory.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.inference.counts.convolution import (
    N_GRID,
    convolved_probability,
    lattice_range,
)
from bsmfit.inference.counts.enumeration import (
    drop_uninformative,
    enumerated_node_probabilities,
    flagged_node_probabilities,
    ordered_outcomes,
    outcome_node_terms,
    relative_truncation,
)
from bsmfit.inference.counts.joint_counts import (
    ORDERINGS,
    TIE_TOLERANCE,
    CountTerms,
    JointCounts,
    count_terms,
    event_weights,
    largest_rate,
)

__all__ = ["METHODS", "JointCLs", "check_choices", "expected_joint_cls", "joint_cls"]

METHODS = ("enumeration", "convolution")
# neglected probability over the one that is kept
_LARGEST_TRUNCATION = 1e-10
_LATTICE_TOLERANCE = 1e-6
_SMALLEST = 1e-300
# a signal this improbable is excluded whatever the digits
_LOG_ZERO = -69.0


class JointCLs(eqx.Module):
    """CLs of several counts together.

    Attributes:
        log_cls: ln CLs.
        log_clsb: ln of the probability of the observed or less signal-like outcomes
            with signal.
        log_clb: The same without signal.
        is_converged: Whether neglected counts, or the lattice, do not matter.
        ordering: What is more signal-like.
        method: How probabilities were computed.
    """

    log_cls: Float[Array, " *point"]
    log_clsb: Float[Array, " *point"]
    log_clb: Float[Array, " *point"]
    is_converged: Bool[Array, ""]
    ordering: str = eqx.field(static=True)
    method: str = eqx.field(static=True)


def joint_cls(
    counts: JointCounts,
    strength: Float[Array, ""],
    *,
    ordering: str = "likelihood-ratio",
    method: str = "enumeration",
    n_grid: int = N_GRID,
) -> JointCLs:
    r"""CLs of the observed counts at one strength.

    1 at zero strength. Differentiable in all inputs but the counts, except where
    outcomes swap order.

    Args:
        counts: The counts.
        strength: Tested signal strength [1], >= 0.
        ordering: One of `ORDERINGS`.
        method: One of `METHODS`.
        n_grid: Points of the lattice of a convolution.

    Returns:
        CLs and its two probabilities.

    References:
        CLs: hep-ex/9902006 (unverified).

    Examples:
        >>> import jax.numpy as jnp
        >>> counts = JointCounts.from_known(
        ...     jnp.array([1.0, 1.0]),
        ...     jnp.array([0.016, 0.18]),
        ...     n_observed=jnp.array([1, 0]),
        ... )
        >>> result = joint_cls(counts, jnp.array(1.0))
        >>> round(float(jnp.exp(result.log_cls)), 6)
        0.434542
    """
    require_x64("joint_cls")
    check_choices(ordering, method)
    if method == "convolution":
        log_clsb, log_clb, is_converged = _convolved(counts, strength, ordering, n_grid)
    else:
        log_clsb, log_clb, is_converged = _enumerated(counts, strength, ordering)
    return JointCLs(
        log_cls=log_clsb - log_clb,
        log_clsb=log_clsb,
        log_clb=log_clb,
        is_converged=is_converged,
        ordering=ordering,
        method=method,
    )


def expected_joint_cls(
    counts: JointCounts,
    strength: Float[Array, ""],
    *,
    n_sigma: Float[Array, " n_level"],
    ordering: str = "likelihood-ratio",
) -> JointCLs:
    r"""CLs to be expected without a signal, at quantiles of the ordering.

    At level N the observed Q is replaced by the smallest q with $P(Q_\mu\le q\,|\,0)
    \ge\Phi(N)$, nuisances averaged over: N = 0 is the median, N > 0 an excess. With one
    channel and a known background these are the CLs of the smallest counts with
    $P(\le n|b)\ge\Phi(N)$.

    Args:
        counts: The counts; the observed ones are not read.
        strength: Tested signal strength [1], > 0.
        n_sigma: Levels N.
        ordering: One of `ORDERINGS`.

    Returns:
        CLs for each level.
    """
    require_x64("expected_joint_cls")
    check_choices(ordering, "enumeration")
    outcomes = ordered_outcomes(counts, strength, ordering=ordering)
    both = _Hypotheses.at(counts, strength, ordering)
    products = outcome_node_terms(both.counts.terms)
    with_signal, without = both.probabilities(products)
    order = jnp.argsort(outcomes.statistic)
    statistic = outcomes.statistic[order]
    sum_with = jnp.cumsum(with_signal[order])
    sum_without = jnp.cumsum(without[order])
    last = statistic.shape[0] - 1
    first = jnp.searchsorted(sum_without, ndtr(n_sigma) * (1.0 - TIE_TOLERANCE))
    quantile = statistic[jnp.minimum(first, last)]
    tied = jnp.searchsorted(statistic, quantile + TIE_TOLERANCE, side="right") - 1
    log_clsb = jnp.log(jnp.maximum(sum_with[tied], _SMALLEST))
    log_clb = jnp.log(jnp.maximum(sum_without[tied], _SMALLEST))
    limit = jnp.max(quantile) + TIE_TOLERANCE
    per_node = (outcomes.statistic <= limit).astype(products.dtype) @ products
    is_complete = both.is_complete(per_node, outcomes.first_neglected <= limit)
    return JointCLs(
        log_cls=log_clsb - log_clb,
        log_clsb=log_clsb,
        log_clb=log_clb,
        is_converged=is_complete & jnp.all(first <= last),
        ordering=ordering,
        method="enumeration",
    )


def check_choices(ordering: str, method: str) -> None:
    """Raise an error for an unknown ordering or method, or a pair that does not fit.

    Args:
        ordering: One of `ORDERINGS`.
        method: One of `METHODS`.

    Raises:
        InputError: One is unknown, or a convolution is asked for an ordering that is
            no sum over events.
    """
    if ordering not in ORDERINGS:
        kind = "ordering"
        raise UnknownNameError.from_choices(kind, ordering, ORDERINGS)
    if method not in METHODS:
        kind = "method"
        raise UnknownNameError.from_choices(kind, method, METHODS)
    if method == "convolution" and ordering == "qtilde":
        msg = (
            'ordering="qtilde" is no sum over events and cannot be convolved; use '
            'method="enumeration" or ordering="likelihood-ratio"'
        )
        raise InputError(msg)


class _Hypotheses(eqx.Module):
    """Terms with and without signal, one after the other on the axis of nodes."""

    counts: CountTerms
    node_weights: Float[Array, " n_node"]

    @classmethod
    def at(
        cls, counts: JointCounts, strength: Float[Array, ""], ordering: str
    ) -> _Hypotheses:
        background_terms = counts.background_terms
        if background_terms is not None:
            background_terms = jnp.concatenate([background_terms] * 2, axis=2)
        both = JointCounts(
            n_observed=counts.n_observed,
            nominal_signal=counts.nominal_signal,
            nominal_background=counts.nominal_background,
            node_weights=jnp.concatenate([0.5 * counts.node_weights] * 2),
            signal=jnp.concatenate([counts.signal, 0.0 * counts.signal], axis=1),
            background=jnp.concatenate([counts.background] * 2, axis=1),
            background_terms=background_terms,
            n_max=counts.n_max,
        )
        terms = count_terms(both, strength)
        if ordering != "sum":
            weights = event_weights(counts, strength, ordering="likelihood-ratio")
            terms = drop_uninformative(terms, weights)
        return cls(counts=terms, node_weights=counts.node_weights)

    def log_probabilities(
        self, per_node: Float[Array, " n_both"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Ln of the averages of sums of products of terms, with and without signal."""
        shares, top = self._shares(per_node)
        total = jnp.log(jnp.maximum(jnp.sum(shares, axis=1), _SMALLEST)) + top
        return total[0], total[1]

    def probabilities(
        self, per_node: Float[Array, "n_outcome n_both"]
    ) -> tuple[Float[Array, " n_outcome"], Float[Array, " n_outcome"]]:
        """Averages with and without signal, outcome by outcome."""
        scale = jnp.exp(-jnp.sum(self.counts.rate, axis=0))
        n_node = self.node_weights.shape[0]
        with_signal = per_node[:, :n_node] @ (self.node_weights * scale[:n_node])
        return with_signal, per_node[:, n_node:] @ (self.node_weights * scale[n_node:])

    def is_complete(
        self, per_node: Float[Array, " n_both"], is_reachable: Bool[Array, " n_channel"]
    ) -> Bool[Array, ""]:
        """Whether what lies above n_max does not matter."""
        absolute = per_node * jnp.exp(-jnp.sum(self.counts.rate, axis=0))
        bound = relative_truncation(
            self.counts, absolute, is_reachable=is_reachable
        ).reshape(2, -1)
        shares, _ = self._shares(per_node)
        n_channel, n_count, _ = self.counts.terms.shape
        is_cut = self.counts.rate > largest_rate(n_channel, n_max=n_count - 1)
        bound = jnp.where(jnp.any(is_cut, axis=0).reshape(2, -1), 1.0, bound)
        neglected = jnp.sum(jnp.where(shares > 0.0, shares * bound, 0.0), axis=1)
        total = jnp.sum(shares, axis=1)
        is_zero = (
            jnp.array([1.0, 0.0]) * self.log_probabilities(per_node)[0] < _LOG_ZERO
        )
        return jnp.all((neglected < _LARGEST_TRUNCATION * total) | is_zero)

    def _shares(
        self, per_node: Float[Array, " n_both"]
    ) -> tuple[Float[Array, "2 n_node"], Float[Array, " 2"]]:
        log_scale = -jnp.sum(self.counts.rate, axis=0).reshape(2, -1)
        top = jnp.max(log_scale, axis=1)
        factor = jnp.exp(log_scale - top[:, None]) * self.node_weights[None, :]
        return per_node.reshape(2, -1) * factor, top


def _enumerated(
    counts: JointCounts, strength: Float[Array, ""], ordering: str
) -> tuple[Float[Array, ""], Float[Array, ""], Bool[Array, ""]]:
    both = _Hypotheses.at(counts, strength, ordering)
    if ordering == "qtilde":
        outcomes = ordered_outcomes(counts, strength, ordering=ordering)
        limit = outcomes.observed + TIE_TOLERANCE
        is_reachable = outcomes.first_neglected <= limit
        per_node = flagged_node_probabilities(
            both.counts.terms, outcomes.statistic <= limit
        )
    else:
        weights = event_weights(counts, strength, ordering=ordering)
        observed = counts.n_observed.astype(weights.dtype) @ weights
        is_reachable = weights * (counts.n_max + 1) <= observed + TIE_TOLERANCE
        per_node = enumerated_node_probabilities(
            both.counts.terms, event_weights=weights, q_observed=observed
        )
    log_clsb, log_clb = both.log_probabilities(per_node)
    return log_clsb, log_clb, both.is_complete(per_node, is_reachable)


def _convolved(
    counts: JointCounts, strength: Float[Array, ""], ordering: str, n_grid: int
) -> tuple[Float[Array, ""], Float[Array, ""], Bool[Array, ""]]:
    weights = event_weights(counts, strength, ordering=ordering)
    q_max = lattice_range(counts, strength, event_weights=weights)
    logs = []
    for points in (n_grid, 2 * n_grid):
        for hypothesis in (strength, 0.0 * strength):
            probability = convolved_probability(
                counts, hypothesis, event_weights=weights, q_max=q_max, n_grid=points
            )
            logs.append(jnp.log(jnp.maximum(probability, _SMALLEST)))
    log_cls = logs[2] - logs[3]
    is_converged = jnp.abs(logs[0] - logs[1] - log_cls) < _LATTICE_TOLERANCE
    if counts.background_terms is not None:
        missing = 1.0 - jnp.sum(counts.background_terms, axis=1)
        is_converged = is_converged & jnp.all(missing < _LARGEST_TRUNCATION)
    return logs[2], logs[3], is_converged
