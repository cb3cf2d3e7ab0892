"""From the geometry and the selection of a search to the spectrometer it uses."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from bsmfit.detector.spectrometer import Spectrometer
from bsmfit.records.geometry_record import GeometryRecord

__all__ = ["make_spectrometer"]


def make_spectrometer(
    geometry: GeometryRecord,
    *,
    detectors: Sequence[str],
    momentum_min: float = 0.0,
    separation_min: float = 0.0,
) -> Spectrometer:
    """Put the selection of a search into the detector it was made with.

    Args:
        geometry: The detector.
        detectors: Detectors that every track must cross.
        momentum_min: Lowest momentum of a track [GeV].
        separation_min: Smallest distance of the two tracks in the first chamber [m];
            no such cut is published.

    Returns:
        Planes and cuts.
    """
    point = geometry.dump.impact_point
    chambers = geometry.straw

    def column(values: list[float]) -> np.ndarray:
        return np.array(values, dtype=float)

    return Spectrometer(
        impact_point=jnp.array([point.x.value, point.y.value, point.z.value]),
        straw_z=jnp.asarray(column([c.z.value for c in chambers])),
        straw_hole_x=jnp.asarray(column([c.hole_x.value for c in chambers])),
        straw_inner_radius=jnp.asarray(column([c.hole_radius.value for c in chambers])),
        straw_outer_radius=jnp.asarray(
            column([c.outer_radius.value for c in chambers])
        ),
        magnet_z=jnp.asarray(geometry.magnet.z.value),
        magnet_kick=jnp.asarray(geometry.magnet.momentum_kick.value),
        chod_z=jnp.asarray(geometry.chod.z.value),
        chod_outer_radius=jnp.asarray(geometry.chod.outer_radius.value),
        lkr_z=jnp.asarray(geometry.lkr.z.value),
        lkr_inner_radius=jnp.asarray(geometry.lkr.hole_radius.value),
        lkr_outer_radius=jnp.asarray(geometry.lkr.outer_radius.value),
        muv3_z=jnp.asarray(geometry.muv3.z.value),
        muv3_half_side=jnp.asarray(geometry.muv3.half_side.value),
        muv3_inner_radius=jnp.asarray(geometry.muv3.hole_radius.value),
        momentum_min=jnp.asarray(momentum_min),
        separation_min=jnp.asarray(separation_min),
        required=tuple(detectors),
    )
