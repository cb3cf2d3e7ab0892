"""Read records, geometries and model cards: shipped ones by name, others by path.

A search is known by its channel id (``na62-dump-mumu``), which is a field of its
record, or by its folder's name. The published contour of a record is read from the CSV
file it names.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from bsmfit.catalogue.csv_file import CsvTable, read_csv
from bsmfit.catalogue.files import (
    data_root,
    list_models,
    list_record_folders,
    locate_geometry,
    locate_kaon_setup,
    locate_model,
    locate_record,
)
from bsmfit.catalogue.yaml_file import load_yaml, read_yaml, top_level_text
from bsmfit.core.argument import choice
from bsmfit.errors import UnknownNameError
from bsmfit.records.aperture_geometry_record import ApertureGeometryRecord
from bsmfit.records.beam_dump_record import BeamDumpRecord
from bsmfit.records.geometry_record import GeometryRecord
from bsmfit.records.kaon_setup_record import KaonSetupRecord
from bsmfit.records.model_card import ModelCard
from bsmfit.records.pi_invisible_record import PiInvisibleRecord
from bsmfit.records.pi_nunu_record import PiNunuRecord

__all__ = [
    "channel_names",
    "channel_records",
    "locate_channel",
    "locate_pi_nunu",
    "model_names",
    "pi_nunu_names",
    "preset_names",
    "read_beam_dump_record",
    "read_contour",
    "read_dump_geometry",
    "read_geometry",
    "read_kaon_setup",
    "read_model_card",
    "read_pi_invisible_record",
    "read_pi_nunu_record",
]


def channel_records() -> dict[str, Path]:
    """Find the record of every shipped search.

    Returns:
        Path of the record by channel id, sorted by id.

    Examples:
        >>> "na62-dump-ee" in channel_records()
        True
    """
    paths = [data_root() / name / "record.yaml" for name in list_record_folders()]
    states = ((path, path.stat()) for path in paths)
    return dict(_records_by_id(tuple((p, s.st_mtime_ns, s.st_size) for p, s in states)))


def channel_names() -> tuple[str, ...]:
    """Ids of the shipped searches.

    Returns:
        Ids, sorted.
    """
    return tuple(channel_records())


def model_names() -> tuple[str, ...]:
    """Names of the shipped models.

    Returns:
        Names, sorted.
    """
    return list_models()


def preset_names(name: str | Path) -> tuple[str, ...]:
    """Names of the production presets of a model.

    Args:
        name: Name of a shipped model, or path of a card.

    Returns:
        Names, sorted.

    Raises:
        UnknownNameError: There is no shipped card of that name.
        DataFileError: The file is not a valid card.
    """
    return tuple(sorted(read_model_card(name).presets))


def pi_nunu_names() -> tuple[str, ...]:
    """Ids of the shipped data sets of K+ -> pi+ nu nu.

    Returns:
        Ids, sorted.

    Examples:
        >>> pi_nunu_names()[-1]
        'na62-pi-nunu-run1'
    """
    return tuple(sorted(_pi_nunu_datasets()))


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


def read_pi_invisible_record(name: str | Path) -> PiInvisibleRecord:
    """Read the record of a search for K+ -> pi+ X, X invisible.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        The validated record.

    Raises:
        UnknownNameError: There is no shipped search of that name.
        DataFileError: The file is not a valid record.
    """
    return read_yaml(locate_channel(name), PiInvisibleRecord)


def read_kaon_setup(name: str | Path, *, beside: Path | None = None) -> KaonSetupRecord:
    """Read the setup of searches in kaon decays.

    Args:
        name: Folder name of a shipped setup, or path of a setup file.
        beside: Folder that a relative path starts from; None: the working directory.

    Returns:
        The validated setup.

    Raises:
        UnknownNameError: There is no shipped setup of that name.
        DataFileError: The file is not a valid setup.
    """
    return read_yaml(locate_kaon_setup(name, beside=beside), KaonSetupRecord)


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


def read_dump_geometry(
    name: str | Path, *, beside: Path | None = None
) -> GeometryRecord | ApertureGeometryRecord:
    """Read a geometry of a dump, with a spectrometer or with a window.

    Args:
        name: Folder name of a shipped geometry, or path of a geometry file.
        beside: Folder that a relative path starts from; None: the working directory.

    Returns:
        The validated geometry; of the form with a window where it has the key `window`.

    Raises:
        UnknownNameError: There is no shipped geometry of that name.
        DataFileError: The file is not a valid geometry.
    """
    path = locate_geometry(name, beside=beside)
    if "window" in load_yaml(path).content:
        return read_yaml(path, ApertureGeometryRecord)
    return read_yaml(path, GeometryRecord)


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


def locate_pi_nunu(name: str) -> Path:
    """Find the record that holds a data set of K+ -> pi+ nu nu.

    Args:
        name: Id of the data set.

    Returns:
        Path of the record file.

    Raises:
        UnknownNameError: There is no such data set.
    """
    known = _pi_nunu_datasets()
    return known[choice("pi nu nu data set", name, known)]


def read_pi_nunu_record(name: str) -> PiNunuRecord:
    """Read the record that holds a data set of K+ -> pi+ nu nu.

    Args:
        name: Id of the data set.

    Returns:
        The validated record.

    Raises:
        UnknownNameError: There is no such data set.
        DataFileError: The file is not a valid record.
    """
    return read_yaml(locate_pi_nunu(name), PiNunuRecord)


def read_contour(path: Path, coupling: str = "epsilon") -> CsvTable:
    """Read the published contour of a search for a particle that decays.

    Args:
        path: The CSV file: mass_gev, epsilon_lower and epsilon_upper, reading.
        coupling: Name of the coupling, in place of epsilon.

    Returns:
        The table; the columns of couplings are positive and finite.

    Raises:
        DataFileError: The file is not a valid contour.
    """
    return read_csv(
        path,
        numbers=(numbers := ("mass_gev", f"{coupling}_lower", f"{coupling}_upper")),
        text=("reading",),
        minimum=dict.fromkeys(numbers, 0.0),
    )


@lru_cache(maxsize=4)
def _records_by_id(states: tuple[tuple[Path, int, int], ...]) -> dict[str, Path]:
    """Records by channel id: looked up far more often than they change.

    Whoever uses a record reads and checks it anew; here only its id is taken from it.
    """
    found = {str(top_level_text(path, "id")): path for path, *_ in states}
    return dict(sorted(found.items()))


def _pi_nunu_datasets() -> dict[str, Path]:
    """Path of the record by id of the data set."""
    found = {}
    for path in sorted(data_root().glob("*/pi_nunu.yaml")):
        for dataset in read_yaml(path, PiNunuRecord).datasets:
            found[dataset.id] = path
    return found
