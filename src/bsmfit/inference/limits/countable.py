"""Whether a likelihood has exact sums, and the nodes that they need."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bsmfit.core.argument import choice
from bsmfit.errors import InputError, NoExactMethodError
from bsmfit.inference.counts.conditioned import FREE_PRIORS, ConditionedNodes
from bsmfit.inference.counts.conditioned_nodes import choose_conditioned_nodes
from bsmfit.inference.counts.ensemble import CountNodes
from bsmfit.inference.counts.marginal import LARGEST_COUNT
from bsmfit.inference.limits.carriers import Carriers
from bsmfit.inference.limits.points import Points
from bsmfit.likelihood.nodes import factorised_nodes
from bsmfit.likelihood.relevant import acting_responses, relevant_part

__all__ = [
    "check_countable",
    "check_exact_inputs",
    "count_nodes",
    "ensemble_name",
    "narrowed_to_counted",
]

# closer to a whole number, a count means that number
_WHOLE = 1e-6
# a posterior of the control bins that nodes do not know better is not used
_LARGEST_ERROR = 0.01


def check_exact_inputs(points: Points, free_prior: str) -> None:
    """Refuse what no plan can be made from.

    Args:
        points: The points.
        free_prior: Prior of free factors.

    Raises:
        InputError: Values are traced, or there is no such prior.
        NoExactMethodError: A region lists its events one by one.
    """
    choice("prior of free factors", free_prior, FREE_PRIORS)
    if points.arrays.structure.event_bins:
        msg = (
            "exact sums need counts, but a region lists its events one by one; "
            "bin their mark, or use method='asymptotic' or a posterior"
        )
        raise NoExactMethodError(msg)
    if not points.is_concrete:
        msg = (
            "nodes and largest counts are chosen from values, which are traced "
            "here; make a plan from similar values before and give it as plan="
        )
        raise InputError(msg)


def narrowed_to_counted(points: Points, carriers: Carriers) -> tuple[Points, Carriers]:
    """Leave out bins with next to no signal, unless they constrain nuisances.

    A bin that carries less than a millionth of the limit is no count of its own: in an
    ordering of outcomes it could only break ties.

    Args:
        points: The points.
        carriers: What their bins carry.

    Returns:
        The points whose signal bins are the counted ones, and what these carry.
    """
    counted = [i for i in carriers.counted_bins if i in points.signal_bins]
    if tuple(counted) == points.signal_bins:
        return points, carriers
    local = relevant_part(points.arrays, counted)
    part = type(points.part)(
        tuple(points.part.bins[i] for i in local.bins),
        tuple(points.part.parameters[i] for i in local.parameters),
    )
    signal_bins = tuple(n for n, i in enumerate(local.bins) if i in counted)
    index = np.array(local.bins)
    carriers = carriers._replace(
        background=carriers.background[:, index], share=carriers.share[:, index]
    )
    return points.narrowed(part).counting(signal_bins), carriers


def check_countable(points: Points, *, has_expected: bool) -> None:
    """Refuse observed counts that are no whole numbers, or too large ones.

    Args:
        points: The points.
        has_expected: Whether observed counts do not matter.

    Raises:
        NoExactMethodError: A bin that is counted has such a count.
    """
    if has_expected:
        return
    observed = np.asarray(points.arrays.observed)[:, list(points.signal_bins)]
    observed = observed[np.isfinite(observed)]
    fractional = observed[np.abs(observed - np.rint(observed)) > _WHOLE]
    if fractional.size:
        msg = (
            f"a region with signal has {fractional[0]:.6g} observed events, and sums "
            "over outcomes need whole numbers; use method='asymptotic', or "
            "expected_upper_limits, which does not look at them"
        )
        raise NoExactMethodError(msg)
    is_single = len(points.signal_bins) == 1
    if is_single and observed.size and observed.min() > LARGEST_COUNT:
        msg = (
            f"a bin has {observed.min():g} events, beyond the exact sums "
            f"({LARGEST_COUNT}); use method='asymptotic'"
        )
        raise NoExactMethodError(msg)


def count_nodes(
    points: Points,
    *,
    strength: Float[np.ndarray, " n_point"],
    free_prior: str,
    has_private: bool,
) -> tuple[CountNodes, float]:
    r"""Nodes of all nuisances, conditioned by the bins without signal.

    Args:
        points: The points.
        strength: Signal strength near the limit, for each point.
        free_prior: Prior of free factors.
        has_private: Whether nuisances of one background are kept apart.

    Returns:
        The nodes, and the estimated error of $\ln CL_s$ from them.

    Raises:
        NoExactMethodError: Nothing fixes a free factor, or no nodes are good enough.
    """
    _refuse_unfixed(points)
    control = [i for i in range(points.n_bin) if i not in points.signal_bins]
    if not control:
        return factorised_nodes(points.arrays, has_private=has_private), 0.0
    nodes, error = choose_conditioned_nodes(
        points.arrays,
        signal_bins=points.signal_bins,
        control_bins=control,
        strength=strength,
        free_prior=free_prior,
        has_private=has_private,
    )
    if not error < _LARGEST_ERROR:
        names = [points.arrays.parameter_names[i] for i in nodes.parameters]
        msg = (
            f"the bins without signal do not fix {', '.join(names[:4])} well enough "
            "for an average (estimated error of ln CLs "
            f"{error:.1g}, allowed {_LARGEST_ERROR:g}); constrain them, or use "
            "method='asymptotic'"
        )
        raise NoExactMethodError(msg)
    return nodes, error


def _refuse_unfixed(points: Points) -> None:
    """Refuse free factors that act on counted bins only."""
    arrays = points.arrays
    control = [i for i in range(points.n_bin) if i not in points.signal_bins]
    acts = acting_responses(arrays)
    for index, kind in enumerate(arrays.structure.constraints):
        if kind == "free" and not acts[index][:, control].any():
            msg = (
                f"the free factor {arrays.parameter_names[index]!r} has no constraint "
                "to average over: no bin without signal feels it; give it a control "
                "region or a constraint (LogNormal, Sideband), or use "
                "method='asymptotic'"
            )
            raise NoExactMethodError(msg)


def ensemble_name(points: Points, nodes: CountNodes) -> str:
    """What is averaged over besides the counts.

    Args:
        points: The points.
        nodes: Nodes of the nuisances.

    Returns:
        ``"known-background"``, ``"marginal"`` or ``"conditioned"``; the latter with the
        prior of free factors, ``"conditioned-flat"`` or ``"conditioned-jeffreys"``.
    """
    if isinstance(nodes, ConditionedNodes):
        has_free = "free" in points.arrays.structure.constraints
        return f"conditioned-{nodes.free_prior}" if has_free else "conditioned"
    has_nodes = nodes.shared.shape[0] * nodes.private.shape[0] > 1
    return "marginal" if has_nodes else "known-background"
