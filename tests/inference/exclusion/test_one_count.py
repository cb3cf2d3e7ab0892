from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from bsmfit.inference.exclusion.one_count import exclusion
from bsmfit.inference.exclusion.result import Exclusion
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.likelihood.quadrature import NuisanceQuadrature


def nuisance(name: str, kappa: float) -> Nuisance:
    return Nuisance(name, jnp.array(kappa))


COMMON = [[nuisance("protons", 1.2)], [nuisance("protons", 1.2)]]
MIXED = [
    [nuisance("protons", 1.2), nuisance("brem", 1.4)],
    [nuisance("protons", 1.2)],
]


def make_model(
    signal: list[list[Nuisance]], background: float = 0.016
) -> CountingModel:
    fakes = nuisance("fakes", 1.125)
    return CountingModel.from_terms(signal, [(jnp.array(background), [fakes])])


def evaluate(model: CountingModel, *, n_max: int = 3, cl: float = 0.90):
    quadrature = NuisanceQuadrature.from_model(model)

    def at_point(log_signal: jax.Array, n_observed: jax.Array) -> Exclusion:
        return exclusion(
            log_signal,
            model,
            quadrature=quadrature,
            n_observed=n_observed,
            cl=cl,
            n_max=n_max,
        )

    return at_point


COMMON_POINT = jax.jit(evaluate(make_model(COMMON)))
MIXED_POINT = jax.jit(evaluate(make_model(MIXED)))


@pytest.mark.parametrize("point", [COMMON_POINT, MIXED_POINT])
def test_cls_at_the_limit_is_one_minus_cl(point) -> None:
    fractions = jnp.log(jnp.array([0.3, 0.7]))
    for n in range(4):
        limit = point(fractions, jnp.array(n)).n_up_obs
        result = point(fractions + jnp.log(limit), jnp.array(n))
        np.testing.assert_allclose(result.cls_obs, 0.1, rtol=1e-9)
        np.testing.assert_allclose(result.log_strength_limit, 0.0, atol=1e-10)
        np.testing.assert_allclose(result.n_signal, limit, rtol=1e-12)
        assert bool(result.is_converged)
    assert (result.cl, result.method, result.ensemble) == (0.90, "exact", "marginal")


def test_limits_of_the_marginal_table() -> None:
    for n, truth in enumerate((2.3527, 3.9947, 5.5089, 6.9570)):
        result = COMMON_POINT(jnp.zeros(2), jnp.array(n))
        np.testing.assert_allclose(result.n_up_obs, truth, atol=5.1e-5, rtol=0)


def test_expected_bands_have_the_width_of_the_signal_nuisance() -> None:
    result = COMMON_POINT(jnp.zeros(2), jnp.array(0))
    low, down, median, up, high = np.asarray(result.n_up_exp)
    # 98.4 % of the outcomes are n = 0: lower quantiles are those of one log-normal
    np.testing.assert_allclose(median / down, 1.2, rtol=0.01)
    np.testing.assert_allclose(down / low, 1.2, rtol=0.01)
    assert median < up < high
    np.testing.assert_allclose(result.cls_exp, result.cls_obs)


@pytest.mark.parametrize("point", [COMMON_POINT, MIXED_POINT])
@pytest.mark.parametrize("level", [-1e8, -700.0, 0.0, 700.0, 1e5])
def test_any_signal_gives_finite_values_and_gradients(point, level: float) -> None:
    log_signal = jnp.array([level, level - 3.0])
    result = point(log_signal, jnp.array(1))
    finite = (
        result.n_up_obs,
        result.n_up_exp,
        result.cls_obs,
        result.cls_exp,
        result.log_strength_limit,
        result.n_signal,
    )
    assert all(np.all(np.isfinite(value)) for value in finite)

    def summary(log_signal: jax.Array) -> jax.Array:
        result = point(log_signal, jnp.array(1))
        return jnp.stack(
            [result.log_strength_limit, result.cls_obs, result.cls_exp, result.n_up_obs]
        )

    slopes = jax.jacrev(summary)(log_signal)
    assert np.all(np.isfinite(slopes))
    # limits scale: ln(n_up / n_signal) falls by one per unit of all log signals
    np.testing.assert_allclose(jnp.sum(slopes[0]), -1.0, rtol=1e-10)
    if level == -1e8:
        assert float(result.n_signal) == 0.0
        np.testing.assert_allclose(result.cls_obs, 1.0, rtol=1e-15)
    if level == 1e5:
        assert float(result.cls_obs) == 0.0


