from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from bsmfit.core.constants import HIGGS_VEV
from bsmfit.physics.scalar_gluon_width import (
    gluon_width,
    quark_loop,
    strong_coupling,
)


def test_coupling_solves_the_two_loop_equation():
    def slope(_, a, n_flavour):
        b0 = (33 - 2 * n_flavour) / (12 * np.pi)
        b1 = (153 - 19 * n_flavour) / (24 * np.pi**2)
        return -(a**2) * (b0 + b1 * a)

    start = [0.1180]
    for n_flavour, high, low in ((5, 91.188, 4.18), (4, 4.18, 2.0)):
        span = (2 * np.log(high), 2 * np.log(low))
        start = solve_ivp(slope, span, start, args=(n_flavour,), rtol=1e-9).y[:, -1]
    assert float(strong_coupling(jnp.array(2.0))) == pytest.approx(start[0], rel=0.02)


@pytest.mark.parametrize("tau", [1e-4, 9e-4, 2e-3, 0.3, 0.999, 1.0, 1.001, 4.0, 400.0])
def test_loop_is_the_formula_evaluated_with_many_digits(tau):
    with mpmath.workdps(50):
        t = mpmath.mpf(tau)
        if t <= 1:
            f = mpmath.asin(mpmath.sqrt(t)) ** 2
        else:
            b = mpmath.sqrt(1 - 1 / t)
            f = -((mpmath.log((1 + b) / (1 - b)) - 1j * mpmath.pi) ** 2) / 4
        expected = complex((t + (t - 1) * f) / t**2)
    real, imaginary = quark_loop(jnp.array(2.0 * tau**0.5), quark_mass=1.0)
    np.testing.assert_allclose(float(real), expected.real, rtol=2e-7)
    np.testing.assert_allclose(float(imaginary), expected.imag, rtol=1e-9, atol=1e-15)


def test_heavy_and_light_quarks_have_their_limits():
    heavy, _ = quark_loop(jnp.array(2.0), quark_mass=172.57)
    light, _ = quark_loop(jnp.array(2.0), quark_mass=1e-6)
    assert float(heavy) == pytest.approx(2 / 3, rel=1e-4)
    assert abs(float(light)) < 1e-8


@pytest.mark.parametrize("mass", [2.0, 2.0 * (1 - 1e-14), 2.0 * (1 + 1e-14), 1e-3])
def test_loop_has_finite_gradients(mass):
    for part in (0, 1):
        slope = jax.grad(lambda m, part=part: quark_loop(m, quark_mass=1.0)[part])
        assert np.isfinite(slope(jnp.array(mass)))


def test_width_is_that_of_the_higgs_boson_for_heavy_quarks():
    """One heavy quark, leading order: alpha_s^2 m^3 / (72 pi^3 v^2) (Ellis et al.)."""
    mass, a = 3.0, float(strong_coupling(jnp.array(3.0)))
    one = a**2 * mass**3 / (72 * np.pi**3 * HIGGS_VEV**2)
    ours = float(gluon_width(jnp.array(mass)))
    loops = [quark_loop(jnp.array(mass), quark_mass=q) for q in (0.095, 1.27, 4.18)]
    amplitude = 2 / 3 + sum(complex(float(r), float(i)) for r, i in loops)
    bracket = 1 + a / np.pi * (95 / 4 - 14 / 3)
    expected = one * (1.5 * abs(amplitude)) ** 2 * bracket
    assert ours == pytest.approx(expected, rel=1e-4)
