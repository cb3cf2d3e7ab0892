from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads
from scipy.optimize import brentq

from bsmfit.core.illinois import illinois_root


@jax.jit
def kepler(mean: jax.Array, eccentricity: jax.Array) -> tuple[jax.Array, jax.Array]:
    def residual(x: jax.Array) -> jax.Array:
        return x - eccentricity * jnp.sin(x) - mean

    return illinois_root(residual, jnp.zeros_like(mean), jnp.full_like(mean, 4.0))


def test_roots_against_brentq() -> None:
    mean = np.linspace(0.1, 3.0, 7)
    got, is_converged = kepler(jnp.array(mean), jnp.array(0.6))
    truth = [brentq(lambda x, m=m: x - 0.6 * np.sin(x) - m, 0, 4) for m in mean]
    assert np.all(is_converged)
    np.testing.assert_allclose(got, truth, atol=1e-9)


def test_derivatives_are_implicit() -> None:
    mean, eccentricity = jnp.array([0.3, 2.0]), jnp.array(0.6)
    jacobian = jax.jacrev(lambda m, e: kepler(m, e)[0], argnums=1)
    root, _ = kepler(mean, eccentricity)
    truth = jnp.sin(root) / (1.0 - eccentricity * jnp.cos(root))
    np.testing.assert_allclose(jacobian(mean, eccentricity), truth, rtol=1e-8)
    function = jax.jit(lambda m, e: kepler(m, e)[0])
    check_grads(function, (mean, eccentricity), order=1, modes=("fwd", "rev"))


def test_straight_line_needs_no_step() -> None:
    root, is_converged = illinois_root(
        lambda x: 3.0 * x - 2.0, jnp.array(-5.0), jnp.array(7.0), n_step=0
    )
    np.testing.assert_allclose(root, 2.0 / 3.0, rtol=1e-15)
    assert bool(is_converged)


def test_root_at_an_end_and_falling_functions() -> None:
    target = jnp.array([0.0, 1.0, 0.5])
    root, is_converged = illinois_root(
        lambda x: target - x**3, jnp.zeros(3), jnp.ones(3), n_step=12
    )
    np.testing.assert_allclose(root, np.cbrt(target), atol=1e-9)
    assert np.all(is_converged)


def test_missing_change_of_sign_is_reported_and_harms_no_neighbour() -> None:
    def roots(offset: jax.Array) -> tuple[jax.Array, jax.Array]:
        return illinois_root(
            lambda x: jnp.exp(x) - offset, jnp.zeros_like(offset), jnp.ones(2) * 3.0
        )

    root, is_converged = roots(jnp.array([2.0, -1.0]))
    other, _ = roots(jnp.array([2.0, 3.0]))
    assert list(is_converged) == [True, False]
    assert root[0] == other[0]


def test_too_few_steps_are_reported() -> None:
    _, is_converged = illinois_root(
        lambda x: jnp.exp(5.0 * x) - 2.0, jnp.array(0.0), jnp.array(3.0), n_step=2
    )
    assert not bool(is_converged)
