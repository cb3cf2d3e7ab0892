"""Three-pion phase space against an independent Dalitz-plot integral."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from bsmfit.core.constants import PION_CHARGED_MASS, PION_NEUTRAL_MASS
from bsmfit.physics.three_pion_phase_space import (
    THREE_PION_THRESHOLD,
    three_pion_phase_space,
)

A, C = PION_CHARGED_MASS, PION_NEUTRAL_MASS
RHO_MASS, RHO_WIDTH = 0.77526, 0.1491


def _rho(s: float, a: float, b: float) -> complex:
    def momentum(s: float) -> float:
        return np.sqrt(max((s - (a + b) ** 2) * (s - (a - b) ** 2), 0.0) / (4 * s))

    growth = (momentum(s) / momentum(RHO_MASS**2)) ** 3
    width = RHO_WIDTH * growth * RHO_MASS**2 / s
    return RHO_MASS**2 / (RHO_MASS**2 - s - 1j * np.sqrt(s) * width)


def _dalitz(mass: float) -> float:
    """Integral over the energies of both charged pions in the vector's rest frame."""

    def integrand(e_minus: float, e_plus: float) -> float:
        e_zero = mass - e_plus - e_minus
        if e_zero <= C:
            return 0.0
        p2, m2, z2 = e_plus**2 - A**2, e_minus**2 - A**2, e_zero**2 - C**2
        dot = (z2 - p2 - m2) / 2
        cross = p2 * m2 - dot**2
        if cross <= 0.0:
            return 0.0
        s_pm = mass**2 + C**2 - 2 * mass * e_zero
        s_p0 = mass**2 + A**2 - 2 * mass * e_minus
        s_m0 = mass**2 + A**2 - 2 * mass * e_plus
        amplitude = _rho(s_pm, A, A) + _rho(s_p0, A, C) + _rho(s_m0, A, C)
        return cross * abs(amplitude) ** 2

    top = (mass**2 + A**2 - (A + C) ** 2) / (2 * mass)
    node, weight = np.polynomial.legendre.leggauss(200)
    energy = A + (top - A) * (node + 1) / 2
    total = 0.0
    for e_plus, w in zip(energy, weight, strict=True):
        # Limits of E_minus at fixed E_plus from the frame of the other two pions.
        s = mass**2 + A**2 - 2 * mass * e_plus
        e_star = (s + A**2 - C**2) / (2 * np.sqrt(s))
        p_star = np.sqrt(max(e_star**2 - A**2, 0.0))
        gamma, boost = (mass - e_plus) / np.sqrt(s), np.sqrt(e_plus**2 - A**2)
        low, high = (
            gamma * e_star + sign * boost / np.sqrt(s) * p_star for sign in (-1, 1)
        )
        value, _ = integrate.fixed_quad(
            np.vectorize(lambda e, e_plus=e_plus: integrand(e, e_plus)), low, high, n=40
        )
        total += w * value * (top - A) / 2
    # dE+ dE- is dm_12 dcos(theta) p* q / m up to a constant, and |M|^2 carries m^2,
    # the width 1 / m: no power of the mass is left over.
    return mass * total


@pytest.mark.parametrize("mass", [0.45, 0.6, 0.9, 1.3])
def test_phase_space_matches_the_dalitz_integral(mass: float) -> None:
    expected = _dalitz(mass) / _dalitz(0.78266)
    value, reference = three_pion_phase_space(np.array([mass, 0.78266]))
    np.testing.assert_allclose(value / reference, expected, rtol=2e-4)


def test_phase_space_grows_like_the_fourth_power_at_threshold() -> None:
    release = np.array([1e-5, 2e-5])
    first, second = three_pion_phase_space(THREE_PION_THRESHOLD + release)
    assert second / first == pytest.approx(16.0, rel=1e-3)


def test_phase_space_vanishes_at_and_below_threshold() -> None:
    below, at = three_pion_phase_space(np.array([0.3, THREE_PION_THRESHOLD]))
    assert below == 0.0
    assert at < 1e-30


def test_quadrature_has_converged() -> None:
    mass = np.linspace(0.42, 2.0, 12)
    np.testing.assert_allclose(
        three_pion_phase_space(mass),
        three_pion_phase_space(mass, n_node=160),
        rtol=3e-4,
    )


def test_phase_space_rises_with_the_mass() -> None:
    mass = np.linspace(0.42, 1.5, 50)
    assert np.all(np.diff(three_pion_phase_space(mass)) > 0.0)
