"""Two-body decays in flight: laboratory momenta of the daughters.

A particle X of mass m and momentum p decays into two daughters of equal mass. In its
rest frame each has the momentum k, back to back along (theta*, phi*); a boost along the
direction of flight and a rotation into the laboratory give the two tracks.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.safe_sqrt import safe_sqrt

__all__ = ["daughter_momenta", "flight_direction", "rest_frame_momentum"]


def rest_frame_momentum(
    mass: Float[Array, ""], daughter_mass: Float[Array, ""]
) -> Float[Array, ""]:
    r"""Momentum of either daughter in the rest frame of the parent.

    $$k = \sqrt{m^2/4 - m_d^2}$$

    Args:
        mass: Mass of the parent [GeV].
        daughter_mass: Mass of each daughter [GeV].

    Returns:
        Momentum [GeV]; 0 at and below threshold.
    """
    return safe_sqrt(0.25 * mass**2 - daughter_mass**2)


def flight_direction(
    angle: Float[Array, ""], azimuth: Float[Array, " n"]
) -> Float[Array, "n 3"]:
    """Unit vectors at a polar angle to the beam.

    Args:
        angle: Polar angle to the beam [rad].
        azimuth: Azimuths around the beam [rad].

    Returns:
        Unit vectors (x, y, z), z along the beam.
    """
    transverse = jnp.sin(angle)
    return jnp.stack(
        [
            transverse * jnp.cos(azimuth),
            transverse * jnp.sin(azimuth),
            jnp.full_like(azimuth, 1.0) * jnp.cos(angle),
        ],
        axis=-1,
    )


def daughter_momenta(
    mass: Float[Array, ""],
    momentum: Float[Array, ""],
    *,
    direction: Float[Array, "n 3"],
    cos_theta: Float[Array, " n"],
    azimuth: Float[Array, " n"],
    daughter_mass: Float[Array, ""],
) -> tuple[Float[Array, "n 3"], Float[Array, "n 3"]]:
    r"""Laboratory momenta of the two daughters of a particle in flight.

    $$p_\parallel = \gamma(\pm k\cos\theta^* + \beta m/2),
      \qquad p_\perp = \pm k \sin\theta^*$$

    Args:
        mass: Mass of the parent [GeV].
        momentum: Momentum of the parent in the laboratory [GeV].
        direction: Unit vectors of flight of the parent.
        cos_theta: Cosine of the decay angle in the rest frame, from the flight axis.
        azimuth: Azimuth of the decay around the flight axis [rad].
        daughter_mass: Mass of each daughter [GeV].

    Returns:
        Momenta of the two daughters [GeV], which add up to the parent's.
    """
    k = rest_frame_momentum(mass, daughter_mass)
    gamma = jnp.sqrt(momentum**2 + mass**2) / mass
    half_parallel = 0.5 * momentum
    parallel = gamma * k * cos_theta
    perpendicular = k * jnp.sqrt(jnp.clip(1.0 - cos_theta**2, 0.0, 1.0))
    # Two unit vectors across the line of flight; it is never along x here
    # (angles to the beam are milliradians).
    along_y = jnp.stack(
        [
            jnp.zeros_like(direction[:, 0]),
            direction[:, 2],
            -direction[:, 1],
        ],
        axis=-1,
    )
    along_y = along_y / jnp.sqrt(jnp.sum(along_y**2, axis=-1, keepdims=True))
    along_x = jnp.cross(along_y, direction)
    across = (
        jnp.cos(azimuth)[:, None] * along_x + jnp.sin(azimuth)[:, None] * along_y
    ) * perpendicular[:, None]
    first = direction * (half_parallel + parallel)[:, None] + across
    second = direction * (half_parallel - parallel)[:, None] - across
    return first, second
