"""A benchmark: a model, its range of validity and its named production presets.

A card names a model function; a preset fixes what the theory leaves open. Which keys a
preset has depends on the `model` of the card (`bsmfit.records.model_preset`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, field_validator, model_validator

from bsmfit.errors import closest_name
from bsmfit.records.alp_preset import AlpPreset
from bsmfit.records.charged_vector_preset import ChargedVectorPreset, ChargesEntry
from bsmfit.records.given_rate_preset import GivenRatePreset
from bsmfit.records.model_preset import (
    MODEL_PRESETS,
    DarkPhotonPreset,
    DarkScalarPreset,
    HeavyNeutralLeptonPreset,
    KaonDecayPreset,
    Preset,
)
from bsmfit.records.pair_preset import PAIR_PRESETS, SeveralCouplingsPreset
from bsmfit.records.strict_model import (
    CouplingName,
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = ["ModelCard"]

_CHARGED_VECTOR = "charged-vector"
_PRESETS = {
    **MODEL_PRESETS,
    **PAIR_PRESETS,
    "axion-like-particle": AlpPreset,
    _CHARGED_VECTOR: ChargedVectorPreset,
    "given-rate": GivenRatePreset,
}


class ModelCard(StrictModel):
    """A benchmark model.

    Attributes:
        name: Name of the benchmark, equal to the stem of a shipped file.
        pbc: Physics Beyond Colliders benchmark, for example "BC1", or None.
        model: Name of the model function, one of `MODEL_PRESETS`
            or `PAIR_PRESETS`.
        summary: What it is, in one line.
        particle: Symbol of the particle, TeX without dollars.
        coupling: Name of the coupling, the second coordinate of a scan.
        coupling_unit: Unit of the coupling; "1" for a pure number.
        coupling_symbol: Symbol of the coupling, TeX without dollars, or None.
        mass_range: Range of masses in which the model is valid [GeV].
        excluded_masses: Windows inside it at which the model says nothing [GeV].
        charges: Charges of the fermions, of a `charged-vector` alone.
        texkeys: Publications to cite.
        default_preset: Preset used where none is named.
        presets: Presets by name; their keys depend on `model`.
    """

    name: Identifier
    pbc: Annotated[str, Field(pattern=r"^BC([1-9]|1[01])$")] | None = None
    model: Identifier
    summary: Text
    particle: Text
    coupling: CouplingName
    coupling_unit: Text = "1"
    coupling_symbol: Text | None = None
    mass_range: Annotated[
        Items[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)
    ]
    excluded_masses: Items[
        Annotated[
            Items[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)
        ]
    ] = ()
    charges: ChargesEntry | None = None
    texkeys: Items[Text]
    default_preset: Identifier
    # The first one names the keys in the messages about unknown keys.
    presets: dict[
        Identifier,
        DarkPhotonPreset
        | DarkScalarPreset
        | HeavyNeutralLeptonPreset
        | KaonDecayPreset
        | SeveralCouplingsPreset,
    ]

    @field_validator("model")
    @classmethod
    def _is_known(cls, model: str) -> str:
        if model not in _PRESETS:
            text = f"is {model!r}, no model function{_hint(model, _PRESETS)}"
            raise invalid_value(text)
        return model

    @field_validator("presets", mode="plain")
    @classmethod
    def _are_those_of_the_model(
        cls,
        presets: Any,
        info: Any,  # ValidationInfo, a protocol that cannot be checked at run time
    ) -> dict[str, Preset]:
        model = info.data.get("model")
        if model is None:  # a fault of its own
            return {}
        schema = _PRESETS[model]
        if schema is not DarkPhotonPreset:
            _check_keys(presets, schema)
        by_name: Any = Annotated[dict[Identifier, schema], Field(min_length=1)]
        return TypeAdapter(by_name).validate_python(presets)

    @field_validator("mass_range")
    @classmethod
    def _is_ordered(cls, mass_range: tuple[float, ...]) -> tuple[float, ...]:
        low, high = mass_range
        if high <= low:
            text = f"is [{low:g}, {high:g}] GeV but must be [lower, upper]"
            raise invalid_value(text)
        return mass_range

    @field_validator("excluded_masses")
    @classmethod
    def _are_windows(
        cls, excluded: tuple[tuple[float, ...], ...]
    ) -> tuple[tuple[float, ...], ...]:
        for low, high in excluded:
            if high <= low:
                text = f"has [{low:g}, {high:g}] GeV, which must be [lower, upper]"
                raise invalid_value(text)
        return excluded

    @model_validator(mode="after")
    def _has_charges_where_needed(self) -> ModelCard:
        is_charged = self.model == _CHARGED_VECTOR
        if is_charged != (self.charges is not None):
            text = (
                f"and the model {_CHARGED_VECTOR!r} belong together: write charges of "
                "up, down, strange, electron, muon, tau and neutrinos"
            )
            raise invalid_value(text, key="charges")
        for name, preset in self.presets.items() if self.charges else ():
            is_estimate = getattr(preset, "kaon_amplitude", "") == "up-quark"
            known = self.charges is not None and self.charges.is_like_the_photon
            if "kaon-to-pion" in preset.processes and not (known or is_estimate):
                text = (
                    "has 'kaon-to-pion', whose amplitude is known for charges of "
                    "quarks in the proportion 2 : -1 : -1 (or none) only; leave it "
                    "out, or add kaon_amplitude: up-quark for an estimate"
                )
                raise invalid_value(text, key=f"presets.{name}.processes")
        return self

    @model_validator(mode="after")
    def _default_exists(self) -> ModelCard:
        if self.default_preset not in self.presets:
            hint = _hint(self.default_preset, self.presets)
            text = f"is {self.default_preset!r}, no preset{hint}"
            raise invalid_value(text, key="default_preset")
        return self


def _hint(given: str, allowed: Iterable[str]) -> str:
    """The closest name and all of them, to follow what is wrong with a name."""
    names = sorted(allowed)
    guess = closest_name(given, names)
    closest = f"; did you mean {guess!r}?" if guess else ""
    return f"{closest} (known: {', '.join(names)})"


def _check_keys(presets: Any, schema: type[Preset]) -> None:
    """Refuse a key that the presets of this model do not have."""
    for name, preset in presets.items() if isinstance(presets, dict) else ():
        for key in preset if isinstance(preset, dict) else ():
            if key not in schema.model_fields:
                hint = _hint(key, schema.model_fields)
                text = f"is no key of the presets of this model{hint}"
                raise invalid_value(text, key=f"{name}.{key}")
