"""Limits interpolated in the spread of the signal, against direct solutions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats

from bsmfit.channels.search_region import LARGEST_SPREAD
from bsmfit.inference.counts.expected import QUANTILE_LEVELS
from bsmfit.inference.exclusion.limits_by_spread import LimitsBySpread
from bsmfit.likelihood.effective_count import BackgroundNodes

CASES = ((0.0, 0.3), (0.45, 0.73), (3.7, 2.4), (9.0, 1.2))


@pytest.fixture(scope="module")
def solve():
    """Limits at some spreads, from nodes that begin at a smallest one."""

    @jax.jit
    def at(n, b, smallest, log_signal, spreads):
        limits = LimitsBySpread.solve(
            n, BackgroundNodes.known(b), smallest_spread=smallest, cl=0.9, n_max=14
        )
        return limits.is_converged, jax.vmap(limits)(log_signal, spreads)

    def solved(n, b, *, smallest, spreads, log_signal=None):
        spreads = np.resize(np.asarray(spreads, float), 8)
        signal = np.zeros(8) if log_signal is None else np.resize(log_signal, 8)
        is_converged, found = at(
            *map(jnp.array, (n, b, smallest)), jnp.asarray(signal), jnp.asarray(spreads)
        )
        assert bool(is_converged)
        return found

    return solved


def marginal_limit(n, b, spread):
    theta, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = weight / weight.sum()

    def excess(log_signal):
        rate = np.exp(log_signal + spread * theta) + b
        return weight @ special.gammaincc(n + 1, rate) / special.gammaincc(n + 1, b)

    return optimize.brentq(lambda x: excess(x) - 0.1, -3.0, 8.0, xtol=1e-13)


@pytest.mark.parametrize(("n", "b"), CASES)
def test_observed_limit_is_within_a_thousandth_of_the_direct_one(solve, n, b):
    """At the largest spread the 12 nodes of the factor add 3e-3."""
    spreads = np.array([0.1133, 0.13, 0.17, 0.23, 0.31, 0.42, 0.55, 0.7])
    found = solve(n, b, smallest=0.1133, spreads=spreads)
    direct = np.array([marginal_limit(n, b, spread) for spread in spreads])
    assert float(found.log_up_obs[0]) == pytest.approx(direct[0], abs=1e-6)
    error = np.abs(np.asarray(found.log_up_obs) - direct)
    assert error[:-1].max() < 1e-3
    assert error[-1] < 4e-3


@pytest.mark.parametrize(("n", "b"), CASES)
def test_expected_limits_are_within_four_thousandths_of_direct_ones(solve, n, b):
    """A table that begins at a spread holds the limits there without interpolation."""
    spreads = np.array([0.13, 0.2, 0.3, 0.45])
    found = solve(n, b, smallest=0.1133, spreads=spreads)
    for place, spread in enumerate(spreads):
        direct = solve(n, b, smallest=spread, spreads=[spread])
        np.testing.assert_allclose(
            found.log_up_exp[place], direct.log_up_exp[0], atol=4e-3
        )


@pytest.mark.parametrize("b", [0.7, 3.1])
def test_expected_limits_of_a_known_signal_are_those_of_the_quantiles(solve, b):
    counts = stats.poisson(b).ppf(QUANTILE_LEVELS)
    expected = [marginal_limit(count, b, 1e-9) for count in counts]
    found = solve(1.0, b, smallest=1e-6, spreads=[1e-6])
    np.testing.assert_allclose(found.log_up_exp[0], expected, atol=1e-4)


@pytest.mark.parametrize(("n", "b"), CASES)
def test_point_is_excluded_where_cls_is_below_one_minus_cl(solve, n, b):
    """Up to the error of the interpolated limit."""
    for spread in (0.1133, 0.25, 0.5):
        up = marginal_limit(n, b, spread)
        shifts = np.array([-3.0, -0.5, -0.05, -0.004, 0.004, 0.05, 0.5, 3.0])
        found = solve(n, b, smallest=0.1133, spreads=[spread], log_signal=up + shifts)
        excluded = up + shifts > np.asarray(found.log_up_obs)
        np.testing.assert_array_equal(np.asarray(found.cls_obs) < 0.1, excluded)
        assert np.all(np.diff(np.asarray(found.cls_obs)) < 0.0)
        assert np.all(np.diff(np.asarray(found.log_up_exp), axis=1) >= 0.0)


def test_spreads_beyond_the_ends_are_those_of_the_ends(solve):
    found = solve(1.3, 0.8, smallest=0.2, spreads=[0.05, 0.2, LARGEST_SPREAD, 3.0])
    assert float(found.log_up_obs[0]) == float(found.log_up_obs[1])
    assert float(found.log_up_obs[2]) == float(found.log_up_obs[3])


def test_no_signal_and_a_huge_one(solve):
    found = solve(1.3, 0.8, smallest=0.2, spreads=[0.3], log_signal=[-1e3, 1e3] * 4)
    for cls in (found.cls_obs, found.cls_exp):
        np.testing.assert_allclose(cls[0], 1.0)
        assert 0.0 <= float(cls[1]) < 1e-30
