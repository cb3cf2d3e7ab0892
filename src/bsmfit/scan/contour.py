r"""Where a plane is excluded: the field, its contours, its edges at one mass.

A point is excluded where the expected signal exceeds the upper limit on it, so the
contour is the zero of

$$f = \log_{10}(N_{signal} / N_{up}),$$

which is smooth and nearly linear in $\log m$ and $\log g$ (both pieces of a dump yield
are powers or exponentials of powers), unlike a yes/no mask. Contours are traced there,
so excluded regions have sub-grid edges, several islands, and holes. A map of several
searches has no limit on one number of events, but a CLs at each point; there

$$f = \log_{10}\frac{\ln \mathrm{CL_s}}{\ln(1 - \mathrm{cl})},$$

which has the same sign and is the same number where nothing is observed.

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
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.scan.runner import Status
from bsmfit.scan.scan_checks import check_scan
from bsmfit.scan.store import coupling_name, first_axis_name
from bsmfit.scan.stored_contours import AT_END, StoredRing, stored_rings

__all__ = [
    "QUANTITIES",
    "CouplingEdges",
    "Polygon",
    "contour_lines",
    "coupling_edges",
    "excluded_polygons",
    "log_ratio",
    "polygons_of_field",
    "quantile_index",
    "search_names",
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
            logarithms; the first vertex is repeated at the end. In a plane of a
            parameter its values stand in place of the masses.
        holes: Closed rings of the parts that are not excluded, clockwise.
    """

    outer: Float[np.ndarray, "n_vertex 2"]
    holes: tuple[Float[np.ndarray, "n_hole_vertex 2"], ...] = ()


