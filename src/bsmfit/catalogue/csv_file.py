"""Read a commented CSV table into numpy arrays, or say exactly what is wrong with it.

The format: lines that start with ``#`` say where the numbers come from, then one header
row, then one row per point. The caller names the columns it expects and what they may
hold; a fault is reported as ``file:line:field``.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bsmfit.catalogue.files import display_path, read_text
from bsmfit.core.written_number import written_float
from bsmfit.errors import DataFileError, closest_name

__all__ = ["CsvTable", "read_csv"]


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """The content of a commented CSV file.

    Attributes:
        path: The file.
        comments: The ``#`` lines without the sign.
        columns: float64 arrays of the number columns, text arrays of the others.
    """

    path: Path
    comments: tuple[str, ...]
    columns: dict[str, np.ndarray]


def read_csv(
    path: Path,
    *,
    numbers: Sequence[str],
    text: Sequence[str] = (),
    minimum: Mapping[str, float] | None = None,
    nan_allowed: Sequence[str] = (),
) -> CsvTable:
    """Read a commented CSV file.

    Args:
        path: The file.
        numbers: Names of the columns of numbers.
        text: Names of the columns of text.
        minimum: Smallest allowed value, by column.
        nan_allowed: Number columns in which ``nan`` may stand; infinities never may.

    Returns:
        The table; every named column is there, and no other.

    Raises:
        DataFileError: The file cannot be read or does not fit what was asked.
    """
    comments, rows = _split(path)
    shown = display_path(path)
    line, names = rows[0]
    _check_header(path, line, names, [*numbers, *text])
    if len(rows) == 1:
        msg = f"{shown}:{line}: the table has a header but no rows"
        raise DataFileError(msg)
    values: dict[str, list] = {name: [] for name in names}
    for line, fields in rows[1:]:
        if len(fields) != len(names):
            msg = (
                f"{shown}:{line}:{min(len(fields), len(names)) + 1}: the "
                f"row has {len(fields)} fields, but the header has {len(names)} "
                f"({', '.join(names)})"
            )
            raise DataFileError(msg)
        for position, (name, field) in enumerate(zip(names, fields, strict=True)):
            where = f"{shown}:{line}:{position + 1}: {name}"
            if name in text:
                values[name].append(_check_text(where, field))
                continue
            lowest = (minimum or {}).get(name)
            is_nan_allowed = name in nan_allowed
            values[name].append(_parse_number(where, field, lowest, is_nan_allowed))
    columns = {
        name: np.asarray(column, dtype=np.str_ if name in text else np.float64)
        for name, column in values.items()
    }
    return CsvTable(path=path, comments=comments, columns=columns)


def _split(path: Path) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    comments: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    for line, content in enumerate(read_text(path).splitlines(), start=1):
        if content.startswith("#"):
            comments.append(content[1:].strip())
        elif content.strip():
            try:
                fields = next(csv.reader([content], strict=True))
            except csv.Error as error:
                msg = f"{display_path(path)}:{line}: not valid CSV: {error}"
                raise DataFileError(msg) from None
            rows.append((line, [field.strip() for field in fields]))
    if not rows:
        msg = f"{display_path(path)} has comments only: no header row, no table"
        raise DataFileError(msg)
    return tuple(comments), rows


def _check_header(
    path: Path, line: int, names: Sequence[str], expected: Sequence[str]
) -> None:
    where = f"{display_path(path)}:{line}"
    listing = ", ".join(expected)
    for position, name in enumerate(names, start=1):
        if name in names[: position - 1]:
            msg = f"{where}:{position}: the column {name!r} is given twice"
            raise DataFileError(msg)
        if name not in expected:
            guess = closest_name(name, [n for n in expected if n not in names])
            hint = f"; did you mean {guess!r}?" if guess else ""
            msg = f"{where}:{position}: unknown column {name!r}{hint} ({listing})"
            raise DataFileError(msg)
    for name in expected:
        if name not in names:
            found = ", ".join(names)
            msg = f"{where}: the column {name!r} is missing (found: {found})"
            raise DataFileError(msg)


def _check_text(where: str, field: str) -> str:
    if not field:
        msg = f"{where} is empty but must be text"
        raise DataFileError(msg)
    return field


def _parse_number(
    where: str, field: str, lowest: float | None, is_nan_allowed: bool
) -> float:
    allowed = "a number or nan" if is_nan_allowed else "a finite number"
    try:
        value = written_float(field)
    except ValueError:
        given = repr(field) if field else "empty"
        msg = f"{where} is {given} but must be {allowed}"
        raise DataFileError(msg) from None
    if math.isinf(value) or (math.isnan(value) and not is_nan_allowed):
        msg = f"{where} is {field} but must be {allowed}"
        raise DataFileError(msg)
    if lowest is not None and value < lowest:
        msg = f"{where} is {field} but must be >= {lowest:g}"
        raise DataFileError(msg)
    return value
