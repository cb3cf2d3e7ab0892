from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.core.constants import (
    HBAR,
    HIGGS_VEV,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.physics.kaon_to_pion import (
    TOP_MASS_MSBAR,
    axion_branching_ratio,
    relative_momentum,
    scalar_branching_ratio,
    scalar_coefficient,
)

END = KAON_CHARGED_MASS - PION_CHARGED_MASS


def rates() -> dict:
    return {
        "scalar": lambda m: scalar_branching_ratio(m, coefficient=1.5e-3),
        "axion": lambda m: axion_branching_ratio(m, jnp.array(1.0e12)),
    }


def test_fermi_constant_gives_the_vacuum_expectation_value():
    # PDG: 246.22 GeV
    assert pytest.approx(246.2196, abs=1e-4) == HIGGS_VEV


def test_kaon_width_is_that_of_its_lifetime():
    # PDG: 5.317e-17 GeV
    assert pytest.approx(5.317e-17, rel=1e-3) == HBAR / KAON_CHARGED_LIFETIME


@pytest.mark.parametrize("mass", [0.0, 0.05, 0.2, 0.33])
def test_momentum_conserves_energy(mass):
    momentum = float(relative_momentum(jnp.array(mass))) * KAON_CHARGED_MASS / 2
    energies = np.hypot(momentum, mass) + np.hypot(momentum, PION_CHARGED_MASS)
    assert energies == pytest.approx(KAON_CHARGED_MASS, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "published"),
    [
        # the same formula in three public codes, evaluated with the inputs of each
        ({}, 1.596e-3),
        ({"top_mass": TOP_MASS_MSBAR}, 1.264e-3),
        ({"form_factor": 1.0}, 1.696e-3),
    ],
)
def test_coefficient_of_the_scalar(arguments, published):
    assert scalar_coefficient(**arguments) == pytest.approx(published, rel=5e-4)


def test_coefficient_with_the_inputs_of_another_program():
    # sbncode Kaon2HiggsFlux: m_K^2 for m_K^2 - m_pi^2, f_0 = 1: BR 1.790e-3 at m_S = 0
    coefficient = scalar_coefficient(
        172.76, flavour_product=1.19777e-7**0.5, form_factor=1.0
    )
    coefficient /= (1.0 - (PION_CHARGED_MASS / KAON_CHARGED_MASS) ** 2) ** 2
    ratio = scalar_branching_ratio(jnp.array(0.0), coefficient=coefficient)
    assert float(ratio) == pytest.approx(1.790e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("mass", "published"),
    [(0.0, 1.468e-3), (0.1, 1.391e-3), (0.2, 1.150e-3), (0.25, 9.55e-4)],
)
def test_branching_ratio_of_the_scalar_falls_with_phase_space(mass, published):
    ratio = scalar_branching_ratio(jnp.array(mass), coefficient=1.596e-3)
    assert float(ratio) == pytest.approx(published, rel=1e-3)


@pytest.mark.parametrize(
    ("mass", "published"), [(0.0, 3.299e13), (0.1, 3.125e13), (0.2, 2.583e13)]
)
def test_branching_ratio_of_the_axion(mass, published):
    ratio = axion_branching_ratio(jnp.array(mass), jnp.array(1.0))
    assert float(ratio) == pytest.approx(published, rel=5e-4)


def test_massless_axion_has_the_closed_form():
    x = (PION_CHARGED_MASS / KAON_CHARGED_MASS) ** 2
    width = KAON_CHARGED_MASS**3 / (16 * np.pi * 1.6e12**2) * (1 - x) ** 3 * 0.97**2
    ratio = float(axion_branching_ratio(jnp.array(0.0), jnp.array(1.6e12)))
    assert ratio == pytest.approx(width * KAON_CHARGED_LIFETIME / HBAR, rel=1e-12)
    assert ratio == pytest.approx(1.29e-11, rel=0.02)  # limit of arXiv:2503.05865


@pytest.mark.parametrize("name", ["scalar", "axion"])
def test_closed_decay_is_zero_with_zero_gradient(name):
    for mass in (END, END * (1 + 1e-12), 0.4, 0.7, 2.0):
        value, slope = jax.value_and_grad(rates()[name])(jnp.array(mass))
        assert (float(value), float(slope)) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["scalar", "axion"])
@pytest.mark.parametrize("mass", [0.0, 1e-9, END * (1 - 1e-12), END * (1 - 1e-6)])
def test_open_decay_has_finite_value_and_gradient(name, mass):
    value, slope = jax.value_and_grad(rates()[name])(jnp.array(mass))
    assert value > 0.0
    assert np.isfinite(slope)
    assert slope <= 1e-12 * value  # zero at zero mass, to rounding


@pytest.mark.parametrize("name", ["scalar", "axion"])
def test_gradients(name):
    function = jax.jit(lambda m: jnp.log(rates()[name](m)))
    check_grads(function, (jnp.array(0.2),), 1, modes=("fwd", "rev"), rtol=1e-4)
