from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.scan.contour import (
    QUANTITIES,
    contour_lines,
    coupling_edges,
    excluded_polygons,
    log_ratio,
    search_names,
)

LIMITS = dict(zip(QUANTITIES[1:], (2.302585092994046, 2.4, 2.6, 3.9, 5.3), strict=True))
LIMITS["observed"] = 2.302585092994046


def signed_area(ring: np.ndarray) -> float:
    x, y = np.log10(ring).T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_edges_agree_with_lambert_w(make_scan, toy, quantity: str):
    dataset = make_scan(toy, n_coupling=401)
    low, high = toy.edges(dataset["mass"].values, LIMITS[quantity])
    edges = coupling_edges(dataset, quantity)
    assert np.all(edges.n_crossings == 2)
    np.testing.assert_allclose(edges.lower, low, rtol=1e-3)
    np.testing.assert_allclose(edges.upper, high, rtol=1e-3)


def test_error_of_the_edges_falls_with_the_square_of_the_step(make_scan, toy):
    error = []
    for n_coupling in (101, 201, 401):
        dataset = make_scan(toy, n_coupling=n_coupling)
        _, high = toy.edges(dataset["mass"].values, LIMITS["observed"])
        ratio = coupling_edges(dataset).upper / high
        error.append(np.abs(np.log(ratio)).mean())
    assert error[0] > 3.0 * error[1] > 9.0 * error[2]
    assert error[0] < 0.005


def test_polygon_is_the_exact_region(make_scan, toy):
    dataset = make_scan(toy, n_coupling=401)
    (polygon,) = excluded_polygons(dataset)
    assert not polygon.holes
    np.testing.assert_array_equal(polygon.outer[0], polygon.outer[-1])
    mass = np.geomspace(0.2, 0.8, 2001)
    low, high = toy.edges(mass, LIMITS["observed"])
    exact = np.trapezoid(np.log10(high / low), np.log10(mass))
    assert signed_area(polygon.outer) == pytest.approx(exact, rel=1e-3)


def test_vertices_lie_on_the_exact_contour(make_scan, toy):
    (first, second) = contour_lines(make_scan(toy, n_coupling=401))
    for line in (first, second):
        low, high = toy.edges(line[:, 0], LIMITS["observed"])
        distance = np.minimum(
            np.abs(np.log(line[:, 1] / low)), np.abs(np.log(line[:, 1] / high))
        )
        assert distance.max() < 2e-3


def test_region_cut_off_by_the_plane_is_closed_there(make_scan, toy):
    dataset = make_scan(toy, low=1e-6)
    edges = coupling_edges(dataset)
    cut = edges.n_crossings == 1
    assert cut.any()
    np.testing.assert_allclose(edges.lower[cut], 1e-6, rtol=1e-12)
    (polygon,) = excluded_polygons(dataset)
    np.testing.assert_array_equal(polygon.outer[0], polygon.outer[-1])
    assert polygon.outer[:, 1].min() == pytest.approx(1e-6, rel=1e-12)


def test_failed_points_are_never_inside_the_contour(make_scan, make_toy):
    dataset = make_scan(make_toy(mass_failing=0.5))
    good = dataset["mass"].values[dataset["mass"].values <= 0.5]
    (polygon,) = excluded_polygons(dataset)
    assert polygon.outer[:, 0].max() == pytest.approx(good[-1], rel=1e-12)
    edges = coupling_edges(dataset)
    assert np.isnan(edges.lower[good.size :]).all()
    assert np.isfinite(edges.lower[: good.size]).all()
    assert (edges.n_crossings[good.size :] == 0).all()
    # a failure that stores large numbers instead of nan is masked as well
    dataset["n_signal"] = dataset["n_signal"].fillna(1e9)
    dataset["n_up_obs"] = dataset["n_up_obs"].fillna(1.0)
    (again,) = excluded_polygons(dataset)
    np.testing.assert_array_equal(again.outer, polygon.outer)


