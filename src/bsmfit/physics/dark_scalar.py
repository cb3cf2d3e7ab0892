r"""The Higgs-mixed scalar as a mediator: lifetime, branching ratios, production.

$\mathcal L = -\sin\theta\,(m_f/v)\,S\bar ff$ and the corresponding couplings to W
and Z: every rate is $\sin^2\theta$ times that of a Higgs boson of the same mass.
Production is by $K^+\to\pi^+S$, up to 0.354 GeV, and in a beam dump by kaons, up to
0.363 GeV, and B mesons, up to 4.8 GeV; which of them, and with what coefficients, is a
choice (a preset of the card).
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.beauty_to_strange import (
    BEAUTY_PROCESSES,
    beauty_scalar_branching_ratio,
)
from bsmfit.physics.dark_photon_width import fractions
from bsmfit.physics.dump_kaons import (
    DUMP_KAON_PROCESSES,
    dump_kaon_scalar_branching_ratio,
)
from bsmfit.physics.kaon_to_pion import KAON_TO_PION, scalar_branching_ratio
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.scalar_width import ScalarWidths, by_charge

__all__ = ["DARK_SCALAR_PROCESSES", "DarkScalar"]

DARK_SCALAR_PROCESSES = (KAON_TO_PION, *DUMP_KAON_PROCESSES, *BEAUTY_PROCESSES)
"""Every production process of a Higgs-mixed scalar, by name."""


class DarkScalar(eqx.Module):
    """A scalar that mixes with the Higgs boson, made in decays of kaons and B mesons.

    Attributes:
        coefficient: $C_K$ of BR(K+ -> pi+ S) [1], a choice of the preset.
        widths: Partial widths at unit mixing.
        processes: Production processes, out of `DARK_SCALAR_PROCESSES`.
        beauty_coefficient: $C_B$ of BR(B -> K S) [1], needed by processes of B mesons.
    """

    coefficient: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    widths: ScalarWidths
    processes: tuple[str, ...] = eqx.field(static=True, default=(KAON_TO_PION,))
    beauty_coefficient: Float[Array, ""] | None = eqx.field(
        converter=lambda value: None if value is None else jnp.asarray(value),
        default=None,
    )

    def __check_init__(self) -> None:
        for process in self.processes:
            if process not in DARK_SCALAR_PROCESSES:
                kind = "production process"
                raise UnknownNameError.from_choices(
                    kind, process, DARK_SCALAR_PROCESSES
                )
        if self.beauty_coefficient is None and set(self.processes) & set(
            BEAUTY_PROCESSES
        ):
            msg = "production by B mesons needs beauty_coefficient, C_B of BR(B -> K S)"
            raise InputError(msg)

    def __call__(
        self, mass: Float[Array, ""], mixing_squared: Float[Array, ""]
    ) -> Mediator:
        r"""The scalar at one point.

        Args:
            mass: Mass [GeV], 1.1 MeV to 4 GeV.
            mixing_squared: $\sin^2\theta$, > 0.

        Returns:
            The mediator.
        """
        # At unit mixing the widths depend on the mass alone: once per mass in a scan.
        widths = by_charge(self.widths.by_final_state(mass))
        unit_width = sum(widths.values(), start=jnp.zeros_like(mass))
        return Mediator(
            mass=mass,
            decay_width=mixing_squared * unit_width,
            branching_ratios=fractions(widths),
            production={
                process: mixing_squared * self._unit_ratio(process, mass)
                for process in self.processes
            },
        )

    def _unit_ratio(self, process: str, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Branching ratio of the parent at unit mixing."""
        if self.beauty_coefficient is not None and process in BEAUTY_PROCESSES:
            return beauty_scalar_branching_ratio(
                process, mass, coefficient=self.beauty_coefficient
            )
        if process in DUMP_KAON_PROCESSES:
            return dump_kaon_scalar_branching_ratio(
                process, mass, coefficient=self.coefficient
            )
        return scalar_branching_ratio(mass, coefficient=self.coefficient)
