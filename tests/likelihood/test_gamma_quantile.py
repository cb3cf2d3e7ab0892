import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import gamma, norm

from bsmfit.likelihood.gamma_quantile import log_gamma_quantile


def test_quantiles_are_those_of_scipy_far_into_both_tails():
    shape, normal = np.meshgrid([0.3, 1.0, 2.0, 5.0, 30.0, 1e3], [-6, -3, -1, 0, 1, 6])
    normal = normal.astype(float)
    upper = gamma.isf(norm.sf(normal), shape)
    quantile = np.where(normal > 0, upper, gamma.ppf(norm.cdf(normal), shape))
    found = jax.vmap(jax.vmap(log_gamma_quantile))(jnp.array(shape), jnp.array(normal))
    np.testing.assert_allclose(found, np.log(quantile), atol=1e-12)


def test_derivatives_are_those_of_the_defining_equation():
    shape, normal = jnp.array(3.0), jnp.array(1.5)

    def scipy_log_quantile(r, z):
        return np.log(gamma.isf(norm.sf(z), r))

    slopes = jax.grad(log_gamma_quantile, argnums=(0, 1))(shape, normal)
    h = 1e-4
    finite = [
        (scipy_log_quantile(3.0 + h, 1.5) - scipy_log_quantile(3.0 - h, 1.5)) / (2 * h),
        (scipy_log_quantile(3.0, 1.5 + h) - scipy_log_quantile(3.0, 1.5 - h)) / (2 * h),
    ]
    np.testing.assert_allclose(slopes, finite, rtol=1e-7)
