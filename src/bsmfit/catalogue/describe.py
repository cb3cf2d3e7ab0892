"""Models and channels in words: every number with its unit, provenance and source."""

from __future__ import annotations

from bsmfit.catalogue.describe_kaon import describe_pi_invisible, describe_pi_nunu
from bsmfit.catalogue.quantity_words import (
    Section,
    nuisance_in_words,
    quantity_in_words,
)
from bsmfit.catalogue.records import (
    channel_names,
    locate_channel,
    model_names,
    pi_nunu_names,
    read_beam_dump_record,
    read_model_card,
    record_kind,
)
from bsmfit.catalogue.tables.metadata import read_metadata
from bsmfit.errors import UnknownNameError
from bsmfit.records.model_card import ModelCard
from bsmfit.records.model_preset import DarkPhotonPreset, DarkScalarPreset

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
        is_invisible = record_kind(name) == "pi-invisible"
        return (
            describe_pi_invisible(name) if is_invisible else _describe_beam_dump(name)
        )
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
                ("masses", "{:g} to {:g} GeV".format(*card.mass_range)),
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
        if isinstance(choice, DarkPhotonPreset):
            rows.append(("form factor", choice.form_factor))
        if isinstance(choice, DarkScalarPreset):
            rows.append(("coefficient", quantity_in_words(choice.coefficient)))
        rows += [
            (
                entry.name,
                f"factor {1 + entry.size:g} [{entry.provenance}] {entry.source}",
            )
            for entry in choice.nuisances
        ]
        sections.append((f"preset {preset}", rows))
    return sections


def _coupling(card: ModelCard) -> str:
    unit = "" if card.coupling_unit == "1" else f" [{card.coupling_unit}]"
    return f"{card.coupling}{unit}"


def _describe_beam_dump(name: str) -> list[Section]:
    record = read_beam_dump_record(name)
    counts, selection = record.counts, record.selection
    head = [
        ("title", record.title),
        ("cite", f"{record.texkey}, arXiv:{record.arxiv}"),
        ("final state", record.final_state),
        ("default preset", record.default_preset),
        ("protons on target", quantity_in_words(record.protons_on_target)),
        ("selection efficiency", quantity_in_words(record.selection_efficiency)),
        ("observed", quantity_in_words(counts.n_observed)),
        *[("event mass", quantity_in_words(mass)) for mass in counts.observed_masses],
        ("background", quantity_in_words(counts.background)),
        ("momentum of a track", quantity_in_words(selection.momentum_min)),
        ("decay volume from", quantity_in_words(selection.decay_volume.start)),
        ("decay volume to", quantity_in_words(selection.decay_volume.end)),
        ("detectors", ", ".join(selection.detectors)),
        ("mass window", record.mass_window.method),
        (
            "limits of the paper",
            f"{record.statistics.method}, {record.statistics.source}",
        ),
    ]
    nuisances = [(entry.name, nuisance_in_words(entry)) for entry in record.nuisances]
    tables = []
    for kind in ("acceptance", "yields"):
        path = locate_channel(name).parent / f"{kind}.npz"
        if path.exists():
            tables.append((kind, read_metadata(path)["made_by"]))
    return [
        (f"channel {record.id}", head),
        ("nuisances", nuisances),
        ("tables", tables),
        ("caveats", [("", text) for text in record.caveats]),
    ]
