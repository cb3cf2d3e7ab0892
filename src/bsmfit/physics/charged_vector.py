r"""A vector with any charges as a mediator: lifetime, branching ratios, production.

Every rate is that of a dark photon with other charges, `vector_charges` in units of e:

| process | factor on the rate of a dark photon |
|---|---|
| proton bremsstrahlung | $(2y_u+y_d)^2$; with form factor each pole its own |
| $\pi^0\to\gamma X$ | $(2y_u+y_d)^2$ |
| $\eta\to\gamma X$ | $[\tfrac34(2y_u-y_d+y_s)]^2$ |
| $\eta'\to\gamma X$ | $[\tfrac37(2y_u-y_d-2y_s)]^2$ |
| $\omega\to\pi^0X$, $\rho\to\eta X$ | $a_\rho^2$ |
| $\phi\to\eta X$ | $a_\phi^2$ |
| mixing with V | $a_V^2$ |
| leptons, neutrinos | $y_\ell^2$, $\tfrac12\sum y_\nu^2$ |
| hadrons | $a_\rho$, $a_\omega$, $a_\phi$ of each final state |

The traces of $T_P T_\gamma Q_X$ and $T_V Q_X$ are those of arXiv:1801.04847, with
$T_\eta = diag(1,1,-1)/\sqrt6$ and $T_{\eta'} = diag(1,1,2)/2\sqrt3$.
"""

from __future__ import annotations

from typing import Final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import ELECTRON_MASS, MUON_MASS
from bsmfit.errors import UnknownNameError
from bsmfit.physics.bremsstrahlung import BLUEMLEIN_BRUNNER_PROCESSES
from bsmfit.physics.dark_photon_width import fractions
from bsmfit.physics.fermion_charges import KaonAmplitude
from bsmfit.physics.hadronic_final_states import hadronic_ratios
from bsmfit.physics.hadronic_ratio import HadronicRatio
from bsmfit.physics.kaon_to_pion import KAON_TO_PION
from bsmfit.physics.kaon_vector_form_factor import vector_branching_ratio
from bsmfit.physics.leptonic_width import leptonic_width, massless_lepton_width
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.meson_decay import MESON_DECAYS, meson_branching_ratio
from bsmfit.physics.proton_form_factor import vmd_form_factor_squared
from bsmfit.physics.vector_charges import FermionCharges, VectorCharges
from bsmfit.physics.vector_mixing import VECTOR_MIXINGS, mixing_squared

__all__ = [
    "CHARGED_VECTOR_PROCESSES",
    "ChargedVector",
    "charged_vector_widths",
]

CHARGED_VECTOR_PROCESSES: Final = (
    *BLUEMLEIN_BRUNNER_PROCESSES,
    *MESON_DECAYS,
    *VECTOR_MIXINGS,
    KAON_TO_PION,
)
"""Production processes of a vector with any charges, by name. The gauge-invariant
bremsstrahlung is not among them: its form factors are tabulated for the photon."""


def charged_vector_widths(
    mass: Float[Array, ""], charges: FermionCharges, *, hadronic_ratio: HadronicRatio
) -> dict[str, Float[Array, ""]]:
    r"""Widths of a vector at unit coupling.

    $$\Gamma_{\ell\ell} = \tfrac13\alpha\,y_\ell^2 m\sqrt{1-4x}\,(1+2x), \qquad
      \Gamma_{\nu\nu} = \tfrac16\alpha\,m\sum y_\nu^2, \qquad
      \Gamma_f = R_f(m; a_\rho, a_\omega, a_\phi)\,\tfrac13\alpha\,m$$

    Args:
        mass: Mass of the vector [GeV], 0.001 to 2.
        charges: Charges in units of e.
        hadronic_ratio: R(m) of the photon by final state.

    Returns:
        Partial width [GeV] by final state: ``"ee"``, ``"mumu"``, hadrons and
        ``"invisible"``, the neutrinos; a closed one is exactly 0.

    References:
        arXiv:1801.04847, eqs. (2.13) to (2.18) as numbered in its code.
    """
    unit = massless_lepton_width(mass, jnp.ones_like(mass))
    ratios = hadronic_ratios(
        mass, hadronic_ratio=hadronic_ratio, couplings=charges.mesons
    )
    return {
        "ee": leptonic_width(mass, charges["electron"], lepton_mass=ELECTRON_MASS),
        "mumu": leptonic_width(mass, charges["muon"], lepton_mass=MUON_MASS),
        **{name: ratio * unit for name, ratio in ratios.items()},
        "invisible": 0.5 * charges.neutrinos_squared * unit,
    }


