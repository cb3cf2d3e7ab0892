"""Settings shared by all tests: float64 and JAX's strict promotion rules."""

from __future__ import annotations

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session", autouse=True)
def _import_creates_no_array() -> None:
    """Importing the package must not have started a computation."""
    import bsmfit  # noqa: F401

    assert not jax.live_arrays()
