"""Escape of a daughter of a beam particle against an integral and its limits."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from bsmfit.core.constants import (
    HBAR_C,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    MUON_MASS,
)
from bsmfit.detector.in_flight_escape import InFlightEscape

ESCAPE = InFlightEscape(
    parent_mass=KAON_CHARGED_MASS,
    parent_lifetime=KAON_CHARGED_LIFETIME,
    recoil_mass=MUON_MASS,
    parent_momentum=75.0,
    start=105.0,
    end=165.0,
    veto_end=252.0,
)


def integral(mass, width):
    kaon = KAON_CHARGED_MASS
    gamma, boost = np.hypot(1.0, 75.0 / kaon), 75.0 / kaon
    q = np.sqrt(
        (kaon**2 - (mass + MUON_MASS) ** 2) * (kaon**2 - (mass - MUON_MASS) ** 2)
    )
    q /= 2.0 * kaon
    flight = 299792458.0 * KAON_CHARGED_LIFETIME * boost

    def weight(z):
        return np.exp(-(z - 105.0) / flight)

    def left(cosine, z):
        momentum = gamma * q * cosine + boost * np.hypot(q, mass)
        return weight(z) * np.exp(-(252.0 - z) * mass * width / (momentum * HBAR_C))

    total = integrate.dblquad(left, 105.0, 165.0, -1.0, 1.0, epsrel=1e-9)[0]
    return total / 2.0 / integrate.quad(weight, 105.0, 165.0)[0]


# the kaon decays over 564 m on average; lifetimes of 20 ns, 1 ns, 0.3 ns
@pytest.mark.parametrize("width", [3.3e-17, 6.6e-16, 2.2e-15])
def test_it_is_the_mean_of_the_exponential(width):
    found = ESCAPE.log_probability(jnp.array(0.3), jnp.array(width))
    assert float(found) == pytest.approx(np.log(integral(0.3, width)), rel=1e-4)


def test_a_stable_particle_escapes_and_a_short_lived_one_does_not():
    one = ESCAPE.log_probability(jnp.array(0.3), jnp.array(0.0))
    assert float(one) == pytest.approx(0.0, abs=1e-12)
    assert float(ESCAPE.log_probability(jnp.array(0.3), jnp.array(1e-12))) < -100.0


def test_a_longer_veto_lets_less_through():
    longer = dataclasses.replace(ESCAPE, veto_end=300.0)
    point = jnp.array(0.3), jnp.array(1e-15)
    assert longer.log_probability(*point) < ESCAPE.log_probability(*point)


def test_its_slopes_are_finite_also_where_the_decay_is_closed():
    slope = jax.jit(jax.grad(ESCAPE.log_probability, (0, 1)))
    end = KAON_CHARGED_MASS - MUON_MASS
    for mass in (0.1, end * (1 - 1e-9), end, 0.48):
        for width in (0.0, 1e-15):
            found = slope(jnp.array(mass), jnp.array(width))
            assert np.all(np.isfinite(found))
