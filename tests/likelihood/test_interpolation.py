import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.likelihood.interpolation import code0, code1, code4, code4p

# HistFactory's interpolation, statistics.md section 1 (computed with pyhf 0.7.6)
POINTS = [-1.5, -0.5, 0.3, 0.9, 2.0]


def test_code4_gives_the_values_of_histfactory():
    theta = jnp.array(POINTS)
    factor = jax.vmap(lambda x: code4(x, up=jnp.array(1.3), down=jnp.array(0.8)))(theta)
    np.testing.assert_allclose(
        factor, [0.71554, 0.892276, 1.079331, 1.266298, 1.69], rtol=3e-6
    )


def test_code4p_gives_the_values_of_histfactory():
    nominal, up, down = (jnp.array([value]) for value in (10.0, 13.0, 9.0))
    shifts = [
        code4p(jnp.array(theta), nominal=nominal, up=up, down=down)[0]
        for theta in POINTS
    ]
    np.testing.assert_allclose(
        10.0 + np.array(shifts), [8.5, 9.396484, 10.758898, 12.697915, 16.0], atol=6e-7
    )


@pytest.mark.parametrize("theta", [-1.0, 0.0, 1.0])
def test_code4_is_smooth_to_second_order_where_its_pieces_meet(theta):
    def factor(x):
        return code4(x, up=jnp.array(1.4), down=jnp.array(0.9))

    for order in (factor, jax.grad(factor), jax.grad(jax.grad(factor))):
        below, above = (order(jnp.array(theta + h)) for h in (-1e-9, 1e-9))
        np.testing.assert_allclose(below, above, atol=1e-6)


def test_code4_of_reciprocal_factors_is_close_to_the_exponential():
    theta = jnp.linspace(-3.0, 3.0, 61)
    up, down = jnp.array(1.2), jnp.array(1.0 / 1.2)
    factor = jax.vmap(lambda x: code4(x, up=up, down=down))(theta)
    np.testing.assert_allclose(factor, 1.2**theta, rtol=2e-6)


def test_shape_of_equal_sides_does_not_move():
    nominal = jnp.array([1.0, 5.0])
    for function in (code0, code4p):
        shift = function(jnp.array(0.7), nominal=nominal, up=nominal, down=nominal)
        np.testing.assert_array_equal(shift, 0.0)


@pytest.mark.parametrize("theta", [-1.3, -0.4, 0.6, 2.2])
def test_code0_and_code1_are_straight_and_exponential(theta):
    nominal, up, down = (jnp.array([value]) for value in (10.0, 13.0, 9.0))
    shift = code0(jnp.array(theta), nominal=nominal, up=up, down=down)
    np.testing.assert_allclose(shift, [theta * (3.0 if theta > 0 else 1.0)])
    factor = code1(jnp.array(theta), up=jnp.array(1.3), down=jnp.array(0.8))
    expected = 1.3**theta if theta > 0 else 0.8**-theta
    np.testing.assert_allclose(factor, expected)


@jax.jit
def smooth_factor(theta):
    return code4(theta, up=jnp.array(1.3), down=jnp.array(0.7))


@jax.jit
def smooth_shift(theta):
    bins = [jnp.array([value, 2.0]) for value in (10.0, 13.0, 9.0)]
    return code4p(theta, nominal=bins[0], up=bins[1], down=bins[2])


@pytest.mark.parametrize("theta", [-2.0, -0.3, 0.0, 0.8, 1.7])
def test_gradients_of_the_smooth_codes(theta):
    for code in (smooth_factor, smooth_shift):
        check_grads(code, (jnp.array(theta),), order=2, modes=("fwd", "rev"))
