"""Simulate the shipped table of a search for K+ -> pi+ e+ e- e+ e-: cuts in, table out.

The table lies beside the search's record, states its inputs, and comes out the same
when made again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from bsmfit._version import __version__
from bsmfit.catalogue.files import locate_geometry, locate_kaon_setup, sha256_of
from bsmfit.catalogue.records import (
    locate_channel,
    read_geometry,
    read_kaon_setup,
)
from bsmfit.catalogue.spectrometers import make_spectrometer
from bsmfit.catalogue.tables.archive import write_archive
from bsmfit.catalogue.tables.table_checks import HEAVIEST, check_nodes, check_values
from bsmfit.catalogue.tables.table_files import read_archive
from bsmfit.catalogue.yaml_file import read_yaml
from bsmfit.detector.four_electron_selection import N_POINT, FourElectronCuts
from bsmfit.detector.four_electron_table import (
    FourElectronSearch,
    FourElectronTable,
    make_four_electron_table,
)
from bsmfit.detector.kaon_decays import KaonBeam
from bsmfit.records.four_electron_record import FourElectronRecord
from bsmfit.records.kaon_setup_record import KaonSetupRecord

__all__ = [
    "build_four_electron_table",
    "four_electron_points",
    "four_electron_search",
    "read_four_electron_record",
    "read_four_electron_table",
    "table_inputs",
    "write_four_electron_table",
]

LOG2_POINTS = 17
SEED = 2307
LOG_TIMES = np.linspace(-3.0, 7.0, 21)
"""Nodes of ln t: flights of 600 to 0.03 times the length kept, at 30 GeV."""

AXION_MASSES = np.linspace(0.010, 0.170, 81)
SCALAR_MASSES = np.concatenate(
    [
        np.arange(22, 101, 6) / 1e3,
        np.arange(160, 197, 4) / 1e3,
        np.arange(200, 351, 10) / 1e3,
    ]
)
FRACTIONS = np.linspace(0.0, 1.0, 13)

_ARRAYS = (
    "log_times",
    "axion_masses",
    "axion",
    "axion_error",
    "scalar_masses",
    "fractions",
    "cascade",
    "cascade_error",
    "standard",
    "standard_error",
)
_LARGEST_LOG = 1e3
_SMALL = ("axion_error", "cascade", "cascade_error", "standard_error")


def read_four_electron_record(name: str | Path) -> FourElectronRecord:
    """Read the record of a search for a pion and four electrons.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        The validated record.

    Raises:
        UnknownNameError: There is no shipped search of that name.
        DataFileError: The file is not a valid record.
    """
    return read_yaml(locate_channel(name), FourElectronRecord)


def four_electron_search(channel: str | Path) -> FourElectronSearch:
    """From the records of a search to what its simulation needs.

    Args:
        channel: Channel id, or path of a record.

    Returns:
        Beam, spectrometer and cuts.
    """
    record = read_four_electron_record(channel)
    setup, geometry = _setup(channel, record)
    cuts, tracking = record.selection, setup.tracking
    spectrometer = make_spectrometer(
        read_geometry(str(geometry)), detectors=cuts.detectors
    )
    radius = jnp.full_like(spectrometer.straw_inner_radius, cuts.hole_radius.value)
    window = np.array([cuts.kaon_mass_low.value, cuts.kaon_mass_high.value])
    return FourElectronSearch(
        beam=KaonBeam(
            momentum=jnp.asarray(setup.beam.momentum.value),
            momentum_spread=jnp.asarray(setup.beam.momentum_spread.value),
            start=jnp.asarray(setup.decay_volume.start.value),
            end=jnp.asarray(setup.decay_volume.end.value),
        ),
        spectrometer=eqx.tree_at(lambda s: s.straw_inner_radius, spectrometer, radius),
        cuts=FourElectronCuts(
            momentum_error=jnp.asarray(tracking.pion_momentum.value),
            momentum_slope=jnp.asarray(tracking.pion_momentum_slope.value),
            position_error=jnp.asarray(cuts.position_error.value),
            separation=jnp.asarray(cuts.track_separation.value),
            kaon_mass_window=jnp.asarray(window),
            pi0_exclusion=jnp.asarray(cuts.pi0_exclusion.value),
            missing_exclusion=jnp.asarray(cuts.missing_exclusion.value),
            pion_momentum=jnp.asarray(cuts.pion_momentum.value),
            momentum_balance=jnp.asarray(cuts.momentum_balance.value),
            mass_window=jnp.asarray(cuts.mass_window.value),
        ),
    )


def four_electron_points(log2_points: int = LOG2_POINTS) -> np.ndarray:
    """The low-discrepancy points of the tables.

    Args:
        log2_points: Binary logarithm of their number.

    Returns:
        Points of the unit cube.
    """
    # scipy.stats is slow to import, and only those who make tables need it
    from scipy.stats import qmc

    sampler = qmc.Sobol(N_POINT, scramble=True, rng=np.random.default_rng(SEED))
    return sampler.random_base2(log2_points)


def build_four_electron_table(
    channel: str | Path,
    *,
    log2_points: int = LOG2_POINTS,
    axion_masses: np.ndarray = AXION_MASSES,
    scalar_masses: np.ndarray = SCALAR_MASSES,
    fractions: np.ndarray = FRACTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> FourElectronTable:
    """Simulate a search.

    Args:
        channel: Channel id, or path of a record.
        log2_points: Binary logarithm of the number of simulated decays.
        axion_masses: Masses of a [GeV].
        scalar_masses: Masses of S [GeV].
        fractions: Nodes of the mass of A'.
        progress: Called with (points done, points in all).

    Returns:
        The table.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: A record is not valid.
    """
    return make_four_electron_table(
        four_electron_search(channel),
        four_electron_points(log2_points),
        log_times=LOG_TIMES,
        axion_masses=axion_masses,
        scalar_masses=scalar_masses,
        fractions=fractions,
        progress=progress,
    )


def table_inputs(channel: str | Path) -> dict[str, Any]:
    """Every input that the table of a search depends on.

    Args:
        channel: Channel id, or path of a record.

    Returns:
        Numbers and digests that a table states in its metadata.
    """
    record = read_four_electron_record(channel)
    setup, geometry = _setup(channel, record)
    cuts = record.selection.model_dump(mode="json")
    return {
        "geometry_sha256": sha256_of(geometry),
        "beam": [setup.beam.momentum.value, setup.beam.momentum_spread.value],
        "decay_volume": [setup.decay_volume.start.value, setup.decay_volume.end.value],
        "tracking": [
            setup.tracking.pion_momentum.value,
            setup.tracking.pion_momentum_slope.value,
        ],
        "selection": {
            key: entry["value"] if isinstance(entry, dict) else list(entry)
            for key, entry in cuts.items()
        },
    }


def write_four_electron_table(
    path: Path, channel: str | Path, table: FourElectronTable
) -> None:
    """Write the table of a search.

    Args:
        path: The file.
        channel: Channel id, or path of a record.
        table: The table.

    Raises:
        OutputError: The file cannot be written.
    """
    metadata = {
        "content": "ln acceptance [mass (, fraction), ln t], last column: close tracks",
        "units": {"log_times": "ln GeV", "masses": "GeV"},
        "channel": read_four_electron_record(channel).id,
        "provenance": "computed",
        "made_by": f"bsmfit {__version__}, bsmfit tables build",
        "points": 2**LOG2_POINTS,
        "seed": SEED,
        "inputs": table_inputs(channel),
    }
    arrays = {
        name: getattr(table, name).astype(np.float32)
        if name in _SMALL
        else getattr(table, name)
        for name in _ARRAYS
    }
    write_archive(path, arrays, metadata)


def read_four_electron_table(path: Path) -> FourElectronTable:
    """Read the table of a search.

    Args:
        path: The file.

    Returns:
        The table.

    Raises:
        DataFileError: The file is not such a table.
    """
    arrays = read_archive(path, _ARRAYS)
    n_time = check_nodes(
        path,
        arrays,
        "log_times",
        low=-_LARGEST_LOG,
        high=_LARGEST_LOG,
        unit="(a logarithm)",
        is_even=True,
    )
    n_axion, n_scalar = (
        check_nodes(path, arrays, name, low=0.0, high=HEAVIEST, unit="GeV")
        for name in ("axion_masses", "scalar_masses")
    )
    n_share = check_nodes(path, arrays, "fractions", low=0.0, high=1.0, unit="1")
    shapes = {
        "axion": (n_axion, n_time + 1),
        "cascade": (n_scalar, n_share, n_time + 1),
        "axion_error": (n_axion,),
        "cascade_error": (n_scalar, n_share),
        "standard": (2,),
        "standard_error": (2,),
    }
    for name, shape in shapes.items():
        is_log = name in ("axion", "cascade")
        low = -_LARGEST_LOG if is_log else 0.0
        check_values(path, arrays, name, shape, low=low, high=_LARGEST_LOG)
    return FourElectronTable(**{name: arrays[name].astype(float) for name in _ARRAYS})


def _setup(
    channel: str | Path, record: FourElectronRecord
) -> tuple[KaonSetupRecord, Path]:
    """The setup of a search, and the file of its geometry."""
    folder = locate_channel(channel).parent
    setup = read_kaon_setup(record.setup, beside=folder)
    beside = locate_kaon_setup(record.setup, beside=folder).parent
    return setup, locate_geometry(setup.geometry, beside=beside)
