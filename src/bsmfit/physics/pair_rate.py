r"""Models whose coupling is a branching ratio: limits on $K^+\to\pi^+aa$ as a map.

The rate of the decay into two pairs is the coordinate itself, and the particle decays
into electrons after a fixed proper length. For limits against one or two masses without
a theory.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import HBAR_C
from bsmfit.physics.axion_pair import AXION_PAIR
from bsmfit.physics.dark_cascade import CASCADE, CascadeMasses, CascadeMediator
from bsmfit.physics.mediator import Mediator

__all__ = ["AxionPairRate", "CascadeRate"]


class AxionPairRate(eqx.Module):
    """Two particles of one mass, made at a given rate.

    Attributes:
        decay_length: Proper decay length [m].
    """

    decay_length: float | Float[Array, ""]

    def __call__(self, mass: Float[Array, ""], ratio: Float[Array, ""]) -> Mediator:
        """The particle at one point.

        Args:
            mass: Mass [GeV].
            ratio: BR(K+ -> pi+ a a) BR(a -> e+ e-)^2.

        Returns:
            The mediator.
        """
        one = jnp.ones_like(mass)
        width = one * (HBAR_C / self.decay_length)
        return Mediator(mass, width, {"ee": one}, {AXION_PAIR: ratio})


class CascadeRate(eqx.Module):
    """A scalar and two dark photons, made at a given rate; the scalar is prompt.

    Attributes:
        masses: Which mass is the axis.
        decay_length: Proper decay length of the dark photon [m].
    """

    masses: CascadeMasses
    decay_length: float | Float[Array, ""]

    def __call__(
        self, mass: Float[Array, ""], ratio: Float[Array, ""]
    ) -> CascadeMediator:
        """The particles at one point.

        Args:
            mass: Mass of the axis [GeV].
            ratio: BR(K+ -> pi+ S) BR(S -> A' A') BR(A' -> e+ e-)^2.

        Returns:
            The mediator; nothing is made where $m_S < 2m_{A'}$.
        """
        scalar_mass, photon_mass = self.masses(mass)
        one = jnp.ones_like(mass)
        width = one * (HBAR_C / self.decay_length)
        is_open = scalar_mass > 2.0 * photon_mass
        return CascadeMediator(
            mass=mass,
            decay_width=width,
            branching_ratios={"ee": one},
            production={CASCADE: jnp.where(is_open, ratio, 0.0)},
            scalar_mass=scalar_mass,
            scalar_width=one,
            photon_mass=photon_mass,
            photon_width=width,
            electron_share=one,
        )
