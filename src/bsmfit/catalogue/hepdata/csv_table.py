"""Columns of a HEPData table in CSV, as hepdata.net writes it.

The file has one block, or one block for each dependent variable, with a blank line
between blocks:

    #: name: Figure 0
    #: SQRT(S) [GeV],,,900.0
    q [MeV],q [MeV] LOW,q [MeV] HIGH,N,stat +,stat -
    1.0,0.5,1.5,3.0,0.1,-0.1

Lines that start with ``#:`` are words about the table and qualifiers of the columns;
qualifiers are not read. Columns that a block repeats from the first one count once.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bsmfit.catalogue.files import display_path, read_text
from bsmfit.catalogue.hepdata.column import (
    HepDataColumn,
    HepDataError,
    parse_error,
    parse_number,
    split_header,
    unique_label,
)
from bsmfit.errors import DataFileError

__all__ = ["read_csv_columns"]

_Row = tuple[int, list[str]]


def read_csv_columns(path: Path) -> tuple[dict[str, str], list[HepDataColumn]]:
    """Read the columns of a HEPData table in CSV.

    Args:
        path: The file of one table.

    Returns:
        What the file says about the table (``name``, ``description``, ...), and its
        columns.

    Raises:
        DataFileError: The file cannot be read or is no HEPData table.
    """
    words, blocks = _split(path)
    if not blocks:
        msg = f"{display_path(path)} has comments only: no header row, no table"
        raise DataFileError(msg)
    columns = first = _block_columns(path, blocks[0])
    for block in blocks[1:]:
        later = _block_columns(path, block)
        if later[0].values.size != first[0].values.size:
            msg = (
                f"{display_path(path)}:{block[0][0]}: the block has {len(block) - 1} "
                f"rows, but the first block has {first[0].values.size}; they are "
                "different tables"
            )
            raise DataFileError(msg)
        n_repeated = 0  # the last column of a block is its own
        for column, other in zip(later[:-1], first, strict=False):
            if not _is_repeated(column, other):
                break
            n_repeated += 1
        columns = [*columns, *later[n_repeated:]]
    return words, columns


def _split(path: Path) -> tuple[dict[str, str], list[list[_Row]]]:
    """Words about the table, and the rows of every block with their line numbers."""
    words: dict[str, str] = {}
    blocks: list[list[_Row]] = [[]]
    for line, content in enumerate(read_text(path).splitlines(), start=1):
        if content.startswith("#"):
            key, colon, text = content.lstrip("#: ").partition(":")
            if colon:
                words.setdefault(key.strip(), text.strip())
        if content.startswith("#") or not content.strip(", \t"):
            blocks.append([])
            continue
        try:
            fields = next(csv.reader([content], strict=True))
        except csv.Error as error:
            msg = f"{display_path(path)}:{line}: not valid CSV: {error}"
            raise DataFileError(msg) from None
        blocks[-1].append((line, [field.strip() for field in fields]))
    return words, [block for block in blocks if block]


def _block_columns(path: Path, block: list[_Row]) -> list[HepDataColumn]:
    """The columns of one block."""
    line, names = block[0]
    where = f"{display_path(path)}:{line}"
    if len(block) == 1:
        msg = f"{where}: the table has a header but no rows"
        raise DataFileError(msg)
    for row, fields in block[1:]:
        if len(fields) != len(names):
            msg = (
                f"{display_path(path)}:{row}: the row has {len(fields)} fields, but "
                f"the header in line {line} has {len(names)} ({', '.join(names)})"
            )
            raise DataFileError(msg)
    return [_column(path, block, place) for place in _places(where, names)]


@dataclass(frozen=True)
class _Place:
    """Where one column is in the rows of a block.

    Attributes:
        header: Name and unit.
        value: Place of the value; of the lower edge where there is no value.
        low: Place of the lower edge, the upper one follows; None without bins.
        errors: Places of the upward shifts; each is followed by its downward one.
    """

    header: str
    value: int
    low: int | None
    errors: list[int]


def _places(where: str, names: list[str]) -> Iterator[_Place]:
    """Find the columns in the header row of a block."""
    start = 0
    while start < len(names):
        header, value = names[start].removesuffix(" LOW"), start
        low = start if header != names[start] else None
        if names[start + 1 : start + 2] == [f"{header} LOW"]:
            low = start + 1
        elif header.endswith((" HIGH", " +", " -")):
            msg = f"{where}:{start + 1}: no column is there that {header!r} belongs to"
            raise DataFileError(msg)
        if low is not None:
            _check_next(where, names, low, f"{header} HIGH")
        start = start + 1 if low is None else low + 2
        errors: list[int] = []
        while start < len(names) and names[start].endswith(" +"):
            _check_next(where, names, start, f"{names[start].removesuffix('+')}-")
            errors.append(start)
            start += 2
        yield _Place(header, value, low, errors)


def _check_next(where: str, names: list[str], position: int, expected: str) -> None:
    """Refuse a lower edge without an upper one, and a shift up without one down."""
    if names[position + 1 : position + 2] != [expected]:
        msg = (
            f"{where}:{position + 1}: behind {names[position]!r} there must be "
            f"{expected!r}"
        )
        raise DataFileError(msg)


def _column(path: Path, block: list[_Row], place: _Place) -> HepDataColumn:
    """One column, from its places in the rows."""
    names, rows = block[0][1], block[1:]

    def where(line: int, position: int) -> str:
        return f"{display_path(path)}:{line}:{position + 1}: {names[position]}"

    def read(position: int) -> np.ndarray:
        numbers = [parse_number(where(line, position), f[position]) for line, f in rows]
        return np.array(numbers, dtype=np.float64)

    def read_shifts(position: int) -> np.ndarray:
        numbers = [
            parse_error(where(line, position), fields[position], float(value))
            for (line, fields), value in zip(rows, values, strict=True)
        ]
        return np.array(numbers, dtype=np.float64)

    values = read(place.value)
    low = high = None
    if place.low is not None:
        low, high = read(place.low), read(place.low + 1)
        if place.value == place.low:
            values = 0.5 * (low + high)
    errors: dict[str, HepDataError] = {}
    for position in place.errors:
        label = unique_label(names[position].removesuffix("+"), list(errors))
        errors[label] = HepDataError(read_shifts(position), read_shifts(position + 1))
    return HepDataColumn(*split_header(place.header), values, low, high, errors)


def _is_repeated(column: HepDataColumn, other: HepDataColumn) -> bool:
    """Whether a column of a later block is that of the first one at its place."""
    if (column.name, column.unit) != (other.name, other.unit):
        return False
    for ours, theirs in (
        (column.values, other.values),
        (column.low, other.low),
        (column.high, other.high),
    ):
        if ours is None or theirs is None:
            if ours is not theirs:
                return False
        elif not np.array_equal(ours, theirs, equal_nan=True):
            return False
    return True
