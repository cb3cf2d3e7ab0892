"""Scales of operators: against measured decays, closed forms and other integrals."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from bsmfit.core.constants import (
    ELECTRON_MASS,
    FERMI_CONSTANT,
    HBAR,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.errors import UnknownNameError
from bsmfit.physics import lepton_violating_operators as operators

MK, MPI = KAON_CHARGED_MASS, PION_CHARGED_MASS
PER_WIDTH = KAON_CHARGED_LIFETIME / HBAR


# measured branching ratios (PDG 2026): the vector operator is that of K_l3
@pytest.mark.parametrize(
    ("lepton", "measured"), [(ELECTRON_MASS, 0.0507), (MUON_MASS, 0.03352)]
)
def test_the_vector_operator_is_that_of_the_semileptonic_decay(lepton, measured):
    width = operators.vector_current_width(
        jnp.array(lepton), pion_mass=PION_NEUTRAL_MASS
    )
    ours = float(width) * (FERMI_CONSTANT * 0.2243) ** 2 * PER_WIDTH
    # short-distance correction 1.0232 and isospin breaking of f_+, 2.7 % (standard)
    # form factors are linear, their slopes unverified
    assert ours * 1.0232 * 1.027**2 == pytest.approx(measured, rel=0.035)


def test_a_massless_lepton_leaves_the_textbook_rate():
    """G^2 p^3 f^2 / (24 pi^3) for unit f and a coupling G/sqrt(2) V (1 - gamma_5)."""

    def density(q2):
        upper, lower = (MK + MPI) ** 2 - q2, (MK - MPI) ** 2 - q2
        momentum = math.sqrt(upper * lower) / (2.0 * MK)
        form = 0.970 * (1.0 + 0.0297 * q2 / MPI**2)
        return momentum**3 * form**2 / (24.0 * math.pi**3)

    textbook = quad(density, 0.0, (MK - MPI) ** 2)[0]
    # (1 - gamma_5) G / sqrt(2) = P_L sqrt(2) G: 1 / Lambda^2 is sqrt(2) G
    ours = 2.0 * float(operators.vector_current_width(jnp.array(1e-9)))
    assert ours == pytest.approx(textbook, rel=1e-6)


def three_body(squared, m1, m2):
    """Width of K -> pi l l from |M|^2(q^2), by quadrature over q^2."""

    def momentum(mass, one, other):
        upper, lower = mass**2 - (one + other) ** 2, mass**2 - (one - other) ** 2
        return math.sqrt(max(upper * lower, 0.0)) / (2.0 * mass)

    def density(q):
        # dPhi_3 = dq^2/(2 pi) Phi_2(K; pi, q) Phi_2(q; l, l), Phi_2 = p/(4 pi m)
        pair = momentum(MK, MPI, q) / (4.0 * math.pi * MK)
        leptons = momentum(q, m1, m2) / (4.0 * math.pi * q)
        return 2.0 * q / (2.0 * math.pi) * pair * leptons * squared(q * q)

    found = quad(density, m1 + m2, MK - MPI, epsrel=1e-10, epsabs=0.0, limit=200)[0]
    return found / (2.0 * MK)


def test_the_scalar_operator_is_its_integral():
    element = (MK**2 - MPI**2) / 0.0888 * 0.970

    def squared(q2):
        form = element * (1.0 + 0.0196 * q2 / MPI**2)
        return form**2 * (q2 - MUON_MASS**2)

    width = three_body(squared, MUON_MASS, 0.0)
    ours = operators.kaon_flavour_coefficient("scalar")
    assert float(ours) == pytest.approx(width * PER_WIDTH, rel=1e-6)


@pytest.mark.parametrize(
    ("m1", "m2", "is_same"),
    [
        (MUON_MASS, MUON_MASS, True),
        (MUON_MASS, ELECTRON_MASS, False),
        (ELECTRON_MASS, ELECTRON_MASS, True),
    ],
)
def test_the_dimension_nine_operator_is_its_integral(m1, m2, is_same):
    def squared(q2):
        element = 0.1557 * 0.1302 / 4.0 * 0.5 * (MK**2 + MPI**2 - q2)
        return element**2 * (q2 - m1**2 - m2**2) * (2.0 if is_same else 1.0)

    ours = operators.kaon_number_coefficient(
        jnp.array(m1), jnp.array(m2), is_same=is_same
    )
    width = three_body(squared, m1, m2)
    assert float(ours) == pytest.approx(width * PER_WIDTH, rel=1e-6)


def test_the_pion_decays_like_its_charged_partner():
    """Gamma(pi+ -> mu nu) is 2.53e-17 GeV for sqrt(2) G_F V_ud."""
    coupling = 2.0 * (FERMI_CONSTANT * 0.9737) ** 2
    width = float(operators.pion_flavour_coefficient())
    width *= HBAR / operators.PION_NEUTRAL_LIFETIME * coupling
    # from the mass of the neutral pion to that of the charged one
    for mass, sign in ((MPI, 1), (PION_NEUTRAL_MASS, -1)):
        width *= (mass * (1.0 - (MUON_MASS / mass) ** 2) ** 2) ** sign
    assert width == pytest.approx(HBAR / 2.6033e-8, rel=0.02)


def test_scales_have_their_dimension_and_size():
    vector = operators.kaon_flavour_coefficient()
    scale = operators.operator_scale(jnp.array(6.6e-11), vector, power=4)
    assert 8e4 < float(scale) < 1e5
    # a limit 16 times stronger is a scale twice as high
    twice = operators.operator_scale(jnp.array(6.6e-11 / 16.0), vector, power=4)
    assert float(twice / scale) == pytest.approx(2.0)
    muons = operators.kaon_number_coefficient(
        jnp.array(MUON_MASS), jnp.array(MUON_MASS), is_same=True
    )
    low = operators.operator_scale(jnp.array(4.2e-11), muons, power=10)
    assert 10.0 < float(low) < 80.4
    with pytest.raises(UnknownNameError, match="vector"):
        operators.kaon_flavour_coefficient("tensor")


def test_closed_decays_have_no_rate_and_finite_gradients():
    def rate(mass):
        return operators.kaon_number_coefficient(mass, mass, is_same=True)

    masses = jnp.array([0.0, 0.1, 0.17, 0.1770, 0.1771, 0.2])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(rate)))(masses)
    assert np.all(np.isfinite(np.asarray(values)))
    assert np.all(np.isfinite(np.asarray(slopes)))
    assert np.all(np.diff(np.asarray(values)[:4]) < 0.0)
    assert np.asarray(values)[4:].tolist() == [0.0, 0.0]
