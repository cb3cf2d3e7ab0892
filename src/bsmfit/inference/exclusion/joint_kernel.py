r"""Exact joint CLs of any mix of regions at one point of a map.

$$CL_s = \frac{P(T\le T_{obs}\,|\,1)}{P(T\le T_{obs}\,|\,0)},\qquad
  T = \sum_c n_c\ln\Big(1+\frac{s_c}{b_c}\Big)$$

ordered by the likelihood ratio of the tested point at nominal nuisances, averaged over
the nuisances (`bsmfit.inference.exclusion.joint_probability`). What is expected without
a signal are the CLs at the quantiles of T. Regions without signal constrain the shared
nuisances: the probability of their counts weights the nodes.

A search alone is the same sum over its own regions. The union of single exclusions has
no confidence level; the joint one has, and is usually larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float
from scipy.special import pdtrc

from bsmfit._x64 import require_x64
from bsmfit.channels.search_region import (
    LargestCount,
    SearchRegion,
    log_total_signal,
)
from bsmfit.errors import UnknownNameError
from bsmfit.inference.counts.expected import QUANTILE_LEVELS
from bsmfit.inference.counts.joint_counts import SMALLEST_BACKGROUND, TIE_TOLERANCE
from bsmfit.inference.exclusion.count_tables import RegionRates, observed_probability
from bsmfit.inference.exclusion.joint_probability import JointProbability
from bsmfit.inference.exclusion.nuisance_sort import (
    NuisanceSort,
    all_responses,
    shared_nodes,
)
from bsmfit.inference.exclusion.result import Exclusion
from bsmfit.likelihood.poisson import Level

__all__ = ["JOINT_ORDERINGS", "JointKernel"]

JOINT_ORDERINGS = ("likelihood-ratio", "sum")
"""Orderings of joint outcomes in a map."""

_MEDIAN = QUANTILE_LEVELS.index(0.5)
_SMALLEST = 1e-300
_LARGEST_LOG_SIGNAL = 690.0
# neglected over kept probability, and over that without signal
_RELATIVE, _ABSOLUTE = 1e-7, 1e-10
_LISTED_TAIL, _EXPECTED_TAIL = 1e-10, 3e-6
_COUNTS = (3, 5, 7, 9, 12, 15, 20, 25, 31, 40, 50, 60)


class JointKernel(eqx.Module):
    """Joint CLs of the regions of one or several searches.

    Attributes:
        searches: Names of the searches.
        members: Indices of the regions of each search.
        sort: Where the nuisances act.
        ordering: One of `JOINT_ORDERINGS`.
        cl: Confidence level.
        n_max: Largest listed count by region.
        n_expected: Largest count without signal by region.
        nodes: Nodes of the shared nuisances.
        node_weights: Their weights, of sum 1.
    """

    searches: tuple[str, ...] = eqx.field(static=True)
    members: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    sort: NuisanceSort = eqx.field(static=True)
    ordering: str = eqx.field(static=True)
    cl: Level
    n_max: tuple[int, ...] = eqx.field(static=True)
    n_expected: tuple[int, ...] = eqx.field(static=True)
    nodes: Float[Array, "n_node n_shared"]
    node_weights: Float[Array, " n_node"]

    @classmethod
    def of(
        cls,
        regions: Sequence[SearchRegion],
        *,
        searches: Sequence[str],
        members: Sequence[Sequence[int]],
        largest: Sequence[LargestCount],
        cl: Level,
        ordering: str,
    ) -> JointKernel:
        """Plan the sums for regions of known structure.

        Args:
            regions: The regions; only their structure is read.
            searches: Names of the searches.
            members: Indices of the regions of each.
            largest: Largest counts of each region.
            cl: Confidence level.
            ordering: One of `JOINT_ORDERINGS`.

        Returns:
            The kernel.

        Raises:
            UnknownNameError: There is no such ordering.
        """
        if ordering not in JOINT_ORDERINGS:
            kind = "ordering"
            raise UnknownNameError.from_choices(kind, ordering, JOINT_ORDERINGS)
        sort = NuisanceSort.of(regions)
        nodes, weights = shared_nodes(regions, sort.shared)
        # by the sum, all events seen may be of one region
        n_seen = sum(most.observed for most in largest)
        at_least = n_seen if ordering == "sum" else 0.0
        return cls(
            searches=tuple(searches),
            members=tuple(map(tuple, members)),
            sort=sort,
            ordering=ordering,
            cl=cl,
            n_max=tuple(
                _listed_count(region, most, at_least=at_least)
                for region, most in zip(regions, largest, strict=True)
            ),
            n_expected=tuple(map(_expected_count, regions, largest)),
            nodes=jnp.asarray(nodes),
            node_weights=jnp.asarray(weights),
        )

    @property
    def n_value(self) -> int:
        """Doubles that the temporaries of one point take, about."""
        n_node = self.node_weights.shape[0]
        listed = np.prod([n + 1.0 for n in self.n_max])
        expected = np.prod([n + 1.0 for n in self.n_expected])
        return int(n_node * (listed + expected) + 200 * n_node * len(self.n_max))

    def __call__(self, regions: Sequence[SearchRegion]) -> Exclusion:
        """Limits of the tested signal.

        Args:
            regions: The regions at a point, of the planned structure.

        Returns:
            CLs observed and expected, of all searches and of each alone.
        """
        require_x64("JointKernel")
        rates = self._rates(regions)
        everything = tuple(range(len(regions)))
        joint = self._joint(regions, rates, everything)
        log_cls, is_complete = self._observed(joint)
        log_expected = self._expected(joint, everything)
        single = []
        for members in self.members:
            part = self._joint(regions, rates, members)
            log_part, is_part_complete = self._observed(part)
            single.append(jnp.exp(log_part))
            is_complete = is_complete & is_part_complete
        is_open = jnp.any(jnp.stack([region.is_open for region in regions]))
        is_found = jnp.all(jnp.stack([region.is_found for region in regions]))
        counts = [
            jnp.where(region.is_open, region.observed, 0.0)
            for region in regions
            if region.signal
        ]
        expected = jnp.exp(log_expected)
        return Exclusion(
            n_signal=jnp.exp(
                jnp.minimum(log_total_signal(regions), _LARGEST_LOG_SIGNAL)
            ),
            n_observed=sum(counts, start=jnp.zeros(())),
            cls_obs=jnp.exp(log_cls),
            cls_exp=expected[_MEDIAN],
            is_open=is_open,
            is_converged=is_complete & is_found,
            cls_exp_quantiles=expected,
            cls_obs_single=jnp.stack(single),
            log_cls=log_cls,
            cl=self.cl,
            ensemble=self.ensemble,
            ordering=self.ordering,
        )

    @property
    def ensemble(self) -> str:
        """What is averaged over besides the counts."""
        names = [*self.sort.shared, *self.sort.private_signal]
        has_any = any(names) or any(self.sort.private_background)
        return "marginal" if has_any else "known-background"

    def _joint(
        self,
        regions: Sequence[SearchRegion],
        rates: Sequence[RegionRates],
        members: Sequence[int],
    ) -> JointProbability:
        """Some of the regions, the nodes weighted by those without signal."""
        weights = self.node_weights
        for i in members:
            if not regions[i].signal:
                weights = weights * observed_probability(regions[i], rates[i])
        kept = [i for i in members if regions[i].signal]
        return JointProbability(
            regions=tuple(regions[i] for i in kept),
            rates=tuple(rates[i] for i in kept),
            node_weights=weights / jnp.sum(weights),
            event_weights=jnp.stack([self._event_weight(regions[i]) for i in kept]),
            n_max=tuple(self.n_max[i] for i in kept),
        )

    def _event_weight(self, region: SearchRegion) -> Float[Array, ""]:
        if self.ordering == "sum":
            return jnp.ones(())
        background = jnp.maximum(region.total_background, SMALLEST_BACKGROUND)
        log_ratio = log_total_signal([region]) - jnp.log(background)
        return jnp.logaddexp(0.0, log_ratio)

    def test(
        self, regions: Sequence[SearchRegion]
    ) -> tuple[Float[Array, ""], Float[Array, ""], Bool[Array, ""]]:
        r"""Probabilities of the observed outcome or less signal-like ones.

        Args:
            regions: The regions at a point, of the planned structure.

        Returns:
            $\ln CL_{s+b}$, $\ln CL_b$, and whether no count that matters is left out.
        """
        joint = self._joint(regions, self._rates(regions), range(len(regions)))
        observed = joint.observed()
        with_signal, missing = joint.at_most(observed, 1.0)
        without, missing_without = joint.at_most(observed, 0.0)
        allowed = _RELATIVE * with_signal + _ABSOLUTE * without
        is_complete = (missing <= allowed) & (missing_without <= _RELATIVE * without)
        floor = _SMALLEST
        return (
            jnp.log(jnp.maximum(with_signal, floor)),
            jnp.log(jnp.maximum(without, floor)),
            is_complete,
        )

    def expected(self, regions: Sequence[SearchRegion]) -> Float[Array, " 5"]:
        """Ln CLs at the quantiles of the ordering without a signal.

        Args:
            regions: The regions at a point, of the planned structure.

        Returns:
            ln CLs, the strongest first.
        """
        everything = range(len(regions))
        return self._expected(
            self._joint(regions, self._rates(regions), everything), everything
        )

    def _rates(self, regions: Sequence[SearchRegion]) -> tuple[RegionRates, ...]:
        return tuple(
            RegionRates.of(
                region,
                index,
                sort=self.sort,
                nodes=self.nodes,
                n_max=self.n_max[index],
            )
            for index, region in enumerate(regions)
        )

    def _observed(
        self, joint: JointProbability
    ) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        observed = joint.observed()
        with_signal, missing = joint.at_most(observed, 1.0)
        without, missing_without = joint.at_most(observed, 0.0)
        allowed = _RELATIVE * with_signal + _ABSOLUTE * without
        is_complete = (missing <= allowed) & (missing_without <= _RELATIVE * without)
        return _log_ratio(with_signal, without), is_complete

    def _expected(
        self, joint: JointProbability, members: Sequence[int]
    ) -> Float[Array, " 5"]:
        """Ln CLs at the quantiles of the ordering without a signal."""
        kept = [i for i in members if self.n_expected[i] >= 0]
        n_max = tuple(self.n_expected[i] for i in kept)
        ordered, with_signal, without = lax.sort(
            (
                joint.statistics(n_max=n_max),
                joint.outcomes(1.0, n_max=n_max),
                joint.outcomes(0.0, n_max=n_max),
            ),
            num_keys=1,
        )
        sum_with, sum_without = jnp.cumsum(with_signal), jnp.cumsum(without)
        levels = jnp.asarray(QUANTILE_LEVELS) * (1.0 - TIE_TOLERANCE)
        first = jnp.searchsorted(sum_without, levels)
        quantile = ordered[jnp.minimum(first, ordered.shape[0] - 1)]
        tied = jnp.searchsorted(ordered, quantile + TIE_TOLERANCE, side="right") - 1
        return _log_ratio(sum_with[tied], sum_without[tied])


def _log_ratio(
    with_signal: Float[Array, "*shape"], without: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Ln CLs, at most 0 up to rounding."""
    above = jnp.log(jnp.maximum(with_signal, _SMALLEST))
    return jnp.minimum(above - jnp.log(jnp.maximum(without, _SMALLEST)), 0.0)


