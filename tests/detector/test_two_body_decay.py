from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bsmfit.detector.two_body_decay import daughter_momenta, flight_direction

MUON = 0.10566


@settings(max_examples=30, deadline=None)
@given(
    mass=st.floats(0.212, 1.0),
    momentum=st.floats(5.0, 400.0),
    angle=st.floats(0.0, 0.01),
    cos_theta=st.floats(-1.0, 1.0),
    azimuth=st.floats(0.0, 6.2),
)
def test_daughters_close_four_momentum_on_the_mass_shell(
    mass, momentum, angle, cos_theta, azimuth
):
    direction = flight_direction(jnp.array(angle), jnp.array([0.7]))
    first, second = daughter_momenta(
        jnp.array(mass),
        jnp.array(momentum),
        direction=direction,
        cos_theta=jnp.array([cos_theta]),
        azimuth=jnp.array([azimuth]),
        daughter_mass=jnp.array(MUON),
    )
    p1, p2 = np.asarray(first[0]), np.asarray(second[0])
    np.testing.assert_allclose(
        p1 + p2, momentum * np.asarray(direction[0]), atol=1e-9 * momentum
    )
    energy = sum(np.sqrt(p @ p + MUON**2) for p in (p1, p2))
    np.testing.assert_allclose(energy, np.sqrt(momentum**2 + mass**2), rtol=1e-12)


def test_cosine_is_that_of_the_boosted_back_daughter():
    """Boost the first daughter back to rest by an independent matrix."""
    mass, momentum, cos_theta = 0.4, 50.0, 0.3
    first, _ = daughter_momenta(
        jnp.array(mass),
        jnp.array(momentum),
        direction=jnp.array([[0.0, 0.0, 1.0]]),
        cos_theta=jnp.array([cos_theta]),
        azimuth=jnp.array([1.1]),
        daughter_mass=jnp.array(MUON),
    )
    p = np.asarray(first[0])
    energy = np.sqrt(p @ p + MUON**2)
    gamma = np.sqrt(momentum**2 + mass**2) / mass
    beta_gamma = momentum / mass
    p_z = gamma * p[2] - beta_gamma * energy
    k = np.hypot(np.hypot(p[0], p[1]), p_z)
    np.testing.assert_allclose(k, np.sqrt(mass**2 / 4 - MUON**2), rtol=1e-9)
    np.testing.assert_allclose(p_z / k, cos_theta, rtol=1e-9)


def test_decay_at_threshold_is_collinear():
    direction = flight_direction(jnp.array(0.002), jnp.array([0.3]))
    first, second = daughter_momenta(
        jnp.array(2 * MUON),
        jnp.array(80.0),
        direction=direction,
        cos_theta=jnp.array([0.2]),
        azimuth=jnp.array([0.5]),
        daughter_mass=jnp.array(MUON),
    )
    np.testing.assert_allclose(first, second, rtol=1e-12)
