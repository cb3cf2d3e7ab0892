"""Searches in beam-dump mode with several final states: words, tables, channel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bsmfit.catalogue.files import display_path, locate_geometry, sha256_of
from bsmfit.catalogue.quantity_words import (
    Section,
    nuisance_in_words,
    quantity_in_words,
)
from bsmfit.catalogue.records import locate_channel
from bsmfit.catalogue.tables.metadata import check_made_for, read_metadata
from bsmfit.catalogue.tables.region_tables import (
    RegionTables,
    read_dump_regions_record,
    region_tables,
)
from bsmfit.errors import DataFileError
from bsmfit.records.dump_regions_record import DumpRegion, DumpRegionsRecord

if TYPE_CHECKING:
    from bsmfit.channels.beam_dump import BeamDumpChannel
    from bsmfit.channels.beam_dump_regions import BeamDumpRegions
    from bsmfit.detector.acceptance_table import TableSettings

__all__ = ["build_tables", "build_yields", "describe", "load_channel"]

_Report = Callable[[str], Callable[[int, int], None]]


def load_channel(name: str | Path) -> BeamDumpRegions:
    """Build the channel of a record from its yield tables.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.

    Raises:
        DataFileError: The record or a table is not valid, or there is no table.
    """
    from bsmfit.channels.beam_dump_regions import (
        FREE_OF_BACKGROUND,
        BeamDumpRegions,
    )
    from bsmfit.channels.channel import DefaultAxis

    path = locate_channel(name)
    record = read_dump_regions_record(name)
    geometry = locate_geometry(record.geometry, beside=path.parent)
    searches = tuple(
        _search(record, region, tables, geometry)
        for region, tables in zip(record.regions, region_tables(name), strict=True)
    )
    alone = [
        one
        for one in searches
        if float(one.background) >= FREE_OF_BACKGROUND or one.n_observed
    ]
    names = {one.name for one in alone}
    free = [one for one in searches if one.name not in names]
    files = (path, geometry, *(tables.path("yields") for tables in region_tables(name)))
    plane = record.default_plane
    return BeamDumpRegions(
        name=record.id,
        datasets=(record.id,),
        inputs=tuple((f"{f.parent.name}/{f.name}", sha256_of(f)) for f in files),
        changes=(),
        fingerprint="",
        default_plane=(
            DefaultAxis(plane.mass.low, plane.mass.high, plane.mass.n_points),
            DefaultAxis(
                plane.coupling.low, plane.coupling.high, plane.coupling.n_points
            ),
        ),
        coupling_axes=tuple(
            (model, DefaultAxis(axis.low, axis.high, axis.n_points))
            for model, axis in record.default_coupling.items()
        ),
        shared_caveats=record.caveats,
        n_alone=len(alone),
        searches=(*alone, *free),
    ).as_published()


def _search(
    record: DumpRegionsRecord,
    region: DumpRegion,
    tables: RegionTables,
    geometry: Path,
) -> BeamDumpChannel:
    """One final state."""
    import jax.numpy as jnp
    import numpy as np

    from bsmfit.catalogue.tables.table_files import read_yield_table
    from bsmfit.channels.beam_dump import BeamDumpChannel, MassWindow
    from bsmfit.channels.channel import ChannelNuisance, DefaultAxis

    table = tables.path("yields")
    _check_table(table, tables, geometry)
    yields = read_yield_table(table)
    low, high = float(yields.table.x[0]), float(yields.table.x[-1])
    for event in region.counts.observed_masses or ():
        if not low <= event.value <= high:
            msg = (
                f"{display_path(tables.folder)}: region {region.name} has an event at "
                f"{event.value:g} GeV, outside its masses, {low:.4g} to {high:.4g} GeV"
            )
            raise DataFileError(msg)
    resolution = record.mass_resolution
    return BeamDumpChannel(
        name=f"{record.id}-{region.name}",
        final_state=region.final_state,
        datasets=(record.id,),
        changes=(),
        fingerprint="",
        mass_range=(low, high),
        default_plane=(DefaultAxis(low, high, 2), DefaultAxis(1e-8, 1e-5, 2)),
        efficiency_preset=record.default_preset,
        nuisances=tuple(
            ChannelNuisance(entry.name, 1.0 + entry.size, entry.affects)
            for entry in (*record.nuisances, *region.nuisances)
        ),
        inputs=(),
        protons_on_target=jnp.asarray(record.protons_on_target.value),
        efficiency=jnp.asarray(record.selection_efficiency.value),
        background=jnp.asarray(region.counts.background.value),
        yields=yields,
        window=MassWindow(
            event_masses=jnp.asarray(
                np.array(
                    [mass.value for mass in region.counts.observed_masses or ()], float
                )
            ),
            masses=jnp.asarray(np.array(resolution.mass, float)),
            resolutions=jnp.asarray(np.array(resolution.sigma, float)),
            half_width=jnp.asarray(float(record.mass_window.half_width.value)),
        ),
    )


def _check_table(table: Path, tables: RegionTables, geometry: Path) -> None:
    """Refuse a table that is missing or was made for something else."""
    advice = f"`bsmfit tables build --channel {tables.folder / 'record.yaml'}`"
    if not table.exists():
        msg = (
            f"{tables.id}: no yield table of {tables.region} beside record.yaml; make "
            f"it with {advice}"
        )
        raise DataFileError(msg)
    check_made_for(
        table,
        tables.id,
        {
            "final_state": tables.final_state,
            "selection": tables.selection.model_dump(mode="json"),
            "geometry_sha256": sha256_of(geometry),
        },
        record_path=tables.folder / "record.yaml",
    )


def describe(name: str | Path) -> list[Section]:
    """Describe a search: every number with unit, provenance and source.

    Args:
        name: Channel id, or path of a record.

    Returns:
        Sections of rows.
    """
    record = read_dump_regions_record(name)
    selection, volume = record.selection, record.selection.decay_volume
    head = [
        ("title", record.title),
        ("cite", f"{record.texkey}, arXiv:{record.arxiv}"),
        ("default preset", record.default_preset),
        ("protons on target", quantity_in_words(record.protons_on_target)),
        ("selection efficiency", quantity_in_words(record.selection_efficiency)),
        ("momentum of a track", quantity_in_words(selection.momentum_min)),
        ("energy of a photon", quantity_in_words(selection.photon_energy_min)),
        ("distance of photons", quantity_in_words(selection.photon_separation_min)),
        ("decay volume from", quantity_in_words(volume.start)),
        ("decay volume to", quantity_in_words(volume.end)),
        ("detectors", ", ".join(selection.detectors)),
        ("chambers", ", ".join(selection.chambers)),
        ("mass window", record.mass_window.method),
        (
            "limits of the paper",
            f"{record.statistics.method}, {record.statistics.source}",
        ),
    ]
    sections = [(f"channel {record.id}", head)]
    for region, tables in zip(record.regions, region_tables(name), strict=True):
        counts = region.counts
        rows = [
            ("observed", quantity_in_words(counts.n_observed)),
            *[
                ("event mass", quantity_in_words(m))
                for m in counts.observed_masses or ()
            ],
            ("background", quantity_in_words(counts.background)),
            *[(entry.name, nuisance_in_words(entry)) for entry in region.nuisances],
        ]
        for kind in ("acceptance", "yields"):
            if tables.path(kind).exists():
                rows.append((kind, read_metadata(tables.path(kind))["made_by"]))
        sections.append((f"final state {region.final_state}", rows))
    nuisances = [(entry.name, nuisance_in_words(entry)) for entry in record.nuisances]
    sections.append(("nuisances of all final states", nuisances))
    return [*sections, ("caveats", [("", text) for text in record.caveats])]


def build_tables(
    name: str | Path,
    folder: Path,
    *,
    report: _Report,
    settings: TableSettings | None = None,
) -> list[Path]:
    """Make the acceptances of all final states, and the yields that follow.

    Args:
        name: Channel id, or path of a record.
        folder: Folder of the tables.
        report: From what is made to a function of (masses done, masses in all).
        settings: Nodes and sampling; those of the shipped tables where None.

    Returns:
        Paths of the tables.
    """
    from bsmfit.catalogue.tables.charged_pair_build import (
        build_region_acceptance,
        write_region_acceptance,
    )
    from bsmfit.detector.charged_pair_table import CHARGED_PAIR_SETTINGS

    chosen = settings or CHARGED_PAIR_SETTINGS
    paths = []
    for tables in region_tables(name):
        path = tables.path("acceptance", folder)
        acceptance = build_region_acceptance(
            tables, settings=chosen, progress=report(f"{tables.region} acceptance")
        )
        write_region_acceptance(path, tables, acceptance, settings=chosen)
        paths.append(path)
    return [*paths, *_yields(name, folder, folder, report=report)]


def build_yields(name: str | Path, folder: Path, *, report: _Report) -> list[Path]:
    """Make the yields from the acceptances beside the record.

    Args:
        name: Channel id, or path of a record.
        folder: Folder of the tables.
        report: From what is made to a function of (masses done, masses in all).

    Returns:
        Paths of the tables.
    """
    return _yields(name, locate_channel(name).parent, folder, report=report)


def _yields(
    name: str | Path, source: Path, folder: Path, *, report: _Report
) -> list[Path]:
    from bsmfit.catalogue.tables.table_files import read_acceptance_table
    from bsmfit.catalogue.tables.yield_build import write_yields

    paths = []
    for tables in region_tables(name):
        acceptance = tables.path("acceptance", source)
        paths.append(tables.path("yields", folder))
        write_yields(
            paths[-1],
            name,
            read_acceptance_table(acceptance),
            acceptance_path=acceptance,
            progress=report(f"{tables.region} yields"),
            record=tables,
        )
    return paths
