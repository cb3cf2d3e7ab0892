"""Where the dump and the detectors of an experiment are.

Coordinates: z along the nominal beam from the production target of kaon running, x
horizontal, y vertical; all lengths in m. The record states the numbers; the acceptance
in `bsmfit.detector` uses them. `alternatives` keeps the values of other sources, so
that the effect of a choice can be measured.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.shared_entries import DecayVolume
from bsmfit.records.strict_model import (
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = [
    "Beam",
    "Calorimeter",
    "Dump",
    "DumpLayer",
    "GeometryAlternatives",
    "GeometryRecord",
    "Hodoscope",
    "Magnet",
    "MuonDetector",
    "Point",
    "StrawChamber",
]

Length = Annotated[Quantity, quantity_check("m")]
PositiveLength = Annotated[Quantity, quantity_check("m", above=0.0)]
Radius = Annotated[Quantity, quantity_check("m", minimum=0.0)]


class Beam(StrictModel):
    """The proton beam.

    Attributes:
        momentum: Momentum [GeV].
    """

    momentum: Annotated[Quantity, quantity_check("GeV", above=0.0)]


class Point(StrictModel):
    """A point in space.

    Attributes:
        x: Horizontal position [m].
        y: Vertical position [m].
        z: Position along the beam [m].
    """

    x: Length
    y: Length
    z: Length


class DumpLayer(StrictModel):
    """One layer of the dump, in the order in which the beam meets them.

    Attributes:
        material: Chemical symbol.
        thickness: Thickness along the beam [m].
    """

    material: Text
    thickness: PositiveLength


class Dump(StrictModel):
    """The absorber that the protons are stopped in.

    Attributes:
        impact_point: Where all production is placed.
        layers: Materials in beam order.
        interaction_length: Nuclear interaction length of the first layer [g/cm^2].
    """

    impact_point: Point
    layers: Annotated[Items[DumpLayer], Field(min_length=1)]
    interaction_length: Annotated[Quantity, quantity_check("g/cm^2", above=0.0)]


class StrawChamber(StrictModel):
    """One spectrometer chamber: an annulus whose hole may be off the axis.

    Attributes:
        name: Name of the chamber.
        z: Position along the beam [m].
        hole_x: Horizontal position of the centre of the hole [m].
        hole_radius: Radius of the hole [m].
        outer_radius: Outer radius about the axis [m].
    """

    name: Identifier
    z: PositiveLength
    hole_x: Length
    hole_radius: Radius
    outer_radius: PositiveLength

    @model_validator(mode="after")
    def _hole_lies_inside(self) -> StrawChamber:
        reach = abs(self.hole_x.value) + self.hole_radius.value
        if reach >= self.outer_radius.value:
            text = (
                f"is {self.outer_radius.value:g} m but must exceed |hole_x| + "
                f"hole_radius = {reach:g} m"
            )
            raise invalid_value(text, key="outer_radius.value")
        return self


class Magnet(StrictModel):
    """The spectrometer magnet as one kick in its middle.

    Attributes:
        z: Centre along the beam [m].
        momentum_kick: Change of the transverse momentum of a unit charge [GeV].
        axis: Direction of the kick.
    """

    z: PositiveLength
    momentum_kick: Annotated[Quantity, quantity_check("GeV", minimum=0.0)]
    axis: Literal["x"]


class Hodoscope(StrictModel):
    """The charged-particle hodoscope, a disc.

    Attributes:
        z: Position along the beam [m].
        outer_radius: Outer radius [m].
    """

    z: PositiveLength
    outer_radius: PositiveLength


class Calorimeter(StrictModel):
    """The electromagnetic calorimeter, an annulus.

    Attributes:
        z: Position along the beam [m].
        hole_radius: Inner radius [m].
        outer_radius: Outer radius [m], beyond `hole_radius`.
    """

    z: PositiveLength
    hole_radius: Radius
    outer_radius: PositiveLength

    @model_validator(mode="after")
    def _is_an_annulus(self) -> Calorimeter:
        if self.outer_radius.value <= self.hole_radius.value:
            text = (
                f"is {self.outer_radius.value:g} m but must exceed hole_radius = "
                f"{self.hole_radius.value:g} m"
            )
            raise invalid_value(text, key="outer_radius.value")
        return self


class MuonDetector(StrictModel):
    """The muon detector, a square with a round hole.

    Attributes:
        z: Position along the beam [m].
        half_side: Half of the side of the square [m], beyond `hole_radius`.
        hole_radius: Radius of the hole [m].
    """

    z: PositiveLength
    half_side: PositiveLength
    hole_radius: Radius

    @model_validator(mode="after")
    def _hole_lies_inside(self) -> MuonDetector:
        if self.half_side.value <= self.hole_radius.value:
            text = (
                f"is {self.half_side.value:g} m but must exceed hole_radius = "
                f"{self.hole_radius.value:g} m"
            )
            raise invalid_value(text, key="half_side.value")
        return self


class GeometryAlternatives(StrictModel):
    """Values of other sources, by the name of the source.

    Attributes:
        decay_volume: Other decay volumes.
        straw: Other sets of chambers.
    """

    decay_volume: dict[Identifier, DecayVolume] = Field(default_factory=dict)
    straw: dict[Identifier, Annotated[Items[StrawChamber], Field(min_length=1)]] = (
        Field(default_factory=dict)
    )


class GeometryRecord(StrictModel):
    """Beam, dump and detectors of one experiment.

    Attributes:
        id: Name of the geometry, equal to its folder's name.
        experiment: Experiment.
        texkeys: Keys of the sources in `refs.bib`.
        coordinates: The coordinate system in words.
        beam: Proton beam.
        dump: Absorber.
        decay_volume: Default decay volume.
        straw: Spectrometer chambers, upstream first.
        magnet: Spectrometer magnet, between the chambers.
        chod: Charged-particle hodoscope.
        lkr: Electromagnetic calorimeter.
        muv3: Muon detector.
        alternatives: Values of other sources.
        caveats: What a user of the numbers must know.
    """

    id: Identifier
    experiment: Text
    texkeys: Items[Text] = ()
    coordinates: Text
    beam: Beam
    dump: Dump
    decay_volume: DecayVolume
    straw: Annotated[Items[StrawChamber], Field(min_length=2)]
    magnet: Magnet
    chod: Hodoscope
    lkr: Calorimeter
    muv3: MuonDetector
    alternatives: GeometryAlternatives = GeometryAlternatives()
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _is_in_beam_order(self) -> GeometryRecord:
        positions = [
            ("dump.impact_point.z", self.dump.impact_point.z.value),
            ("decay_volume.start", self.decay_volume.start.value),
            ("decay_volume.end", self.decay_volume.end.value),
            *((f"straw[{i}].z", c.z.value) for i, c in enumerate(self.straw)),
            ("lkr.z", self.lkr.z.value),
            ("muv3.z", self.muv3.z.value),
        ]
        for (before, low), (after, high) in itertools.pairwise(positions):
            if high < low:
                text = f"is {high:g} m but must lie beyond {before} = {low:g} m"
                raise invalid_value(text, key=f"{after}.value")
        first, last = self.straw[0].z.value, self.straw[-1].z.value
        if not first < self.magnet.z.value < last:
            text = (
                f"is {self.magnet.z.value:g} m but must lie between the first and the "
                f"last chamber ({first:g} to {last:g} m)"
            )
            raise invalid_value(text, key="magnet.z.value")
        return self
