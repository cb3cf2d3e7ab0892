from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import xlogy
from scipy.stats import poisson

from bsmfit.errors import UnknownNameError
from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.inference.intervals.feldman_cousins import feldman_cousins_belt
from bsmfit.inference.intervals.profiled_feldman_cousins import (
    ProfiledInterval,
    profiled_feldman_cousins,
    profiled_statistic,
)

STEP = 0.1
STRENGTHS = np.arange(0.0, 6.0, STEP)
N_TOY = 2000
BACKGROUND = 0.5


def counting_point(n: float, kappa: float) -> CountingPoint:
    return CountingPoint.from_nominal(
        jnp.array(float(n)),
        jnp.array(1.0),
        signal_log_kappa=jnp.log(kappa),
        background=jnp.array([BACKGROUND]),
        background_log_kappa=jnp.log(jnp.array([kappa])),
    )


def compiled(ensemble: str):
    return jax.jit(
        lambda point: profiled_feldman_cousins(
            point,
            jnp.asarray(STRENGTHS),
            cl=0.90,
            key=jax.random.key(7),
            ensemble=ensemble,
            n_toy=N_TOY,
            n_max=30,
        )
    )


@pytest.fixture(scope="module")
def conditional():
    function = compiled("conditional")
    return lambda n, kappa: function(counting_point(n, kappa))


@pytest.fixture(scope="module")
def unconditional():
    function = compiled("unconditional")
    return lambda n, kappa: function(counting_point(n, kappa))


@pytest.fixture(scope="module")
def belt():
    return feldman_cousins_belt(jnp.array(BACKGROUND), cl=0.90, n_max=3)


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [1.0, 1.0 + 1e-6])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_conditional_interval_tends_to_the_known_background(
    conditional, belt, n: int, kappa: float
) -> None:
    got: ProfiledInterval = conditional(n, kappa)
    assert got.is_converged
    assert got.n_toy == 0
    assert abs(float(got.low - belt.low[n])) < STEP
    assert abs(float(got.high - belt.high_raw[n])) < STEP


def plain_p_values(n: int) -> tuple[np.ndarray, np.ndarray]:
    """P values of the ordering by ratio, and the probability of the count itself."""
    counts = np.arange(40)
    pmf = poisson.pmf(counts, STRENGTHS[:, None] + BACKGROUND)
    ratio = pmf / poisson.pmf(counts, np.maximum(counts, BACKGROUND))
    is_as_extreme = ratio <= ratio[:, [n]] * (1 + 1e-9)
    return (pmf * is_as_extreme).sum(axis=1), pmf[:, n]


@pytest.mark.parametrize("n", [0, 1])
def test_small_errors_split_the_ties_in_halves(unconditional, n: int) -> None:
    p_plain, p_count = plain_p_values(n)
    error = 5.0 / np.sqrt(N_TOY) * 0.5
    tied = unconditional(n, 1.0)
    split = unconditional(n, 1.0 + 1e-6)
    np.testing.assert_allclose(tied.p_values, p_plain, atol=error)
    # where the statistic is not zero for all counts alike
    far = np.abs(STRENGTHS + BACKGROUND - max(n, BACKGROUND)) > 0.01
    mid = p_plain - 0.5 * p_count
    np.testing.assert_allclose(split.p_values[far], mid[far], atol=error)
    assert split.high < tied.high
    assert split.ensemble == "unconditional"


LOG_KAPPA = np.log(1.3)


def fitted(mu: float, n: int, a: np.ndarray) -> tuple[float, np.ndarray]:
    """Smallest negative log likelihood at a strength, and the nuisances there."""

    def nll(theta: np.ndarray) -> float:
        response = np.exp(LOG_KAPPA * theta)
        rate = mu * response[0] + BACKGROUND * response[1]
        return float(rate - xlogy(n, rate) + 0.5 * np.sum((theta - a) ** 2))

    found = minimize(nll, a, method="BFGS", tol=1e-9)
    return float(found.fun), found.x


@jax.jit
@jax.vmap
def statistics(n: jax.Array, auxiliary: jax.Array) -> tuple[jax.Array, jax.Array]:
    point = counting_point(0, 1.3)
    point = eqx.tree_at(lambda p: (p.n_observed, p.auxiliary), point, (n, auxiliary))
    return profiled_statistic(point, jnp.array(4.0))


def test_statistic_against_a_general_minimiser() -> None:
    counts = np.array([0, 2, 2, 9, 5])
    auxiliaries = np.array([[0, 0], [0, 0], [1.5, -2], [-1, 1], [2, 2.5]], dtype=float)
    got, is_converged = statistics(jnp.asarray(counts * 1.0), jnp.asarray(auxiliaries))
    assert is_converged.all()
    for value, n, a in zip(got, counts, auxiliaries, strict=True):
        free = minimize_scalar(
            lambda mu, n=n, a=a: fitted(mu, n, a)[0],
            bounds=(0.0, 30.0),
            method="bounded",
        ).fun
        free = min(free, fitted(0.0, n, a)[0])
        truth = 2.0 * (fitted(4.0, n, a)[0] - free)
        assert float(value) == pytest.approx(truth, abs=1e-5)


def test_p_value_against_toys_drawn_elsewhere(unconditional) -> None:
    rng, n_toy = np.random.default_rng(3), 20_000
    theta = fitted(4.0, 2, np.zeros(2))[1]
    rate = 4.0 * np.exp(LOG_KAPPA * theta[0]) + BACKGROUND * np.exp(
        LOG_KAPPA * theta[1]
    )
    auxiliaries = np.concatenate(
        [np.zeros((1, 2)), theta + rng.standard_normal((n_toy, 2))]
    )
    counts = np.concatenate([[2], rng.poisson(rate, n_toy)]) * 1.0
    values, _ = statistics(jnp.asarray(counts), jnp.asarray(auxiliaries))
    truth = float(np.mean(values[1:] >= values[0]))
    result = unconditional(2, 1.3)
    index = round(4.0 / STEP)
    assert abs(result.p_values[index] - truth) < 4.5 * result.p_errors[index]


def test_errors_widen_the_conditional_interval(conditional) -> None:
    assert conditional(0, 1.3).high > conditional(0, 1.1).high > 1.936


def test_grid_that_ends_too_early_is_reported(unconditional) -> None:
    got = unconditional(9, 1.1)
    assert not got.is_converged
    assert np.isnan(got.high)
    assert got.p_errors.max() < 0.6 / np.sqrt(N_TOY)


def test_same_key_gives_the_same_interval(unconditional) -> None:
    first, second = unconditional(1, 1.1), unconditional(1, 1.1)
    np.testing.assert_array_equal(first.p_values, second.p_values)


def test_unknown_ensemble_is_named() -> None:
    with pytest.raises(UnknownNameError, match="conditional"):
        compiled("marginals")(counting_point(1, 1.1))
