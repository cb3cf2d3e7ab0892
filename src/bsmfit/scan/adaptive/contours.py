"""Exclusion contours to a requested precision.

coarse grid (`bsmfit.scan.exclusion_map.scan_plane`) --> cells --> Refinement
  --> rings with polished vertices --> the same dataset, with its contours
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import xarray as xr

from bsmfit._x64 import require_x64
from bsmfit.channels.channel import Channel
from bsmfit.channels.combination import as_channels
from bsmfit.core.argument import choice, instance, real_number
from bsmfit.errors import InputError
from bsmfit.physics.model import Model
from bsmfit.scan.adaptive.field import ContourField, FieldProgram, grid_values
from bsmfit.scan.adaptive.lattice import Lattice
from bsmfit.scan.adaptive.refinement import Refinement
from bsmfit.scan.adaptive.rings import nest, rings_of_region
from bsmfit.scan.blocks import BlockFolder
from bsmfit.scan.contour import QUANTITIES
from bsmfit.scan.devices import Device, local_devices
from bsmfit.scan.exclusion_map import AxisLike, as_axis, default_axes, scan_plane
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.runner import PointFunction, Progress
from bsmfit.scan.scan_checks import check_scan
from bsmfit.scan.stored_contours import StoredRing, with_rings, without_contours

__all__ = [
    "COARSE_COUPLINGS",
    "coarse_axes",
    "exclusion_contours",
    "refine_contours",
]

COARSE_COUPLINGS = 32
"""Couplings of the first grid, where none are given."""

_LOWEST_PRECISION, _HIGHEST_PRECISION = 1e-5, 0.1
_BESIDE = 1e-9


def exclusion_contours(
    model: Model,
    channels: Sequence[Channel] | Channel,
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
    cl: float = 0.9,
    ordering: str = "likelihood-ratio",
    precision: float = 1e-3,
    quantities: Sequence[str] = QUANTITIES,
    device: str = "auto",
    blocks: BlockFolder | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Scan a coarse plane, and refine the cells that its contours cross.

    Args:
        model: The new physics.
        channels: One or more searches, as for `scan_plane`.
        mass: Masses of the first grid [GeV]; where None those of `scan_plane`. Points
            on both sides of masses at which a count changes are put in.
        coupling: Couplings of the first grid; where None `COARSE_COUPLINGS`.
        cl: Confidence level, within (0, 1).
        ordering: What is more signal-like where several regions are combined.
        precision: How far a contour may be off in log10 of the coupling, or of the mass
            where it is steep; within [1e-5, 0.1].
        quantities: Contours to refine, of `bsmfit.scan.contour.QUANTITIES`.
        device: Where grid and contours are computed, as for `scan_plane`.
        blocks: Where finished rows of the first grid are kept.
        progress: Called with (points done, points in all) of the first grid.

    Returns:
        The dataset of the first grid with the refined contours, as `refine_contours`.

    Raises:
        InputError: As `scan_plane`; a precision out of range, or a plane without area.
        UnknownNameError: No such quantity, process, ordering or kind of device.
    """
    require_x64("exclusion_contours")
    hint = 'write bsmfit.load_model("dark-photon")'
    model = instance("model", model, Model, hint=hint)
    precision = check_precision(precision)
    devices = local_devices(device)
    searches = as_channels(channels)
    masses, couplings = coarse_axes(model, searches, mass=mass, coupling=coupling)
    dataset = scan_plane(
        model,
        searches,
        mass=masses,
        coupling=couplings,
        cl=cl,
        ordering=ordering,
        device=device,
        blocks=blocks,
        progress=progress,
    )
    point = ExclusionPoint.from_model(model, searches, cl=cl, ordering=ordering)
    return refine_contours(
        dataset, point, precision=precision, quantities=quantities, devices=devices
    )


