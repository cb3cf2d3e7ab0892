"""Searches and measurements in kaon decays in words."""

from __future__ import annotations

from bsmfit.catalogue.quantity_words import (
    Section,
    nuisance_in_words,
    quantity_in_words,
)
from bsmfit.catalogue.records import (
    locate_channel,
    read_kaon_setup,
    read_pi_invisible_record,
    read_pi_nunu_record,
)
from bsmfit.catalogue.tables.metadata import read_metadata
from bsmfit.records.kaon_setup_record import KaonSetupRecord
from bsmfit.records.pi_invisible_record import PiInvisibleRecord, SampleRecord, Window
from bsmfit.records.pi_nunu_record import Category, Subset
from bsmfit.records.quantity import Quantity

__all__ = ["describe_pi_invisible", "describe_pi_nunu"]


def describe_pi_invisible(name: str) -> list[Section]:
    """Describe a search for K+ -> pi+ X, X invisible.

    Args:
        name: Channel id.

    Returns:
        Sections of rows.
    """
    record = read_pi_invisible_record(name)
    folder = locate_channel(name).parent
    setup = read_kaon_setup(record.setup, beside=folder)
    nuisances = [(entry.name, nuisance_in_words(entry)) for entry in record.nuisances]
    veto = f"{setup.veto_end.uncertainty:g} m of the end of the veto, see the setup"
    table = folder / "forward.npz"
    made_by = read_metadata(table)["made_by"] if table.exists() else "missing"
    return [
        (f"channel {record.id}", _head(record)),
        *[(f"sample {sample.name}", _sample(sample)) for sample in record.samples],
        (f"setup {setup.id}", _setup(setup)),
        ("nuisances", [*nuisances, (record.veto_nuisance, veto)]),
        ("tables", [("forward", made_by)]),
        ("caveats", [("", text) for text in (*record.caveats, *setup.caveats)]),
    ]


def describe_pi_nunu(name: str) -> list[Section]:
    """Describe a measurement of K+ -> pi+ nu nu.

    Args:
        name: Id of the data set.

    Returns:
        Sections of rows.
    """
    record = read_pi_nunu_record(name)
    dataset = next(entry for entry in record.datasets if entry.id == name)
    normalisation = record.normalisation
    head = [
        ("title", dataset.title),
        ("cite", f"{dataset.texkey}, arXiv:{dataset.arxiv}"),
        ("periods", ", ".join(dataset.categories)),
        ("reference", quantity_in_words(record.reference_branching_ratio)),
        ("BR(K+ -> pi+ pi0)", quantity_in_words(normalisation.branching_ratio)),
        ("downscaling", quantity_in_words(normalisation.downscaling)),
    ]
    kept = [one for one in record.categories if one.name in dataset.categories]
    subsets = {subset.name for category in kept for subset in category.subsets}
    nuisances = [
        (
            entry.name,
            f"{entry.size:.3g} of the sensitivity of "
            f"{', '.join(one for one in entry.subsets if one in subsets)} "
            f"[{entry.provenance}] {entry.source}",
        )
        for entry in record.nuisances
        if subsets & set(entry.subsets)
    ]
    return [
        (f"measurement {dataset.id}", head),
        *[(f"period {category.name}", _category(category)) for category in kept],
        ("nuisances", nuisances),
        ("caveats", [("", text) for text in (*dataset.caveats, *record.caveats)]),
    ]


