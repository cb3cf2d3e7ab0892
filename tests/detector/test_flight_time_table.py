"""One flight time says how a search loses signal with the lifetime."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.core.constants import HBAR
from bsmfit.detector.flight_time_table import FlightTimeTable

TIME = 160e-12
LIFETIMES = np.array([1e-10, 1e-9, 1e-8])


def table(*, sees_decays, times=TIME):
    return FlightTimeTable(
        masses=jnp.array([0.2, 0.3]),
        log_lifetimes=jnp.log(jnp.asarray(LIFETIMES)),
        times=jnp.broadcast_to(jnp.asarray(times), (2, 3)),
        sees_decays=sees_decays,
    )


@pytest.mark.parametrize("lifetime", [1e-14, 3e-11, 2e-10, 1e-9, 1e-6])
def test_decays_within_one_flight_time_follow_the_decay_law(lifetime):
    mass, width = jnp.array(0.25), jnp.array(HBAR / lifetime)
    decayed = np.exp(table(sees_decays=True).log_probability(mass, width))
    survived = np.exp(table(sees_decays=False).log_probability(mass, width))
    assert decayed == pytest.approx(-np.expm1(-TIME / lifetime), rel=1e-9)
    assert survived == pytest.approx(np.exp(-TIME / lifetime), rel=1e-9)
    assert decayed + survived == pytest.approx(1.0)


def test_times_are_linear_in_mass_and_log_lifetime_and_held_beyond():
    times = np.array([[1.0, 2.0, 4.0], [3.0, 4.0, 6.0]]) * 1e-10
    found = table(sees_decays=True, times=times)

    def at(mass, lifetime):
        return float(found.flight_time(jnp.array(mass), jnp.log(lifetime)))

    assert at(0.25, 1e-9) == pytest.approx(3e-10)
    assert at(0.2, 10**-9.5) == pytest.approx(1.5e-10)
    assert at(0.25, 10**-8.5) == pytest.approx(4e-10)
    assert at(0.2, 1e-15) == at(0.2, 1e-10) == pytest.approx(1e-10)
    assert at(0.4, 1.0) == pytest.approx(6e-10)


@pytest.mark.parametrize(("sees_decays", "stable"), [(True, -1e5), (False, 0.0)])
def test_values_and_slopes_are_finite_from_prompt_to_stable(sees_decays, stable):
    found = table(sees_decays=sees_decays)
    widths = jnp.array([0.0, 1e-30, 1e-17, HBAR / 1e-9, HBAR / 1e-12, 1.0])
    both = jax.vmap(jax.value_and_grad(found.log_probability, (0, 1)), (None, 0))
    values, slopes = both(jnp.array(0.25), widths)
    assert np.all(np.isfinite(values))
    assert np.all(values <= 0.0)
    assert all(np.all(np.isfinite(slope)) for slope in slopes)
    assert float(values[0]) == stable
    # no flight time at all: never seen, or never lost
    none = table(sees_decays=sees_decays, times=0.0)
    assert float(none.log_probability(jnp.array(0.25), jnp.array(1e-15))) == stable


def test_the_slope_is_that_of_the_decay_law():
    found, x = table(sees_decays=True), 0.4
    width = x * HBAR / TIME
    slope = jax.grad(found.log_probability, 1)(jnp.array(0.25), jnp.array(width))
    assert float(slope) * width == pytest.approx(x / np.expm1(x))
