from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate, stats
from scipy.special import gammaincc

from bsmfit.errors import PrecisionError
from bsmfit.inference.counts.marginal import (
    MarginalCounts,
    count_probabilities,
    marginal_cls,
    marginal_counts,
    marginal_log_limits,
)
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.likelihood.quadrature import NuisanceQuadrature


def make_model(kappa_s: float, kappa_b: float, background: float) -> CountingModel:
    return CountingModel.from_terms(
        [[Nuisance("efficiency", jnp.array(kappa_s))]],
        [(jnp.array(background), [Nuisance("fakes", jnp.array(kappa_b))])],
    )


def prepare(
    model: CountingModel, n_max: int, log_signal: jax.Array | None = None
) -> MarginalCounts:
    if log_signal is None:
        log_signal = jnp.zeros(model.signal_log_kappa.shape[0])
    quadrature = NuisanceQuadrature.from_model(model)
    return marginal_counts(log_signal, model, quadrature=quadrature, n_max=n_max)


@jax.jit
def solve90(counts: MarginalCounts) -> jax.Array:
    log_limits, is_solved = marginal_log_limits(counts, cl=0.90)
    return jnp.where(is_solved, jnp.exp(log_limits), jnp.nan)


# Cousins-Highland limits by 60-node Gauss-Hermite: (kappa_s, kappa_b, b), n = 0 to 3
TABLE = {
    (1.1, 1.125, 0.016): (2.3162, 3.9068, 5.3618, 6.7453),
    (1.2, 1.125, 0.016): (2.3527, 3.9947, 5.5089, 6.9570),
    (1.2, 1.5, 0.016): (2.3527, 3.9934, 5.5075, 6.9557),
    (1.01, 1.01, 0.016): (2.3027, 3.8742, 5.3069, 6.6657),
    (1.1, 1.125, 0.18): (2.3162, 3.7573, 5.1941, 6.5757),
    (1.2, 1.5, 0.18): (2.3527, 3.8302, 5.3183, 6.7619),
}


@pytest.mark.parametrize("case", TABLE)
def test_limits_of_the_table(case: tuple[float, float, float]) -> None:
    got = solve90(prepare(make_model(*case), 3))
    np.testing.assert_allclose(got, TABLE[case], atol=5.1e-5, rtol=0)


def test_efficiency_error_alone_at_zero_events() -> None:
    for kappa, truth in ((1.05, 2.30616), (1.1, 2.31623), (1.2, 2.35273)):
        got = solve90(prepare(make_model(kappa, 1.0, 5.0), 0))
        np.testing.assert_allclose(got, truth, atol=5.1e-6, rtol=0)
    got = solve90(prepare(make_model(1.3, 2.0, 0.1), 0))
    np.testing.assert_allclose(got, 2.40696, atol=5.1e-6, rtol=0)


def test_background_of_exact_combination_benchmark() -> None:
    """B1: n = 3, b = 2, s = 4, kappa 1.15 and 1.3; marginal exact limits in mu."""
    counts = prepare(make_model(1.15, 1.3, 2.0), 3)
    np.testing.assert_allclose(solve90(counts)[3] / 4.0, 1.2670, atol=5.1e-5)
    cls = marginal_cls(counts, jnp.array(3), signal=jnp.array(4.0))
    np.testing.assert_allclose(cls, 0.1855, atol=5.1e-5)
    log_limits, _ = marginal_log_limits(counts, cl=0.95)
    np.testing.assert_allclose(jnp.exp(log_limits[3]) / 4.0, 1.5511, atol=5.1e-5)


@pytest.mark.parametrize("n", [0, 2])
def test_cls_against_a_double_integral_with_a_shared_nuisance(n: int) -> None:
    shared = Nuisance("protons", jnp.array(1.4))
    model = CountingModel.from_terms(
        [[shared]], [(jnp.array(0.8), [shared, Nuisance("fakes", jnp.array(1.6))])]
    )
    signal = 2.5
    cls = marginal_cls(prepare(model, 2), jnp.array(n), signal=jnp.array(signal))

    x = np.linspace(-8.0, 8.0, 401)
    density = stats.norm.pdf(x)

    def average(s: float) -> float:
        rate = 1.4 ** x[:, None] * (s + 0.8 * 1.6**x)
        inner = integrate.simpson(gammaincc(n + 1, rate) * density, x=x)
        return float(integrate.simpson(inner * density, x=x))

    np.testing.assert_allclose(cls, average(signal) / average(0.0), rtol=1e-5)


def test_marginal_ensemble_by_toys() -> None:
    protons, brem, meson = (
        Nuisance(name, jnp.array(kappa))
        for name, kappa in (("protons", 1.2), ("brem", 1.5), ("meson", 1.3))
    )
    model = CountingModel.from_terms(
        [[protons, brem], [protons, meson]],
        [(jnp.array(0.6), [Nuisance("fakes", jnp.array(1.5))])],
    )
    yields = np.array([1.2, 0.8])
    counts = prepare(model, 4, jnp.log(jnp.asarray(yields)))
    rng = np.random.default_rng(20240607)
    theta = rng.standard_normal((400_000, 4))
    order = [model.nuisance_names.index(n) for n in ("protons", "brem", "meson")]
    up = 1.2 ** theta[:, order[0]]
    signal = up * (yields[0] * 1.5 ** theta[:, order[1]])
    signal += up * (yields[1] * 1.3 ** theta[:, order[2]])
    background = 0.6 * 1.5 ** theta[:, model.nuisance_names.index("fakes")]
    with_signal = rng.poisson(signal + background)
    without = rng.poisson(background)
    for n in range(4):
        p_sb, p_b = np.mean(with_signal <= n), np.mean(without <= n)
        error = p_sb / p_b * np.sqrt((1 / p_sb + 1 / p_b - 2) / theta.shape[0])
        got = marginal_cls(counts, jnp.array(n), signal=jnp.array(2.0))
        assert abs(float(got) - p_sb / p_b) < 4 * error


