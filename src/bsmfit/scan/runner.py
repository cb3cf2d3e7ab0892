"""A whole (mass, coupling) plane as one compiled program.

The physics comes as a *point function*, from one mass and one coupling to the numbers
of one point. The plane is that function under two nested `jax.vmap`s: the inner one
over couplings leaves everything that depends on the mass alone unbatched, so it is
computed once per mass (cross sections, backgrounds, often the limit itself).

    rows of masses --chunks, padded to one shape--> one compiled program --> numpy

A chunk is a few rows of the plane. It bounds the memory, and since every chunk has the
same shape, a plane of any size is traced once. The point function is a traced argument:
another model or another data set of the same structure does not compile again.

The rows of a chunk are split over all devices (`bsmfit.scan.devices`). Nothing moves
between host and devices while a chunk is computed, and nothing between devices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.errors import InputError
from bsmfit.scan.blocks import BlockCut, BlockFolder, cut_plane
from bsmfit.scan.devices import (
    CHUNK_POINTS,
    Device,
    by_row,
    local_devices,
    on_all_devices,
    over_devices,
    row_mesh,
)

__all__ = [
    "PointFunction",
    "PointResult",
    "Progress",
    "Status",
    "join_rows",
    "run_blocks",
    "run_plane",
    "run_rows",
]

Progress = Callable[[int, int], None]


class Status(IntEnum):
    """What became of a point; anything but `OK` is nan in the result.

    No search is sensitive (`NO_SENSITIVITY`) or the model says nothing
    (`EXCLUDED_MASS`): the point is neither excluded nor allowed.
    """

    OK = 0
    NOT_CONVERGED = 1
    INVALID_MODEL = 2
    NO_SENSITIVITY = 3
    EXCLUDED_MASS = 4


class PointResult(eqx.Module):
    """The numbers of one point of a plane; None for what its kernel does not solve.

    Attributes:
        n_signal: Expected signal events over all searches, >= 0.
        cls_obs: Observed CLs, within [0, 1]; excluded where it is below 1 - cl.
        cls_exp: Expected CLs at the median outcome, or at the five levels.
        n_obs: Observed events, or an effective count; a function of the mass alone.
        status: A `Status` code.
        n_up_obs: Observed upper limit on `n_signal`, of one region.
        n_up_exp: Upper limits expected without signal at the levels of
            `bsmfit.inference.counts.expected.QUANTILE_LEVELS`, ascending.
        cls_exp_quantiles: Expected CLs at the same levels, of several regions.
        cls_obs_single: Observed CLs of each search alone, of several regions.
    """

    n_signal: Float[Array, ""]
    cls_obs: Float[Array, ""]
    cls_exp: Float[Array, "*quantile"]
    n_obs: Int[Array, ""] | Float[Array, ""]
    status: Int[Array, ""]
    n_up_obs: Float[Array, ""] | None = None
    n_up_exp: Float[Array, " 5"] | None = None
    cls_exp_quantiles: Float[Array, " 5"] | None = None
    cls_obs_single: Float[Array, " n_search"] | None = None


_FIELDS = dataclasses.fields(PointResult)


@runtime_checkable
class PointFunction(Protocol):
    """A pure function from one mass [GeV] and one coupling [1] to a `PointResult`.

    The mass is any value on the first axis of the plane, as far as the runner goes.

    To be an `equinox.Module`, so that its arrays are traced and its structure, not its
    identity, decides whether a compiled program fits.
    """

    def __call__(
        self, mass: Float[Array, ""], coupling: Float[Array, ""], /
    ) -> PointResult:
        """Evaluate one point."""
        ...


def run_plane(
    point: PointFunction,
    mass: Float[np.ndarray, " n_mass"],
    *,
    coupling: Float[np.ndarray, " n_coupling"],
    chunk_points: int = CHUNK_POINTS,
    blocks: BlockFolder | None = None,
    devices: Sequence[Device] | None = None,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate a point function on a whole plane.

    Points whose status is not `Status.OK` are nan in every float. A point that claims
    success with a limit or a signal that is not a number becomes `NOT_CONVERGED`.

    Args:
        point: The point function.
        mass: Masses [GeV], strictly ascending, > 0.
        coupling: Couplings [1], strictly ascending, > 0.
        chunk_points: Points that each device evaluates at once, about; it sets the
            memory and the last bits of no number.
        blocks: Where rows are kept as they are done, and rows already done are found;
            None keeps nothing. Planes of up to `blocks.SINGLE_BLOCK_POINTS` are one
            block.
        devices: Where it is computed; `bsmfit.scan.devices.local_devices` where None.
        progress: Called with (points done, points in all).

    Returns:
        The fields of `PointResult` as arrays that begin with the axes (mass, coupling);
        `n_obs` has the axis mass alone.

    Raises:
        InputError: Axes that are not ascending and positive.
        PrecisionError: float64 is switched off.
    """
    require_x64("run_plane")
    _check_axis(mass, name="mass")
    _check_axis(coupling, name="coupling")
    devices = local_devices() if devices is None else devices
    cut = cut_plane(
        mass.size,
        coupling.size,
        chunk_points=chunk_points,
        n_device=len(devices),
    )

    def compute(rows: range, count: Callable[[int], None]) -> dict[str, np.ndarray]:
        return run_rows(
            point,
            mass,
            rows,
            coupling=coupling,
            cut=cut,
            devices=devices,
            count=count,
        )

    return run_blocks(compute, cut, coupling.size, blocks=blocks, progress=progress)


