"""Which tables the record of a search with several final states has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bsmfit.catalogue.records import locate_channel
from bsmfit.catalogue.yaml_file import load_yaml, read_yaml
from bsmfit.records.dump_regions_record import DumpRegionsRecord, HadronSelection

__all__ = [
    "RegionTables",
    "has_regions",
    "read_dump_regions_record",
    "region_tables",
]


@dataclass(frozen=True)
class RegionTables:
    """What the tables of one region are made from.

    Attributes:
        id: Channel id.
        region: Name of the region.
        final_state: Its final state.
        geometry: Geometry record of the detector.
        selection: What the acceptance simulates.
        folder: Folder of the record.
    """

    id: str
    region: str
    final_state: str
    geometry: str
    selection: HadronSelection
    folder: Path

    def path(self, kind: str, folder: Path | None = None) -> Path:
        """Where a table is.

        Args:
            kind: ``"acceptance"`` or ``"yields"``.
            folder: Its folder; that of the record where None.

        Returns:
            Path of the file, which need not exist.
        """
        return (folder or self.folder) / f"{kind}-{self.region}.npz"


def has_regions(name: str | Path) -> bool:
    """Whether the record of a search in beam-dump mode has several final states.

    Args:
        name: Channel id, or path of a record.

    Returns:
        True for the form of `DumpRegionsRecord`.
    """
    return "regions" in load_yaml(locate_channel(name)).content


def read_dump_regions_record(name: str | Path) -> DumpRegionsRecord:
    """Read the record of a search with several final states.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        The validated record.

    Raises:
        UnknownNameError: There is no shipped search of that name.
        DataFileError: The file is not a valid record.
    """
    return read_yaml(locate_channel(name), DumpRegionsRecord)


def region_tables(name: str | Path) -> tuple[RegionTables, ...]:
    """What the tables of every region of a search are made from.

    Args:
        name: Channel id, or path of a record.

    Returns:
        One entry for each region.
    """
    record = read_dump_regions_record(name)
    folder = locate_channel(name).parent
    return tuple(
        RegionTables(
            id=record.id,
            region=region.name,
            final_state=region.final_state,
            geometry=record.geometry,
            selection=record.selection,
            folder=folder,
        )
        for region in record.regions
    )
