"""Toy acceptances of K+ -> mu- nu e+ e+: kinematics, and shapes that are known."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from bsmfit.catalogue.records import read_geometry, read_kaon_setup
from bsmfit.catalogue.spectrometers import make_spectrometer
from bsmfit.core.constants import ELECTRON_MASS, KAON_CHARGED_MASS, MUON_MASS
from bsmfit.detector.kaon_decays import KaonBeam
from bsmfit.detector.muon_two_electrons import (
    N_COORDINATE,
    SHAPES,
    acceptance_ratio,
    decay_momenta,
    shape,
)
from bsmfit.errors import UnknownNameError


@pytest.fixture(scope="module")
def points():
    sobol = qmc.Sobol(N_COORDINATE, seed=1)
    return jnp.asarray(sobol.random_base2(14))


@pytest.fixture(scope="module")
def decays(points):
    return decay_momenta(points[:, 2:])


@pytest.fixture(scope="module")
def experiment():
    setup = read_kaon_setup("NA62_kaon")
    beam, volume = setup.beam, setup.decay_volume
    return {
        "beam": KaonBeam(
            momentum=jnp.asarray(beam.momentum.value),
            momentum_spread=jnp.asarray(beam.momentum_spread.value),
            start=jnp.asarray(volume.start.value),
            end=jnp.asarray(volume.end.value),
        ),
        "spectrometer": make_spectrometer(
            read_geometry(setup.geometry), detectors=["straw", "chod", "lkr"]
        ),
    }


def squared_mass(momenta):
    return momenta[..., 0] ** 2 - (momenta[..., 1:] ** 2).sum(-1)


def test_four_momentum_is_conserved_and_masses_are_right(decays):
    momenta, weight = np.asarray(decays[0]), np.asarray(decays[1])
    total = momenta.sum(axis=0)
    np.testing.assert_allclose(total[:, 0], KAON_CHARGED_MASS, atol=1e-12)
    np.testing.assert_allclose(total[:, 1:], 0.0, atol=1e-12)
    masses = (MUON_MASS, 0.0, ELECTRON_MASS, ELECTRON_MASS)
    for momentum, mass in zip(momenta, masses, strict=True):
        np.testing.assert_allclose(squared_mass(momentum), mass**2, atol=1e-12)
    assert np.all(weight >= 0.0)


def test_phase_space_does_not_know_how_it_was_made(decays):
    """The two electrons are alike, and electron and neutrino nearly so."""
    momenta, weight = np.asarray(decays[0]), np.asarray(decays[1])
    energies = np.average(momenta[..., 0], weights=weight, axis=1)
    assert energies[2] == pytest.approx(energies[3], rel=5e-3)
    assert energies[1] == pytest.approx(energies[2], rel=1e-2)
    pairs = [
        np.average(squared_mass(momenta[0] + momenta[i]), weights=weight)
        for i in (1, 2, 3)
    ]
    assert pairs[0] == pytest.approx(pairs[1], rel=1e-2)
    assert pairs[1] == pytest.approx(pairs[2], rel=1e-2)


def test_massless_phase_space_has_a_known_mean(decays):
    """Sum of all pairs' squared masses is m_K^2 plus twice the sum of m_i^2."""
    momenta = np.asarray(decays[0])
    pairs = [(i, j) for i in range(4) for j in range(i)]
    total = sum(squared_mass(momenta[i] + momenta[j]) for i, j in pairs)
    masses = MUON_MASS**2 + 2.0 * ELECTRON_MASS**2
    np.testing.assert_allclose(total, KAON_CHARGED_MASS**2 + 2.0 * masses, atol=1e-12)


def test_shapes_are_positive_and_symmetric_in_the_electrons(decays):
    momenta = decays[0]
    swapped = momenta[jnp.array([0, 1, 3, 2])]
    for name in SHAPES:
        values = np.asarray(shape(name, momenta))
        assert np.all(values >= -1e-18)
        np.testing.assert_allclose(values, shape(name, swapped), rtol=1e-9)


def test_vector_shape_is_the_trace(decays):
    """tr[mu K P_L e K] tr[nu e] with explicit gamma matrices, at a few points."""
    sigma = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    one, zero = np.eye(2), np.zeros((2, 2))
    gamma = [np.block([[zero, one], [one, zero]])]
    gamma += [np.block([[zero, s], [-s, zero]]) for s in sigma]
    left = np.diag([1.0, 1.0, 0.0, 0.0])

    def slash(k):
        signs = (1.0, -1.0, -1.0, -1.0)
        return sum(s * x * g for s, x, g in zip(signs, k, gamma, strict=True))

    momenta = np.asarray(decays[0])[:, 5:12]
    kaon = slash(momenta.sum(axis=0)[0])
    values = []
    for mu, nu, e1, e2 in np.moveaxis(momenta, 1, 0):
        total = 0.0
        for near, far in ((e1, e2), (e2, e1)):
            current = np.trace(slash(mu) @ kaon @ left @ slash(near) @ kaon)
            total += (current * np.trace(slash(nu) @ left @ slash(far))).real
        values.append(total)
    ours = np.asarray(shape("vector", jnp.asarray(momenta)))
    np.testing.assert_allclose(np.array(values) / ours, 4.0, rtol=1e-4)


def test_ratio_of_uniform_to_itself_is_one_and_others_move_it(points, experiment):
    found = {name: acceptance_ratio(name, points, **experiment) for name in SHAPES}
    assert float(found["uniform"][0]) == pytest.approx(1.0)
    assert 0.01 < float(found["uniform"][1]) < 0.15
    for name in ("scalar", "vector"):
        # momentum lost to the neutrino, and electrons above 6 GeV
        assert 1.0 < float(found[name][0]) < 1.5
    with pytest.raises(UnknownNameError, match="uniform"):
        acceptance_ratio("tensor", points, **experiment)
