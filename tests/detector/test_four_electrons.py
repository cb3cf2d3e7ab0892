"""Simulated pi 4e decays: kinematics, matrix elements, a public toy, displacement."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.four_electron_build import (
    four_electron_points,
    four_electron_search,
)
from bsmfit.core.constants import ELECTRON_MASS, KAON_CHARGED_MASS
from bsmfit.detector.four_electron_decays import five_tracks
from bsmfit.detector.four_electron_matrix_elements import (
    contact_weight,
    field_strength_weight,
)
from bsmfit.detector.four_electron_table import (
    axion_pair_acceptance,
    cascade_acceptance,
)

METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
TIMES = jnp.array([1e-3, 2e-3, 1e4])


@pytest.fixture(scope="module")
def points():
    return jnp.asarray(four_electron_points(16))


@pytest.fixture(scope="module")
def search():
    return four_electron_search("na62-pi4e")


@pytest.fixture(scope="module")
def toy(search):
    """On-axis chambers with holes of 7.5 cm, no errors, no spread of the beam."""
    zero = jnp.zeros(())
    return eqx.tree_at(
        lambda s: (
            s.spectrometer.straw_z,
            s.spectrometer.straw_hole_x,
            s.spectrometer.straw_inner_radius,
            s.beam.momentum_spread,
            s.cuts.momentum_error,
            s.cuts.momentum_slope,
            s.cuts.position_error,
            s.cuts.separation,
        ),
        search,
        (
            jnp.array([183.5, 194.1, 204.5, 218.9]),
            jnp.zeros(4),
            jnp.full(4, 0.075),
            *([zero] * 5),
        ),
    )


@pytest.fixture(scope="module")
def decays(points, search):
    few = points[:256]
    squared = jnp.full(256, 0.3**2)
    pair = jnp.asarray(0.1), jnp.asarray(0.04)
    return five_tracks(
        few, squared, pair, beam=search.beam, spectrometer=search.spectrometer
    )


def mass(momentum):
    return np.sqrt(np.einsum("ni,ij,nj->n", momentum, METRIC, momentum))


def test_masses_are_those_asked_for(decays):
    electrons = np.asarray(decays.electrons)
    assert mass(electrons[:, 0] + electrons[:, 1]) == pytest.approx(0.1, rel=1e-6)
    assert mass(electrons[:, 2] + electrons[:, 3]) == pytest.approx(0.04, rel=1e-6)
    assert mass(electrons.sum(axis=1)) == pytest.approx(0.3, rel=1e-6)
    total = electrons.sum(axis=1) + np.asarray(decays.pion)
    assert mass(total) == pytest.approx(KAON_CHARGED_MASS, rel=1e-6)
    size = np.linalg.norm(total[:, 1:], axis=1)
    assert size == pytest.approx(np.asarray(decays.kaon_momentum), rel=1e-9)


def tensors(electrons):
    """Lepton tensors by their definition."""
    found = []
    for i in (0, 2):
        plus, minus = electrons[:, i], electrons[:, i + 1]
        dot = np.einsum("ni,ij,nj->n", plus, METRIC, minus) + ELECTRON_MASS**2
        both = np.einsum("ni,nj->nij", plus, minus)
        metric = dot[:, None, None] * METRIC
        found.append(both + np.swapaxes(both, 1, 2) - metric)
    return found


def test_weights_are_contracted_tensors(decays):
    # in the rest frame of the pair of pairs, where no large energies cancel
    rng = np.random.default_rng(1)
    momenta = rng.normal(size=(50, 4, 3)) * 0.05
    energy = np.sqrt((momenta**2).sum(axis=2, keepdims=True) + ELECTRON_MASS**2)
    electrons = np.concatenate([energy, momenta], axis=2)
    one, two = tensors(electrons)
    q1, q2 = electrons[:, :2].sum(axis=1), electrons[:, 2:].sum(axis=1)
    dot = np.einsum("ni,ij,nj->n", q1, METRIC, q2)
    contact = np.broadcast_to(METRIC, (50, 4, 4))
    lowered1, lowered2 = q1 @ METRIC, q2 @ METRIC
    field = dot[:, None, None] * METRIC - np.einsum("ni,nj->nij", lowered2, lowered1)
    for vertex, ours in ((contact, contact_weight), (field, field_strength_weight)):
        expected = np.einsum("nab,ncd,nac,nbd->n", vertex, vertex, one, two)
        assert np.asarray(ours(jnp.asarray(electrons))) == pytest.approx(
            expected, rel=1e-9
        )


@pytest.mark.parametrize(
    ("scalar", "photon", "published"),
    [(0.2, 0.05, 0.0151), (0.3, 0.1, 0.0339), (0.32, 0.15, 0.0624)],
)
def test_isotropic_chain_is_that_of_an_independent_toy(
    toy, points, scalar, photon, published
):
    columns, _ = cascade_acceptance(
        jnp.asarray(scalar),
        jnp.asarray(photon),
        points,
        toy,
        times=TIMES,
        is_isotropic=True,
    )
    # 900 to 4000 accepted decays here, as many there
    assert float(jnp.exp(columns[2])) == pytest.approx(published, rel=0.12)


def test_far_decays_go_like_the_square_of_the_time(search, points):
    columns, _ = axion_pair_acceptance(jnp.asarray(0.05), points, search, times=TIMES)
    assert float(columns[1] - columns[0]) == pytest.approx(2 * np.log(2), abs=1e-3)


def test_a_scalar_at_the_pi0_is_cut_away(toy, points):
    columns, _ = cascade_acceptance(
        jnp.asarray(0.13), jnp.asarray(0.02), points, toy, times=TIMES
    )
    assert float(columns[2]) < np.log(1e-8)
