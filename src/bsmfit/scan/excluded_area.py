r"""How much of a plane is excluded, and what joining several searches adds to it.

$$A = \int_{excluded} \mathrm{d}\ln m\, \mathrm{d}\ln g$$

    polygons --shoelace in the logarithms--> area --joint against union--> gain
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bsmfit.core.argument import instance
from bsmfit.errors import InputError
from bsmfit.scan.contour import (
    Polygon,
    excluded_polygons,
    log_ratio,
    polygons_of_field,
    search_names,
)

__all__ = ["CombinationGain", "combination_gain", "excluded_area"]


@dataclass(frozen=True)
class CombinationGain:
    """What searches exclude together, and one by one.

    Attributes:
        joint_area: Area of the joint exclusion [1], in the natural logarithms of mass
            and coupling.
        union_area: Area that at least one search excludes alone, likewise.
        ratio: `joint_area` / `union_area`; 1 where both are 0, inf where only the
            joint exclusion has an area.
    """

    joint_area: float
    union_area: float
    ratio: float


def excluded_area(
    dataset: xr.Dataset, quantity: str = "observed", *, search: str | None = None
) -> float:
    r"""Area of the excluded region in the logarithms of mass and coupling.

    $$A = \int_{excluded} \mathrm{d}\ln m\, \mathrm{d}\ln g
        = \sum_{rings} \tfrac{1}{2} \sum_i (x_i y_{i+1} - x_{i+1} y_i)$$

    with x = ln m and y = ln g: of the polygons of `bsmfit.excluded_polygons`, whose
    holes run clockwise and are subtracted. Its size depends on the ends of the plane
    where the region reaches them.

    Args:
        dataset: Result of a scan.
        quantity: One of `bsmfit.scan.contour.QUANTITIES`.
        search: One of `bsmfit.scan.contour.search_names`, for that search alone; the
            joint exclusion where None.

    Returns:
        The area [1], >= 0; 0 where nothing is excluded, and on a plane of one mass.

    Raises:
        UnknownNameError: No such quantity or search.
        InputError: The expected exclusion of one search.

    Examples:
        >>> plane = ("mass", "epsilon")
        >>> result = xr.Dataset(
        ...     {
        ...         "n_signal": (plane, [[1.0, 9.0], [1.0, 9.0]]),
        ...         "n_up_obs": (plane, [[3.0, 3.0], [3.0, 3.0]]),
        ...         "status": (plane, [[0, 0], [0, 0]]),
        ...     },
        ...     coords={"mass": [0.1, 1.0], "epsilon": [1e-7, 1e-6]},
        ...     attrs=dict.fromkeys(
        ...         ("model", "channels", "method", "ensemble", "version", "plan"), ""
        ...     )
        ...     | {"cl": 0.9, "channels": '["a", "b"]'},
        ... )
        >>> float(round(excluded_area(result) / np.log(10.0) ** 2, 12))
        0.5
    """
    return _area(excluded_polygons(dataset, quantity, search=search))


def combination_gain(dataset: xr.Dataset) -> CombinationGain:
    """Compare the joint observed exclusion with the union of the single ones.

    The union is where the largest of the single fields is positive, so it has the
    resolution of the joint contour.

    Args:
        dataset: Result of a scan of several searches.

    Returns:
        Both areas and their ratio.

    Raises:
        InputError: The map holds no single searches.

    Examples:
        >>> axes = ("search", "mass", "epsilon")
        >>> result = xr.Dataset(
        ...     {
        ...         "n_signal": (axes[1:], [[1.0, 9.0], [1.0, 9.0]]),
        ...         "cls_obs": (axes[1:], [[0.5, 0.02], [0.5, 0.02]]),
        ...         "cls_obs_single": (axes, [[[0.5, 0.02], [0.5, 0.02]]] * 2),
        ...         "status": (axes[1:], [[0, 0], [0, 0]]),
        ...     },
        ...     coords={
        ...         "search": ["a", "b"], "mass": [0.1, 1.0], "epsilon": [1e-7, 1e-6]
        ...     },
        ...     attrs=dict.fromkeys(
        ...         ("model", "channels", "method", "ensemble", "version", "plan"), ""
        ...     )
        ...     | {"cl": 0.9, "channels": '["a", "b"]'},
        ... )
        >>> round(combination_gain(result).ratio, 12)  # each search excludes it all
        1.0
    """
    hint = "give what bsmfit.scan_plane returned"
    names = search_names(instance("dataset", dataset, xr.Dataset, hint=hint))
    if not names:
        msg = (
            "the gain of a combination needs a map of two searches or more, and this "
            "one holds no single searches; give scan_plane several channels"
        )
        raise InputError(msg)
    single = np.ma.stack([log_ratio(dataset, search=name) for name in names])
    union = _area(polygons_of_field(dataset, single.max(axis=0)))
    # from the grid as well, where the joint contour was refined: like with like
    joint = _area(polygons_of_field(dataset, log_ratio(dataset)))
    without_union = np.inf if joint > 0.0 else 1.0
    ratio = joint / union if union > 0.0 else without_union
    return CombinationGain(joint_area=joint, union_area=union, ratio=ratio)


def _area(polygons: Sequence[Polygon]) -> float:
    """Sum the signed areas of all rings in the natural logarithms."""
    total = 0.0
    for polygon in polygons:
        for ring in (polygon.outer, *polygon.holes):
            x, y = (np.log(ring) - np.log(ring[0])).T
            total += 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    return max(total, 0.0)
