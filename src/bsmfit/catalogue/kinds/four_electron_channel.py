r"""Build a search for $K^+\to\pi^+e^+e^-e^+e^-$ from its record and its table.

Published regions may contain each other. The likelihood has disjoint ones: of a region
that contains another, the part outside, with the difference of the yields and, the
simulated events being independent, the difference of the squared errors. The errors of
the yields are those of the simulation alone (they are that of weighted events, the same
weight in all regions); errors of branching ratios come on top, shared by name.
"""

from __future__ import annotations

import math
from pathlib import Path

import jax.numpy as jnp

from bsmfit.catalogue.files import (
    display_path,
    locate_geometry,
    locate_kaon_setup,
    sha256_of,
)
from bsmfit.catalogue.records import locate_channel, read_kaon_setup
from bsmfit.catalogue.tables.four_electron_build import (
    read_four_electron_record,
    read_four_electron_table,
    table_inputs,
)
from bsmfit.catalogue.tables.metadata import check_search, read_metadata
from bsmfit.catalogue.tables.table_files import table_path
from bsmfit.channels.channel import ChannelNuisance, DefaultAxis
from bsmfit.channels.four_electron import (
    PROCESSES,
    CountedEvents,
    FourElectronChannel,
    SourceEvents,
)
from bsmfit.detector.four_electron_table import FourElectronTable
from bsmfit.detector.pair_acceptance import PairAcceptance
from bsmfit.errors import DataFileError
from bsmfit.records.four_electron_record import (
    BackgroundSource,
    CountedRegion,
    FourElectronRecord,
)

__all__ = ["disjoint_regions", "load_four_electron", "load_pair_acceptance"]


def load_four_electron(name: str | Path) -> FourElectronChannel:
    """Build a channel from its record and its table.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: The record or the table is not valid.
    """
    path = locate_channel(name)
    record = read_four_electron_record(name)
    setup_path = locate_kaon_setup(record.setup, beside=path.parent)
    setup = read_kaon_setup(record.setup, beside=path.parent)
    geometry = locate_geometry(setup.geometry, beside=setup_path.parent)
    table_file = table_path("forward", name)
    table = _checked_table(table_file, name, record.id)
    vertex, axis = record.vertex, record.default_mass
    return FourElectronChannel(
        name=record.id,
        datasets=record.datasets,
        axion_masses=(float(table.axion_masses[0]), float(table.axion_masses[-1])),
        scalar_segments=tuple((s.low, s.high) for s in record.scalar_segments),
        mass_axis=DefaultAxis(axis.low, axis.high, axis.n_points, spacing="lin"),
        coupling_axes=tuple(
            (model, DefaultAxis(entry.low, entry.high, entry.n_points))
            for model, entry in record.default_coupling.items()
        ),
        nuisances=tuple(
            ChannelNuisance(entry.name, 1.0 + entry.size, entry.affects)
            for entry in record.nuisances
        ),
        vertex_nuisance=(vertex.nuisance, vertex.size),
        close_tracks=record.close_tracks,
        notes=record.caveats,
        inputs=tuple(
            (f"{file.parent.name}/{file.name}", sha256_of(file))
            for file in (path, table_file, setup_path, geometry)
        ),
        kaon_decays=jnp.asarray(record.kaon_decays.value),
        efficiency=jnp.asarray(record.efficiency.value),
        vertex_length=jnp.asarray(vertex.resolution.value * vertex.n_resolution.value),
        beam_momentum=jnp.asarray(setup.beam.momentum.value),
        acceptance=load_pair_acceptance(table),
        counted=disjoint_regions(record),
        kept=PROCESSES,
        has_controls=False,
        changes=(),
        fingerprint="",
    ).as_published()


def load_pair_acceptance(table: FourElectronTable) -> PairAcceptance:
    """Prepare the interpolation of a table.

    Args:
        table: The table.

    Returns:
        Both acceptances.
    """
    return PairAcceptance.from_nodes(
        table.log_times,
        (table.axion_masses, table.axion),
        (table.scalar_masses, table.fractions, table.cascade),
    )


def disjoint_regions(record: FourElectronRecord) -> tuple[CountedEvents, ...]:
    """Regions that share no event, the one of the signal first.

    Args:
        record: The search.

    Returns:
        The regions with their backgrounds; a background of no event is left out.
    """
    ordered = sorted(record.regions, key=lambda region: region.name != "signal")
    by_name = {region.name: region for region in record.regions}
    return tuple(_counted(record, region, by_name) for region in ordered)


def _counted(
    record: FourElectronRecord,
    region: CountedRegion,
    by_name: dict[str, CountedRegion],
) -> CountedEvents:
    sources, variance, total = [], 0.0, 0.0
    for source in record.sources:
        events, squared = _outside(source, region)
        variance += squared
        total += events
        if events > 0.0:
            kappas = _log_kappas(record, source)
            sources.append(SourceEvents(source.name, jnp.asarray(events), kappas))
    seen = region.n_observed.value
    label = region.name
    if region.contains is not None:
        seen -= by_name[region.contains].n_observed.value
        label = f"{region.name}-without-{region.contains}"
    return CountedEvents(
        name=label.replace("_", "-"),
        observed=jnp.asarray(float(seen)),
        sources=tuple(sources),
        simulation=(
            f"{record.id.replace('-', '_')}_simulation_{region.name}",
            math.sqrt(variance) / total,
        ),
    )


def _outside(source: BackgroundSource, region: CountedRegion) -> tuple[float, float]:
    """Events of a source in a region but not in the one inside, and squared error."""
    outer = source.events.get(region.name)
    if outer is None:
        return 0.0, 0.0
    events, squared = outer.value, (outer.uncertainty or 0.0) ** 2
    inner = source.events.get(region.contains) if region.contains else None
    if inner is not None:
        events -= inner.value
        squared = max(squared - (inner.uncertainty or 0.0) ** 2, 0.0)
    return max(events, 0.0), squared


def _log_kappas(
    record: FourElectronRecord, source: BackgroundSource
) -> tuple[tuple[str, float], ...]:
    """One nuisance for each branching ratio, to the power it enters with."""
    found = []
    for name, power in source.decays.items():
        ratio = record.branching_ratios[name]
        if ratio.uncertainty:
            size = power * math.log1p(ratio.uncertainty / ratio.value)
            found.append((f"branching_ratio_{name}", size))
    return tuple(found)


def _checked_table(path: Path, name: str | Path, search: str) -> FourElectronTable:
    """The table of a search, refused where it was made for other inputs."""
    record_path = locate_channel(name)
    advice = f"make it with `bsmfit tables build --channel {record_path}`"
    if not path.exists():
        msg = f"{display_path(path)}: no such table; {advice}"
        raise DataFileError(msg)
    metadata = read_metadata(path)
    check_search(path, metadata, search, record_path=record_path)
    made = metadata.get("inputs", {})
    for key, value in table_inputs(name).items():
        if made.get(key) != value:
            what = key.removesuffix("_sha256").replace("_", " ")
            msg = (
                f"{display_path(path)} was made with another {what} than "
                f"{display_path(record_path)} has now; {advice}"
            )
            raise DataFileError(msg)
    return read_four_electron_table(path)