def test_gradients_against_finite_differences() -> None:
    def summary(log_signal: jax.Array) -> jax.Array:
        result = MIXED_POINT(log_signal, jnp.array(1))
        return jnp.concatenate(
            [
                jnp.stack([result.log_strength_limit, result.cls_obs, result.cls_exp]),
                result.n_up_exp,
            ]
        )

    check_grads(
        summary,
        (jnp.array([0.3, -0.4]),),
        order=1,
        modes=("fwd", "rev"),
        atol=1e-6,
        rtol=1e-6,
    )


def test_one_trace_serves_a_map_and_other_data() -> None:
    traced = eqx.debug.assert_max_traces(max_traces=1)(evaluate(make_model(COMMON)))
    scan = jax.jit(jax.vmap(jax.vmap(traced, (0, None))))
    grid = jnp.linspace(-20.0, 20.0, 24).reshape(3, 4, 2)
    first = scan(grid, jnp.array([0, 1, 0]))
    second = scan(grid + 1.0, jnp.array([1, 0, 2]))
    assert first.n_up_obs.shape == second.n_up_obs.shape == (3, 4)
    single = COMMON_POINT(grid[1, 2], jnp.array(1))
    np.testing.assert_allclose(first.cls_obs[1, 2], single.cls_obs, rtol=1e-13)


def test_common_responses_are_solved_once_for_the_whole_map() -> None:
    def largest(signal: list[list[Nuisance]]) -> int:
        scan = jax.vmap(evaluate(make_model(signal)), (0, None))
        jaxpr = jax.make_jaxpr(scan)(jnp.zeros((1000, 2)), jnp.array(0))
        equations = all_equations(jaxpr.jaxpr)
        loops = [e for e in equations if e.primitive.name == "while"]
        assert loops
        return max(v.aval.size for e in loops for v in e.outvars)

    assert largest(COMMON) < 1000 <= largest(MIXED)


def all_equations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from all_equations(inner)


def test_failed_points_are_nan_and_say_so() -> None:
    result = COMMON_POINT(jnp.zeros(2), jnp.array(4))
    assert not bool(result.is_converged)
    assert np.isnan(result.n_up_obs)
    # three events cover what was observed, not what a background of 3 may give
    short = jax.jit(evaluate(make_model(COMMON, 3.0)))(jnp.zeros(2), jnp.array(1))
    long = jax.jit(evaluate(make_model(COMMON, 3.0), n_max=14))
    whole = long(jnp.zeros(2), jnp.array(1))
    assert bool(short.is_converged)
    np.testing.assert_allclose(short.n_up_obs, whole.n_up_obs, rtol=1e-9)
    assert np.isnan(short.n_up_exp).all()
    assert np.isfinite(whole.n_up_exp).all()
    both = jax.vmap(COMMON_POINT, (None, 0))(jnp.zeros(2), jnp.array([1, 9]))
    np.testing.assert_array_equal(both.is_converged, [True, False])


@settings(max_examples=30, deadline=None)
@given(st.floats(-30, 5), st.floats(-30, 5), st.floats(0, 3), st.integers(0, 2))
def test_more_exposure_never_helps_a_signal(
    first: float, second: float, step: float, n: int
) -> None:
    log_signal = jnp.array([first, second])
    less = MIXED_POINT(log_signal, jnp.array(n))
    more = MIXED_POINT(log_signal + step, jnp.array(n))
    other = MIXED_POINT(log_signal, jnp.array(n + 1))
    assert 0.0 <= more.cls_obs <= less.cls_obs + 1e-12 <= 1.0 + 2e-12
    assert more.log_strength_limit <= less.log_strength_limit + 1e-9
    assert less.n_up_obs < other.n_up_obs
    assert np.all(np.diff(less.n_up_exp) > 0)
