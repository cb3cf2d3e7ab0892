from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bsmfit.errors import UnknownNameError
from bsmfit.scan.contour import (
    QUANTITIES,
    contour_lines,
    coupling_edges,
    excluded_polygons,
    log_ratio,
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
