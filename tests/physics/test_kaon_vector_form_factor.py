"""The pion loop against high-precision arithmetic, the rates against measurements."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from bsmfit.core.constants import (
    ELECTRON_MASS,
    FINE_STRUCTURE,
    KAON_CHARGED_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.physics.kaon_vector_form_factor import (
    dilepton_spectrum,
    form_factor_squared,
    pion_loop,
    vector_branching_ratio,
)

END = KAON_CHARGED_MASS - PION_CHARGED_MASS
R2 = (PION_CHARGED_MASS / KAON_CHARGED_MASS) ** 2
LOOP_THRESHOLD = 2.0 * PION_CHARGED_MASS


def loop_with_many_digits(z: float) -> complex:
    """The formula as it is written, with 50 digits against its cancellations."""
    with mpmath.workdps(50):
        r2, x = mpmath.mpf(R2), mpmath.mpf(z) / mpmath.mpf(R2)
        if x <= 4:
            g = mpmath.sqrt(4 / x - 1) * mpmath.asin(mpmath.sqrt(x) / 2)
        else:
            b = mpmath.sqrt(1 - 4 / x)
            g = -b / 2 * (mpmath.log((1 - b) / (1 + b)) + 1j * mpmath.pi)
        chi = mpmath.mpf(4) / 9 - 4 / (3 * x) - (1 - 4 / x) * g / 3
        z0 = mpmath.mpf(1) / 3 + r2
        strength = (-20.8e-8 - 2.9e-8 * (z - z0) / r2) * (1 + z / 2.5) / r2
        return complex(strength * chi)


@pytest.mark.parametrize(
    "z", [1e-12, 1e-6, 1e-3, 0.0319, 0.0321, 0.1, 0.25, 0.31, 4 * R2, 0.33, 0.4, 0.51]
)
def test_loop_is_the_formula_evaluated_with_many_digits(z):
    real, imaginary = pion_loop(jnp.array(z))
    expected = loop_with_many_digits(z)
    np.testing.assert_allclose(float(real), expected.real, rtol=1e-11)
    np.testing.assert_allclose(float(imaginary), expected.imag, rtol=1e-8, atol=1e-22)


def test_loop_vanishes_at_zero_and_is_real_below_its_threshold():
    real, imaginary = pion_loop(jnp.array([0.0, 0.1, 4 * R2]))
    assert float(real[0]) == 0.0
    np.testing.assert_array_equal(imaginary, 0.0)


@pytest.mark.parametrize(
    "z", [0.0, 1e-15, 4 * R2 * (1 - 1e-15), 4 * R2, 4 * R2 + 1e-15]
)
def test_loop_has_finite_gradients_at_its_limits(z):
    for part in (0, 1):
        slope = jax.grad(lambda x, part=part: pion_loop(x)[part])(jnp.array(z))
        assert np.isfinite(slope)


def test_slope_of_the_loop_is_continuous_at_threshold():
    slope = jax.grad(lambda z: pion_loop(z)[0])
    below, at, above = (
        float(slope(jnp.array(4 * R2 * (1 + d)))) for d in (-1e-12, 0.0, 1e-12)
    )
    assert below == pytest.approx(at, rel=1e-5)
    assert above == pytest.approx(at, rel=1e-5)


@pytest.mark.parametrize(
    ("lepton_mass", "computed", "measured"),
    [
        # the same formula evaluated elsewhere; PDG average and NA62 2209.05076
        (ELECTRON_MASS, 2.98e-7, 3.00e-7),
        (MUON_MASS, 8.85e-8, 9.15e-8),
    ],
)
def test_measured_lepton_pairs(lepton_mass, computed, measured):
    spectrum = jax.jit(
        lambda u: jnp.exp(u) * dilepton_spectrum(jnp.exp(u), lepton_mass=lepton_mass)
    )
    low = 2 * np.log(2 * lepton_mass / KAON_CHARGED_MASS)
    high = 2 * np.log(END / KAON_CHARGED_MASS)
    total, _ = quad(lambda u: float(spectrum(u)), low, high, epsrel=1e-6, limit=200)
    assert total == pytest.approx(computed, rel=2e-3)
    assert total == pytest.approx(measured, rel=0.05)


def test_narrow_vector_is_the_pole_of_the_spectrum():
    """A pair of massless leptons at q^2 = m^2 is gamma* -> l l: factor alpha/(3 pi)."""
    mass = 0.2
    z = jnp.array((mass / KAON_CHARGED_MASS) ** 2)
    # dGamma/dz = Gamma(gamma*) alpha / (3 pi z)
    spectrum = float(dilepton_spectrum(z, lepton_mass=1e-8))
    expected = float(vector_branching_ratio(jnp.array(mass)))
    expected *= FINE_STRUCTURE / (3 * np.pi * float(z))
    assert spectrum == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("mass", "computed"),
    [
        # the same formula with the pion loop, evaluated elsewhere
        (0.01, 5.79733e-7),
        (0.05, 1.43277e-5),
        (0.1, 5.50356e-5),
        (0.15, 1.13839e-4),
        (0.2, 1.72702e-4),
        (0.25, 2.00398e-4),
        (0.3, 1.57471e-4),
        (0.34, 3.45023e-5),
        (0.35, 6.03463e-6),
    ],
)
def test_branching_ratio_by_mass(mass, computed):
    assert float(vector_branching_ratio(jnp.array(mass))) == pytest.approx(
        computed, rel=1e-3
    )


def test_massless_photon_is_forbidden():
    low = vector_branching_ratio(jnp.array([1e-6, 1e-5]))
    assert float(low[1] / low[0]) == pytest.approx(100.0, rel=1e-6)
    value, slope = jax.value_and_grad(vector_branching_ratio)(jnp.array(0.0))
    assert (float(value), float(slope)) == (0.0, 0.0)


def test_closed_decay_is_zero_with_zero_gradient():
    for mass in (END, END * (1 + 1e-12), 0.4, 1.9):
        value, slope = jax.value_and_grad(vector_branching_ratio)(jnp.array(mass))
        assert (float(value), float(slope)) == (0.0, 0.0)


@pytest.mark.parametrize("mass", [LOOP_THRESHOLD, END * (1 - 1e-12), END * (1 - 1e-6)])
def test_open_decay_has_finite_value_and_gradient(mass):
    value, slope = jax.value_and_grad(vector_branching_ratio)(jnp.array(mass))
    assert value > 0.0
    assert np.isfinite(slope)


def test_spectrum_is_zero_outside_phase_space():
    for z in (4 * (MUON_MASS / KAON_CHARGED_MASS) ** 2, 1e-4, 0.6):
        value, slope = jax.value_and_grad(
            lambda x: dilepton_spectrum(x, lepton_mass=MUON_MASS)
        )(jnp.array(z))
        assert (float(value), float(slope)) == (0.0, 0.0)


def test_gradients():
    function = jax.jit(lambda m: jnp.log(vector_branching_ratio(m)))
    masses = jnp.array([0.05, 0.2, 0.3, 0.33])
    check_grads(function, (masses,), 1, modes=("fwd", "rev"), rtol=1e-4)


def test_form_factor_at_zero_is_the_measured_constant():
    # G_F m_K^2 a_+ = 1.1663788e-5 * 0.493677^2 * 0.575
    value = float(form_factor_squared(jnp.array(0.0))) ** 0.5
    assert value == pytest.approx(1.1663788e-5 * 0.493677**2 * 0.575, rel=1e-12)
