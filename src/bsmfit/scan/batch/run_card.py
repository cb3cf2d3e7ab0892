"""The run card: one scan, as a YAML file or a Python object.

    card.yaml --pydantic--> RunCard --bsmfit.scan.batch.batch_run--> blocks --> scan.nc

A card says what is computed and how it is cut into blocks; it does not say where or by
how many processes, so that the same card gives the same result everywhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bsmfit.catalogue.yaml_file import read_yaml
from bsmfit.records.override_card import OwnNumbers
from bsmfit.records.strict_model import (
    CouplingName,
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = [
    "CARD_VERSION",
    "AxesCard",
    "AxisCard",
    "OwnNumbersCard",
    "ParameterAxisCard",
    "RunCard",
    "card_schema",
    "read_run_card",
]

CARD_VERSION = 1
"""Version of the format of cards that this package reads."""

_Positive = Annotated[float, Field(gt=0.0)]
_YAML_SUFFIXES = (".yaml", ".yml")


class ParameterAxisCard(StrictModel):
    """One axis: points from a low to a high end, or a list of points.

    Attributes:
        low: First point.
        high: Last point, > `low`.
        points: Number of points, both ends included.
        spacing: ``"log"`` for equal ratios or ``"lin"`` for equal steps.
        values: The points one by one, ascending, in place of all others.
    """

    low: float | None = None
    high: float | None = None
    points: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    spacing: Literal["log", "lin"] = "log"
    values: Annotated[Items[float], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_one_axis(self) -> ParameterAxisCard:
        """Refuse half a range, a range with a list, or a list that does not ascend."""
        given = [k for k in ("low", "high", "points") if getattr(self, k) is not None]
        if self.values is None:
            if len(given) < 3:
                text = "needs low, high and points, or values"
                raise invalid_value(text)
            if self.spacing == "log" and self.low is not None and self.low <= 0.0:
                text = f"is {self.low:g} in equal ratios; write spacing: lin"
                raise invalid_value(text, key="low")
        elif given or self.spacing != "log":
            text = "has values, and so neither low, high, points nor spacing"
            raise invalid_value(text)
        elif any(b <= a for a, b in zip(self.values, self.values[1:], strict=False)):
            text = "must be strictly ascending"
            raise invalid_value(text, key="values")
        return self


class AxisCard(ParameterAxisCard):
    """An axis of masses [GeV] or couplings, all above 0."""

    low: _Positive | None = None
    high: _Positive | None = None
    values: Annotated[Items[_Positive], Field(min_length=1)] | None = None


class AxesCard(StrictModel):
    """The axes of a map; of a plane the searches' own where left out.

    Attributes:
        mass: Masses [GeV].
        coupling: Couplings of the model, in its own unit.
        parameters: Further parameters of the model by name, each an axis of its own.
    """

    mass: AxisCard | None = None
    coupling: AxisCard | None = None
    parameters: dict[CouplingName, ParameterAxisCard] = Field(default_factory=dict)


class OwnNumbersCard(OwnNumbers):
    """Own numbers of all searches of a card, or of some.

    Attributes:
        channels: Numbers by the id of the search, before those for all.
    """

    channels: dict[Identifier, OwnNumbers] = Field(default_factory=dict)


class RunCard(StrictModel):
    """Everything that a scan depends on, by name.

    Attributes:
        card_version: Version of the format, `CARD_VERSION`.
        model: Name of a model, or path of a model card.
        preset: Production preset of the model; its default where None.
        processes: Production processes in place of those of the preset, each with a
            factor on its rate, >= 0.
        channels: Searches by name or path of a record; several are combined.
        axes: The plane, and further axes.
        parameters: Values of further parameters of the model that are fixed.
        override: A card of own numbers of the searches, by name or path.
        own_numbers: Own numbers of the searches, on top of those of `override`.
        method: How limits are computed.
        ordering: What is more signal-like where several regions are combined.
        cl: Confidence level, from 0.01 to 1 - 1e-6.
        block_points: Points of a block, at least one row; they are computed and written
            together. As `bsmfit scan` cuts where None: planes of up to 200,000 points
            are one block, others are cut into blocks of 50,000. Another value changes
            the last bits of some numbers (1e-14), and nothing else.

    Examples:
        >>> card = RunCard(model="dark-photon", channels=("na62-dump-mumu",))
        >>> card.cl, card.ordering
        (0.9, 'likelihood-ratio')
    """

    card_version: int = CARD_VERSION
    model: Text
    preset: Text | None = None
    processes: dict[str, Annotated[float, Field(ge=0.0)]] | None = None
    channels: Annotated[Items[Text], Field(min_length=1, max_length=100)]
    axes: AxesCard = AxesCard()
    parameters: dict[CouplingName, float] = Field(default_factory=dict)
    override: Text | None = None
    own_numbers: OwnNumbersCard = OwnNumbersCard()
    method: Literal["exact"] = "exact"
    ordering: Literal["likelihood-ratio", "sum"] = "likelihood-ratio"
    cl: Annotated[float, Field(ge=0.01, le=1.0 - 1e-6)] = 0.9
    block_points: Annotated[int, Field(ge=1, le=10_000_000)] | None = None

    @model_validator(mode="after")
    def _fixed_or_scanned(self) -> RunCard:
        """Refuse a parameter that is fixed and an axis."""
        for name in self.parameters:
            if name in self.axes.parameters:
                text = f"fixes {name!r}, which is an axis; leave one of them out"
                raise invalid_value(text, key="parameters")
        return self

    @field_validator("card_version")
    @classmethod
    def _is_known(cls, version: int) -> int:
        """Refuse cards of another version."""
        if version != CARD_VERSION:
            text = (
                f"is {version}, and this version of bsmfit reads cards of version "
                f"{CARD_VERSION}; see `bsmfit batch schema`"
            )
            raise invalid_value(text)
        return version

    def to_json(self) -> str:
        """Return the card as canonical JSON: sorted keys, no space."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    def differences(self, other: RunCard) -> list[str]:
        """Say, one text per key, where another card differs from this one.

        Args:
            other: The other card.

        Returns:
            ``"KEY: VALUE there, VALUE now"`` for each.
        """
        mine, theirs = (json.loads(card.to_json()) for card in (self, other))
        return [
            f"{key}: {_shown(theirs[key])} there, {_shown(value)} now"
            for key, value in mine.items()
            if theirs[key] != value
        ]


def read_run_card(path: Path) -> RunCard:
    """Read a card; paths in it are taken from the folder that it is in.

    Args:
        path: A YAML file.

    Returns:
        The card, with absolute paths.

    Raises:
        DataFileError: It cannot be read, or is no card; every fault is named with its
            line, what is allowed and the closest key.
    """
    card = read_yaml(path, RunCard)
    folder = path.absolute().parent
    return card.model_copy(
        update={
            "model": _absolute(card.model, folder),
            "channels": tuple(_absolute(name, folder) for name in card.channels),
            "override": card.override and _absolute(card.override, folder),
        }
    )


def card_schema() -> str:
    """The JSON schema of a card, for editors that check YAML.

    Returns:
        The schema as text.
    """
    schema = RunCard.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = f"bsmfit run card, version {CARD_VERSION}"
    return json.dumps(schema, indent=2)


def _absolute(name: str, folder: Path) -> str:
    """A path from a folder on; a name as it is."""
    is_path = "/" in name or name.endswith(_YAML_SUFFIXES)
    return str(folder / name) if is_path else name


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
