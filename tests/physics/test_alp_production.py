from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.core.constants import (
    BEAUTY_CHARGED_LIFETIME,
    BEAUTY_CHARGED_MASS,
    HBAR,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.errors import UnknownNameError
from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_mixing import meson_mixing_angle
from bsmfit.physics.alp_production import (
    alp_beauty_branching_ratio,
    alp_branching_ratio,
    alp_kaon_branching_ratio,
    octet_amplitude,
    pion_mixing_amplitude,
)
from bsmfit.physics.alp_running import LOW_COUPLINGS
from bsmfit.physics.kaon_to_pion import axion_branching_ratio, relative_momentum

PER_TEV = 1e-6
"""f = 1 TeV: 1/f^2 [GeV^-2]."""


def only(**couplings: float) -> LowEnergyCouplings:
    return LowEnergyCouplings(
        jnp.asarray([couplings.get(name, 0.0) for name in LOW_COUPLINGS])
    )


@pytest.mark.parametrize(
    ("couplings", "mass", "expected"),
    [
        ({"gluon": 1.0}, 0.0, 8.55e-7),
        ({"gluon": 1.0}, 0.1, 7.94e-7),
        ({"gluon": 1.0}, 0.2, 6.12e-7),
        ({"gluon": 1.0}, 0.3, 3.09e-7),
        ({"up": 1.0}, 0.0, 2.05e-7),
        ({"up": 1.0, "down": 1.0, "strange": 1.0}, 0.0, 8.21e-7),
    ],
)
def test_octet_formula_evaluated_elsewhere(couplings, mass, expected):
    amplitude = float(octet_amplitude(jnp.array(mass), only(**couplings)))
    phase_space = float(relative_momentum(jnp.array(mass)))
    width = amplitude**2 * phase_space / (16 * math.pi * KAON_CHARGED_MASS)
    assert PER_TEV * width / 5.317e-17 == pytest.approx(expected, rel=0.015)


def test_the_pole_is_that_of_kaons_to_two_pions():
    """(27,1) over octet: -(5/6)(g_27/g_8)(m_d - m_u)/(m_d + m_u) m^2/(m^2 - m_pi^2).

    From the operators at lowest order, both on the shell; g_27/g_8 = 0.0568 is
    A_2/A_0 = 1/22.4 over 10/(9 sqrt 2).
    """
    gluon, mass = only(gluon=1.0), 0.1
    octet = float(octet_amplitude(jnp.array(0.0), gluon))
    octet *= 1.0 - (PION_CHARGED_MASS / KAON_CHARGED_MASS) ** 2 / 4.0
    pole = mass**2 / (mass**2 - 0.1349768**2)
    expected = -5 / 6 * 0.0568 * 0.53 / 1.47 * pole * octet
    found = float(pion_mixing_amplitude(jnp.array(mass), gluon))
    assert found == pytest.approx(expected, rel=0.06)
    assert found * octet > 0.0
    above = float(pion_mixing_amplitude(jnp.array(0.16), gluon))
    assert above * octet < 0.0


def test_size_of_the_amplitude_of_two_pions():
    """Gamma = |A|^2 p / (8 pi m_K^2), BR = 0.2067: the on-shell residue of the pole."""
    kaon, pion, neutral = KAON_CHARGED_MASS, PION_CHARGED_MASS, 0.1349768
    p = math.sqrt(
        (kaon**2 - (pion + neutral) ** 2) * (kaon**2 - (pion - neutral) ** 2)
    ) / (2 * kaon)
    width = 0.2067 * HBAR / KAON_CHARGED_LIFETIME
    size = math.sqrt(width * 8 * math.pi * kaon**2 / p)
    angle = float(meson_mixing_angle("pi0", jnp.array(0.2)))
    found = pion_mixing_amplitude(jnp.array(0.2), only(gluon=1.0))
    assert float(found) == pytest.approx(-size * angle, rel=2e-3)


@pytest.mark.parametrize("mass", [0.0, 0.1, 0.3])
def test_flavour_change_alone_is_the_flavour_violating_axion(mass):
    """[k_D]_sd / f = 2 / F_V."""
    k = 1e-2
    ratio = alp_kaon_branching_ratio(jnp.array(mass), only(flavour_changing=k))
    scale = 2.0 / (k * math.hypot(3.228e-4, 1.404e-4))
    expected = axion_branching_ratio(jnp.array(mass), jnp.array(scale))
    assert float(ratio) == pytest.approx(float(expected), rel=1e-9)


def test_octet_and_flavour_change_interfere():
    """N_8 < 0 and Re V_ts* V_td < 0: like signs of c and k work against each other."""
    mass = jnp.array(0.05)

    def rate(**couplings: float) -> float:
        return float(alp_kaon_branching_ratio(mass, only(**couplings)))

    parts = rate(up=1, down=1, strange=1) + rate(flavour_changing=9e-3)
    both = rate(up=1, down=1, strange=1, flavour_changing=9e-3)
    assert both < parts < rate(up=1, down=1, strange=1, flavour_changing=-9e-3)


@pytest.mark.parametrize("mass", [0.3, 2.0])
def test_b_to_kaon_is_the_square_of_its_amplitude(mass):
    """A = k V (m_B^2 - m_K^2) f_0 / 2f; |A|^2 p / (8 pi m_B^2)."""
    b, kaon = BEAUTY_CHARGED_MASS, KAON_CHARGED_MASS
    amplitude = 0.5 * 1e-2 * 0.04106 * (b**2 - kaon**2) * 0.330 / (1 - mass**2 / 37.46)
    p = math.sqrt((b**2 - (kaon + mass) ** 2) * (b**2 - (kaon - mass) ** 2)) / (2 * b)
    width = amplitude**2 * p / (8 * math.pi * b**2)
    found = alp_beauty_branching_ratio(
        "b-to-kaon", jnp.array(mass), only(flavour_changing=1e-2)
    )
    expected = width * BEAUTY_CHARGED_LIFETIME / HBAR
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_closed_decays_are_zero_with_zero_gradient():
    ends = {"kaon-to-pion": KAON_CHARGED_MASS - PION_CHARGED_MASS}
    ends |= {"b-to-kaon": BEAUTY_CHARGED_MASS - KAON_CHARGED_MASS, "b-to-kstar": 4.388}
    couplings = only(gluon=1.0, up=0.3, flavour_changing=1e-2)
    for process, end in ends.items():
        rate = jax.value_and_grad(
            lambda m, p=process: alp_branching_ratio(p, m, couplings)
        )
        for mass in (end * 1.0001, 5.5):
            assert [float(x) for x in rate(jnp.array(mass))] == [0.0, 0.0]
        assert np.isfinite(rate(jnp.array(end * 0.9999))).all()


def test_a_misspelt_process_is_named():
    with pytest.raises(UnknownNameError, match="b-to-kstar"):
        alp_branching_ratio("b-to-kst", jnp.array(0.3), only(gluon=1.0))
