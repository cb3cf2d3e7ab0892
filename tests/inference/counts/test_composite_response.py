"""A compressed response gives the limits of all its nodes."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.inference.counts import marginal
from bsmfit.inference.counts.composite_response import compress_response, normal_score
from bsmfit.inference.counts.expected import QUANTILE_LEVELS, expected_limits
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.quadrature import NuisanceQuadrature


def limits(kappas, shares, *, is_compressed, monkeypatch) -> np.ndarray:
    n = len(kappas)
    responses = np.zeros((n, n + 2))
    responses[np.arange(n), np.arange(n)] = np.log(kappas)
    responses[:, n] = np.log(1.22)
    fakes = np.append(np.zeros(n + 1), np.log(1.125))[None, :]
    model = CountingModel(
        signal_log_kappa=jnp.asarray(responses),
        background=jnp.array([0.016]),
        background_log_kappa=jnp.asarray(fakes),
        nuisance_names=tuple(f"nuisance-{i}" for i in range(n + 2)),
    )
    quadrature = NuisanceQuadrature.from_model(model)
    assert quadrature.is_background_separate
    monkeypatch.setattr(marginal, "N_COMPRESSED", 24 if is_compressed else 10**9)
    counts = marginal.marginal_counts(
        jnp.log(jnp.asarray(shares)), model, quadrature=quadrature, n_max=2
    )
    return np.exp(marginal.marginal_log_limits(counts, cl=0.9)[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kappas", "shares", "tolerance"),
    [
        ([1.4, 1.3], [0.7, 0.3], 1e-5),
        ([2.0, 2.0], [0.5, 0.5], 1e-3),
        ([2.0, 1.4], [0.2, 0.8], 1e-3),
        ([1.4, 2.0, 2.0, 2.0], [0.4, 0.3, 0.2, 0.1], 1e-3),
    ],
)
def test_limits_are_those_of_all_nodes(kappas, shares, tolerance, monkeypatch):
    both = [
        limits(kappas, shares, is_compressed=flag, monkeypatch=monkeypatch)
        for flag in (True, False)
    ]
    np.testing.assert_allclose(both[0], both[1], rtol=tolerance)


def test_one_log_normal_is_exact():
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    response, share = compress_response(
        jnp.exp(0.3 * jnp.asarray(nodes)), jnp.asarray(weights)
    )
    expected = np.exp(0.3 * np.polynomial.hermite_e.hermegauss(24)[0])
    np.testing.assert_allclose(response, expected, rtol=1e-9)
    np.testing.assert_allclose(share @ response, np.exp(0.045), rtol=1e-12)


def test_gradient_is_finite_where_nothing_varies():
    gradient = jax.grad(lambda r: jnp.sum(compress_response(r, jnp.full(9, 1 / 9))[0]))(
        jnp.ones(9)
    )
    assert np.isfinite(gradient).all()


def test_normal_score_undoes_the_expansion_to_its_order():
    x = np.linspace(-2.5, 2.5, 21)
    skewness, kurtosis = 0.2, 0.1
    bent = x + skewness / 6 * (x**2 - 1) + kurtosis / 24 * (x**3 - 3 * x)
    bent -= skewness**2 / 36 * (2 * x**3 - 5 * x)
    score = normal_score(jnp.asarray(bent), jnp.array(skewness), jnp.array(kurtosis))
    np.testing.assert_allclose(score, x, atol=0.02)
    plain = normal_score(jnp.asarray(x), jnp.array(0.0), jnp.array(0.0))
    np.testing.assert_array_equal(plain, x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kappas", "shares"),
    [([1.4, 2.0], [0.2, 0.8]), ([1.8, 2.0, 2.0], [0.3, 0.6, 0.1])],
)
def test_bands_of_composite_signals_agree_with_toys(kappas, shares):
    """Draw counts and nuisances, and look the limit of each count up."""
    n = len(kappas)
    responses = np.concatenate(
        [np.diag(np.log(kappas)), np.full((n, 1), np.log(1.22))], axis=1
    )
    model = CountingModel(
        signal_log_kappa=jnp.asarray(responses),
        background=jnp.array([0.016]),
        background_log_kappa=jnp.zeros((1, n + 1)),
        nuisance_names=tuple(f"nuisance-{i}" for i in range(n + 1)),
    )
    quadrature = NuisanceQuadrature.from_model(model)
    log_signal = jnp.log(jnp.asarray(shares))
    counts = marginal.marginal_counts(log_signal, model, quadrature=quadrature, n_max=3)
    log_limits, _ = marginal.marginal_log_limits(counts, cl=0.9)
    ours = expected_limits(counts, log_limits)
    rng = np.random.default_rng(11)
    theta = rng.standard_normal((400_000, n + 1))
    response = np.exp(theta @ responses.T) @ np.array(shares)
    drawn = np.minimum(rng.poisson(0.016, theta.shape[0]), 3)
    toys = np.quantile(np.exp(log_limits)[drawn] / response, QUANTILE_LEVELS)
    np.testing.assert_allclose(ours, toys, rtol=0.02)


def test_bands_are_in_order_where_the_expansion_has_a_second_root():
    """The second root of -1 sigma at this point is at 0.078 events."""
    point = bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model("dark-photon", "mesons-bremsstrahlung"),
        bsmfit.load_channel("na62-dump-ee"),
    )
    found = eqx.filter_jit(point.exclusion)(jnp.asarray(0.0831), jnp.asarray(2.1e-6))
    assert np.all(np.diff(np.asarray(found.n_up_exp)) > 0.0)
