from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats

from bsmfit.inference.asymptotics.formulae import (
    asymptotic_log_cls,
    asymptotic_log_probabilities,
    discovery_significance,
    expected_log_cls,
    expected_root,
    log_normal_cdf,
    two_sided_p_value,
    unbounded_log_probabilities,
)


def test_log_normal_cdf_against_mpmath() -> None:
    x = [-1e5, -300.0, -38.0, -20.001, -19.999, -8.0, -1.0, 0.0, 0.7, 3.0, 9.0]
    got = np.asarray(jax.jit(log_normal_cdf)(jnp.array(x)))
    with mpmath.workdps(40):
        truth = [
            float(mpmath.log(mpmath.erfc(-mpmath.mpf(v) / mpmath.sqrt(2)) / 2))
            for v in x
        ]
    np.testing.assert_allclose(got, truth, rtol=1e-13, atol=3e-16)


def test_derivative_of_log_normal_cdf_on_both_sides_of_the_series() -> None:
    slope = jax.jit(jax.vmap(jax.grad(log_normal_cdf)))
    x = np.array([-200.0, -20.0 - 1e-9, -20.0 + 1e-9, -3.0, 0.0, 2.0])
    truth = np.exp(stats.norm.logpdf(x) - stats.norm.logcdf(x))
    np.testing.assert_allclose(slope(jnp.array(x)), truth, rtol=1e-10)
    check_grads(jax.jit(log_normal_cdf), (jnp.array(x),), order=1, modes=("fwd", "rev"))


def test_probabilities_of_both_branches_against_the_formulas() -> None:
    q, q_asimov = np.array([0.0, 0.5, 1.3, 4.0, 9.0]), np.array([2.0, 1.3, 1.3, 1.3, 2])
    root, root_a = np.sqrt(q), np.sqrt(q_asimov)
    inside = q <= q_asimov
    upper = np.where(inside, root, (q + q_asimov) / (2 * root_a))
    lower = np.where(inside, root - root_a, (q - q_asimov) / (2 * root_a))
    log_clsb, log_clb = asymptotic_log_probabilities(jnp.array(q), jnp.array(q_asimov))
    np.testing.assert_allclose(log_clsb, stats.norm.logsf(upper), rtol=1e-12)
    np.testing.assert_allclose(log_clb, stats.norm.logsf(lower), rtol=1e-12)
    log_clsb, log_clb = unbounded_log_probabilities(jnp.array(q), jnp.array(q_asimov))
    np.testing.assert_allclose(log_clsb, stats.norm.logsf(root), rtol=1e-12)
    np.testing.assert_allclose(log_clb, stats.norm.logsf(root - root_a), rtol=1e-12)


@pytest.mark.parametrize("q", [0.0, 1.7, 1.7 - 1e-12, 1.7 + 1e-12, 5.0])
@pytest.mark.parametrize("q_asimov", [1.7, 30.0])
def test_cls_is_differentiable_at_the_branch_and_at_zero(
    q: float, q_asimov: float
) -> None:
    slopes = jax.jit(jax.grad(asymptotic_log_cls, argnums=(0, 1)))
    assert np.all(np.isfinite(slopes(jnp.array(q), jnp.array(q_asimov))))


def test_no_separation_gives_cls_of_one() -> None:
    zero = jnp.zeros(())
    assert float(asymptotic_log_cls(zero, zero)) == 0.0
    slopes = jax.grad(asymptotic_log_cls, argnums=(0, 1))(zero, zero)
    assert np.all(np.isfinite(slopes))


def test_expected_cls_at_an_observation_of_the_same_excess() -> None:
    # an observation N sigma above the background has sqrt(q) = sqrt(q_A) - N
    q_asimov, n_sigma = jnp.array(9.0), jnp.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    got = expected_log_cls(jnp.full(5, q_asimov), n_sigma)
    q = (3.0 - n_sigma) ** 2
    inside = np.asarray(q) <= 9.0
    truth = unbounded_log_probabilities(q, jnp.full(5, q_asimov))
    np.testing.assert_allclose(got, truth[0] - truth[1], rtol=1e-12)
    truth = asymptotic_log_cls(q, jnp.full(5, q_asimov))
    np.testing.assert_allclose(got[inside], truth[inside], rtol=1e-12)
    assert np.all(np.diff(got) > 0)


@pytest.mark.parametrize("cl", [0.90, 0.95])
def test_expected_root_solves_expected_cls(cl: float) -> None:
    n_sigma = jnp.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    root = expected_root(n_sigma, cl=cl)
    got = expected_log_cls(root * root, n_sigma)
    np.testing.assert_allclose(got, np.log(1 - cl), rtol=1e-12)


def test_two_sided_p_value() -> None:
    t = jnp.array([0.0, 1.0, 4.0])
    np.testing.assert_allclose(two_sided_p_value(t), stats.chi2.sf(t, 1), rtol=1e-13)
    t_asimov = jnp.full(3, 1.0)
    expected = [1.0, stats.chi2.sf(1, 1), 2 - stats.norm.cdf(2) - stats.norm.cdf(2.5)]
    np.testing.assert_allclose(two_sided_p_value(t, t_asimov), expected, rtol=1e-13)


def test_discovery_significance_is_the_root() -> None:
    np.testing.assert_allclose(discovery_significance(jnp.array([0.0, 6.25])), [0, 2.5])
