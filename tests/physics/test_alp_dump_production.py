from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from bsmfit.core.constants import FINE_STRUCTURE
from bsmfit.errors import UnknownNameError
from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_dump_production import ALP_DUMP_PROCESSES, alp_dump_strength
from bsmfit.physics.alp_mixing import (
    ALP_MIXINGS,
    MIXING_MESONS,
    meson_mixing_angle,
    quark_mixing_angle,
)
from bsmfit.physics.alp_photon_coupling import photon_width
from bsmfit.physics.alp_running import LOW_COUPLINGS
from bsmfit.physics.production_spectrum import MesonSpectrum, mixing_points

PION_CONSTANT = 0.130 / math.sqrt(2)


def couplings(**given):
    values = [given.get(name, 0.0) for name in LOW_COUPLINGS]
    return LowEnergyCouplings(jnp.array(values))


def strength(process, mass, *, width=0.0, **given):
    at = jnp.array(mass), couplings(**given)
    return float(alp_dump_strength(process, *at, photon_width=jnp.array(width)))


@pytest.mark.parametrize("mass", [0.01, 0.3])
def test_the_primakoff_strength_is_the_square_of_the_photon_coupling(mass):
    """c/f = pi g/alpha: at c = 1 and f = 1 GeV, g = alpha/pi per GeV."""
    width = float(photon_width(jnp.array(mass), jnp.array(1.0)))
    found = strength("primakoff", mass, width=width)
    assert found == pytest.approx((FINE_STRUCTURE / math.pi) ** 2, rel=1e-12)


@pytest.mark.parametrize("process", ALP_MIXINGS)
def test_gluons_mix_with_the_square_of_the_angle(process):
    meson = ALP_MIXINGS[process].meson
    angle = float(meson_mixing_angle(meson, jnp.array(0.3)))
    assert strength(process, 0.3, gluon=2.0) == pytest.approx((2.0 * angle) ** 2)
    assert strength(process, 0.3, photon=1.0, muon=1.0, top=1.0) == 0.0


def test_quark_couplings_mix_with_the_pion_by_their_difference():
    """f_pi (c_uu - c_dd) / 2f, m^2 / (m^2 - m_pi^2) = 1.254 at 0.3 GeV."""
    found = strength("pi0-mixing", 0.3, up=1.0, down=-1.0)
    assert found == pytest.approx((PION_CONSTANT * 1.254) ** 2, rel=2e-3)
    assert strength("pi0-mixing", 0.3, up=1.0, down=1.0, strange=7.0) == 0.0


@pytest.mark.parametrize("quarks", [(1.0, 0.0, 0.0), (0.3, -1.0, 2.0), (1.0, 1.0, 1.0)])
def test_three_mesons_are_all_there_is_of_three_quarks(quarks):
    """The nonet is complete: angles squared add up, far above the poles."""
    total = sum(
        float(
            quark_mixing_angle(meson, jnp.array(500.0), tuple(map(jnp.array, quarks)))
        )
        ** 2
        for meson in MIXING_MESONS
    )
    expected = PION_CONSTANT**2 * sum(c**2 for c in quarks) / 2
    assert total == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("meson", MIXING_MESONS)
def test_angles_of_gluons_are_those_of_quarks_in_another_basis(meson):
    """c_qq = 2 kappa_q c_GG, kappa_q as 1/m_q of the PDG: 2.16, 4.70, 93.5 MeV."""
    inverse = [1 / 2.16, 1 / 4.70, 1 / 93.5]
    quarks = tuple(jnp.array(2 * x / sum(inverse)) for x in inverse)
    far = jnp.array(20.0)
    gluon, quark = (
        meson_mixing_angle(meson, far),
        quark_mixing_angle(meson, far, quarks),
    )
    assert float(quark / gluon) == pytest.approx(1.0, abs=0.16)


@pytest.mark.parametrize("process", ALP_MIXINGS)
def test_as_many_are_made_as_mesons_and_at_their_mass_where_they_go(process):
    edges = np.array([29.0, 31.0]), np.array([2e-3, 3e-3])
    spectrum = MesonSpectrum(*edges, counts=np.array([[40.0]]), n_event=100.0)
    unit = qmc.Sobol(4, rng=5).random(64)
    mixing = ALP_MIXINGS[process]
    points = mixing_points(
        spectrum, mixing, mixing.mass, beam_momentum=400.0, unit_points=unit
    )
    mesons = spectrum.mesons(unit[:, :2])
    assert points.weight.sum() == pytest.approx(0.4)
    np.testing.assert_allclose(points.momentum, mesons.momentum, rtol=1e-10)
    np.testing.assert_allclose(points.angle, mesons.angle, rtol=1e-10)


def test_an_unknown_process_is_named():
    with pytest.raises(UnknownNameError, match="primakoff"):
        strength("primakof", 0.3)
    with pytest.raises(UnknownNameError, match="eta-prime"):
        quark_mixing_angle("etaprime", jnp.array(0.1), (jnp.array(1.0),) * 3)
    assert len(ALP_DUMP_PROCESSES) == 4
