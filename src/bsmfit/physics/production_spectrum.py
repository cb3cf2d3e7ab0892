"""Spectra of new particles at production, as weighted points in (momentum, angle).

Every process turns into points whose weights add up to particles per inelastic
interaction at unit production strength:

- proton bremsstrahlung: a Gauss-Legendre grid in the momentum fraction and the
  transverse momentum, with the analytic rate; there is nothing random;
- meson decays: every bin of the simulated meson spectrum becomes several mesons with
  low-discrepancy positions inside the bin and decay angles, at unit branching ratio;
- mixing with a meson: the same mesons with the mass shifted.

The default of one inelastic interaction per proton on target makes "per interaction"
and "per proton on target" the same number; secondary interactions in the dump are not
simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from bsmfit.core.constants import PROTON_MASS
from bsmfit.physics.alp_mixing import PseudoscalarMixing
from bsmfit.physics.meson_decay import MesonDecay, daughter_lab_kinematics
from bsmfit.physics.vector_mixing import VectorMixing, mixed_lab_kinematics

__all__ = [
    "MesonSpectrum",
    "SpectrumPoints",
    "bremsstrahlung_points",
    "decay_points",
    "mixing_points",
]

Points = Float64[np.ndarray, " n_point"]


class SpectrumPoints(NamedTuple):
    """Weighted points that represent a spectrum.

    Attributes:
        momentum: Momenta [GeV].
        angle: Polar angles to the beam [rad].
        weight: Particles per inelastic interaction at unit strength.
        alignment: P_2 of the cosine between flight and spin axis, in the rest frame, of
            particles that are transverse about that axis; None for unpolarised ones.
    """

    momentum: Points
    angle: Points
    weight: Points
    alignment: Points | None = None


@dataclass(frozen=True)
class MesonSpectrum:
    """A simulated spectrum of one kind of meson.

    Attributes:
        momentum_edges: Edges of the momentum bins [GeV].
        angle_edges: Edges of the angle bins [rad].
        counts: Mesons by bin.
        n_event: Inelastic interactions simulated.
    """

    momentum_edges: Float64[np.ndarray, " n_p_edge"]
    angle_edges: Float64[np.ndarray, " n_angle_edge"]
    counts: Float64[np.ndarray, "n_p n_angle"]
    n_event: float

    def within(self, *, momentum_min: float, angle_max: float) -> MesonSpectrum:
        """The spectrum without the bins that lie wholly outside a range.

        Args:
            momentum_min: Smallest momentum that matters [GeV].
            angle_max: Largest angle that matters [rad].

        Returns:
            The spectrum with the other bins empty.
        """
        matters = np.outer(
            self.momentum_edges[1:] > momentum_min, self.angle_edges[:-1] < angle_max
        )
        return replace(self, counts=np.where(matters, self.counts, 0.0))

    def mesons(self, positions: Float64[np.ndarray, "n 2"]) -> SpectrumPoints:
        """Mesons spread over the bins that can matter.

        Momenta are spread evenly in the logarithm within a bin, angles evenly in
        solid angle.

        Args:
            positions: Positions inside a bin, points of the unit square.

        Returns:
            As many mesons as positions, in every occupied bin, bin by bin.
        """
        i, j = np.nonzero(self.counts)
        low, high = np.log(self.momentum_edges[i]), np.log(self.momentum_edges[i + 1])
        log_p = low[:, None] + (high - low)[:, None] * positions[None, :, 0]
        near, far = self.angle_edges[j] ** 2, self.angle_edges[j + 1] ** 2
        squared = near[:, None] + (far - near)[:, None] * positions[None, :, 1]
        share = self.counts[i, j] / (self.n_event * positions.shape[0])
        weight = np.broadcast_to(share[:, None], log_p.shape)
        return SpectrumPoints(
            np.exp(log_p).ravel(), np.sqrt(squared).ravel(), weight.ravel()
        )


def bremsstrahlung_points(
    rate: Callable[[Points, Points], Points],
    mass: float,
    *,
    beam_momentum: float,
    fraction_range: tuple[float, float],
    transverse_momentum_max: float,
    n_fraction: int = 96,
    n_transverse: int = 64,
) -> SpectrumPoints:
    r"""Proton bremsstrahlung on a Gauss-Legendre grid.

    The grid is even in $\ln z$ and in $\ln(p_T^2+\Lambda^2)$ with
    $\Lambda^2 = m^2(1-z) + z^2m_p^2$, the scale of the rate, so that the peak at small
    transverse momentum is resolved at every mass.

    Args:
        rate: Rate dP/dz/dpT^2 at unit strength of momentum fractions and squared
            transverse momenta [1/GeV^2].
        mass: Mass [GeV].
        beam_momentum: Momentum of the beam P [GeV]; E = z P.
        fraction_range: Range of z in which the rate is valid.
        transverse_momentum_max: Largest transverse momentum [GeV].
        n_fraction: Nodes in z.
        n_transverse: Nodes in the transverse momentum.

    Returns:
        The spectrum. The particle is transverse about its flight: the longitudinal part
        of bremsstrahlung is neglected.
    """
    node, node_weight = np.polynomial.legendre.leggauss(n_fraction)
    span = np.log(fraction_range[1] / fraction_range[0])
    z = fraction_range[0] * np.exp(0.5 * (node + 1.0) * span)
    z_weight = 0.5 * node_weight * span * z
    scale = mass**2 * (1.0 - z) + z**2 * PROTON_MASS**2
    reach = np.log1p(transverse_momentum_max**2 / scale)
    node, node_weight = np.polynomial.legendre.leggauss(n_transverse)
    pt_squared = scale[:, None] * np.expm1(reach[:, None] * 0.5 * (node + 1.0))
    pt_weight = 0.5 * node_weight * reach[:, None] * (pt_squared + scale[:, None])
    fractions = np.broadcast_to(z[:, None], pt_squared.shape)
    weight = z_weight[:, None] * pt_weight * rate(fractions, pt_squared)
    squared = (fractions * beam_momentum) ** 2 - mass**2
    is_real = squared > pt_squared
    momentum = np.sqrt(np.where(is_real, squared, 1.0))
    sine = np.sqrt(np.where(is_real, pt_squared / np.where(is_real, squared, 1.0), 0.0))
    weight = np.where(is_real, weight, 0.0)
    return SpectrumPoints(
        momentum.ravel(),
        np.arcsin(sine).ravel(),
        weight.ravel(),
        np.ones(momentum.size),
    )


def decay_points(
    spectrum: MesonSpectrum,
    decay: MesonDecay,
    mass: float,
    *,
    unit_points: Float64[np.ndarray, "n 4"],
) -> SpectrumPoints:
    """Particles from the two-body decays of mesons, at unit branching ratio.

    The meson decays isotropically. Where the decay is closed the particle is at rest in
    the frame of the meson: a smooth continuation that a branching ratio of zero
    multiplies.

    Args:
        spectrum: Spectrum of the meson.
        decay: The decay.
        mass: Mass of the particle [GeV].
        unit_points: Points of the unit cube: position in the bin (2), decay angles (2).

    Returns:
        The spectrum. A vector from the decay of a pseudoscalar into it and a photon, or
        of an unpolarised vector into it and a pseudoscalar, is transverse about its
        flight in the frame of the meson.
    """
    mesons = spectrum.mesons(unit_points[:, :2])
    n_bin = mesons.weight.size // unit_points.shape[0]
    particle = daughter_lab_kinematics(
        jnp.asarray(mesons.momentum),
        jnp.asarray(mesons.angle),
        azimuth=jnp.zeros(mesons.weight.size),
        cos_theta_star=jnp.asarray(np.tile(2.0 * unit_points[:, 2] - 1.0, n_bin)),
        phi_star=jnp.asarray(np.tile(2.0 * np.pi * unit_points[:, 3], n_bin)),
        parent_mass=decay.parent_mass,
        recoil_mass=decay.recoil_mass,
        mass=jnp.full(mesons.weight.size, mass),
    )
    momentum = np.asarray(particle.momentum)
    alignment = _spin_alignment(momentum, mesons.momentum, decay=decay, mass=mass)
    return SpectrumPoints(
        momentum, np.asarray(particle.angle), mesons.weight, alignment
    )


def _spin_alignment(
    momentum: Points, meson_momentum: Points, *, decay: MesonDecay, mass: float
) -> Points:
    r"""P_2 of the angle between the flights in the laboratory and from the meson.

    In the rest frame of the particle meson and laboratory move away with the Lorentz
    factors $\gamma^*$ and $\gamma$; that of the meson in the laboratory is
    $\gamma\gamma^*-\sqrt{(\gamma^2-1)(\gamma^{*2}-1)}\cos\chi$.
    """
    parent, recoil = decay.parent_mass, decay.recoil_mass
    in_meson = (parent**2 + mass**2 - recoil**2) / (2.0 * parent * mass)
    in_lab = np.hypot(momentum, mass) / mass
    lorentz = np.hypot(meson_momentum, parent) / parent
    squared = (in_meson**2 - 1.0) * (in_lab**2 - 1.0)
    is_moving = (parent > mass + recoil) & (squared > 1e-9)
    cosine = (in_meson * in_lab - lorentz) ** 2 / np.where(is_moving, squared, 1.0)
    return np.where(is_moving, 1.5 * np.clip(cosine, 0.0, 1.0) - 0.5, 0.0)


def mixing_points(
    spectrum: MesonSpectrum,
    mixing: VectorMixing | PseudoscalarMixing,
    mass: float,
    *,
    beam_momentum: float,
    unit_points: Float64[np.ndarray, "n 4"],
) -> SpectrumPoints:
    """Particles made in place of a neutral meson, at unit mixing angle squared.

    Args:
        spectrum: Spectrum of the meson.
        mixing: The meson.
        mass: Mass of the particle [GeV].
        beam_momentum: Momentum of the beam [GeV].
        unit_points: Points of the unit cube, of which the first two coordinates place
            the meson in its bin.

    Returns:
        The spectrum.
    """
    mesons = spectrum.mesons(unit_points[:, :2])
    particle = mixed_lab_kinematics(
        jnp.asarray(mesons.momentum),
        jnp.asarray(mesons.angle),
        meson_mass=mixing.mass,
        mass=jnp.full(mesons.weight.size, mass),
        beam_momentum=beam_momentum,
    )
    return SpectrumPoints(
        np.asarray(particle.momentum), np.asarray(particle.angle), mesons.weight
    )
