"""The pi 4e search: limit for no event, fading with the lifetime, closed points."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.channels.search_region import LOG_CLOSED
from bsmfit.core.constants import HBAR
from bsmfit.errors import InputError
from bsmfit.physics.dark_cascade import CASCADE
from bsmfit.physics.mediator import Mediator


@pytest.fixture(scope="module")
def search():
    return bsmfit.load_channel("na62-pi4e")


def log_events(search, model, mass, coupling):
    (region,) = search.select((CASCADE,)).regions(model(mass, coupling))
    return region.signal[0].log_events


def test_calibration_point(search):
    (region,) = search.unit_regions(jnp.asarray(0.05), jnp.asarray(0.0))
    events = float(jnp.exp(region.signal[0].log_events))
    assert -np.log(0.1) / events == pytest.approx(1.4691e-9, rel=2e-3)


def test_signal_fades_with_the_fourth_power_of_the_mixing(search):
    model = bsmfit.load_model("dark-cascade", "dark-photon")
    at = [
        log_events(search, model, jnp.asarray(0.02), jnp.asarray(g))
        for g in (1e-2, 3e-3, 1e-7, 1e-8)
    ]
    assert float(at[0] - at[1]) == pytest.approx(0.0, abs=1e-3)
    # two flights, each with the square of epsilon
    assert float(at[2] - at[3]) == pytest.approx(4 * np.log(10), rel=1e-6)


def test_gradients_are_finite_on_both_sides(search):
    model = bsmfit.load_model("dark-cascade", "dark-photon")
    slope = jax.jit(
        jax.grad(lambda m, g: log_events(search, model, m, g), argnums=(0, 1))
    )
    for mass in (0.0099, 0.0101, 0.1499, 0.1501, 0.3):
        for coupling in (1e-8, 1e-5, 1e-2):
            found = slope(jnp.asarray(mass), jnp.asarray(coupling))
            assert np.all(np.isfinite(found))


def test_no_answer_where_the_scalar_flies_or_is_too_light(search):
    weak = bsmfit.load_model("dark-cascade", "dark-coupling")
    only = search.select((CASCADE,))
    for mass, coupling, is_open in (
        (0.05, 0.1, True),
        (0.05, 1e-9, False),
        (0.009, 0.1, False),
    ):
        (region,) = only.regions(
            weak.function(jnp.asarray(mass), jnp.asarray(coupling))
        )
        assert bool(region.is_open) is is_open
    photon = bsmfit.load_model("dark-cascade", "dark-photon")
    closed = log_events(search, photon, jnp.asarray(0.16), jnp.asarray(1e-3))
    assert float(closed) == LOG_CLOSED


def test_lifetime_weakens_the_unit_limit(search):
    prompt, late = (
        search.unit_regions(jnp.asarray(0.05), jnp.asarray(width))[0]
        for width in (0.0, HBAR / 1e-9)
    )
    assert float(late.signal[0].log_events) < float(prompt.signal[0].log_events) - 5.0


def test_control_regions_are_disjoint(search):
    whole = search.with_controls()
    assert whole.is_published
    regions = whole.unit_regions(jnp.asarray(0.05), jnp.asarray(0.0))
    assert [float(region.observed) for region in regions] == [0.0, 1.0, 3.0]
    backgrounds = [float(region.total_background) for region in regions]
    assert backgrounds == pytest.approx([0.18, 0.77, 2.29])
    shared = [{r.name for t in one.background for r in t.responses} for one in regions]
    assert "branching_ratio_pi0_dalitz" in shared[0] & shared[1] & shared[2]


@pytest.mark.parametrize(
    ("mass", "lifetime", "text"),
    [
        (None, None, "needs --mass"),
        (0.18, None, "closed above 0.1771"),
        (0.005, None, "says nothing there"),
        (0.05, -1.0, "must be above 0"),
    ],
)
def test_units_without_meaning_are_refused(search, mass, lifetime, text):
    with pytest.raises(InputError, match=text):
        search.check_unit(mass, lifetime)


def test_a_chain_without_its_masses_is_refused(search):
    one = jnp.ones(())
    plain = Mediator(0.2 * one, one, {"ee": one}, {CASCADE: one})
    with pytest.raises(InputError, match="CascadeMediator"):
        search.regions(plain)
