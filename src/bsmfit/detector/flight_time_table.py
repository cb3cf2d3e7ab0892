r"""How the efficiency of a search falls with the lifetime, from its published limits.

A search of which limits are published for several lifetimes $\tau$ loses

$$\frac{UL(\tau_0)}{UL(\tau)} = \begin{cases}
  1-e^{-T/\tau} & \text{sees decays},\ \tau_0\to0\\
  e^{-T/\tau} & \text{sees what does not decay},\ \tau_0\to\infty
\end{cases}$$

of its signal: one *flight time* T in the rest frame, $T = Lm/(pc)$ for a detector of
length L, solves this at each published point. T hardly depends on the lifetime where
limits differ by a factor of a thousand, so T is what is interpolated: linearly in the
mass and in $\ln\tau$. Beyond the published lifetimes T is held. For decays this makes
limits that grow linearly with $\tau$, and reach the prompt one for $\tau\to0$. For what
must not decay it is cautious at short lifetimes: T, the mean of paths that are not all
alike, can only fall.
"""

from __future__ import annotations

from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import HBAR

__all__ = ["FlightTimeTable"]

_LOG_NEVER: Final = -1.0e5
"""Log of the probability that a stable particle decays: zero, without infinities."""


class FlightTimeTable(eqx.Module):
    """Flight times by mass and lifetime.

    Attributes:
        masses: Nodes [GeV], increasing.
        log_lifetimes: ln of the proper lifetimes [s] of the columns, increasing.
        times: Flight times [s], >= 0.
        sees_decays: Whether the search sees decays, or what does not decay.
    """

    masses: Float[Array, " n_mass"]
    log_lifetimes: Float[Array, " n_lifetime"]
    times: Float[Array, "n_mass n_lifetime"]
    sees_decays: bool = eqx.field(static=True)

    def flight_time(
        self, mass: Float[Array, ""], log_lifetime: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Flight time at one point, held beyond the table.

        Args:
            mass: Mass of the particle [GeV].
            log_lifetime: ln of its proper lifetime [s].

        Returns:
            Proper time [s].
        """
        at_mass = jax.vmap(
            lambda column: jnp.interp(mass, self.masses, column), in_axes=1
        )(self.times)
        return jnp.interp(log_lifetime, self.log_lifetimes, at_mass)

    def log_probability(
        self, mass: Float[Array, ""], decay_width: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Log of the efficiency over that for the lifetime of the published curve.

        Differentiable in the mass and the width.

        Args:
            mass: Mass of the particle [GeV].
            decay_width: Its total width [GeV], >= 0; 0 for a stable particle.

        Returns:
            The logarithm, <= 0.
        """
        is_unstable = decay_width > 0.0
        width = jnp.where(is_unstable, decay_width, 1.0)
        time = self.flight_time(mass, jnp.log(HBAR / width))
        exponent = width * time / HBAR
        if not self.sees_decays:
            return jnp.where(is_unstable, -exponent, 0.0)
        can_decay = is_unstable & (exponent > 0.0)
        share = -jnp.expm1(-jnp.where(can_decay, exponent, 1.0))
        return jnp.where(can_decay, jnp.log(share), _LOG_NEVER)
