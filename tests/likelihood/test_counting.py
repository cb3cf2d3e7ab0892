from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats

from bsmfit.errors import InputError
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.nuisance import Nuisance


def make_model(background: float = 0.7) -> CountingModel:
    protons = Nuisance("protons", jnp.array(1.2))
    fakes = Nuisance("fakes", jnp.array(1.5))
    return CountingModel.from_terms(
        [[protons], [protons, fakes]], [(jnp.array(background), [fakes])]
    )


def test_expected_counts_is_the_formula() -> None:
    theta = np.array([0.7, -1.3])
    got = make_model().expected_counts(
        jnp.log(jnp.array([2.0, 3.0])), jnp.asarray(theta)
    )
    up, down = 1.2**0.7, 1.5**-1.3
    np.testing.assert_allclose(got, 2.0 * up + 3.0 * up * down + 0.7 * down, rtol=1e-14)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_log_likelihood_is_poisson_times_normals(n: int) -> None:
    theta = np.array([0.7, -1.3])
    log_signal = jnp.log(jnp.array([2.0, 3.0]))
    model = make_model()
    got = model.log_likelihood(jnp.array(n), log_signal, theta=jnp.asarray(theta))
    expected = float(model.expected_counts(log_signal, jnp.asarray(theta)))
    truth = stats.poisson.logpmf(n, expected) + stats.norm.logpdf(theta).sum()
    np.testing.assert_allclose(got, truth, rtol=1e-13)


def test_closed_signal_over_no_background_is_certain_to_give_nothing() -> None:
    model = make_model(background=0.0)
    closed = jnp.array([-1e8, -1e8])
    theta = jnp.array([0.3, 0.1])

    def log_likelihood(log_signal: jax.Array, theta: jax.Array) -> jax.Array:
        return model.log_likelihood(jnp.array(0), log_signal, theta=theta)

    value, grads = jax.value_and_grad(log_likelihood, (0, 1))(closed, theta)
    np.testing.assert_allclose(value, stats.norm.logpdf(theta).sum(), rtol=1e-14)
    assert float(model.expected_counts(closed, theta)) == 0.0
    np.testing.assert_array_equal(grads[0], 0.0)
    np.testing.assert_allclose(grads[1], -theta)
    one = jax.grad(lambda s: model.log_likelihood(jnp.array(1), s, theta=theta))(closed)
    assert np.all(np.isfinite(one))


def test_log_likelihood_gradient() -> None:
    model = make_model()
    check_grads(
        jax.jit(lambda s, t: model.log_likelihood(jnp.array(3), s, theta=t)),
        (jnp.array([0.3, -1.0]), jnp.array([0.5, -0.4])),
        order=2,
        modes=("fwd", "rev"),
    )


def test_misshapen_responses_are_an_error() -> None:
    with pytest.raises(InputError, match="one column"):
        CountingModel(jnp.zeros((1, 2)), jnp.ones(1), jnp.zeros((1, 2)), ("a",))
    with pytest.raises(InputError, match="occur twice"):
        CountingModel(jnp.zeros((1, 2)), jnp.ones(1), jnp.zeros((1, 2)), ("a", "a"))
