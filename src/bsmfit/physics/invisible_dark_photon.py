r"""A dark photon that decays to a dark sector and leaves no trace.

Where the dark photon is heavier than a pair of dark-sector particles it decays to them
as strongly as their coupling $\alpha_D$ says, and the decays to standard-model
particles, smaller by $\epsilon^2\alpha/\alpha_D$, are left out.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.physics.kaon_to_pion import KAON_TO_PION
from bsmfit.physics.kaon_vector_form_factor import vector_branching_ratio
from bsmfit.physics.mediator import Mediator

__all__ = ["InvisibleDarkPhoton"]


class InvisibleDarkPhoton(eqx.Module):
    r"""A dark photon with one invisible final state, made in kaon decays.

    $$\Gamma = \tfrac13\,\alpha_D\,m_{A'},$$

    one pair of massless dark fermions. No search that looks for missing energy depends
    on the width.

    Attributes:
        dark_coupling: $\alpha_D$ [1], > 0; any value gives the same limits. The
            default is a choice [assumed].
    """

    dark_coupling: float = eqx.field(static=True, default=0.1)

    def __call__(self, mass: Float[Array, ""], mixing: Float[Array, ""]) -> Mediator:
        """The dark photon at one point.

        Args:
            mass: Mass [GeV], > 0.
            mixing: Kinetic mixing epsilon, > 0.

        Returns:
            The mediator.
        """
        return Mediator(
            mass=mass,
            decay_width=self.dark_coupling * mass / 3.0,
            branching_ratios={"invisible": jnp.ones_like(mass)},
            production={KAON_TO_PION: mixing**2 * vector_branching_ratio(mass)},
        )
