"""Simulated K+ -> pi+ X: uniform energies, exponential vertices, closed kinematics."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bsmfit.core.constants import (
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.detector.kaon_decays import pion_sample

MK, MP = KAON_CHARGED_MASS, PION_CHARGED_MASS
BEAM, MASS = 75.0, 0.2
DECAY_LENGTH = BEAM / MK * KAON_CHARGED_LIFETIME * 299792458.0


@pytest.fixture(scope="module")
def exact(beam, spectrometer, tracking):
    """Makes decays of kaons of one momentum, measured without error."""
    one_momentum = dataclasses.replace(beam, momentum_spread=jnp.array(0.0))
    perfect = jax.tree.map(jnp.zeros_like, tracking)
    perfect = eqx.tree_at(
        lambda e: e.pion_angle_momenta, perfect, tracking.pion_angle_momenta
    )

    @jax.jit
    def make(mass, points, hole_radius):
        narrow = dataclasses.replace(
            spectrometer, straw_inner_radius=jnp.broadcast_to(hole_radius, (4,))
        )
        return pion_sample(
            mass, points, beam=one_momentum, spectrometer=narrow, errors=perfect
        )

    return make


@pytest.fixture(scope="module")
def decays(exact, points):
    return exact(jnp.array(MASS), jnp.asarray(points), jnp.array(0.1))


def test_isotropic_decays_have_a_uniform_energy_between_the_ends_of_the_boost(decays):
    rest = np.sqrt((MK**2 - (MP + MASS) ** 2) * (MK**2 - (MP - MASS) ** 2)) / (2 * MK)
    gamma, boost = np.hypot(BEAM, MK) / MK, BEAM / MK
    ends = gamma * np.hypot(rest, MP) + boost * rest * np.array([-1.0, 1.0])
    energy = np.hypot(np.asarray(decays.pion_momentum), MP)
    assert energy.min() > ends[0]
    assert energy.max() < ends[1]
    share = (energy - ends[0]) / (ends[1] - ends[0])
    # 2^12 points of low discrepancy lie closer to the line than random ones
    assert stats.kstest(share, "uniform").statistic < 0.002


def test_vertices_follow_the_decay_law_in_the_volume(decays):
    length = 60.0
    probability = 1.0 - np.exp(-length / DECAY_LENGTH)
    mean = DECAY_LENGTH - length * (1.0 - probability) / probability
    z = np.asarray(decays.vertex_z)
    assert z.mean() - 105.0 == pytest.approx(mean, rel=1e-4)
    law = stats.truncexpon(length / DECAY_LENGTH, loc=105.0, scale=DECAY_LENGTH)
    assert stats.kstest(z, law.cdf).statistic < 0.002
    weight = np.asarray(decays.weight)
    np.testing.assert_allclose(weight[weight > 0], probability, rtol=1e-9)
    assert 0.1 < np.mean(weight > 0) < 1.0


@pytest.mark.parametrize("mass", [0.0, 0.1, 0.35])
def test_four_momentum_is_conserved(exact, points, mass):
    found = exact(jnp.array(mass), jnp.asarray(points[:256]), jnp.array(0.1))
    np.testing.assert_allclose(found.missing_mass_squared, mass**2, atol=1e-10)
    x_energy = np.hypot(BEAM, MK) - np.hypot(np.asarray(found.pion_momentum), MP)
    np.testing.assert_allclose(
        np.hypot(np.asarray(found.x_momentum), mass), x_energy, rtol=1e-9
    )


def test_pions_along_the_kaon_leave_through_the_holes(exact, points):
    """The beam crosses the centres of the first two holes, however narrow they are."""
    forward, sideways = points[:256].copy(), points[:256].copy()
    forward[:, 2], sideways[:, 2] = 1.0, 0.7
    narrow = jnp.array(1e-9)
    assert np.all(exact(jnp.array(MASS), jnp.asarray(forward), narrow).weight == 0.0)
    assert np.any(exact(jnp.array(MASS), jnp.asarray(sideways), narrow).weight > 0.0)


def test_kaon_momenta_have_the_mean_and_spread_of_the_beam(
    beam, spectrometer, tracking, points
):
    """Kaon energy = pion + X; the errors of the pion do not enter the true X."""
    perfect = jax.tree.map(jnp.zeros_like, tracking)
    perfect = eqx.tree_at(
        lambda e: e.pion_angle_momenta, perfect, tracking.pion_angle_momenta
    )
    found = eqx.filter_jit(pion_sample)(
        jnp.array(MASS),
        jnp.asarray(points),
        beam=beam,
        spectrometer=spectrometer,
        errors=perfect,
    )
    energy = np.hypot(np.asarray(found.x_momentum), MASS) + np.hypot(
        np.asarray(found.pion_momentum), MP
    )
    momentum = np.sqrt(energy**2 - MK**2)
    assert momentum.mean() == pytest.approx(75.0, rel=1e-4)
    assert momentum.std() == pytest.approx(0.75, rel=5e-3)
