r"""Kaons that decay in a dump before they interact, and the particles they make.

$$P = \int_0^\infty \frac{dz}{L}\,e^{-z/L-z/\lambda} = \frac{1}{1+L/\lambda},\qquad
  L = \frac{p\,c\tau}{m_K}$$

with the nuclear interaction length $\lambda$: 1 in 2100 of the charged kaons of 60 GeV,
1 in 8800 of the K_L, 1 in 16 of the K_S. What decays does so within $\lambda$ of where
the proton interacts, that is, at the front of the dump.

Kaons count once per inelastic interaction of a beam proton. Left out, which makes fewer
particles: kaons that secondary hadrons make further down the dump, kaons that scatter
and go on, and those that stop and decay at rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from bsmfit.core.constants import HBAR, HBAR_C
from bsmfit.physics.dump_kaons import DumpKaon
from bsmfit.physics.meson_decay import daughter_lab_kinematics
from bsmfit.physics.production_spectrum import MesonSpectrum, SpectrumPoints

__all__ = [
    "KAON_CROSS_SECTION",
    "KAON_INTERACTION_LENGTH",
    "decay_probability",
    "dump_kaon_points",
    "dump_kaon_spectrum",
]

KAON_CROSS_SECTION: Final = 560.0
"""Inelastic cross section of kaons on copper [mb] [unverified], all charges and
momenta: 525 to 590 for K+ and 556 to 590 for K- from 60 to 150 GeV by the hadronic
model of Pythia 8.317, 546 to 600 by the Glauber integral over a Woods-Saxon nucleus for
15 to 18 mb per nucleon. Measured values were not consulted."""

_MOLAR_MASS, _DENSITY, _AVOGADRO = 63.546, 8.96, 6.02214076e23
"""Copper: g/mol, g/cm^3 (PDG); 1/mol."""

KAON_INTERACTION_LENGTH: Final = (
    0.01 * _MOLAR_MASS / (_AVOGADRO * KAON_CROSS_SECTION * 1e-27 * _DENSITY)
)
"""Interaction length of kaons in copper [m], 0.210. In iron it is a tenth longer."""


def decay_probability(
    momentum: Float64[np.ndarray, " *point"],
    kaon: DumpKaon,
    *,
    interaction_length: float = KAON_INTERACTION_LENGTH,
) -> Float64[np.ndarray, " *point"]:
    r"""Probability that a kaon decays before it interacts.

    Args:
        momentum: Momentum of the kaon [GeV], >= 0.
        kaon: Which kaon.
        interaction_length: $\lambda$ of the dump [m], > 0.

    Returns:
        $1/(1+L/\lambda)$ [1].

    Examples:
        >>> from bsmfit.physics.dump_kaons import DUMP_KAON_PROCESSES
        >>> kaon = DUMP_KAON_PROCESSES["dump-kaon-to-pion"]
        >>> print(f"{1.0 / float(decay_probability(np.array([60.0]), kaon)[0]):.3g}")
        2.15e+03
    """
    flight = momentum / kaon.mass * (HBAR_C / HBAR) * kaon.lifetime
    return 1.0 / (1.0 + flight / interaction_length)


def dump_kaon_spectrum(
    spectra: Mapping[str, MesonSpectrum], kaon: DumpKaon
) -> MesonSpectrum:
    """Spectrum of one kind of kaon, per inelastic interaction.

    Args:
        spectra: Simulated spectra by kaon.
        kaon: Which kaon.

    Returns:
        The sum over its charges.
    """
    first, *others = (spectra[name] for name in kaon.spectra)
    total = sum((other.counts for other in others), start=first.counts)
    return replace(first, counts=total)


def dump_kaon_points(
    spectrum: MesonSpectrum,
    kaon: DumpKaon,
    mass: float,
    *,
    unit_points: Float64[np.ndarray, "n 4"],
    interaction_length: float = KAON_INTERACTION_LENGTH,
) -> SpectrumPoints:
    """Particles from the decays of kaons in a dump, at unit branching ratio.

    The kaon decays isotropically, as it has no spin. Where the decay is closed the
    particle is at rest in the frame of the kaon, as for light mesons.

    Args:
        spectrum: Spectrum of the kaon, per inelastic interaction.
        kaon: Which kaon.
        mass: Mass of the particle [GeV].
        unit_points: Points of the unit cube: position in the bin (2), decay angles (2).
        interaction_length: Interaction length of kaons in the dump [m].

    Returns:
        The spectrum, unpolarised.
    """
    mesons = spectrum.mesons(unit_points[:, :2])
    n_bin = mesons.weight.size // unit_points.shape[0]
    particle = daughter_lab_kinematics(
        jnp.asarray(mesons.momentum),
        jnp.asarray(mesons.angle),
        azimuth=jnp.zeros(mesons.weight.size),
        cos_theta_star=jnp.asarray(np.tile(2.0 * unit_points[:, 2] - 1.0, n_bin)),
        phi_star=jnp.asarray(np.tile(2.0 * np.pi * unit_points[:, 3], n_bin)),
        parent_mass=kaon.mass,
        recoil_mass=kaon.recoil_mass,
        mass=jnp.full(mesons.weight.size, mass),
    )
    decays = decay_probability(
        mesons.momentum, kaon, interaction_length=interaction_length
    )
    return SpectrumPoints(
        np.asarray(particle.momentum),
        np.asarray(particle.angle),
        mesons.weight * decays,
    )
