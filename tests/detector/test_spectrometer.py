from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.detector.spectrometer import is_pair_accepted


def accepted(spectrometer, vertex, first, second) -> bool:
    result = is_pair_accepted(
        jnp.array([vertex]),
        (jnp.array([first]), jnp.array([second])),
        charge=1.0,
        spectrometer=spectrometer,
    )
    return bool(result[0])


# Two 60 GeV tracks 1.5 mrad up and down from the axis, at x = -0.15 m so that they
# miss every hole.
VERTEX = [-0.15, 0.0, 120.0]
UP = [0.0, 0.2, 60.0]
DOWN = [0.0, -0.2, 60.0]


def test_ordinary_pair_is_accepted(spectrometer):
    assert accepted(spectrometer, VERTEX, UP, DOWN)


@pytest.mark.parametrize(
    ("vertex", "first", "second"),
    [
        pytest.param(VERTEX, [0.0, 0.02, 9.9], DOWN, id="soft first"),
        pytest.param(VERTEX, UP, [0.0, -0.02, 9.9], id="soft second"),
        pytest.param([0.1, 0.0, 120.0], [0.0, 0.0, 60.0], UP, id="chamber-1 hole"),
        pytest.param(VERTEX, [0.0, 1.0, 60.0], DOWN, id="outside the chambers"),
        pytest.param([0.5, 0.0, 120.0], [0.03, 0.0, 20.0], DOWN, id="outside MUV3"),
    ],
)
def test_pair_is_lost(spectrometer, vertex, first, second):
    assert not accepted(spectrometer, vertex, first, second)


def test_pair_outside_muv3_is_inside_the_chambers(spectrometer):
    s = dataclasses.replace(spectrometer, required=("straw",))
    assert accepted(s, [0.5, 0.0, 120.0], [0.03, 0.0, 20.0], DOWN)


def test_kick_is_opposite_for_opposite_charges_and_of_the_known_size(spectrometer):
    """A 50 GeV track along the axis is bent by kick/p over the lever arm to MUV3."""
    shift = 0.27 / np.sqrt(50.0**2 - 0.27**2) * (246.85 - 197.0)
    edge = jnp.array(1.32)
    s = dataclasses.replace(spectrometer, required=("muv3",), muv3_half_side=edge)
    for start, inside in ((1.32 - shift - 0.001, True), (1.32 - shift + 0.001, False)):
        vertex = [start, 0.5, 120.0]
        assert accepted(s, vertex, [0.0, 0.0, 50.0], [-0.4, 0.0, 50.0]) is inside
    vertex = [-(1.32 - shift + 0.001), 0.5, 120.0]
    assert accepted(s, vertex, [0.0, 0.0, 50.0], [0.4, 0.0, 50.0])
    assert not accepted(s, vertex, [0.4, 0.0, 50.0], [0.0, 0.0, 50.0])


def test_separation_cut_acts_in_the_first_chamber(spectrometer):
    distance = 2 * 0.2 / 60.0 * (183.5 - 120.0)
    for cut, inside in ((distance - 1e-3, True), (distance + 1e-3, False)):
        s = dataclasses.replace(spectrometer, separation_min=jnp.array(cut))
        assert accepted(s, VERTEX, UP, DOWN) is inside


def test_calorimeter_only_where_it_is_required(spectrometer):
    vertex, first, second = [-0.15, 0.0, 120.0], [0.0, 0.0, 60.0], [0.0, 0.02, 60.0]
    # The second track, bent towards +x by the magnet, ends in the hole of the LKr.
    vertex = [0.35, 0.0, 120.0]
    s = dataclasses.replace(spectrometer, required=("straw",))
    assert accepted(s, vertex, first, second)
    s = dataclasses.replace(
        spectrometer, required=("straw", "lkr"), lkr_inner_radius=jnp.array(0.6)
    )
    assert not accepted(s, vertex, first, second)
