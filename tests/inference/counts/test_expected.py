from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats
from scipy.optimize import brentq

from bsmfit.inference.counts.expected import (
    QUANTILE_LEVELS,
    TAIL_TOLERANCE,
    count_ceiling,
    count_quantiles,
    counts_only_limits,
    expected_limits,
    mean_limit,
)
from bsmfit.inference.counts.marginal import (
    MarginalCounts,
    count_probabilities,
    marginal_counts,
    marginal_log_limits,
)
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.likelihood.quadrature import NuisanceQuadrature

# Known background, 90 %: count and limit at -2, -1, 0, 1, 2 sigma, and the mean limit
BANDS = {
    0.016: ((0, 0, 0, 0, 0), (2.303,) * 5, 2.328),
    0.18: ((0, 0, 0, 1, 1), (2.303, 2.303, 2.303, 3.728, 3.728), 2.559),
    0.26: ((0, 0, 0, 1, 2), (2.303, 2.303, 2.303, 3.666, 5.066), 2.658),
    0.77: ((0, 0, 1, 2, 3), (2.303, 2.303, 3.368, 4.616, 5.924), 3.169),
    1.07: ((0, 0, 1, 2, 4), (2.303, 2.303, 3.246, 4.394, 6.932), 3.410),
    3.0: ((0, 1, 3, 5, 7), (2.303, 2.839, 4.362, 6.437, 8.796), 4.551),
    7.03: ((2, 4, 7, 10, 13), (2.915, 3.792, 5.786, 8.625, 11.963), 6.117),
    18.0: ((10, 14, 18, 22, 27), (4.269, 5.895, 8.379, 11.816, 17.020), 8.873),
}


def known(background: float) -> tuple[CountingModel, NuisanceQuadrature]:
    model = CountingModel.from_terms([[]], [(jnp.array(background), [])])
    return model, NuisanceQuadrature.from_model(model)


def prepare(
    model: CountingModel, quadrature: NuisanceQuadrature, n_max: int
) -> tuple[MarginalCounts, jax.Array]:
    counts = marginal_counts(
        jnp.zeros(model.signal_log_kappa.shape[0]),
        model,
        quadrature=quadrature,
        n_max=n_max,
    )
    return counts, jax.jit(lambda c: marginal_log_limits(c, cl=0.90)[0])(counts)


@pytest.mark.parametrize("background", BANDS)
def test_counts_only_bands_and_mean_of_the_table(background: float) -> None:
    n, bands, mean = BANDS[background]
    model, quadrature = known(background)
    n_max = count_ceiling(model, quadrature, n_observed=0)
    assert stats.poisson.sf(n_max, background) < TAIL_TOLERANCE
    assert stats.poisson.sf(n_max - 1, background) >= TAIL_TOLERANCE or n_max == 0
    counts, log_limits = prepare(model, quadrature, n_max)
    np.testing.assert_array_equal(count_quantiles(count_probabilities(counts)), n)
    for got in (
        counts_only_limits(counts, log_limits),
        expected_limits(counts, log_limits),
    ):
        np.testing.assert_allclose(got, bands, atol=5.1e-4, rtol=0)
    np.testing.assert_allclose(
        mean_limit(counts, log_limits), mean, atol=5.5e-4, rtol=0
    )


@pytest.mark.parametrize("background", [0.016, 0.8])
def test_quantiles_solve_the_mixture(background: float) -> None:
    model = CountingModel.from_terms(
        [[Nuisance("protons", jnp.array(1.22))]], [(jnp.array(background), [])]
    )
    counts, log_limits = prepare(model, NuisanceQuadrature.from_model(model), 9)
    got = expected_limits(counts, log_limits)
    weights = stats.poisson.pmf(np.arange(10), background)

    def distribution(log_x: float) -> float:
        pull = (log_x - np.asarray(log_limits)) / np.log(1.22)
        return float(weights @ stats.norm.cdf(pull))

    for level, value in zip(QUANTILE_LEVELS, got, strict=True):
        truth = brentq(lambda y, p=level: distribution(y) - p, -3, 5, xtol=1e-13)
        np.testing.assert_allclose(np.log(value), truth, atol=1e-7)


def test_shared_nuisances_against_toys() -> None:
    protons = Nuisance("protons", jnp.array(1.3))
    model = CountingModel.from_terms(
        [
            [protons, Nuisance("brem", jnp.array(1.4))],
            [protons, Nuisance("meson", jnp.array(1.2))],
        ],
        [(jnp.array(1.5), [protons])],
    )
    assert model.nuisance_names == ("protons", "brem", "meson")
    counts, log_limits = prepare(model, NuisanceQuadrature.from_model(model), 16)
    rng = np.random.default_rng(20240607)
    theta = rng.standard_normal((400_000, 3))
    up = 1.3 ** theta[:, 0]
    n = np.minimum(rng.poisson(1.5 * up), 16)
    response = up * 0.5 * (1.4 ** theta[:, 1] + 1.2 ** theta[:, 2])
    limits = np.exp(np.asarray(log_limits))[n] / response
    truth = np.quantile(limits, QUANTILE_LEVELS)
    # log-normal shape of the response given the count: better than 1 %
    np.testing.assert_allclose(expected_limits(counts, log_limits), truth, rtol=0.01)


def test_gradients_of_quantiles() -> None:
    model = CountingModel.from_terms(
        [[Nuisance("protons", jnp.array(1.22))]],
        [(jnp.array(0.8), [Nuisance("fakes", jnp.array(1.3))])],
    )
    quadrature = NuisanceQuadrature.from_model(model)

    @jax.jit
    def quantiles(background: jax.Array) -> jax.Array:
        moved = CountingModel(
            model.signal_log_kappa,
            background[None],
            model.background_log_kappa,
            model.nuisance_names,
        )
        counts = marginal_counts(jnp.zeros(1), moved, quadrature=quadrature, n_max=8)
        return expected_limits(counts, marginal_log_limits(counts, cl=0.90)[0])

    check_grads(
        quantiles,
        (jnp.array(0.8),),
        order=1,
        modes=("fwd", "rev"),
        atol=1e-6,
        rtol=1e-6,
    )
