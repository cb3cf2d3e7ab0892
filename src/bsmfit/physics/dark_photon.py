r"""The dark photon as a mediator: lifetime, branching ratios, production strengths.

$\mathcal L = \epsilon e A'_\mu J^\mu_{em}$: every rate is $\epsilon^2$ times that of an
off-shell photon. The production processes and the form factor are choices (a preset of
the model card), fixed when the model is made.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.bremsstrahlung import BLUEMLEIN_BRUNNER_PROCESSES
from bsmfit.physics.dark_photon_width import exclusive_widths, fractions
from bsmfit.physics.gauge_invariant_bremsstrahlung import GAUGE_INVARIANT
from bsmfit.physics.hadronic_ratio import HadronicRatio
from bsmfit.physics.kaon_to_pion import KAON_TO_PION
from bsmfit.physics.kaon_vector_form_factor import vector_branching_ratio
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.meson_decay import MESON_DECAYS, meson_branching_ratio
from bsmfit.physics.proton_form_factor import (
    TabulatedFormFactor,
    vmd_form_factor_squared,
)
from bsmfit.physics.vector_mixing import VECTOR_MIXINGS, mixing_squared

__all__ = ["DARK_PHOTON_PROCESSES", "FORM_FACTORS", "DarkPhoton"]

DARK_PHOTON_PROCESSES = (
    *BLUEMLEIN_BRUNNER_PROCESSES,
    GAUGE_INVARIANT,
    *MESON_DECAYS,
    *VECTOR_MIXINGS,
)
"""Every production process of a dark photon in a beam dump, by name; a dark photon
made in kaon decays has the process "kaon-to-pion"."""

_PROCESSES = (*DARK_PHOTON_PROCESSES, KAON_TO_PION)


FORM_FACTORS = ("none", "vmd", "ua")
"""Time-like form factors: none, vector-meson dominance for Bluemlein-Brunner, and the
unitary and analytic one, which is part of the gauge-invariant process."""


class DarkPhoton(eqx.Module):
    """A dark photon with a fixed choice of production processes.

    Attributes:
        processes: Production processes, out of `DARK_PHOTON_PROCESSES` and
            ``"kaon-to-pion"``.
        form_factor: Time-like form factor, out of `FORM_FACTORS`; ``"vmd"`` multiplies
            the rate of Bluemlein-Brunner bremsstrahlung.
        hadronic_ratio: R(m) for the width into hadrons.
        proton_form_factor: Tabulated Dirac and Pauli form factors, needed by the
            gauge-invariant bremsstrahlung only.
    """

    processes: tuple[str, ...] = eqx.field(static=True)
    form_factor: str = eqx.field(static=True)
    hadronic_ratio: HadronicRatio
    proton_form_factor: TabulatedFormFactor | None = None

    def __check_init__(self) -> None:
        for process in self.processes:
            if process not in _PROCESSES:
                kind = "production process"
                raise UnknownNameError.from_choices(kind, process, _PROCESSES)
        if self.form_factor not in FORM_FACTORS:
            kind = "form factor"
            raise UnknownNameError.from_choices(kind, self.form_factor, FORM_FACTORS)
        if GAUGE_INVARIANT in self.processes and self.proton_form_factor is None:
            msg = f"{GAUGE_INVARIANT!r} needs a table of the proton form factors"
            raise InputError(msg)

    def __call__(self, mass: Float[Array, ""], mixing: Float[Array, ""]) -> Mediator:
        """The dark photon at one point.

        Args:
            mass: Mass [GeV], 1 MeV to 2 GeV.
            mixing: Kinetic mixing epsilon, > 0.

        Returns:
            The mediator.
        """
        # At unit mixing the widths depend on the mass alone: once per mass in a scan.
        widths = exclusive_widths(
            mass, jnp.ones_like(mass), hadronic_ratio=self.hadronic_ratio
        )
        unit_width = sum(widths.values(), start=jnp.zeros_like(mass))
        return Mediator(
            mass=mass,
            decay_width=mixing**2 * unit_width,
            branching_ratios=fractions(widths),
            production={
                process: mixing**2 * self._unit_strength(process, mass)
                for process in self.processes
            },
        )

    def _unit_strength(self, process: str, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Production strength at unit mixing."""
        if process in MESON_DECAYS:
            return meson_branching_ratio(MESON_DECAYS[process], mass)
        if process == KAON_TO_PION:
            return vector_branching_ratio(mass)
        if process in VECTOR_MIXINGS:
            return mixing_squared(VECTOR_MIXINGS[process], mass)
        if process == GAUGE_INVARIANT and self.proton_form_factor is not None:
            dirac, _ = self.proton_form_factor(mass)
            return dirac.real**2 + dirac.imaginary**2
        if self.form_factor == "vmd":
            return vmd_form_factor_squared(mass)
        return jnp.ones_like(mass)
