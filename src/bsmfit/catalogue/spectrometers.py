"""From the geometry and the selection of a search to the detector it uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from bsmfit.detector.acceptance import PairDetector
from bsmfit.detector.aperture import ApertureDetector
from bsmfit.detector.charged_pair_acceptance import PhotonCuts
from bsmfit.detector.close_tracks import CloseTracks, VertexError
from bsmfit.detector.photon_pair import PhotonPairDetector
from bsmfit.detector.spectrometer import DETECTORS, Spectrometer
from bsmfit.errors import DataFileError
from bsmfit.records.aperture_geometry_record import ApertureGeometryRecord
from bsmfit.records.dump_selection import CloseTrackCuts, PhotonPairCuts, Selection
from bsmfit.records.geometry_record import GeometryRecord

__all__ = ["make_spectrometer", "selected_detector", "selected_spectrometer"]

_APERTURE_DETECTORS = ("calorimeter",)


def selected_detector(
    geometry: GeometryRecord | ApertureGeometryRecord, selection: Selection
) -> PairDetector:
    """The detector with the selection of a search, of either form of geometry.

    Args:
        geometry: The detector.
        selection: The selection.

    Returns:
        Planes and cuts.

    Raises:
        DataFileError: The selection does not go with the form of the geometry.
    """
    if isinstance(geometry, GeometryRecord):
        if selection.crossing is not None:
            msg = (
                f"selection.crossing is for detectors without magnet; {geometry.id} "
                "has a spectrometer"
            )
            raise DataFileError(msg)
        if selection.photons is not None:
            return _photon_detector(geometry, selection, selection.photons)
        return selected_spectrometer(geometry, selection)
    return _aperture_detector(geometry, selection)


def _photon_detector(
    geometry: GeometryRecord, selection: Selection, photons: PhotonPairCuts
) -> PhotonPairDetector:
    _check_detectors(geometry.id, selection.detectors, ("lkr",))
    cuts = PhotonCuts(
        jnp.asarray(selection.momentum_min.value),
        jnp.asarray(photons.separation_min.value),
    )
    spectrometer = make_spectrometer(geometry, detectors=selection.detectors)
    return PhotonPairDetector(spectrometer, cuts)


def _aperture_detector(
    geometry: ApertureGeometryRecord, selection: Selection
) -> ApertureDetector:
    _check_detectors(geometry.id, selection.detectors, _APERTURE_DETECTORS)
    crossing = selection.crossing
    if crossing is None:
        msg = f"selection.crossing is missing; {geometry.id} has no spectrometer"
        raise DataFileError(msg)
    for key in ("hole_radius", "close_tracks", "photons"):
        if getattr(selection, key) is not None:
            msg = f"selection.{key} needs a spectrometer; {geometry.id} has none"
            raise DataFileError(msg)
    point, window = geometry.dump.impact_point, geometry.window
    return ApertureDetector(
        impact_point=jnp.array([point.x.value, point.y.value, point.z.value]),
        centre=jnp.array([window.centre_x.value, window.centre_y.value]),
        half_size=jnp.array([window.half_width.value, window.half_height.value]),
        plane_z=jnp.asarray(geometry.calorimeter.z.value),
        momentum_min=jnp.asarray(selection.momentum_min.value),
        energy_min=jnp.asarray(crossing.energy_min.value),
        angle_max=jnp.asarray(crossing.angle_max.value),
        n_track={"either": 1, "both": 2}[crossing.tracks],
        is_rectangle=window.shape == "rectangle",
    )


def _check_detectors(
    geometry: str, detectors: Sequence[str], known: Sequence[str]
) -> None:
    for name in detectors:
        if name not in known:
            msg = (
                f"selection.detectors names {name!r}; {geometry} has {', '.join(known)}"
            )
            raise DataFileError(msg)


def selected_spectrometer(
    geometry: GeometryRecord, selection: Selection
) -> Spectrometer:
    """The detector with the selection of a search in beam-dump mode.

    Args:
        geometry: The detector.
        selection: The selection.

    Returns:
        Planes and cuts.
    """
    close = selection.close_tracks
    found = make_spectrometer(
        geometry,
        detectors=selection.detectors,
        momentum_min=selection.momentum_min.value,
        separation_min=0.0 if close is None else close.straw_separation.value,
    )
    if selection.hole_radius is not None:
        radii = jnp.full_like(found.straw_inner_radius, selection.hole_radius.value)
        found = replace(found, straw_inner_radius=radii)
    if close is not None:
        found = replace(found, close_tracks=_close_tracks(close))
    return found


def _close_tracks(cuts: CloseTrackCuts) -> CloseTracks:
    separation = jnp.asarray(cuts.lkr_separation.value)
    if cuts.vertex is None:
        return CloseTracks(separation)
    return CloseTracks(
        separation,
        VertexError(
            slope_noise=jnp.asarray(cuts.vertex.slope_noise.value),
            slope_scattering=jnp.asarray(cuts.vertex.slope_scattering.value),
            position_error=jnp.asarray(cuts.vertex.position_error.value),
            largest=jnp.asarray(cuts.vertex.error_max.value),
        ),
    )


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

    Raises:
        DataFileError: A detector that there is none of.
    """
    _check_detectors(geometry.id, detectors, DETECTORS)
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
