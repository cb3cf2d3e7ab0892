"""A card of own numbers for shipped searches: a projection or a what-if.

Numbers at the top level are for every search that the card is used with, those under
``channels`` for the search of that id.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.records.strict_model import (
    Identifier,
    Items,
    NuisanceName,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = ["OverrideCard", "OwnNuisanceEntry", "OwnNumbers"]

_Positive = Annotated[float, Field(gt=0)]


class OwnNuisanceEntry(StrictModel):
    """A nuisance that is added to a search, or has another size there.

    Attributes:
        name: Name of the nuisance; the same name is the same parameter everywhere.
        size: Relative size of one standard deviation; 0 takes it out.
        affects: What it moves; None: as before, a new one the signal.
    """

    name: NuisanceName
    size: Annotated[float, Field(ge=0, le=10)]
    affects: Literal["signal", "background"] | None = None


class OwnNumbers(StrictModel):
    """Numbers in place of those of a record; what is missing stays.

    Attributes:
        protons: Protons on target.
        kaons: Kaon decays.
        efficiency: Efficiency on top of the acceptance.
        sensitivity: Single-event sensitivity.
        background: Expected background [events].
        background_factor: Factor on the published background.
        observed: Observed events, or "expected" for as many as expected.
        nuisances: Nuisances that are added or changed.
    """

    protons: _Positive | None = None
    kaons: _Positive | None = None
    efficiency: Annotated[float, Field(gt=0, le=1)] | None = None
    sensitivity: Annotated[float, Field(gt=0, lt=1)] | None = None
    background: Annotated[float, Field(ge=0)] | None = None
    background_factor: _Positive | None = None
    observed: Annotated[int, Field(ge=0)] | Literal["expected"] | None = None
    nuisances: Items[OwnNuisanceEntry] = ()

    @model_validator(mode="after")
    def _one_background(self) -> OwnNumbers:
        if self.background is not None and self.background_factor is not None:
            text = "give background (events) or background_factor, not both"
            raise invalid_value(text, key="background_factor")
        return self


class OverrideCard(OwnNumbers):
    """Own numbers of one search or of several.

    Attributes:
        summary: What it is, in one line.
        assumption: What is assumed, and where the numbers come from.
        channels: Numbers by the id of the search, before those of the top level.
    """

    summary: Text | None = None
    assumption: Text | None = None
    channels: dict[Identifier, OwnNumbers] = Field(default_factory=dict)
