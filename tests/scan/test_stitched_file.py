"""The result that is joined from blocks is the one that is written as a whole."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
import xarray as xr

from bsmfit.scan.blocks import BlockCut, BlockFolder, block_variables
from bsmfit.scan.content_digest import content_digest
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import join_rows
from bsmfit.scan.stitched_file import empty_variables, stitched
from bsmfit.scan.store import build_dataset, read_scan, write_scan, write_stitched

N_COUPLING, SEARCHES = 5, ("one", "two", "three")
FURTHER = {
    (): (),
    (3,): (("ratio", [0.1, 0.2, 0.4]),),
    (2, 3): (("epsilon", [1e-4, 1e-3]), ("ratio", [0.1, 0.2, 0.4])),
}


def plane(n_row: int) -> dict[str, np.ndarray]:
    """Every kind of variable that a map has, all numbers different."""
    draw = np.random.default_rng(3).random
    return {
        "n_signal": draw((n_row, N_COUPLING)),
        "cls_obs": draw((n_row, N_COUPLING)),
        "cls_exp": np.where(draw((n_row, N_COUPLING)) < 0.3, np.nan, 0.5),
        "cls_exp_quantiles": draw((n_row, N_COUPLING, 5)),
        "cls_obs_single": draw((n_row, N_COUPLING, len(SEARCHES))),
        "n_obs": np.arange(n_row, dtype=np.int32),
        "status": (100 * draw((n_row, N_COUPLING))).astype(np.int8),
    }


def labelled(
    arrays: dict[str, np.ndarray], planes: tuple[int, ...], parameter: str
) -> xr.Dataset:
    n_first = arrays["n_obs"].size // int(np.prod(planes, dtype=int))
    plan = ScanPlan(
        model="toy",
        preset=None,
        channels=SEARCHES,
        coupling_name="g",
        mass="0.2:0.3:1" if parameter else f"0.2:0.8:{n_first}",
        coupling="1e-07:1e-05:5",
        cl=0.9,
        parameter=parameter,
    )
    return build_dataset(
        arrays,
        plan,
        mass=np.array([0.2]) if parameter else np.linspace(0.2, 0.8, n_first),
        coupling=np.geomspace(1e-7, 1e-5, N_COUPLING),
        parameter=np.linspace(1.0, 2.0, n_first) if parameter else None,
        searches=SEARCHES,
        further=FURTHER[planes],
    )


@pytest.mark.parametrize(
    ("planes", "n_first", "block_rows", "parameter"),
    [
        ((), 12, 4, ""),  # every block is a chunk
        ((), 10, 4, ""),  # the last one is not
        ((), 3, 3, ""),
        ((), 7, 1, "ratio"),
        ((3,), 7, 3, ""),  # each plane ends with a short block
        ((2, 3), 4, 8, ""),  # a block is two planes
        ((2, 3), 4, 16, ""),  # the last block is fewer planes than the others
        ((2, 3), 6, 2, ""),
    ],
)
def test_blocks_together_are_the_whole(
    planes, n_first, block_rows, parameter, tmp_path
):
    n_row = n_first * int(np.prod(planes, dtype=int))
    arrays = plane(n_row)
    cut = BlockCut(n_row, block_rows, 1, plane_rows=n_first if planes else None)
    folder = BlockFolder(tmp_path, "a")
    for rows in cut.blocks():
        some = {k: v[rows.start : rows.stop] for k, v in arrays.items()}
        folder.save(rows, some)
        for name, array in block_variables(folder.netcdf(rows) or b"").items():
            np.testing.assert_array_equal(array, some[name])
    whole = labelled(arrays, planes, parameter)
    write_scan(whole, tmp_path / "whole.nc")

    blocks = [(rows, folder.netcdf(rows) or b"") for rows in cut.blocks()]
    template = labelled(empty_variables(blocks[0][1], n_row), planes, parameter)
    path = tmp_path / "stitched.nc"
    write_stitched(template, iter(blocks), path, block_rows=block_rows)
    found = read_scan(path)
    plain = read_scan(tmp_path / "whole.nc")
    xr.testing.assert_identical(found, plain)
    assert content_digest(found) == content_digest(whole)
    assert layout(path) == layout(tmp_path / "whole.nc")


def layout(path):
    """All of a file but its numbers and how they are packed."""
    found = {}
    with h5py.File(path, "r") as file:
        for name, variable in file.items():
            attributes = {
                key: repr(np.asarray(value).tolist())
                for key, value in variable.attrs.items()
                if key not in ("REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid")
                and key != "_Netcdf4Coordinates"
            }
            found[name] = (variable.shape, variable.dtype.str, attributes)
        return found, sorted(file.attrs)


def test_chunks_are_copied_without_being_unpacked(tmp_path):
    folder, arrays = BlockFolder(tmp_path, "a"), plane(6)
    blocks = []
    for start in (0, 2, 4):
        rows = range(start, start + 2)
        folder.save(rows, {k: v[start : start + 2] for k, v in arrays.items()})
        blocks.append((rows, folder.netcdf(rows) or b""))
    template = labelled(empty_variables(blocks[0][1], 6), (), "")
    buffer = stitched(template, blocks, block_rows=2)
    with h5py.File(buffer, "r") as file, h5py.File(io.BytesIO(blocks[1][1])) as block:
        for name, axis in (("cls_exp_quantiles", 0), ("cls_obs_single", 1)):
            offset = [0, 0, 0]
            assert file[name].chunks == block[name].shape
            theirs = block[name].id.read_direct_chunk(tuple(offset))
            offset[axis] = 2
            assert file[name].id.read_direct_chunk(tuple(offset)) == theirs
    joined = join_rows([block_variables(content) for _, content in blocks])
    for name, array in arrays.items():
        np.testing.assert_array_equal(joined[name], array)


def test_template_takes_no_memory(tmp_path):
    folder, arrays = BlockFolder(tmp_path, "a"), plane(2)
    folder.save(range(2), arrays)
    empty = empty_variables(folder.netcdf(range(2)) or b"", 10**9)
    assert empty["cls_exp_quantiles"].shape == (10**9, N_COUPLING, 5)
    assert all(max(array.strides) == 0 for array in empty.values())