def test_count_probabilities_against_the_integral() -> None:
    got = count_probabilities(prepare(make_model(1.2, 1.5, 3.0), 12))
    x = np.linspace(-9, 9, 4001)
    rate = 3.0 * 1.5**x
    weight = stats.norm.pdf(x) * (x[1] - x[0])
    truth = [weight @ stats.poisson.pmf(n, rate) for n in range(13)]
    np.testing.assert_allclose(got, truth, rtol=2e-6)


def test_cls_is_safe_from_no_signal_to_any_signal() -> None:
    counts = prepare(make_model(1.5, 1.5, 0.3), 5)

    def cls(signal: jax.Array, n: jax.Array) -> jax.Array:
        return marginal_cls(counts, n, signal=signal)

    signals = jnp.array([0.0, 1e-300, 1e-9, 1.0, 50.0, 1e3, 1e9, 1e300])
    for n in (0, 2, 5):
        value, slope = jax.vmap(jax.value_and_grad(cls), (0, None))(
            signals, jnp.array(n)
        )
        np.testing.assert_allclose(value[:2], 1.0, rtol=1e-15)
        assert np.all(np.diff(value) <= 1e-15)
        assert np.all(value[-2:] == 0.0)
        assert np.all(np.isfinite(slope))
        assert np.all(np.asarray(slope) <= 0)


@pytest.mark.slow
def test_newton_converges_for_extreme_models() -> None:
    for kappa_s in (1.001, 1.5, 3.0, 4.5):
        for kappa_b, background in ((1.1, 0.0), (1.5, 20.0)):
            counts = prepare(make_model(kappa_s, kappa_b, background), 10)
            for cl in (0.68, 0.95, 0.997):
                solve = jax.jit(partial(marginal_log_limits, cl=cl))
                log_limits, is_solved = solve(counts)
                assert np.all(is_solved), (kappa_s, background, cl)
                assert np.all(np.diff(log_limits) > 0)


def test_large_background_does_not_underflow() -> None:
    counts = prepare(make_model(1.1, 1.1, 2000.0), 2)
    limits = np.asarray(solve90(counts))
    np.testing.assert_allclose(limits[0], 2.31623, atol=1e-5)
    assert np.all(np.diff(limits) > 0)


def build_two_term_model(log_kappa: jax.Array, background: jax.Array) -> CountingModel:
    pot, brem, fakes = log_kappa
    zero = jnp.zeros(())
    signal = jnp.stack([jnp.stack([pot, brem, zero]), jnp.stack([pot, zero, zero])])
    rows = jnp.stack([zero, zero, fakes])[None]
    return CountingModel(signal, background[None], rows, ("protons", "brem", "fakes"))


def test_gradients_of_limits_in_everything() -> None:
    log_kappa = jnp.log(jnp.array([1.2, 1.3, 1.4]))
    log_signal = jnp.array([0.3, -0.5])
    nominal = build_two_term_model(log_kappa, jnp.array(0.6))
    quadrature = NuisanceQuadrature.from_model(nominal)

    @jax.jit
    def log_limits(
        log_kappa: jax.Array, background: jax.Array, log_signal: jax.Array
    ) -> jax.Array:
        model = build_two_term_model(log_kappa, background)
        counts = marginal_counts(log_signal, model, quadrature=quadrature, n_max=3)
        return marginal_log_limits(counts, cl=0.90)[0]

    point = (log_kappa, jnp.array(0.6), log_signal)
    check_grads(log_limits, point, order=1, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6)
    at_zero = jax.jacobian(log_limits, 1)(log_kappa, jnp.zeros(()), log_signal)
    assert np.all(np.isfinite(at_zero))


@pytest.mark.slow
def test_gradient_in_a_response_is_that_of_new_nodes() -> None:
    def limit(kappa: float) -> float:
        return float(jnp.log(solve90(prepare(make_model(kappa, 1.125, 0.3), 1))[1]))

    step = 1e-4
    truth = (limit(1.2 * np.exp(step)) - limit(1.2 * np.exp(-step))) / (2 * step)
    model = make_model(1.2, 1.125, 0.3)
    quadrature = NuisanceQuadrature.from_model(model)

    def log_limit(log_kappa: jax.Array) -> jax.Array:
        moved = CountingModel(
            jnp.stack([log_kappa, jnp.zeros(())])[None],
            model.background,
            model.background_log_kappa,
            model.nuisance_names,
        )
        counts = marginal_counts(jnp.zeros(1), moved, quadrature=quadrature, n_max=1)
        return marginal_log_limits(counts, cl=0.90)[0][1]

    got = jax.grad(log_limit)(jnp.log(jnp.array(1.2)))
    np.testing.assert_allclose(got, truth, rtol=1e-5)


def test_single_precision_is_refused() -> None:
    counts = prepare(make_model(1.1, 1.1, 0.1), 1)
    with jax.enable_x64(False), pytest.raises(PrecisionError, match="enable_x64"):
        marginal_log_limits(counts, cl=0.90)
