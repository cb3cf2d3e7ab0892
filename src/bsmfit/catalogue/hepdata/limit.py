"""Read the limit of a search for K+ -> pi+ X from a table of HEPData.

Made for table 3 of the HEPData record 10.17182/hepdata.160245 (arXiv:2507.17286), with
the columns ``X mass [MeV/c2]`` and ``Obs. BR UL``, and for tables like it: limits for
several lifetimes, as a second variable or as qualifiers of columns, and masses without
a limit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from bsmfit.catalogue.arguments import as_path, shown
from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.hepdata.column import HepDataColumn
from bsmfit.catalogue.hepdata.table import (
    HepDataTable,
    Selection,
    check_rows,
    find_column,
    plain_name,
    read_hepdata_table,
)
from bsmfit.catalogue.hepdata.units import (
    MASS,
    conversion_factor,
    fraction_factor,
)
from bsmfit.catalogue.limit_curves import LimitCurve
from bsmfit.core.constants import KAON_CHARGED_MASS
from bsmfit.errors import DataFileError, InputError

__all__ = [
    "LIMIT_NAMES",
    "MASS_NAMES",
    "limit_curve_of",
    "read_limit_curve",
]

MASS_NAMES = ("X mass", "m_X", "mass", "mass of X", "m(X)", "S mass", "m_S", "m_a")
LIMIT_NAMES = (
    "Obs. BR UL",
    "Observed BR UL",
    "Obs. UL",
    "Observed UL",
    "Observed limit",
    "Observed upper limit",
    "Observed BR upper limit",
    "BR UL",
    "BR upper limit",
    "BR limit",
    "Limit on BR",
    "Observed limit on BR",
    "Upper limit on BR",
    "Observed upper limit on BR",
    "Upper limit on the branching ratio",
    "Upper limit",
    "UL",
)
_BESIDE = ("exp", "median", "1sigma", "2sigma")


def read_limit_curve(
    path: str | Path,
    *,
    mass: str | None = None,
    limit: str | None = None,
    select: Selection | None = None,
    widest_step: float = 0.015,
) -> LimitCurve:
    """Read an upper limit on a branching ratio against mass.

    A row without a limit (``-``) ends a segment, and a limit may have ``<`` before it.
    Masses may also fall.

    Args:
        path: A HEPData table (``.yaml`` or ``.csv``).
        mass: Name of the column of masses; None: one of `MASS_NAMES`.
        limit: Name of the column of limits; None: one of `LIMIT_NAMES`, and the table
            has no other columns, except for expected limits.
        select: Values of qualifiers, where several columns have one name, and of
            further variables, where the limit depends on more than the mass. Numbers
            are in the unit of the file: ``{"lifetime": 1.0}``.
        widest_step: Neighbouring masses that are further apart end a segment [GeV].

    Returns:
        The curve, masses in GeV. Its provenance is ``published``.

    Raises:
        DataFileError: The file is no HEPData table, lacks a column, has another unit,
            masses in disorder, limits that are not within 0 and 1, or a further
            variable of which nothing is selected.
        InputError: An argument is of another kind.
    """
    path = as_path(path, what="a HEPData table")
    table = read_hepdata_table(path)
    if select is not None:
        table = table.select(select)
    return limit_curve_of(
        display_path(path), table, mass=mass, limit=limit, widest_step=widest_step
    )


def limit_curve_of(
    where: str,
    table: HepDataTable,
    *,
    mass: str | None,
    limit: str | None,
    widest_step: float,
) -> LimitCurve:
    """Return the curve of a table in which the limit depends on the mass alone.

    Args:
        where: The table, for messages.
        table: The table.
        mass: As of `read_limit_curve`.
        limit: As of `read_limit_curve`.
        widest_step: As of `read_limit_curve`.

    Returns:
        The curve.

    Raises:
        DataFileError: As of `read_limit_curve`.
        InputError: As of `read_limit_curve`.
    """
    if not (isinstance(widest_step, int | float) and widest_step > 0.0):
        msg = f"widest_step = {shown(widest_step)}; give a number of GeV above 0"
        raise InputError(msg)
    masses, limits = (
        find_column(
            where,
            table.columns,
            names=names if given is None else (given,),
            argument=f"{argument}=",
        )
        for given, names, argument in (
            (mass, MASS_NAMES, "mass"),
            (limit, LIMIT_NAMES, "limit"),
        )
    )
    if masses is limits:
        msg = f"{where}: mass= and limit= both name {masses.name!r}; give two columns"
        raise DataFileError(msg)
    _refuse_variables(where, table, masses)
    if limit is None:
        _refuse_others(where, table, (masses, limits))
    mass_gev, fraction = _numbers(where, masses, limits)
    rows = np.arange(mass_gev.size)
    if mass_gev.size > 1 and np.all(np.diff(mass_gev) < 0.0):
        mass_gev, fraction, rows = mass_gev[::-1], fraction[::-1], rows[::-1]
    _check_order(where, masses, mass_gev)
    has_limit = np.isfinite(fraction)
    mass_gev, fraction, rows = (x[has_limit] for x in (mass_gev, fraction, rows))
    is_end = (np.diff(mass_gev) > widest_step) | (np.abs(np.diff(rows)) > 1)
    ends = np.flatnonzero(is_end).tolist()
    starts, stops = [0, *(end + 1 for end in ends)], [*ends, mass_gev.size - 1]
    return LimitCurve(
        mass=mass_gev,
        limit=fraction,
        segments=tuple(
            (float(mass_gev[start]), float(mass_gev[stop]))
            for start, stop in zip(starts, stops, strict=True)
        ),
        provenance=("published",) * mass_gev.size,
    )


def _numbers(
    where: str, masses: HepDataColumn, limits: HepDataColumn
) -> tuple[Float64[np.ndarray, " n_row"], Float64[np.ndarray, " n_row"]]:
    """Masses [GeV] and limits [1], nan where the table has none."""
    mass_gev = conversion_factor(where, masses, MASS) * masses.values
    fraction = fraction_factor(where, limits) * limits.values
    is_number = np.array([not sign for sign in masses.bounds or [""] * mass_gev.size])
    check_rows(where, masses, is_number, allowed="a mass, not a bound")
    check_rows(where, masses, mass_gev >= 0.0, allowed="at or above 0, in every row")
    check_rows(
        where,
        masses,
        mass_gev < KAON_CHARGED_MASS,
        allowed=f"below that of the kaon, {KAON_CHARGED_MASS:g} GeV; correct the unit",
    )
    is_upper = np.array([sign != ">" for sign in limits.bounds or [""] * fraction.size])
    check_rows(where, limits, is_upper, allowed="an upper limit, not a lower one")
    is_open = np.isnan(fraction)
    check_rows(where, limits, is_open | (fraction > 0.0), allowed="above 0")
    check_rows(
        where,
        limits,
        is_open | (fraction <= 1.0),
        allowed=(
            "a branching ratio, at most 1; numbers in units of 1e-11 need that unit in "
            "the header: 'BR UL [10^-11]'"
        ),
    )
    if np.all(is_open):
        msg = f"{where}: {limits.name!r} has no limit in any row; choose another column"
        raise DataFileError(msg)
    return mass_gev, fraction


def _check_order(
    where: str, masses: HepDataColumn, mass_gev: Float64[np.ndarray, " n_row"]
) -> None:
    """Refuse masses that occur twice or are in disorder."""
    values, counts = np.unique(mass_gev, return_counts=True)
    if np.any(counts > 1):
        twice = values[counts > 1][0]
        rows = np.flatnonzero(mass_gev == twice) + 1
        msg = (
            f"{where}: {masses.name!r} is {twice:g} GeV in the rows "
            f"{', '.join(map(str, rows[:5]))}; keep one of them, or choose a value of "
            "the variable in which they differ: select={'lifetime': 1.0}"
        )
        raise DataFileError(msg)
    is_rising = np.append(True, np.diff(mass_gev) > 0.0)
    check_rows(
        where,
        masses,
        is_rising,
        allowed="above that of the row before; sort the rows by mass",
    )


def _refuse_variables(where: str, table: HepDataTable, masses: HepDataColumn) -> None:
    """Refuse a further variable that has several values."""
    for column in table.columns:
        values = np.unique(column.values)
        if column is masses or not column.is_independent or values.size < 2:
            continue
        unit = f" [{column.unit}]" if column.unit else ""
        there = ", ".join(f"{value:g}" for value in values[:10])
        msg = (
            f"{where}: the limit also depends on {column.name!r}{unit}, which is "
            f"{there}{', ...' if values.size > 10 else ''}; choose one: "
            f"select={{{column.name!r}: {values[0]:g}}}"
        )
        raise DataFileError(msg)


def _refuse_others(
    where: str, table: HepDataTable, known: tuple[HepDataColumn, ...]
) -> None:
    """Refuse columns that might mean that the table is of another kind."""
    for column in table.columns:
        name = plain_name(column.name)
        if any(column is one for one in known) or any(part in name for part in _BESIDE):
            continue
        there = ", ".join(repr(one.name) for one in table.columns)
        msg = (
            f"{where}: unexpected column {column.name!r} (found: {there}); if it is a "
            f"further variable, choose its value: select={{{column.name!r}: "
            f"{column.values[0]:g}}}; if the table is right, name the column of "
            f"limits: limit={known[1].name!r}"
        )
        raise DataFileError(msg)
