"""A window without magnet: planes, cuts, and its share of directions in closed form."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from bsmfit.detector.acceptance import pair_moments
from bsmfit.detector.aperture import ApertureDetector, is_in_window

VERTEX = [5.0, 0.0, 490.0]
AHEAD, ASIDE = [0.1, 0.0, 10.0], [0.0, 4.0, 10.0]


@pytest.fixture(scope="module")
def detector() -> ApertureDetector:
    """Beside the beam, in round numbers."""
    return ApertureDetector(
        impact_point=jnp.zeros(3),
        centre=jnp.array([5.0, 0.0]),
        half_size=jnp.array([1.5, 1.0]),
        plane_z=jnp.array(515.0),
        momentum_min=jnp.array(1.0),
        energy_min=jnp.array(3.0),
        angle_max=jnp.array(0.1),
        n_track=1,
        is_rectangle=True,
    )


def accepted(detector, vertex, first, second) -> bool:
    pair = (jnp.array([first]), jnp.array([second]))
    return bool(detector.accepts_pair(jnp.array([vertex]), pair)[0])


def test_one_track_in_the_window_is_enough_or_not(detector):
    assert accepted(detector, VERTEX, AHEAD, ASIDE)
    assert accepted(detector, VERTEX, ASIDE, AHEAD)
    both = dataclasses.replace(detector, n_track=2)
    assert not accepted(both, VERTEX, AHEAD, ASIDE)
    assert accepted(both, VERTEX, AHEAD, AHEAD)


@pytest.mark.parametrize(
    ("vertex", "first", "second"),
    [
        pytest.param([3.4, 0.0, 490.0], AHEAD, AHEAD, id="vertex beside the window"),
        pytest.param([5.0, 1.1, 490.0], AHEAD, AHEAD, id="vertex above the window"),
        pytest.param(VERTEX, ASIDE, ASIDE, id="both leave it"),
        pytest.param(VERTEX, [0.0, 0.0, 0.9], ASIDE, id="soft track"),
        pytest.param(VERTEX, [0.0, 0.0, 1.4], [0.0, 0.0, 1.5], id="too little energy"),
        pytest.param(VERTEX, [0.0, 0.0, -9.0], [0.0, 0.0, -9.0], id="backwards"),
        pytest.param([5.0, 0.0, 514.0], [1.1, 0.0, 10.0], ASIDE, id="large angle"),
    ],
)
def test_pair_is_lost(detector, vertex, first, second):
    assert not accepted(detector, vertex, first, second)


def test_only_tracks_that_cross_the_calorimeter_give_energy(detector):
    soft = [0.0, 0.0, 2.0]
    assert not accepted(detector, VERTEX, soft, ASIDE)
    assert accepted(detector, VERTEX, soft, soft)


def test_corner_belongs_to_the_rectangle_and_not_to_the_ellipse(detector):
    corner = jnp.array([[6.4, 0.9]])
    assert is_in_window(corner, detector)[0]
    ellipse = dataclasses.replace(detector, is_rectangle=False)
    assert not is_in_window(corner, ellipse)[0]


@pytest.mark.parametrize("radius", [4.0, 5.0, 6.0])
def test_share_of_azimuths_is_that_of_the_arc_in_the_window(detector, radius):
    """A hard pair along the flight: the arc of a circle, of radius r at the vertex.

    It needs x > 3.5 m there and |y| < 1 m where it has grown to 1.03 r.
    """
    vertex_z = 500.0
    points = jnp.asarray(qmc.Sobol(3, rng=3).random(2**14))
    moments = pair_moments(
        jnp.array(0.01),
        jnp.array(400.0),
        jnp.arctan(jnp.array(radius / vertex_z)),
        jnp.array(vertex_z),
        points=points,
        daughter_mass=jnp.array(0.000511),
        spectrometer=detector,
    )
    widest = min(np.arcsin(1.0 / (1.03 * radius)), np.arccos(3.5 / radius))
    assert float(moments[0]) == pytest.approx(widest / np.pi, rel=0.005)


def test_angles_hold_every_direction_into_the_window(detector):
    low, high = detector.angle_range(480.0, 515.0)
    assert low == pytest.approx(np.arctan(3.5 / 515.0))
    assert high == pytest.approx(np.arctan(np.hypot(6.5, 1.0) / 480.0))
    centred = dataclasses.replace(detector, centre=jnp.zeros(2))
    assert centred.angle_range(480.0, 515.0)[0] == 0.0


def test_lowest_momentum_is_that_of_the_energy_or_of_the_tracks(detector):
    assert detector.lowest_momentum == 3.0
    both = dataclasses.replace(detector, n_track=2, momentum_min=jnp.array(4.0))
    assert both.lowest_momentum == 8.0
