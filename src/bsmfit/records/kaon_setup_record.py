r"""What the searches in kaon decays have in common: beam, decay volume, tracking, veto.

The planes of the spectrometer are those of a geometry record; this record adds what the
simulation of $K^+\to\pi^+X$ needs on top. The end of the veto is *one* number for all
searches: an effective position, since nobody publishes the veto efficiency for late
decays; it may be calibrated at one published ratio of limits, which is then no test.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.records.quantity import Provenance, Quantity, quantity_check
from bsmfit.records.shared_entries import DecayVolume, DetectorNames
from bsmfit.records.strict_model import (
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = [
    "KaonBeamRecord",
    "KaonSetupRecord",
    "LifetimePoint",
    "TrackingRecord",
    "VetoEnd",
]

Fraction = Annotated[Quantity, quantity_check("1", minimum=0.0, maximum=1.0)]
Angle = Annotated[Quantity, quantity_check("rad", minimum=0.0)]
Momentum = Annotated[Quantity, quantity_check("GeV", above=0.0)]


class KaonBeamRecord(StrictModel):
    """The kaon beam.

    Attributes:
        momentum: Mean momentum [GeV].
        momentum_spread: Relative standard deviation [1].
    """

    momentum: Momentum
    momentum_spread: Fraction


class TrackingRecord(StrictModel):
    """Errors of momenta and directions, one standard deviation.

    Attributes:
        kaon_momentum: Relative error of the kaon momentum [1].
        kaon_angle: Error of the kaon direction in a plane [rad].
        pion_momentum: Constant part of the relative error of the pion momentum [1].
        pion_momentum_slope: Part that grows with the momentum [1/GeV].
        pion_angle_low: Error of the pion direction at `momentum_low` [rad].
        pion_angle_high: The same at `momentum_high` [rad].
        momentum_low: Momentum below which the error of the direction is constant [GeV].
        momentum_high: Momentum above which it is constant [GeV].
    """

    kaon_momentum: Fraction
    kaon_angle: Angle
    pion_momentum: Fraction
    pion_momentum_slope: Annotated[Quantity, quantity_check("1/GeV", minimum=0.0)]
    pion_angle_low: Angle
    pion_angle_high: Angle
    momentum_low: Momentum
    momentum_high: Momentum

    @model_validator(mode="after")
    def _is_ordered(self) -> TrackingRecord:
        if self.momentum_high.value <= self.momentum_low.value:
            text = (
                f"is {self.momentum_high.value:g} GeV but must lie above momentum_low ="
                f" {self.momentum_low.value:g} GeV"
            )
            raise invalid_value(text, key="momentum_high.value")
        return self


class LifetimePoint(StrictModel):
    """The one published ratio of limits that the end of the veto was fitted to.

    Attributes:
        mass: Mass of X [GeV].
        lifetime_ns: Its proper lifetime [ns].
        ratio: Limit at this lifetime over the limit for a stable X [1], > 1.
        channel: Search that it is from.
        source: Where the published limits come from.
    """

    mass: Annotated[float, Field(gt=0)]
    lifetime_ns: Annotated[float, Field(gt=0)]
    ratio: Annotated[float, Field(gt=1)]
    channel: Text
    source: Text


class VetoEnd(StrictModel):
    """Where along the beam a decay of X is no longer seen.

    Attributes:
        value: Position [m].
        unit: Always "m".
        uncertainty: Its standard deviation [m].
        provenance: How far it can be trusted.
        source: Texkey or words.
        calibrated_at: The published ratio it was fitted to, if it was.
    """

    value: Annotated[float, Field(gt=0)]
    unit: Literal["m"]
    uncertainty: Annotated[float, Field(ge=0)]
    provenance: Provenance
    source: Text
    calibrated_at: LifetimePoint | None = None

    @model_validator(mode="after")
    def _says_where_it_was_calibrated(self) -> VetoEnd:
        if (self.provenance == "calibrated") != (self.calibrated_at is not None):
            text = (
                f"is {self.provenance!r}; 'calibrated' and the key 'calibrated_at' "
                "(mass, lifetime_ns, ratio, channel, source) go together"
            )
            raise invalid_value(text, key="provenance")
        return self


class KaonSetupRecord(StrictModel):
    """Beam, decay volume, tracking and veto of the searches in kaon decays.

    Attributes:
        id: Name of the setup, equal to its folder's.
        experiment: Experiment.
        texkeys: Publications to cite.
        geometry: Geometry record of the detector, by folder name or path.
        beam: The kaon beam.
        decay_volume: Accepted vertex positions, before the veto's end.
        detectors: Detectors that the pion must cross.
        tracking: Errors of momenta and directions.
        veto_end: Where decays of X are no longer seen.
        caveats: What a user of the numbers must know.
    """

    id: Identifier
    experiment: Text
    texkeys: Items[Text]
    geometry: Text
    beam: KaonBeamRecord
    decay_volume: DecayVolume
    detectors: DetectorNames
    tracking: TrackingRecord
    veto_end: VetoEnd
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _veto_lies_behind_the_volume(self) -> KaonSetupRecord:
        if self.veto_end.value <= self.decay_volume.end.value:
            text = (
                f"is {self.veto_end.value:g} m but must lie beyond the decay volume, "
                f"{self.decay_volume.end.value:g} m"
            )
            raise invalid_value(text, key="veto_end.value")
        return self
