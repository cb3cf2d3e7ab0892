r"""The Higgs-mixed scalar as a mediator: lifetime, branching ratios, production.

$\mathcal L = -\sin\theta\,(m_f/v)\,S\bar ff$ and the corresponding couplings to W
and Z: every rate is $\sin^2\theta$ times that of a Higgs boson of the same mass.
Production is by $K^+\to\pi^+S$ alone, so that none is left above 0.354 GeV.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.physics.dark_photon_width import fractions
from bsmfit.physics.kaon_to_pion import KAON_TO_PION, scalar_branching_ratio
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.scalar_width import ScalarWidths

__all__ = ["DarkScalar"]


class DarkScalar(eqx.Module):
    """A scalar that mixes with the Higgs boson, made in kaon decays.

    Attributes:
        coefficient: $C_K$ of BR(K+ -> pi+ S) [1], a choice of the preset.
        widths: Partial widths at unit mixing.
    """

    coefficient: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    widths: ScalarWidths

    def __call__(
        self, mass: Float[Array, ""], mixing_squared: Float[Array, ""]
    ) -> Mediator:
        r"""The scalar at one point.

        Args:
            mass: Mass [GeV], 1.1 MeV to 2 GeV.
            mixing_squared: $\sin^2\theta$, > 0.

        Returns:
            The mediator.
        """
        # At unit mixing the widths depend on the mass alone: once per mass in a scan.
        widths = self.widths.by_final_state(mass)
        unit_width = sum(widths.values(), start=jnp.zeros_like(mass))
        unit_ratio = scalar_branching_ratio(mass, coefficient=self.coefficient)
        return Mediator(
            mass=mass,
            decay_width=mixing_squared * unit_width,
            branching_ratios=fractions(widths),
            production={KAON_TO_PION: mixing_squared * unit_ratio},
        )
