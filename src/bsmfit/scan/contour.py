r"""Where a plane is excluded: the field, its contours, its edges at one mass.

A point is excluded where the expected signal exceeds the upper limit on it, so the
contour is the zero of

$$f = \log_{10}(N_{signal} / N_{up}),$$

which is smooth and nearly linear in $\log m$ and $\log g$ (both pieces of a dump yield
are powers or exponentials of powers), unlike a yes/no mask. Contours are traced there,
so excluded regions have sub-grid edges, several islands, and holes.

    dataset --log_ratio--> f, masked by status --contourpy--> polygons | lines | edges
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import contourpy
import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from bsmfit.core.argument import choice
from bsmfit.errors import InputError
from bsmfit.scan.runner import Status
from bsmfit.scan.scan_checks import check_scan
from bsmfit.scan.store import coupling_name

__all__ = [
    "QUANTITIES",
    "CouplingEdges",
    "Polygon",
    "contour_lines",
    "coupling_edges",
    "excluded_polygons",
    "log_ratio",
]

_CLIP = 3.0
# what contourpy returns for FillType.OuterOffset without chunks
_FilledRings = tuple[list[np.ndarray], list[np.ndarray]]
_QUANTILE_INDEX = {
    "expected-2sigma": 0,
    "expected-1sigma": 1,
    "expected": 2,
    "expected+1sigma": 3,
    "expected+2sigma": 4,
}
QUANTITIES = ("observed", *_QUANTILE_INDEX)


@dataclass(frozen=True)
class Polygon:
    """One excluded island.

    Attributes:
        outer: Closed ring of (mass [GeV], coupling) vertices, counter-clockwise in the
            logarithms; the first vertex is repeated at the end.
        holes: Closed rings of the parts that are not excluded, clockwise.
    """

    outer: Float[np.ndarray, "n_vertex 2"]
    holes: tuple[Float[np.ndarray, "n_hole_vertex 2"], ...] = ()


@dataclass(frozen=True)
class CouplingEdges:
    """The outermost edges of the excluded couplings, by mass.

    Attributes:
        mass: Masses [GeV].
        lower: Lowest excluded coupling; nan where nothing is excluded.
        upper: Highest excluded coupling; nan where nothing is excluded.
        n_crossings: Number of edges at this mass: 2 for one closed interval, 1 where it
            is cut off by an end of the plane, 4 where `lower` and `upper` are those of
            two intervals with a gap between.
    """

    mass: Float[np.ndarray, " n_mass"]
    lower: Float[np.ndarray, " n_mass"]
    upper: Float[np.ndarray, " n_mass"]
    n_crossings: Int[np.ndarray, " n_mass"]


def log_ratio(dataset: xr.Dataset, quantity: str = "observed") -> np.ma.MaskedArray:
    r"""The field whose zero is the contour.

    $$f = \log_{10}(N_{signal} / N_{up})$$

    clipped to [-3, 3], which moves no zero on a grid that resolves the plane; masked
    where the status is not 0, so that a failed point is never drawn as excluded.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`: the observed limit, the median expected one, or
            one of its quantiles, where ``"expected-2sigma"`` is the strongest limit.

    Returns:
        The field with the axes (mass, coupling), positive where excluded.

    Raises:
        InputError: The dataset is not the result of one scan.
        UnknownNameError: No such quantity.
    """
    check_scan(dataset)
    choice("quantity", quantity, QUANTITIES)
    limit = dataset["n_up_obs"].values
    if quantity != "observed":
        limit = dataset["n_up_exp"].values[..., _QUANTILE_INDEX[quantity]]
    signal = dataset["n_signal"].values
    failed = dataset["status"].values != Status.OK
    failed = failed | np.isnan(signal) | np.isnan(limit)
    tiny = np.finfo(np.float64).tiny
    safe_signal = np.where(failed, tiny, np.maximum(signal, tiny))
    safe_limit = np.where(failed, 1.0, np.maximum(limit, tiny))
    field = np.log10(safe_signal) - np.log10(safe_limit)
    return np.ma.masked_array(np.clip(field, -_CLIP, _CLIP), mask=failed)


def excluded_polygons(
    dataset: xr.Dataset, quantity: str = "observed"
) -> tuple[Polygon, ...]:
    """Trace the excluded islands as closed polygons.

    An island that reaches the end of the plane, or points that have failed, is closed
    along them. A plane of one mass has intervals of couplings in place of islands: each
    is a ring of no width, up and down again.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`.

    Returns:
        The islands, with their holes; empty where nothing is excluded.

    Raises:
        InputError: The dataset is not the result of one scan, or has one coupling.
        UnknownNameError: No such quantity.
    """
    if _has_one_mass(dataset, quantity):
        return tuple(
            Polygon(np.concatenate([line, line[:1]]))
            for line in _vertical_lines(dataset, quantity)
        )
    generator = _generator(dataset, quantity, fill_type=contourpy.FillType.OuterOffset)
    points, offsets = cast(_FilledRings, generator.filled(0.0, 2.0 * _CLIP))
    polygons = []
    for vertices, offset in zip(points, offsets, strict=True):
        rings = [vertices[first:last] for first, last in pairwise(offset)]
        outer = _oriented(rings[0], is_outer=True)
        holes = tuple(_oriented(ring, is_outer=False) for ring in rings[1:])
        polygons.append(Polygon(outer, holes))
    return tuple(polygons)


def contour_lines(
    dataset: xr.Dataset, quantity: str = "observed"
) -> tuple[Float[np.ndarray, "n_vertex 2"], ...]:
    """Trace the contour as lines, which end at the ends of the plane.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`.

    Returns:
        Lines of (mass [GeV], coupling) vertices; closed ones repeat their first vertex.
        Of a plane of one mass, the excluded intervals of couplings.

    Raises:
        InputError: The dataset is not the result of one scan, or has one coupling.
        UnknownNameError: No such quantity.
    """
    if _has_one_mass(dataset, quantity):
        return _vertical_lines(dataset, quantity)
    generator = _generator(dataset, quantity, line_type=contourpy.LineType.Separate)
    lines = cast(list[np.ndarray], generator.lines(0.0))
    return tuple(np.power(10.0, line) for line in lines)


def coupling_edges(dataset: xr.Dataset, quantity: str = "observed") -> CouplingEdges:
    """Find the outermost edges of the excluded couplings at each mass of the plane.

    The field is interpolated linearly in the logarithm of the coupling, as the contour
    is. Where the exclusion reaches an end of the plane or a failed point, the edge is
    the last coupling known to be excluded.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`.

    Returns:
        The edges; two intervals at one mass are told by `n_crossings` above 2.

    Raises:
        InputError: The dataset is not the result of one scan.
        UnknownNameError: No such quantity.
    """
    field = log_ratio(dataset, quantity)
    log_coupling = np.log10(dataset[coupling_name(dataset)].values)
    n_mass = field.shape[0]
    lower, upper = np.full(n_mass, np.nan), np.full(n_mass, np.nan)
    n_crossings = np.zeros(n_mass, dtype=np.int64)
    for i in range(n_mass):
        ends, n_crossings[i] = _intervals(field[i], log_coupling)
        if ends:
            lower[i], upper[i] = 10.0 ** ends[0][0], 10.0 ** ends[-1][1]
    return CouplingEdges(dataset["mass"].values, lower, upper, n_crossings)


def _intervals(
    row: np.ma.MaskedArray, log_coupling: Float[np.ndarray, " n_coupling"]
) -> tuple[list[tuple[float, float]], int]:
    """Excluded intervals of log couplings at one mass, and how many edges they have.

    An end at a failed point or at the end of the plane is the last coupling known to be
    excluded, and no edge.
    """
    known = ~np.ma.getmaskarray(row)
    inside = (row.data > 0.0) & known

    def end(last: int, beyond: int) -> tuple[float, bool]:
        if not 0 <= beyond < row.size or not known[beyond]:
            return float(log_coupling[last]), False
        step = row.data[last] / (row.data[last] - row.data[beyond])
        gap = log_coupling[beyond] - log_coupling[last]
        return float(log_coupling[last] + step * gap), True

    steps = np.diff(np.concatenate([[0], inside.astype(int), [0]]))
    firsts, lasts = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    found, n_edge = [], 0
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        (low, has_low), (high, has_high) = end(first, first - 1), end(last, last + 1)
        found.append((low, high))
        n_edge += has_low + has_high
    return found, n_edge


def _has_one_mass(dataset: xr.Dataset, quantity: str) -> bool:
    """Whether a plane is one row; one of one coupling has no contour at all."""
    n_mass, n_coupling = log_ratio(dataset, quantity).shape
    if n_coupling < 2:
        msg = (
            "a contour needs two couplings or more, and the plane has one; use "
            "coupling_edges, or the variable n_signal itself"
        )
        raise InputError(msg)
    return n_mass == 1


def _vertical_lines(
    dataset: xr.Dataset, quantity: str
) -> tuple[Float[np.ndarray, "2 2"], ...]:
    """The excluded intervals of couplings at the one mass of a plane."""
    mass = float(dataset["mass"].values[0])
    log_coupling = np.log10(dataset[coupling_name(dataset)].values)
    found, _ = _intervals(log_ratio(dataset, quantity)[0], log_coupling)
    return tuple(
        np.array([[mass, 10.0**low], [mass, 10.0**high]]) for low, high in found
    )


def _generator(
    dataset: xr.Dataset,
    quantity: str,
    *,
    line_type: contourpy.LineType | None = None,
    fill_type: contourpy.FillType | None = None,
) -> contourpy.ContourGenerator:
    """Prepare the tracing of the field in the logarithms of mass and coupling."""
    return contourpy.contour_generator(
        x=np.log10(dataset["mass"].values),
        y=np.log10(dataset[coupling_name(dataset)].values),
        z=log_ratio(dataset, quantity).T,
        line_type=line_type,
        fill_type=fill_type,
        corner_mask=False,
    )


def _oriented(
    ring: Float[np.ndarray, "n_vertex 2"], *, is_outer: bool
) -> Float[np.ndarray, "n_vertex 2"]:
    """Turn a closed ring of logarithms into one of the wanted sense of rotation."""
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    is_counter_clockwise = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) > 0.0
    ordered = ring if is_counter_clockwise == is_outer else ring[::-1]
    return np.power(10.0, ordered)
