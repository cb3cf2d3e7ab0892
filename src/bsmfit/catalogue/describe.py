"""Models and channels in words: every number with its unit, provenance and source."""

from __future__ import annotations

from bsmfit.catalogue.describe_pi_nunu import describe_pi_nunu
from bsmfit.catalogue.kinds.registry import kind_of
from bsmfit.catalogue.quantity_words import Section, quantity_in_words
from bsmfit.catalogue.records import (
    channel_names,
    model_names,
    pi_nunu_names,
    read_model_card,
)
from bsmfit.errors import UnknownNameError
from bsmfit.records.given_rate_preset import GivenRatePreset
from bsmfit.records.model_card import ModelCard
from bsmfit.records.model_preset import (
    DarkPhotonPreset,
    DarkScalarPreset,
    HeavyNeutralLeptonPreset,
)
from bsmfit.records.pair_preset import SeveralCouplingsPreset

__all__ = ["Section", "describe"]


def describe(name: str) -> list[Section]:
    """Describe a shipped model, search or measurement.

    Args:
        name: Name of a model, or id of a search or a measurement.

    Returns:
        Sections of rows.

    Raises:
        UnknownNameError: Nothing has this name.
    """
    if name in model_names():
        return _describe_model(name)
    if name in channel_names():
        return kind_of(name).describe(name)
    if name in pi_nunu_names():
        return describe_pi_nunu(name)
    kind = "model or channel"
    known = [*model_names(), *channel_names(), *pi_nunu_names()]
    raise UnknownNameError.from_choices(kind, name, known)


def _describe_model(name: str) -> list[Section]:
    card = read_model_card(name)
    sections: list[Section] = [
        (
            f"model {card.name}",
            [
                ("summary", card.summary),
                ("benchmark", card.pbc or "none"),
                ("coupling", _coupling(card)),
                ("masses", _masses(card)),
                *(card.charges.in_words() if card.charges else ()),
                ("cite", ", ".join(card.texkeys)),
                ("default preset", card.default_preset),
            ],
        )
    ]
    for preset, choice in card.presets.items():
        rows = [
            ("summary", choice.summary),
            ("assumption", choice.assumption),
            ("processes", ", ".join(choice.processes)),
        ]
        rows += [
            (f"norm of {process}", f"{norm.value:g} [{norm.provenance}] {norm.source}")
            for process, norm in choice.norms.items()
        ]
        if isinstance(choice, DarkPhotonPreset):
            rows.append(("form factor", choice.form_factor))
        if isinstance(choice, DarkScalarPreset):
            rows.append(("coefficient", quantity_in_words(choice.coefficient)))
        if isinstance(choice, HeavyNeutralLeptonPreset):
            rows.append(("nature", choice.nature))
            rows.append(("vertex length", quantity_in_words(choice.vertex_length)))
        if isinstance(choice, SeveralCouplingsPreset | GivenRatePreset):
            rows += choice.in_words()
        rows += [
            (
                entry.name,
                f"factor {1 + entry.size:g} [{entry.provenance}] {entry.source}",
            )
            for entry in choice.nuisances
        ]
        sections.append((f"preset {preset}", rows))
    return sections


def _masses(card: ModelCard) -> str:
    words = "{:g} to {:g} GeV".format(*card.mass_range)
    without = [f"{low:g} to {high:g}" for low, high in card.excluded_masses]
    return f"{words}, without {', '.join(without)}" if without else words


def _coupling(card: ModelCard) -> str:
    unit = "" if card.coupling_unit == "1" else f" [{card.coupling_unit}]"
    return f"{card.coupling}{unit}"
