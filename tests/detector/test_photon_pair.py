"""Two photons in the calorimeter: the share of decays along the axis in closed form."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from bsmfit.detector.acceptance import pair_moments
from bsmfit.detector.charged_pair_acceptance import PhotonCuts
from bsmfit.detector.photon_pair import PhotonPairDetector


@pytest.fixture(scope="module")
def detector(spectrometer) -> PhotonPairDetector:
    on_axis = dataclasses.replace(spectrometer, impact_point=jnp.zeros(3))
    return PhotonPairDetector(on_axis, PhotonCuts(jnp.array(1.0), jnp.array(0.6)))


@pytest.mark.parametrize(
    ("mass", "momentum"), [(0.1, 20.0), (0.3, 40.0), (0.5, 40.0), (0.3, 3.0)]
)
def test_decays_along_the_axis_are_those_of_an_integral(detector, mass, momentum):
    """r = L sin / (gamma (beta + cos)) on either side: one integral over the cosine."""
    vertex_z = 141.5
    points = jnp.asarray(qmc.Sobol(3, rng=2).random(2**13))
    ours = pair_moments(
        jnp.array(mass),
        jnp.array(momentum),
        jnp.array(0.0),
        jnp.array(vertex_z),
        points=points,
        daughter_mass=jnp.array(0.0),
        spectrometer=detector,
    )[0]
    cosine = np.linspace(-1.0, 1.0, 400_001)[1:-1]
    sine, energy = np.sqrt(1.0 - cosine**2), np.hypot(momentum, mass)
    beta, gamma = momentum / energy, energy / mass
    kept, radii = np.ones(cosine.size, bool), []
    for side in (1.0, -1.0):
        longitudinal = 0.5 * mass * gamma * (beta + side * cosine)
        radius = 100.0 * 0.5 * mass * sine / longitudinal
        kept &= 0.5 * mass * gamma * (1.0 + beta * side * cosine) > 1.0
        kept &= (longitudinal > 0) & (radius > 0.15) & (radius < 1.465)
        radii.append(radius)
    kept &= radii[0] + radii[1] > 0.6
    assert float(ours) == pytest.approx(kept.mean(), abs=0.002)
    assert (kept.mean() > 0.05) == (momentum > 3.0)


def test_lowest_momentum_is_twice_the_energy_of_a_photon(detector):
    assert detector.lowest_momentum == 2.0
    assert detector.impact_point.tolist() == [0.0, 0.0, 0.0]
