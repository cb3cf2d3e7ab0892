"""Files of numbers: acceptance tables, yield tables and meson spectra.

All are NumPy archives that load without pickle, with one JSON text under ``metadata``
that says how they were made. Yields are read into the form the channels evaluate.
"""

from __future__ import annotations

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from bsmfit.catalogue.files import data_root, display_path
from bsmfit.catalogue.records import locate_channel
from bsmfit.catalogue.tables.archive import read_arrays
from bsmfit.catalogue.tables.metadata import metadata_of
from bsmfit.catalogue.tables.table_checks import (
    HEAVIEST,
    check_names,
    check_nodes,
    check_values,
    metadata_number,
)
from bsmfit.core.argument import LARGEST_COUNT
from bsmfit.core.interpolation import MonotoneTable
from bsmfit.detector.acceptance_table import AcceptanceTable
from bsmfit.detector.invisible_table import InvisibleTable
from bsmfit.detector.yields import YieldTable
from bsmfit.errors import DataFileError
from bsmfit.physics.production_spectrum import MesonSpectrum

__all__ = [
    "BEAUTY_SPECTRA",
    "KAON_SPECTRA",
    "MESON_SPECTRA",
    "meson_spectra_path",
    "read_acceptance_table",
    "read_archive",
    "read_beauty_spectra",
    "read_invisible_table",
    "read_meson_spectra",
    "read_yield_table",
    "table_path",
]

MESON_SPECTRA = {400.0: "meson_spectra_400GeV", 70.0: "meson_spectra_70GeV"}
"""Folder of the meson spectra by beam momentum [GeV]."""

BEAUTY_SPECTRA = {400.0: "beauty_spectra_400GeV/pp_bbbar.npz"}
"""Spectra of B mesons by beam momentum [GeV]."""

KAON_SPECTRA = {400.0: "pp_kaons"}
"""Sample of the spectra of kaons by beam momentum [GeV], in the folder of mesons."""

_LARGEST = 1e5  # momenta [GeV], lengths [m], densities [1/GeV^2]: none comes near
_LARGEST_LOG = 1e3

_ACCEPTANCE_ARRAYS = (
    "masses",
    "momenta",
    "angles",
    "vertices",
    "acceptance",
    "error",
)


