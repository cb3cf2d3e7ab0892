"""Where the dump, the decay volume and the detector of a dump without spectrometer are.

The beams of other laboratories ended in blocks behind which a calorimeter looked at an
empty decay volume, on the beam axis or beside it. One window, the same all along, is
the transverse size of both: particles decay inside it and what they decay to crosses it
again at the calorimeter, on a straight line.

Coordinates: z along the beam, x horizontal, y vertical; all lengths in m.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import model_validator

from bsmfit.records.geometry_record import Beam, Dump
from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.shared_entries import DecayVolume
from bsmfit.records.strict_model import (
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = ["ApertureGeometryRecord", "FacePlane", "Window"]

Length = Annotated[Quantity, quantity_check("m")]
PositiveLength = Annotated[Quantity, quantity_check("m", above=0.0)]


class Window(StrictModel):
    """Transverse size of the decay volume and of the detector behind it.

    Attributes:
        shape: ``"rectangle"`` or ``"ellipse"``.
        centre_x: Horizontal position of the centre [m].
        centre_y: Vertical position of the centre [m].
        half_width: Half of the horizontal size [m].
        half_height: Half of the vertical size [m].
    """

    shape: Literal["rectangle", "ellipse"]
    centre_x: Length
    centre_y: Length
    half_width: PositiveLength
    half_height: PositiveLength


class FacePlane(StrictModel):
    """The front of the calorimeter.

    Attributes:
        z: Position along the beam [m].
    """

    z: PositiveLength


class ApertureGeometryRecord(StrictModel):
    """Beam, dump, decay volume and calorimeter of one experiment.

    Attributes:
        id: Name of the geometry, equal to its folder's name.
        experiment: Experiment.
        texkeys: Keys of the sources in `refs.bib`.
        coordinates: The coordinate system in words.
        beam: Proton beam.
        dump: Absorber.
        decay_volume: Default decay volume.
        window: Transverse size.
        calorimeter: Front of the calorimeter.
        caveats: What a user of the numbers must know.
    """

    id: Identifier
    experiment: Text
    texkeys: Items[Text] = ()
    coordinates: Text
    beam: Beam
    dump: Dump
    decay_volume: DecayVolume
    window: Window
    calorimeter: FacePlane
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _is_in_beam_order(self) -> ApertureGeometryRecord:
        positions = [
            ("dump.impact_point.z", self.dump.impact_point.z.value),
            ("decay_volume.start", self.decay_volume.start.value),
            ("decay_volume.end", self.decay_volume.end.value),
            ("calorimeter.z", self.calorimeter.z.value),
        ]
        for (before, low), (after, high) in itertools.pairwise(positions):
            if high < low:
                text = f"is {high:g} m but must lie beyond {before} = {low:g} m"
                raise invalid_value(text, key=f"{after}.value")
        return self
