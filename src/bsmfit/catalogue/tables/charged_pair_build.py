"""Sample the acceptances of a search with several hadronic final states.

Beside the record lie two tables for each region, ``acceptance-NAME.npz`` and
``yields-NAME.npz``; the yields are made as for every search in beam-dump mode.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from bsmfit._version import __version__
from bsmfit.catalogue.files import display_path, locate_geometry, sha256_of
from bsmfit.catalogue.records import read_geometry
from bsmfit.catalogue.spectrometers import selected_spectrometer
from bsmfit.catalogue.tables.archive import write_archive
from bsmfit.catalogue.tables.region_tables import RegionTables
from bsmfit.detector.acceptance_table import AcceptanceTable, TableSettings
from bsmfit.detector.charged_pair_acceptance import PhotonCuts
from bsmfit.detector.charged_pair_table import (
    CHARGED_PAIR_SETTINGS,
    make_charged_pair_table,
)
from bsmfit.errors import DataFileError
from bsmfit.physics.hadronic_final_states import CHARGED_PAIR_STATES

__all__ = [
    "build_region_acceptance",
    "region_mass_nodes",
    "write_region_acceptance",
]

_HEAVIEST = 1.5


def region_mass_nodes(final_state: str) -> np.ndarray:
    """Mass nodes of the tables of a final state, dense where phase space opens.

    Args:
        final_state: A key of `CHARGED_PAIR_STATES`.

    Returns:
        Masses [GeV], from 0.1 MeV above threshold to 1.5 GeV.
    """
    threshold = CHARGED_PAIR_STATES[final_state].threshold
    near = threshold + np.geomspace(1.0e-4, 2.0e-2, 6)
    n_far = round(np.log(_HEAVIEST / (threshold + 0.03)) / 0.05) + 2
    return np.concatenate([near, np.geomspace(threshold + 0.03, _HEAVIEST, n_far)])


def build_region_acceptance(
    tables: RegionTables,
    *,
    settings: TableSettings = CHARGED_PAIR_SETTINGS,
    masses: np.ndarray | None = None,
    momentum_nodes: slice = slice(None),
    progress: Callable[[int, int], None] | None = None,
) -> AcceptanceTable:
    """Sample the acceptance of a region.

    Args:
        tables: What it is made from.
        settings: Nodes and sampling; those of the shipped tables by default.
        masses: Masses [GeV]; `region_mass_nodes` by default.
        momentum_nodes: Which of the momentum nodes to make; all by default.
        progress: Called with (masses done, masses in all).

    Returns:
        The table.

    Raises:
        DataFileError: The selection names a chamber that the geometry does not have.
    """
    geometry = read_geometry(tables.geometry, beside=tables.folder)
    selection, volume = tables.selection, tables.selection.decay_volume
    known = {chamber.name: chamber for chamber in geometry.straw}
    for name in selection.chambers:
        if name not in known:
            msg = (
                f"{display_path(tables.folder)}: selection.chambers names {name!r}; "
                f"{geometry.id} has {', '.join(known)}"
            )
            raise DataFileError(msg)
    kept = tuple(known[name] for name in selection.chambers)
    return make_charged_pair_table(
        selected_spectrometer(geometry.model_copy(update={"straw": kept}), selection),
        region_mass_nodes(tables.final_state) if masses is None else masses,
        state=CHARGED_PAIR_STATES[tables.final_state],
        cuts=PhotonCuts(
            jnp.asarray(selection.photon_energy_min.value),
            jnp.asarray(selection.photon_separation_min.value),
        ),
        decay_volume=(volume.start.value, volume.end.value),
        beam_momentum=geometry.beam.momentum.value,
        settings=settings,
        momentum_nodes=momentum_nodes,
        progress=progress,
    )


def write_region_acceptance(
    path: Path,
    tables: RegionTables,
    table: AcceptanceTable,
    *,
    settings: TableSettings,
) -> None:
    """Write the acceptance table of a region, to four significant digits.

    Args:
        path: The file.
        tables: What it was made from.
        table: The table.
        settings: How it was sampled.

    Raises:
        OutputError: The file cannot be written.
    """
    state = CHARGED_PAIR_STATES[tables.final_state]
    geometry = locate_geometry(tables.geometry, beside=tables.folder)
    metadata: dict[str, Any] = {
        "content": "accepted fraction [mass, momentum, angle, vertex]",
        "units": {"masses": "GeV", "momenta": "GeV", "angles": "rad", "vertices": "m"},
        "channel": tables.id,
        "final_state": tables.final_state,
        "decay": f"{2 + state.n_neutral}-body, {state.matrix_element}, isotropic in "
        "the rest frame; times BR(pi0 -> gamma gamma) for each pi0",
        "alignment": f"mean of cos^2 - 1/3 over accepted decays: {state.spin_axis}",
        "provenance": "computed",
        "made_by": f"bsmfit {__version__}, bsmfit tables build",
        "settings": settings.to_dict(),
        "selection": tables.selection.model_dump(mode="json"),
        "geometry_sha256": sha256_of(geometry),
        "largest_error": float(table.error.max()),
        "mean_error_where_accepted": float(table.error[table.acceptance > 0].mean()),
    }
    arrays = {
        "masses": table.masses,
        "momenta": table.momenta,
        "angles": table.angles,
        "vertices": table.vertices,
        "acceptance": _four_digits(table.acceptance),
        "error": table.error.astype(np.float16),
    }
    if table.alignment is not None:
        arrays["alignment"] = table.alignment.astype(np.float16)
    write_archive(path, arrays, metadata)


def _four_digits(values: np.ndarray) -> np.ndarray:
    """Floats whose last 11 bits are 0: half the file, and far below the error."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x400) & np.uint32(0xFFFFF800)).view(np.float32)