def test_islands_and_holes(make_scan, toy):
    dataset = make_scan(toy)
    x = np.log10(dataset["mass"].values / 0.2)[:, None] / np.log10(4.0)
    y = np.log10(dataset["epsilon"].values / 1e-7)[None, :] / 2.0
    left, right = np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5)
    field = np.maximum(0.05 - np.abs(left - 0.15), 0.15 - right)
    dataset["n_signal"] = dataset["n_up_obs"] * 10.0**field
    polygons = excluded_polygons(dataset)
    assert sorted(len(polygon.holes) for polygon in polygons) == [0, 1]
    for polygon in polygons:
        assert signed_area(polygon.outer) > 0
        assert all(signed_area(hole) < 0 for hole in polygon.holes)
    ring = max(polygons, key=lambda polygon: len(polygon.holes))
    unit = np.log10(4.0) * 2.0  # areas of the unit square of (x, y), in decades
    area = signed_area(ring.outer) + signed_area(ring.holes[0])
    assert area / unit == pytest.approx(np.pi * (0.2**2 - 0.1**2), rel=0.03)
    edges = coupling_edges(dataset)
    assert edges.n_crossings.max() == 4


def test_nothing_excluded_is_empty_and_all_excluded_is_the_plane(make_scan, toy):
    dataset = make_scan(toy)
    empty = dataset.assign(n_signal=0.0 * dataset["n_signal"])
    assert excluded_polygons(empty) == ()
    assert contour_lines(empty) == ()
    assert np.isnan(coupling_edges(empty).lower).all()
    full = dataset.assign(n_signal=0.0 * dataset["n_signal"] + 1e300)
    (polygon,) = excluded_polygons(full)
    area = signed_area(polygon.outer)
    assert area == pytest.approx(2.0 * np.log10(4.0), rel=1e-12)
    assert contour_lines(full) == ()


def test_field_is_clipped_and_quantities_are_ordered(make_scan, toy):
    dataset = make_scan(toy)
    fields = [log_ratio(dataset, quantity) for quantity in QUANTITIES[1:]]
    assert all(np.abs(field).max() <= 3.0 for field in fields)
    for stronger, weaker in pairwise(fields):
        assert np.all(stronger >= weaker)
    with pytest.raises(UnknownNameError, match="did you mean 'expected'"):
        log_ratio(dataset, "expectd")


