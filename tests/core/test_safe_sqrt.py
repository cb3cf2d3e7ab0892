"""The square root that may be asked for a rounding below zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.core.safe_sqrt import safe_sqrt


@pytest.mark.parametrize("x", [-1.0, -1e-16, 0.0])
def test_it_is_flat_at_and_below_zero(x):
    value, slope = jax.value_and_grad(safe_sqrt)(jnp.array(x))
    assert float(value) == 0.0
    assert float(slope) == 0.0


def test_it_is_the_root_above():
    x = jnp.geomspace(1e-300, 1e300, 61)
    np.testing.assert_array_max_ulp(safe_sqrt(x), np.sqrt(np.asarray(x)), maxulp=1)
    slope = jax.vmap(jax.grad(safe_sqrt))(x)
    np.testing.assert_allclose(slope, 0.5 / np.sqrt(np.asarray(x)), rtol=1e-14)
