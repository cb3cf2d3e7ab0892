from __future__ import annotations

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import qmc

from bsmfit.core.constants import KAON_NEUTRAL_MASS, PION_NEUTRAL_MASS
from bsmfit.errors import UnknownNameError
from bsmfit.physics.dump_kaon_production import (
    KAON_INTERACTION_LENGTH,
    decay_probability,
    dump_kaon_points,
    dump_kaon_spectrum,
)
from bsmfit.physics.dump_kaons import (
    DUMP_KAON_PROCESSES,
    dump_kaon_scalar_branching_ratio,
)
from bsmfit.physics.kaon_to_pion import scalar_branching_ratio, scalar_coefficient
from bsmfit.physics.production_spectrum import MesonSpectrum

CHARGED, LONG, SHORT = DUMP_KAON_PROCESSES
TABLE = (
    Path(__file__).resolve().parents[3]
    / "shared/reference/theory/scalar_production_br.csv"
)
MASS, MOMENTUM = 0.25, 60.0
ONE_BIN = MesonSpectrum(
    momentum_edges=np.array([59.99, 60.01]),
    angle_edges=np.array([0.0, 1e-6]),
    counts=np.array([[50.0]]),
    n_event=100.0,
)


def ratio(process, mass):
    return dump_kaon_scalar_branching_ratio(
        process, jnp.asarray(mass), coefficient=scalar_coefficient()
    )


def test_the_charged_kaon_has_the_rate_of_the_kaon_beam():
    masses = jnp.linspace(0.0, 0.37, 60)
    beam = scalar_branching_ratio(masses, coefficient=scalar_coefficient())
    np.testing.assert_allclose(ratio(CHARGED, masses), beam, rtol=1e-12)


def test_neutral_kaons_share_the_width_of_the_charged_one():
    """Isospin: Gamma(K_L) + Gamma(K_S) = Gamma(K+), but for the masses."""
    width = {
        name: float(ratio(name, 0.1)) / DUMP_KAON_PROCESSES[name].lifetime
        for name in DUMP_KAON_PROCESSES
    }
    both = (width[LONG] + width[SHORT]) / width[CHARGED]
    assert both == pytest.approx(1.0, abs=0.06)
    # Im / Re = tan(23.5 degrees)
    assert width[SHORT] / width[LONG] == pytest.approx(0.1892, rel=2e-3)


@pytest.mark.skipif(not TABLE.exists(), reason="no reference tables here")
def test_branching_ratios_are_those_of_an_independent_table():
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        mass = float(row["m_GeV"])
        for process, key in ((LONG, "BR_KL_pi0_S"), (SHORT, "BR_KS_pi0_S")):
            expected = float(row[key] or 0.0)
            if mass < 0.35:
                assert float(ratio(process, mass)) == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("process", DUMP_KAON_PROCESSES)
def test_rates_end_with_phase_space_and_have_finite_gradients(process):
    kaon = DUMP_KAON_PROCESSES[process]
    end = kaon.mass - kaon.recoil_mass
    assert float(ratio(process, end - 1e-6)) > 0.0
    assert float(ratio(process, end + 1e-9)) == 0.0
    slope = jax.vmap(jax.grad(lambda mass: ratio(process, mass)))
    assert np.all(np.isfinite(slope(jnp.array([0.0, end - 1e-9, end, 0.4]))))


def test_an_unknown_kaon_is_answered_with_those_that_are_known():
    with pytest.raises(UnknownNameError, match="did you mean 'dump-kaon-long-to-pion'"):
        ratio("dump-kaon-lung-to-pion", 0.1)


@pytest.mark.parametrize("process", DUMP_KAON_PROCESSES)
def test_decay_before_an_interaction_is_the_integral_along_the_flight(process):
    kaon = DUMP_KAON_PROCESSES[process]
    length = MOMENTUM / kaon.mass * kaon.lifetime * 299792458.0
    reach = KAON_INTERACTION_LENGTH

    def density(z: float) -> float:
        return np.exp(-z / length - z / reach) / length

    expected = quad(density, 0.0, 40.0 * reach)[0]
    found = decay_probability(np.array([MOMENTUM, 0.0]), kaon)
    np.testing.assert_allclose(found, [expected, 1.0], rtol=1e-6)


def test_fast_kaons_decay_in_proportion_to_the_interaction_length():
    kaon = DUMP_KAON_PROCESSES[CHARGED]
    momentum = np.array([MOMENTUM])
    one, two = (
        float(decay_probability(momentum, kaon, interaction_length=x)[0])
        for x in (0.2, 0.4)
    )
    assert two / one == pytest.approx(2.0, rel=1e-3)


def test_points_have_the_norm_and_share_in_a_cone_of_an_isotropic_decay():
    kaon = DUMP_KAON_PROCESSES[LONG]
    unit = qmc.Sobol(4, rng=5).random(8192)
    momentum, angle, weight, alignment = dump_kaon_points(
        ONE_BIN, kaon, MASS, unit_points=unit
    )
    made = 0.5 * float(decay_probability(np.array([MOMENTUM]), kaon)[0])
    assert alignment is None
    assert weight.sum() == pytest.approx(made, rel=1e-5)
    k, pi = KAON_NEUTRAL_MASS, PION_NEUTRAL_MASS
    energy = (k**2 + MASS**2 - pi**2) / (2 * k)
    q = np.sqrt(energy**2 - MASS**2)
    boost, gamma = MOMENTUM / k, np.hypot(MOMENTUM, k) / k

    def inside(cosine: float) -> float:
        along = gamma * q * cosine + boost * energy
        across = q * np.sqrt(1 - cosine**2)
        return float(
            np.hypot(along, across) > 35.0 and np.arctan2(across, along) < 4e-3
        )

    grid = np.linspace(-1.0, 1.0, 40001)
    share = np.mean([inside(c) for c in grid])
    kept = weight[(momentum > 35.0) & (angle < 4e-3)].sum() / made
    assert 0.1 < share < 0.9
    assert kept == pytest.approx(share, abs=0.01)


def test_charges_add_up():
    spectra = {"kaon-plus": ONE_BIN, "kaon-minus": ONE_BIN, "kaon-long": ONE_BIN}
    for process, factor in ((CHARGED, 2.0), (LONG, 1.0)):
        total = dump_kaon_spectrum(spectra, DUMP_KAON_PROCESSES[process])
        assert total.counts.sum() == factor * ONE_BIN.counts.sum()
        assert total.n_event == ONE_BIN.n_event
