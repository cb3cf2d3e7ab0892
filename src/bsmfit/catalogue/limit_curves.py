"""Published limits on BR(K+ -> pi+ X) and on a dark scalar, from the shipped tables.

Files of a folder ``data/NA62_<arXiv id>``, where there are:

| file | content | reader |
| --- | --- | --- |
| `limit_stable.csv` | limit on BR(K+ -> pi+ X), X stable | `read_limit_csv` |
| `limit_by_lifetime.csv` | the same by lifetime of X | `read_lifetime_csv` |
| `scalar_edge.csv` | lowest excluded sin^2(theta) | `read_scalar_edge_csv` |

A curve has segments: NA62 states no limit around the pi0 mass, and a limit must never
be interpolated over such a gap nor held beyond an end. `limit_at` does neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from jaxtyping import Float64

from bsmfit.catalogue.csv_file import CsvTable, read_csv
from bsmfit.catalogue.files import display_path
from bsmfit.core.argument import file_path, instance
from bsmfit.errors import DataFileError, closest_name
from bsmfit.records.quantity import Provenance

__all__ = [
    "LifetimeLimits",
    "LimitCurve",
    "ScalarEdge",
    "limit_at",
    "read_lifetime_csv",
    "read_limit_csv",
    "read_scalar_edge_csv",
]


@dataclass(frozen=True)
class LimitCurve:
    """Upper limit on a branching ratio against the mass of a stable particle.

    Attributes:
        mass: Masses [GeV], >= 0, rising.
        limit: Upper limit [1], > 0.
        segments: First and last mass of each piece without a gap [GeV].
        provenance: How far each limit can be trusted.
    """

    mass: Float64[np.ndarray, " n_mass"]
    limit: Float64[np.ndarray, " n_mass"]
    segments: tuple[tuple[float, float], ...]
    provenance: tuple[str, ...]


@dataclass(frozen=True)
class LifetimeLimits:
    """Upper limits on a branching ratio by mass and lifetime of the particle.

    What is missing is not known: the grid has holes.

    Attributes:
        mass: Masses [GeV], > 0; rising for each lifetime.
        lifetime: Proper lifetimes [s], > 0; rising.
        limit: Upper limit [1], > 0.
    """

    mass: Float64[np.ndarray, " n_point"]
    lifetime: Float64[np.ndarray, " n_point"]
    limit: Float64[np.ndarray, " n_point"]


@dataclass(frozen=True)
class ScalarEdge:
    """Lower edge of the excluded mixing of a dark scalar.

    Attributes:
        mass: Masses [GeV], > 0, rising.
        mixing_squared: sin^2(theta) [1] from which on mixing is excluded.
        segments: First and last mass of each piece without a gap [GeV].
    """

    mass: Float64[np.ndarray, " n_mass"]
    mixing_squared: Float64[np.ndarray, " n_mass"]
    segments: tuple[tuple[float, float], ...]


def read_limit_csv(path: Path) -> LimitCurve:
    """Read the limit for a stable particle.

    Args:
        path: A file ``limit_stable.csv``.

    Returns:
        The curve.

    Raises:
        DataFileError: It cannot be read, is not in order, has a limit that is not
            positive, or an unknown provenance.
    """
    table = read_csv(
        file_path("path", path),
        numbers=("mass_gev", "branching_ratio_limit"),
        text=("segment", "provenance"),
        minimum={"mass_gev": 0.0},
    )
    _check_positive(table, "branching_ratio_limit")
    provenance = tuple(table.columns["provenance"].tolist())
    allowed = get_args(Provenance)
    for name in provenance:
        if name not in allowed:
            guess = closest_name(name, allowed)
            hint = f"; did you mean {guess!r}?" if guess else ""
            listing = ", ".join(allowed)
            msg = f"{display_path(path)}: unknown provenance {name!r}{hint} ({listing})"
            raise DataFileError(msg)
    return LimitCurve(
        mass=table.columns["mass_gev"],
        limit=table.columns["branching_ratio_limit"],
        segments=_segments(table),
        provenance=provenance,
    )


def read_lifetime_csv(path: Path) -> LifetimeLimits:
    """Read limits by mass and lifetime.

    Args:
        path: A file ``limit_by_lifetime.csv``.

    Returns:
        The limits; lifetimes in seconds.

    Raises:
        DataFileError: It cannot be read, is not in order, or has a number that is not
            positive.
    """
    names = ("mass_gev", "lifetime_ps", "branching_ratio_limit")
    table = read_csv(path, numbers=names)
    for name in names:
        _check_positive(table, name)
    mass, lifetime = table.columns["mass_gev"], table.columns["lifetime_ps"]
    is_same, is_longer = np.diff(lifetime) == 0.0, np.diff(lifetime) > 0.0
    is_ordered = is_longer | (is_same & (np.diff(mass) > 0.0))
    if not np.all(is_ordered):
        first = int(np.argmin(is_ordered)) + 1
        msg = (
            f"{display_path(path)}: lifetime_ps must rise, and mass_gev rise for each "
            f"lifetime, but {mass[first]:g} GeV at {lifetime[first]:g} ps comes after "
            f"{mass[first - 1]:g} GeV at {lifetime[first - 1]:g} ps"
        )
        raise DataFileError(msg)
    limit = table.columns["branching_ratio_limit"]
    return LifetimeLimits(mass=mass, lifetime=1e-12 * lifetime, limit=limit)


def read_scalar_edge_csv(path: Path) -> ScalarEdge:
    """Read the lower edge of the exclusion of a dark scalar.

    Args:
        path: A file ``scalar_edge.csv``.

    Returns:
        The edge.

    Raises:
        DataFileError: It cannot be read, is not in order, or has a number that is not
            positive.
    """
    numbers = ("mass_gev", "mixing_squared")
    table = read_csv(path, numbers=numbers, text=("segment",))
    for name in numbers:
        _check_positive(table, name)
    return ScalarEdge(
        mass=table.columns["mass_gev"],
        mixing_squared=table.columns["mixing_squared"],
        segments=_segments(table),
    )


def limit_at(
    curve: LimitCurve, mass: Float64[np.ndarray, " *point"]
) -> Float64[np.ndarray, " *point"]:
    """Interpolate a limit: its logarithm is linear in the mass within a segment.

    Args:
        curve: The published limit.
        mass: Masses [GeV].

    Returns:
        The limit [1]; nan outside the segments, where nothing is published.

    Examples:
        >>> ends, limits = np.array([0.0, 0.1]), np.array([1e-11, 1e-9])
        >>> curve = LimitCurve(ends, limits, ((0.0, 0.1),), ("assumed", "assumed"))
        >>> limit_at(curve, np.array([0.05, 0.2])).round(13).tolist()
        [1e-10, nan]
    """
    instance("curve", curve, LimitCurve, hint="read one with read_limit_csv")
    log_limit = np.interp(mass, curve.mass, np.log(curve.limit))
    is_inside = np.zeros(np.shape(mass), dtype=bool)
    for first, last in curve.segments:
        is_inside |= (mass >= first) & (mass <= last)
    return np.where(is_inside, np.exp(log_limit), np.nan)


def _check_positive(table: CsvTable, name: str) -> None:
    """Refuse a column with a number at or below zero."""
    values = table.columns[name]
    if not np.all(values > 0.0):
        row = int(np.argmin(values > 0.0))
        msg = (
            f"{display_path(table.path)}: {name} is {values[row]:g} in row {row + 1} "
            "of the table but must be > 0"
        )
        raise DataFileError(msg)


def _segments(table: CsvTable) -> tuple[tuple[float, float], ...]:
    """Ends of the pieces; refuse masses in disorder and pieces that come back."""
    mass, names = table.columns["mass_gev"], table.columns["segment"]
    is_rising = np.diff(mass) > 0.0
    if not np.all(is_rising):
        row = int(np.argmin(is_rising)) + 1
        msg = (
            f"{display_path(table.path)}: mass_gev must rise, but {mass[row]:g} comes "
            f"after {mass[row - 1]:g}"
        )
        raise DataFileError(msg)
    starts = [0, *(1 + np.flatnonzero(names[1:] != names[:-1])).tolist()]
    found = [str(names[start]) for start in starts]
    for name in found:
        if found.count(name) > 1:
            msg = (
                f"{display_path(table.path)}: the segment {name!r} begins twice; its "
                "rows must be together"
            )
            raise DataFileError(msg)
    stops = [*starts[1:], mass.size]
    return tuple(
        (float(mass[start]), float(mass[stop - 1]))
        for start, stop in zip(starts, stops, strict=True)
    )
