"""Piophobic axions: published relations, phase space against another integral."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import bsmfit
from bsmfit.core.constants import HBAR_C, KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.physics.axion_pair import (
    AXION_PAIR,
    axion_electron_width,
    axion_pair_branching_ratio,
    axion_pair_phase_space,
    piophobic_decay_constant,
)

END = 0.5 * (KAON_CHARGED_MASS - PION_CHARGED_MASS)


def kallen(a, b, c):
    return max(a * a + b * b + c * c - 2 * (a * b + b * c + c * a), 0.0)


@pytest.mark.parametrize("mass", [0.001, 0.017, 0.1, 0.176])
def test_phase_space_is_the_integral(mass):
    kaon, pion = KAON_CHARGED_MASS**2, PION_CHARGED_MASS**2

    def integrand(s):
        return np.sqrt(kallen(kaon, s, pion) * kallen(s, mass**2, mass**2)) / s

    low, high = 4 * mass**2, (np.sqrt(kaon) - np.sqrt(pion)) ** 2
    expected = quad(integrand, low, high, epsrel=1e-9)[0] / (128 * np.pi**3 * kaon)
    ours = float(axion_pair_phase_space(jnp.asarray(mass)))
    assert ours == pytest.approx(expected, rel=1e-5)


def test_massless_phase_space_is_the_textbook_one():
    # all massless: m^2 / 256 pi^3; the pion takes 41 % of it (models.md: ratios)
    zero = float(axion_pair_phase_space(jnp.asarray(1e-6)))
    ratios = {0.005: 0.994, 0.01: 0.981, 0.05: 0.736, 0.1: 0.331, 0.15: 0.046}
    for mass, ratio in ratios.items():
        ours = float(axion_pair_phase_space(jnp.asarray(mass))) / zero
        assert ours == pytest.approx(ratio, abs=6e-4)


def test_seventeen_mev():
    # 2012.02142 and physics/models.md 5: f_a, BR and decay length
    mass = jnp.asarray(0.017)
    scale = piophobic_decay_constant(mass)
    assert float(scale) == pytest.approx(1.035, rel=1e-3)
    rate = axion_pair_branching_ratio(mass, scale, octet_coupling=5.0)
    assert float(rate) == pytest.approx(4.71e-6, rel=0.01)
    bare = axion_pair_branching_ratio(mass, scale, octet_coupling=1.0)
    assert float(bare) == pytest.approx(1.9e-7, rel=0.01)
    width = axion_electron_width(mass, scale, electron_charge=jnp.asarray(1.0))
    assert float(HBAR_C / width) == pytest.approx(1.2e-6, rel=0.02)


def test_rate_grows_like_the_fourth_power_times_phase_space():
    def ratio(mass):
        mass = jnp.asarray(mass)
        rate = axion_pair_branching_ratio(
            mass, piophobic_decay_constant(mass), octet_coupling=5.0
        )
        return float(rate / (mass**4 * axion_pair_phase_space(mass)))

    assert ratio(0.02) == pytest.approx(ratio(0.1), rel=1e-12)


def test_closed_decay_has_no_rate_and_a_finite_slope():
    model = bsmfit.load_model("dark-axion-pair")

    def rate(mass):
        return model.function(mass, jnp.asarray(1.0)).production[AXION_PAIR]

    for mass in (END + 1e-6, 0.3):
        assert float(rate(jnp.asarray(mass))) == 0.0
        assert float(jax.grad(rate)(jnp.asarray(mass))) == 0.0
    assert np.isfinite(float(jax.grad(rate)(jnp.asarray(END - 1e-9))))


@pytest.mark.parametrize(
    ("preset", "power"), [("free-decay-constant", -4), ("free-electron-charge", 0)]
)
def test_any_coupling_is_the_scanned_one(preset, power):
    model = bsmfit.load_model("dark-axion-pair", preset)
    one, two = (model(jnp.asarray(0.03), jnp.asarray(g)) for g in (1.0, 2.0))
    ratio = float(two.production[AXION_PAIR] / one.production[AXION_PAIR])
    assert ratio == pytest.approx(2.0**power, rel=1e-12)
    widths = float(two.decay_width / one.decay_width)
    assert widths == pytest.approx(0.25 if power else 4.0, rel=1e-12)
