"""The part of a selection in beam-dump mode that the acceptance simulates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.shared_entries import DecayVolume, distinct_names
from bsmfit.records.strict_model import Items, StrictModel

__all__ = [
    "CloseTrackCuts",
    "CrossingCuts",
    "PhotonPairCuts",
    "Selection",
    "VertexCut",
]


class VertexCut(StrictModel):
    """A demand on the vertex of a pair, see `bsmfit.detector.close_tracks`.

    Attributes:
        error_max: Largest error of the vertex along the beam [m].
        slope_noise: Error of a slope from the chambers [rad].
        slope_scattering: Error of a slope from scattering, times the momentum
            [rad GeV].
        position_error: Error of a point in the first chamber [m].
    """

    error_max: Annotated[Quantity, quantity_check("m", above=0.0)]
    slope_noise: Annotated[Quantity, quantity_check("rad", minimum=0.0)]
    slope_scattering: Annotated[Quantity, quantity_check("rad GeV", minimum=0.0)]
    position_error: Annotated[Quantity, quantity_check("m", minimum=0.0)]


class CloseTrackCuts(StrictModel):
    """What pairs of close tracks must have.

    Attributes:
        straw_separation: Smallest distance of the tracks in the first chamber [m].
        lkr_separation: Smallest distance of the tracks at the calorimeter [m].
        vertex: Demand on the vertex; none where None.
    """

    straw_separation: Annotated[Quantity, quantity_check("m", minimum=0.0)]
    lkr_separation: Annotated[Quantity, quantity_check("m", minimum=0.0)]
    vertex: VertexCut | None = None


class CrossingCuts(StrictModel):
    """What must cross the calorimeter of a detector without magnet.

    Attributes:
        tracks: Whether either track is enough, or both are asked for.
        energy_min: Lowest energy of the tracks that cross it, added up [GeV].
        angle_max: Largest angle of either to the beam [rad].
    """

    tracks: Literal["either", "both"]
    energy_min: Annotated[Quantity, quantity_check("GeV", above=0.0)]
    angle_max: Annotated[Quantity, quantity_check("rad", above=0.0, maximum=1.0)]


class PhotonPairCuts(StrictModel):
    """What two photons must have, besides the lowest energy of each.

    Attributes:
        separation_min: Smallest distance of the photons at the calorimeter [m].
    """

    separation_min: Annotated[Quantity, quantity_check("m", minimum=0.0)]


DumpDetectorNames = Annotated[
    Items[Literal["straw", "chod", "lkr", "muv3", "calorimeter"]],
    Field(min_length=1),
    distinct_names(),
]


class Selection(StrictModel):
    """The part of the selection that the acceptance simulates.

    Attributes:
        momentum_min: Smallest momentum of each track, or of each photon [GeV].
        decay_volume: Accepted vertex positions.
        detectors: Detectors that both tracks must hit, by the names in the geometry.
        hole_radius: Radius of the holes of all chambers [m]; those of the geometry
            where None.
        close_tracks: Demands on close tracks; none where None.
        photons: Demands on two photons, of that final state only.
        crossing: What crosses the calorimeter, of detectors without magnet only.
    """

    momentum_min: Annotated[Quantity, quantity_check("GeV", minimum=0.0)]
    decay_volume: DecayVolume
    detectors: DumpDetectorNames
    hole_radius: Annotated[Quantity, quantity_check("m", minimum=0.0)] | None = None
    close_tracks: CloseTrackCuts | None = None
    crossing: CrossingCuts | None = None
    photons: PhotonPairCuts | None = None
