r"""One point of a map: is it excluded, how strongly, and what was to be expected.

From the expected signal of a grid point (per term, as logarithms) and a counting model
to limits and CLs. Scalar in the grid: callers `vmap` it over mass and coupling, with
the count observed at each mass. All inputs but `cl` and `n_max` are traced, so one
compilation serves a whole map; the limits themselves are solved once per count, not
once per point, where all signal terms respond alike to the nuisances
(`bsmfit.inference.counts.marginal`).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.inference.counts.expected import (
    TAIL_TOLERANCE,
    count_quantiles,
    expected_limits,
    mean_limit,
)
from bsmfit.inference.counts.marginal import (
    count_probabilities,
    marginal_cls,
    marginal_counts,
    marginal_log_limits,
)
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.quadrature import NuisanceQuadrature

__all__ = ["Exclusion", "exclusion"]

# the largest log of a signal whose products with responses stay finite
_LARGEST_LOG_SIGNAL = 690.0


class Exclusion(eqx.Module):
    """Limits and CLs at one point of a grid.

    Attributes:
        n_signal: Expected signal at nominal nuisances [events].
        n_up_obs: Upper limit on it [events]; nan where not converged.
        n_up_exp: Expected limits [events] at the levels of
            `bsmfit.inference.counts.expected.QUANTILE_LEVELS`, counts and nuisances
            drawn.
        n_up_mean: Mean limit over counts [events].
        cls_obs: CLs of the signal at the observed count.
        cls_exp: CLs of the signal at the median count.
        log_strength_limit: ln(n_up_obs / n_signal): below 0 is excluded. Finite, and
            differentiable, where no signal is left.
        is_converged: Whether all limits are solved, the observed count is within n_max,
            and less than TAIL_TOLERANCE of the expected counts lies above it.
        cl: Confidence level.
        method: How probabilities were computed.
        ensemble: What is averaged over besides the count.
    """

    n_signal: Float[Array, ""]
    n_up_obs: Float[Array, ""]
    n_up_exp: Float[Array, " 5"]
    n_up_mean: Float[Array, ""]
    cls_obs: Float[Array, ""]
    cls_exp: Float[Array, ""]
    log_strength_limit: Float[Array, ""]
    is_converged: Bool[Array, ""]
    cl: float = eqx.field(static=True)
    method: str = eqx.field(static=True, default="exact")
    ensemble: str = eqx.field(static=True, default="marginal")


def exclusion(
    log_signal: Float[Array, " n_signal"],
    model: CountingModel,
    *,
    quadrature: NuisanceQuadrature,
    n_observed: Int[Array, ""],
    cl: float,
    n_max: int,
) -> Exclusion:
    """Limits and CLs of one signal hypothesis.

    Args:
        log_signal: ln of the expected signal events at nominal nuisances, per term;
            -1e8 or so for a closed term.
        model: Background, responses, nuisances.
        quadrature: Nodes for this model (`NuisanceQuadrature.from_model`).
        n_observed: Observed events.
        cl: Confidence level, for example 0.90.
        n_max: Largest count that is treated
            (`bsmfit.inference.counts.expected.count_ceiling`).

    Returns:
        The limits; nan in all of them, and is_converged False, where one is not to be
        had.

    Examples:
        >>> import jax.numpy as jnp
        >>> model = CountingModel.from_terms([[]], [(jnp.array(0.016), [])])
        >>> result = exclusion(
        ...     jnp.log(jnp.array([3.0])),
        ...     model,
        ...     quadrature=NuisanceQuadrature.from_model(model),
        ...     n_observed=jnp.array(1),
        ...     cl=0.90,
        ...     n_max=3,
        ... )
        >>> round(float(result.n_up_obs), 4), round(float(result.cls_obs), 4)
        (3.8739, 0.1968)
    """
    require_x64("exclusion")
    counts = marginal_counts(log_signal, model, quadrature=quadrature, n_max=n_max)
    log_limits, is_solved = marginal_log_limits(counts, cl=cl)
    probabilities = count_probabilities(counts)
    is_covered = 1.0 - jnp.sum(probabilities) < TAIL_TOLERANCE
    is_inside = (n_observed >= 0) & (n_observed <= n_max)
    is_converged = jnp.all(is_solved) & is_covered & is_inside

    log_total = jax.nn.logsumexp(log_signal)
    signal = jnp.exp(jnp.minimum(log_total, _LARGEST_LOG_SIGNAL))
    log_limit = log_limits[jnp.clip(n_observed, 0, n_max)]
    n_median = count_quantiles(probabilities)[2]

    def where_converged(value: Float[Array, " *field"]) -> Float[Array, " *field"]:
        return jnp.where(is_converged, value, jnp.nan)

    return Exclusion(
        n_signal=signal,
        n_up_obs=where_converged(jnp.exp(log_limit)),
        n_up_exp=where_converged(expected_limits(counts, log_limits)),
        n_up_mean=where_converged(mean_limit(counts, log_limits)),
        cls_obs=where_converged(marginal_cls(counts, n_observed, signal=signal)),
        cls_exp=where_converged(marginal_cls(counts, n_median, signal=signal)),
        log_strength_limit=where_converged(log_limit - log_total),
        is_converged=is_converged,
        cl=cl,
    )
