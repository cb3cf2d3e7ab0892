from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from bsmfit.detector.acceptance import pair_moments
from bsmfit.detector.close_tracks import CloseTracks, VertexError, vertex_error
from bsmfit.detector.spectrometer import is_pair_accepted

VERTEX = jnp.array([[-0.15, 0.0, 120.0]])
UP, DOWN = jnp.array([[0.0, 0.2, 60.0]]), jnp.array([[0.0, -0.2, 60.0]])


def accepted(spectrometer, close, first=UP, second=DOWN) -> bool:
    changed = dataclasses.replace(spectrometer, close_tracks=close)
    pair = (first, second)
    return bool(is_pair_accepted(VERTEX, pair, charge=1.0, spectrometer=changed)[0])


def test_vertex_error_is_that_of_a_fit_of_two_straight_lines():
    """Least squares: two points and two slopes, unknown (x, z) of the vertex.

    Near the vertex the lines x_i = a_i + s_i (z - z1) meet at z1 - (a1 - a2)/(s1 - s2);
    its variance, with a known to the position error and s to the slope error."""
    rng = np.random.default_rng(3)
    noise, scatter, position, lever = 16e-6, 0.58e-3, 130e-6, 63.5
    momenta = np.array([30.0, 80.0])
    slopes = np.array([3.1e-3, -1.2e-3])
    errors = np.hypot(noise, scatter / momenta)
    at = lever * slopes + position * rng.standard_normal((400_000, 2))
    measured = slopes + errors * rng.standard_normal((400_000, 2))
    meeting = -(at[:, 0] - at[:, 1]) / (measured[:, 0] - measured[:, 1])
    z = momenta / np.hypot(1.0, slopes)
    tracks = [jnp.array([[s * q, 0.0, q]]) for s, q in zip(slopes, z, strict=True)]
    tracking = VertexError(*jnp.array([noise, scatter, position, 1.0]))
    error = vertex_error(
        (tracks[0], tracks[1]), lever=jnp.array([lever]), tracking=tracking
    )
    assert float(error[0]) == pytest.approx(np.std(meeting), rel=0.01)


def test_vertex_error_grows_as_one_over_the_opening_and_stays_finite():
    tracking = VertexError(*jnp.array([20e-6, 0.0, 0.0, 1.0]))

    def error(half):
        pair = [jnp.array([[0.0, 1.0, 0.0]]) * s * half for s in (50.0, -50.0)]
        along = jnp.array([[0.0, 0.0, 50.0]])
        pair = (pair[0] + along, pair[1] + along)
        return vertex_error(pair, lever=jnp.array([60.0]), tracking=tracking)[0]

    assert float(error(1e-4) / error(2e-4)) == pytest.approx(2.0, rel=1e-9)
    value, slope = jax.value_and_grad(error)(0.0)
    assert np.isfinite(value)
    assert np.isfinite(slope)


def test_distance_at_the_calorimeter_is_that_of_straight_tracks_and_the_kick(
    spectrometer,
):
    """2 kick/p over the lever behind the magnet across, the opening along y."""
    across = 2.0 * 0.27 / np.sqrt(60.0**2 - 0.27**2) * (241.495 - 197.0)
    along = 2.0 * 0.2 / 60.0 * (241.495 - 120.0)
    distance = np.hypot(across, along)
    for cut, inside in ((distance - 1e-3, True), (distance + 1e-3, False)):
        assert accepted(spectrometer, CloseTracks(jnp.array(cut))) is inside


def test_a_pair_with_an_uncertain_vertex_is_lost(spectrometer):
    error = (183.508 - 120.0) * np.sqrt(2.0) * 20e-6 / (0.4 / 60.0)
    for largest, inside in ((error * 0.99, False), (error * 1.01, True)):
        vertex = VertexError(*jnp.array([20e-6, 0.0, 0.0, largest]))
        assert accepted(spectrometer, CloseTracks(jnp.array(0.0), vertex)) is inside
        assert not accepted(
            spectrometer, CloseTracks(jnp.array(0.0), vertex), UP, 1.01 * UP
        )


def test_moments_are_those_of_a_momentum_cut_alone(spectrometer):
    r"""Both daughters above p_min: |cos theta*| < c = 1 - 2 p_min/p for light ones.

    $A_0 = c$, $A_2 = (c^3 - c)/3$; a transverse vector has $(3c + c^3)/4$."""
    nothing = dataclasses.replace(
        spectrometer, required=(), momentum_min=jnp.array(10.0)
    )
    points = jnp.asarray(qmc.Sobol(3, rng=1).random(2**14))
    moments = pair_moments(
        *(jnp.array(x) for x in (0.1, 50.0, 0.001, 120.0)),
        points=points,
        daughter_mass=jnp.array(0.000511),
        spectrometer=nothing,
    )
    c = 1.0 - 2.0 * 10.0 / 50.0
    np.testing.assert_allclose(moments, [c, (c**3 - c) / 3.0], atol=3e-4)
    transverse = moments[0] + 0.75 * moments[1]
    assert float(transverse) == pytest.approx((3.0 * c + c**3) / 4.0, abs=3e-4)
