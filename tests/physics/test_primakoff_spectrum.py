"""Particles that photons make, against integrals of another kind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, simpson
from scipy.special import spherical_jn
from scipy.stats import qmc

from bsmfit.physics.meson_decay import MESON_DECAYS
from bsmfit.physics.primakoff import COPPER, IRON
from bsmfit.physics.primakoff_spectrum import photon_points, primakoff_points
from bsmfit.physics.production_spectrum import MesonSpectrum, SpectrumPoints

UNIT = qmc.Sobol(6, rng=5).random(4096)
ONE_BIN = MesonSpectrum(
    momentum_edges=np.array([99.9, 100.1]),
    angle_edges=np.array([0.0, 1e-5]),
    counts=np.array([[50.0]]),
    n_event=100.0,
)
PION, ETA = MESON_DECAYS["pi0-decay"], MESON_DECAYS["eta-decay"]


def photons_of(decay):
    return photon_points(ONE_BIN, decay, unit_points=UNIT[:, :4])


def made(photons, mass, nucleus=COPPER):
    unit = UNIT[:, 4:]
    return primakoff_points(photons, mass, nucleus=nucleus, unit_points=unit)


def textbook(energy, mass, power=0):
    """Mean of theta^power over the textbook rate, alpha Z^2 F^2 p^4 sin^2 / 4 t^2."""
    fm, electron = 0.1973269804, 0.51099895e-3
    p = math.sqrt(energy**2 - mass**2)
    theta = np.geomspace(1e-10, 0.3, 6001)
    t = (mass**2 / (energy + p)) ** 2 + 4 * energy * p * np.sin(theta / 2) ** 2
    c = 1.23 * 63 ** (1 / 3) - 0.6
    x = np.sqrt(t * (c**2 + 7 / 3 * (math.pi * 0.52) ** 2 - 5 * 0.81)) / fm
    form = 3 * spherical_jn(1, x) / x * np.exp(-0.5 * t * (0.9 / fm) ** 2)
    length = 111 / (electron * 29 ** (1 / 3))
    form *= length**2 * t / (1 + length**2 * t) * (t < 0.36)
    rate = 29**2 / 137.035999 / 4 * form**2 * p**4 * np.sin(theta) ** 3 / t**2
    return simpson(theta ** (1 + power) * rate, x=np.log(theta))


@pytest.mark.parametrize("decay", [PION, ETA])
def test_photons_share_the_energy_of_the_mesons(decay):
    photons = photons_of(decay)
    energy = math.hypot(100.0, decay.parent_mass)
    share = 0.5 * decay.branching_ratio
    assert photons.weight.sum() == pytest.approx(2 * share, rel=1e-9)
    total = (photons.weight * photons.momentum).sum()
    assert total == pytest.approx(share * energy, rel=1e-3)


@pytest.mark.parametrize("mass", [0.005, 0.1, 0.5])
def test_particles_are_the_integral_of_photons_and_cross_section(mass):
    """Photons of a pion are even in energy up to its own; 6.38 b = 1.639e4 / GeV^2."""
    area = 7 * 63.546 / (9 * 6.02214076e23 * 12.86) / 3.893793721e-28
    energy = math.hypot(100.0, PION.parent_mass)
    low, high = 0.5 * (energy - 100.0), 0.5 * (energy + 100.0)
    shown, _ = quad(
        lambda e: textbook(e, mass), max(low, 1.001 * mass), high, epsrel=1e-4
    )
    expected = 2 * 0.5 * PION.branching_ratio * shown / (high - low) / area
    points = made(photons_of(PION), mass)
    assert points.weight.sum() == pytest.approx(expected, rel=3e-3)


def test_the_nucleus_turns_the_particle_by_the_transfer():
    n = UNIT.shape[0]
    photons = SpectrumPoints(np.full(n, 50.0), np.zeros(n), np.full(n, 1.0 / n))
    points = made(photons, 0.2)
    found = np.average(points.angle**2, weights=points.weight)
    assert found == pytest.approx(
        textbook(50.0, 0.2, 2) / textbook(50.0, 0.2), rel=0.01
    )
    np.testing.assert_allclose(points.momentum, math.sqrt(2500 - 0.04), rtol=1e-12)


def test_iron_makes_as_many_as_copper():
    """Both cross sections are proportional to Z^2, but for logarithms and Z(Z+1)."""
    photons = photons_of(PION)
    copper, iron = (
        made(photons, 0.1, nucleus).weight.sum() for nucleus in (COPPER, IRON)
    )
    assert iron / copper == pytest.approx(1.0, abs=0.04)


def test_soft_photons_make_nothing():
    photons = SpectrumPoints(np.array([0.05, 0.1, 0.2]), np.zeros(3), np.ones(3))
    points = primakoff_points(
        photons, 0.15, nucleus=COPPER, unit_points=np.full((3, 2), 0.3)
    )
    assert points.momentum.size == 1
    assert np.isfinite(points.weight).all()
