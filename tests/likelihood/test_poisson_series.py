"""Sums of Poisson terms and their slopes, for few counts and for many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.stats import poisson

from bsmfit.likelihood.poisson import solve_log_limit
from bsmfit.likelihood.poisson_series import weighted_sum

RATES = jnp.array([0.0, 0.3, 4.0, 30.0])


@pytest.mark.parametrize("n_max", [2, 20])
def test_sum_of_unit_weights_is_the_distribution_and_its_slope_the_last_term(n_max):
    weights = jnp.ones((n_max + 1, RATES.size))
    value, slope = jax.jvp(
        lambda rate: weighted_sum(rate, weights), (RATES,), (jnp.ones_like(RATES),)
    )
    np.testing.assert_allclose(value, poisson.cdf(n_max, RATES), rtol=1e-13)
    np.testing.assert_allclose(slope, -poisson.pmf(n_max, RATES), rtol=1e-13)


@pytest.mark.parametrize("n_max", [2, 20])
def test_gradients_in_rate_and_weights(n_max):
    weights = jnp.linspace(0.2, 1.0, n_max + 1)
    rate = jnp.array(1.7)
    check_grads(jax.jit(weighted_sum), (rate, weights), order=2, modes=("fwd", "rev"))


def test_a_limit_that_is_no_number_stops_no_other():
    factor = jnp.array([1.0, jnp.nan, 0.1])
    solution, is_converged = solve_log_limit(
        lambda log_signal: -factor * jnp.exp(log_signal), jnp.zeros(3), cl=0.9
    )
    assert is_converged.tolist() == [True, False, True]
    found = np.exp(solution)[is_converged] * factor[is_converged]
    np.testing.assert_allclose(found, np.log(10.0), rtol=1e-12)