@dataclass(frozen=True)
class CouplingEdges:
    """The outermost edges of the excluded couplings, by mass.

    Attributes:
        mass: Masses [GeV], or the values of the parameter on the first axis.
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


def quantile_index(quantity: str) -> int | None:
    """Position of a quantity among the quantiles; None for the observed one.

    Args:
        quantity: One of `QUANTITIES`.

    Returns:
        Its index along the axis ``quantile``.

    Raises:
        UnknownNameError: No such quantity.
    """
    choice("quantity", quantity, QUANTITIES)
    return _QUANTILE_INDEX.get(quantity)


def search_names(dataset: xr.Dataset) -> tuple[str, ...]:
    """Searches whose single exclusions a map holds beside the joint one.

    Args:
        dataset: Result of a scan.

    Returns:
        Their names, in the order of the map; none for a map of one search.
    """
    if "cls_obs_single" not in dataset or dataset.sizes["search"] == 1:
        return ()
    return tuple(str(name) for name in dataset["search"].values)


def log_ratio(
    dataset: xr.Dataset, quantity: str = "observed", *, search: str | None = None
) -> np.ma.MaskedArray:
    r"""The field whose zero is the contour.

    $$f = \log_{10}(N_{signal} / N_{up}) \quad\text{or}\quad
      f = \log_{10}\frac{\ln \mathrm{CL_s}}{\ln(1 - \mathrm{cl})}$$

    The second one is used where the dataset has no `n_up_obs`, and for one search of
    several. Both are clipped to [-3, 3], which moves no zero on a grid that resolves
    the plane, and masked where the status is not 0 or a number is nan, so that a failed
    point is never drawn as excluded.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`: the observed limit, the median expected one, or
            one of its quantiles, where ``"expected-2sigma"`` is the strongest limit.
        search: One of `search_names`, for the exclusion by that search alone; only
            observed ones are kept. The joint exclusion where None.

    Returns:
        The field with the axes (mass, coupling), positive where excluded.

    Raises:
        UnknownNameError: No such quantity, or no such search.
        InputError: The expected exclusion of one search, or a dataset that is not the
            result of a scan.
    """
    check_scan(dataset)
    choice("quantity", quantity, QUANTITIES)
    if search is not None:
        _check_search(dataset, search, quantity)
        tested, threshold = _minus_log_cls(dataset, "cls_obs_single")
        tested = tested[search_names(dataset).index(search)]
    elif "n_up_obs" in dataset:
        tested = _variable(dataset, "n_signal")
        threshold = _variable(dataset, "n_up_obs")
        if quantity != "observed":
            threshold = _variable(dataset, "n_up_exp")[..., _QUANTILE_INDEX[quantity]]
    elif quantity == "observed":
        tested, threshold = _minus_log_cls(dataset, "cls_obs")
    else:
        tested, threshold = _minus_log_cls(dataset, "cls_exp_quantiles")
        tested = tested[..., _QUANTILE_INDEX[quantity]]
    failed = _variable(dataset, "status") != Status.OK
    failed = failed | np.isnan(tested) | np.isnan(threshold)
    tiny = np.finfo(np.float64).tiny
    safe_tested = np.where(failed, tiny, np.maximum(tested, tiny))
    safe_threshold = np.where(failed, 1.0, np.maximum(threshold, tiny))
    field = np.log10(safe_tested) - np.log10(safe_threshold)
    return np.ma.masked_array(np.clip(field, -_CLIP, _CLIP), mask=failed)


def excluded_polygons(
    dataset: xr.Dataset, quantity: str = "observed", *, search: str | None = None
) -> tuple[Polygon, ...]:
    """Trace the excluded islands as closed polygons.

    An island that reaches the end of the plane, or points that have failed, is closed
    along them.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`.
        search: As in `log_ratio`.

    Returns:
        The islands, with their holes; empty where nothing is excluded, or where the
        plane has one mass and so no area (`coupling_edges` has the edges). Refined ones
        where the dataset holds them.
    """
    refined = _refined(dataset, quantity, search)
    if refined is not None:
        islands: dict[int, list[np.ndarray]] = {}
        for ring in refined:
            islands.setdefault(ring.polygon, []).append(ring.vertices)
        return tuple(Polygon(some[0], tuple(some[1:])) for some in islands.values())
    return polygons_of_field(dataset, log_ratio(dataset, quantity, search=search))


def polygons_of_field(
    dataset: xr.Dataset, field: np.ma.MaskedArray
) -> tuple[Polygon, ...]:
    """Trace the islands where a field on the plane of a scan is positive.

    Args:
        dataset: Result of a scan, for its axes.
        field: Values with the axes (mass, coupling), within [-3, 3]; masked points are
            outside.

    Returns:
        The islands, with their holes.
    """
    if min(field.shape) < 2:
        return ()
    generator = _generator(dataset, field, fill_type=contourpy.FillType.OuterOffset)
    points, offsets = cast(_FilledRings, generator.filled(0.0, 2.0 * _CLIP))
    polygons = []
    for vertices, offset in zip(points, offsets, strict=True):
        rings = [vertices[first:last] for first, last in pairwise(offset)]
        outer = _oriented(rings[0], is_outer=True)
        holes = tuple(_oriented(ring, is_outer=False) for ring in rings[1:])
        polygons.append(Polygon(outer, holes))
    return tuple(polygons)


def contour_lines(
    dataset: xr.Dataset, quantity: str = "observed", *, search: str | None = None
) -> tuple[Float[np.ndarray, "n_vertex 2"], ...]:
    """Trace the contour as lines, which end at the ends of the plane.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`.
        search: As in `log_ratio`.

    Returns:
        Lines of (mass [GeV], coupling) vertices; closed ones repeat their first vertex.
        Refined ones where the dataset holds them.
    """
    refined = _refined(dataset, quantity, search)
    if refined is not None:
        return tuple(line for ring in refined for line in _open_lines(ring))
    field = log_ratio(dataset, quantity, search=search)
    if min(field.shape) < 2:
        return ()
    generator = _generator(dataset, field, line_type=contourpy.LineType.Separate)
    lines = cast(list[np.ndarray], generator.lines(0.0))
    return tuple(np.power(10.0, line) for line in lines)


def coupling_edges(
    dataset: xr.Dataset, quantity: str = "observed", *, search: str | None = None
) -> CouplingEdges:
    """Find the outermost edges of the excluded couplings at each mass of the plane.

    The field is interpolated linearly in the logarithm of the coupling, as the contour
    is. Where the exclusion reaches an end of the plane or a failed point, the edge is
    the last coupling known to be excluded.

    Args:
        dataset: Result of a scan.
        quantity: One of `QUANTITIES`.
        search: As in `log_ratio`.

    Returns:
        The edges; two intervals at one mass are told by `n_crossings` above 2. They are
        those of the refined contour where the dataset holds it.
    """
    refined = _refined(dataset, quantity, search)
    if refined is not None:
        return _refined_edges(dataset[first_axis_name(dataset)].values, refined)
    field = log_ratio(dataset, quantity, search=search)
    log_coupling = np.log10(dataset[coupling_name(dataset)].values)
    n_mass = field.shape[0]
    lower, upper = np.full(n_mass, np.nan), np.full(n_mass, np.nan)
    n_crossings = np.zeros(n_mass, dtype=np.int64)
    for i in range(n_mass):
        row, known = field.data[i], ~np.ma.getmaskarray(field)[i]
        inside = (row > 0.0) & known
        crosses = (inside[1:] != inside[:-1]) & known[1:] & known[:-1]
        left = np.flatnonzero(crosses)
        step = row[left] / (row[left] - row[left + 1])
        edges = log_coupling[left] + step * np.diff(log_coupling)[left]
        candidates = np.concatenate([edges, log_coupling[inside]])
        n_crossings[i] = left.size
        if candidates.size:
            lower[i] = 10.0 ** candidates.min()
            upper[i] = 10.0 ** candidates.max()
    first = dataset[first_axis_name(dataset)].values
    return CouplingEdges(first, lower, upper, n_crossings)


def _refined(
    dataset: xr.Dataset, quantity: str, search: str | None
) -> list[StoredRing] | None:
    """Rings of the refined contour, where there is one."""
    check_scan(dataset)
    choice("quantity", quantity, QUANTITIES)
    return None if search is not None else stored_rings(dataset, quantity)


def _open_lines(ring: StoredRing) -> list[np.ndarray]:
    """The pieces of a ring that are on the contour, not along an end."""
    at_end = ring.status == AT_END
    if not at_end.any():
        return [ring.vertices]
    # begin at an end, so that no line is cut where the ring closes
    first = int(np.argmax(at_end))
    order = np.roll(np.arange(at_end.size - 1), -first)
    runs = np.split(order, np.flatnonzero(at_end[order]))
    lines = [run[1:] if at_end[run[0]] else run for run in runs if run.size]
    return [ring.vertices[line] for line in lines if line.size > 1]


def _refined_edges(
    masses: Float[np.ndarray, " n_mass"], rings: list[StoredRing]
) -> CouplingEdges:
    """The edges at the masses of the first grid, each of which has its vertices."""
    vertices = np.concatenate(
        [ring.vertices[:-1] for ring in rings] or [np.empty((0, 2))]
    )
    status = np.concatenate([ring.status[:-1] for ring in rings] or [np.empty(0)])
    n_mass = masses.size
    lower, upper = np.full(n_mass, np.nan), np.full(n_mass, np.nan)
    n_crossings = np.zeros(n_mass, dtype=np.int64)
    for i, mass in enumerate(masses):
        # vertices went through the logarithm and back; masses may be 1e-9 apart
        is_here = np.isclose(vertices[:, 0], mass, rtol=1e-13, atol=0.0)
        if is_here.any():
            lower[i] = vertices[is_here, 1].min()
            upper[i] = vertices[is_here, 1].max()
            n_crossings[i] = np.sum(is_here & (status != AT_END))
    return CouplingEdges(masses, lower, upper, n_crossings)


def _variable(dataset: xr.Dataset, name: str) -> np.ndarray:
    """Values of a variable that every result of a scan of its kind has."""
    if name not in dataset:
        held = ", ".join(sorted(str(key) for key in dataset.data_vars)) or "none"
        msg = (
            f"the dataset has no variable {name!r} (it has: {held}); "
            "give a result of bsmfit.scan_plane, whole"
        )
        raise InputError(msg)
    return dataset[name].values


def _minus_log_cls(dataset: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """-ln CLs of a variable, and the value that it has on the contour."""
    tiny = np.finfo(np.float64).tiny
    minus_log = -np.log(np.clip(_variable(dataset, name), tiny, 1.0))
    return minus_log, np.asarray(-np.log1p(-float(dataset.attrs["cl"])))


def _check_search(dataset: xr.Dataset, search: str, quantity: str) -> None:
    """Refuse a search that the map does not hold by itself."""
    names = search_names(dataset)
    if not names:
        msg = (
            f"search = {search!r}: this map holds no single searches beside its own "
            "exclusion; leave the search out"
        )
        raise InputError(msg)
    if search not in names:
        kind = "search in this map"
        raise UnknownNameError.from_choices(kind, search, names)
    if quantity != "observed":
        msg = (
            f"search = {search!r}, quantity = {quantity!r}: a map of several searches "
            "holds the observed exclusion of each alone; pass quantity='observed', or "
            "scan this search by itself"
        )
        raise InputError(msg)


def _generator(
    dataset: xr.Dataset,
    field: np.ma.MaskedArray,
    *,
    line_type: contourpy.LineType | None = None,
    fill_type: contourpy.FillType | None = None,
) -> contourpy.ContourGenerator:
    """Prepare the tracing of the field in the logarithms of mass and coupling."""
    return contourpy.contour_generator(
        x=np.log10(dataset[first_axis_name(dataset)].values),
        y=np.log10(dataset[coupling_name(dataset)].values),
        z=field.T,
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
