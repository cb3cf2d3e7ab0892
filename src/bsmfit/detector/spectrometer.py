"""The NA62 spectrometer for single charged tracks and for pairs of them.

Planes perpendicular to the beam, from a vertex in the decay volume downstream: two
STRAW chambers, the dipole (a thin kick of the transverse momentum in x, opposite for
opposite charges), two more chambers, the CHOD trigger hodoscope, the LKr calorimeter
and the MUV3 muon detector.
Tracks are straight between the planes. Every chamber is an annulus around the axis of
its own beam hole, which may be off the beam axis.

The positions come from ``data/NA62_dump/geometry.yaml``; nothing is fixed here.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.detector.close_tracks import CloseTracks, vertex_error

__all__ = ["DETECTORS", "Spectrometer", "is_pair_accepted", "is_track_accepted"]

DETECTORS = ("straw", "chod", "lkr", "muv3")
"""Detectors that a selection can require both tracks to cross."""


class Spectrometer(eqx.Module):
    """Planes and cuts that a pair of tracks has to pass.

    Attributes:
        impact_point: Where the beam hits the dump, (x, y, z) [m].
        straw_z: Positions of the chambers [m].
        straw_hole_x: Position of the centre of each chamber's hole in x [m].
        straw_inner_radius: Radius of each hole [m].
        straw_outer_radius: Outer radius of each chamber, around the beam axis [m].
        magnet_z: Position of the centre of the dipole [m].
        magnet_kick: Kick of the transverse momentum in x [GeV].
        chod_z: Position of the trigger hodoscope [m].
        chod_outer_radius: Largest radius of an impact [m].
        lkr_z: Position of the calorimeter [m].
        lkr_inner_radius: Smallest radius of an impact [m].
        lkr_outer_radius: Largest radius of an impact [m].
        muv3_z: Position of the muon detector [m].
        muv3_half_side: Half the side of its square [m].
        muv3_inner_radius: Radius of its hole [m].
        momentum_min: Lowest momentum of either track [GeV].
        separation_min: Smallest distance of the tracks in the first chamber [m].
        required: Detectors that both tracks must cross, out of `DETECTORS`.
        close_tracks: What pairs must have to be told apart; None asks for nothing.
    """

    impact_point: Float[Array, " 3"]
    straw_z: Float[Array, " n_chamber"]
    straw_hole_x: Float[Array, " n_chamber"]
    straw_inner_radius: Float[Array, " n_chamber"]
    straw_outer_radius: Float[Array, " n_chamber"]
    magnet_z: Float[Array, ""]
    magnet_kick: Float[Array, ""]
    chod_z: Float[Array, ""]
    chod_outer_radius: Float[Array, ""]
    lkr_z: Float[Array, ""]
    lkr_inner_radius: Float[Array, ""]
    lkr_outer_radius: Float[Array, ""]
    muv3_z: Float[Array, ""]
    muv3_half_side: Float[Array, ""]
    muv3_inner_radius: Float[Array, ""]
    momentum_min: Float[Array, ""]
    separation_min: Float[Array, ""]
    required: tuple[str, ...] = eqx.field(static=True)
    close_tracks: CloseTracks | None = None

    @property
    def lowest_momentum(self) -> float:
        """Lowest momentum of a particle whose decay can be accepted [GeV]."""
        return 2.0 * float(self.momentum_min)

    def accepts_pair(
        self,
        vertex: Float[Array, "n 3"],
        momenta: tuple[Float[Array, "n 3"], Float[Array, "n 3"]],
    ) -> Bool[Array, " n"]:
        """Whether pairs pass the selection; the first track is positive.

        Args:
            vertex: Decay points (x, y, z) [m].
            momenta: Momenta of the first and of the second track [GeV].

        Returns:
            As `is_pair_accepted`.
        """
        return is_pair_accepted(vertex, momenta, charge=1.0, spectrometer=self)


def _positions_at(
    plane_z: Float[Array, ""],
    vertex: Float[Array, "n 3"],
    momentum: Float[Array, "n 3"],
    charge: float,
    spectrometer: Spectrometer,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Impact (x, y) of tracks at a plane, after the kick where it lies behind it."""
    slope_x = momentum[:, 0] / momentum[:, 2]
    slope_y = momentum[:, 1] / momentum[:, 2]
    kicked_x = momentum[:, 0] + charge * spectrometer.magnet_kick
    squared = jnp.sum(momentum**2, axis=-1) - kicked_x**2 - momentum[:, 1] ** 2
    kicked_z = jnp.sqrt(jnp.clip(squared, 1e-6, None))
    lever = jnp.clip(plane_z - spectrometer.magnet_z, 0.0, None)
    before = jnp.minimum(plane_z, spectrometer.magnet_z) - vertex[:, 2]
    x = vertex[:, 0] + slope_x * before + lever * kicked_x / kicked_z
    y = vertex[:, 1] + slope_y * before + lever * momentum[:, 1] / kicked_z
    return x, y


