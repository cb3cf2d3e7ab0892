r"""Quantiles of the gamma distribution, for averages over a sideband.

The factor $g$ of a sideband is gamma distributed. To average over it with the same
nodes as over any other nuisance, it is written as a function of a unit normal $z$:
$P(g) = \Phi(z)$ with the regularised incomplete gamma function $P$.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammainc, gammaincc, gammaln, log_ndtr
from jaxtyping import Array, Float, Int

__all__ = ["log_gamma_quantile"]

_N_ITERATION = 8
_SMALLEST = 1e-300
# above, the approximation is right to 1e-8 in the logarithm (3 standard deviations),
# and incomplete gamma functions take time in proportion to the root of the shape
_LARGEST_SHAPE = 1e5


def log_gamma_quantile(
    shape: Float[Array, ""], normal: Float[Array, ""]
) -> Float[Array, ""]:
    r"""$\ln g$ with $P(r, g) = \Phi(z)$, for a gamma distribution of unit scale.

    Newton on the logarithm of the smaller tail, from the Wilson-Hilferty
    approximation. The last step is differentiated, which gives the derivatives of the
    defining equation with respect to both arguments. Above a shape of 1e5 (a relative
    error of 0.3 %) the approximation itself is returned.

    Args:
        shape: Shape $r$ of the distribution, > 0.
        normal: Unit normal $z$, -7 to 7.

    Returns:
        ln of the quantile.

    Examples:
        >>> import jax.numpy as jnp
        >>> value = log_gamma_quantile(jnp.array(1.0), jnp.array(0.0))
        >>> round(float(jnp.exp(value)), 6)
        0.693147
    """
    ninth = 1.0 / (9.0 * shape)
    hilferty = jnp.maximum(1.0 - ninth + normal * jnp.sqrt(ninth), 0.0) ** 3 * shape
    # the lower tail is g^r / r! there
    tail = (log_ndtr(normal) + gammaln(shape + 1.0)) / shape
    is_central = hilferty > 0.1 * shape
    start = jnp.where(is_central, jnp.log(jnp.where(is_central, hilferty, 1.0)), tail)
    is_large = shape > _LARGEST_SHAPE
    approximation = jnp.where(is_large, start, 0.0)
    shape, start = jnp.where(is_large, 1.0, shape), jnp.where(is_large, 0.0, start)

    def step(log_quantile: Float[Array, ""]) -> Float[Array, ""]:
        fixed = lax.stop_gradient(log_quantile)
        quantile = jnp.exp(fixed)
        is_upper = normal > 0.0
        probability = jnp.where(
            is_upper, gammaincc(shape, quantile), gammainc(shape, quantile)
        )
        probability = jnp.maximum(probability, _SMALLEST)
        residual = jnp.log(probability) - log_ndtr(-jnp.abs(normal))
        log_density = shape * fixed - quantile - gammaln(shape)
        slope = lax.stop_gradient(jnp.exp(log_density) / probability)
        slope = jnp.where(is_upper, -slope, slope)
        return fixed - jnp.clip(residual / slope, -1.0, 1.0)

    def body(_: Int[Array, ""], value: Float[Array, ""]) -> Float[Array, ""]:
        return lax.stop_gradient(step(value))

    found = lax.fori_loop(0, _N_ITERATION, body, jax.tree.map(lax.stop_gradient, start))
    return jnp.where(is_large, approximation, step(found))
