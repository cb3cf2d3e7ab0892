r"""Axion-like particles that photons of a dump make at nuclei, as weighted points.

    P -> gamma gamma,   gamma + N -> a + N

Photons come from decays of pi0 and eta of the first interaction, from their simulated
spectra. A photon that would make a pair makes an axion-like particle of the same energy
with the probability $\sigma_a/\sigma_\gamma$; photons of the showers that follow are
left out.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from bsmfit.physics.meson_decay import MesonDecay, daughter_lab_kinematics
from bsmfit.physics.primakoff import (
    BARN,
    LARGEST_TRANSFER,
    Nucleus,
    photon_absorption_cross_section,
    primakoff_differential,
)
from bsmfit.physics.production_spectrum import MesonSpectrum, SpectrumPoints

__all__ = ["PHOTON_SOURCES", "photon_points", "primakoff_points"]

PHOTON_SOURCES: Final = ("pi0-decay", "eta-decay")
"""Decays of `bsmfit.physics.meson_decay.MESON_DECAYS` whose photons are counted; eta'
adds less than 1 %."""

_SMALLEST_TRANSFER: Final = 1e-13
"""Smallest -t [GeV^2]: at 2e-10 the electrons of the atom screen the nucleus."""


def photon_points(
    spectrum: MesonSpectrum,
    decay: MesonDecay,
    *,
    unit_points: Float64[np.ndarray, "n 4"],
) -> SpectrumPoints:
    """Photons from decays of a pseudoscalar meson into two.

    Args:
        spectrum: Spectrum of the meson.
        decay: The decay, into photons with a branching ratio.
        unit_points: Points of the unit cube: position in the bin (2), decay angles (2).

    Returns:
        Photons per inelastic interaction, two for each decay.
    """
    mesons = spectrum.mesons(unit_points[:, :2])
    n_bin = mesons.weight.size // unit_points.shape[0]
    photon = daughter_lab_kinematics(
        jnp.asarray(mesons.momentum),
        jnp.asarray(mesons.angle),
        azimuth=jnp.zeros(mesons.weight.size),
        cos_theta_star=jnp.asarray(np.tile(2.0 * unit_points[:, 2] - 1.0, n_bin)),
        phi_star=jnp.asarray(np.tile(2.0 * np.pi * unit_points[:, 3], n_bin)),
        parent_mass=decay.parent_mass,
        recoil_mass=0.0,
        mass=jnp.zeros(mesons.weight.size),
    )
    weight = mesons.weight * (decay.n_photon * decay.branching_ratio)
    return SpectrumPoints(np.asarray(photon.momentum), np.asarray(photon.angle), weight)


def primakoff_points(
    photons: SpectrumPoints,
    mass: float,
    *,
    nucleus: Nucleus,
    unit_points: Float64[np.ndarray, "n 2"],
) -> SpectrumPoints:
    r"""Axion-like particles made by photons, at $g$ = 1/GeV.

    $$w_a = w_\gamma\,\ln\frac{T_2}{T_1}\;T\,\frac{d\sigma}{dT}\Big/\sigma_\gamma,
      \qquad 4Ep_a\sin^2\tfrac\theta2 = T-T_{min}$$

    with $T = -t$ even in the logarithm between the larger of $T_{min}$ and 1e-13 GeV^2
    and 0.36 GeV^2, in which the rate is nearly flat. The direction turns by $\theta$.

    Args:
        photons: Spectrum of the photons.
        mass: Mass of the particle [GeV], > 0.
        nucleus: Nucleus of the target.
        unit_points: Points of the unit square for each photon: transfer, azimuth.

    Returns:
        The spectrum over $g^2$, for photons above the mass.
    """
    is_open = photons.momentum > 1.0001 * mass
    energy, angle, weight = (values[is_open] for values in photons[:3])
    unit = unit_points[is_open]
    momentum = np.sqrt((energy - mass) * (energy + mass))
    lowest = (mass**2 / (energy + momentum)) ** 2
    first = np.maximum(lowest, _SMALLEST_TRANSFER)
    span = np.log(np.minimum((energy + momentum) ** 2, LARGEST_TRANSFER) / first)
    transfer = first * np.exp(np.maximum(span, 0.0) * unit[:, 0])
    rate = _differential(
        jnp.asarray(transfer), jnp.asarray(mass), jnp.asarray(energy), nucleus=nucleus
    )
    absorbed = photon_absorption_cross_section(nucleus) * BARN
    share = np.maximum(span, 0.0) * transfer * np.asarray(rate) / absorbed
    half = np.sqrt(np.maximum(transfer - lowest, 0.0) / (4.0 * energy * momentum))
    turn = 2.0 * np.arcsin(np.minimum(half, 1.0))
    turned = _turned(angle, turn, 2.0 * np.pi * unit[:, 1])
    return SpectrumPoints(momentum, turned, weight * share)


@partial(jax.jit, static_argnames="nucleus")
def _differential(
    transfer: Float[Array, " n"],
    mass: Float[Array, ""],
    energy: Float[Array, " n"],
    *,
    nucleus: Nucleus,
) -> Float[Array, " n"]:
    def one(t: Float[Array, ""], e: Float[Array, ""]) -> Float[Array, ""]:
        return primakoff_differential(t, mass, energy=e, nucleus=nucleus)

    return jax.vmap(one)(transfer, energy)


def _turned(
    angle: Float64[np.ndarray, " n"],
    turn: Float64[np.ndarray, " n"],
    azimuth: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, " n"]:
    """Angle to the beam after a turn of the direction."""
    across = np.sin(turn) * np.cos(azimuth)
    radial = np.sin(angle) * np.cos(turn) + np.cos(angle) * across
    along = np.cos(angle) * np.cos(turn) - np.sin(angle) * across
    return np.arctan2(np.hypot(radial, np.sin(turn) * np.sin(azimuth)), along)
