from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.optimize import brentq, minimize_scalar
from scipy.special import xlogy
from scipy.stats import nbinom, poisson

from bsmfit.inference.counts.marginal import marginal_cls
from bsmfit.inference.counts.sideband import (
    GammaBackground,
    onoff_background,
    onoff_statistic,
    sideband_upper_limits,
)

N_MAX = 12


@pytest.fixture(scope="module")
def limits90():
    return jax.jit(lambda b: sideband_upper_limits(b, cl=0.90, n_max=N_MAX)[0])


def from_moments(mean: float, deviation: float) -> GammaBackground:
    return GammaBackground.from_moments(jnp.array(mean), jnp.array(deviation))


@pytest.mark.parametrize(
    ("mean", "deviation", "one", "two"),
    [
        *[(0.18, 0.06, 3.7308, 5.1450), (0.91, 0.41, 3.3692, 4.5805)],
        (0.92, 0.34, 3.3470, 4.5519),
    ],
)
def test_limits_of_the_table(limits90, mean, deviation, one, two) -> None:
    got = limits90(from_moments(mean, deviation))[:3]
    np.testing.assert_allclose(got, [-np.log(0.1), one, two], atol=5.1e-5)


@pytest.mark.parametrize(("shape", "rate"), [(1.0, 0.5), (7.0, 12.0), (4.93, 5.41)])
def test_counts_are_negative_binomial(limits90, shape: float, rate: float) -> None:
    background = GammaBackground(shape=jnp.array(shape), rate=jnp.array(rate))
    truth = nbinom.pmf(np.arange(N_MAX + 1), shape, rate / (1.0 + rate))
    got = background.count_probabilities(n_max=N_MAX)
    np.testing.assert_allclose(got, truth, rtol=1e-12)

    def below(n: int, signal: float) -> float:
        k = np.arange(n + 1)
        cdf = nbinom.cdf(n - k, shape, rate / (1.0 + rate))
        return float(poisson.pmf(k, signal) @ cdf)

    got = limits90(background)
    for n in (0, 1, 5):
        end = brentq(lambda s, n=n: below(n, s) / below(n, 0.0) - 0.1, 0.1, 50.0)
        assert float(got[n]) == pytest.approx(end, rel=1e-10)
    cls = marginal_cls(
        background.counts(n_max=N_MAX), jnp.array(2), signal=jnp.array(3.0)
    )
    assert float(cls) == pytest.approx(below(2, 3.0) / below(2, 0.0), rel=1e-12)


def test_precise_control_region_is_a_known_background(limits90) -> None:
    got = np.asarray(limits90(from_moments(0.77, 1e-6)))
    for n in (0, 1, 3, 10):
        ratio = lambda s, n=n: poisson.cdf(n, s + 0.77) / poisson.cdf(n, 0.77)  # noqa: E731
        known = brentq(lambda s, f=ratio: f(s) - 0.1, 0.1, 50.0, xtol=1e-12)
        assert got[n] == pytest.approx(known, rel=1e-9)


def test_control_count_gives_one_more_than_the_best_value() -> None:
    got = GammaBackground.from_control_count(jnp.array(9.0), jnp.array(10.0))
    assert float(got.shape / got.rate) == pytest.approx(1.0)


def test_efficiency_error_loosens_the_limit_without_events() -> None:
    got, is_converged = sideband_upper_limits(
        from_moments(0.18, 0.06),
        cl=0.90,
        n_max=2,
        efficiency_log_kappa=float(np.log(1.2)),
    )
    # 60-node value for any background
    assert float(got[0]) == pytest.approx(2.35273, abs=5e-6)
    assert is_converged.all()


def test_limits_have_right_gradients() -> None:
    def limits(shape: jax.Array, rate: jax.Array) -> jax.Array:
        background = GammaBackground(shape=shape, rate=rate)
        return sideband_upper_limits(background, cl=0.90, n_max=3)[0]

    point = (jnp.array(4.9), jnp.array(5.4))
    check_grads(jax.jit(limits), point, order=1, modes=("fwd", "rev"), eps=1e-5)


ONOFF = [(1, 9, 2.3, 10.0), (0, 0, 1.0, 2.0), (4, 0, 1.5, 3.0), (7, 40, 0.0, 12.0)]
ONOFF += [(0, 5, 3.0, 4.0), (3, 2, 1e6, 10.0), (12, 9, 5.0, 0.3)]


def nll(background: float, n: int, m: int, s: float, tau: float) -> float:
    on, off = s + background, tau * background
    return float(on - xlogy(n, on) + off - xlogy(m, off))


@pytest.fixture(scope="module")
def onoff():
    def both(n, m, s, tau) -> tuple[jax.Array, jax.Array]:
        arguments = {"signal": s, "ratio": tau}
        return onoff_background(n, m, **arguments), onoff_statistic(n, m, **arguments)

    jitted = jax.jit(both)
    return lambda *values: jitted(*(jnp.array(float(value)) for value in values))


@pytest.mark.parametrize("case", ONOFF)
def test_best_background_and_statistic_against_a_minimiser(onoff, case) -> None:
    n, m, s, tau = case
    got_background, got_statistic = onoff(*case)

    def fit(signal: float) -> tuple[float, float]:
        found = minimize_scalar(
            lambda log_b: nll(np.exp(log_b), n, m, signal, tau),
            bounds=(-35.0, 6.0),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return float(np.exp(found.x)), float(found.fun)

    assert float(got_background) == pytest.approx(fit(s)[0], rel=1e-5, abs=1e-8)
    best = max(n - m / tau, 0.0)
    truth = 2.0 * (fit(s)[1] - fit(best)[1]) if s > best else 0.0
    assert float(got_statistic) == pytest.approx(truth, rel=1e-6, abs=1e-6)


def test_best_background_of_the_reference(onoff) -> None:
    assert float(onoff(1, 9, 2.3, 10.0)[0]) == pytest.approx(0.842556, abs=5e-7)


def test_onoff_gradients_are_finite_without_events() -> None:
    def statistic(signal: jax.Array) -> jax.Array:
        zero = jnp.array(0.0)
        return onoff_statistic(zero, zero, signal=signal, ratio=jnp.array(2.0))

    slopes = jax.jit(jax.vmap(jax.grad(statistic)))(jnp.array([0.0, 1.0]))
    assert np.isfinite(slopes).all()
