"""Build a search in beam-dump mode, ready to be evaluated, from its record."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from bsmfit.catalogue.files import display_path, locate_geometry, sha256_of
from bsmfit.catalogue.records import locate_channel, read_beam_dump_record
from bsmfit.catalogue.tables.metadata import check_made_for
from bsmfit.catalogue.tables.table_files import read_yield_table, table_path
from bsmfit.channels.beam_dump import BeamDumpChannel, MassWindow
from bsmfit.channels.channel import ChannelNuisance, DefaultAxis
from bsmfit.errors import DataFileError
from bsmfit.records.beam_dump_record import Axis, BeamDumpRecord

__all__ = ["load_beam_dump"]

_NO_RESOLUTION = 1.0e3
"""Stands for masses that are not measured [GeV]: an event counts at every mass."""


def load_beam_dump(name: str | Path) -> BeamDumpChannel:
    """Build a channel from its record and its yield table.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: The record or the table is not valid, or there is no table.
    """
    path = locate_channel(name)
    record = read_beam_dump_record(name)
    table = table_path("yields", name)
    if not table.exists():
        msg = (
            f"{record.id}: no yield table beside {path.name}; make it with "
            f"`bsmfit tables build --channel {path}`"
        )
        raise DataFileError(msg)
    geometry = locate_geometry(record.geometry, beside=path.parent)
    check_made_for(
        table,
        record.id,
        {
            "final_state": record.final_state,
            "selection": record.selection.model_dump(mode="json"),
            "geometry_sha256": sha256_of(geometry),
        },
        record_path=table.with_name("record.yaml"),
    )
    yields = read_yield_table(table)
    masses = np.asarray(yields.table.x)
    for event in record.counts.observed_masses or ():
        if not masses[0] <= event.value <= masses[-1]:
            msg = (
                f"{display_path(path)}: counts.observed_masses has "
                f"{event.value:g} GeV, outside the masses of the search, "
                f"{masses[0]:.4g} to {masses[-1]:.4g} GeV"
            )
            raise DataFileError(msg)
    return BeamDumpChannel(
        name=record.id,
        final_state=record.final_state,
        datasets=(record.id,),
        changes=("projection",) if record.is_projection else (),
        fingerprint="",
        mass_range=(float(masses[0]), float(masses[-1])),
        default_plane=(
            _axis(record.default_plane.mass),
            _axis(record.default_plane.coupling),
        ),
        coupling_axes=tuple(
            (model, _axis(axis)) for model, axis in record.default_coupling.items()
        ),
        efficiency_preset=(
            record.default_preset if record.selection_efficiency.calibrated_at else ""
        ),
        consistent_presets=record.consistent_presets,
        production_note=record.production_note or "",
        nuisances=tuple(
            ChannelNuisance(entry.name, 1.0 + entry.size, entry.affects)
            for entry in record.nuisances
        ),
        inputs=tuple(
            (f"{file.parent.name}/{file.name}", sha256_of(file))
            for file in (
                path,
                table,
                geometry,
            )
        ),
        protons_on_target=jnp.asarray(record.protons_on_target.value),
        efficiency=jnp.asarray(record.selection_efficiency.value),
        background=jnp.asarray(record.counts.background.value),
        yields=yields,
        window=_mass_window(record),
    ).as_published()


def _axis(axis: Axis) -> DefaultAxis:
    return DefaultAxis(axis.low, axis.high, axis.n_points)


def _mass_window(record: BeamDumpRecord) -> MassWindow:
    """The events of a record and the window in which they count."""
    resolution, window = record.mass_resolution, record.mass_window
    if resolution is None or window is None:
        return MassWindow(
            event_masses=jnp.zeros(0),
            masses=jnp.array([0.0, 1.0]),
            resolutions=jnp.full(2, _NO_RESOLUTION),
            half_width=jnp.asarray(1.0),
            everywhere=float(record.counts.n_observed.value),
        )
    return MassWindow(
        event_masses=jnp.asarray(
            np.array(
                [mass.value for mass in record.counts.observed_masses or ()], float
            )
        ),
        masses=jnp.asarray(np.array(resolution.mass, float)),
        resolutions=jnp.asarray(np.array(resolution.sigma, float)),
        half_width=jnp.asarray(float(window.half_width.value)),
    )
