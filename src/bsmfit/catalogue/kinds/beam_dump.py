"""Searches in beam-dump mode: records, words and tables.

A record with several final states is passed on to `beam_dump_regions`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bsmfit.catalogue.kinds import beam_dump_regions
from bsmfit.catalogue.quantity_words import (
    Section,
    nuisance_in_words,
    quantity_in_words,
)
from bsmfit.catalogue.records import (
    locate_channel,
    read_beam_dump_record,
    read_contour,
    read_model_card,
)
from bsmfit.catalogue.tables.metadata import read_metadata
from bsmfit.catalogue.tables.region_tables import has_regions

if TYPE_CHECKING:
    from bsmfit.catalogue.published import PublishedLimit
    from bsmfit.channels.channel import Channel
    from bsmfit.detector.acceptance_table import TableSettings
    from bsmfit.records.beam_dump_record import BeamDumpRecord

__all__ = [
    "build_tables",
    "build_yields",
    "describe",
    "load_channel",
    "published_limit",
]


def load_channel(name: str | Path) -> Channel:
    """Build the channel of a record.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.
    """
    if has_regions(name):
        return beam_dump_regions.load_channel(name)
    from bsmfit.catalogue.kinds.beam_dump_channel import load_beam_dump

    return load_beam_dump(name)


def describe(name: str | Path) -> list[Section]:
    """Describe a search: every number with unit, provenance and source.

    Args:
        name: Channel id, or path of a record.

    Returns:
        Sections of rows.
    """
    if has_regions(name):
        return beam_dump_regions.describe(name)
    record = read_beam_dump_record(name)
    counts, selection = record.counts, record.selection
    head = [
        ("title", record.title),
        ("cite", _citation(record)),
        ("final state", record.final_state),
        ("default preset", record.default_preset),
        ("protons on target", quantity_in_words(record.protons_on_target)),
        ("selection efficiency", quantity_in_words(record.selection_efficiency)),
        ("observed", quantity_in_words(counts.n_observed)),
        *[("event mass", quantity_in_words(m)) for m in counts.observed_masses or ()],
        ("background", quantity_in_words(counts.background)),
        ("momentum of a track", quantity_in_words(selection.momentum_min)),
        ("decay volume from", quantity_in_words(selection.decay_volume.start)),
        ("decay volume to", quantity_in_words(selection.decay_volume.end)),
        ("detectors", ", ".join(selection.detectors)),
        (
            "mass window",
            record.mass_window.method
            if record.mass_window
            else "none: every event counts at every mass",
        ),
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


def published_limit(name: str | Path) -> PublishedLimit | None:
    """The published contour, where the record names one.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The limit, or None.
    """
    if has_regions(name):
        return None
    import numpy as np

    from bsmfit.catalogue.published import PublishedLimit

    record = read_beam_dump_record(name)
    if record.published_contour is None:
        return None
    path = locate_channel(name).parent / record.published_contour
    coupling = read_model_card(record.model).coupling
    columns = read_contour(path, coupling).columns
    masses = np.unique(columns["mass_gev"])

    def mean(column: str) -> np.ndarray:
        logs = np.log(columns[column])
        at = [logs[columns["mass_gev"] == mass].mean() for mass in masses]
        return np.exp(np.array(at))

    return PublishedLimit(
        mass=masses,
        lower=mean(f"{coupling}_lower"),
        upper=mean(f"{coupling}_upper"),
        model=record.model,
        source=f"{record.experiment}, {record.contour_source or _publication(record)} "
        "(digitised)",
    )


def _publication(record: BeamDumpRecord) -> str:
    return f"arXiv:{record.arxiv}" if record.arxiv else f"doi:{record.doi}"


def _citation(record: BeamDumpRecord) -> str:
    return f"{record.texkey}, {_publication(record)}"


def build_tables(
    name: str | Path,
    folder: Path,
    *,
    report: Callable[[str], Callable[[int, int], None]],
    settings: TableSettings | None = None,
) -> list[Path]:
    """Make the acceptance, and the yields that follow from it.

    Args:
        name: Channel id, or path of a record.
        folder: Folder of the tables.
        report: From what is made to a function of (masses done, masses in all).
        settings: Nodes and sampling; those of the shipped tables where None.

    Returns:
        Paths of the tables.
    """
    if has_regions(name):
        regions = beam_dump_regions
        return regions.build_tables(name, folder, report=report, settings=settings)
    from bsmfit.catalogue.tables.acceptance_build import (
        build_acceptance,
        default_settings,
        write_acceptance,
    )
    from bsmfit.catalogue.tables.yield_build import write_yields

    chosen = settings or default_settings(name)
    path = folder / "acceptance.npz"
    acceptance = build_acceptance(name, settings=chosen, progress=report("acceptance"))
    write_acceptance(path, name, acceptance, settings=chosen)
    yields = folder / "yields.npz"
    write_yields(
        yields, name, acceptance, acceptance_path=path, progress=report("yields")
    )
    return [path, yields]


def build_yields(
    name: str | Path,
    folder: Path,
    *,
    report: Callable[[str], Callable[[int, int], None]],
) -> list[Path]:
    """Make the yields from the acceptance beside the record.

    Args:
        name: Channel id, or path of a record.
        folder: Folder of the table.
        report: From what is made to a function of (masses done, masses in all).

    Returns:
        Path of the table.
    """
    if has_regions(name):
        return beam_dump_regions.build_yields(name, folder, report=report)
    from bsmfit.catalogue.tables.table_files import read_acceptance_table
    from bsmfit.catalogue.tables.yield_build import write_yields

    path = locate_channel(name).parent / "acceptance.npz"
    yields = folder / "yields.npz"
    write_yields(
        yields,
        name,
        read_acceptance_table(path),
        acceptance_path=path,
        progress=report("yields"),
    )
    return [yields]
