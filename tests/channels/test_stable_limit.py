"""Counts reconstructed from published limits make these limits again."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

import bsmfit
from bsmfit.catalogue.kinds.registry import names_with
from bsmfit.channels.channel import DefaultAxis, log_responses
from bsmfit.channels.stable_limit import total_error


@pytest.fixture(scope="module")
def searches():
    names = [name for name in names_with("build_tables") if "invisible" in name]
    return [bsmfit.load_channel(name) for name in names]


def same_structure(channel):
    """The arrays of a channel under common names, so that one program fits all."""
    published = channel.published
    n_missing = 400 - published.masses.size
    beyond = jnp.arange(1.0, n_missing + 1.0)
    return dataclasses.replace(
        channel,
        name="any",
        datasets=("any",),
        segments=((0.0, 0.4),),
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


def masses_of(channel):
    return np.concatenate(
        [
            low + (high - low) * np.array([0.03, 0.5, 0.96])
            for low, high in channel.segments
        ]
    )


@pytest.fixture(scope="module")
def counts_of():
    @jax.jit
    def counts(channel, masses):
        return jax.vmap(channel.observed_count)(masses)

    return lambda channel, masses: counts(
        same_structure(channel), jnp.asarray(np.resize(masses, 6))
    )


def marginal_limit(n, b, spread):
    theta, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()

    def cls(log_signal):
        rate = np.exp(log_signal + spread * theta) + b
        return weight @ special.gammaincc(n + 1, rate) / special.gammaincc(n + 1, b)

    return np.exp(optimize.brentq(lambda x: cls(x) - 0.1, -3.0, 8.0, xtol=1e-13))


def test_counts_make_the_published_limits(searches, counts_of):
    """Limit of the count by scipy, times the sensitivity, is the curve: 4 searches."""
    n_checked = 0
    for channel in searches:
        if channel.published is None:
            continue
        assert channel.published.cl == 0.9
        masses = masses_of(channel)
        found = counts_of(channel, masses)
        assert np.all(found.is_found)
        for place, mass in enumerate(masses):
            at = jnp.array(mass)
            n, factor = float(found.n[place]), float(jnp.exp(found.log_factor[place]))
            background = float(channel.background(at))
            limit = marginal_limit(n, background, np.log(1.12)) / factor
            limit *= float(jnp.exp(channel.log_sensitivity(at)))
            published = float(jnp.exp(channel.published(at)))
            # 12 nodes of the factor: 1e-5 for counts near 30
            assert limit == pytest.approx(published, rel=5e-5)
            assert (n == 0.0) == (factor > 1.0)
            n_checked += 1
    assert n_checked >= 18


def test_published_numbers_are_on_the_curves(searches):
    """HEPData of 2507.17286: 2.912e-11 at 0; PDG: best limits of each search."""
    by_name = {channel.name: channel for channel in searches}
    newest = by_name["na62-pi-invisible-2016-2022"].published
    assert float(jnp.exp(newest(jnp.array(0.0)))) == pytest.approx(2.912e-11, rel=2e-3)
    run1 = by_name["na62-pi-invisible-run1"].published
    assert float(jnp.exp(run1(jnp.array(0.21)))) == pytest.approx(9.01e-12, rel=0.02)
    pi0 = by_name["na62-pi0-invisible"].published
    assert float(jnp.exp(pi0(jnp.array(0.135)))) == pytest.approx(9.3e-10, rel=0.02)


def test_counted_search_has_its_count_at_all_masses(searches):
    for channel in searches:
        if channel.n_observed is None:
            continue
        found = channel.observed_count(jnp.array(0.2))
        expected = {"run1": 20.0, "2022": 51.0}[channel.name.split("-")[-2]]
        assert float(found.n) == expected
        assert float(found.log_factor) == 0.0
        assert bool(found.is_found)


def test_errors_add_in_quadrature_by_what_they_affect(searches):
    by_name = {channel.name: channel for channel in searches}
    run1 = by_name["na62-pi-invisible-run1-count"]
    (acceptance,) = log_responses(run1.nuisances, "signal")
    assert acceptance.name == "na62_pi_x_acceptance"
    assert acceptance.log_kappa == pytest.approx(np.log(1.12))
    fakes = log_responses(run1.nuisances, "background")
    assert total_error(fakes) == pytest.approx(np.log(1.09))
    known = by_name["na62-pi-invisible-run1"].nuisances
    assert total_error(log_responses(known, "background")) == 0.0


def test_largest_background_is_the_largest_of_the_open_masses(searches):
    for channel in searches:
        (largest,) = channel.largest_counts()
        masses = masses_of(channel)
        worst = max(float(channel.background(jnp.array(m))) for m in masses)
        assert worst <= largest.background * (1.0 + 1e-9)
