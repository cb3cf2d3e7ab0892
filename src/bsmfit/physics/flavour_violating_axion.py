r"""A stable axion with a flavour-violating coupling to strange and down quarks.

$\mathcal L = \partial_\mu a\,\bar d\gamma^\mu(1/F_V + \gamma_5/F_A)s$. The decay
$K^+\to\pi^+a$ measures $F_V$ alone. The coupling of this model is the scale $F_V$
itself, in GeV: rates fall with its square, and what is excluded lies below the limit.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.physics.kaon_to_pion import KAON_TO_PION, axion_branching_ratio
from bsmfit.physics.mediator import Mediator

__all__ = ["FlavourViolatingAxion"]


class FlavourViolatingAxion(eqx.Module):
    """An axion that lives longer than any detector is long: no width, invisible."""

    def __call__(
        self, mass: Float[Array, ""], decay_constant: Float[Array, ""]
    ) -> Mediator:
        """The axion at one point.

        Args:
            mass: Mass [GeV], > 0.
            decay_constant: Scale F_V of the vector coupling [GeV], > 0.

        Returns:
            The mediator.
        """
        return Mediator(
            mass=mass,
            decay_width=jnp.zeros_like(mass),
            branching_ratios={"invisible": jnp.ones_like(mass)},
            production={KAON_TO_PION: axion_branching_ratio(mass, decay_constant)},
        )
