"""Columns of a HEPData table; numbers and headers as both of its formats have them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from bsmfit.errors import DataFileError

__all__ = [
    "HepDataColumn",
    "HepDataError",
    "parse_error",
    "parse_number",
    "split_header",
    "unique_label",
]

_NO_VALUE = ("", "-", "--", "null", "~", ".nan", "nan", "NaN")


@dataclass(frozen=True)
class HepDataError:
    """One source of uncertainty of a column, as signed shifts in the column's unit.

    Attributes:
        plus: Shift upwards, usually positive; 0 where the file states none.
        minus: Shift downwards, usually negative; 0 where the file states none.
    """

    plus: Float64[np.ndarray, " n_row"]
    minus: Float64[np.ndarray, " n_row"]


@dataclass(frozen=True)
class HepDataColumn:
    """One variable of a HEPData table, in the units of the file.

    Attributes:
        name: Name without the unit, as the file has it.
        unit: Unit as the file has it; empty where it states none.
        values: Values; nan where the file has ``-``. Of a bin without a value of its
            own the middle.
        low: Lower bin edges; None where the variable has no bins.
        high: Upper bin edges; likewise.
        errors: Uncertainties by label.
    """

    name: str
    unit: str
    values: Float64[np.ndarray, " n_row"]
    low: Float64[np.ndarray, " n_row"] | None
    high: Float64[np.ndarray, " n_row"] | None
    errors: Mapping[str, HepDataError]


def split_header(header: str) -> tuple[str, str]:
    """Take the unit off a header that carries it in square brackets.

    Args:
        header: Name with or without a unit.

    Returns:
        Name and unit; the unit is empty where there is none.

    Examples:
        >>> split_header("X mass [MeV/c2]")
        ('X mass', 'MeV/c2')
    """
    match = re.fullmatch(r"(.*\S)\s*\[([^\[\]]*)\]", header.strip())
    return (match[1], match[2].strip()) if match else (header.strip(), "")


def parse_number(where: str, given: object) -> float:
    """Read a number of a HEPData table.

    Args:
        where: Place in the file, for the message.
        given: Text of the number; ``-`` stands for no value.

    Returns:
        The number; nan for no value.

    Raises:
        DataFileError: It is neither a finite number nor ``-``.
    """
    text = given.strip() if isinstance(given, str) else None
    if text in _NO_VALUE:
        return math.nan
    try:
        value = float("" if text is None or "_" in text else text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        msg = f"{where} is {_shown(given)} but must be a finite number, or - for none"
        raise DataFileError(msg)
    return value


def parse_error(where: str, given: object, value: float) -> float:
    """Read an uncertainty of a HEPData table.

    Args:
        where: Place in the file, for the message.
        given: Text of a number, or of a number with ``%``.
        value: The value that it belongs to.

    Returns:
        The shift in the unit of the value; 0 where the file states none.

    Raises:
        DataFileError: It is no such text.
    """
    text = given.strip() if isinstance(given, str) else ""
    is_relative = text.endswith("%")
    number = parse_number(where, text[:-1] if is_relative else given)
    if math.isnan(number):
        return 0.0
    return 0.01 * number * abs(value) if is_relative else number


def unique_label(label: str, taken: Sequence[str]) -> str:
    """Number a label that several uncertainties of a column share.

    Args:
        label: Label of the file; ``error`` stands for an empty one.
        taken: Labels that are in use.

    Returns:
        The label, with a number from 2 on where it is in use.

    Examples:
        >>> unique_label("sys", ["stat", "sys"])
        'sys 2'
    """
    label = label.strip() or "error"
    numbered = (f"{label} {number}" for number in range(2, len(taken) + 3))
    return next(name for name in (label, *numbered) if name not in taken)


def _shown(given: object) -> str:
    if isinstance(given, str):
        return repr(given)
    return "a list" if isinstance(given, list) else "a mapping of keys to values"
