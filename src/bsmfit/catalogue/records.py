"""Read records, geometries and model cards: shipped ones by name, others by path.

A search is known by its channel id (``na62-dump-mumu``), which is a field of its
record, or by its folder's name. The published contour of a record is read from the CSV
file it names.
"""

from __future__ import annotations

from pathlib import Path

from bsmfit.catalogue.csv_file import CsvTable, read_csv
from bsmfit.catalogue.files import (
    data_root,
    list_record_folders,
    locate_geometry,
    locate_model,
    locate_record,
)
from bsmfit.catalogue.yaml_file import load_yaml, read_yaml
from bsmfit.errors import UnknownNameError
from bsmfit.records.beam_dump_record import BeamDumpRecord
from bsmfit.records.geometry_record import GeometryRecord
from bsmfit.records.model_card import ModelCard

__all__ = [
    "channel_records",
    "locate_channel",
    "read_beam_dump_record",
    "read_contour",
    "read_geometry",
    "read_model_card",
]


def channel_records() -> dict[str, Path]:
    """Find the record of every shipped search.

    Returns:
        Path of the record by channel id, sorted by id.

    Examples:
        >>> sorted(channel_records())
        ['na62-dump-ee', 'na62-dump-mumu']
    """
    paths = [data_root() / name / "record.yaml" for name in list_record_folders()]
    found = {str(load_yaml(path).content.get("id")): path for path in paths}
    return dict(sorted(found.items()))


def locate_channel(name: str | Path) -> Path:
    """Find the record of a search.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        Path of the record file.

    Raises:
        UnknownNameError: There is no shipped search of that name.
    """
    channels = channel_records()
    if isinstance(name, str) and name in channels:
        return channels[name]
    try:
        return locate_record(name)
    except UnknownNameError:
        kind = "channel"
        raise UnknownNameError.from_choices(kind, str(name), channels) from None


def read_beam_dump_record(name: str | Path) -> BeamDumpRecord:
    """Read the record of a search in beam-dump mode.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        The validated record.

    Raises:
        UnknownNameError: There is no shipped search of that name.
        DataFileError: The file is not a valid record.
    """
    return read_yaml(locate_channel(name), BeamDumpRecord)


def read_geometry(name: str | Path, *, beside: Path | None = None) -> GeometryRecord:
    """Read a geometry.

    Args:
        name: Folder name of a shipped geometry, or path of a geometry file.
        beside: Folder that a relative path starts from; None: the working directory.

    Returns:
        The validated geometry.

    Raises:
        UnknownNameError: There is no shipped geometry of that name.
        DataFileError: The file is not a valid geometry.
    """
    return read_yaml(locate_geometry(name, beside=beside), GeometryRecord)


def read_model_card(name: str | Path) -> ModelCard:
    """Read a model card.

    Args:
        name: Name of a shipped card, or path of a card.

    Returns:
        The validated card.

    Raises:
        UnknownNameError: There is no shipped card of that name.
        DataFileError: The file is not a valid card.
    """
    return read_yaml(locate_model(name), ModelCard)


def read_contour(path: Path) -> CsvTable:
    """Read the published contour of a dark-photon search.

    Args:
        path: The CSV file: mass_gev, epsilon_lower and epsilon_upper, reading.

    Returns:
        The table; the columns of couplings are positive and finite.

    Raises:
        DataFileError: The file is not a valid contour.
    """
    return read_csv(
        path,
        numbers=("mass_gev", "epsilon_lower", "epsilon_upper"),
        text=("reading",),
        minimum={"mass_gev": 0.0, "epsilon_lower": 0.0, "epsilon_upper": 0.0},
    )
