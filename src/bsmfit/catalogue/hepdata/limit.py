"""Read the limit of a search for K+ -> pi+ X from a table of HEPData.

Made for table 3 of the HEPData record 10.17182/hepdata.160245 (arXiv:2507.17286), with
the columns ``X mass [MeV/c2]`` and ``Obs. BR UL``, and for tables like it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.hepdata.column import HepDataColumn
from bsmfit.catalogue.hepdata.table import (
    HepDataTable,
    check_rows,
    find_column,
    plain_name,
    read_hepdata_table,
)
from bsmfit.catalogue.hepdata.units import MASS, conversion_factor, fraction_factor
from bsmfit.catalogue.limit_curves import LimitCurve
from bsmfit.errors import DataFileError

__all__ = ["LIMIT_NAMES", "MASS_NAMES", "read_limit_curve"]

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
    "Upper limit",
    "UL",
)
_BESIDE = ("exp", "median", "1sigma", "2sigma")


def read_limit_curve(
    path: str | Path,
    *,
    mass: str | None = None,
    limit: str | None = None,
    widest_step: float = 0.015,
) -> LimitCurve:
    """Read an upper limit on a branching ratio against mass.

    Args:
        path: A HEPData table (``.yaml`` or ``.csv``).
        mass: Name of the column of masses; None: one of `MASS_NAMES`.
        limit: Name of the column of limits; None: one of `LIMIT_NAMES`, and the table
            has no other columns, except for expected limits.
        widest_step: Neighbouring masses that are further apart end a segment [GeV].

    Returns:
        The curve, masses in GeV. Its provenance is ``published``.

    Raises:
        DataFileError: The file is no HEPData table, lacks a column, has another unit,
            masses in disorder, or limits that are not positive.
    """
    path = Path(path)
    where = display_path(path)
    table = read_hepdata_table(path)
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
    if limit is None:
        _refuse_others(where, table, (masses, limits))
    mass_gev = conversion_factor(where, masses, MASS) * masses.values
    fraction = fraction_factor(where, limits) * limits.values
    check_rows(where, masses, mass_gev >= 0.0, allowed="at or above 0")
    check_rows(where, limits, fraction > 0.0, allowed="above 0")
    is_rising = np.append(True, np.diff(mass_gev) > 0.0)
    check_rows(where, masses, is_rising, allowed="above that of the row before")
    ends = np.flatnonzero(np.diff(mass_gev) > widest_step)
    starts = [0, *(ends + 1).tolist()]
    stops = [*ends.tolist(), mass_gev.size - 1]
    return LimitCurve(
        mass=mass_gev,
        limit=fraction,
        segments=tuple(
            (float(mass_gev[start]), float(mass_gev[stop]))
            for start, stop in zip(starts, stops, strict=True)
        ),
        provenance=("published",) * mass_gev.size,
    )


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
            f"{where}: unexpected column {column.name!r} (found: {there}); if the "
            f"table is right, name the column of limits: limit={known[1].name!r}"
        )
        raise DataFileError(msg)
