r"""An axion-like particle as a mediator: lifetime, branching ratios, production.

$$\mathcal L(\Lambda) = \frac af\Big[c_{GG}\frac{\alpha_s}{4\pi}G\tilde G
  + c_{WW}\frac{\alpha_2}{4\pi}W\tilde W + c_{BB}\frac{\alpha_1}{4\pi}B\tilde B\Big]
  + \frac{\partial_\mu a}{f}\sum_\psi\frac{c_{\psi\psi}}2
    \bar\psi\gamma^\mu\gamma_5\psi$$

The direction $(c_{GG}, c_{WW}, c_{BB}, c_{ff})$ is fixed at $\Lambda$ and the length of
the vector is scanned (`bsmfit.physics.alp_couplings`). Every rate is $1/f^2$ times a
function of the mass. It is made in K+ -> pi+ a and B -> K(*) a
(`bsmfit.physics.alp_production`) and, in a dump, in place of neutral mesons and by
photons at nuclei (`bsmfit.physics.alp_dump_production`).
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.argument import choice
from bsmfit.errors import UnknownNameError
from bsmfit.physics.alp_couplings import (
    LowEnergyCouplings,
    inverse_decay_constant,
)
from bsmfit.physics.alp_couplings_at_scale import SCANNED_COUPLINGS
from bsmfit.physics.alp_dump_production import (
    ALP_DUMP_PROCESSES,
    alp_dump_strength,
)
from bsmfit.physics.alp_production import ALP_PROCESSES, alp_branching_ratio
from bsmfit.physics.alp_widths import PHOTONS, AlpWidths
from bsmfit.physics.dark_photon_width import fractions
from bsmfit.physics.mediator import Mediator

__all__ = ["AXION_LIKE_PROCESSES", "AxionLikeParticle"]

AXION_LIKE_PROCESSES = (*ALP_PROCESSES, *ALP_DUMP_PROCESSES)
"""Production processes of an axion-like particle, by name."""


class AxionLikeParticle(eqx.Module):
    r"""An axion-like particle, made in decays, by mixing and by photons.

    Attributes:
        couplings: Couplings at 2 GeV.
        widths: Partial widths.
        scale: Scale of new physics $\Lambda$ [GeV].
        scanned: What the second argument is, out of
            `bsmfit.physics.alp_couplings_at_scale.SCANNED_COUPLINGS`.
        processes: Production processes, out of
            `AXION_LIKE_PROCESSES`.
    """

    couplings: LowEnergyCouplings
    widths: AlpWidths
    scale: float = eqx.field(static=True)
    scanned: str = eqx.field(static=True)
    processes: tuple[str, ...] = eqx.field(static=True)

    @classmethod
    def from_scale(
        cls,
        couplings: Mapping[str, float],
        widths: AlpWidths,
        *,
        scale: float,
        scanned: str = "decay_constant",
        processes: tuple[str, ...] = AXION_LIKE_PROCESSES,
    ) -> AxionLikeParticle:
        r"""Run couplings from the scale of new physics down to 2 GeV.

        Args:
            couplings: Couplings at $\Lambda$ by name of
                `bsmfit.physics.alp_couplings_at_scale.COUPLINGS`, those that are not 0.
            widths: Partial widths.
            scale: $\Lambda$ [GeV], 246 to 1e15.
            scanned: What the coupling of the model is.
            processes: Production processes.

        Returns:
            The function of mass and coupling.

        Raises:
            InputError: All couplings are 0, or a scale below the electroweak one.
            UnknownNameError: An unknown coupling or process.
        """
        choice("scanned coupling", scanned, SCANNED_COUPLINGS)
        for process in processes:
            if process not in AXION_LIKE_PROCESSES:
                kind = "production process"
                known = AXION_LIKE_PROCESSES
                raise UnknownNameError.from_choices(kind, process, known)
        low = LowEnergyCouplings.from_scale(couplings, scale=scale)
        return cls(low, widths, scale, scanned, tuple(processes))

    def __call__(self, mass: Float[Array, ""], coupling: Float[Array, ""]) -> Mediator:
        """The particle at one point.

        Args:
            mass: Mass [GeV], 0.001 to 3, outside the windows around neutral mesons.
            coupling: The scanned coupling, > 0.

        Returns:
            The mediator.
        """
        inverse = inverse_decay_constant(coupling, self.scanned, scale=self.scale)
        # at f = 1 GeV all depends on the mass alone: once per mass in a scan
        widths = self.widths.by_final_state(mass, self.couplings)
        unit_width = sum(widths.values(), start=jnp.zeros_like(mass))
        return Mediator(
            mass=mass,
            decay_width=inverse**2 * unit_width,
            branching_ratios=fractions(widths),
            production={
                process: inverse**2 * self._strength(process, mass, widths[PHOTONS])
                for process in self.processes
            },
        )

    def _strength(
        self, process: str, mass: Float[Array, ""], photon_width: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Strength of a process at f = 1 GeV."""
        if process in ALP_DUMP_PROCESSES:
            return alp_dump_strength(
                process, mass, self.couplings, photon_width=photon_width
            )
        return alp_branching_ratio(process, mass, self.couplings)
