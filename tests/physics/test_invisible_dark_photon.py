from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.physics_tables import load_hadronic_ratio
from bsmfit.physics.dark_photon import DARK_PHOTON_PROCESSES, DarkPhoton
from bsmfit.physics.invisible_dark_photon import InvisibleDarkPhoton
from bsmfit.physics.mediator import is_physical


def test_nothing_of_it_is_seen():
    particle = InvisibleDarkPhoton()(jnp.array(0.1), jnp.array(1e-3))
    assert bool(is_physical(particle))
    assert {k: float(v) for k, v in particle.branching_ratios.items()} == {
        "invisible": 1.0
    }


def test_production_is_that_of_the_visible_dark_photon():
    mass, mixing = jnp.array(0.22), jnp.array(3e-4)
    visible = DarkPhoton(("kaon-to-pion",), "none", load_hadronic_ratio())
    strengths = [
        float(model(mass, mixing).production["kaon-to-pion"])
        for model in (visible, InvisibleDarkPhoton())
    ]
    assert strengths[0] == strengths[1] > 0.0


def test_kaon_decay_stays_out_of_the_dump():
    """The yields of a beam dump are tabulated for every process of this list."""
    assert "kaon-to-pion" not in DARK_PHOTON_PROCESSES


def test_dark_coupling_changes_the_width_alone():
    weak, strong = (
        InvisibleDarkPhoton(a)(jnp.array(0.1), jnp.array(1e-3)) for a in (0.1, 0.5)
    )
    assert float(strong.decay_width / weak.decay_width) == pytest.approx(5.0)
    assert weak.production == strong.production


def test_production_is_the_square_of_the_mixing_and_differentiable():
    model = InvisibleDarkPhoton()

    def strength(mixing):
        return model(jnp.array(0.1), mixing).production["kaon-to-pion"]

    mixing = jnp.array(1e-4)
    slope = jax.grad(strength)(mixing)
    np.testing.assert_allclose(slope * mixing, 2.0 * strength(mixing), rtol=1e-12)
    assert float(strength(jnp.array(0.0))) == 0.0
