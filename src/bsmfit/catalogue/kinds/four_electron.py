"""Searches for K+ -> pi+ e+ e- e+ e-: records, words and tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bsmfit.catalogue.quantity_words import (
    Section,
    nuisance_in_words,
    quantity_in_words,
)
from bsmfit.catalogue.records import locate_channel
from bsmfit.catalogue.tables.metadata import read_metadata
from bsmfit.catalogue.yaml_file import read_yaml
from bsmfit.records.four_electron_record import FourElectronRecord
from bsmfit.records.quantity import Quantity

if TYPE_CHECKING:
    from bsmfit.catalogue.published import PublishedLimit
    from bsmfit.channels.four_electron import FourElectronChannel

__all__ = ["build_tables", "describe", "load_channel", "published_limit"]


def load_channel(name: str | Path) -> FourElectronChannel:
    """Build the channel of a record.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.
    """
    from bsmfit.catalogue.kinds.four_electron_channel import load_four_electron

    return load_four_electron(name)


def describe(name: str | Path) -> list[Section]:
    """Describe a search for a pion and four electrons.

    Args:
        name: Channel id, or path of a record.

    Returns:
        Sections of rows.
    """
    record = read_yaml(locate_channel(name), FourElectronRecord)
    efficiency, vertex = record.efficiency, record.vertex
    point = efficiency.calibrated_at
    head = [
        ("title", record.title),
        ("cite", f"{record.texkey}, arXiv:{record.arxiv}"),
        ("HEPData", record.hepdata or "none known"),
        ("data", ", ".join(record.datasets)),
        ("setup", record.setup),
        ("kaon decays", quantity_in_words(record.kaon_decays)),
        ("efficiency", f"{efficiency.value:g}  [calibrated] {efficiency.source}"),
        ("calibrated at", f"{point.mass:g} GeV, {point.limit:g}; {point.source}"),
        ("vertex of a pair", quantity_in_words(vertex.resolution)),
        ("kept within", quantity_in_words(vertex.n_resolution)),
        ("default models", ", ".join(record.default_coupling)),
    ]
    cuts = [
        (key.replace("_", " "), quantity_in_words(value))
        for key, value in record.selection
        if isinstance(value, Quantity)
    ]
    nuisances = [(entry.name, nuisance_in_words(entry)) for entry in record.nuisances]
    own = [
        (vertex.nuisance, f"{vertex.size:g} of the length within which pairs are kept"),
        (record.close_tracks, "doubles the distance of close tracks"),
    ]
    table = locate_channel(name).parent / "forward.npz"
    made_by = read_metadata(table)["made_by"] if table.exists() else "missing"
    return [
        (f"channel {record.id}", head),
        ("selection", [("detectors", ", ".join(record.selection.detectors)), *cuts]),
        *_yields(record),
        ("nuisances", [*nuisances, *own]),
        ("tables", [("forward", made_by)]),
        ("caveats", [("", text) for text in record.caveats]),
    ]


def _yields(record: FourElectronRecord) -> list[Section]:
    """Observed and expected events, region by region as published."""
    sections: list[Section] = []
    for region in record.regions:
        rows = [
            ("observed", quantity_in_words(region.n_observed)),
            ("background", quantity_in_words(region.background)),
        ]
        if region.contains is not None:
            rows.append(("contains", region.contains))
        rows += [
            (source.name, quantity_in_words(source.events[region.name]))
            for source in record.sources
            if region.name in source.events
        ]
        sections.append((f"region {region.name}", rows))
    ratios = record.branching_ratios.items()
    sections.append(
        ("branching ratios", [(key, quantity_in_words(value)) for key, value in ratios])
    )
    return sections


def published_limit(name: str | Path) -> PublishedLimit | None:
    """The published limit on the branching ratio of two axions.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The limit, on the coupling of the model "axion-pair-rate".
    """
    from bsmfit.catalogue.limit_curves import read_limit_csv
    from bsmfit.catalogue.published import PublishedLimit

    path = locate_channel(name)
    record = read_yaml(path, FourElectronRecord)
    curve = read_limit_csv(path.parent / record.published_limit.file)
    return PublishedLimit(
        mass=curve.mass,
        lower=curve.limit,
        upper=None,
        model="axion-pair-rate",
        source=f"{record.experiment}, arXiv:{record.arxiv}",
    )


def build_tables(
    name: str | Path,
    folder: Path,
    *,
    report: Callable[[str], Callable[[int, int], None]],
) -> list[Path]:
    """Make the one table of a search, that of its forward model.

    Args:
        name: Channel id, or path of a record.
        folder: Folder of the table.
        report: From what is made to a function of (points done, points in all).

    Returns:
        Path of the table.
    """
    from bsmfit.catalogue.tables.four_electron_build import (
        build_four_electron_table,
        write_four_electron_table,
    )

    path = folder / "forward.npz"
    write_four_electron_table(
        path, name, build_four_electron_table(name, progress=report("forward"))
    )
    return [path]