class ChargedVector(eqx.Module):
    """A vector with a fixed choice of charges and production processes.

    Attributes:
        charges: Charges of the fermions.
        processes: Production processes, out of `CHARGED_VECTOR_PROCESSES`.
        form_factor: "none", or "vmd" for the time-like form factor of the proton in
            Bluemlein-Brunner bremsstrahlung.
        hadronic_ratio: R(m) of the photon by final state.
        kaon_amplitude: Amplitude of K+ -> pi+ X.
    """

    charges: VectorCharges
    hadronic_ratio: HadronicRatio
    processes: tuple[str, ...] = eqx.field(static=True)
    form_factor: str = eqx.field(static=True, default="none")
    kaon_amplitude: KaonAmplitude = eqx.field(static=True, default="electromagnetic")

    def __check_init__(self) -> None:
        for process in self.processes:
            if process not in CHARGED_VECTOR_PROCESSES:
                kind = "production process"
                known = CHARGED_VECTOR_PROCESSES
                raise UnknownNameError.from_choices(kind, process, known)
        if self.form_factor not in ("none", "vmd"):
            kind = "form factor"
            raise UnknownNameError.from_choices(kind, self.form_factor, ("none", "vmd"))

    def __call__(self, mass: Float[Array, ""], coupling: Float[Array, ""]) -> Mediator:
        """The vector at one point.

        Args:
            mass: Mass [GeV], 1 MeV to 2 GeV.
            coupling: Coupling, in units of e where the charges are, > 0.

        Returns:
            The mediator.
        """
        charges = self.charges.at(mass)
        widths = charged_vector_widths(
            mass, charges, hadronic_ratio=self.hadronic_ratio
        )
        unit_width = sum(widths.values(), start=jnp.zeros_like(mass))
        return Mediator(
            mass=mass,
            decay_width=coupling**2 * unit_width,
            branching_ratios=fractions(widths),
            production={
                process: coupling**2 * self._unit_strength(process, mass, charges)
                for process in self.processes
            },
        )

    def _unit_strength(
        self, process: str, mass: Float[Array, ""], charges: FermionCharges
    ) -> Float[Array, ""]:
        """Production strength at unit coupling."""
        if process in MESON_DECAYS:
            ratio = meson_branching_ratio(MESON_DECAYS[process], mass)
            return _decay_factor(process, charges) ** 2 * ratio
        if process in VECTOR_MIXINGS:
            vector = VECTOR_MIXINGS[process]
            strength = getattr(charges.mesons, vector.meson)
            return strength**2 * mixing_squared(vector, mass)
        if process == KAON_TO_PION:
            # 1 for electric charges; the same where all quark charges are alike
            charge = (
                charges.mesons.rho
                if self.kaon_amplitude == "electromagnetic"
                else 1.5 * charges["up"]
            )
            return charge**2 * vector_branching_ratio(mass)
        if self.form_factor == "vmd":
            return vmd_form_factor_squared(mass, couplings=charges.mesons)
        return charges.proton**2 * jnp.ones_like(mass)


def _decay_factor(process: str, charges: FermionCharges) -> Float[Array, ""]:
    """Amplitude of the decay of a meson over that with electric charges."""
    up, down, strange = (charges[name] for name in ("up", "down", "strange"))
    return {
        "pi0-decay": 2.0 * up + down,
        "eta-decay": 0.75 * (2.0 * up - down + strange),
        "eta-prime-decay": 3.0 / 7.0 * (2.0 * up - down - 2.0 * strange),
        "omega-decay": up - down,
        "rho-decay": up - down,
        "phi-decay": -3.0 * strange,
    }[process]
