"""Columns of a HEPData table, as both of its formats have them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from bsmfit.catalogue.hepdata.headers import plain_name
from bsmfit.errors import DataFileError

__all__ = [
    "HepDataColumn",
    "HepDataError",
    "HepDataQualifier",
    "describe_qualifiers",
    "keep_rows",
]


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
class HepDataQualifier:
    """What holds for a whole column, for example the lifetime of its limits.

    Attributes:
        name: Name without the unit.
        value: Value as the file has it.
        unit: Unit; empty where the file states none.
    """

    name: str
    value: str
    unit: str = ""

    def has(self, value: object) -> bool:
        """Whether the qualifier has a value.

        Args:
            value: A number, or text with or without the unit.

        Returns:
            Whether both are the same number, or else the same letters and digits.

        Examples:
            >>> HepDataQualifier("lifetime", "1.0", "ns").has(1)
            True
        """
        given = str(value)
        first, second = _number(self.value), _number(given)
        if first is not None and second is not None:
            return math.isclose(first, second, rel_tol=1e-9)
        names = (self.value, f"{self.value} {self.unit}")
        return plain_name(given) in [plain_name(name) for name in names]


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
        bounds: ``"<"`` or ``">"`` where the file has a bound instead of a value, else
            nothing; empty where no row has one.
        qualifiers: What holds for the whole column.
        is_independent: Whether the file has it as an independent variable. A file in
            CSV does not say so: there it is the first column of each block, and those
            that its blocks repeat.
    """

    name: str
    unit: str
    values: Float64[np.ndarray, " n_row"]
    low: Float64[np.ndarray, " n_row"] | None
    high: Float64[np.ndarray, " n_row"] | None
    errors: Mapping[str, HepDataError]
    bounds: tuple[str, ...] = ()
    qualifiers: tuple[HepDataQualifier, ...] = ()
    is_independent: bool = False


def keep_rows(
    column: HepDataColumn, is_kept: Bool[np.ndarray, " n_row"]
) -> HepDataColumn:
    """Return some rows of a column.

    Args:
        column: The column.
        is_kept: Which rows.

    Returns:
        The column of these rows, in the same order.
    """
    return dataclasses.replace(
        column,
        values=column.values[is_kept],
        low=None if column.low is None else column.low[is_kept],
        high=None if column.high is None else column.high[is_kept],
        errors={
            label: HepDataError(error.plus[is_kept], error.minus[is_kept])
            for label, error in column.errors.items()
        },
        bounds=tuple(np.array(column.bounds)[is_kept]) if column.bounds else (),
    )


def describe_qualifiers(where: str, columns: Sequence[HepDataColumn]) -> DataFileError:
    """Say how columns of one name differ, and how to choose one.

    Args:
        where: The table, for the message.
        columns: The columns, two or more.

    Returns:
        The error, to be raised by the caller.
    """
    given = [{q.name: q for q in column.qualifiers} for column in columns]
    count = f"{where} has {len(columns)} columns that are called {columns[0].name!r}"
    for name in dict.fromkeys(name for entry in given for name in entry):
        found = [entry.get(name) for entry in given]
        values = dict.fromkeys(q.value for q in found if q is not None)
        if len(values) > 1:
            unit = next((f" [{q.unit}]" for q in found if q and q.unit), "")
            return DataFileError(
                f"{count}, which differ in {name}{unit}: {', '.join(values)}; choose "
                f"one of them, for example select={{{name!r}: {next(iter(values))!r}}}"
            )
    return DataFileError(f"{count}; rename one of them in the file")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
