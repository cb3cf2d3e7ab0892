"""Rows of a scan kept on disk while it runs, so that a killed scan continues.

A block is a run of whole rows (masses). Its file is NetCDF, carries the identity of its
plan and its rows and, behind them, its SHA-256; it is written at once and renamed into
place. A rerun loads the blocks that are whole and its own, and computes the others.
``kill -9`` loses the block in flight and no other.

    rows --> sealed .nc file with plan hash --> joined into scan.nc --> blocks removed

Each variable of a block is one compressed chunk that lies as it does in the result
(`bsmfit.scan.stitched_file`): who computes a block compresses it.

Nothing here needs JAX: what is done of a scan is seen without it.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bsmfit.errors import OutputError
from bsmfit.scan.atomic import atomic_file, make_folder, remove_leftovers
from bsmfit.scan.sealed_file import read_sealed, sealed, unsealed

__all__ = [
    "BLOCK_POINTS",
    "SINGLE_BLOCK_POINTS",
    "BlockCut",
    "BlockFolder",
    "block_variables",
    "chunked",
    "cut_plane",
    "cut_rows",
    "row_axis",
]

SINGLE_BLOCK_POINTS = 200_000
BLOCK_POINTS = 50_000

_SEARCH_FIRST = "cls_obs_single"
_MAX_CHUNK_VALUES = 2**23  # of one chunk

_BLOCK_NAME = re.compile(r"[0-9]{6,}-[0-9]{6,}\.nc")

# What a reader raises where content is not what it seems: sealed by somebody else.
_DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError),
    *(MemoryError, OverflowError),
)

_LOGGER = logging.getLogger(__name__)


@runtime_checkable
class Identified(Protocol):
    """What has an identity: a plan."""

    def identity(self) -> str:
        """Return the hash of everything that the numbers depend on."""
        ...


def cut_rows(n_mass: int, n_coupling: int, *, multiple_of: int = 1) -> list[range]:
    """Cut a plane into blocks of whole rows.

    Planes of up to `SINGLE_BLOCK_POINTS` points stay whole: they take seconds.

    Args:
        n_mass: Number of rows, >= 1.
        n_coupling: Points in a row, >= 1.
        multiple_of: Rows of a block are a multiple of this, save in the last block.

    Returns:
        The rows of each block, in order.

    Examples:
        >>> cut_rows(300, 200)
        [range(0, 300)]
        >>> [len(rows) for rows in cut_rows(1000, 1000, multiple_of=8)][:2]
        [56, 56]
    """
    if n_mass * n_coupling <= SINGLE_BLOCK_POINTS:
        return [range(n_mass)]
    n_chunks = -(-BLOCK_POINTS // (n_coupling * multiple_of))
    step = max(1, n_chunks) * multiple_of
    return [range(i, min(i + step, n_mass)) for i in range(0, n_mass, step)]


# points of a row below which a call is not worth its own start
_SMALLEST_PART = 32


@dataclass(frozen=True)
class BlockCut:
    """How a plane is cut: into blocks, and each block into calls of one program.

    Attributes:
        n_mass: Rows in all, >= 1: masses, those of every plane where there are several.
        block_rows: Rows of a block, save the last; a multiple of `chunk_rows`, or of
            the rows of a plane.
        chunk_rows: Rows of one call of the compiled program, >= 1.
        plane_rows: Rows of each of several planes: a block is a part of a plane or some
            whole planes; None for one plane.
        chunk_columns: Points of a row in one call; None for whole rows.
    """

    n_mass: int
    block_rows: int
    chunk_rows: int
    plane_rows: int | None = None
    chunk_columns: int | None = None

    def blocks(self) -> list[range]:
        """The rows of each block, in order.

        Examples:
            >>> BlockCut(n_mass=5, block_rows=2, chunk_rows=1).blocks()
            [range(0, 2), range(2, 4), range(4, 5)]
            >>> BlockCut(n_mass=6, block_rows=2, chunk_rows=1, plane_rows=3).blocks()
            [range(0, 2), range(2, 3), range(3, 5), range(5, 6)]
        """
        step, end = self.block_rows, self.n_mass
        part = max(self.plane_rows or end, step)
        return [
            range(i, min(i + step, first + part, end))
            for first in range(0, end, part)
            for i in range(first, min(first + part, end), step)
        ]


def cut_plane(
    n_mass: int,
    n_coupling: int,
    *,
    chunk_points: int,
    block_points: int | None = None,
    n_plane: int = 1,
    n_device: int = 1,
) -> BlockCut:
    """Cut a plane, or several of one size, for what is evaluated at once.

    Args:
        n_mass: Number of rows, >= 1.
        n_coupling: Points in a row, >= 1.
        chunk_points: Points of one call on each device, about: a row that is longer is
            cut as well.
        block_points: Points of a block, at least a row; as `cut_rows` where None.
        n_plane: Number of planes, >= 1.
        n_device: Devices that share the rows of a call, >= 1.

    Returns:
        The cut; small planes are put together to blocks.

    Examples:
        >>> cut = cut_plane(1000, 100, chunk_points=400, block_points=1000)
        >>> cut.block_rows, cut.chunk_rows
        (12, 4)
        >>> cut_plane(1000, 100, chunk_points=50, n_device=4).chunk_rows
        4
        >>> cut_plane(10, 10, chunk_points=400, block_points=250, n_plane=8).block_rows
        20
    """
    if n_plane > 1:
        is_small = n_plane * n_mass * n_coupling <= SINGLE_BLOCK_POINTS
        points = SINGLE_BLOCK_POINTS if is_small else BLOCK_POINTS
        points = points if block_points is None else block_points
        one = cut_plane(
            n_mass,
            n_coupling,
            chunk_points=chunk_points,
            block_points=points,
            n_device=n_device,
        )
        together = min(max(1, points // (n_mass * n_coupling)), n_plane)
        rows = one.block_rows if together == 1 else together * n_mass
        return dataclasses.replace(
            one, n_mass=n_plane * n_mass, block_rows=rows, plane_rows=n_mass
        )
    chunk_rows = min(n_device * max(1, chunk_points // n_coupling), n_mass)
    # equal parts, so that next to none of a call is padding
    n_part = -(-n_coupling // max(chunk_points, _SMALLEST_PART))
    columns = None if n_part == 1 else -(-n_coupling // n_part)
    if block_points is None:
        blocks = cut_rows(n_mass, n_coupling, multiple_of=chunk_rows)
        return BlockCut(n_mass, len(blocks[0]), chunk_rows, chunk_columns=columns)
    wanted = max(1, block_points // n_coupling)
    chunk_rows = min(chunk_rows, wanted)
    block_rows = -(-wanted // chunk_rows) * chunk_rows
    return BlockCut(n_mass, min(block_rows, n_mass), chunk_rows, chunk_columns=columns)


@dataclass(frozen=True)
class BlockFolder:
    """The block files of one plan, in ``<directory>/blocks``.

    Attributes:
        directory: The folder of the result.
        identity: Hash of the plan (`ScanPlan.identity`).
    """

    directory: Path
    identity: str

    @classmethod
    def from_plan(cls, directory: Path, plan: Identified) -> BlockFolder:
        """Name the blocks of a plan below the folder of its result."""
        return cls(directory / "blocks", plan.identity())

    def load(self, rows: range) -> dict[str, np.ndarray] | None:
        """Return the block of these rows, or None where it must be computed.

        A file of another plan, of other rows or that is damaged does not count.
        """
        content = self.netcdf(rows)
        if content is None:
            return None
        try:
            return block_variables(content)
        except _DAMAGE as error:
            return self._damaged(rows, error)

    def is_whole(self, rows: range) -> bool:
        """Whether the block of these rows is there, undamaged and of this plan."""
        return self.netcdf(rows) is not None

    def netcdf(self, rows: range) -> bytes | None:
        """Content of the block of these rows, or None where it must be computed."""
        import h5py

        content = self._stored(rows)
        if content is None:
            return None
        try:
            with h5py.File(io.BytesIO(content), "r") as stored:
                is_mine = stored.attrs.get("label") == self._label(rows)
        except _DAMAGE as error:
            return self._damaged(rows, error)
        return content if is_mine else None

    def save(self, rows: range, block: dict[str, np.ndarray]) -> None:
        """Write the block of these rows.

        Raises:
            OutputError: It cannot be written.
        """
        self.write(rows, self.content(rows, block))

    def content(self, rows: range, block: dict[str, np.ndarray]) -> bytes:
        """What the file of a block holds, its SHA-256 included.

        Args:
            rows: Its rows.
            block: Its arrays.

        Returns:
            NetCDF with the SHA-256 behind it.
        """
        import h5netcdf

        # in memory first: HDF5 does not survive a disk that fills while it writes
        buffer = io.BytesIO()
        with h5netcdf.File(buffer, "w") as stored:
            stored.attrs["label"] = self._label(rows)
            stored.attrs["plan_hash"] = self.identity
            for name, array in block.items():
                axes = ("mass", "coupling", *_more_axes(array))[: array.ndim]
                if row_axis(name):
                    axes, array = (axes[-1], *axes[:-1]), np.moveaxis(array, -1, 0)
                for axis, size in zip(axes, array.shape, strict=True):
                    if axis not in stored.dimensions:
                        stored.dimensions[axis] = size
                packing = chunked(array.shape) if array.ndim > 1 else {}
                stored.create_variable(name, axes, array.dtype, data=array, **packing)
        return sealed(buffer.getvalue())

    def write(self, rows: range, content: bytes) -> None:
        """Write the file of a block, whole or not at all.

        Args:
            rows: Its rows.
            content: What `content` returned, here or in another process.

        Raises:
            OutputError: It cannot be written, or was changed on its way.
        """
        if not self.directory.is_dir():
            make_folder(self.directory)
        try:
            unsealed(content)
        except ValueError as error:
            msg = f"the block of rows {rows.start}:{rows.stop} {error} on its way here"
            raise OutputError(msg) from error
        with atomic_file(self._path(rows)) as temporary:
            temporary.write_bytes(content)

    def remove(self) -> None:
        """Remove all blocks, once the whole result is on disk.

        What else somebody keeps in the folder stays there.

        Raises:
            OutputError: A block cannot be removed.
        """
        try:
            if not self.directory.is_dir():
                return
            remove_leftovers(self.directory)
            for path in list(self.directory.iterdir()):
                if _BLOCK_NAME.fullmatch(path.name):
                    path.unlink(missing_ok=True)
            if not any(self.directory.iterdir()):
                self.directory.rmdir()
        except OSError as error:
            msg = f"cannot remove the blocks in {self.directory}: {error.strerror}"
            raise OutputError(msg) from error

    def _stored(self, rows: range) -> bytes | None:
        """What is in the file of a block, where it is what was written."""
        path = self._path(rows)
        try:
            return read_sealed(path) if path.exists() else None
        except (OSError, ValueError) as error:
            return self._damaged(rows, error)

    def _damaged(self, rows: range, error: Exception) -> None:
        path = self._path(rows)
        _LOGGER.warning("block %s is damaged and computed again: %s", path, error)

    def _path(self, rows: range) -> Path:
        return self.directory / f"{rows.start:06d}-{rows.stop:06d}.nc"

    def _label(self, rows: range) -> str:
        return f"{self.identity} rows {rows.start}:{rows.stop}"


def block_variables(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a block.

    Args:
        content: Its NetCDF.

    Returns:
        Arrays by name, as `bsmfit.scan.runner.run_rows` orders their axes.
    """
    import h5py

    with h5py.File(io.BytesIO(content), "r") as stored:
        found: dict[str, Any] = {str(k): v for k, v in stored.items()}
        return {
            name: np.moveaxis(variable[()], 0, -1)
            if row_axis(name)
            else np.asarray(variable[()])
            for name, variable in found.items()
            if variable.attrs.get("CLASS") != b"DIMENSION_SCALE"
        }


def row_axis(name: str) -> int:
    """The axis of the rows of a variable in a file: searches come before them."""
    return int(name == _SEARCH_FIRST)


def chunked(shape: Sequence[int]) -> dict[str, Any]:
    """How h5netcdf stores a variable compressed, in chunks.

    Args:
        shape: Shape of a chunk.

    Returns:
        Options of ``create_variable``; the chunks are smaller where one would have more
        than 8e6 values.
    """
    is_small = math.prod(shape) <= _MAX_CHUNK_VALUES
    return {
        "chunks": tuple(shape) if is_small else True,
        "compression": "gzip",
        "compression_opts": 4,
        "shuffle": True,
    }


def _more_axes(array: np.ndarray) -> tuple[str, ...]:
    """Names of the axes of an array behind (mass, coupling)."""
    return tuple(f"entry_{size}" for size in array.shape[2:])
