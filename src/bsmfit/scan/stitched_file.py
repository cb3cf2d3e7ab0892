"""The result of a scan joined from its blocks, chunk by chunk.

A block holds each variable compressed, in one chunk that lies as it does in the result.
Chunks are copied as they are: nothing is decompressed, and no more than the compressed
result and one block are in memory.

    template (axes, attributes) --> NetCDF whose large variables are empty
    blocks --chunks--> the same, filled

Where a block is not a chunk of the result (the last rows of a plane; planes so small
that a block is several of them) its numbers are read and written instead.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from bsmfit.scan.blocks import block_variables, chunked, row_axis

__all__ = ["empty_variables", "stitched"]


def empty_variables(block: bytes, n_row: int) -> dict[str, np.ndarray]:
    """Variables like those of a block, of all rows, that take no memory.

    Args:
        block: NetCDF of any block.
        n_row: Rows in all.

    Returns:
        Arrays of zeros by name, not to be written to, with their axes in the order of
        `bsmfit.scan.runner.run_rows`.
    """
    return {
        name: np.broadcast_to(np.zeros((), one.dtype), (n_row, *one.shape[1:]))
        for name, one in block_variables(block).items()
    }


def stitched(
    template: xr.Dataset, blocks: Iterable[tuple[range, bytes]], *, block_rows: int
) -> io.BytesIO:
    """Put blocks together.

    Args:
        template: The result, with any numbers in its variables.
        blocks: Rows and NetCDF of each block, in order; rows are those of every plane,
            one plane after the other.
        block_rows: Rows of a block, save the last of a plane.

    Returns:
        NetCDF, as xarray would write the whole dataset.
    """
    import h5py

    *more, first, coupling = template["n_signal"].dims
    large = [str(k) for k, v in template.data_vars.items() if coupling in v.dims]
    small: dict[str, list[np.ndarray]] = {
        str(k): [] for k in template.data_vars if k not in large
    }
    planes = tuple(template.sizes[dim] for dim in more)
    buffer = _with_empty(template, large, min(block_rows, template.sizes[first]))
    with h5py.File(buffer, "r+") as whole:
        found: dict[str, Any] = dict(whole)
        for rows, content in blocks:
            with h5py.File(io.BytesIO(content), "r") as block:
                given: dict[str, Any] = dict(block)
                for name, parts in small.items():
                    parts.append(given[name][()])
                for name in large:
                    _copy(given[name], found[name], rows, planes, row_axis(name))
        for name, parts in small.items():
            found[name][...] = np.concatenate(parts).reshape(found[name].shape)
    return buffer


def _with_empty(template: xr.Dataset, large: list[str], chunk_rows: int) -> io.BytesIO:
    """NetCDF of a dataset, with some variables left without numbers.

    Args:
        template: The dataset.
        large: The variables.
        chunk_rows: Rows of their chunks, each of which lies within one plane.

    Returns:
        The file.
    """
    import h5netcdf

    dims = template["n_signal"].dims
    *more, first, _ = dims
    buffer = io.BytesIO(_netcdf(template.drop_vars(large)))
    # what xarray would write of them, at one point: it knows their attributes
    point = _netcdf(template[large].isel(dict.fromkeys(dims, slice(1))))
    with (
        h5netcdf.File(io.BytesIO(point), "r") as like,
        h5netcdf.File(buffer, "a") as whole,
    ):
        size_of = dict(template.sizes) | dict.fromkeys(more, 1) | {first: chunk_rows}
        for name in large:
            attributes = dict(like[name].attrs)
            variable = whole.create_variable(
                name,
                template[name].dims,
                template[name].dtype,
                fillvalue=attributes.pop("_FillValue", None),
                **chunked([size_of[dim] for dim in template[name].dims]),
            )
            for key, value in attributes.items():
                variable.attrs[key] = value
    return buffer


def _copy(
    source: Any, target: Any, rows: range, planes: tuple[int, ...], axis: int
) -> None:
    """Copy one variable of a block to where it belongs.

    Args:
        source: The variable of the block.
        target: That of the result.
        rows: Rows of the block.
        planes: Numbers of values of the further axes.
        axis: Axis of the rows in the block.
    """
    n_first = target.shape[len(planes) + axis]
    alike = (source.chunks, source.compression, source.shuffle) == (
        target.chunks[len(planes) :],
        target.compression,
        target.shuffle,
    )
    if alike and source.shape == source.chunks:
        plane, start = divmod(rows.start, n_first)
        offset = [*np.unravel_index(plane, planes), *(0 for _ in source.shape)]
        offset[len(planes) + axis] = start
        mask, chunk = source.id.read_direct_chunk((0,) * source.ndim)
        target.id.write_direct_chunk(tuple(map(int, offset)), chunk, mask)
        return
    values = np.moveaxis(source[()], axis, 0)
    for plane in range(rows.start // n_first, -(-rows.stop // n_first)):
        begin = plane * n_first
        some = range(max(rows.start, begin), min(rows.stop, begin + n_first))
        part = values[some.start - rows.start : some.stop - rows.start]
        where = [slice(None)] * source.ndim
        where[axis] = slice(some.start - begin, some.stop - begin)
        target[(*np.unravel_index(plane, planes), *where)] = np.moveaxis(part, 0, axis)


def _netcdf(dataset: xr.Dataset) -> bytes:
    return bytes(dataset.to_netcdf(engine="h5netcdf"))
