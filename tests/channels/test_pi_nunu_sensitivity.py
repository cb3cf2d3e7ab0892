"""The single-event sensitivity: its scaling, and which errors cancel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.channels.pi_nunu_sensitivity import (
    SensitivityErrors,
    SensitivityFactors,
    relative_sensitivity_error,
    single_event_sensitivity,
)

# 2018, before and after the new collimator (M. Soldani, Excited QCD 2024)
S1 = (0.2067, 400.0, 3.14e7, 0.0762, 0.0395, 0.66, 0.89)
S2 = (0.2067, 400.0, 11.6e7, 0.1177, 0.0637, 0.66, 0.89)


def factors(*numbers):
    return SensitivityFactors(*map(jnp.asarray, numbers))


def errors(*numbers):
    return SensitivityErrors(*map(jnp.asarray, numbers))


@pytest.mark.parametrize(("numbers", "published"), [(S1, 5.4e-11), (S2, 1.4e-11)])
def test_published_factors_give_the_published_sensitivity(numbers, published):
    ours = single_event_sensitivity(factors(*numbers))
    assert float(ours) == pytest.approx(published, rel=0.005)


def test_logarithmic_derivatives_are_the_powers_of_the_factors():
    def log_sensitivity(logs):
        return jnp.log(single_event_sensitivity(factors(*jnp.exp(logs))))

    powers = jax.grad(log_sensitivity)(jnp.log(jnp.asarray(S1)))
    np.testing.assert_allclose(powers, [1, -1, -1, 1, -1, -1, -1], rtol=1e-12)
    check_grads(
        jax.jit(log_sensitivity), (jnp.log(jnp.asarray(S2)),), 1, modes=("fwd", "rev")
    )


def test_correlated_acceptances_cancel_and_uncorrelated_ones_do_not():
    given = errors(0.0, 0.10, 0.10, 0.0, 0.0, 0.07)
    assert float(relative_sensitivity_error(given)) == pytest.approx(0.07)
    apart = relative_sensitivity_error(given, acceptance_correlation=0.0)
    assert float(apart) == pytest.approx(np.hypot(np.hypot(0.1, 0.1), 0.07))


def test_error_is_that_of_correlated_toys():
    generator = np.random.default_rng(1)
    covariance = np.diag([0.004, 0.10, 0.12, 0.015, 0.056, 0.04]) ** 2
    covariance[1, 2] = covariance[2, 1] = 0.7 * 0.10 * 0.12
    # in logarithms, where the sensitivity is linear
    moves = generator.multivariate_normal(np.zeros(6), covariance, size=200_000)
    spread = np.std(moves @ np.array([1.0, 1.0, -1.0, -1.0, -1.0, 1.0]))
    given = errors(0.004, 0.10, 0.12, 0.015, 0.056, 0.04)
    ours = relative_sensitivity_error(given, acceptance_correlation=0.7)
    assert float(ours) == pytest.approx(spread, rel=0.01)


def test_gradients_of_the_error_are_finite_where_acceptances_cancel():
    given = (0.0039, 0.10, 0.10, 0.015, 0.056, 0.04)

    def error(numbers):
        return relative_sensitivity_error(errors(*numbers))

    check_grads(jax.jit(error), (jnp.asarray(given),), 1, modes=("fwd", "rev"))
