from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator, check_physical, is_physical
from bsmfit.physics.model import Model


def mediator(**changes) -> Mediator:
    fields = {
        "mass": jnp.array(0.3),
        "decay_width": jnp.array(1e-12),
        "branching_ratios": {"ee": jnp.array(0.5), "mumu": jnp.array(0.5)},
        "production": {"eta-decay": jnp.array(1e-9)},
    }
    return Mediator(**(fields | changes))


UNPHYSICAL = {
    "shares of 1.4": {"branching_ratios": {"ee": 0.7, "mumu": 0.7}},
    "a share of 1.2": {"branching_ratios": {"ee": 1.2}},
    "a negative share": {"branching_ratios": {"ee": -0.1, "mumu": 0.5}},
    "a share that is none": {"branching_ratios": {"ee": jnp.nan}},
    "a negative width": {"decay_width": -1e-12},
    "an infinite width": {"decay_width": jnp.inf},
    "no mass": {"mass": jnp.nan},
    "a negative rate": {"production": {"eta-decay": -1.0}},
    "an infinite rate": {"production": {"eta-decay": jnp.inf}},
}


@pytest.mark.parametrize("changes", UNPHYSICAL.values(), ids=UNPHYSICAL)
def test_unphysical_mediator_is_refused_and_known_as_one(changes):
    floats = jax.tree.map(jnp.asarray, changes)
    particle = mediator(**floats)
    assert not bool(is_physical(particle))
    with pytest.raises(InputError, match="mine: "):
        check_physical(particle, "mine")


def test_physical_mediator_passes_with_the_rounding_of_its_shares():
    for changes in (
        {},
        {"branching_ratios": {}},
        {"branching_ratios": {"ee": jnp.array(1.0 + 1e-9)}},
        {"decay_width": jnp.array(0.0)},
    ):
        particle = mediator(**changes)
        assert bool(is_physical(particle))
        check_physical(particle, "mine")


def heavier(mass, coupling):
    return mediator(mass=1.5 * mass, decay_width=coupling)


def test_particle_of_another_mass_is_refused_and_has_no_width_where_traced():
    model = Model(heavier, name="heavier")
    with pytest.raises(InputError, match=r"returns a particle of 0\.45 GeV where 0\.3"):
        model(jnp.array(0.3), jnp.array(1e-9))
    traced = jax.jit(model)(jnp.array(0.3), jnp.array(1e-9))
    assert jnp.isnan(traced.decay_width)
    assert not bool(is_physical(traced))


def test_mass_that_was_rounded_is_the_same_mass_with_its_gradient():
    def rounded(mass, coupling):
        return mediator(mass=(mass * 3.0) / 3.0, decay_width=coupling * mass**2)

    model = Model(rounded, name="rounded")

    def width(mass):
        return model(mass, jnp.array(2.0)).decay_width

    assert float(jax.grad(width)(jnp.array(0.3))) == pytest.approx(4.0 * 0.3)


def test_function_that_branches_on_a_traced_number_is_explained():
    def branching(mass, coupling):
        return mediator(decay_width=coupling) if mass > 0.2 else mediator()

    model = Model(branching, name="branching")
    with pytest.raises(InputError, match=r"write jnp\.where"):
        jax.jit(model)(jnp.array(0.3), jnp.array(1e-9))
