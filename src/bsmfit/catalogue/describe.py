"""Models and channels in words: every number with its unit, provenance and source."""

from __future__ import annotations

from bsmfit.catalogue.channels import channel_names
from bsmfit.catalogue.files import list_models
from bsmfit.catalogue.records import (
    locate_channel,
    read_beam_dump_record,
    read_model_card,
)
from bsmfit.catalogue.table_files import read_metadata
from bsmfit.errors import UnknownNameError
from bsmfit.records.model_card import ModelCard
from bsmfit.records.model_preset import DarkPhotonPreset, DarkScalarPreset
from bsmfit.records.quantity import Count, Quantity

__all__ = ["Section", "describe"]

Section = tuple[str, list[tuple[str, str]]]
"""A title and its rows of (name, text)."""


def describe(name: str) -> list[Section]:
    """Describe a shipped model or channel.

    Args:
        name: Name of a model or id of a channel.

    Returns:
        Sections of rows.

    Raises:
        UnknownNameError: Neither a model nor a channel has this name.
    """
    if name in list_models():
        return _describe_model(name)
    if name in channel_names():
        return _describe_channel(name)
    kind = "model or channel"
    raise UnknownNameError.from_choices(kind, name, [*list_models(), *channel_names()])


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
            rows.append(("coefficient", _quantity(choice.coefficient)))
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


def _quantity(quantity: Quantity | Count) -> str:
    error = ""
    if isinstance(quantity, Quantity) and quantity.uncertainty is not None:
        down = quantity.uncertainty_down
        error = (
            f" +{quantity.uncertainty:g} -{down:g}"
            if down is not None
            else (f" +- {quantity.uncertainty:g}")
        )
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    source = f"[{quantity.provenance}] {quantity.source}"
    return f"{quantity.value:g}{error}{unit}  {source}"


def _describe_channel(name: str) -> list[Section]:
    record = read_beam_dump_record(name)
    counts, selection = record.counts, record.selection
    head = [
        ("title", record.title),
        ("cite", f"{record.texkey}, arXiv:{record.arxiv}"),
        ("final state", record.final_state),
        ("default preset", record.default_preset),
        ("protons on target", _quantity(record.protons_on_target)),
        ("selection efficiency", _quantity(record.selection_efficiency)),
        ("observed", _quantity(counts.n_observed)),
        *[("event mass", _quantity(mass)) for mass in counts.observed_masses],
        ("background", _quantity(counts.background)),
        ("momentum of a track", _quantity(selection.momentum_min)),
        ("decay volume from", _quantity(selection.decay_volume.start)),
        ("decay volume to", _quantity(selection.decay_volume.end)),
        ("detectors", ", ".join(selection.detectors)),
        ("mass window", record.mass_window.method),
        (
            "limits of the paper",
            f"{record.statistics.method}, {record.statistics.source}",
        ),
    ]
    nuisances = [
        (
            entry.name,
            f"{entry.size:.3g} of the {entry.affects} "
            f"[{entry.provenance}] {entry.source}",
        )
        for entry in record.nuisances
    ]
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
