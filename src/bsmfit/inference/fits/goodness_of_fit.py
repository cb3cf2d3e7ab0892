r"""How well a likelihood describes its data: the saturated model.

$$T = 2\,[\mathrm{NLL}(\text{fit}) - \mathrm{NLL}(\text{saturated})]
  = 2\sum_i\Big[\lambda_i - n_i + n_i\ln\frac{n_i}{\lambda_i}\Big] + \text{pulls}^2$$

The saturated model expects exactly what was observed, in every bin and auxiliary
measurement. T follows a $\chi^2$ distribution only where the expected counts are large:
with less than about five events in a bin, or the best strength at its boundary 0, take
toys instead (`toy_goodness_of_fit`).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaincc
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from bsmfit._x64 import require_x64
from bsmfit.core.argument import MOST_TOYS, instance, whole_number
from bsmfit.core.array_argument import random_key
from bsmfit.errors import InputError
from bsmfit.inference.fits.fit import background_and_free_minima
from bsmfit.inference.fits.fit_problem import FitProblem
from bsmfit.inference.fits.newton import Minimum
from bsmfit.likelihood.arrays import LikelihoodArrays

__all__ = ["GoodnessOfFit", "goodness_of_fit", "toy_goodness_of_fit"]

# one large vectorised batch of fits can hang the CPU backend of JAX 0.10
_N_BATCH = 128


class GoodnessOfFit(eqx.Module):
    """Comparison with a model that describes the data perfectly.

    Attributes:
        statistic: Twice the distance in log likelihood, >= 0.
        p_value: Probability of a worse description, if the model is true.
        p_value_error: Its binomial error from toys; 0 for the asymptotic one.
        is_converged: Whether the fit of the data converged.
        n_degrees_of_freedom: Measurements minus fitted parameters.
        method: ``"asymptotic"`` or ``"toys"``.
    """

    statistic: Float[Array, ""]
    p_value: Float[Array, ""]
    p_value_error: Float[Array, ""]
    is_converged: Bool[Array, ""]
    n_degrees_of_freedom: int = eqx.field(static=True)
    method: str = eqx.field(static=True)


def goodness_of_fit(
    arrays: LikelihoodArrays, *, is_background_only: bool = False
) -> GoodnessOfFit:
    r"""Goodness of fit with its asymptotic p value.

    Args:
        arrays: The likelihood of one point.
        is_background_only: Whether the strength is 0 instead of fitted.

    Returns:
        The statistic and the upper tail of $\chi^2$ beyond it.

    Raises:
        InputError: No degree of freedom is left, or a region has densities.

    References:
        S. Baker and R. D. Cousins, NIM 221 (1984) 437 (unverified).

    Examples:
        >>> from bsmfit.likelihood.likelihood import Likelihood
        >>> from bsmfit.likelihood.region import Region, Term
        >>> region = Region("a", 20, background=[Term("b", 7.03)])
        >>> arrays = Likelihood.from_regions([region]).arrays()
        >>> result = goodness_of_fit(arrays, is_background_only=True)
        >>> round(float(result.statistic), 3)
        15.882
    """
    n_free = _degrees_of_freedom(arrays, is_background_only)
    minimum = _minimum(FitProblem.from_arrays(arrays), is_background_only)
    statistic = jnp.maximum(2.0 * minimum.value, 0.0)
    return GoodnessOfFit(
        statistic=statistic,
        p_value=gammaincc(jnp.asarray(0.5 * n_free), 0.5 * statistic),
        p_value_error=jnp.zeros(()),
        is_converged=minimum.is_converged,
        n_degrees_of_freedom=n_free,
        method="asymptotic",
    )


def toy_goodness_of_fit(
    arrays: LikelihoodArrays,
    key: PRNGKeyArray,
    *,
    n_toy: int,
    is_background_only: bool = False,
) -> GoodnessOfFit:
    r"""Goodness of fit with a p value from toys.

    Counts and auxiliary measurements are drawn at the best fit (unconditional toys),
    and every toy is fitted again. Toys whose fit fails are left out.

    Args:
        arrays: The likelihood of one point.
        key: Random key.
        n_toy: Number of toys.
        is_background_only: Whether the strength is 0 instead of fitted.

    Returns:
        The statistic and the share of toys at or above it.

    Raises:
        InputError: No degree of freedom is left, or a region has densities.
    """
    key = random_key("key", key)
    n_toy = whole_number("n_toy", n_toy, low=1, high=MOST_TOYS)
    n_free = _degrees_of_freedom(arrays, is_background_only)
    problem = FitProblem.from_arrays(arrays)
    minimum = _minimum(problem, is_background_only)
    expected = problem.with_expected_data(minimum.point)
    is_poisson = np.array([k == "poisson" for k in problem.structure.constraints])

    def toy(toy_key: PRNGKeyArray) -> Minimum:
        for_counts, for_normal, for_poisson = jax.random.split(toy_key, 3)
        counts = jax.random.poisson(for_counts, expected.counts).astype(float)
        normal = jax.random.normal(for_normal, (problem.n_parameter,))
        if problem.structure.correlated:
            normal = problem.correlation @ normal
        rates = jnp.where(is_poisson, expected.auxiliary, 1.0)
        control = jax.random.poisson(for_poisson, rates).astype(float)
        auxiliary = jnp.where(is_poisson, control, expected.auxiliary + normal)
        return _minimum(problem.with_data(counts, auxiliary), is_background_only)

    toys = lax.map(toy, jax.random.split(key, n_toy), batch_size=min(n_toy, _N_BATCH))
    n_good = jnp.maximum(jnp.sum(toys.is_converged.astype(float)), 1.0)
    is_worse = toys.is_converged & (toys.value >= minimum.value - 1e-9)
    p_value = jnp.sum(is_worse.astype(float)) / n_good
    return GoodnessOfFit(
        statistic=jnp.maximum(2.0 * minimum.value, 0.0),
        p_value=p_value,
        p_value_error=jnp.sqrt(p_value * (1.0 - p_value) / n_good),
        is_converged=minimum.is_converged,
        n_degrees_of_freedom=n_free,
        method="toys",
    )


def _minimum(problem: FitProblem, is_background_only: bool) -> Minimum:
    background, free = background_and_free_minima(problem)
    return background if is_background_only else free


def _degrees_of_freedom(arrays: LikelihoodArrays, is_background_only: bool) -> int:
    """Bins minus strength and free factors: constraints come with a measurement."""
    require_x64("goodness_of_fit")
    hint = "write likelihood.arrays()"
    arrays = instance("arrays", arrays, LikelihoodArrays, hint=hint)
    if arrays.structure.event_bins:
        msg = (
            "goodness_of_fit: a region has densities for its events; no model "
            "describes single events perfectly, so bin them first"
        )
        raise InputError(msg)
    has_strength = not is_background_only and arrays.structure.n_signal > 0
    n_fitted = arrays.structure.constraints.count("free") + has_strength
    n_bin = arrays.observed.shape[0]
    if n_bin <= n_fitted:
        msg = (
            f"goodness_of_fit: {n_bin} bins cannot test a model of {n_fitted} free "
            "parameters; fix the strength with is_background_only=True or use "
            "more bins"
        )
        raise InputError(msg)
    return n_bin - n_fitted
