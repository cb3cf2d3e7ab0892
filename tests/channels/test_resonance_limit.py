"""Counts reconstructed from limits on |U|^2 make these limits again, and say less."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

import bsmfit
from bsmfit.catalogue.published import load_published_limit
from bsmfit.channels.search_region import LOG_CLOSED, log_total_signal
from bsmfit.channels.stable_limit import ReconstructedCount
from bsmfit.errors import InputError
from bsmfit.likelihood.effective_count import BackgroundNodes, effective_log_limit
from bsmfit.physics.heavy_neutral_lepton_production import unit_branching_ratio

SEARCHES = {
    "na62-k-mu-n": "kaon-to-mu-n",
    "na62-k-e-n": "kaon-to-e-n",
    "na62-pi-e-n": "pion-to-e-n",
}


@pytest.fixture(scope="module")
def searches():
    return {name: bsmfit.load_channel(name) for name in SEARCHES}


@pytest.fixture(scope="module")
def limit_of():
    """ln of the limit on the branching ratio of a stable particle, count and level."""

    def at(log_limit, log_sensitivity, cl):
        ten = jnp.asarray(10.0)
        seen = ReconstructedCount.from_limit(
            log_limit - log_sensitivity, ten, error=0.0, cl=0.9
        )
        events, _ = effective_log_limit(
            seen.n, BackgroundNodes.known(ten), spread=jnp.asarray(1e-6), cl=cl
        )
        return events + log_sensitivity - seen.log_factor, seen.n

    program = jax.jit(jax.vmap(at, (0, 0, None)))

    def padded(log_limits, log_sensitivity, cl):
        """One program for curves of all lengths."""
        n = log_limits.size
        pairs = [
            jnp.pad(values, (0, 300 - n), mode="edge")
            for values in (log_limits, log_sensitivity)
        ]
        return tuple(values[:n] for values in program(*pairs, cl))

    return padded


@pytest.mark.parametrize("name", SEARCHES)
def test_limits_at_the_published_level_are_the_published_ones(name, searches, limit_of):
    search, published = searches[name], load_published_limit(name)
    logs = search.published.log_limits, search.log_sensitivity
    found, n = limit_of(*logs, 0.9)
    unit = unit_branching_ratio(SEARCHES[name], jnp.asarray(published.mass))
    np.testing.assert_allclose(jnp.exp(found) / unit, published.lower, rtol=1e-6)
    assert float(search.background) == 10.0
    assert float(n.min()) >= 0.0
    assert float(n.max()) < 30.0
    # half of the masses saw more than the mean, half less: that is what was assumed
    assert 8.0 < float(jnp.median(n)) < 12.0


def test_limits_at_other_levels_follow_from_the_count(searches, limit_of):
    search = searches["na62-k-mu-n"]
    logs = search.published.log_limits[:5], search.log_sensitivity[:5]
    found, n = limit_of(*logs, 0.95)
    for count, sensitivity, limit in zip(n, logs[1], found, strict=True):
        count = float(count)

        def excess(s, count=count):
            tail = special.gammaincc(count + 1.0, s + 10.0)
            return tail / special.gammaincc(count + 1.0, 10.0) - 0.05

        expected = np.log(optimize.brentq(excess, 0.01, 100.0)) + float(sensitivity)
        assert float(limit) == pytest.approx(expected, abs=1e-5)


def test_the_signal_is_lost_with_what_decays_and_not_with_what_decays_unseen(searches):
    search = searches["na62-k-e-n"]
    process = search.process
    mass, one = jnp.array(0.3), jnp.array(1.0)

    @jax.jit
    def log_signal(width, invisible):
        shares = {"invisible": jnp.asarray(invisible)}
        particle = bsmfit.Mediator(mass, jnp.asarray(width), shares, {process: one})
        return log_total_signal(search.regions(particle))

    stable = log_signal(0.0, 0.0)
    width = 6.6e-16  # 1 ns
    lost = float(search.flight.log_probability(mass, jnp.array(width)))
    assert lost < -0.5
    half = np.log(0.5 + 0.5 * np.exp(lost))
    for invisible, expected in ((0.0, lost), (1.0, 0.0), (0.5, half)):
        found = float(log_signal(width, invisible) - stable)
        assert found == pytest.approx(expected, abs=1e-9)


def test_it_is_closed_outside_its_masses_and_has_slopes_at_their_ends(searches):
    search = searches["na62-k-e-n"]
    low, high = search.mass_range
    process = search.process

    def log_signal(mass, strength):
        particle = bsmfit.Mediator(mass, 1e-17 * strength, {}, {process: strength})
        (region,) = search.regions(particle)
        return region.signal[0].log_events

    masses = jnp.array([low - 1e-6, low, high, high + 1e-6])
    both = jax.jit(jax.vmap(jax.value_and_grad(log_signal, (0, 1)), (0, None)))
    for strength in (1e-9, 0.0):
        values, slopes = both(masses, jnp.array(strength))
        assert np.all(np.isfinite(values))
        assert all(np.all(np.isfinite(slope)) for slope in slopes)
        is_open = [False, strength > 0.0, strength > 0.0, False]
        assert [float(v) > LOG_CLOSED for v in values] == is_open


def test_questions_without_meaning_are_refused(searches):
    search = searches["na62-k-mu-n"]
    with pytest.raises(InputError, match=r"needs --mass .* 0.2 to 0.384 GeV"):
        search.check_unit(None, None)
    with pytest.raises(InputError, match=r"says nothing there, only at 0\.2 to 0\.384"):
        search.check_unit(0.1, None)
    with pytest.raises(InputError, match="lifetime = -1 ns must be above 0"):
        search.check_unit(0.3, -1.0)
    with pytest.raises(InputError, match="count has no meaning for na62-k-mu-n"):
        search.with_observed(3)
    with pytest.raises(InputError, match="a lifetime has no meaning"):
        dataclasses.replace(search, flight=None).check_unit(0.3, 1.0)
    assert search.is_published
    assert not search.changed("other", background=jnp.asarray(5.0)).is_published
