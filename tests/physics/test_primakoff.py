from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.special import spherical_jn

from bsmfit.physics.primakoff import (
    COPPER,
    Nucleus,
    atomic_screening,
    conversion_probability,
    helm_form_factor,
    photon_absorption_cross_section,
    primakoff_cross_section,
    primakoff_differential,
)


def test_form_factor_is_that_of_helm():
    fm = 0.1973269804
    radius = math.sqrt(
        (1.23 * 63 ** (1 / 3) - 0.6) ** 2 + 7 / 3 * math.pi**2 * 0.52**2 - 5 * 0.9**2
    )
    for q in (1e-3, 0.02, 0.1, 0.4):
        x = q * radius / fm
        expected = 3 * spherical_jn(1, x) / x * math.exp(-0.5 * (0.9 * q / fm) ** 2)
        found = helm_form_factor(jnp.array(q**2), COPPER)
        assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("mass", "energy"), [(0.01, 100.0), (0.3, 100.0), (0.5, 30.0)])
def test_total_is_the_integral_over_the_angle(mass, energy):
    """The textbook form in the angle: alpha g^2 Z^2 F^2 p^4 sin^2 / (4 t^2)."""
    p = math.sqrt(energy**2 - mass**2)
    theta = np.geomspace(1e-9, 0.3, 3001)
    t = (mass**2 / (energy + p)) ** 2 + 4 * energy * p * np.sin(theta / 2) ** 2
    form = helm_form_factor(jnp.asarray(t), COPPER) * atomic_screening(
        jnp.asarray(t), COPPER
    )
    rate = np.where(t < 0.36, np.asarray(form) ** 2, 0.0) * 29**2 / 137.035999 / 4
    rate *= p**4 * np.sin(theta) ** 3 / t**2
    expected = simpson(rate * theta, x=np.log(theta))
    found = primakoff_cross_section(jnp.array(mass), jnp.array(energy))
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_total_grows_with_the_logarithm_of_the_energy():
    """alpha Z^2 / 8 [ln(T_F / T_min) - 1], T_min = m^4 / 4 E^2: slope alpha Z^2 / 4."""
    mass = jnp.array(0.2)
    low, high = (primakoff_cross_section(mass, jnp.array(e)) for e in (60.0, 120.0))
    slope = (float(high) - float(low)) / math.log(2.0)
    assert slope == pytest.approx(29**2 / 137.036 / 4, rel=0.03)


def test_the_edges_of_phase_space_are_closed():
    mass, energy = jnp.array(0.1), jnp.array(10.0)
    p = math.sqrt(100.0 - 0.01)
    lowest = (0.01 / (10 + p)) ** 2
    inside, outside = (
        primakoff_differential(jnp.array(lowest * f), mass, energy=energy)
        for f in (1.1, 0.9)
    )
    assert float(inside) > 0.0 == float(outside)
    for e in (0.05, 0.1):
        value, slope = jax.value_and_grad(primakoff_cross_section, argnums=1)(
            mass, jnp.array(e)
        )
        assert float(value) == 0.0
        assert np.isfinite(float(slope))


def test_photons_are_absorbed_in_copper_with_six_barns():
    assert photon_absorption_cross_section(COPPER) == pytest.approx(6.4, rel=0.01)
    lead = Nucleus(82, 207, 207.2, 6.37)
    assert photon_absorption_cross_section(lead) == pytest.approx(42.0, rel=0.02)


def test_share_of_photons_has_the_dimension_of_an_area():
    """sigma_a / sigma_gamma: 6.86 g^2 GeV^2 over 6.38 b = 1.64e4 GeV^-2."""
    found = conversion_probability(jnp.array(0.3), jnp.array(100.0))
    total = primakoff_cross_section(jnp.array(0.3), jnp.array(100.0))
    area = photon_absorption_cross_section(COPPER) * 1e-24 / (1.973269804e-14) ** 2
    assert float(found) == pytest.approx(float(total) / area, rel=1e-9)


def test_gradient_of_the_total_is_that_of_differences():
    def total(mass):
        return primakoff_cross_section(mass, jnp.array(50.0))

    slope = float(jax.grad(total)(jnp.array(0.1)))
    step = 1e-5
    both = [float(total(jnp.array(0.1 + s * step))) for s in (-1, 1)]
    assert slope == pytest.approx((both[1] - both[0]) / (2 * step), rel=1e-5)
