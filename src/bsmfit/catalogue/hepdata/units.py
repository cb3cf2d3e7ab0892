"""Units of HEPData columns, converted to GeV and its powers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bsmfit.catalogue.hepdata.column import HepDataColumn
from bsmfit.errors import DataFileError, closest_name

__all__ = ["MASS", "MASS_SQUARED", "conversion_factor", "fraction_factor"]

MASS: Mapping[str, float] = {
    "GeV": 1.0,
    "GeV/c^2": 1.0,
    "MeV": 1e-3,
    "MeV/c^2": 1e-3,
}
MASS_SQUARED: Mapping[str, float] = {
    "GeV^2": 1.0,
    "GeV^2/c^4": 1.0,
    "(GeV/c^2)^2": 1.0,
    "MeV^2": 1e-6,
    "MeV^2/c^4": 1e-6,
    "(MeV/c^2)^2": 1e-6,
}


def conversion_factor(
    where: str, column: HepDataColumn, units: Mapping[str, float]
) -> float:
    """Return the factor from the unit of a column to the unit of this program.

    Args:
        where: The table, for the message.
        column: The column; of its unit only letters, digits and slashes count.
        units: Factor by accepted unit, for example `MASS`.

    Returns:
        The factor that its values are to be multiplied by.

    Raises:
        DataFileError: It has no unit, or another one.
    """
    plain = {_plain(unit): factor for unit, factor in units.items()}
    if _plain(column.unit) in plain:
        return plain[_plain(column.unit)]
    guess = closest_name(column.unit, units)
    hint = f"; did you mean {guess!r}?" if guess else ""
    given = f"the unit {column.unit!r}" if column.unit else "no unit"
    msg = f"{where}: {column.name!r} has {given}{hint} (allowed: {', '.join(units)})"
    raise DataFileError(msg)


def fraction_factor(where: str, column: HepDataColumn) -> float:
    """Return the factor of a column of pure numbers.

    Args:
        where: The table, for the message.
        column: The column; its unit may be empty, ``1``, or a power of ten.

    Returns:
        The factor that its values are to be multiplied by.

    Raises:
        DataFileError: It has a unit.

    Examples:
        >>> import numpy as np
        >>> limit = HepDataColumn("BR", "$10^{-11}$", np.ones(2), None, None, {})
        >>> fraction_factor("t.csv", limit)
        1e-11
    """
    text = re.sub(r"[\s${}\\]|times", "", column.unit.replace("**", "^"))
    if text in ("", "1", "-"):
        return 1.0
    match = re.fullmatch(r"x?(?:10\^|1[eE])([-+]?\d{1,2})", text)
    if match:
        return float(f"1e{match[1]}")
    msg = (
        f"{where}: {column.name!r} has the unit {column.unit!r}, but it must be a pure "
        "number (allowed: no unit, 1, 10^-11 and other powers of ten)"
    )
    raise DataFileError(msg)


def _plain(unit: str) -> str:
    unit = unit.translate(str.maketrans("²⁴", "24"))
    unit = re.sub(r"\\(?:mathrm|text|rm|it)\b", "", unit)
    return re.sub(r"[^a-z0-9/]", "", unit.lower())
