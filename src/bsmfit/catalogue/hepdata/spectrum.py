"""Read a spectrum of squared missing mass from tables of HEPData.

Made for the tables "Figure 1-*" of the HEPData record 10.17182/hepdata.160245
(arXiv:2507.17286), which have observed and expected events of K+ -> pi+ X in bins of
squared missing mass, and for tables like them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from bsmfit.catalogue.arguments import as_path, shown
from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.hepdata.column import HepDataColumn, HepDataError
from bsmfit.catalogue.hepdata.table import (
    Selection,
    check_rows,
    find_column,
    plain_name,
    read_hepdata_table,
)
from bsmfit.catalogue.hepdata.units import MASS_SQUARED, conversion_factor
from bsmfit.core.argument import instances
from bsmfit.errors import DataFileError, InputError

__all__ = [
    "MASS_SQUARED_NAMES",
    "OBSERVED_NAMES",
    "BackgroundSpectrum",
    "MissingMassSpectrum",
    "read_missing_mass_spectrum",
]

MASS_SQUARED_NAMES = (
    "Squared missing mass",
    "Missing mass squared",
    "m_miss^2",
    "m^2_miss",
    "M_miss^2",
    "mm2",
)
OBSERVED_NAMES = (
    "Observed",
    "Observed events",
    "Observed data",
    "Obs.",
    "Obs. events",
    "Data",
    "Data events",
    "N_obs",
    "Number of observed events",
)
_NO_BACKGROUND = ("signal", "obs", "observed", "data", "ratio", "pull")
_SUMS = ("total", "sum", "all")
_ROUNDING = 1e-3  # of a bin width
_MOST_EVENTS = 1e15  # beyond, a float64 does not count one by one


@dataclass(frozen=True)
class BackgroundSpectrum:
    """Expected events of one background.

    Attributes:
        name: Name of its column.
        expected: Expected events in each bin, >= 0.
        errors: Uncertainties by label, as signed shifts in events. HEPData does not say
            how they are correlated between bins.
    """

    name: str
    expected: Float64[np.ndarray, " n_bin"]
    errors: Mapping[str, HepDataError]

    def total_error(self) -> HepDataError:
        """Add the uncertainties of all labels in quadrature, up and down apart.

        Returns:
            Shifts up, >= 0, and down, <= 0, in events.
        """
        up, down = np.zeros(self.expected.shape), np.zeros(self.expected.shape)
        for error in self.errors.values():
            up += np.maximum(np.maximum(error.plus, error.minus), 0.0) ** 2
            down += np.minimum(np.minimum(error.plus, error.minus), 0.0) ** 2
        return HepDataError(np.sqrt(up), -np.sqrt(down))


@dataclass(frozen=True)
class MissingMassSpectrum:
    """Observed and expected events in bins of squared missing mass.

    Attributes:
        edges: Lower and upper edge of each bin [GeV^2]; rising, and there may be gaps.
        observed: Observed events in each bin.
        background: Expected events by name.
    """

    edges: Float64[np.ndarray, "n_bin 2"]
    observed: Int64[np.ndarray, " n_bin"]
    background: Mapping[str, BackgroundSpectrum]


def read_missing_mass_spectrum(
    path: str | Path | Sequence[str | Path],
    *,
    mass_squared: str | None = None,
    observed: str | None = None,
    background: Sequence[str] | None = None,
    select: Selection | None = None,
) -> MissingMassSpectrum:
    """Read a binned spectrum of squared missing mass.

    Args:
        path: A HEPData table (``.yaml`` or ``.csv``), or several with the same bins,
            for example observed events in one and expected events in another.
        mass_squared: Name of the column of bins; None: one of `MASS_SQUARED_NAMES`.
        observed: Name of the column of events; None: one of `OBSERVED_NAMES`.
        background: Names of the columns of expected events that add up to the whole
            background; None: all other columns.
        select: Values of qualifiers or further variables, as of
            `bsmfit.catalogue.hepdata.limit.read_limit_curve`; of every table.

    Returns:
        The spectrum, in GeV^2.

    Raises:
        InputError: No path is given, or an argument is of another kind.
        DataFileError: A file is no HEPData table; or its bins, names, units or numbers
            are not as they must be.
    """
    several = [path] if isinstance(path, str | Path) else path
    if not isinstance(several, Sequence):
        msg = f"a HEPData table is {shown(several)}; give a path or a list of paths"
        raise InputError(msg)
    paths = [as_path(one, what="a HEPData table") for one in several]
    if not paths:
        msg = "no path of a HEPData table is given"
        raise InputError(msg)
    hint = 'write ["name of a column"]'
    chosen = instances(
        "background", () if background is None else background, str, hint=hint
    )
    edges, columns = _read(paths[0], mass_squared, select)
    for one in paths[1:]:
        others, more = _read(one, mass_squared, select)
        if others.shape != edges.shape or not np.allclose(others, edges, 1e-9, 1e-12):
            msg = (
                f"{display_path(one)} has other bins than {display_path(paths[0])}; "
                "read regions with different bins one by one"
            )
            raise DataFileError(msg)
        columns += more
    where = ", ".join(display_path(one) for one in paths)
    names = OBSERVED_NAMES if observed is None else (observed,)
    counts = find_column(where, columns, names=names, argument="observed=")
    others = [column for column in columns if column is not counts]
    if background is None:
        _refuse_doubtful(where, others)
    else:
        others = [
            find_column(where, others, names=(name,), argument="background=[...]")
            for name in chosen
        ]
    return MissingMassSpectrum(
        edges=edges,
        observed=_events(where, counts),
        background=_backgrounds(where, others),
    )


def _read(
    path: Path, name: str | None, select: Selection | None
) -> tuple[np.ndarray, list[HepDataColumn]]:
    """Bins of one table [GeV^2], and its other columns."""
    where, table = display_path(path), read_hepdata_table(path)
    columns = table.select(select or {}).columns
    names = MASS_SQUARED_NAMES if name is None else (name,)
    bins = find_column(where, columns, names=names, argument="mass_squared=")
    factor = conversion_factor(where, bins, MASS_SQUARED)
    low, high = bins.low, bins.high
    if low is None or high is None:
        low, high = _bins_of_centres(where, bins)
    check_rows(where, bins, low < high, allowed="a bin with low < high")
    is_free = np.append(True, low[1:] >= high[:-1] - 1e-9 * (high - low)[:-1])
    check_rows(where, bins, is_free, allowed="above the bin before, without overlap")
    edges = factor * np.stack([low, high], axis=-1)
    return edges, [column for column in columns if column is not bins]


def _bins_of_centres(where: str, bins: HepDataColumn) -> tuple[np.ndarray, np.ndarray]:
    """Edges of bins of equal width, in the unit of the file, from their centres."""
    centres = bins.values
    check_rows(where, bins, np.isfinite(centres), allowed="a number")
    if centres.size < 2:
        msg = f"{where}: {bins.name!r} has one centre and no edges: no width is known"
        raise DataFileError(msg)
    is_rising = np.append(True, np.diff(centres) > 0.0)
    check_rows(where, bins, is_rising, allowed="above the centre before")
    width = (centres[-1] - centres[0]) / (centres.size - 1)
    nominal = centres[0] + width * np.arange(centres.size)
    is_near = np.abs(centres - nominal) <= _ROUNDING * width
    allowed = (
        f"{nominal[int(np.argmin(is_near))]:g}: without edges, bins have one width"
    )
    check_rows(where, bins, is_near, allowed=allowed)
    edges = centres[0] + width * (np.arange(centres.size + 1) - 0.5)
    return edges[:-1], edges[1:]


def _refuse_doubtful(where: str, columns: Sequence[HepDataColumn]) -> None:
    """Refuse columns that may be no background, or the sum of others."""
    there = ", ".join(repr(column.name) for column in columns)
    doubtful = _NO_BACKGROUND if len(columns) == 1 else (*_NO_BACKGROUND, *_SUMS)
    for column in columns:
        if set(re.findall("[a-z]+", column.name.lower())) & set(doubtful):
            msg = (
                f"{where}: is {column.name!r} a background of its own? Say which "
                "columns add up to the whole background: background=[...] (found: "
                f"{there})"
            )
            raise DataFileError(msg)
    if not columns:
        msg = f"{where}: no column of expected events; for none, give background=[]"
        raise DataFileError(msg)


def _events(where: str, column: HepDataColumn) -> np.ndarray:
    """Observed events as whole numbers."""
    _check_unit(where, column)
    _refuse_bounds(where, column)
    values = column.values
    is_count = np.isfinite(values) & (values >= 0.0) & (values == np.round(values))
    check_rows(where, column, is_count, allowed="a whole number of events, 0 or above")
    allowed = f"at most {_MOST_EVENTS:g} events"
    check_rows(where, column, values <= _MOST_EVENTS, allowed=allowed)
    return values.astype(np.int64)


def _backgrounds(
    where: str, columns: Sequence[HepDataColumn]
) -> dict[str, BackgroundSpectrum]:
    """Expected events by name of the column."""
    found: dict[str, BackgroundSpectrum] = {}
    for column in columns:
        if column.name in found:
            msg = f"{where}: two columns of expected events are called {column.name!r}"
            raise DataFileError(msg)
        _check_unit(where, column)
        _refuse_bounds(where, column)
        check_rows(where, column, column.values >= 0.0, allowed="0 or above")
        found[column.name] = BackgroundSpectrum(
            column.name, column.values, column.errors
        )
    return found


def _refuse_bounds(where: str, column: HepDataColumn) -> None:
    """Refuse a bound where a number of events must be."""
    is_number = np.array([not b for b in column.bounds or [""] * column.values.size])
    check_rows(where, column, is_number, allowed="a number of events, not a bound")


def _check_unit(where: str, column: HepDataColumn) -> None:
    """Refuse densities: only events per bin can be read."""
    if plain_name(column.unit) not in ("", "1", "events", "eventsbin", "counts"):
        msg = (
            f"{where}: {column.name!r} has the unit {column.unit!r}, but it must be "
            "events per bin (allowed: no unit, 1, events, events/bin, counts)"
        )
        raise DataFileError(msg)
