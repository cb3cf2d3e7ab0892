r"""Heavy neutral leptons from two-body decays of charged mesons: $P^+\to\ell^+N$.

N mixes with the neutrino of flavour $\ell$. The decay is that to a neutrino with
another mass, so that its rate follows from the measured one:

$$\frac{BR(P^+\to\ell^+N)}{BR(P^+\to\ell^+\nu)} = |U_{\ell4}|^2\rho,\qquad
  \rho = \frac{[x+y-(x-y)^2]\,\lambda^{1/2}(1,x,y)}{x\,(1-x)^2},\quad
  x = \frac{m_\ell^2}{m_P^2},\ y = \frac{m_N^2}{m_P^2}.$$

The first factor is the helicity of the lepton, by which $\rho$ reaches $10^5$ for
electrons; the second is phase space.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ELECTRON_MASS,
    KAON_CHARGED_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.physics.meson_decay import two_body_momentum

__all__ = [
    "LEPTONIC_DECAYS",
    "LEPTON_MASSES",
    "LeptonicDecay",
    "mass_enhancement",
    "unit_branching_ratio",
]

LEPTON_MASSES: Final = MappingProxyType({"electron": ELECTRON_MASS, "muon": MUON_MASS})
"""Mass of the charged lepton by flavour [GeV]."""


@dataclass(frozen=True)
class LeptonicDecay:
    """A decay of a charged meson into a lepton and a neutrino.

    Attributes:
        process: Name of the production process of N, whose strength is its branching
            ratio.
        flavour: Flavour of the lepton, ``"electron"`` or ``"muon"``.
        parent_mass: Mass of the meson [GeV].
        branching_ratio: Branching ratio into a massless neutrino.
        source: Where the branching ratio comes from.
    """

    process: str
    flavour: str
    parent_mass: float
    branching_ratio: float
    source: str

    @property
    def lepton_mass(self) -> float:
        """Mass of the lepton [GeV]."""
        return LEPTON_MASSES[self.flavour]


_PDG: Final = "PDG (Navas:2024vhm) [published]"

LEPTONIC_DECAYS: Final = MappingProxyType(
    {
        decay.process: decay
        for decay in (
            LeptonicDecay("kaon-to-e-n", "electron", KAON_CHARGED_MASS, 1.582e-5, _PDG),
            LeptonicDecay("kaon-to-mu-n", "muon", KAON_CHARGED_MASS, 0.6356, _PDG),
            LeptonicDecay("pion-to-e-n", "electron", PION_CHARGED_MASS, 1.230e-4, _PDG),
        )
    }
)
"""The decays that are processes, by name."""


def mass_enhancement(
    mass: Float[Array, " *#point"], *, parent_mass: float, lepton_mass: float
) -> Float[Array, " *#point"]:
    r"""Rate of a leptonic decay relative to that with a massless neutrino, $\rho$.

    1 for a massless N; exactly 0, with zero gradient, at and above $m_P-m_\ell$. Just
    below it the slope grows like the inverse square root of the distance.

    Args:
        mass: Mass of N [GeV], >= 0.
        parent_mass: Mass of the meson [GeV].
        lepton_mass: Mass of the charged lepton [GeV].

    Returns:
        $\rho$ [1].

    References:
        R. Shrock, Phys. Rev. D 24 (1981) 1232 (equation number unverified).

    Examples:
        >>> kaon = {"parent_mass": 0.493677, "lepton_mass": 0.1056583755}
        >>> print(f"{float(mass_enhancement(jnp.array(0.263), **kaon)):.3f}")
        4.126
    """
    x, y = (lepton_mass / parent_mass) ** 2, (mass / parent_mass) ** 2
    root = 2.0 * two_body_momentum(parent_mass, lepton_mass, mass) / parent_mass
    is_open = root > 0.0
    safe = jnp.where(is_open, y, 0.0)
    helicity = (x + safe - (x - safe) ** 2) / (x * (1.0 - x) ** 2)
    return jnp.where(is_open, helicity * root, 0.0)


def unit_branching_ratio(
    process: str, mass: Float[Array, " *#point"]
) -> Float[Array, " *#point"]:
    r"""Branching ratio of a meson into $\ell N$ at $|U_{\ell4}|^2=1$.

    Args:
        process: One of `LEPTONIC_DECAYS`.
        mass: Mass of N [GeV], >= 0.

    Returns:
        Branching ratio over the squared mixing [1]; exactly 0 where closed.
    """
    decay = LEPTONIC_DECAYS[process]
    return decay.branching_ratio * mass_enhancement(
        mass, parent_mass=decay.parent_mass, lepton_mass=decay.lepton_mass
    )
