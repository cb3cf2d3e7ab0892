r"""Exact CLs and limits of any likelihood with few events, for all points of a grid.

One bin is one count: $CL_s$ by the sums of `bsmfit.inference.counts.marginal`. Several
bins are ordered by the likelihood ratio (or by name another way) and summed over joint
outcomes, by enumeration for a few bins and by convolution for many, or for large counts
(`bsmfit.inference.counts.joint_cls`). Nuisances are averaged over at common nodes. Only
bins that carry signal are counted; all others condition the nuisances that they share
(`bsmfit.inference.counts.conditioned`), however many events they have.

Nodes and the largest counts are numbers that the program depends on. They are chosen
from the values of the whole grid (`ExactPlan.from_points`); where values are traced, a
plan made before from similar values is given instead.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.special import pdtrc

from bsmfit.errors import NoExactMethodError
from bsmfit.inference.asymptotics.counting import in_chunks
from bsmfit.inference.counts.conditioned import ConditionedNodes
from bsmfit.inference.counts.ensemble import (
    CountNodes,
    joint_counts_at,
    marginal_counts_at,
    marginal_counts_of,
    yields_at_nodes,
)
from bsmfit.inference.counts.expected import TAIL_TOLERANCE, expected_limits
from bsmfit.inference.counts.joint_cls import joint_cls
from bsmfit.inference.counts.joint_counts import LARGEST_JOINT_COUNT
from bsmfit.inference.counts.marginal import (
    LARGEST_COUNT,
    count_probabilities,
    marginal_log_limit,
    marginal_log_limits,
    marginal_log_probabilities,
)
from bsmfit.inference.limits.carriers import Carriers
from bsmfit.inference.limits.countable import (
    check_countable,
    check_exact_inputs,
    count_nodes,
    ensemble_name,
    narrowed_to_counted,
)
from bsmfit.inference.limits.joint_limit import expected_joint_limits, joint_limit
from bsmfit.inference.limits.points import Points
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.poisson import Level
from bsmfit.likelihood.relevant import Part

__all__ = ["ExactPlan", "exact_cls", "exact_expected_limits", "exact_limits"]

# products of counts that are listed for every node and strength
_LARGEST_LISTING = 20_000
_JOINT_TAIL = 1e-12
_COUNTS = (3, 7, 15, 31, 60)
_BAND_N_SIGMA = (-2.0, -1.0, 0.0, 1.0, 2.0)
# doubles that the temporaries of one block of points may take
_BLOCK_SIZE = 2**19


class ExactPlan(eqx.Module):
    """What an exact program depends on besides the values.

    Attributes:
        nodes: Nodes of the nuisances.
        n_max: Largest count that is treated, per bin.
        technique: ``"count"`` for one bin, ``"enumeration"`` or ``"convolution"`` for
            several.
        ordering: What is more signal-like.
        part: Bins and nuisances of the likelihood that matter.
        ensemble: What is averaged over besides the counts.
        error: Estimated error of ln CLs from the nodes of nuisances that bins without
            signal constrain; 0 where there are none.
    """

    nodes: CountNodes
    n_max: int = eqx.field(static=True)
    technique: str = eqx.field(static=True)
    ordering: str = eqx.field(static=True)
    part: Part = eqx.field(static=True)
    ensemble: str = eqx.field(static=True)
    error: float = eqx.field(static=True, default=0.0)

    @classmethod
    def from_points(
        cls,
        points: Points,
        *,
        ordering: str,
        has_expected: bool = False,
        free_prior: str = "flat",
    ) -> ExactPlan:
        """Choose nodes and largest counts for a grid of known values.

        Args:
            points: The points.
            ordering: What is more signal-like; for one bin all orderings agree.
            has_expected: Whether expected limits are asked for, whose counts may
                exceed the observed ones.
            free_prior: Prior of free factors: ``"flat"`` or ``"jeffreys"`` in the
                expected counts of the bins without signal.

        Returns:
            The plan.

        Raises:
            NoExactMethodError: There are no such sums for this likelihood, or too long
                ones.
            InputError: The values are traced, or there is no such prior.
        """
        check_exact_inputs(points, free_prior)
        carriers = Carriers.of(points, has_expected=has_expected)
        points, carriers = narrowed_to_counted(points, carriers)
        check_countable(points, has_expected=has_expected)
        n_counted = len(points.signal_bins)
        n_max = 0 if n_counted == 1 else _largest_joint_count(points, carriers)
        nodes, error = count_nodes(
            points,
            strength=carriers.strength,
            free_prior=free_prior,
            has_private=n_max <= LARGEST_COUNT,
        )
        ensemble = ensemble_name(points, nodes)
        if n_counted == 1:
            observed = _observed(points)
            n_max = _largest_count(points, nodes) if has_expected else observed
            n_max = min(n_max, LARGEST_COUNT)
            return cls(nodes, n_max, "count", "count", points.part, ensemble, error)
        n_listed = float(n_max + 1) ** (n_counted - 1)
        is_short = n_listed <= _LARGEST_LISTING and n_max <= LARGEST_JOINT_COUNT
        if not is_short and (ordering == "qtilde" or has_expected):
            what = "expected limits" if has_expected else "the ordering 'qtilde'"
            msg = (
                f"{what} of {n_counted} bins with up to {n_max} events need too "
                "long a list of outcomes; merge bins of similar signal over "
                "background, or use method='asymptotic'"
            )
            raise NoExactMethodError(msg)
        technique = "enumeration" if is_short else "convolution"
        n_max = min(n_max, LARGEST_JOINT_COUNT if is_short else LARGEST_COUNT)
        return cls(nodes, n_max, technique, ordering, points.part, ensemble, error)

    @property
    def n_node(self) -> int:
        """Nodes that are evaluated at each point."""
        nodes = self.nodes
        base = nodes.base if isinstance(nodes, ConditionedNodes) else nodes
        n_unit = nodes.units.shape[0] if isinstance(nodes, ConditionedNodes) else 1
        return n_unit * base.shared.shape[0] * base.private.shape[0]

    @property
    def n_counted(self) -> int:
        """Bins that are counted."""
        if isinstance(self.nodes, ConditionedNodes):
            return len(self.nodes.signal_bins)
        return self.nodes.private_weights.shape[1]

    @property
    def n_chunk(self) -> int:
        """Points per block, so that the temporaries stay in the cache."""
        cost = self.n_node * (self.n_max + 1) * self.n_counted
        return int(np.clip(_BLOCK_SIZE // cost, 1, 1024))


@eqx.filter_jit
def exact_limits(
    points: Points, plan: ExactPlan, *, cl: Level
) -> tuple[Float[Array, " n_point"], Bool[Array, " n_point"]]:
    """Upper limits on the strength.

    Args:
        points: The points.
        plan: Nodes and largest counts.
        cl: Confidence level.

    Returns:
        Limits, inf where no signal is expected, and whether they are found.
    """

    def limit(arrays: LikelihoodArrays, signal: Float[Array, " n_bin"]):
        yields = yields_at_nodes(arrays, plan.nodes)
        if plan.technique == "count":
            counts = marginal_counts_at(yields, n_max=plan.n_max)
            n = jnp.rint(yields.observed[0]).astype(int)
            log_limit, is_solved = marginal_log_limit(counts, n, cl=cl)
            value = jnp.exp(log_limit) / _safe(yields.nominal_signal[0])
            is_converged = is_solved & (n <= plan.n_max)
        else:
            found = joint_limit(
                joint_counts_at(yields, n_max=plan.n_max),
                cl=cl,
                ordering=plan.ordering,
                method=plan.technique,
            )
            value, is_converged = found.strength, found.is_converged
        is_converged = is_converged & yields.is_converged
        has_signal = jnp.any(signal > 0.0)
        return jnp.where(has_signal, value, jnp.inf), is_converged | ~has_signal

    points = points.narrowed(plan.part)
    return in_chunks(limit, points.arrays, points.signal, n_chunk=plan.n_chunk)


@eqx.filter_jit
def exact_cls(
    points: Points, plan: ExactPlan, strength: Float[Array, " n_point"]
) -> tuple[Float[Array, " n_point"], Float[Array, " n_point"], Bool[Array, " n_point"]]:
    r"""CLs of one strength for each point.

    Args:
        points: The points.
        plan: Nodes and largest counts.
        strength: Tested strengths, >= 0.

    Returns:
        $\ln CL_{s+b}$, $\ln CL_b$ and whether nothing that matters was left out.
    """

    def test(arrays: LikelihoodArrays, tested: Float[Array, ""]):
        yields = yields_at_nodes(arrays, plan.nodes)
        if plan.technique == "count":
            counts = marginal_counts_at(yields, n_max=plan.n_max)
            n = jnp.rint(yields.observed[0]).astype(int)
            log_clsb, log_clb = marginal_log_probabilities(
                counts, n, signal=tested * yields.nominal_signal[0]
            )
            return log_clsb, log_clb, yields.is_converged & (n <= plan.n_max)
        found = joint_cls(
            joint_counts_at(yields, n_max=plan.n_max),
            tested,
            ordering=plan.ordering,
            method=plan.technique,
        )
        return found.log_clsb, found.log_clb, found.is_converged & yields.is_converged

    points = points.narrowed(plan.part)
    return in_chunks(test, points.arrays, strength, n_chunk=plan.n_chunk)


@eqx.filter_jit
def exact_expected_limits(
    points: Points, plan: ExactPlan, *, cl: Level
) -> tuple[Float[Array, "n_point 5"], Bool[Array, " n_point"]]:
    """Limits to be expected without a signal.

    One bin: quantiles of the limit with counts and nuisances drawn
    (`bsmfit.inference.counts.expected.expected_limits`). Several bins: the limits of
    the quantiles of the ordering
    (`bsmfit.inference.limits.joint_limit.expected_joint_limits`).

    Args:
        points: The points.
        plan: Nodes and largest counts, made for expected limits.
        cl: Confidence level.

    Returns:
        Limits at -2 to 2 standard deviations, and whether they are found.
    """

    def limits(arrays: LikelihoodArrays, signal: Float[Array, " n_bin"]):
        yields = yields_at_nodes(arrays, plan.nodes)
        if plan.technique == "count":
            counts = marginal_counts_at(yields, n_max=plan.n_max)
            log_limits, is_solved = marginal_log_limits(counts, cl=cl)
            values = expected_limits(counts, log_limits)
            values = values / _safe(yields.nominal_signal[0])
            tail = 1.0 - jnp.sum(count_probabilities(counts))
            is_converged = jnp.all(is_solved) & (tail < TAIL_TOLERANCE)
        else:
            found = expected_joint_limits(
                joint_counts_at(yields, n_max=plan.n_max),
                cl=cl,
                n_sigma=jnp.asarray(_BAND_N_SIGMA),
                ordering=plan.ordering,
            )
            values, is_converged = found.strength, jnp.all(found.is_converged)
        is_converged = is_converged & yields.is_converged
        has_signal = jnp.any(signal > 0.0)
        return jnp.where(has_signal, values, jnp.inf), is_converged | ~has_signal

    points = points.narrowed(plan.part)
    return in_chunks(limits, points.arrays, points.signal, n_chunk=plan.n_chunk)


def _safe(signal: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(signal > 0.0, signal, 1.0)


def _observed(points: Points) -> int:
    """Largest observed count of one bin, rounded up so that few programs are made."""
    observed = np.asarray(points.arrays.observed)[:, points.signal_bins[0]]
    largest = np.max(observed, initial=0.0, where=np.isfinite(observed))
    return next((n for n in _COUNTS if n >= largest), LARGEST_COUNT)


def _largest_count(points: Points, nodes: CountNodes) -> int:
    """Smallest count above which no expected limit notices anything."""
    background = np.asarray(points.background)[:, points.signal_bins[0]]
    worst = int(np.argmax(np.where(np.isfinite(background), background, -1.0)))
    arrays = jax.tree.map(lambda leaf: leaf[worst], points.arrays)
    terms = marginal_counts_of(arrays, nodes, n_max=LARGEST_COUNT)
    tail = 1.0 - np.cumsum(np.asarray(count_probabilities(terms)))
    is_small = np.flatnonzero(tail < 0.1 * TAIL_TOLERANCE)
    ceiling = int(is_small[0]) if is_small.size else LARGEST_COUNT
    return max(ceiling, _observed(points))


def _largest_joint_count(points: Points, carriers: Carriers) -> int:
    """Smallest count that no bin exceeds at the limit, for all practical purposes."""
    bins = list(points.signal_bins)
    observed = np.nan_to_num(np.asarray(points.arrays.observed))[:, bins]
    observed = observed.sum(axis=-1).max()
    background = carriers.background[:, bins].max()
    excess = observed + 3.0 * np.sqrt(observed + 1.0)
    rate = 1.5 * background + excess
    # far above the mean the tail falls like a Gaussian's, eight deviations out
    candidates = np.arange(np.ceil(rate + 10.0 * np.sqrt(rate + 1.0) + 20.0) + 1.0)
    n_max = candidates[np.argmax(pdtrc(candidates, rate) <= _JOINT_TAIL)]
    # few different values, so that few programs are compiled
    return int(12 * np.ceil(n_max / 12.0))
