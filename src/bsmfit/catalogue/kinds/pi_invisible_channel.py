r"""Build a search for K+ -> pi+ X, ready to be evaluated, from its record and table.

The background of the record becomes a function of the mass here. A fit of a peak with
the shape g on a background density $\rho$ knows the signal as well as a count that
takes all of the signal with the background

$$b(m) = \Big[\int_R\frac{g^2(m^2)}{\rho(m^2)}\,dm^2\Big]^{-1},$$

g being the Gaussian of the resolution at $m_X^2$, cut off outside the regions R and
normalised: $2\sqrt\pi\,\sigma\rho$ far from the edges, a window of 1.8 standard
deviations to either side. The density is that of $\pi\nu\bar\nu$, from the table, plus
the other backgrounds, spread evenly over the regions (assumed: their spectra are not
public).
"""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from bsmfit.catalogue.files import (
    display_path,
    locate_geometry,
    locate_kaon_setup,
    sha256_of,
)
from bsmfit.catalogue.limit_curves import read_limit_csv
from bsmfit.catalogue.records import (
    locate_channel,
    read_kaon_setup,
    read_pi_invisible_record,
)
from bsmfit.catalogue.tables.metadata import check_search, read_metadata
from bsmfit.catalogue.tables.pi_invisible_build import table_inputs
from bsmfit.catalogue.tables.table_files import read_invisible_table, table_path
from bsmfit.channels.channel import ChannelNuisance, DefaultAxis
from bsmfit.channels.pi_invisible import PiInvisibleChannel
from bsmfit.channels.stable_limit import StableLimit
from bsmfit.core.interpolation import CubicCurve
from bsmfit.detector.escape import EscapeTable
from bsmfit.detector.invisible_table import InvisibleTable
from bsmfit.errors import DataFileError
from bsmfit.records.pi_invisible_record import PiInvisibleRecord

__all__ = ["background_density", "load_pi_invisible"]

_SMALLEST_RATIO = 1e-9
_SMALLEST_BACKGROUND = 1e-3
_N_GRID = 4001


def load_pi_invisible(name: str | Path) -> PiInvisibleChannel:
    """Build a channel from its record and its table.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: The record, the table or the limit curve is not valid.
    """
    path = locate_channel(name)
    record = read_pi_invisible_record(name)
    setup_path = locate_kaon_setup(record.setup, beside=path.parent)
    setup = read_kaon_setup(record.setup, beside=path.parent)
    table_file = table_path("forward", name)
    table = _checked_table(table_file, name, record.id)
    published, files = None, []
    if record.published_limit is not None:
        curve_file = path.parent / record.published_limit.file
        published = _limit_curve(curve_file, record)
        files.append(curve_file)
    ratio = np.maximum(table.acceptance_ratio, _SMALLEST_RATIO)
    if record.reference_mass is not None:
        ratio = ratio / np.interp(record.reference_mass, table.masses, ratio)
    geometry = locate_geometry(setup.geometry, beside=setup_path.parent)
    return PiInvisibleChannel(
        name=record.id,
        datasets=record.datasets,
        changes=(),
        fingerprint="",
        segments=tuple((segment.low, segment.high) for segment in record.segments),
        windows=_regions(record),
        mass_axis=DefaultAxis(
            record.default_mass.low,
            record.default_mass.high,
            record.default_mass.n_points,
            spacing="lin",
        ),
        coupling_axes=tuple(
            (model, DefaultAxis(axis.low, axis.high, axis.n_points))
            for model, axis in record.default_coupling.items()
        ),
        nuisances=tuple(
            ChannelNuisance(entry.name, 1.0 + entry.size, entry.affects)
            for entry in record.nuisances
        ),
        veto_nuisance=record.veto_nuisance,
        inputs=tuple(
            (f"{file.parent.name}/{file.name}", sha256_of(file))
            for file in (path, table_file, setup_path, geometry, *files)
        ),
        single_event_sensitivity=jnp.asarray(record.single_event_sensitivity.value),
        veto_end_error=jnp.asarray(setup.veto_end.uncertainty),
        log_acceptance_ratio=CubicCurve.monotone(table.masses, np.log(ratio)),
        resolution=CubicCurve.monotone(table.masses, table.resolution),
        log_background=_log_background(record, table),
        escape=EscapeTable.from_nodes(table.masses, table.log_rates, table.escape),
        published=published,
        n_observed=(
            None
            if record.n_observed is None
            else jnp.asarray(float(record.n_observed.value))
        ),
    ).as_published()


