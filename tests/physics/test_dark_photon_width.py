"""Total width and branching ratios: sums, scaling, thresholds."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from bsmfit.core.constants import ELECTRON_MASS, FINE_STRUCTURE, MUON_MASS
from bsmfit.physics.dark_photon_width import (
    branching_ratios,
    partial_widths,
    total_width,
)
from bsmfit.physics.hadronic_ratio import HadronicRatio

TABLE = Path(__file__).parents[2] / "data" / "hadrons" / "exclusive_ratios.csv"


@pytest.fixture(scope="module")
def ratio() -> HadronicRatio:
    lines = [
        line for line in TABLE.read_text().splitlines() if not line.startswith("#")
    ]
    rows = list(csv.DictReader(lines))
    return HadronicRatio.from_table(
        {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    )


def test_hadronic_width_uses_the_massless_lepton(ratio: HadronicRatio) -> None:
    mass, mixing = jnp.array(0.3), jnp.array(1e-3)
    widths = partial_widths(mass, mixing, hadronic_ratio=ratio)
    expected = float(ratio(mass)) * 1e-6 * FINE_STRUCTURE * 0.3 / 3
    np.testing.assert_allclose(float(widths["hadrons"]), expected, rtol=1e-12)


def test_total_width_is_the_sum_and_scales_with_mixing_squared(
    ratio: HadronicRatio,
) -> None:
    mass = jnp.array(0.77)
    parts = partial_widths(mass, jnp.array(2e-4), hadronic_ratio=ratio)
    total = total_width(mass, jnp.array(2e-4), hadronic_ratio=ratio)
    unit = total_width(mass, jnp.array(1.0), hadronic_ratio=ratio)
    np.testing.assert_allclose(
        float(total), sum(map(float, parts.values())), rtol=1e-14
    )
    np.testing.assert_allclose(float(total), 4e-8 * float(unit), rtol=1e-12)


def test_light_dark_photon_decays_only_to_electrons(ratio: HadronicRatio) -> None:
    for mass in (0.0011, 0.05, 0.13):
        fractions = branching_ratios(jnp.array(mass), hadronic_ratio=ratio)
        assert {name: float(value) for name, value in fractions.items()} == {
            "ee": 1.0,
            "mumu": 0.0,
            "hadrons": 0.0,
        }


def _width(mass: jax.Array, ratio: HadronicRatio) -> jax.Array:
    return total_width(mass, jnp.ones_like(mass), hadronic_ratio=ratio)


def _fractions(mass: jax.Array, ratio: HadronicRatio) -> jax.Array:
    return jnp.stack([*branching_ratios(mass, hadronic_ratio=ratio).values()])


@pytest.mark.parametrize(
    ("function", "mode"), [(_width, jax.jacrev), (_fractions, jax.jacfwd)]
)
def test_gradients_are_finite_around_thresholds_and_zero_below_the_first(
    ratio: HadronicRatio,
    function: Callable[[jax.Array, HadronicRatio], jax.Array],
    mode: Callable[..., Callable[..., jax.Array]],
) -> None:
    gradient = jax.jit(jax.vmap(mode(lambda mass: function(mass, ratio))))
    closed = jnp.array([0.001, 2.0 * ELECTRON_MASS])
    for mass in closed:
        assert np.all(np.asarray(function(mass, ratio)) == 0.0)
    assert np.all(np.asarray(gradient(closed)) == 0.0)
    at = jnp.array([2 * ELECTRON_MASS, 0.1349768, 2 * MUON_MASS, 0.27914078])
    for end in (0.0, 3.0):
        side = jnp.nextafter(at, jnp.full_like(at, end))
        # One shape for all calls: one compilation.
        for half in (side[:2], side[2:]):
            assert np.all(np.isfinite(np.asarray(gradient(half))))


@settings(deadline=None, max_examples=50)
@given(mass=st.floats(0.00103, 2.0))
def test_branching_ratios_sum_to_one(ratio: HadronicRatio, mass: float) -> None:
    fractions = branching_ratios(jnp.array(mass), hadronic_ratio=ratio)
    values = [float(value) for value in fractions.values()]
    assert all(0.0 <= value <= 1.0 for value in values)
    assert sum(values) == pytest.approx(1.0, abs=5e-16)


@pytest.mark.slow
def test_gradient_agrees_with_finite_differences(ratio: HadronicRatio) -> None:
    def log_width(mass: jax.Array, mixing: jax.Array) -> jax.Array:
        return jnp.log(total_width(mass, mixing, hadronic_ratio=ratio))

    mass = jnp.array([0.01, 0.2, 0.25, 0.3, 0.78, 1.5])
    check_grads(
        jax.jit(jax.vmap(log_width)),
        (mass, jnp.full_like(mass, 0.5)),
        order=1,
        modes=("fwd", "rev"),
        rtol=1e-4,
        eps=1e-7,
    )
