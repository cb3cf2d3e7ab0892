"""The kernel that fits what the searches say: one count, or several regions together.

- `CountKernel`: one whole count, its responses the same everywhere. Limits are solved
  once per mass.
- `SpreadKernel`: one count that is effective, or whose responses depend on the point.
  Limits are solved once per mass, on nodes of the spread of the signal.
- `JointKernel`: anything else. CLs at every point.

The choice is made from the structure of the regions, never from the kind of search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from bsmfit.channels.search_region import LargestCount, LogResponse, SearchRegion
from bsmfit.core.argument import choice
from bsmfit.inference.exclusion.joint_kernel import JOINT_ORDERINGS, JointKernel
from bsmfit.inference.exclusion.nuisance_sort import NuisanceSort, all_responses
from bsmfit.inference.exclusion.one_count import CountKernel
from bsmfit.inference.exclusion.one_spread import SpreadKernel
from bsmfit.likelihood.poisson import Level

__all__ = ["ExclusionKernel", "exclusion_kernel"]

ExclusionKernel: TypeAlias = CountKernel | SpreadKernel | JointKernel


def exclusion_kernel(
    regions: Sequence[SearchRegion],
    *,
    searches: Sequence[str],
    members: Sequence[Sequence[int]],
    largest: Sequence[LargestCount],
    cl: Level,
    ordering: str = "likelihood-ratio",
) -> ExclusionKernel:
    """Choose and plan the kernel for regions of known structure.

    Args:
        regions: The regions; only their structure and fixed responses are read.
        searches: Names of the searches.
        members: Indices of the regions of each.
        largest: Largest counts of each region.
        cl: Confidence level.
        ordering: What is more signal-like; for one region all orderings agree.

    Returns:
        The kernel.

    Raises:
        UnknownNameError: There is no such ordering.
    """
    choice("ordering", ordering, JOINT_ORDERINGS)
    if len(regions) == 1:
        (region,), (most,) = regions, largest
        if _is_simple(region):
            is_fixed = all(r.size is not None for _, r in all_responses(region))
            if is_fixed and not region.is_effective:
                return CountKernel.of(region, largest=most, cl=cl)
            if not NuisanceSort.of(regions).shared:
                return SpreadKernel.of(region, largest=most, cl=cl)
    return JointKernel.of(
        regions,
        searches=searches,
        members=members,
        largest=largest,
        cl=cl,
        ordering=ordering,
    )


def _is_simple(region: SearchRegion) -> bool:
    """Whether all responses are log-normal, those of the background fixed."""
    pairs = all_responses(region)
    are_logs = all(isinstance(response, LogResponse) for _, response in pairs)
    return are_logs and all(
        response.size is not None for role, response in pairs if role == "background"
    )
