"""Fits against closed forms, iminuit and each other."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from bsmfit.inference.fits.fit import Fit, conditional_fit, free_fit
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    BinFactors,
    Gamma,
    LogNormal,
    Morph,
    Sideband,
    TruncatedNormal,
)

free_fit_jit = jax.jit(free_fit)


def random_likelihood(seed: int) -> Likelihood:
    """Two regions with shapes, a sideband, a gamma factor, and a correlation."""
    rng = np.random.default_rng(seed)
    signal, flat = rng.uniform(0.5, 3.0, 4), rng.uniform(1.0, 4.0, 4)
    morph = Morph("shift", signal * rng.uniform(0.8, 1.3, 4), signal * 0.9)
    shape = Region(
        "shape",
        rng.poisson(signal + flat),
        signal=[Term("s", signal, [LogNormal("protons", 1.2), morph])],
        background=[
            Term("b", flat, [TruncatedNormal("width", 0.2), LogNormal("shift", 1.1)]),
            Term("c", 0.3 * flat, [Gamma("gamma", 0.4)]),
        ],
    )
    count = Region(
        "count",
        rng.poisson(3.0),
        signal=[Term("s", 1.5, [LogNormal("protons", 1.1)])],
        background=[Term("b", 0.2, [Sideband("control", 8), LogNormal("eff", 1.3)])],
    )
    return Likelihood.from_regions([shape, count], {("protons", "width"): 0.6})


@pytest.fixture(scope="module")
def fitted():
    """Free and conditional fits of three models in one program."""
    arrays = [random_likelihood(seed).arrays() for seed in (1, 2, 3)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *arrays)

    @jax.jit
    def fit(batch):
        return lax.map(
            lambda a: (free_fit(a), conditional_fit(a, jnp.array(2.0))), batch
        )

    return arrays, fit(stacked)


@jax.jit
def value_and_gradient(arrays, point):
    def function(x):
        return arrays.negative_log_likelihood(x[0], x[1:])

    return jax.value_and_grad(function)(point)


def minuit(arrays, fixed_strength=None):
    from iminuit import Minuit

    start = np.concatenate([[1.0], np.asarray(arrays.nominal_parameters())])
    names = ["strength", *arrays.parameter_names]
    m = Minuit(
        lambda x: float(value_and_gradient(arrays, jnp.asarray(x))[0]),
        start,
        grad=lambda x: np.asarray(value_and_gradient(arrays, jnp.asarray(x))[1]),
        name=names,
    )
    m.errordef, m.strategy, m.tol = 0.5, 2, 1e-6
    m.limits["strength"] = (0.0, None)
    if fixed_strength is not None:
        m.values["strength"], m.fixed["strength"] = fixed_strength, True
    m.migrad()
    return m


def test_fits_agree_with_an_independent_minimiser(fitted):
    models, results = fitted
    for index, arrays in enumerate(models):
        for kind, fixed in enumerate((None, 2.0)):
            fit: Fit = jax.tree.map(lambda x, i=index: x[i], results[kind])
            m = minuit(arrays, fixed)
            assert bool(fit.is_converged)
            # never above, and equal within minuit's own distance to the minimum
            np.testing.assert_allclose(
                fit.negative_log_likelihood, m.fval, rtol=0, atol=1e-6
            )
            assert float(fit.negative_log_likelihood) < m.fval + 1e-9
            values = np.array(list(m.values))
            np.testing.assert_allclose(fit.strength, values[0], atol=3e-3)
            np.testing.assert_allclose(fit.parameters, values[1:], atol=3e-3)


def test_conditional_fit_of_a_gaussian_background_is_the_closed_form():
    # n = 3, b0 = 2, sigma = 0.6, S = 4
    n, b0, sigma, s = 3.0, 2.0, 0.6, 4.0
    region = Region(
        "a",
        3,
        signal=[Term("s", s)],
        background=[Term("b", b0, [TruncatedNormal("b", sigma / b0)])],
    )
    arrays = Likelihood.from_regions([region]).arrays()
    fit = jax.jit(conditional_fit)(arrays, jnp.array(1.0))
    p = sigma**2 - s - b0
    expected = 0.5 * (-p + np.sqrt(p**2 + 4 * n * sigma**2)) - s
    found = b0 + sigma * fit.parameters[0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(found, 1.825395, atol=1e-6)


def test_conditional_fit_of_a_sideband_is_the_closed_form():
    # n = 1, m = 9, tau = 10, S = 2.3
    n, m, tau, s = 1.0, 9.0, 10.0, 2.3
    region = Region(
        "a",
        1,
        signal=[Term("s", s)],
        background=[Term("b", 1.0 / tau, [Sideband("control", 9)])],
    )
    arrays = Likelihood.from_regions([region]).arrays()
    fit = jax.jit(conditional_fit)(arrays, jnp.array(1.0))
    b = (1 + tau) * s - (n + m)
    expected = (-b + np.sqrt(b**2 + 4 * (1 + tau) * m * s)) / (2 * (1 + tau))
    found = jnp.exp(fit.parameters[0]) / tau
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(found, 0.842556, atol=1e-6)


def one_count(n, scale):
    signal = Term("s", 4.0 * scale, [LogNormal("efficiency", 1.15)])
    background = [Term("b", 2.0, [LogNormal("background", 1.3)])]
    region = Region("a", n, signal=[signal], background=background)
    return Likelihood.from_regions([region]).arrays()


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_one_count_is_fitted_exactly_at_any_unit_of_the_strength(scale):
    fit = free_fit_jit(one_count(5, scale))
    assert bool(fit.is_converged)
    np.testing.assert_allclose(fit.strength * scale, 0.75, rtol=1e-9)
    np.testing.assert_allclose(fit.parameters, 0.0, atol=1e-9)
    deficit = free_fit_jit(one_count(1, scale))
    assert bool(deficit.is_converged)
    assert float(deficit.strength) == 0.0


def test_signal_on_hardly_any_background_is_found():
    region = Region(
        "a",
        [2, 1],
        signal=[Term("s", [1.0, 3.0])],
        background=[Term("b", [1e-9, 1e-9])],
    )
    fit = jax.jit(free_fit)(Likelihood.from_regions([region]).arrays())
    assert bool(fit.is_converged)
    np.testing.assert_allclose(fit.strength, 0.75, rtol=1e-7)


def test_a_failed_lane_leaves_its_neighbours_bit_identical():
    def fit(yields):
        region = Region(
            "a",
            [3.0, 1.0],
            signal=[Term("s", yields, [LogNormal("efficiency", 1.15)])],
            background=[Term("b", [2.0, 1.0], [BinFactors("statistics", [0.2, 0.3])])],
        )
        return free_fit(Likelihood.from_regions([region]).arrays())

    yields = jnp.array([[4.0, 1.0], [3.0, 2.0], [1.0, 1.0]])
    run = jax.jit(lambda y: lax.map(fit, y, batch_size=3))
    good, bad = run(yields), run(yields.at[1, 0].set(jnp.nan))
    assert good.is_converged.tolist() == [True, True, True]
    assert bad.is_converged.tolist() == [True, False, True]
    for a, b in zip(jax.tree.leaves(good), jax.tree.leaves(bad), strict=True):
        np.testing.assert_array_equal(a[::2], b[::2])


def test_fits_differentiate_as_finite_differences():
    background = (LogNormal("background", 1.3), Gamma("gamma", 0.3))

    def results(x):
        region = Region(
            "a",
            [5.0, 3.0],
            signal=[Term("s", jnp.stack([2.0 + x, jnp.array(1.0)]))],
            background=[Term("b", jnp.stack([1.0 + 2.0 * x, 1.5 - x]), background)],
        )
        fit = free_fit(Likelihood.from_regions([region]).arrays())
        return jnp.concatenate(
            [fit.strength[None], fit.parameters, fit.negative_log_likelihood[None]]
        )

    step = 1e-5
    run = jax.jit(lambda x: (jax.vmap(results)(x), jax.jacfwd(results)(x[1])))
    (down, _, up), forward = run(jnp.array([-step, 0.0, step]))
    np.testing.assert_allclose(forward, (up - down) / (2 * step), rtol=1e-6)