def _head(record: PiInvisibleRecord) -> list[tuple[str, str]]:
    """What a search states about itself, and what it saw."""
    of = "pi nu nu"
    if record.reference_mass is not None:
        of = f"pi X, X of {record.reference_mass:g} GeV"
    rows = [
        ("title", record.title),
        ("cite", f"{record.texkey}, arXiv:{record.arxiv}"),
        ("HEPData", record.hepdata or "none known"),
        ("data", ", ".join(record.datasets)),
        (
            "masses",
            " and ".join(f"{s.low:g} to {s.high:g} GeV" for s in record.segments),
        ),
        (f"BR of one {of}", quantity_in_words(record.single_event_sensitivity)),
        ("expected pi nu nu", quantity_in_words(record.neutrino_events)),
        ("other background", quantity_in_words(record.background)),
        ("background counted", _SHAPES[record.background_shape]),
    ]
    if record.n_observed is not None:
        rows.append(("observed", quantity_in_words(record.n_observed)))
    if record.published_limit is not None:
        limit = record.published_limit
        rows += [
            ("published limit", f"{limit.file}, {limit.method}, {limit.source}"),
            ("its level", quantity_in_words(limit.confidence_level)),
        ]
    return [*rows, ("default models", ", ".join(record.default_coupling))]


_SHAPES = {
    "information": "that of a count with the information of a fit of the peak",
    "region": "that of all regions",
}


def _sample(sample: SampleRecord) -> list[tuple[str, str]]:
    """Weight and windows of a sample."""
    rows = [("expected pi nu nu", quantity_in_words(sample.expected_events))]
    for index, region in enumerate(sample.regions, start=1):
        rows += [
            (f"region {index}, m_miss^2", _window(region.missing_mass_squared)),
            (f"region {index}, momentum", _window(region.momentum)),
        ]
    return rows


def _window(window: Window) -> str:
    return (
        f"{window.low:g} to {window.high:g} {window.unit}  "
        f"[{window.provenance}] {window.source}"
    )


def _setup(setup: KaonSetupRecord) -> list[tuple[str, str]]:
    """Beam, decay volume, tracking and the end of the veto."""
    tracking, veto = setup.tracking, setup.veto_end
    quantities = {
        "beam momentum": setup.beam.momentum,
        "beam spread": setup.beam.momentum_spread,
        "decay volume from": setup.decay_volume.start,
        "decay volume to": setup.decay_volume.end,
        "kaon momentum error": tracking.kaon_momentum,
        "kaon angle error": tracking.kaon_angle,
        "pion momentum error": tracking.pion_momentum,
        "its slope": tracking.pion_momentum_slope,
        "pion angle error, low": tracking.pion_angle_low,
        "pion angle error, high": tracking.pion_angle_high,
        "low is below": tracking.momentum_low,
        "high is above": tracking.momentum_high,
    }
    rows = [("cite", ", ".join(setup.texkeys)), ("geometry", setup.geometry)]
    rows += [(key, quantity_in_words(value)) for key, value in quantities.items()]
    rows += [
        ("detectors", ", ".join(setup.detectors)),
        (
            "end of the veto",
            f"{veto.value:g} +- {veto.uncertainty:g} {veto.unit}  "
            f"[{veto.provenance}] {veto.source.strip()}",
        ),
    ]
    if veto.calibrated_at is not None:
        point = veto.calibrated_at
        rows.append(
            (
                "calibrated at",
                f"{point.channel}, {point.mass:g} GeV, {point.lifetime_ns:g} ns: limit "
                f"{point.ratio:g} times that for a stable X; {point.source}",
            )
        )
    return rows


def _category(category: Category) -> list[tuple[str, str]]:
    """Counts, sensitivities and backgrounds of a period."""
    rows = [("observed", quantity_in_words(category.n_observed))]
    for subset in category.subsets:
        prefix = f"{subset.name}: " if len(category.subsets) > 1 else ""
        rows += [(f"{prefix}{key}", text) for key, text in _subset(subset)]
    return rows


def _subset(subset: Subset) -> list[tuple[str, str]]:
    """Sensitivity, its factors and backgrounds."""
    rows = [
        ("expected at reference", quantity_in_words(subset.expected_standard_model)),
        ("sensitivity", quantity_in_words(subset.sensitivity)),
    ]
    if subset.inputs is not None:
        rows += [
            (key.replace("_", " "), quantity_in_words(value))
            for key, value in subset.inputs
            if isinstance(value, Quantity)
        ]
    return rows + [
        (f"background {entry.name}", quantity_in_words(entry.events))
        for entry in subset.backgrounds
    ]
