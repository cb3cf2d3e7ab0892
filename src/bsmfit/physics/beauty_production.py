r"""How many B mesons one proton makes in the dump, and the new particles they make.

$$\frac{N_{b\bar b}}{\text{proton}} = \frac{A\,\sigma_{b\bar b}}{\sigma_{inel}}
  = 2.17\times10^{-7}$$

for one inelastic interaction in copper: hard processes add over the nucleons of the
nucleus. The measured cross section makes the norm, a simulation the shape. The charged
and the neutral B meson have the same width into K X, so that neutral ones count with
the ratio of the lifetimes. B_s and b baryons are left out, and so are pairs made by
secondary hadrons further down the dump.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from bsmfit.core.constants import (
    BEAUTY_CHARGED_LIFETIME,
    BEAUTY_CHARGED_MASS,
    BEAUTY_NEUTRAL_LIFETIME,
)
from bsmfit.physics.meson_decay import daughter_lab_kinematics
from bsmfit.physics.production_spectrum import MesonSpectrum, SpectrumPoints

__all__ = [
    "BEAUTY_CROSS_SECTION",
    "PAIRS_PER_PROTON",
    "beauty_decay_points",
    "parent_spectrum",
]

BEAUTY_CROSS_SECTION: Final = 2.63e-6
"""sigma(b bbar) of 400 GeV protons per nucleon [mb], +- 0.76e-6: arXiv:2407.08673 as
read in a public code. Another has 1.7e-6, the leading order of Pythia 0.89e-6."""

_NUCLEONS: Final = 63.546
"""Mean mass number of copper (PDG)."""

_INELASTIC: Final = 769.0
"""Inelastic cross section of protons on copper [mb] [unverified], as in the record of
the dump: 137.3 g/cm^2 of interaction length."""

PAIRS_PER_PROTON: Final = _NUCLEONS * BEAUTY_CROSS_SECTION / _INELASTIC
"""Pairs of b quarks per inelastic interaction; A^(1/3) sigma_bb / sigma_pp, the recipe
of a public code, is 1.2 times that."""


def parent_spectrum(spectra: Mapping[str, MesonSpectrum]) -> MesonSpectrum:
    """Spectrum of the B mesons, per inelastic interaction, charged and neutral.

    Args:
        spectra: Simulated spectra by hadron, per event with a pair of b quarks, with
            ``"b-charged"`` and ``"b-neutral"``.

    Returns:
        The sum, neutral ones with the ratio of the lifetimes.
    """
    charged, neutral = spectra["b-charged"], spectra["b-neutral"]
    ratio = BEAUTY_NEUTRAL_LIFETIME / BEAUTY_CHARGED_LIFETIME
    return MesonSpectrum(
        charged.momentum_edges,
        charged.angle_edges,
        charged.counts + ratio * neutral.counts,
        charged.n_event / PAIRS_PER_PROTON,
    )


def beauty_decay_points(
    spectrum: MesonSpectrum,
    recoil_mass: float,
    mass: float,
    *,
    unit_points: Float64[np.ndarray, "n 4"],
    momentum_min: float,
    angle_max: float,
) -> SpectrumPoints:
    """Particles from two-body decays of B mesons, at unit branching ratio.

    The decay is isotropic in the frame of the meson, which has no spin. Where it is
    closed the particle is at rest there, as for light mesons. Only particles that
    can be accepted are returned, a few per cent.

    Args:
        spectrum: Spectrum of the parents, per inelastic interaction.
        recoil_mass: Mass of what recoils [GeV].
        mass: Mass of the particle [GeV].
        unit_points: Points of the unit cube: position in the bin (2), decay angles (2).
        momentum_min: Smallest momentum that matters [GeV].
        angle_max: Largest angle that matters [rad].

    Returns:
        The spectrum.
    """
    mesons = spectrum.mesons(unit_points[:, :2])
    n_bin = mesons.weight.size // unit_points.shape[0]
    particle = daughter_lab_kinematics(
        jnp.asarray(mesons.momentum),
        jnp.asarray(mesons.angle),
        azimuth=jnp.zeros(mesons.weight.size),
        cos_theta_star=jnp.asarray(np.tile(2.0 * unit_points[:, 2] - 1.0, n_bin)),
        phi_star=jnp.asarray(np.tile(2.0 * np.pi * unit_points[:, 3], n_bin)),
        parent_mass=BEAUTY_CHARGED_MASS,
        recoil_mass=recoil_mass,
        mass=jnp.full(mesons.weight.size, mass),
    )
    momentum, angle = np.asarray(particle.momentum), np.asarray(particle.angle)
    matters = (momentum > momentum_min) & (angle < angle_max)
    return SpectrumPoints(momentum[matters], angle[matters], mesons.weight[matters])
