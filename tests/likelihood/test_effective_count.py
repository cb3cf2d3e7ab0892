"""Effective counts against the incomplete gamma function and published-grade tables."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special

from bsmfit.likelihood.effective_count import (
    LARGEST_EFFECTIVE_COUNT,
    BackgroundNodes,
    effective_cls,
    effective_count,
    effective_log_limit,
    log_at_most,
)


@functools.cache
def limit_at(cl):
    """ln of the limit by count, background and spread, mapped over counts."""
    return jax.jit(
        jax.vmap(
            lambda n, b, spread: effective_log_limit(
                n, BackgroundNodes.known(b), spread=spread, cl=cl
            )
        )
    )


def limits(n, b, spread=1e-6, cl=0.9):
    n, b, spread = np.broadcast_arrays(np.asarray(n, float), b, spread)
    padded = [
        jnp.asarray(np.resize(values, 16).astype(float)) for values in (n, b, spread)
    ]
    log_limit, is_solved = limit_at(cl)(*padded)
    assert np.all(is_solved)
    return np.exp(np.asarray(log_limit))[: n.size]


@jax.jit
@jax.vmap
def count_of(log_limit, b, spread):
    return effective_count(log_limit, BackgroundNodes.known(b), spread=spread, cl=0.9)


def marginal_limit(n, b, spread, cl):
    """Root of the averaged ratio of gamma functions, by 60 nodes and scipy."""
    theta, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()

    def excess(signal):
        rate = signal * np.exp(spread * theta) + b
        return weight @ special.gammaincc(n + 1, rate) - (1 - cl) * special.gammaincc(
            n + 1, b
        )

    return optimize.brentq(excess, 1e-3, 500.0, xtol=1e-13)


def test_probability_is_the_incomplete_gamma_function():
    """1e-9 for whole counts, 2e-6 for counts between; best where the rate is large."""
    rate = np.geomspace(0.01, 60.0, 60)
    n = np.concatenate([np.arange(21.0), np.arange(0.1, 20.0, 0.1)])
    found = np.exp(
        log_at_most(
            jnp.asarray(np.repeat(n, rate.size)), jnp.asarray(np.tile(rate, n.size))
        )
    ).reshape(n.size, rate.size)
    error = np.abs(found / special.gammaincc(n[:, None] + 1.0, rate[None, :]) - 1.0)
    assert error[:21].max() < 1e-9
    assert error.max() < 2e-6
    assert error[:, rate >= 1.0].max() < 1e-8


@pytest.mark.parametrize(
    ("cl", "b", "expected"),
    [
        (0.9, 0.0094, (2.3026, 3.8804, 5.3129, 6.6714, 7.9842, 9.2653)),
        (0.9, 0.18, (2.3026, 3.7279, 5.1435, 6.5008, 7.8136, 9.0947)),
        (0.9, 0.77, (2.3026, 3.3683, 4.6161, 5.9236, 7.2257, 8.5050)),
        (0.9, 3.0, (2.3026, 2.8389, 3.5228, 4.3624, 5.3447, 6.4371)),
        (0.95, 0.77, (2.9957, 4.2138, 5.5861, 6.9957)),
    ],
)
def test_whole_counts_have_the_exact_poisson_limits(cl, b, expected):
    """Table of exact CLs limits with known background, four digits."""
    found = limits(np.arange(len(expected)), b, cl=cl)
    np.testing.assert_allclose(found, expected, atol=6e-5)


def test_large_counts_and_the_closed_form_of_one_event():
    np.testing.assert_allclose(limits([10, 20], 0.26), [15.1466, 26.7851], atol=6e-5)
    np.testing.assert_allclose(limits([20.0], 17.03), [10.6777], atol=6e-5)
    closed = -special.lambertw(-0.1 * 1.77 * np.exp(-1.77), -1).real - 1.77
    np.testing.assert_allclose(limits([1.0], 0.77), [closed], rtol=1e-8)


@pytest.mark.parametrize(
    ("kappa", "b", "expected"),
    [
        (1.1, 0.016, (2.3162, 3.9068, 5.3618, 6.7453)),
        (1.2, 0.016, (2.3527, 3.9947, 5.5089, 6.9570)),
        (1.1, 0.18, (2.3162, 3.7573, 5.1941, 6.5757)),
    ],
)
def test_uncertain_signal_has_the_marginal_limits(kappa, b, expected):
    """The table has a background error of 12.5 %, which moves it by 0.05 % at most."""
    found = limits(np.arange(4), b, np.log(kappa))
    np.testing.assert_allclose(found, expected, rtol=5e-4)


def test_no_event_has_the_limit_of_an_averaged_exponential():
    kappa = np.array([1.05, 1.1, 1.2, 1.3])
    found = limits(np.zeros(4), 2.0, np.log(kappa))
    np.testing.assert_allclose(found, [2.30616, 2.31623, 2.35273, 2.40696], atol=6e-6)


def test_uncertain_background_is_averaged_over_in_both_probabilities():
    """kappa 1.2 and 1.5 on background 0.18: sixty-node values, three counts."""
    theta, weight = np.polynomial.hermite_e.hermegauss(24)
    background = BackgroundNodes(
        jnp.asarray(0.18 * 1.5**theta), jnp.asarray(weight / weight.sum())
    )
    spread = jnp.array(np.log(1.2))
    found, is_solved = jax.jit(
        jax.vmap(lambda n: effective_log_limit(n, background, spread=spread, cl=0.9))
    )(jnp.arange(4.0))
    assert np.all(is_solved)
    expected = [2.3527, 3.8302, 5.3183, 6.7619]
    np.testing.assert_allclose(np.exp(found), expected, atol=1e-4)


@pytest.mark.parametrize(("n", "b", "spread"), [(0.37, 0.7, 0.11), (5.3, 2.2, 0.3)])
def test_counts_between_have_the_limit_of_the_gamma_function(n, b, spread):
    expected = marginal_limit(n, b, spread, 0.9)
    np.testing.assert_allclose(limits([n], b, spread), [expected], rtol=3e-7)


@pytest.mark.parametrize(("n", "b"), [(0.4, 0.8), (2.7, 1.5), (11.3, 8.0)])
def test_limit_is_that_of_the_flat_prior_posterior(n, b):
    """Tail of lambda^n e^-lambda above s + b, by quadrature, is one tenth."""
    limit = limits([n], b)[0]

    def likelihood(signal):
        return np.exp(n * np.log((signal + b) / (n + 1.0)) - signal)

    above, _ = integrate.quad(likelihood, limit, limit + 100.0, epsrel=1e-11)
    below, _ = integrate.quad(likelihood, 0.0, limit, epsrel=1e-11)
    assert above / (above + below) == pytest.approx(0.1, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(n=st.floats(0.0, 40.0), b=st.floats(0.01, 20.0), spread=st.floats(1e-6, 0.3))
def test_count_is_found_again_from_its_limit(n, b, spread):
    log_limit = np.log(limits([n], b, spread)[0])
    count, log_factor, is_found = count_of(
        *(jnp.array([value]) for value in (log_limit, b, spread))
    )
    assert bool(is_found[0])
    assert float(log_factor[0]) == pytest.approx(0.0, abs=1e-7)
    # far below the background the limit hardly depends on the count
    assert np.exp(log_limit) == pytest.approx(
        limits([float(count[0])], b, spread)[0], rel=1e-7
    )
    if n > 0.5 * b:
        assert float(count[0]) == pytest.approx(n, rel=1e-4, abs=1e-4)


def test_limit_below_that_of_no_event_is_a_factor_on_the_signal():
    floor = marginal_limit(0.0, 0.7, 0.12, 0.9)
    count, log_factor, is_found = count_of(
        jnp.array([np.log(2.0)]), jnp.array([0.7]), jnp.array([0.12])
    )
    assert bool(is_found[0])
    assert float(count[0]) == 0.0
    assert float(jnp.exp(log_factor[0])) == pytest.approx(floor / 2.0, rel=1e-7)
    # just above it the count is small and positive, and the factor 1
    count, log_factor, _ = count_of(
        jnp.array([np.log(floor * 1.0001)]), jnp.array([0.7]), jnp.array([0.12])
    )
    assert 0.0 < float(count[0]) < 1e-3
    assert float(log_factor[0]) == 0.0


def test_limit_beyond_all_counts_is_reported_as_not_found():
    _, _, is_found = count_of(
        jnp.array([np.log(400.0)]), jnp.array([1.0]), jnp.array([0.1])
    )
    assert not bool(is_found[0])
    assert LARGEST_EFFECTIVE_COUNT == 60.0


@settings(max_examples=15, deadline=None)
@given(n=st.floats(0.0, 30.0), b=st.floats(0.01, 20.0), step=st.floats(0.01, 5.0))
def test_limit_rises_with_the_count_and_never_falls_below_no_event(n, b, step):
    lower, higher = limits([n, n + step], b)
    assert higher > lower
    assert lower >= -np.log(0.1) * (1.0 - 1e-6)


def test_gradients_of_the_probability():
    """In the rate in closed form, in n by finite differences; zero beyond the ends."""
    slope = jax.jit(jax.grad(log_at_most, argnums=(0, 1)))
    for n, rate in ((0.0, 0.3), (1.4, 2.0), (7.7, 12.0), (20.0, 30.0)):
        by_n, by_rate = slope(jnp.array(n), jnp.array(rate))
        log_density = n * np.log(rate) - rate - special.gammaln(n + 1)
        expected = -np.exp(log_density) / special.gammaincc(n + 1, rate)
        assert float(by_rate) == pytest.approx(expected, rel=1e-7)
        up, down = (
            np.log(special.gammaincc(n + 1 + sign * 1e-5, rate)) for sign in (1.0, -1.0)
        )
        assert float(by_n) == pytest.approx((up - down) / 2e-5, rel=1e-4)
    assert float(slope(jnp.array(1.0), jnp.array(700.0))[1]) == 0.0
    assert np.isfinite(slope(jnp.array(0.0), jnp.array(0.0))).all()


def central_differences(function, point, step=1e-4):
    slopes = []
    for place in range(len(point)):
        ends = []
        for sign in (1.0, -1.0):
            moved = list(point)
            moved[place] += sign * step
            ends.append(function(*moved))
        slopes.append((ends[0] - ends[1]) / (2.0 * step))
    return slopes


def test_gradients_of_the_limit_are_those_of_its_equation():
    def limit(n, b, spread):
        background = BackgroundNodes.known(b)
        return effective_log_limit(n, background, spread=spread, cl=0.9)[0]

    point = (1.4, 0.8, 0.15)
    found = jax.jit(jax.grad(limit, (0, 1, 2)))(*map(jnp.array, point))
    expected = central_differences(
        lambda n, b, spread: np.log(marginal_limit(n, b, spread, 0.9)), point
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_gradients_of_the_count_are_those_of_its_equation():
    def count(log_limit, b):
        background = BackgroundNodes.known(b)
        return effective_count(log_limit, background, spread=jnp.array(0.15), cl=0.9)[0]

    def scipy_count(log_limit, b):
        return optimize.brentq(
            lambda n: marginal_limit(n, b, 0.15, 0.9) - np.exp(log_limit), 0.0, 9.0
        )

    point = (np.log(4.0), 0.8)
    found = jax.jit(jax.grad(count, (0, 1)))(*map(jnp.array, point))
    expected = central_differences(scipy_count, point)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_cls_is_one_without_signal_and_zero_for_a_huge_one():
    cls = jax.jit(
        lambda log_signal: effective_cls(
            jnp.array(1.7),
            BackgroundNodes.known(jnp.array(0.9)),
            log_signal=log_signal,
            spread=jnp.array(0.1),
        )
    )
    assert float(cls(jnp.array(-200.0))) == pytest.approx(1.0, abs=1e-12)
    assert 0.0 <= float(cls(jnp.array(600.0))) < 1e-100
