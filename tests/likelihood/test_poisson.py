from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy import stats
from scipy.optimize import brentq
from scipy.special import gammaincc, lambertw

from bsmfit.likelihood.poisson import log_cls, log_poisson_cdf, upper_limit

# Exact CLs limits for known background, by bisection on gammaincc (90 % for n = 0, 1,
# 2, 3, 4, 5, 10, 20; 95 % for n = 1, 2, 3, 5, 10, 20).
COUNTS = ((0, 1, 2, 3, 4, 5, 10, 20), (1, 2, 3, 5, 10, 20))
TABLE = {
    0.0: "2.3026 3.8897 5.3223 6.6808 7.9936 9.2747 15.4066 27.0451"
    " 4.7439 6.2958 7.7537 10.5130 16.9622 29.0620",
    0.0094: "2.3026 3.8804 5.3129 6.6714 7.9842 9.2653 15.3972 27.0357"
    " 4.7345 6.2864 7.7443 10.5036 16.9528 29.0526",
    0.016: "2.3026 3.8739 5.3063 6.6648 7.9776 9.2587 15.3906 27.0291"
    " 4.7280 6.2798 7.7377 10.4970 16.9462 29.0460",
    0.18: "2.3026 3.7279 5.1435 6.5008 7.8136 9.0947 15.2266 26.8651"
    " 4.5814 6.1170 7.5737 10.3330 16.7822 28.8820",
    0.26: "2.3026 3.6660 5.0658 6.4210 7.7336 9.0147 15.1466 26.7851"
    " 4.5188 6.0391 7.4939 10.2530 16.7022 28.8020",
    0.77: "2.3026 3.3683 4.6161 5.9236 7.2257 8.5050 14.6366 26.2751"
    " 4.2138 5.5861 6.9957 9.7433 16.1922 28.2920",
    1.07: "2.3026 3.2457 4.3938 5.6490 6.9321 8.2062 14.3366 25.9751"
    " 4.0855 5.3598 6.7194 9.4445 15.8922 27.9920",
    3.0: "2.3026 2.8389 3.5228 4.3624 5.3447 6.4371 12.4073 24.0451"
    " 3.6433 4.4432 5.3954 7.6631 13.9628 26.0620",
}


@jax.jit
def limits90(n: jax.Array, background: jax.Array) -> jax.Array:
    return jax.vmap(lambda k: upper_limit(k, background, cl=0.90).n_up)(n)


@jax.jit
def limits95(n: jax.Array, background: jax.Array) -> jax.Array:
    return jax.vmap(lambda k: upper_limit(k, background, cl=0.95).n_up)(n)


@pytest.mark.parametrize("background", TABLE)
def test_limits_of_the_table(background: float) -> None:
    b = jnp.array(background)
    got = [*limits90(jnp.array(COUNTS[0]), b), *limits95(jnp.array(COUNTS[1]), b)]
    truth = [float(x) for x in TABLE[background].split()]
    np.testing.assert_allclose(np.array(got), truth, atol=5.1e-5, rtol=0)


def test_limits_for_twenty_events_over_seventeen() -> None:
    n, b = jnp.array([20]), jnp.array(17.03)
    np.testing.assert_allclose(limits90(n, b), 10.6777, atol=5e-5)
    np.testing.assert_allclose(limits95(n, b), 12.6260, atol=5e-5)


@pytest.mark.parametrize("n", [0, 1, 4, 17, 40])
@pytest.mark.parametrize("background", [0.0, 0.3, 8.0, 60.0])
def test_limit_against_brentq(n: int, background: float) -> None:
    def excess(s: float) -> float:
        ratio = gammaincc(n + 1, s + background) / gammaincc(n + 1, background)
        return float(np.log(ratio / 0.1))

    truth = brentq(excess, 1e-3, 200.0, xtol=1e-13)
    got = limits90(jnp.array([n]), jnp.array(background))
    np.testing.assert_allclose(got, truth, rtol=1e-11)


@pytest.mark.parametrize(("cl", "limits"), [(0.90, limits90), (0.95, limits95)])
@pytest.mark.parametrize("background", [0.0, 0.016, 0.77, 30.0])
def test_closed_forms_at_zero_and_one(cl: float, limits, background: float) -> None:
    got = limits(jnp.array([0, 1]), jnp.array(background))
    x = 1.0 + background
    one = -lambertw(-(1 - cl) * x * np.exp(-x), -1).real - x
    np.testing.assert_allclose(got, [-np.log(1 - cl), one], rtol=1e-12)


def test_derivative_is_the_ratio_of_hazards() -> None:
    @jax.jit
    def limits(background: jax.Array) -> jax.Array:
        n = jnp.array([0, 1, 3])
        return jax.vmap(lambda k: upper_limit(k, background, cl=0.9, n_max=3).n_up)(n)

    slopes = jax.jit(jax.jacfwd(limits))
    truth = [0.0, -0.4598502, -0.9431037]
    np.testing.assert_allclose(slopes(jnp.array(0.77)), truth, atol=5.1e-8)
    assert np.all(np.isfinite(slopes(jnp.zeros(()))))
    check_grads(limits, (jnp.array(0.77),), order=1, modes=("fwd", "rev"))
    check_grads(slopes, (jnp.array(0.77),), order=1, modes=("fwd", "rev"))


def test_log_cdf_keeps_its_digits_in_the_far_tail() -> None:
    for n, expected in ((0, 900.0), (3, 900.0), (40, 2.0), (10, 0.0)):
        got = log_poisson_cdf(jnp.array(n), jnp.array(expected))
        truth = stats.poisson.logcdf(n, expected)
        if np.isinf(truth):
            k = np.arange(n + 1)
            terms = k * np.log(expected) - np.cumsum(np.log(np.maximum(k, 1)))
            truth = -expected + np.logaddexp.reduce(terms)
        np.testing.assert_allclose(got, truth, rtol=1e-13, atol=1e-15)


def test_count_beyond_the_compiled_sum_is_reported() -> None:
    result = upper_limit(jnp.array(4), jnp.array(0.1), cl=0.90, n_max=3)
    assert not bool(result.is_converged)
    assert np.isnan(result.n_up)
    assert (result.method, result.ensemble) == ("exact", "known-background")


def test_coverage_never_falls_below_the_level() -> None:
    n = np.arange(41)
    for background in (0.0, 0.016, 0.77, 3.0):
        limits = np.asarray(limits90(jnp.asarray(n), jnp.array(background)))
        for signal in np.concatenate([np.linspace(0, 12, 601), limits[:6] + 1e-9]):
            covered = stats.poisson.pmf(n, signal + background)[limits >= signal].sum()
            covered += stats.poisson.sf(40, signal + background)
            assert covered >= 0.9 - 1e-12


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 20.0), st.floats(1e-3, 5.0))
def test_limits_rise_with_the_count_and_fall_with_background(
    background: float, step: float
) -> None:
    n = jnp.arange(12)
    lower = np.asarray(limits90(n, jnp.array(background)))
    higher = np.asarray(limits90(n, jnp.array(background + step)))
    assert np.all(np.diff(lower) > 0)
    assert np.all(higher <= lower * (1 + 1e-12))


@jax.jit
def jitted_log_cls(n: jax.Array, signal: jax.Array, background: jax.Array) -> jax.Array:
    return log_cls(n, signal, background=background)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_cls_is_a_fraction(n: int, signal: float, background: float) -> None:
    got = jitted_log_cls(jnp.array(n), jnp.array(signal), jnp.array(background))
    assert -np.inf < got <= 1e-12
