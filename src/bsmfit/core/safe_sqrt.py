"""Square root of a number that may come out as zero or a rounding below it."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["safe_sqrt"]

# XLA may compute the argument twice, rounded differently, so that the two conditions
# below disagree: what stands in for it is next to 0, and the root too
_NEXT_TO_ZERO = 1e-200


def safe_sqrt(x: Float[Array, " *point"]) -> Float[Array, " *point"]:
    """Square root of max(x, 0), with derivative 0 where x <= 0.

    Args:
        x: Any number.

    Returns:
        The root; 0 at and below 0.

    Examples:
        >>> float(safe_sqrt(jnp.array(4.0))), float(safe_sqrt(jnp.array(-1e-16)))
        (2.0, 0.0)
    """
    is_positive = x > 0.0
    root = jnp.sqrt(jnp.where(is_positive, x, _NEXT_TO_ZERO))
    return jnp.where(is_positive, root, 0.0)
