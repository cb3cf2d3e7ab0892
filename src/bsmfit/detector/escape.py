r"""How likely a long-lived X escapes the veto of a search for invisible X.

X counts as invisible if it does not decay between its production at z and the end of
the veto. Averaged over the accepted decays,

$$P_{esc}(m,\tau) = \Big\langle
  \exp\Big[-\frac{(z_{end}-z)\,m}{p_X\,c\tau}\Big]\Big\rangle$$

(the mean of the exponential, not the exponential of the mean). It depends on mass and
lifetime nearly through $m/(c\tau)$ alone; the mass shifts the spectrum of $p_X$. The
table therefore holds, on nodes of mass and of $v=\ln[m/(c\tau)\cdot\mathrm{m/GeV}]$,

$$g = \ln(-\ln P_{esc}),\qquad
  h = \ln\Big(-\frac{\partial\ln P_{esc}}{\partial z_{end}}\Big),$$

which are almost straight lines in v with slope 1 at both ends, where they are continued
so.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from bsmfit.core.constants import HBAR_C
from bsmfit.core.interpolation import MonotoneTable

__all__ = ["EscapeTable", "log_escape"]

# ln of m / (c tau) of a particle that is as good as stable: 1e-87 decays per metre
_LOG_STABLE = -200.0


def log_escape(
    log_rate: Float[Array, ""],
    *,
    path_over_momentum: Float[Array, " n"],
    momentum: Float[Array, " n"],
    weight: Float[Array, " n"],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Logarithms of the exponent of the escape probability and of its slope.

    Args:
        log_rate: $v = \ln[m/(c\tau)]$ [GeV/m].
        path_over_momentum: $(z_{end}-z)/p_X$ of the decays [m/GeV].
        momentum: $p_X$ of the decays [GeV].
        weight: Weights of the decays; zero for those that are not accepted.

    Returns:
        g and h of this module.
    """
    rate = jnp.exp(log_rate)
    exponent = rate * path_over_momentum
    log_weight = jnp.where(
        weight > 0.0, jnp.log(jnp.where(weight > 0.0, weight, 1.0)), -jnp.inf
    )
    norm = jax.nn.logsumexp(log_weight)
    # where all decays are alike to rounding, the mean exponent is more precise
    mean = jnp.exp(log_weight - norm) @ exponent
    log_probability = jax.nn.logsumexp(log_weight - exponent) - norm
    is_small = mean < 1e-6
    minus_log = jnp.where(is_small, mean, -log_probability)
    surviving = jax.nn.softmax(log_weight - exponent)
    slope = rate * (surviving @ (1.0 / momentum))
    return jnp.log(minus_log), jnp.log(slope)


class EscapeTable(eqx.Module):
    """Escape probability by mass and lifetime.

    Attributes:
        table: g and h on nodes of mass [GeV] and v.
    """

    table: MonotoneTable

    @classmethod
    def from_nodes(
        cls, masses: ArrayLike, log_rates: ArrayLike, values: ArrayLike
    ) -> EscapeTable:
        """Prepare the interpolation.

        Args:
            masses: Nodes of the mass [GeV].
            log_rates: Nodes of v, evenly spaced.
            values: g and h, [mass, v, 2].

        Returns:
            The table.
        """
        return cls(MonotoneTable.from_nodes(masses, log_rates, values))

    def __call__(
        self, mass: Float[Array, ""], decay_width: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        r"""Log of the escape probability, and its derivative in the end of the veto.

        Both are exactly 0 for a stable particle. Differentiable in the mass and the
        width.

        Args:
            mass: Mass of X [GeV]; clamped to the nodes.
            decay_width: Total width of X [GeV], >= 0.

        Returns:
            $\ln P_{esc} \le 0$ and $\partial\ln P_{esc}/\partial z_{end}$ [1/m].
        """
        rate = mass * decay_width / HBAR_C
        is_stable = ~(rate > jnp.exp(_LOG_STABLE))
        v = jnp.log(jnp.where(is_stable, 1.0, rate))
        beyond = v - jnp.clip(v, self.table.y[0], self.table.y[-1])
        g, h = self.table(mass, v) + beyond
        return (
            jnp.where(is_stable, 0.0, -jnp.exp(g)),
            jnp.where(is_stable, 0.0, -jnp.exp(h)),
        )
