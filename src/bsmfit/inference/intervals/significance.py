r"""How surprising an excess is, without a signal.

$$p_0 = E_\theta[P(N\ge n;\, b(\theta))],\qquad Z_1 = \Phi^{-1}(1 - p_0),\qquad
  Z_2 = \Phi^{-1}(1 - p_0/2)$$

One event over 0.016 is $Z_1 = 2.15$ or $Z_2 = 2.41$: the convention is part of the
answer, so the result has one field for each, named after it.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import gammainc, ndtri
from jaxtyping import Array, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.quadrature import NuisanceQuadrature

__all__ = ["Significance", "significance"]

_SMALLEST_P_VALUE = 1e-300


class Significance(eqx.Module):
    """Significance of an excess over background alone.

    Attributes:
        p_value: Probability of n_observed events or more.
        z_one_sided: Standard deviations, one-sided; 0 for a deficit.
        z_two_sided: Standard deviations, two-sided.
        method: How probabilities were computed.
        ensemble: What is averaged over besides the count.
    """

    p_value: Float[Array, ""]
    z_one_sided: Float[Array, ""]
    z_two_sided: Float[Array, ""]
    method: str = eqx.field(static=True, default="exact")
    ensemble: str = eqx.field(static=True, default="marginal")


def significance(
    n_observed: Int[Array, ""],
    model: CountingModel,
    *,
    quadrature: NuisanceQuadrature,
) -> Significance:
    r"""Significance of an observed count, background nuisances averaged.

    A p value above 1/2 (a deficit, and any n = 0) is a one-sided Z of 0.

    Args:
        n_observed: Observed events, >= 0.
        model: The background and its responses.
        quadrature: Nodes for this model.

    Returns:
        $p_0$ and Z in both conventions.

    Examples:
        >>> import jax.numpy as jnp
        >>> model = CountingModel.from_terms([[]], [(jnp.array(0.016), [])])
        >>> quadrature = NuisanceQuadrature.from_model(model)
        >>> result = significance(jnp.array(1), model, quadrature=quadrature)
        >>> round(float(result.z_two_sided), 3)
        2.412
    """
    require_x64("significance")
    response = model.background_log_kappa
    outer = jnp.exp(response @ quadrature.signal_nodes.T)
    inner = jnp.exp(response @ quadrature.background_nodes.T)
    rate = jnp.einsum("r,rj,ri->ji", model.background, outer, inner)
    n = n_observed.astype(rate.dtype)
    # P(N >= n; b) is the regularised incomplete gamma function P(n, b), n >= 1
    excess = gammainc(jnp.broadcast_to(jnp.maximum(n, 1.0), rate.shape), rate)
    average = quadrature.signal_weights @ excess @ quadrature.background_weights
    p_value = jnp.where(n_observed > 0, average, 1.0)
    floored = jnp.maximum(p_value, _SMALLEST_P_VALUE)
    return Significance(
        p_value=p_value,
        z_one_sided=-ndtri(jnp.minimum(floored, 0.5)),
        z_two_sided=-ndtri(0.5 * floored),
    )
