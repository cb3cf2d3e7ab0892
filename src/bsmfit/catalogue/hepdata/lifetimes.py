"""Read limits of a search for K+ -> pi+ X by lifetime of X from a table of HEPData."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from bsmfit.catalogue.arguments import as_path, shown
from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.hepdata.column import HepDataColumn
from bsmfit.catalogue.hepdata.headers import plain_name
from bsmfit.catalogue.hepdata.limit import limit_curve_of
from bsmfit.catalogue.hepdata.table import (
    check_rows,
    find_column,
    read_hepdata_table,
)
from bsmfit.catalogue.hepdata.units import TIME, conversion_factor
from bsmfit.catalogue.limit_curves import LimitCurve
from bsmfit.core.argument import text
from bsmfit.errors import DataFileError

__all__ = ["LIFETIME_NAMES", "read_lifetime_curves"]

LIFETIME_NAMES = (
    "Lifetime",
    "X lifetime",
    "Lifetime of X",
    "Mean lifetime",
    "Proper lifetime",
    "tau",
    "tau_X",
)


def read_lifetime_curves(
    path: str | Path,
    *,
    lifetime: str | None = None,
    mass: str | None = None,
    limit: str | None = None,
    widest_step: float = 0.015,
) -> dict[float, LimitCurve]:
    """Read upper limits on a branching ratio against mass, for each lifetime.

    Args:
        path: A HEPData table (``.yaml`` or ``.csv``) with lifetimes as a variable, or
            as a qualifier of its columns of limits.
        lifetime: Name of the variable or qualifier; None: one of `LIFETIME_NAMES`.
        mass: As of `read_limit_curve`.
        limit: As of `read_limit_curve`.
        widest_step: As of `read_limit_curve`.

    Returns:
        The curves by lifetime [s], rising.

    Raises:
        DataFileError: As of `read_limit_curve`; or there is no lifetime, or one that is
            not above 0.
        InputError: An argument is of another kind.
    """
    path = as_path(path, what="a HEPData table")
    names = LIFETIME_NAMES if lifetime is None else (text("lifetime", lifetime),)
    where, table = display_path(path), read_hepdata_table(path)
    plain = [plain_name(name) for name in names]
    qualifiers = {
        qualifier.value: qualifier
        for column in table.columns
        for qualifier in column.qualifiers
        if plain_name(qualifier.name) in plain
    }
    if any(plain_name(column.name) in plain for column in table.columns):
        column = find_column(where, table.columns, names=names, argument="lifetime=")
        name, unit, values = column.name, column.unit, column.values.tolist()
    elif qualifiers:
        first = next(iter(qualifiers.values()))
        name, unit = first.name, first.unit
        values = [_lifetime(where, one.name, one.value) for one in qualifiers.values()]
    else:
        msg = (
            f"{where}: neither a variable nor a qualifier is called "
            f"{' or '.join(names)}; another name can be given as lifetime="
        )
        raise DataFileError(msg)
    times = HepDataColumn(name, unit, np.array(values), None, None, {})
    factor = conversion_factor(where, times, TIME)
    check_rows(where, times, times.values > 0.0, allowed="above 0")
    return {
        factor * value: limit_curve_of(
            where,
            table.select({name: value}),
            mass=mass,
            limit=limit,
            widest_step=widest_step,
        )
        for value in sorted(set(values))
    }


def _lifetime(where: str, name: str, given: str) -> float:
    """A lifetime that is a qualifier."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = (
            f"{where}: the qualifier {name!r} is {shown(given)}, not a number; read "
            f"this curve alone: read_limit_curve(..., select={{{name!r}: {given!r}}})"
        )
        raise DataFileError(msg)
    return value
