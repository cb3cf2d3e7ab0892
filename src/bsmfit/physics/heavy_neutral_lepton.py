r"""A heavy neutral lepton as a mediator: lifetime, branching ratios, production.

$\nu_\ell = \dots + U_{\ell4}N$: every weak interaction of the neutrino of one flavour
is one of N, times $U_{\ell4}$. The coupling of the model is $|U_{\ell4}|^2$: production
in $K^+\to\ell^+N$ (and $\pi^+\to e^+N$) and the width of N are proportional to it.

A Majorana N decays to both charges of a pion. So it makes $K^+\to\pi^-\ell^+\ell^+$,

$$BR = BR(K^+\to\ell^+N)\,BR(N\to\pi^-\ell^+)\,P,$$

for which the searches look with all three tracks from one vertex. P is the
probability that the decay of N passes for that of the kaon, by the model of
`DisplacedVertex`. The strength of this process is thus the branching ratio that a
search for the prompt decay would see, with its acceptance for three-body phase space.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import KAON_CHARGED_MASS
from bsmfit.physics.dark_photon_width import fractions
from bsmfit.physics.flight import decay_within, lab_spectrum
from bsmfit.physics.heavy_neutral_lepton_production import (
    LEPTON_MASSES,
    LEPTONIC_DECAYS,
    unit_branching_ratio,
)
from bsmfit.physics.heavy_neutral_lepton_width import unit_widths
from bsmfit.physics.mediator import Mediator

__all__ = [
    "HEAVY_NEUTRAL_LEPTON_PROCESSES",
    "SAME_SIGN_PROCESSES",
    "DisplacedVertex",
    "HeavyNeutralLepton",
]

SAME_SIGN_PROCESSES = {
    "electron": "kaon-to-pi-minus-e-e",
    "muon": "kaon-to-pi-minus-mu-mu",
}
"""The decay of the kaon that violates lepton number, by flavour."""

HEAVY_NEUTRAL_LEPTON_PROCESSES = (*LEPTONIC_DECAYS, *SAME_SIGN_PROCESSES.values())
"""Production processes of this model, by name."""

_CHARGED = {"electron": "pi_e", "muon": "pi_mu"}
_FROM_KAON = {"electron": "kaon-to-e-n", "muon": "kaon-to-mu-n"}


class DisplacedVertex(eqx.Module):
    r"""Which decays of N pass for a decay at the vertex of the kaon: an assumption.

    Those within a length L of it, whatever the kinematics:
    $P = \langle1-e^{-Lm\Gamma/(p\hbar c)}\rangle$, over the momenta p of N from a kaon
    of the beam.

    Attributes:
        length: L [m].
        kaon_momentum: Momentum of the kaons [GeV].
    """

    length: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    kaon_momentum: float = eqx.field(static=True)

    def probability(
        self,
        mass: Float[Array, ""],
        decay_width: Float[Array, ""],
        *,
        lepton_mass: float,
    ) -> Float[Array, ""]:
        """Probability that the decay of N passes.

        Args:
            mass: Mass of N [GeV].
            decay_width: Total width of N [GeV].
            lepton_mass: Mass of the lepton that N is made with [GeV].

        Returns:
            Probability [1].
        """
        spectrum = lab_spectrum(
            mass,
            parent_mass=KAON_CHARGED_MASS,
            recoil_mass=lepton_mass,
            parent_momentum=self.kaon_momentum,
        )
        return decay_within(
            self.length, mass=mass, decay_width=decay_width, spectrum=spectrum
        )


class HeavyNeutralLepton(eqx.Module):
    """A heavy neutral lepton that mixes with one flavour.

    Attributes:
        processes: Production processes, of `HEAVY_NEUTRAL_LEPTON_PROCESSES`, all of
            the flavour.
        flavour: ``"electron"`` or ``"muon"``.
        is_majorana: Whether N is its own antiparticle: twice the width, and kaon decays
            that violate lepton number.
        vertex: Which decays of N pass for decays of the kaon.
    """

    processes: tuple[str, ...] = eqx.field(static=True)
    flavour: str = eqx.field(static=True)
    is_majorana: bool = eqx.field(static=True)
    vertex: DisplacedVertex

    def __call__(
        self, mass: Float[Array, ""], mixing_squared: Float[Array, ""]
    ) -> Mediator:
        r"""The heavy neutral lepton at one point.

        Args:
            mass: Mass [GeV], > 0, below that of the kaon.
            mixing_squared: $|U_{\ell4}|^2$, > 0.

        Returns:
            The mediator.
        """
        # At unit mixing the widths depend on the mass alone: once per mass in a scan.
        widths = unit_widths(mass, flavour=self.flavour)
        unit_width = sum(widths.values(), start=jnp.zeros_like(mass))
        n_charge = 2.0 if self.is_majorana else 1.0
        decay_width = n_charge * unit_width * mixing_squared
        shares = fractions(widths)
        strengths = {
            process: mixing_squared * unit_branching_ratio(process, mass)
            for process in self.processes
            if process in LEPTONIC_DECAYS
        }
        same_sign = SAME_SIGN_PROCESSES[self.flavour]
        if same_sign in self.processes:
            made = unit_branching_ratio(_FROM_KAON[self.flavour], mass)
            passes = self.vertex.probability(
                mass, decay_width, lepton_mass=LEPTON_MASSES[self.flavour]
            )
            # of the decays of a Majorana N to a charged pion one half is to this charge
            share = shares[_CHARGED[self.flavour]] / n_charge
            share = share if self.is_majorana else jnp.zeros_like(share)
            strengths[same_sign] = mixing_squared * made * share * passes
        return Mediator(
            mass=mass,
            decay_width=decay_width,
            branching_ratios=shares,
            production=strengths,
        )
