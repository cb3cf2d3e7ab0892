from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads
from scipy.interpolate import PchipInterpolator

from bsmfit.core.interpolation import CubicCurve, MonotoneTable


def test_monotone_curve_is_that_of_scipy():
    nodes, values = np.array([0.0, 0.5, 2.0, 3.0]), np.array([0.0, 1.0, 1.2, 4.0])
    x = jnp.linspace(0.0, 3.0, 50)
    ours = jax.vmap(CubicCurve.monotone(nodes, values))(x)
    np.testing.assert_allclose(ours, PchipInterpolator(nodes, values)(x), atol=1e-12)


def test_smooth_curve_reproduces_a_cubic():
    nodes = np.linspace(-1.0, 2.0, 7)
    curve = CubicCurve.smooth(nodes, nodes**3 - nodes)
    x = jnp.linspace(-1.0, 2.0, 31)
    np.testing.assert_allclose(jax.vmap(curve)(x), x**3 - x, atol=1e-12)


def table() -> MonotoneTable:
    x, y = np.array([0.0, 1.0, 2.5, 3.0]), np.linspace(0.0, 2.0, 9)
    values = np.stack([x[:, None] + 2 * y, np.exp(x[:, None] * 0 + y)], axis=-1)
    return MonotoneTable.from_nodes(x, y, values)


def test_table_is_exact_for_linear_functions_and_at_nodes():
    value = table()(jnp.array(0.7), jnp.array(1.3))[0]
    np.testing.assert_allclose(value, 0.7 + 2.6, rtol=1e-14)
    value = table()(jnp.array(2.5), jnp.array(0.25))[1]
    np.testing.assert_allclose(value, np.exp(0.25), rtol=1e-14)


def test_table_keeps_the_edge_outside():
    inside = table()(jnp.array(3.0), jnp.array(2.0))
    np.testing.assert_array_equal(table()(jnp.array(9.0), jnp.array(5.0)), inside)


def test_selected_functions_are_the_same_functions():
    x, y = jnp.array(1.7), jnp.array(0.6)
    np.testing.assert_array_equal(table().select([1])(x, y), table()(x, y)[1:])


def test_table_gradients():
    function = jax.jit(lambda x, y: table()(x, y)[1] + table()(x, y)[0] ** 2)
    check_grads(function, (jnp.array(1.3), jnp.array(0.9)), 1, modes=("fwd", "rev"))
