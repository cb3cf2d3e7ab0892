"""Units of HEPData columns, converted to GeV and its powers, and to seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bsmfit.catalogue.hepdata.column import HepDataColumn
from bsmfit.catalogue.hepdata.headers import plain_unit
from bsmfit.errors import DataFileError, closest_name

__all__ = ["MASS", "MASS_SQUARED", "TIME", "conversion_factor", "fraction_factor"]

_ENERGY = {"GeV": 1.0, "MeV": 1e-3, "keV": 1e-6, "TeV": 1e3, "eV": 1e-9}
MASS: Mapping[str, float] = {
    f"{unit}{suffix}": factor
    for unit, factor in _ENERGY.items()
    for suffix in ("", "/c^2")
}
"""Units of mass, in GeV."""
MASS_SQUARED: Mapping[str, float] = {
    spelling.format(unit): factor**2
    for unit, factor in _ENERGY.items()
    for spelling in ("{}^2", "{}^2/c^4", "({}/c^2)^2")
}
"""Units of squared mass, in GeV^2."""
TIME: Mapping[str, float] = {
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "ps": 1e-12,
    "fs": 1e-15,
}
"""Units of time, in seconds."""


def conversion_factor(
    where: str, column: HepDataColumn, units: Mapping[str, float]
) -> float:
    """Return the factor from the unit of a column to the unit of this program.

    Args:
        where: The table, for the message.
        column: The column; of its unit case, blanks, TeX and brackets do not count.
        units: Factor by accepted unit, for example `MASS`.

    Returns:
        The factor that its values are to be multiplied by.

    Raises:
        DataFileError: It has no unit, or another one. So is ``meV``, a thousandth of
            an electron volt.
    """
    plain = {plain_unit(unit): factor for unit, factor in units.items()}
    is_milli = "meV" in column.unit
    if plain_unit(column.unit) in plain and not is_milli:
        return plain[plain_unit(column.unit)]
    guess = "MeV" if is_milli else closest_name(column.unit, units)
    hint = f"; did you mean {guess!r}?" if guess else ""
    given = f"the unit {column.unit!r}" if column.unit else "no unit"
    msg = (
        f"{where}: {column.name!r} has {given}{hint} (allowed: {', '.join(units)}); "
        "write it in square brackets behind the name, or as units in YAML"
    )
    raise DataFileError(msg)


def fraction_factor(where: str, column: HepDataColumn) -> float:
    """Return the factor of a column of pure numbers.

    Args:
        where: The table, for the message.
        column: The column; its unit may be empty, ``1``, ``%``, or a power of ten.

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
    text = plain_unit(column.unit).removeprefix("/")
    if text in ("", "1", "-", "dimensionless"):
        return 1.0
    if text in ("%", "percent", "percentage"):
        return 0.01
    match = re.fullmatch(r"(?:x|times)?(?:10|1e)(-?\d{1,2})", text)
    is_power = re.search(r"[\^*⁻¹²³⁴⁵⁶⁷⁸⁹]|10[-−]|1[eE]", column.unit)
    if match and is_power:
        return float(f"1e{match[1]}")
    msg = (
        f"{where}: {column.name!r} has the unit {column.unit!r}, but it must be a pure "
        "number (allowed: no unit, 1, %, 10^-11 and other powers of ten)"
    )
    raise DataFileError(msg)