def _background_factor(region: SearchRegion) -> float:
    """Factor on the background at three standard deviations of its errors."""
    sizes = [r.size or 0.0 for role, r in all_responses(region) if role == "background"]
    return math.exp(3.0 * math.hypot(*sizes))


def _listed_count(
    region: SearchRegion, largest: LargestCount, *, at_least: float
) -> int:
    """Largest count that is listed: the tail above it does not matter.

    Outcomes with more events than observed matter where an event weighs less than in
    the other regions, which is where the signal is no larger than the background.
    """
    if not region.signal:
        return 0
    rate = 1.5 * largest.background * _background_factor(region) + 0.05
    needed = max(
        largest.observed + 1.0, at_least, _smallest_count(rate, tail=_LISTED_TAIL)
    )
    return next((n for n in _COUNTS if n >= needed), _COUNTS[-1])


def _expected_count(region: SearchRegion, largest: LargestCount) -> int:
    """Largest count without signal that any quantile notices; -1 without signal."""
    if not region.signal:
        return -1
    rate = largest.background * _background_factor(region)
    return max(1, int(_smallest_count(rate, tail=_EXPECTED_TAIL)))


def _smallest_count(rate: float, *, tail: float) -> float:
    """Smallest count above which less than a tail lies, at most the largest listed."""
    n_max = 0
    while n_max < _COUNTS[-1] and pdtrc(n_max, rate) >= tail:
        n_max += 1
    return float(n_max)
