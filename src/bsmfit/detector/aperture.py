r"""A calorimeter behind an empty decay volume, without magnet: CHARM, NuCal and alike.

A particle decays inside the window of the decay volume. Its daughters go straight and
cross the window again in the plane of the calorimeter; of those that do, with a lowest
momentum and a largest angle to the beam each, one or both are asked for, and a lowest
energy of them together.

The positions come from ``data/*/geometry.yaml``; nothing is fixed here.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

__all__ = ["ApertureDetector", "is_in_window"]


class ApertureDetector(eqx.Module):
    """Window, plane and cuts that a pair of tracks has to pass.

    Attributes:
        impact_point: Where the beam hits the dump, (x, y, z) [m].
        centre: Centre of the window, (x, y) [m].
        half_size: Half of its width and of its height [m].
        plane_z: Front of the calorimeter [m].
        momentum_min: Lowest momentum of a track that counts [GeV].
        energy_min: Lowest momentum of the tracks that count, added up [GeV].
        angle_max: Largest angle to the beam of a track that counts [rad].
        n_track: How many tracks must count, 1 or 2.
        is_rectangle: Whether the window is a rectangle; an ellipse otherwise.
    """

    impact_point: Float[Array, " 3"]
    centre: Float[Array, " 2"]
    half_size: Float[Array, " 2"]
    plane_z: Float[Array, ""]
    momentum_min: Float[Array, ""]
    energy_min: Float[Array, ""]
    angle_max: Float[Array, ""]
    n_track: int = eqx.field(static=True)
    is_rectangle: bool = eqx.field(static=True)

    @property
    def lowest_momentum(self) -> float:
        """Lowest momentum of a particle whose decay can be accepted [GeV]."""
        return max(float(self.energy_min), self.n_track * float(self.momentum_min))

    def angle_range(self, start: float, end: float) -> tuple[float, float]:
        """Angles of particles that are inside the window somewhere in a decay volume.

        Args:
            start: Beginning of the decay volume [m].
            end: Its end [m].

        Returns:
            Smallest and largest angle [rad]; that of the corner of the rectangle
            around the window is at least the largest.
        """
        offset = jnp.abs(self.centre - self.impact_point[:2])
        near = jnp.clip(offset - self.half_size, 0.0, None)
        far = offset + self.half_size
        z = float(self.impact_point[2])
        return (
            math.atan2(float(jnp.hypot(*near)), end - z),
            math.atan2(float(jnp.hypot(*far)), start - z),
        )

    def accepts_pair(
        self,
        vertex: Float[Array, "n 3"],
        momenta: tuple[Float[Array, "n 3"], Float[Array, "n 3"]],
    ) -> Bool[Array, " n"]:
        """Whether pairs pass the selection.

        Args:
            vertex: Decay points (x, y, z) [m].
            momenta: Momenta of the first and of the second track [GeV].

        Returns:
            True for the pairs of which enough tracks and energy reach the calorimeter.
        """
        n_seen = jnp.zeros(vertex.shape[0], int)
        energy = jnp.zeros(vertex.shape[0], vertex.dtype)
        for momentum in momenta:
            size = jnp.sqrt(jnp.sum(momentum**2, axis=-1))
            is_seen = (size > self.momentum_min) & (momentum[:, 2] > 0.0)
            longitudinal = jnp.where(is_seen, momentum[:, 2], 1.0)
            slope = momentum[:, :2] / longitudinal[:, None]
            lever = self.plane_z - vertex[:, 2]
            impact = vertex[:, :2] + slope * lever[:, None]
            is_seen &= is_in_window(impact, self)
            is_seen &= jnp.sum(slope**2, axis=-1) < jnp.tan(self.angle_max) ** 2
            n_seen += is_seen.astype(n_seen.dtype)
            energy += jnp.where(is_seen, size, 0.0)
        accepted = is_in_window(vertex[:, :2], self) & (n_seen >= self.n_track)
        return accepted & (energy > self.energy_min)


def is_in_window(
    position: Float[Array, "n 2"], detector: ApertureDetector
) -> Bool[Array, " n"]:
    """Whether points are inside the window.

    Args:
        position: Transverse positions (x, y) [m].
        detector: The window.

    Returns:
        True inside.
    """
    relative = (position - detector.centre[None, :]) / detector.half_size[None, :]
    if detector.is_rectangle:
        return jnp.max(jnp.abs(relative), axis=-1) < 1.0
    return jnp.sum(relative**2, axis=-1) < 1.0
