from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.physics.flavour_violating_axion import FlavourViolatingAxion
from bsmfit.physics.mediator import is_physical


def strength(decay_constant, mass=0.1):
    model = FlavourViolatingAxion()
    return model(jnp.array(mass), decay_constant).production["kaon-to-pion"]


def test_axion_is_stable_and_invisible():
    particle = FlavourViolatingAxion()(jnp.array(0.1), jnp.array(1e12))
    assert float(particle.decay_width) == 0.0
    assert float(particle.branching_ratios["invisible"]) == 1.0
    assert set(particle.branching_ratios) == {"invisible"}
    assert bool(is_physical(particle))


def test_rate_falls_with_the_square_of_the_scale():
    one, two = (float(strength(jnp.array(f))) for f in (1e12, 2e12))
    assert one / two == pytest.approx(4.0, rel=1e-12)


def test_published_limit_on_the_scale():
    # F_V > 1.6e12 GeV (abstract of 2503.05865) is a branching ratio of 1.29e-11
    ours = float(strength(jnp.array(1.6e12), mass=1e-6))
    assert ours == pytest.approx(1.29e-11, rel=0.02)


def test_gradient_in_the_scale():
    scale = jnp.array(1e12)
    slope = jax.grad(strength)(scale)
    np.testing.assert_allclose(slope * scale, -2.0 * strength(scale), rtol=1e-12)