def is_track_accepted(
    vertex: Float[Array, "n 3"],
    momentum: Float[Array, "n 3"],
    charge: float,
    spectrometer: Spectrometer,
) -> Bool[Array, " n"]:
    """Whether single tracks pass the momentum cut and every required detector.

    Args:
        vertex: Where the tracks start (x, y, z) [m].
        momentum: Momenta [GeV].
        charge: Sign of the kick of the magnet, +1 or -1.
        spectrometer: Planes and cuts.

    Returns:
        True for the tracks that pass every cut.
    """
    s = spectrometer
    squared = jnp.sum(momentum**2, axis=-1)
    accepted = (squared > s.momentum_min**2) & (momentum[:, 2] > 0.0)
    safe = jnp.where(accepted[:, None], momentum, jnp.ones_like(momentum))
    if "straw" in s.required:
        for i in range(s.straw_z.shape[0]):
            x, y = _positions_at(s.straw_z[i], vertex, safe, charge, s)
            hole = (x - s.straw_hole_x[i]) ** 2 + y**2
            accepted &= hole > s.straw_inner_radius[i] ** 2
            accepted &= x**2 + y**2 < s.straw_outer_radius[i] ** 2
    if "chod" in s.required:
        x, y = _positions_at(s.chod_z, vertex, safe, charge, s)
        accepted &= x**2 + y**2 < s.chod_outer_radius**2
    if "lkr" in s.required:
        x, y = _positions_at(s.lkr_z, vertex, safe, charge, s)
        radius_squared = x**2 + y**2
        accepted &= radius_squared > s.lkr_inner_radius**2
        accepted &= radius_squared < s.lkr_outer_radius**2
    if "muv3" in s.required:
        x, y = _positions_at(s.muv3_z, vertex, safe, charge, s)
        accepted &= x**2 + y**2 > s.muv3_inner_radius**2
        accepted &= jnp.maximum(jnp.abs(x), jnp.abs(y)) < s.muv3_half_side
    return accepted


def is_pair_accepted(
    vertex: Float[Array, "n 3"],
    momenta: tuple[Float[Array, "n 3"], Float[Array, "n 3"]],
    *,
    charge: float,
    spectrometer: Spectrometer,
) -> Bool[Array, " n"]:
    """Whether pairs of opposite charge pass the selection.

    Args:
        vertex: Decay points (x, y, z) [m].
        momenta: Momenta of the first and of the second track [GeV].
        charge: Charge of the first track, +1 or -1; the second has the opposite.
        spectrometer: Planes and cuts.

    Returns:
        True for the pairs whose two tracks pass every cut.
    """
    first, second = momenta
    s = spectrometer
    accepted = is_track_accepted(vertex, first, charge, s)
    accepted &= is_track_accepted(vertex, second, -charge, s)

    def distance_squared(plane_z: Float[Array, ""]) -> Float[Array, " n"]:
        x1, y1 = _positions_at(plane_z, vertex, first, charge, s)
        x2, y2 = _positions_at(plane_z, vertex, second, -charge, s)
        return (x1 - x2) ** 2 + (y1 - y2) ** 2

    accepted &= distance_squared(s.straw_z[0]) >= s.separation_min**2
    if s.close_tracks is None:
        return accepted
    accepted &= distance_squared(s.lkr_z) >= s.close_tracks.lkr_separation_min**2
    if s.close_tracks.vertex is None:
        return accepted
    tracking = s.close_tracks.vertex
    safe = [jnp.where(accepted[:, None], p, jnp.ones_like(p)) for p in momenta]
    lever = s.straw_z[0] - vertex[:, 2]
    error = vertex_error((safe[0], safe[1]), lever=lever, tracking=tracking)
    return accepted & (error <= tracking.largest)