def background_density(
    record: PiInvisibleRecord, table: InvisibleTable
) -> tuple[Float64[np.ndarray, " n_grid"], Float64[np.ndarray, " n_grid"]]:
    r"""Expected background by squared missing mass.

    Args:
        record: The search.
        table: Its table.

    Returns:
        Squared missing masses in the regions [GeV^2], evenly spaced over all, and the
        density there [events/GeV^2]; 0 outside the regions.
    """
    windows = _regions(record)
    low, high = min(w[0] for w in windows), max(w[1] for w in windows)
    grid = np.linspace(low, high, _N_GRID)
    inside = np.any([(grid >= a) & (grid <= b) for a, b in windows], axis=0)
    width = sum(b - a for a, b in windows)
    shape = np.interp(
        grid, table.masses**2, table.neutrino_density, left=0.0, right=0.0
    )
    norm = np.trapezoid(np.where(inside, shape, 0.0), grid)
    neutrinos = record.neutrino_events.value * shape / norm if norm > 0.0 else 0.0
    others = record.background.value / width
    return grid, np.where(inside, neutrinos + others, 0.0)


def _regions(record: PiInvisibleRecord) -> tuple[tuple[float, float], ...]:
    """Windows of the squared missing mass, the same in all samples [GeV^2]."""
    return tuple(
        (region.missing_mass_squared.low, region.missing_mass_squared.high)
        for region in record.samples[0].regions
    )


def _log_background(record: PiInvisibleRecord, table: InvisibleTable) -> CubicCurve:
    """Log of the background that the search has at each mass."""
    total = record.neutrino_events.value + record.background.value
    if record.background_shape == "region":
        values = np.full(table.masses.size, total)
        return CubicCurve.monotone(table.masses, np.log(values))
    grid, density = background_density(record, table)
    values = []
    for mass, sigma in zip(table.masses, table.resolution, strict=True):
        peak = np.exp(-0.5 * ((grid - mass**2) / sigma) ** 2)
        peak = np.where(density > 0.0, peak, 0.0)
        norm = np.trapezoid(peak, grid)
        information = np.trapezoid(
            peak**2 / np.where(density > 0.0, density, 1.0), grid
        )
        is_open = norm > 1e-12
        values.append(norm**2 / information if is_open else _SMALLEST_BACKGROUND)
    floored = np.maximum(np.array(values), _SMALLEST_BACKGROUND)
    return CubicCurve.monotone(table.masses, np.log(floored))


def _checked_table(path: Path, name: str | Path, search: str) -> InvisibleTable:
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
    return read_invisible_table(path)


def _limit_curve(path: Path, record: PiInvisibleRecord) -> StableLimit:
    """The published limit, which must cover the segments of the record."""
    curve = read_limit_csv(path)
    for segment in record.segments:
        covers = [
            low <= segment.low + 1e-9 and high >= segment.high - 1e-9
            for low, high in curve.segments
        ]
        if not any(covers):
            known = ", ".join(f"{low:g} to {high:g}" for low, high in curve.segments)
            msg = (
                f"{display_path(path)}: no piece of the limit ({known} GeV) covers the "
                f"segment {segment.low:g} to {segment.high:g} GeV of {record.id}"
            )
            raise DataFileError(msg)
    if record.published_limit is None:
        msg = f"{record.id}: the record has no published limit"
        raise DataFileError(msg)
    return StableLimit(
        masses=jnp.asarray(curve.mass),
        log_limits=jnp.asarray(np.log(curve.limit)),
        cl=record.published_limit.confidence_level.value,
    )
