"""Intervals against MINOS and brute force; significance against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from bsmfit.inference.intervals.profile_interval import discovery, profile_interval
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import Gamma, LogNormal


def two_bins(n):
    region = Region(
        "a",
        n,
        signal=[Term("s", [3.0, 1.0], [LogNormal("efficiency", 1.2)])],
        background=[
            Term("b", [2.0, 5.0], [Gamma("b", 0.3), LogNormal("efficiency", 1.1)])
        ],
    )
    return Likelihood.from_regions([region]).arrays()


@pytest.fixture(scope="module")
def interval():
    return jax.jit(lambda n: profile_interval(two_bins(n), cl=0.6826894921370859))


def test_interval_is_that_of_minos(interval):
    from iminuit import Minuit

    counts = jnp.array([9.0, 6.0])
    found = interval(counts)
    nll = jax.jit(lambda p: two_bins(counts).negative_log_likelihood(p[0], p[1:]))
    m = Minuit(
        lambda p: float(nll(jnp.asarray(p))),
        [1.0, 0.0, 0.0],
        name=["strength", "a", "b"],
    )
    m.errordef, m.strategy, m.tol = 0.5, 2, 1e-4
    m.migrad()
    m.minos("strength")
    error = m.merrors["strength"]
    assert bool(found.is_converged)
    assert not bool(found.is_low_at_zero)
    np.testing.assert_allclose(found.strength, m.values["strength"], atol=1e-4)
    best = m.values["strength"]
    np.testing.assert_allclose(found.low, best + error.lower, atol=5e-4)
    np.testing.assert_allclose(found.high, best + error.upper, atol=5e-4)


def test_interval_that_holds_zero_says_so(interval):
    for counts in ([3.0, 6.0], [0.0, 2.0]):
        found = interval(jnp.array(counts))
        assert bool(found.is_converged)
        assert bool(found.is_low_at_zero)
        assert float(found.low) == 0.0
        assert float(found.high) > float(found.strength)


def test_interval_of_single_events_is_that_of_their_extended_likelihood():
    # three events, known background: -ln L = mu s + b - sum ln(mu s f + b g)
    s, b = 2.0, 1.0
    f, g = np.array([3.0, 0.5, 2.5]) * 1e-3, np.ones(3) * 1e-3

    def nll(mu):
        return mu * s + b - np.sum(np.log(mu * s * f + b * g))

    region = Region(
        "a",
        3,
        signal=[Term("s", s)],
        background=[Term("b", b)],
        events=EventDensities(f[None], g[None]),
    )
    arrays = Likelihood.from_regions([region]).arrays()
    found, excess = jax.jit(lambda a: (profile_interval(a, cl=0.9), discovery(a)))(
        arrays
    )
    slope = brentq(
        lambda mu: s - np.sum(s * f / (mu * s * f + b * g)), 1e-3, 20.0, xtol=1e-12
    )
    z = 1.6448536269514722
    np.testing.assert_allclose(found.strength, slope, rtol=1e-8)
    np.testing.assert_allclose(excess.q0, 2 * (nll(0.0) - nll(slope)), rtol=1e-9)
    high = brentq(lambda mu: 2 * (nll(mu) - nll(slope)) - z**2, slope, 30, xtol=1e-12)
    np.testing.assert_allclose(found.high, high, rtol=1e-7)


def test_discovery_of_a_count_is_the_closed_form():
    # n, b, sqrt(q0) of the statistics note, section 9
    table = ((1, 0.016, 2.510), (20, 7.03, 3.985), (17, 5.42, 3.963), (51, 18.0, 6.343))
    n, b = (jnp.array([float(row[k]) for row in table]) for k in (0, 1))

    def one(n, b):
        region = Region("a", n, signal=[Term("s", 1.0)], background=[Term("b", b)])
        return discovery(Likelihood.from_regions([region]).arrays())

    run = jax.jit(jax.vmap(one))
    found = run(n, b)
    assert found.is_converged.all()
    np.testing.assert_allclose(found.q0, 2 * (n * jnp.log(n / b) - n + b), rtol=1e-9)
    np.testing.assert_allclose(found.z_one_sided, [r[2] for r in table], atol=6e-4)
    assert (found.z_two_sided > found.z_one_sided).all()
    deficit = run(jnp.zeros(4), b)
    np.testing.assert_array_equal(deficit.z_one_sided, 0.0)
    np.testing.assert_array_equal(deficit.z_two_sided, 0.0)
    np.testing.assert_array_equal(deficit.p_value, 1.0)