def without_limits(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.drop_vars(["n_up_obs", "n_up_exp"])


def test_field_of_cls_is_that_of_counts_where_nothing_is_observed(make_scan, toy):
    # CLs(0) = exp(-N), and the limit is -ln(1 - cl): the toy's 2.3026 at 90 %
    dataset = make_scan(toy)
    counts, cls = log_ratio(dataset), log_ratio(without_limits(dataset))
    inside = np.abs(counts) < 3.0
    assert inside.any()
    np.testing.assert_allclose(cls[inside], counts[inside], rtol=0.0, atol=1e-12)
    np.testing.assert_array_equal(cls > 0.0, counts > 0.0)


@pytest.mark.parametrize("cl", [0.683, 0.9, 0.95, 0.9973])
def test_contour_of_cls_is_where_cls_is_one_minus_the_level(make_scan, toy, cl: float):
    dataset = without_limits(make_scan(toy, n_coupling=401)).assign_attrs(cl=cl)
    low, high = toy.edges(dataset["mass"].values, -np.log1p(-cl))
    edges = coupling_edges(dataset)
    np.testing.assert_allclose(edges.lower, low, rtol=1e-3)
    np.testing.assert_allclose(edges.upper, high, rtol=1e-3)


def test_cls_of_zero_and_one_are_the_ends_of_the_field(make_scan, toy):
    dataset = without_limits(make_scan(toy))
    cls = dataset["cls_obs"].copy()
    cls[0], cls[1], cls[2, :3] = 1.0, 0.0, np.nan
    field = log_ratio(dataset.assign(cls_obs=cls))
    assert np.all(field[0] == -3.0)
    # exp(-708) is the smallest normal number: 10^2.49 times ln 10
    assert np.all(field[1] > 2.4)
    assert np.ma.getmaskarray(field)[2].tolist() == [True] * 3 + [False] * 158


def test_quantiles_of_a_joint_map_run_from_the_strongest(make_joint_dataset):
    plane = np.linspace(-1.0, 1.0, 9) + np.zeros((5, 1))
    dataset = make_joint_dataset(plane, a=plane - 0.5, b=plane)
    shifts = dict(zip(QUANTITIES[1:], (0.02, 0.01, 0.0, -0.2, -0.3), strict=True))
    for quantity, shift in shifts.items():
        field = log_ratio(dataset, quantity)
        np.testing.assert_allclose(field, plane + shift, rtol=0.0, atol=1e-12)
    single = log_ratio(dataset, search="a")
    np.testing.assert_allclose(single, plane - 0.5, rtol=0.0, atol=1e-12)


def test_a_map_of_one_search_has_no_single_ones(make_joint_dataset):
    plane = np.linspace(-1.0, 1.0, 9) + np.zeros((5, 1))
    assert search_names(make_joint_dataset(plane, a=plane)) == ()


def test_single_search_has_its_own_mask(make_joint_dataset):
    plane = np.linspace(-1.0, 1.0, 9) + np.zeros((5, 1))
    part = plane.copy()
    part[3:] = np.nan
    dataset = make_joint_dataset(plane, a=part, b=plane)
    assert search_names(dataset) == ("a", "b")
    mask = np.ma.getmaskarray(log_ratio(dataset, search="a")).all(axis=1)
    assert mask.tolist() == [False, False, False, True, True]
    assert not np.ma.getmaskarray(log_ratio(dataset)).any()
    (polygon,) = excluded_polygons(dataset, search="a")
    assert polygon.outer[:, 0].max() == pytest.approx(dataset["mass"].values[2])
    assert np.isnan(coupling_edges(dataset, search="a").lower[3:]).all()
    (line,) = contour_lines(dataset, search="a")
    assert line[:, 0].max() == pytest.approx(dataset["mass"].values[2])


def test_search_that_a_map_does_not_hold_is_refused(make_joint_dataset, make_dataset):
    plane = np.linspace(-1.0, 1.0, 9) + np.zeros((5, 1))
    dataset = make_joint_dataset(plane, mumu=plane, ee=plane)
    with pytest.raises(UnknownNameError, match="did you mean 'mumu'"):
        log_ratio(dataset, search="mumuu")
    with pytest.raises(InputError, match="quantity='observed'"):
        log_ratio(dataset, "expected", search="mumu")
    with pytest.raises(InputError, match="leave the search out"):
        log_ratio(make_dataset(), search="na62-dump-mumu")


def test_dataset_that_is_no_scan_is_an_input_error(make_dataset):
    dataset = make_dataset().drop_vars(["n_up_obs", "cls_obs"])
    with pytest.raises(InputError, match="no variable 'cls_obs'"):
        log_ratio(dataset)


@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-12, 0.0])
def test_edge_between_two_nearly_equal_masses_is_a_vertical_line(
    make_joint_dataset, gap: float
):
    edge = 0.41
    after = np.nextafter(edge, 1.0) if gap == 0.0 else edge * (1.0 + gap)
    mass = np.array([0.215, 0.3, edge, after, 0.5, 0.8])
    low, high = np.linspace(-0.5, 1.5, 9), np.linspace(-1.5, 0.5, 9)
    plane = np.where((mass <= edge)[:, None], low, high)
    dataset = make_joint_dataset(plane, a=plane).assign_coords(mass=mass)
    (polygon,) = excluded_polygons(dataset)
    np.testing.assert_array_equal(polygon.outer[0], polygon.outer[-1])
    decades = np.log10(edge / 0.215) * 1.5 + np.log10(0.8 / edge) * 0.5
    # a strip of the width of the gap is all that may be missing
    assert signed_area(polygon.outer) == pytest.approx(decades, rel=2 * gap + 1e-12)
    edges = coupling_edges(dataset)
    np.testing.assert_allclose(edges.lower[2:4], [10**-6.5, 10**-5.5], rtol=1e-12)
    vertices = polygon.outer[np.isclose(polygon.outer[:, 0], edge, rtol=1e-5)]
    for end in (10**-6.5, 10**-5.5):
        assert np.isclose(vertices[:, 1], end, rtol=1e-9).any()


def test_plane_of_one_mass_has_edges(make_scan, toy):
    dataset = make_scan(toy, n_coupling=401).isel(mass=[5])
    low, high = toy.edges(dataset["mass"].values, LIMITS["observed"])
    edges = coupling_edges(dataset)
    np.testing.assert_allclose(edges.lower, low, rtol=1e-3)
    np.testing.assert_allclose(edges.upper, high, rtol=1e-3)
