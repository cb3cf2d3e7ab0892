from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.optimize import minimize
from scipy.special import xlogy

from bsmfit.errors import PrecisionError
from bsmfit.inference.fits.counting_fit import (
    CountingPoint,
    background_fit,
    conditional_fit,
    free_fit,
)

fit_all = jax.jit(jax.vmap(conditional_fit))
background_all = jax.jit(jax.vmap(background_fit))
free_all = jax.jit(jax.vmap(free_fit))


def random_points(n_point: int, n_background: int, seed: int) -> CountingPoint:
    rng = np.random.default_rng(seed)
    shape = (n_point, n_background)
    return CountingPoint(
        n_observed=jnp.array(rng.integers(0, 30, n_point).astype(float)),
        signal=jnp.array(rng.uniform(0.3, 20, n_point)),
        signal_log_kappa=jnp.array(np.log(rng.uniform(1.0, 1.5, n_point))),
        background=jnp.array(np.exp(rng.uniform(-3, 3, shape))),
        background_log_kappa=jnp.array(np.log(rng.uniform(1.0, 1.7, shape))),
        auxiliary=jnp.array(rng.normal(size=(n_point, n_background + 1))),
    )


def nll_in_numpy(theta: np.ndarray, point: CountingPoint, strength: float) -> float:
    log_kappa = np.append(point.signal_log_kappa, point.background_log_kappa)
    rate = np.append(strength * point.signal, point.background)
    expected = np.sum(rate * np.exp(log_kappa * theta))
    penalty = 0.5 * np.sum((theta - point.auxiliary) ** 2)
    n = float(point.n_observed)
    return float(expected - n - xlogy(n, expected) + xlogy(n, n) + penalty)


@pytest.mark.parametrize("n_background", [1, 3])
def test_fit_is_no_worse_than_that_of_scipy(n_background: int) -> None:
    points = random_points(40, n_background, 1)
    strength = jnp.linspace(0.0, 3.0, 40)
    fits = fit_all(points, strength)
    assert np.all(fits.is_converged)
    for i in range(40):
        point = jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), points)
        start = np.asarray(point.auxiliary)
        args = (point, float(strength[i]))
        truth = minimize(nll_in_numpy, start, args, method="BFGS", tol=1e-9)
        assert float(fits.nll[i]) < truth.fun + 1e-9
        got = nll_in_numpy(np.asarray(fits.theta[i]), *args)
        # the reference has the rounding of n ln n, up to 100
        np.testing.assert_allclose(fits.nll[i], got, rtol=1e-13, atol=1e-12)


def test_background_fit_is_the_fit_at_strength_zero() -> None:
    points = random_points(40, 3, 2)
    got, truth = background_all(points), fit_all(points, jnp.zeros(40))
    np.testing.assert_allclose(got.nll, truth.nll, rtol=1e-13)
    np.testing.assert_allclose(got.theta, truth.theta, atol=1e-8)


def test_gaussian_limit_of_a_small_response() -> None:
    # n = 3, b0 = 2, sigma = 0.6, S = 4: background 1.825395 (closed form)
    point = CountingPoint.from_nominal(
        jnp.array(3.0),
        jnp.array(4.0),
        signal_log_kappa=jnp.array(0.0),
        background=jnp.array([2.0]),
        background_log_kappa=jnp.array([1e-6]),
    )
    fit = jax.jit(conditional_fit)(point, jnp.array(1.0))
    np.testing.assert_allclose(fit.theta, [0.0, -0.5e-6 * 2.0], rtol=1e-5)


def test_free_fit_is_below_every_conditional_fit() -> None:
    points = random_points(300, 1, 3)
    free = free_all(points)
    at_best = fit_all(points, free.strength)
    np.testing.assert_allclose(free.nll, at_best.nll, rtol=1e-12, atol=1e-12)
    for strength in (0.0, 0.3, 1.0, 3.0):
        other = fit_all(points, jnp.full(300, strength)).nll
        assert np.all(other > free.nll - 1e-10)
    assert np.all(free.strength >= 0.0)
    assert 20 < int(np.sum(free.strength == 0.0)) < 280


def test_derivatives_are_those_of_the_fit() -> None:
    point = jax.tree.map(lambda leaf: leaf[4], random_points(5, 1, 5))

    @jax.jit
    def outputs(point: CountingPoint, strength: jax.Array) -> list[jax.Array]:
        fit = conditional_fit(point, strength)
        return [fit.nll, fit.theta, fit.expected]

    arguments = (point, jnp.array(0.7))
    check_grads(outputs, arguments, order=1, modes=("fwd", "rev"), rtol=1e-6)


def test_envelope_theorem() -> None:
    point = jax.tree.map(lambda leaf: leaf[2], random_points(5, 1, 6))
    strength = jnp.array(0.7)
    slope = jax.jit(jax.grad(lambda mu: conditional_fit(point, mu).nll))(strength)
    fit = jax.jit(conditional_fit)(point, strength)
    signal = point.signal * jnp.exp(point.signal_log_kappa * fit.theta[0])
    truth = signal * (1.0 - point.n_observed / fit.expected)
    np.testing.assert_allclose(slope, truth, rtol=1e-9)


def test_nothing_expected_and_nothing_seen() -> None:
    point = CountingPoint.from_nominal(
        jnp.array(0.0),
        jnp.array(0.0),
        signal_log_kappa=jnp.array(0.1),
        background=jnp.array([0.0]),
        background_log_kappa=jnp.array([0.1]),
    )
    fit = jax.jit(conditional_fit)(point, jnp.array(1.0))
    assert abs(float(fit.nll)) < 1e-9
    free = jax.jit(free_fit)(point)
    assert (float(free.strength), np.all(np.isfinite(free.theta))) == (0.0, True)


def test_a_large_excess_converges_or_says_so() -> None:
    rng = np.random.default_rng(7)
    n_point = 5000
    points = CountingPoint.from_nominal(
        jnp.array(rng.integers(0, 40, n_point).astype(float)),
        jnp.array(rng.uniform(0.3, 40, n_point)),
        signal_log_kappa=jnp.array(np.log(rng.uniform(1, 2, n_point))),
        background=jnp.array(np.exp(rng.uniform(-4, 4, (n_point, 1)))),
        background_log_kappa=jnp.array(np.log(rng.uniform(1, 2, (n_point, 1)))),
    )
    fit = fit_all(points, jnp.ones(n_point))
    long = jax.jit(jax.vmap(lambda p: conditional_fit(p, jnp.ones(()), n_iteration=16)))
    truth = long(points)
    error = np.abs(fit.nll - truth.nll)
    is_converged = np.asarray(fit.is_converged)
    assert np.all(error[is_converged] < 1e-9)
    assert np.mean(is_converged) > 0.98


def test_float32_is_refused() -> None:
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(PrecisionError):
            background_fit(random_points(1, 1, 0))
    finally:
        jax.config.update("jax_enable_x64", True)
