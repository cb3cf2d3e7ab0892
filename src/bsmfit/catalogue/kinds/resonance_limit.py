"""Searches known by their limit curve: records, curves and words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bsmfit.catalogue.csv_file import CsvTable, read_csv
from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.limit_curves import read_lifetime_csv
from bsmfit.catalogue.quantity_words import (
    Section,
    nuisance_in_words,
    quantity_in_words,
)
from bsmfit.catalogue.records import locate_channel
from bsmfit.catalogue.yaml_file import read_yaml
from bsmfit.errors import DataFileError
from bsmfit.records.resonance_limit_record import ResonanceLimitRecord

if TYPE_CHECKING:
    from bsmfit.catalogue.published import PublishedLimit
    from bsmfit.channels.resonance_limit import ResonanceLimitChannel

__all__ = ["describe", "load_channel", "published_limit", "read_curve", "read_record"]


def load_channel(name: str | Path) -> ResonanceLimitChannel:
    """Build the channel of a record.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.
    """
    from bsmfit.catalogue.kinds.resonance_limit_channel import load_resonance_limit

    return load_resonance_limit(name)


def read_record(name: str | Path) -> ResonanceLimitRecord:
    """Read the record of a search that is known by its limit curve.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        The validated record.

    Raises:
        UnknownNameError: There is no shipped search of that name.
        DataFileError: The file is not a valid record.
    """
    return read_yaml(locate_channel(name), ResonanceLimitRecord)


def published_limit(name: str | Path) -> PublishedLimit | None:
    """The published limit on the squared mixing, where the record has one.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The limit, or None.
    """
    from bsmfit.catalogue.published import PublishedLimit

    record = read_record(name)
    curve = record.published_limit
    if curve.plotted_for is None:
        return None
    table = read_curve(locate_channel(name).parent / curve.file)
    return PublishedLimit(
        mass=table.columns["mass_gev"],
        lower=table.columns["limit"],
        upper=None,
        model=curve.plotted_for,
        source=f"{record.experiment}, arXiv:{record.arxiv}",
    )


def describe(name: str | Path) -> list[Section]:
    """Describe a search that is known by its limit curve.

    Args:
        name: Channel id.

    Returns:
        Sections of rows.
    """
    record, path = read_record(name), locate_channel(name)
    limit, flight = record.published_limit, record.flight
    masses = read_curve(path.parent / limit.file).columns["mass_gev"]
    rows = [
        ("title", record.title),
        ("cite", f"{record.texkey}, arXiv:{record.arxiv}"),
        ("HEPData", record.hepdata or "none known"),
        ("data", ", ".join(record.datasets)),
        ("process", record.process),
        ("sees", ", ".join(record.final_states) or "a particle that leaves no trace"),
        ("masses", f"{_ranges(record, masses)} GeV, {masses.size} of them"),
        ("published limit", f"on the {limit.quantity}, {limit.file}, {limit.source}"),
        ("its level", quantity_in_words(limit.confidence_level)),
        ("its method", limit.method or "not known"),
        ("background", quantity_in_words(record.background)),
        ("expected within", quantity_in_words(record.expected_window)),
        ("default models", ", ".join(record.default_coupling) or "none"),
    ]
    if limit.by_lifetime is not None:
        lifetimes = np.unique(
            read_lifetime_csv(path.parent / limit.by_lifetime).lifetime
        )
        shown = ", ".join(f"{1e12 * one:g}" for one in lifetimes)
        rows.append(("by lifetime", f"{shown} ps, {limit.by_lifetime}"))
    if flight is not None:
        words = f"undecayed beyond the veto, {flight.parent} to {flight.recoil} N"
        rows.append(("must leave", f"{words}, setup {flight.setup}"))
    nuisances = [(entry.name, nuisance_in_words(entry)) for entry in record.nuisances]
    return [
        (f"channel {record.id}", rows),
        *([("nuisances", nuisances)] if nuisances else []),
        ("caveats", [("", text) for text in record.caveats]),
    ]


def _ranges(record: ResonanceLimitRecord, masses: np.ndarray) -> str:
    """Masses at which the search says something [GeV]."""
    ends = [(segment.low, segment.high) for segment in record.segments]
    shown = ends or [(masses[0], masses[-1])]
    return " and ".join(f"{low:g} to {high:g}" for low, high in shown)


def read_curve(path: Path) -> CsvTable:
    """Read a published limit against the mass.

    Args:
        path: The CSV file: mass_gev, limit, provenance.

    Returns:
        The table; masses rise, limits lie between 0 and 1.

    Raises:
        DataFileError: The file is not such a table.
    """
    table = read_csv(path, numbers=("mass_gev", "limit"), text=("provenance",))
    mass, limit = table.columns["mass_gev"], table.columns["limit"]
    is_bad = ~((limit > 0.0) & (limit < 1.0))
    where = display_path(path)
    if mass.size < 2 or not np.all(np.diff(mass) > 0.0) or mass[0] < 0.0:
        msg = f"{where}: mass_gev must have two values or more, >= 0 and rising"
        raise DataFileError(msg)
    if np.any(is_bad):
        row = int(np.argmax(is_bad))
        msg = (
            f"{where}: limit is {limit[row]:g} at {mass[row]:g} GeV but must lie "
            "between 0 and 1"
        )
        raise DataFileError(msg)
    return table
