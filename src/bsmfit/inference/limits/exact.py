r"""Exact CLs and limits of any likelihood with few events, for all points of a grid.

One bin is one count: $CL_s$ by the sums of `bsmfit.inference.counts.marginal`. Several
bins are ordered by the likelihood ratio (or by name another way) and summed over joint
outcomes, by enumeration for a few bins and by convolution for many
(`bsmfit.inference.counts.joint_cls`). Nuisances are averaged over at common nodes.

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
from scipy.stats import poisson

from bsmfit.errors import InputError
from bsmfit.inference.asymptotics.counting import in_chunks
from bsmfit.inference.counts.ensemble import joint_counts_of, marginal_counts_of
from bsmfit.inference.counts.expected import (
    TAIL_TOLERANCE,
    expected_limits,
)
from bsmfit.inference.counts.joint_cls import joint_cls
from bsmfit.inference.counts.marginal import (
    count_probabilities,
    marginal_log_limit,
    marginal_log_limits,
    marginal_log_probabilities,
)
from bsmfit.inference.limits.joint_limit import expected_joint_limits, joint_limit
from bsmfit.inference.limits.method import LARGEST_COUNT
from bsmfit.inference.limits.points import Points
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.nodes import FactorisedNodes, factorised_nodes

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
    """

    nodes: FactorisedNodes
    n_max: int = eqx.field(static=True)
    technique: str = eqx.field(static=True)
    ordering: str = eqx.field(static=True)

    @classmethod
    def from_points(
        cls, points: Points, *, ordering: str, has_expected: bool = False
    ) -> ExactPlan:
        """Choose nodes and largest counts for a grid of known values.

        Args:
            points: The points.
            ordering: What is more signal-like; for one bin all orderings agree.
            has_expected: Whether expected limits are asked for, whose counts may
                exceed the observed ones.

        Returns:
            The plan.

        Raises:
            InputError: The likelihood has events one by one or free factors, too many
                events, or the values are traced.
        """
        structure = points.arrays.structure
        if structure.event_bins:
            msg = (
                "exact sums need counts, but a region lists its events one by one; "
                "bin their mark, or use method='asymptotic' or a posterior"
            )
            raise InputError(msg)
        if not points.is_concrete:
            msg = (
                "nodes and largest counts are chosen from values, which are traced "
                "here; make a plan from similar values before and give it as plan="
            )
            raise InputError(msg)
        nodes = factorised_nodes(points.arrays)
        if points.n_bin == 1:
            n_max = _largest_count(points, nodes) if has_expected else _observed(points)
            return cls(nodes, min(n_max, LARGEST_COUNT), "count", "count")
        n_max = _largest_joint_count(points)
        n_listed = float(n_max + 1) ** (points.n_bin - 1)
        is_short = n_listed <= _LARGEST_LISTING
        if not is_short and (ordering == "qtilde" or has_expected):
            what = "expected limits" if has_expected else "the ordering 'qtilde'"
            msg = (
                f"{what} of {points.n_bin} bins with up to {n_max} events need too "
                "long a list of outcomes; merge bins of similar signal over background"
            )
            raise InputError(msg)
        technique = "enumeration" if is_short else "convolution"
        return cls(nodes, n_max, technique, ordering)

    @property
    def ensemble(self) -> str:
        """What is averaged over besides the counts."""
        has_nodes = self.nodes.shared.shape[0] * self.nodes.private.shape[0] > 1
        return "marginal" if has_nodes else "known-background"

    @property
    def n_chunk(self) -> int:
        """Points per block, so that the temporaries stay in the cache."""
        cost = self.nodes.shared.shape[0] * self.nodes.private.shape[0]
        cost = cost * (self.n_max + 1) * self.nodes.private_weights.shape[1]
        return int(np.clip(_BLOCK_SIZE // cost, 1, 1024))


@eqx.filter_jit
def exact_limits(
    points: Points, plan: ExactPlan, *, cl: float
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
        if plan.technique == "count":
            counts = marginal_counts_of(arrays, plan.nodes, n_max=plan.n_max)
            n = arrays.observed[0].astype(int)
            log_limit, is_solved = marginal_log_limit(counts, n, cl=cl)
            value = jnp.exp(log_limit) / _safe(signal[0])
            is_converged = is_solved & (n <= plan.n_max)
        else:
            found = joint_limit(
                joint_counts_of(arrays, plan.nodes, n_max=plan.n_max),
                cl=cl,
                ordering=plan.ordering,
                method=plan.technique,
            )
            value, is_converged = found.strength, found.is_converged
        has_signal = jnp.any(signal > 0.0)
        return jnp.where(has_signal, value, jnp.inf), is_converged | ~has_signal

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

    def test(
        arrays: LikelihoodArrays,
        signal: Float[Array, " n_bin"],
        tested: Float[Array, ""],
    ):
        if plan.technique == "count":
            counts = marginal_counts_of(arrays, plan.nodes, n_max=plan.n_max)
            n = arrays.observed[0].astype(int)
            log_clsb, log_clb = marginal_log_probabilities(
                counts, n, signal=tested * signal[0]
            )
            return log_clsb, log_clb, n <= plan.n_max
        found = joint_cls(
            joint_counts_of(arrays, plan.nodes, n_max=plan.n_max),
            tested,
            ordering=plan.ordering,
            method=plan.technique,
        )
        return found.log_clsb, found.log_clb, found.is_converged

    return in_chunks(test, points.arrays, points.signal, strength, n_chunk=plan.n_chunk)


@eqx.filter_jit
def exact_expected_limits(
    points: Points, plan: ExactPlan, *, cl: float
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
        if plan.technique == "count":
            counts = marginal_counts_of(arrays, plan.nodes, n_max=plan.n_max)
            log_limits, is_solved = marginal_log_limits(counts, cl=cl)
            values = expected_limits(counts, log_limits) / _safe(signal[0])
            tail = 1.0 - jnp.sum(count_probabilities(counts))
            is_converged = jnp.all(is_solved) & (tail < TAIL_TOLERANCE)
        else:
            found = expected_joint_limits(
                joint_counts_of(arrays, plan.nodes, n_max=plan.n_max),
                cl=cl,
                n_sigma=jnp.asarray(_BAND_N_SIGMA),
                ordering=plan.ordering,
            )
            values, is_converged = found.strength, jnp.all(found.is_converged)
        has_signal = jnp.any(signal > 0.0)
        return jnp.where(has_signal, values, jnp.inf), is_converged | ~has_signal

    return in_chunks(limits, points.arrays, points.signal, n_chunk=plan.n_chunk)


def _safe(signal: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(signal > 0.0, signal, 1.0)


def _observed(points: Points) -> int:
    """Largest observed count of one bin, rounded up so that few programs are made."""
    observed = np.asarray(points.arrays.observed)
    largest = np.max(observed, initial=0.0, where=np.isfinite(observed))
    return next((n for n in _COUNTS if n >= largest), LARGEST_COUNT)


def _largest_count(points: Points, nodes: FactorisedNodes) -> int:
    """Smallest count above which no expected limit notices anything."""
    background = np.asarray(points.background)[:, 0]
    worst = int(np.argmax(np.where(np.isfinite(background), background, -1.0)))
    arrays = jax.tree.map(lambda leaf: leaf[worst], points.arrays)
    terms = marginal_counts_of(arrays, nodes, n_max=LARGEST_COUNT)
    tail = 1.0 - np.cumsum(np.asarray(count_probabilities(terms)))
    is_small = np.flatnonzero(tail < 0.1 * TAIL_TOLERANCE)
    ceiling = int(is_small[0]) if is_small.size else LARGEST_COUNT
    return max(ceiling, _observed(points))


def _largest_joint_count(points: Points) -> int:
    """Smallest count that no bin exceeds at the limit, for all practical purposes."""
    observed = np.nan_to_num(np.asarray(points.arrays.observed)).sum(axis=-1).max()
    background = np.nan_to_num(np.asarray(points.background)).max()
    excess = observed + 3.0 * np.sqrt(observed + 1.0)
    n_max = poisson.isf(_JOINT_TAIL, 1.5 * background + excess)
    # few different values, so that few programs are compiled
    return int(min(12 * np.ceil(n_max / 12.0), LARGEST_COUNT))
