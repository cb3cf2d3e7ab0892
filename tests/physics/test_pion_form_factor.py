"""Pion form factor: identities of Gounaris and Sakurai, analyticity, thresholds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate

from bsmfit.core.constants import PION_CHARGED_MASS
from bsmfit.physics.pion_form_factor import (
    gounaris_sakurai,
    pion_form_factor,
    two_pion_ratio,
)

RHO = (0.77502, 0.14959)
RESONANCES = [RHO, (1.493, 0.427), (1.861, 0.316), (2.254, 0.109)]
THRESHOLD = 2.0 * PION_CHARGED_MASS


def _propagator(mass: float, resonance: tuple[float, float] = RHO) -> complex:
    pole_mass, pole_width = resonance
    return complex(
        gounaris_sakurai(jnp.array(mass), pole_mass=pole_mass, pole_width=pole_width)
    )


def _mpmath_propagator(mass: float, m: float, width: float) -> complex:
    """The published formula in 30 digits, continued with p = i |p| below threshold."""
    with mpmath.workdps(30):
        pi, mu = mpmath.pi, mpmath.mpf(PION_CHARGED_MASS)

        def momentum(w):
            return mpmath.sqrt(mpmath.mpc(w**2 / 4 - mu**2))

        def h(w):
            return (
                2
                * momentum(w)
                / (pi * w)
                * mpmath.log((w + 2 * momentum(w)) / (2 * mu))
            )

        w, m, width = mpmath.mpf(mass), mpmath.mpf(m), mpmath.mpf(width)
        p, p0 = momentum(w), momentum(m)
        # h' by numerical differentiation in s, independent of the published h'.
        slope = mpmath.diff(lambda s: h(mpmath.sqrt(s)), m**2)
        f = width * m**2 / p0**3
        f *= p**2 * (h(w) - h(m)) + (m**2 - w**2) * p0**2 * slope
        d = (
            3 * mu**2 / (pi * p0**2) * mpmath.log((m + 2 * p0) / (2 * mu))
            + m / (2 * pi * p0)
            - mu**2 * m / (pi * p0**3)
        )
        running = width * (p / p0) ** 3 * m / w
        return complex(
            m**2
            * (1 + d * width / m)
            / (m**2 - w**2 + f - mpmath.mpc(0, 1) * m * running)
        )


@pytest.mark.parametrize("resonance", RESONANCES)
def test_propagator_is_one_at_zero(resonance: tuple[float, float]) -> None:
    assert _propagator(1e-5, resonance) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("resonance", RESONANCES)
def test_denominator_at_the_pole_mass_is_its_width(
    resonance: tuple[float, float],
) -> None:
    m, width = resonance
    value = _propagator(m, resonance)
    # Real part of the denominator vanishes, imaginary part is m Gamma.
    assert abs(value.real / value.imag) < 1e-12
    norm = (m**2 / value / (m * width)).imag
    # BW = m^2 (1 + d Gamma / m) / (-i m Gamma): d from the published formula.
    p0 = np.sqrt(m**2 / 4 - PION_CHARGED_MASS**2)
    d = (
        3 * PION_CHARGED_MASS**2 / (np.pi * p0**2) * np.log((m + 2 * p0) / THRESHOLD)
        + m / (2 * np.pi * p0)
        - PION_CHARGED_MASS**2 * m / (np.pi * p0**3)
    )
    np.testing.assert_allclose(-norm, 1.0 / (1.0 + d * width / m), rtol=1e-12)


@pytest.mark.parametrize("mass", [0.05, 0.2, 0.2791, 0.2792, 0.5, 0.77, 1.3, 2.0])
@pytest.mark.parametrize("resonance", RESONANCES[:2])
def test_propagator_matches_the_formula_in_30_digits(
    mass: float, resonance: tuple[float, float]
) -> None:
    expected = _mpmath_propagator(mass, *resonance)
    np.testing.assert_allclose(_propagator(mass, resonance), expected, rtol=1e-10)


@pytest.mark.parametrize("last", [0.25, 0.5, 0.9])
def test_self_energy_obeys_a_dispersion_relation(last: float) -> None:
    # A twice-subtracted dispersion relation without subtraction constants: the second
    # divided difference of the self-energy is an integral of its imaginary part.
    m, width = RHO
    norm = (m**2 / _propagator(m)).imag / (-m * width)

    def self_energy(mass: float) -> complex:
        return m**2 / _propagator(mass) / norm - m**2 + mass**2

    p0 = np.sqrt(m**2 / 4 - PION_CHARGED_MASS**2)

    def imaginary(s: float) -> float:
        p = np.sqrt(max(s / 4 - PION_CHARGED_MASS**2, 0.0))
        return -m * width * (p / p0) ** 3 * m / np.sqrt(s)

    masses = (0.1, 0.2, last)
    a, b, c = (mass**2 for mass in masses)
    fa, fb, fc = (self_energy(mass).real for mass in masses)
    difference = ((fc - fb) / (c - b) - (fb - fa) / (b - a)) / (c - a)
    low, cut = THRESHOLD**2, 4.0
    if c < low:
        near, _ = integrate.quad(
            lambda s: imaginary(s) / ((s - a) * (s - b) * (s - c)), low, cut
        )
    else:
        near, _ = integrate.quad(
            lambda s: imaginary(s) / ((s - a) * (s - b)),
            low,
            cut,
            weight="cauchy",
            wvar=c,
        )
    far, _ = integrate.quad(
        lambda s: imaginary(s) / ((s - a) * (s - b) * (s - c)), cut, np.inf
    )
    np.testing.assert_allclose(difference, (near + far) / np.pi, rtol=1e-6)


def test_form_factor_is_one_at_zero_up_to_the_width_of_the_omega() -> None:
    value = complex(pion_form_factor(jnp.array(1e-5)))
    assert value == pytest.approx(1.0, abs=1.644e-3 * 0.00813 / 0.78191 * 1.5)


def test_charge_radius_agrees_with_measurements() -> None:
    # F = 1 + <r^2> s / 6; sqrt <r^2> = 0.659 +- 0.004 fm, Navas:2024vhm.
    s = 1e-4
    slope = (complex(pion_form_factor(jnp.array(np.sqrt(s)))).real - 1.0) / s
    radius_fm = np.sqrt(6.0 * slope) * 0.1973269804
    assert radius_fm == pytest.approx(0.659, rel=0.03)


def test_phase_of_the_rho_rises_through_a_right_angle_at_its_mass() -> None:
    mass = jnp.linspace(0.28, 1.5, 200)
    value = jax.vmap(
        lambda w: gounaris_sakurai(w, pole_mass=RHO[0], pole_width=RHO[1])
    )(mass)
    phase = np.angle(np.asarray(value))
    assert np.all(np.diff(phase) > 0.0)
    assert np.interp(RHO[0], np.asarray(mass), phase) == pytest.approx(
        np.pi / 2, abs=1e-3
    )


def test_form_factor_keeps_the_phase_of_the_rho_in_the_elastic_region() -> None:
    # Watson's theorem up to the tails of the recurrences, with small widths here.
    for mass in (0.35, 0.45, 0.6):
        phase = np.angle(complex(pion_form_factor(jnp.array(mass))))
        assert phase == pytest.approx(np.angle(_propagator(mass)), abs=0.08)


def test_rho_omega_interference_drops_steeply_at_the_omega() -> None:
    before, after = (float(two_pion_ratio(jnp.array(m))) for m in (0.777, 0.787))
    assert before / after > 1.3


@pytest.mark.parametrize("mass", [0.05, 0.2, THRESHOLD])
def test_two_pion_ratio_is_exactly_zero_below_threshold(mass: float) -> None:
    value, gradient = jax.value_and_grad(two_pion_ratio)(jnp.array(mass))
    assert float(value) == 0.0
    assert float(gradient) == 0.0


def test_two_pion_ratio_is_smooth_at_threshold() -> None:
    mass = jnp.nextafter(jnp.array(THRESHOLD), jnp.array(1.0))
    for mode in (jax.jacfwd, jax.jacrev):
        assert 0.0 <= float(mode(two_pion_ratio)(mass)) < 1e-5


def test_gradient_agrees_with_finite_differences() -> None:
    check_grads(
        jax.jit(jax.vmap(two_pion_ratio)),
        (jnp.array([0.27, 0.285, 0.5, 0.77, 0.783, 1.6]),),
        order=1,
        modes=("fwd", "rev"),
        rtol=1e-4,
        eps=1e-6,
    )


@pytest.mark.parametrize("mass", [0.1, THRESHOLD, 0.3])
def test_form_factor_has_a_finite_gradient_everywhere(mass: float) -> None:
    def squared(w: jax.Array) -> jax.Array:
        value = pion_form_factor(w)
        return value.real**2 + value.imag**2

    assert np.isfinite(float(jax.grad(squared)(jnp.array(mass))))