def read_archive(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the arrays of an archive, all of the named ones present and finite.

    Args:
        path: The file.
        keys: Names of the arrays that must be there.

    Returns:
        All arrays by name.

    Raises:
        DataFileError: It cannot be read, lacks an array, or has one that is not finite.
    """
    arrays = read_arrays(path)
    for key in (*keys, "metadata"):
        if key not in arrays:
            msg = f"{display_path(path)}: has no array {key!r}"
            raise DataFileError(msg)
        if arrays[key].dtype.kind == "f" and not np.isfinite(arrays[key]).all():
            msg = (
                f"{display_path(path)}: array {key!r} holds numbers that are not finite"
            )
            raise DataFileError(msg)
    return arrays


def read_acceptance_table(path: Path) -> AcceptanceTable:
    """Read an acceptance table.

    Args:
        path: The table file.

    Returns:
        The table.

    Raises:
        DataFileError: The file is not an acceptance table.
    """
    arrays = read_archive(path, _ACCEPTANCE_ARRAYS)
    shape = (
        check_nodes(path, arrays, "masses", low=0.0, high=HEAVIEST, unit="GeV"),
        check_nodes(path, arrays, "momenta", low=0.0, high=_LARGEST, unit="GeV"),
        check_nodes(path, arrays, "angles", low=0.0, high=math.pi, unit="rad"),
        check_nodes(path, arrays, "vertices", low=-_LARGEST, high=_LARGEST, unit="m"),
    )
    check_values(path, arrays, "acceptance", shape, low=0.0, high=1.0)
    check_values(path, arrays, "error", shape, low=0.0, high=1.0)
    if "alignment" in arrays:
        check_values(path, arrays, "alignment", shape, low=-1.0, high=1.0)
    return AcceptanceTable(
        **{name: arrays[name] for name in _ACCEPTANCE_ARRAYS if name != "error"},
        error=arrays["error"].astype(np.float32),
        alignment=(
            arrays["alignment"].astype(np.float32) if "alignment" in arrays else None
        ),
    )


def read_yield_table(path: Path) -> YieldTable:
    """Read a yield table and prepare its interpolation.

    Args:
        path: The table file.

    Returns:
        The yields, ready to be evaluated.

    Raises:
        DataFileError: The file is not a yield table.
    """
    keys = ("masses", "reduced_lifetimes", "processes", "reduced_log_yield")
    arrays = read_archive(path, keys)
    metadata = metadata_of(path, arrays)
    processes = check_names(path, arrays, "processes")
    shape = (
        check_nodes(path, arrays, "masses", low=0.0, high=HEAVIEST, unit="GeV"),
        check_nodes(
            path,
            arrays,
            "reduced_lifetimes",
            low=-_LARGEST_LOG,
            high=_LARGEST_LOG,
            unit="(a logarithm)",
            is_even=True,
        ),
        len(processes),
    )
    # the logarithm of nothing is stored as -10000
    name = "reduced_log_yield"
    check_values(path, arrays, name, shape, low=-2e4, high=_LARGEST_LOG)
    distance = metadata_number(path, metadata, "distance_m", low=0.1, high=_LARGEST)
    momentum = metadata_number(
        path, metadata, "beam_momentum_gev", low=1.0, high=_LARGEST
    )
    return YieldTable(
        processes=processes,
        table=MonotoneTable.from_nodes(
            arrays["masses"], arrays["reduced_lifetimes"], arrays["reduced_log_yield"]
        ),
        distance=jnp.asarray(distance),
        beam_momentum=jnp.asarray(momentum),
    )


def read_invisible_table(path: Path) -> InvisibleTable:
    """Read the table of a search for K+ -> pi+ X.

    Args:
        path: The table file.

    Returns:
        The table.

    Raises:
        DataFileError: The file is not such a table.
    """
    names = (
        "masses",
        "log_rates",
        "acceptance_ratio",
        "acceptance_error",
        "resolution",
        "neutrino_density",
        "escape",
        "neutrino_acceptance",
    )
    arrays = read_archive(path, names)
    metadata = metadata_of(path, arrays)
    n_mass = check_nodes(path, arrays, "masses", low=0.0, high=HEAVIEST, unit="GeV")
    n_rate = check_nodes(
        path,
        arrays,
        "log_rates",
        low=-_LARGEST_LOG,
        high=_LARGEST_LOG,
        unit="(a logarithm)",
        is_even=True,
    )
    for name in ("acceptance_ratio", "acceptance_error", "neutrino_density"):
        check_values(path, arrays, name, (n_mass,), low=0.0, high=_LARGEST)
    check_values(path, arrays, "resolution", (n_mass,), low=0.0, high=1.0, unit="GeV2")
    check_values(
        path,
        arrays,
        "escape",
        (n_mass, n_rate, 2),
        low=-_LARGEST_LOG,
        high=_LARGEST_LOG,
    )
    samples = arrays["neutrino_acceptance"].shape[:1]
    check_values(path, arrays, "neutrino_acceptance", samples, low=0.0, high=1.0)
    share = metadata_number(path, metadata, "first_region_share", low=0.0, high=1.0)
    return InvisibleTable(
        **{name: arrays[name].astype(float) for name in names},
        first_region_share=share,
    )


def meson_spectra_path(name: str, beam_momentum: float) -> Path:
    """Where simulated meson spectra are.

    Args:
        name: Sample: ``"pp_inelastic"`` or, at 400 GeV, ``"pCu_cascade"``.
        beam_momentum: Momentum of the beam [GeV].

    Returns:
        The file.

    Raises:
        DataFileError: There are none at this momentum.
    """
    if beam_momentum not in MESON_SPECTRA:
        known = " and ".join(f"{momentum:g}" for momentum in sorted(MESON_SPECTRA))
        msg = (
            f"there are no meson spectra of {beam_momentum:g} GeV protons (there are "
            f"of {known} GeV)"
        )
        raise DataFileError(msg)
    return data_root() / MESON_SPECTRA[beam_momentum] / f"{name}.npz"


def read_meson_spectra(
    name: str = "pp_inelastic", *, beam_momentum: float = 400.0
) -> dict[str, MesonSpectrum]:
    """Read simulated meson spectra.

    Args:
        name: Sample: ``"pp_inelastic"`` or, at 400 GeV, ``"pCu_cascade"`` or
            ``"pp_kaons"``.
        beam_momentum: Momentum of the beam [GeV].

    Returns:
        Spectrum by meson: ``"pi0"``, ``"eta"``, ``"eta-prime"``, ``"rho"``, ...; of
        kaons ``"kaon-plus"``, ``"kaon-minus"``, ``"kaon-short"``, ``"kaon-long"``.

    Raises:
        DataFileError: There are none at this momentum.
    """
    return _read_spectra(meson_spectra_path(name, beam_momentum))


def read_beauty_spectra(beam_momentum: float = 400.0) -> dict[str, MesonSpectrum]:
    """Read simulated spectra of B hadrons, per event with a pair of b quarks.

    Args:
        beam_momentum: Momentum of the beam [GeV], a key of `BEAUTY_SPECTRA`.

    Returns:
        Spectrum by hadron, both charges: ``"b-charged"``, ``"b-neutral"``, ...
    """
    return _read_spectra(data_root() / BEAUTY_SPECTRA[beam_momentum])


def _read_spectra(path: Path) -> dict[str, MesonSpectrum]:
    arrays = read_archive(path, ("momentum_edges", "angle_edges", "n_events"))
    momenta = check_nodes(
        path, arrays, "momentum_edges", low=0.0, high=_LARGEST, unit="GeV"
    )
    angles = check_nodes(path, arrays, "angle_edges", low=0.0, high=math.pi, unit="rad")
    check_values(path, arrays, "n_events", (), low=1.0, high=LARGEST_COUNT, kinds="iuf")
    names = [name for name in arrays if name.startswith("counts_")]
    for name in names:
        shape = (momenta - 1, angles - 1)
        check_values(
            path, arrays, name, shape, low=0.0, high=LARGEST_COUNT, kinds="iuf"
        )
    return {
        name.removeprefix("counts_").replace("_", "-"): MesonSpectrum(
            momentum_edges=arrays["momentum_edges"].astype(float),
            angle_edges=arrays["angle_edges"].astype(float),
            counts=arrays[name].astype(float),
            n_event=float(arrays["n_events"]),
        )
        for name in names
    }


def table_path(kind: str, channel: str | Path) -> Path:
    """Where a table of a search is: beside its record.

    Args:
        kind: ``"acceptance"``, ``"yields"`` or ``"forward"``.
        channel: Channel id, or path of a record.

    Returns:
        Path of the file, which need not exist.
    """
    return locate_channel(channel).parent / f"{kind}.npz"
