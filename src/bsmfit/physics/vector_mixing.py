r"""Dark photons that replace a vector meson: mixing with rho, omega and phi.

The dark photon mixes with the neutral vector mesons, so where a meson would be made a
dark photon is made with the probability $\theta_V^2$. Its spectrum is the meson's with
the mass shifted at fixed momentum in the proton-proton centre of mass.

Mixing and bremsstrahlung with a form factor that contains the same poles describe
overlapping physics: a preset says which of them it takes, and never adds both silently.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    FINE_STRUCTURE,
    OMEGA_MASS,
    PHI_MASS,
    PROTON_MASS,
    RHO_MASS,
)
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.physics.meson_decay import LabKinematics
from bsmfit.physics.proton_cross_section import BEAM_MOMENTUM

__all__ = ["VECTOR_MIXINGS", "VectorMixing", "mixed_lab_kinematics", "mixing_squared"]


@dataclass(frozen=True)
class VectorMixing:
    """One vector meson that a dark photon mixes with.

    Attributes:
        process: Name of the production process.
        meson: Name of the vector meson.
        mass: Its mass [GeV].
        width: Its width [GeV].
        coupling: $g_V$ [1], photon-meson mixing e m_V^2 / g_V.
    """

    process: str
    meson: str
    mass: float
    width: float
    coupling: float


VECTOR_MIXINGS: Final = MappingProxyType(
    {
        vector.process: vector
        for vector in (
            VectorMixing("rho-mixing", "rho", RHO_MASS, 0.1474, 5.0),
            VectorMixing("omega-mixing", "omega", OMEGA_MASS, 0.00868, 17.0),
            VectorMixing("phi-mixing", "phi", PHI_MASS, 0.004249, -12.88),
        )
    }
)
"""By process name. Widths: PDG [published]; couplings: 1810.01879 [public code]."""


def mixing_squared(
    vector: VectorMixing, mass: Float[Array, " *point"]
) -> Float[Array, " *point"]:
    r"""Squared mixing angle of a dark photon with a vector meson, at unit mixing.

    $$\frac{\theta_V^2}{\epsilon^2} = \frac{4\pi\alpha}{g_V^2}\,
      \frac{m_V^4}{(m^2-m_V^2)^2 + m_V^2\Gamma_V^2}$$

    with a fixed width; on the phi it exceeds 1, so mixings of order 0.1 and more are
    outside the formula. The production strength is this times the squared mixing, the
    unit yield that of the meson.

    Args:
        vector: One of `VECTOR_MIXINGS`.
        mass: Mass of the dark photon [GeV], >= 0.

    Returns:
        Squared angle over the squared kinetic mixing [1].

    References:
        1810.01879.

    Examples:
        >>> phi = VECTOR_MIXINGS["phi-mixing"]
        >>> print(f"{float(mixing_squared(phi, jnp.array(1.019))):.1f}")
        30.4
    """
    pole = vector.mass**2
    charge_squared = 4.0 * math.pi * FINE_STRUCTURE
    distance = (mass**2 - pole) ** 2 + (vector.mass * vector.width) ** 2
    return charge_squared / vector.coupling**2 * pole**2 / distance


def mixed_lab_kinematics(
    momentum: Float[Array, " *#point"],
    angle: Float[Array, " *#point"],
    *,
    meson_mass: float,
    mass: Float[Array, " *#point"],
    beam_momentum: float = BEAM_MOMENTUM,
) -> LabKinematics:
    r"""Laboratory kinematics of a dark photon made in place of a vector meson.

    The three-momentum in the centre of mass of the beam proton and a proton at rest is
    kept and the energy becomes $\sqrt{p^{*2}+m^2}$. The transverse momentum is
    unchanged. Arguments broadcast. The azimuth is returned as 0, the meson's own.

    Args:
        momentum: Momentum of the meson [GeV], >= 0.
        angle: Its angle to the beam [rad].
        meson_mass: Its mass [GeV].
        mass: Mass of the dark photon [GeV], > 0.
        beam_momentum: Momentum of the beam proton [GeV].

    Returns:
        Momentum and angle of the dark photon; azimuth relative to the meson, 0.
    """
    beam_energy = math.sqrt(beam_momentum**2 + PROTON_MASS**2)
    invariant = math.sqrt(2.0 * PROTON_MASS * (beam_energy + PROTON_MASS))
    gamma = (beam_energy + PROTON_MASS) / invariant
    gamma_beta = beam_momentum / invariant

    along, transverse = momentum * jnp.cos(angle), momentum * jnp.sin(angle)
    energy = jnp.sqrt(momentum**2 + meson_mass**2)
    along_star = gamma * along - gamma_beta * energy
    energy_star = jnp.sqrt(along_star**2 + transverse**2 + mass**2)
    shifted = gamma * along_star + gamma_beta * energy_star
    squared = shifted**2 + transverse**2
    is_moving = squared > 0.0
    total = safe_sqrt(squared)
    polar_angle = jnp.arctan2(transverse, jnp.where(is_moving, shifted, 1.0))
    return LabKinematics(total, polar_angle, jnp.zeros_like(total))
