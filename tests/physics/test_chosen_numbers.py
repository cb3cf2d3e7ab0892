"""Numbers of presets as further parameters of their models."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.core.constants import HBAR_C
from bsmfit.errors import UnknownNameError
from bsmfit.physics.chosen_numbers import ChosenNumbers


class Line(eqx.Module):
    """A particle whose width is slope m g + shift."""

    factors: dict[str, float | jax.Array]
    shift: float | jax.Array

    def __call__(self, mass, coupling):
        width = self.factors["slope"] * mass * coupling + self.shift
        one = jnp.ones_like(mass)
        return bsmfit.Mediator(mass, width, {"ee": one}, {"pi0-decay": coupling})


LINE = ChosenNumbers(
    Line({"slope": 2.0, "other": 7.0}, 1.0),
    (("slope", "factors.slope"), ("shift", "shift")),
)


def test_a_number_is_replaced_where_it_is_and_nowhere_else():
    one, three, four = (jnp.asarray(x) for x in (1.0, 3.0, 4.0))
    assert LINE(three, one).decay_width == 7.0
    assert LINE(three, one, slope=four, shift=0.0 * one).decay_width == 12.0
    assert LINE(three, one).decay_width == 7.0
    slope = jax.grad(lambda value: LINE(three, four, slope=value).decay_width)
    assert slope(one) == 12.0
    with pytest.raises(UnknownNameError, match="did you mean 'slope'"):
        LINE(three, one, slop=one)


def test_decay_length_of_a_rate_is_that_of_its_width():
    model = bsmfit.load_model("axion-pair-rate")
    mass, ratio = jnp.asarray(0.1), jnp.asarray(1e-9)
    for length in (0.001, 2.0):
        width = model.with_parameters(decay_length=length)(mass, ratio).decay_width
        assert float(width) == pytest.approx(HBAR_C / length, rel=1e-14)


@pytest.mark.parametrize("name", ["cascade-rate", "dark-cascade"])
def test_every_number_of_a_preset_is_the_parameter_of_its_name(name):
    model = bsmfit.load_model(name)
    inner = model.function
    assert isinstance(inner, ChosenNumbers)
    mass, coupling = jnp.asarray(0.1), jnp.asarray(1e-5)
    plain = dataclasses.replace(model, function=inner.function, parameters={})
    same = zip(
        jax.tree.leaves(model(mass, coupling)),
        jax.tree.leaves(plain(mass, coupling)),
        strict=True,
    )
    for one, other in same:
        np.testing.assert_allclose(one, other, rtol=1e-12)
    for key, value in model.parameters.items():
        other = model.with_parameters(**{key: 1.01 * float(value)})
        pairs = zip(
            jax.tree.leaves(other(mass, coupling)),
            jax.tree.leaves(plain(mass, coupling)),
            strict=True,
        )
        assert any(not np.array_equal(a, b) for a, b in pairs), key
