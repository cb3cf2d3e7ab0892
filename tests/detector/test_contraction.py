from __future__ import annotations

import numpy as np
import pytest

from bsmfit.detector.contraction import (
    DecayContraction,
    accepted_spectrum,
    momentum_nodes,
)

VERTICES = np.linspace(105.0, 180.0, 4)
GRID = (np.geomspace(20.0, 400.0, 12), np.linspace(0.0, 0.01, 5))
ORIGIN, BEAM = 25.0, 400.0
REDUCED = np.linspace(-3.5, 8.0, 40)


def reduced_yield(momentum, acceptance):
    points = (np.array([momentum]), np.array([0.002]), np.array([3.0]))
    spectrum = accepted_spectrum(*points, grid=GRID, acceptance=acceptance)
    contraction = DecayContraction.from_geometry(
        momentum_nodes(GRID[0]),
        reduced_lifetimes=REDUCED,
        vertices=VERTICES,
        origin=ORIGIN,
        beam_momentum=BEAM,
    )
    return contraction.reduced_log_yield(spectrum)


@pytest.mark.parametrize("momentum", [35.0, 130.0, 390.0])
def test_one_momentum_and_full_acceptance_is_the_decay_law(momentum):
    ours = reduced_yield(momentum, np.ones((12, 5, 4)))
    length = np.exp(REDUCED) * 80.0 * momentum * np.cos(0.002) / BEAM
    expected = (
        np.log(3.0)
        + np.log(-np.expm1(-75.0 / length))
        - 80.0 / length
        + np.exp(-REDUCED)
    )
    # the momentum is shared between two nodes 0.2 % apart
    bias = (0.002 * 80.0 / length) ** 2 / 8.0
    assert np.all(np.abs(ours - expected) < 1e-6 + 1.2 * bias + 1e-4 * 80.0 / length)


def test_acceptance_is_interpolated_in_momentum_and_angle():
    acceptance = np.log(GRID[0])[:, None, None] * GRID[1][None, :, None] * np.ones(4)
    momenta, weight = np.array([50.0, 90.0]), np.ones(2)
    spectrum = accepted_spectrum(
        momenta, np.array([0.003, 0.004]), weight, grid=GRID, acceptance=acceptance
    )
    expected = np.log(50.0) * 0.003 + np.log(90.0) * 0.004
    np.testing.assert_allclose(spectrum.sum(axis=0), expected, rtol=1e-9)


def test_points_outside_the_grid_are_lost():
    points = (np.array([19.0, 50.0]), np.array([0.001, 0.02]), np.ones(2))
    spectrum = accepted_spectrum(*points, grid=GRID, acceptance=np.ones((12, 5, 4)))
    assert spectrum.sum() == 0.0
