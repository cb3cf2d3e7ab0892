"""Entries that records of several kinds share, each with the one check it has.

| entry | what is refused |
| --- | --- |
| `OrderedEnds` and what derives from it | a high end at or below the low one |
| `NuisanceEntry` and what derives from it | a size of 0 or below, or beyond 1e6 |
| `distinct_names` | a name that occurs twice in a list |
| `CsvBeside` | a file that is not a CSV file in the record's folder |
| `MassSegments` | segments that overlap or do not ascend |
"""

from __future__ import annotations

import itertools
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from bsmfit.core.argument import LARGEST_FACTOR
from bsmfit.records.quantity import Provenance, Quantity, quantity_check
from bsmfit.records.strict_model import (
    Items,
    NuisanceName,
    StrictModel,
    Text,
    first_duplicate,
    invalid_value,
)

__all__ = [
    "ArxivNumber",
    "Axis",
    "ChannelId",
    "CsvBeside",
    "DecayVolume",
    "DetectorNames",
    "Doi",
    "LevelQuantity",
    "LimitMethod",
    "MassSegment",
    "MassSegments",
    "NuisanceEntry",
    "OrderedEnds",
    "RecordNuisance",
    "RecordNuisances",
    "distinct_names",
]

ArxivNumber = Annotated[str, Field(pattern=r"^(\d{4}\.\d{4,5}|[a-z]+-[a-z]+/\d{7})$")]
ChannelId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Doi = Annotated[str, Field(pattern=r"^10\.\d{4,9}/\S+$")]
LevelQuantity = Annotated[Quantity, quantity_check("1", above=0.0, maximum=1.0)]
LimitMethod = Literal["CLs", "Feldman-Cousins", "Bayesian"]
PositiveLength = Annotated[Quantity, quantity_check("m", above=0.0)]

_Entries = TypeVar("_Entries", bound=tuple)


def distinct_names(advice: str = "") -> AfterValidator:
    """Make the validator of a list whose names must all differ.

    Args:
        advice: What the list should have instead, for the message.

    Returns:
        A pydantic validator, for a list of names or of entries that have a name.
    """
    then = f"; {advice}" if advice else ""

    def check(entries: _Entries) -> _Entries:
        twice = first_duplicate([getattr(entry, "name", entry) for entry in entries])
        if twice is not None:
            text = f"names {twice!r} twice{then}"
            raise invalid_value(text)
        return entries

    return AfterValidator(check)


def _is_beside_the_record(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".csv":
        text = (
            f"is {name!r} but must be the relative path of a .csv file in the "
            "record's folder"
        )
        raise invalid_value(text)
    return name


CsvBeside = Annotated[str, AfterValidator(_is_beside_the_record)]

DetectorNames = Annotated[
    Items[Literal["straw", "chod", "lkr", "muv3"]],
    Field(min_length=1),
    distinct_names(),
]


class OrderedEnds(StrictModel):
    """Two ends, the high one above the low one.

    Attributes:
        low: Low end.
        high: High end, > low.
    """

    low: float
    high: float

    @model_validator(mode="after")
    def _is_ordered(self) -> OrderedEnds:
        if self.high <= self.low:
            text = f"is {self.high:g} but must lie above low = {self.low:g}"
            raise invalid_value(text, key="high")
        return self


class Axis(OrderedEnds):
    """An axis of a plane, in equal ratios.

    Attributes:
        low: First point.
        high: Last point, > low.
        n_points: Number of points.
    """

    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]
    n_points: Annotated[int, Field(ge=2)]


class MassSegment(OrderedEnds):
    """Masses at which the search says something.

    Attributes:
        low: Lowest mass [GeV].
        high: Highest mass [GeV].
    """

    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(gt=0)]


def _are_apart(segments: tuple[MassSegment, ...]) -> tuple[MassSegment, ...]:
    for before, after in itertools.pairwise(segments):
        if after.low <= before.high:
            text = (
                f"has a segment from {after.low:g} GeV after one to "
                f"{before.high:g} GeV; they must ascend without overlap"
            )
            raise invalid_value(text)
    return segments


MassSegments = Annotated[Items[MassSegment], AfterValidator(_are_apart)]


class DecayVolume(StrictModel):
    """Where along the beam the particle may decay.

    Attributes:
        start: First accepted vertex position [m].
        end: Last accepted vertex position [m], beyond `start`.
    """

    start: PositiveLength
    end: PositiveLength

    @model_validator(mode="after")
    def _is_ordered(self) -> DecayVolume:
        if self.end.value <= self.start.value:
            text = (
                f"is {self.end.value:g} m but must lie beyond start = "
                f"{self.start.value:g} m"
            )
            raise invalid_value(text, key="end.value")
        return self


class NuisanceEntry(StrictModel):
    """A log-normal uncertainty.

    Attributes:
        name: Name of the parameter; the same name is the same parameter everywhere.
        size: Relative size; the response is (1 + size)**theta.
        distribution: Always "lognormal".
        provenance: How far the size can be trusted.
        source: Texkey with table; or words.
    """

    name: NuisanceName
    size: Annotated[float, Field(gt=0, lt=LARGEST_FACTOR)]
    distribution: Literal["lognormal"]
    provenance: Provenance
    source: Text


class RecordNuisance(NuisanceEntry):
    """A systematic uncertainty of one search.

    Attributes:
        affects: Which yield it multiplies.
    """

    affects: Literal["signal", "background"]


RecordNuisances = Annotated[
    Items[RecordNuisance], distinct_names("one entry per parameter")
]
