from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bsmfit.errors import DataFileError, InputError
from bsmfit.export.contour_csv import read_contour, write_contour
from bsmfit.plot.exclusion import plot_exclusion
from bsmfit.scan.contour import coupling_edges, excluded_polygons
from bsmfit.scan.scan_checks import check_scan, has_result
from bsmfit.scan.store import read_scan, write_scan

N_FLIP = 60
UP_OBS = 2.302585092994046  # -ln 0.1, as the toy has it


@pytest.fixture
def scan(make_scan, toy) -> xr.Dataset:
    return make_scan(toy)


def test_every_flipped_bit_is_found(scan, tmp_path: Path):
    path = tmp_path / "scan.nc"
    write_scan(scan.isel(mass=slice(0, 3), epsilon=slice(0, 3)), path)
    content = path.read_bytes()
    random = np.random.default_rng(9)
    places = [0, len(content) - 1, *random.integers(len(content), size=N_FLIP)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(damaged))
        with pytest.raises(DataFileError, match=r"damaged|no digest"):
            read_scan(path)


def test_one_point_with_numbers_is_a_result(scan):
    assert has_result(scan)
    none = scan.assign(
        status=scan["status"].copy(data=np.full(scan["status"].shape, 3))
    )
    none["status"].attrs = scan["status"].attrs
    assert not has_result(none)
    none["status"][4, 2] = 0
    assert has_result(none)


@pytest.mark.parametrize("n_byte", [1, 70, 1000])
def test_file_that_was_cut_is_not_read(scan, tmp_path: Path, n_byte: int):
    path = tmp_path / "scan.nc"
    write_scan(scan, path)
    path.write_bytes(path.read_bytes()[:-n_byte])
    with pytest.raises(DataFileError, match=r"damaged|no digest"):
        read_scan(path)


def test_file_that_was_written_by_others_is_not_read(scan, tmp_path: Path):
    scan.to_netcdf(tmp_path / "scan.nc", engine="h5netcdf")
    with pytest.raises(DataFileError, match="no digest"):
        read_scan(tmp_path / "scan.nc")


def test_others_read_what_is_written(scan, tmp_path: Path):
    write_scan(scan, tmp_path / "scan.nc")
    with xr.open_dataset(tmp_path / "scan.nc", engine="h5netcdf") as stored:
        xr.testing.assert_identical(stored.load(), scan)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: xr.concat([d, d], dim="preset"), r"isel\(preset=0\)"),
        (lambda d: xr.concat([d, d], dim="mass"), "drop_duplicates"),
        (lambda d: d.isel(mass=slice(None, None, -1)), "sortby"),
        (lambda d: d.transpose(), r'transpose\("mass", "epsilon", \.\.\.\)'),
        (lambda d: d.drop_vars("status"), "lacks status"),
        (lambda d: d.drop_vars("mass"), "mass has no coordinates"),
        (lambda d: d.assign(status=d["status"] * 1.5), "status holds float64"),
    ],
)
def test_what_is_no_scan_is_neither_drawn_nor_written(scan, tmp_path, spoil, words):
    spoilt = spoil(scan)
    for use in (
        check_scan,
        coupling_edges,
        excluded_polygons,
        plot_exclusion,
        lambda d: write_scan(d, tmp_path / "a.nc"),
        lambda d: write_contour(d, tmp_path / "a.csv"),
    ):
        with pytest.raises(InputError, match=words):
            use(spoilt)
    assert not list(tmp_path.iterdir())


def test_one_mass_has_edges_and_a_figure(scan, toy, tmp_path: Path):
    """Both ends against the exact ones, the branches of Lambert's W."""
    one = scan.isel(mass=[12])
    low, high = toy.edges(one["mass"].values, UP_OBS)
    edges = coupling_edges(one)
    np.testing.assert_allclose([edges.lower, edges.upper], [low, high], rtol=1e-3)
    assert excluded_polygons(one) == ()
    write_contour(one, tmp_path / "contour.csv")
    assert read_contour(str(tmp_path / "contour.csv")).polygons == ()
    plot_exclusion(one, tmp_path / "one.png", published=())
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_one_coupling_has_edges(scan):
    one = scan.isel(epsilon=[80])
    excluded = one["n_signal"].values[:, 0] > UP_OBS
    assert 0 < excluded.sum() < excluded.size
    np.testing.assert_array_equal(~np.isnan(coupling_edges(one).lower), excluded)
