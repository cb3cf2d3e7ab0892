"""Sample the shipped acceptance table of a search: geometry and selection in, A out.

The table lies beside the search's record, states its inputs by digest, and comes out
the same when made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bsmfit._version import __version__
from bsmfit.catalogue.files import locate_geometry, sha256_of
from bsmfit.catalogue.records import (
    locate_channel,
    read_beam_dump_record,
    read_dump_geometry,
)
from bsmfit.catalogue.spectrometers import selected_detector
from bsmfit.catalogue.tables.archive import write_archive
from bsmfit.core.constants import ELECTRON_MASS, MUON_MASS
from bsmfit.detector.acceptance_table import (
    AcceptanceTable,
    TableSettings,
    make_acceptance_table,
)
from bsmfit.detector.aperture import ApertureDetector
from bsmfit.detector.charged_pair_table import CHARGED_PAIR_SETTINGS
from bsmfit.detector.photon_pair import PhotonPairDetector
from bsmfit.errors import UnknownNameError

__all__ = [
    "build_acceptance",
    "daughter_mass_of",
    "default_settings",
    "mass_nodes",
    "write_acceptance",
]


def daughter_mass_of(final_state: str) -> float:
    """Mass of either daughter of a two-track final state.

    Args:
        final_state: ``"mumu"``, ``"ee"`` or ``"gammagamma"``.

    Returns:
        Mass [GeV].

    Raises:
        UnknownNameError: Another final state.
    """
    masses = {"mumu": MUON_MASS, "ee": ELECTRON_MASS, "gammagamma": 0.0}
    if final_state not in masses:
        kind = "two-track final state"
        raise UnknownNameError.from_choices(kind, final_state, masses)
    return masses[final_state]


def mass_nodes(final_state: str) -> np.ndarray:
    """Mass nodes of the tables of a final state.

    They are geometric, and dense where phase space opens.

    Args:
        final_state: ``"mumu"``, ``"ee"`` or ``"gammagamma"``.

    Returns:
        Masses [GeV], from the threshold (2 MeV for electrons, 5 MeV for photons) to
        1 GeV, of muons and photons to 4 GeV: heavier particles come from B mesons.
    """
    if final_state == "gammagamma":
        return np.geomspace(5.0e-3, 4.0, 56)
    if final_state == "ee":
        return np.geomspace(2.0e-3, 1.0, 57)
    threshold = 2.0 * daughter_mass_of(final_state)
    near = threshold + np.geomspace(1.0e-4, 1.8e-2, 9)
    middle, heavy = np.geomspace(0.237, 1.0, 43), np.geomspace(1.0, 4.0, 15)[1:]
    return np.concatenate([[threshold], near, middle, heavy])


def default_settings(channel: str | Path) -> TableSettings:
    """Nodes and sampling of the shipped table of a search.

    Args:
        channel: Channel id, or path of a record.

    Returns:
        Those of the spectrometer; of a window the angles under which it is seen, with
        more points, since few particles fly into a window beside the beam.
    """
    record = read_beam_dump_record(channel)
    geometry = read_dump_geometry(
        record.geometry, beside=locate_channel(channel).parent
    )
    detector = selected_detector(geometry, record.selection)
    if isinstance(detector, PhotonPairDetector):
        return CHARGED_PAIR_SETTINGS
    if not isinstance(detector, ApertureDetector):
        return TableSettings()
    volume = record.selection.decay_volume
    low, high = detector.angle_range(volume.start.value, volume.end.value)
    settings = TableSettings(n_momentum=40, n_vertex=6, n_point=512, angle_max=high)
    if low > 0.0:
        return replace(settings, n_angle_fine=2, n_angle_coarse=28, angle_fine=low)
    return replace(settings, n_angle_fine=15, n_angle_coarse=15, angle_fine=0.6 * high)


def build_acceptance(
    channel: str | Path,
    *,
    settings: TableSettings | None = None,
    masses: np.ndarray | None = None,
    momentum_nodes: slice = slice(None),
    progress: Callable[[int, int], None] | None = None,
) -> AcceptanceTable:
    """Sample the acceptance of a search.

    Args:
        channel: Channel id, or path of a record.
        settings: Nodes and sampling; those of the shipped tables by default.
        masses: Masses [GeV]; `mass_nodes` by default.
        momentum_nodes: Which of the momentum nodes to make; all by default.
        progress: Called with (masses done, masses in all).

    Returns:
        The table.
    """
    record = read_beam_dump_record(channel)
    geometry = read_dump_geometry(
        record.geometry, beside=locate_channel(channel).parent
    )
    volume = record.selection.decay_volume
    return make_acceptance_table(
        selected_detector(geometry, record.selection),
        mass_nodes(record.final_state) if masses is None else masses,
        daughter_mass=daughter_mass_of(record.final_state),
        decay_volume=(volume.start.value, volume.end.value),
        beam_momentum=geometry.beam.momentum.value,
        settings=settings or default_settings(channel),
        momentum_nodes=momentum_nodes,
        progress=progress,
    )


def write_acceptance(
    path: Path,
    channel: str | Path,
    table: AcceptanceTable,
    *,
    settings: TableSettings,
) -> None:
    """Write the acceptance table of a search.

    Args:
        path: The file.
        channel: Channel id, or path of a record.
        table: The table.
        settings: How it was sampled.

    Raises:
        OutputError: The file cannot be written.
    """
    record = read_beam_dump_record(channel)
    metadata: dict[str, Any] = {
        "content": "accepted fraction [mass, momentum, angle, vertex]",
        "units": {"masses": "GeV", "momenta": "GeV", "angles": "rad", "vertices": "m"},
        "channel": record.id,
        "final_state": record.final_state,
        "decay": "two-body, isotropic in the rest frame",
        "alignment": "mean of cos^2 - 1/3 over accepted decays, same nodes",
        "provenance": "computed",
        "made_by": f"bsmfit {__version__}, bsmfit tables build",
        "settings": settings.to_dict(),
        "selection": record.selection.model_dump(mode="json"),
        "geometry_sha256": sha256_of(
            locate_geometry(record.geometry, beside=locate_channel(channel).parent)
        ),
        "largest_error": float(table.error.max()),
        "mean_error_where_accepted": float(table.error[table.acceptance > 0].mean()),
    }
    arrays = {
        "masses": table.masses,
        "momenta": table.momenta,
        "angles": table.angles,
        "vertices": table.vertices,
        "acceptance": table.acceptance,
        "error": table.error.astype(np.float16),
    }
    if table.alignment is not None:
        arrays["alignment"] = table.alignment.astype(np.float16)
    write_archive(path, arrays, metadata)