def refine_contours(
    dataset: xr.Dataset,
    point: PointFunction,
    *,
    precision: float = 1e-3,
    quantities: Sequence[str] = QUANTITIES,
    devices: Sequence[Device] | None = None,
) -> xr.Dataset:
    """Refine the contours of a scan.

    Args:
        dataset: Result of a scan: the first grid.
        point: The numbers of a point of this scan.
        precision: As for `exclusion_contours`.
        quantities: Contours to refine.
        devices: Where it is computed; `bsmfit.scan.devices.local_devices` where None.

    Returns:
        The dataset with the contours of these quantities, which everything drawn and
        exported uses (`bsmfit.scan.stored_contours`); attributes say the precision and
        how many points were evaluated.

    Raises:
        InputError: No result of a scan, a precision out of range, or a plane without
            area.
        UnknownNameError: No such quantity.
    """
    require_x64("refine_contours")
    precision = check_precision(precision)
    dataset = without_contours(check_scan(dataset))
    names = tuple(dict.fromkeys(quantities))
    for name in names:
        choice("quantity", name, QUANTITIES)
    if not names:
        msg = "quantities: give one contour or more, such as ['observed']"
        raise InputError(msg)
    dims = [str(dim) for dim in dataset["n_signal"].dims]
    if len(dims) != 2 or dims[0] != "mass":
        msg = f"contours of a plane of mass and coupling are refined, not of {dims}"
        raise InputError(msg)
    axes = [dataset[dim].values for dim in dims]
    if min(axis.size for axis in axes) < 2:
        msg = (
            "a contour needs a plane of two masses and two couplings at least; "
            "bsmfit.coupling_edges has the edges at one mass"
        )
        raise InputError(msg)
    cl = jnp.asarray(float(dataset.attrs["cl"]))
    devices = local_devices() if devices is None else devices
    program = FieldProgram(ContourField(point, cl, names), devices)
    logs = (np.log(axes[0]), np.log(axes[1]))
    lattice = Lattice.from_grid(logs, grid_values(dataset, names))
    refinement = Refinement(lattice, program, precision * np.log(10.0))
    refinement.run()
    rings = [_stored(refinement, index) for index in range(len(names))]
    found = with_rings(dataset, rings, names)
    n_grid = axes[0].size * axes[1].size
    return found.assign_attrs(
        contour_precision=precision,
        n_evaluated=n_grid + program.n_evaluated,
        n_evaluated_grid=n_grid,
    )


def coarse_axes(
    model: Model,
    channels: Sequence[Channel],
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
) -> tuple[Axis | PointList, Axis | PointList]:
    """The first grid.

    Args:
        model: The new physics.
        channels: The searches.
        mass: Its masses [GeV], or None.
        coupling: Its couplings, or None.

    Returns:
        Both axes; masses on both sides of those at which a count changes, or the model
        begins or ceases to say anything, are among them.

    Raises:
        InputError: An axis that is not one, or no coupling axis for this model.
    """
    _, couplings = default_axes(model, channels, mass=1.0, coupling=coupling)
    if coupling is None:
        couplings = Axis(couplings.low, couplings.high, COARSE_COUPLINGS)
    if mass is None:
        masses, _ = default_axes(model, channels, coupling=couplings)
        points = masses.points()
    else:
        points = as_axis(mass).points()
    nodes = [node for channel in channels for node in channel.mass_nodes]
    nodes += [end for window in model.excluded_masses for end in window]
    beside = [node * (1.0 + side * _BESIDE) for node in nodes for side in (-1.0, 1.0)]
    inside = [m for m in beside if points[0] < m < points[-1]]
    # a point within the two sides of a node, or on one to a few bits, is left out
    nearest = np.array([*nodes, np.inf])
    is_far = np.array(
        [bool(np.all(np.abs(nearest / m - 1.0) > 2.0 * _BESIDE)) for m in points]
    )
    is_far[[0, -1]] = True
    merged = np.unique(np.concatenate([points[is_far], inside]))
    return PointList(tuple(float(m) for m in merged)), couplings


def check_precision(precision: float) -> float:
    """A precision, or an error.

    Args:
        precision: What was given for one.

    Returns:
        It.

    Raises:
        InputError: It is no number within [1e-5, 0.1].
    """
    return real_number(
        "precision",
        precision,
        low=_LOWEST_PRECISION,
        high=_HIGHEST_PRECISION,
        hint="it is in log10 of the coupling: 0.001 is 0.23 %",
    )


def _stored(refinement: Refinement, index: int) -> list[StoredRing]:
    """The rings of one quantity, islands with their holes."""
    rings = rings_of_region(refinement.lattice, index)
    refinement.polish_all((edge, index) for ring in rings for edge in ring.vertices)
    vertices = [[refinement.vertex(e, index) for e in r.vertices] for r in rings]
    places = [np.array([vertex.place for vertex in some]) for some in vertices]
    stored = []
    for polygon, (outer, holes) in enumerate(nest(places)):
        for number, k in enumerate((outer, *holes)):
            closed = [*vertices[k], vertices[k][0]]
            stored.append(
                StoredRing(
                    polygon,
                    number,
                    np.exp(np.array([vertex.place for vertex in closed])),
                    np.array([int(vertex.status) for vertex in closed]),
                    np.array([vertex.residual for vertex in closed]),
                )
            )
    return stored
