"""Limits on BR(K+ -> pi+ X): the published ones for stable X, weaker for others."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

import bsmfit
from bsmfit.channels.channel import DefaultAxis
from bsmfit.core.constants import HBAR
from bsmfit.errors import InputError
from bsmfit.inference.limits.invisible_limit import invisible_limit

NAMES = (
    "na62-pi-invisible-2017",
    "na62-pi-invisible-run1",
    "na62-pi-invisible-2016-2022",
    "na62-pi0-invisible",
)


def same_structure(channel):
    """The arrays of a channel under common names, so that one program fits all."""
    published = channel.published
    beyond = jnp.arange(1.0, 401.0 - published.masses.size)
    return dataclasses.replace(
        channel,
        name="any",
        datasets=("any",),
        segments=((0.0, 0.26),),
        windows=((0.0, 0.07),),
        mass_axis=DefaultAxis(0.1, 0.4, 2),
        coupling_axes=(),
        inputs=(),
        published=dataclasses.replace(
            published,
            masses=jnp.concatenate([published.masses, beyond]),
            log_limits=jnp.concatenate([published.log_limits, 0.0 * beyond]),
        ),
    )


@pytest.fixture(scope="module")
def channels():
    return {name: bsmfit.load_channel(name) for name in NAMES}


@pytest.fixture(scope="module")
def limits_of():
    @jax.jit
    def limits(channel, masses, widths):
        def one(mass, width):
            return invisible_limit(channel, mass, decay_width=width, cl=0.9, n_max=14)

        return jax.vmap(one)(masses, widths)

    def at(channel, masses, lifetime=None):
        width = 0.0 if lifetime is None else HBAR / lifetime
        return limits(
            same_structure(channel),
            jnp.asarray(np.resize(np.asarray(masses, float), 8)),
            jnp.full(8, width),
        )

    return at


@pytest.mark.parametrize("name", NAMES)
def test_stable_x_has_the_published_limit(channels, limits_of, name):
    channel = channels[name]
    ends = channel.segments
    low, high = (ends[0][0], ends[0][1]), (ends[-1][0], ends[-1][1])
    masses = np.concatenate(
        [np.linspace(a + 1e-4, b - 1e-4, 4) for a, b in (low, high)]
    )
    found = limits_of(channel, masses)
    published = [float(jnp.exp(channel.published(jnp.array(m)))) for m in masses]
    np.testing.assert_allclose(found.branching_ratio, published, rtol=1e-4)
    assert np.all(found.is_converged)
    np.testing.assert_array_equal(found.escape, 1.0)
    assert np.all(np.asarray(found.signal_factor) >= 1.0)
    assert np.all(np.diff(np.asarray(found.expected), axis=1) >= 0.0)


def marginal_limit(n, b, spread):
    theta, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()

    def cls(log_signal):
        rate = np.exp(log_signal + spread * theta) + b
        return weight @ special.gammaincc(n + 1, rate) / special.gammaincc(n + 1, b)

    return np.exp(optimize.brentq(lambda x: cls(x) - 0.1, -3.0, 8.0, xtol=1e-13))


@pytest.mark.parametrize("lifetime", [1e-10, 5e-10, 5e-9])
def test_short_lifetime_divides_by_the_escape_and_adds_its_error(
    channels, limits_of, lifetime
):
    """The end of the veto is uncertain by 5 m: at least the stable limit over P."""
    channel = channels["na62-pi-invisible-run1"]
    masses = np.array([0.03, 0.05, 0.08, 0.1, 0.16, 0.19, 0.22, 0.25])
    stable, found = limits_of(channel, masses), limits_of(channel, masses, lifetime)
    escape = np.asarray(found.escape)
    ratio = np.asarray(found.branching_ratio) / np.asarray(stable.branching_ratio)
    assert np.all(ratio * escape >= 1.0 - 1e-9)
    assert np.all(np.asarray(found.expected) > np.asarray(stable.expected))
    for place, mass in enumerate(masses):
        _, slope = channel.escape(jnp.array(mass), jnp.array(HBAR / lifetime))
        spread = np.hypot(np.log(1.12), 5.0 * float(slope))
        if spread > 0.69:  # larger ones are cut down
            continue
        event = (float(stable.n_observed[place]), float(stable.background[place]))
        loosened = marginal_limit(*event, spread) / marginal_limit(*event, np.log(1.12))
        assert ratio[place] * escape[place] == pytest.approx(loosened, rel=2e-3)


def test_mass_without_sensitivity_has_no_limit(channels, limits_of):
    found = limits_of(channels["na62-pi-invisible-run1"], [0.3])
    assert np.all(np.isnan(found.branching_ratio))
    assert np.all(np.isnan(found.expected))
    assert not np.any(found.is_sensitive)


def test_level_outside_its_range_is_refused(channels):
    for cl in (0.0, 1.0):
        with pytest.raises(InputError, match="not between 0 and 1"):
            invisible_limit(
                channels["na62-pi0-invisible"],
                jnp.array(0.13),
                decay_width=jnp.array(0.0),
                cl=cl,
            )


def test_a_count_has_the_limit_of_a_double_integral():
    """20 events over 17.04 with 9 %, 12 % on the signal: 60 x 60 nodes, by scipy."""
    channel = bsmfit.load_channel("na62-pi-invisible-run1-count")
    found = invisible_limit(channel, 0.2, decay_width=0.0, cl=0.9)
    theta, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()
    fakes = 17.04 * 1.09**theta

    def at_most(signal):
        rate = signal * 1.12 ** theta[:, None] + fakes[None, :]
        return weight @ special.gammaincc(21.0, rate) @ weight

    events = optimize.brentq(
        lambda s: at_most(s) / at_most(0.0) - 0.1, 1.0, 60.0, xtol=1e-12
    )
    expected = events * float(found.sensitivity)
    assert float(found.branching_ratio) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("width", [-1e-16, np.nan, np.inf])
def test_a_width_that_is_none_is_refused(width):
    channel = bsmfit.load_channel("na62-pi-invisible-run1")
    with pytest.raises(InputError, match="0 is a stable particle"):
        invisible_limit(channel, 0.2, decay_width=width, cl=0.9)


def test_several_masses_at_once_are_refused():
    channel = bsmfit.load_channel("na62-pi-invisible-run1")
    with pytest.raises(InputError, match=r"jax\.vmap"):
        invisible_limit(channel, jnp.array([0.1, 0.2]), decay_width=0.0, cl=0.9)
