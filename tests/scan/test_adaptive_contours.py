"""Refined contours against closed forms: Lambert's W, circles, steps."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.export.contour_csv import read_contour, write_contour
from bsmfit.scan.adaptive.contours import refine_contours
from bsmfit.scan.adaptive.guards import may_hide
from bsmfit.scan.adaptive.polish import VertexStatus
from bsmfit.scan.contour import contour_lines, coupling_edges, excluded_polygons
from bsmfit.scan.runner import PointResult, run_plane
from bsmfit.scan.store import build_dataset, read_scan, write_scan
from bsmfit.scan.stored_contours import stored_rings, without_contours

UP_OBS, UP_ONE_SIGMA = 2.302585092994046, 3.9  # those of the toy
PRECISION = 1e-3
MIDDLE = np.log([0.4, 1e-6])


class Circles(eqx.Module):
    """A disc with a hole off its centre, and a small disc beside it.

    The field is ln(ln CLs / ln 0.1): the distance to the nearest circle, above 0 in
    what is excluded. Distances are in the natural logarithms.
    """

    circle: Float[Array, "3 3"]  # centre and radius of disc, hole, island
    steps: Float[Array, ""]

    def __call__(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> PointResult:
        x, y = jnp.log(mass) - MIDDLE[0], jnp.log(coupling) - MIDDLE[1]
        distance = jnp.hypot(x - self.circle[:, 0], y - self.circle[:, 1])
        disc, hole, island = self.circle[:, 2] - distance
        field = jnp.maximum(jnp.minimum(disc, -hole), island)
        # a count that changes with the mass, where asked for
        field = field + self.steps * jnp.where(x > 0.123456, -0.1, 0.0)
        cls = jnp.power(0.1, jnp.exp(field))
        return PointResult(
            n_signal=jnp.exp(field),
            cls_obs=cls,
            cls_exp=cls,
            cls_exp_quantiles=jnp.full(5, cls),
            n_obs=jnp.array(0),
            status=jnp.array(0),
        )

    def distance(self, vertices: np.ndarray) -> np.ndarray:
        """Distance to the nearest circle, in decades."""
        x, y = (np.log(vertices) - MIDDLE).T
        gaps = [np.abs(np.hypot(x - a, y - b) - r) for a, b, r in np.array(self.circle)]
        return np.min(gaps, axis=0) / np.log(10.0)


def circles_on_a_grid(make_plan, *, steps: float = 0.0):
    circles = [[0.0, 0.0, 1.0], [0.1, 0.1, 0.33], [1.7, 0.5, 0.3]]
    point = Circles(jnp.array(circles), jnp.array(steps))
    mass = np.exp(MIDDLE[0] + np.linspace(-2.0, 2.3, 17))
    coupling = np.exp(MIDDLE[1] + np.linspace(-2.0, 2.0, 15))
    plane = run_plane(point, mass, coupling=coupling)
    dataset = build_dataset(plane, make_plan(), mass=mass, coupling=coupling)
    return point, dataset


def points_on(ring: np.ndarray) -> np.ndarray:
    """Points all along a ring, vertices and between."""
    logs = np.log(ring)
    parts = [logs[:-1] + t * np.diff(logs, axis=0) for t in np.linspace(0.0, 1.0, 9)]
    return np.exp(np.concatenate(parts))


def log_area(ring: np.ndarray) -> float:
    x, y = (np.log(ring) - MIDDLE).T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def test_island_and_hole_are_circles_to_the_precision(make_plan):
    point, dataset = circles_on_a_grid(make_plan)
    refined = refine_contours(
        dataset, point, precision=PRECISION, quantities=["observed"]
    )
    island, disc = sorted(
        excluded_polygons(refined), key=lambda polygon: len(polygon.holes)
    )
    (hole,) = disc.holes
    for ring, radius in ((island.outer, 0.3), (disc.outer, 1.0), (hole, -0.33)):
        assert point.distance(ring).max() < 1e-6  # vertices are polished
        assert point.distance(points_on(ring)).max() < PRECISION
        exact = np.pi * radius * abs(radius)
        assert log_area(ring) == pytest.approx(exact, rel=0.02)
    # a grid of this step has 1900 x 1700 points
    assert refined.attrs["n_evaluated"] < 0.001 * 1900 * 1700
    # 0.06 decades of a cell, not refined, are seen
    coarse = excluded_polygons(dataset)
    assert max(point.distance(points_on(p.outer)).max() for p in coarse) > 0.01


def test_jump_in_the_mass_is_found_and_its_corners_are_sharp(make_plan):
    point, dataset = circles_on_a_grid(make_plan, steps=1.0)
    refined = refine_contours(
        dataset, point, precision=PRECISION, quantities=["observed"]
    )
    rings = stored_rings(refined, "observed")
    assert rings is not None
    jump = np.concatenate([r.vertices[r.status == VertexStatus.JUMP] for r in rings])
    assert len(jump) >= 2
    log_mass = np.log(jump[:, 0]) - MIDDLE[0]
    np.testing.assert_allclose(log_mass, 0.123456, atol=2e-6)
    for ring in rings:
        is_root = ring.status <= VertexStatus.ALONG_MASS
        assert np.abs(ring.residual[is_root]).max() <= 1e-6
    # the radii behind the step are 0.1 smaller, that of the hole larger
    outer = max(rings, key=lambda ring: log_area(ring.vertices)).vertices
    x, y = (np.log(outer) - MIDDLE).T
    radius = np.hypot(x, y)
    assert np.abs(radius[x < 0.1234] - 1.0).max() < 3e-6
    assert np.abs(radius[x > 0.1235] - 0.9).max() < 3e-6


def test_edges_are_lambert_w_at_every_mass(make_scan, toy, tmp_path):
    dataset = make_scan(toy, n_coupling=21)
    names = ("observed", "expected+1sigma")
    refined = refine_contours(dataset, toy, precision=PRECISION, quantities=names)
    assert refined.attrs["n_evaluated"] < 0.05 * 31 * 2000
    for name, limit in zip(names, (UP_OBS, UP_ONE_SIGMA), strict=True):
        low, high = toy.edges(dataset["mass"].values, limit)
        edges = coupling_edges(refined, name)
        np.testing.assert_array_equal(edges.n_crossings, 2)
        # |ln N - ln N_up| <= 1e-6
        np.testing.assert_allclose(edges.lower, low, rtol=1e-6)
        np.testing.assert_allclose(edges.upper, high, rtol=1e-6)
        lines = contour_lines(refined, name)
        assert len(lines) == 2  # cut off by both ends of the masses
        for line in lines:
            places = points_on(line)
            low, high = toy.edges(places[:, 0], limit)
            off = np.abs(np.log10(places[:, 1, None] / np.stack([low, high], axis=-1)))
            assert off.min(axis=1).max() < PRECISION
    # a quantity that was not refined has the contour of its grid
    coarse = excluded_polygons(refined, "expected")
    np.testing.assert_array_equal(
        coarse[0].outer, excluded_polygons(dataset, "expected")[0].outer
    )
    write_scan(refined, tmp_path / "scan.nc")
    write_contour(read_scan(tmp_path / "scan.nc"), tmp_path / "contour.csv")
    read = read_contour(tmp_path / "contour.csv")
    assert read.header["precision"].startswith("0.001 in log10 of the coupling")
    (polygon,) = excluded_polygons(refined)
    np.testing.assert_allclose(read.polygons[0].outer, polygon.outer, rtol=1e-11)


def test_agrees_with_a_dense_grid(make_scan, toy):
    refined = refine_contours(
        make_scan(toy, n_coupling=21), toy, precision=PRECISION, quantities=["observed"]
    )
    dense, found = (
        coupling_edges(make_scan(toy, n_coupling=2001)),
        coupling_edges(refined),
    )
    for name in ("lower", "upper"):
        ratio = getattr(found, name) / getattr(dense, name)
        assert np.abs(np.log10(ratio)).max() < PRECISION


def test_tip_between_two_couplings_is_not_lost(make_scan, toy):
    # N has its maximum at g^2 = 2 / (B m): hardly above the limit, within one cell
    slope, top = float(toy.slope), 1.02 * UP_OBS
    strength = top * (slope / 2.0) ** 2 * np.exp(2.0)
    point = eqx.tree_at(lambda tree: tree.strength, toy, jnp.array(strength))
    dataset = make_scan(point, n_coupling=21)
    assert np.isnan(coupling_edges(dataset).lower).sum() >= 10
    refined = refine_contours(
        dataset, point, precision=PRECISION, quantities=["observed"]
    )
    edges = coupling_edges(refined)
    low, high = point.edges(edges.mass, UP_OBS)
    np.testing.assert_allclose(edges.lower, low, rtol=1e-5)
    np.testing.assert_allclose(edges.upper, high, rtol=1e-5)


def test_points_without_result_are_never_inside(make_scan, make_toy):
    point = make_toy(mass_failing=0.5)
    refined = refine_contours(
        make_scan(point, n_coupling=21), point, precision=0.01, quantities=["observed"]
    )
    (polygon,) = excluded_polygons(refined)
    highest = polygon.outer[:, 0].max()
    assert 0.5 * 10**-0.01 < highest <= 0.5


def test_bad_input_is_refused(make_scan, toy):
    dataset = make_scan(toy, n_coupling=21)
    for precision in (0.0, 1e-6, 0.5, np.nan):
        with pytest.raises(InputError, match="precision"):
            refine_contours(dataset, toy, precision=precision)
    with pytest.raises(UnknownNameError, match="did you mean 'expected'"):
        refine_contours(dataset, toy, quantities=["expectd"])
    with pytest.raises(InputError, match="one contour or more"):
        refine_contours(dataset, toy, quantities=[])
    with pytest.raises(InputError, match="two masses and two couplings"):
        refine_contours(dataset.isel(mass=[3]), toy)
    with pytest.raises(InputError, match="mass and coupling"):
        refine_contours(dataset.rename(mass="lifetime"), toy)


def test_contours_of_a_plane_that_was_cut_are_refused(make_scan, toy):
    dataset = make_scan(toy, n_coupling=21)
    refined = refine_contours(dataset, toy, precision=0.01, quantities=["observed"])
    part = refined.isel(mass=slice(3, 9))
    with pytest.raises(InputError, match="cut since its contours were refined"):
        excluded_polygons(part)
    kept = without_contours(part)
    assert "n_evaluated" not in kept.attrs
    assert len(excluded_polygons(kept)) == 1


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_guard_bounds_a_concave_function(sign):
    line = np.array([[0.0, 1.0, 2.2, 3.0]])
    values = 0.2 - (line - 1.6) ** 2  # above 0 from 1.15 to 2.05
    assert may_hide(line, sign * values)[0]
    assert not may_hide(line, sign * (values - 1.5))[0]
    assert not may_hide(line, sign * np.array([[-1.0, 1.0, -1.0, -2.0]]))[0]