def run_blocks(
    compute: Callable[[range, Callable[[int], None]], dict[str, np.ndarray]],
    cut: BlockCut,
    n_coupling: int,
    *,
    blocks: BlockFolder | None = None,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Compute the blocks of a cut one after the other.

    Args:
        compute: Function of the rows of a block, and of a function to be called with
            the number of points that were just done.
        cut: How the plane is cut.
        n_coupling: Points in a row.
        blocks: Where blocks are kept and found; None keeps nothing.
        progress: Called with (points done, points in all).

    Returns:
        All rows, as `run_plane`.
    """
    n_total = cut.n_mass * n_coupling
    parts, n_done = [], 0

    def count(n_point: int) -> None:
        nonlocal n_done
        n_done += n_point
        if progress:
            progress(n_done, n_total)

    for rows in cut.blocks():
        part = blocks.load(rows) if blocks else None
        if part is None:
            part = compute(rows, count)
            if blocks:
                blocks.save(rows, part)
        else:
            count(len(rows) * n_coupling)
        parts.append(part)
    return join_rows(parts)


def run_rows(
    point: PointFunction,
    mass: Float[np.ndarray, " n_mass"],
    rows: range,
    *,
    coupling: Float[np.ndarray, " n_coupling"],
    cut: BlockCut,
    devices: Sequence[Device] | None = None,
    count: Callable[[int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate a point function on one block of a plane.

    Args:
        point: The point function.
        mass: Masses of the whole plane [GeV].
        rows: The rows of the block.
        coupling: Couplings [1].
        cut: How the plane is cut; all blocks of a cut run one compiled program.
        devices: Where it is computed; `bsmfit.scan.devices.local_devices` where None.
        count: Called with the number of points that were just done.

    Returns:
        As `run_plane`, of these rows.

    Raises:
        PrecisionError: float64 is switched off.
    """
    require_x64("run_rows")
    mesh = row_mesh(local_devices() if devices is None else devices)
    placed = on_all_devices(point, mesh)
    chunks = []
    for first in range(rows.start, rows.stop, cut.chunk_rows):
        some = mass[first : min(first + cut.chunk_rows, rows.stop)]
        chunks.append(_run_chunk(placed, some, coupling, cut, mesh))
        if count:
            count(some.size * coupling.size)
    return join_rows(chunks)


@eqx.filter_jit
def _evaluate_rows(
    point: PointFunction,
    mass: Float[Array, " n_row"],
    coupling: Float[Array, " n_coupling"],
    mesh: Mesh,
) -> PointResult:
    """Evaluate some rows of a plane; compiled once per shape, structure and mesh."""

    def rows(
        one_point: PointFunction,
        mass: Float[Array, " n_own"],
        coupling: Float[Array, " n_coupling"],
    ) -> PointResult:
        """The rows of one device."""

        def row(one_mass: Float[Array, ""]) -> PointResult:
            result = jax.vmap(lambda value: one_point(one_mass, value))(coupling)
            return eqx.tree_at(lambda tree: tree.n_obs, result, result.n_obs[0])

        return jax.vmap(row)(mass)

    return over_devices(rows, point, mesh, rows=(mass,), shared=(coupling,))


def _run_chunk(
    point: PointFunction,
    mass: np.ndarray,
    coupling: np.ndarray,
    cut: BlockCut,
    mesh: Mesh,
) -> dict[str, np.ndarray]:
    """Evaluate up to `chunk_rows` masses, in calls of the one compiled shape.

    Its rows are the next multiple of the number of devices; the last mass fills it up.
    """
    n_row = -(-cut.chunk_rows // mesh.size) * mesh.size
    padded = np.pad(mass, (0, n_row - mass.size), mode="edge")
    rows = by_row(padded, mesh)
    columns = cut.chunk_columns or coupling.size
    parts = []
    for first in range(0, coupling.size, columns):
        some = coupling[first : first + columns]
        columns_padded = np.pad(some, (0, columns - some.size), mode="edge")
        on_all = on_all_devices(columns_padded, mesh)
        result = jax.device_get(_evaluate_rows(point, rows, on_all, mesh))
        parts.append(_as_numpy(result, mass.size, some.size))
    joined = {
        name: np.concatenate([part[name] for part in parts], axis=1)
        for name in parts[0]
        if name != "n_obs"
    }
    return _mask_failures(joined | {"n_obs": parts[0]["n_obs"]})


def _as_numpy(result: PointResult, n_row: int, n_column: int) -> dict[str, np.ndarray]:
    """The fields that there are, without the padding."""
    fields = {field.name: getattr(result, field.name) for field in _FIELDS}
    return {
        name: np.array(value)[(slice(n_row), slice(n_column))[: value.ndim]]
        for name, value in fields.items()
        if value is not None
    }


def _mask_failures(plane: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Set failed points to nan and give points that are nan a status."""
    floats = [name for name in plane if name not in ("n_obs", "status")]
    finite = np.isfinite(plane["n_signal"])
    for name in floats:
        is_nan = np.isnan(plane[name])
        finite &= ~is_nan.reshape(*finite.shape, -1).any(axis=-1)
    status = plane["status"].astype(np.int8)
    status[~finite & (status == Status.OK)] = Status.NOT_CONVERGED
    for name in floats:
        plane[name][status != Status.OK] = np.nan
    is_whole = plane["n_obs"].dtype.kind in "iu"
    n_obs = plane["n_obs"].astype(np.int32 if is_whole else np.float64)
    return plane | {"status": status, "n_obs": n_obs}


def join_rows(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Stack rows of a plane.

    Args:
        parts: Blocks, in order.

    Returns:
        The plane.
    """
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_axis(points: np.ndarray, *, name: str) -> None:
    """Refuse an axis that is not ascending and positive."""
    is_fine = points.size > 0 and np.all(np.diff(points) > 0) and points[0] > 0
    if not (is_fine and np.isfinite(points).all()):
        msg = f"{name} points must be one or more, above 0 and strictly ascending"
        raise InputError(msg)
