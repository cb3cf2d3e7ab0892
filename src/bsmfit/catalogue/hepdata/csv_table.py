"""Columns of a HEPData table in CSV, as hepdata.net writes it.

The file has one block, or one block for each dependent variable, with a blank line
between blocks:

    #: name: Figure 0
    #: SQRT(S) [GeV],,,900.0
    q [MeV],q [MeV] LOW,q [MeV] HIGH,N,stat +,stat -
    1.0,0.5,1.5,3.0,0.1,-0.1

Lines that start with ``#:`` are words about the table, or qualifiers of the columns
below: each value stands where its column does, and one that stands elsewhere is for all
columns but the first. Columns that a block repeats from the first one count once.
Semicolons or tabs may part the fields as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bsmfit.catalogue.arguments import shown
from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.hepdata.column import (
    HepDataColumn,
    HepDataError,
    HepDataQualifier,
)
from bsmfit.catalogue.hepdata.csv_text import CsvBlock, split_blocks
from bsmfit.catalogue.hepdata.headers import split_header, unique_label
from bsmfit.catalogue.hepdata.numbers import parse_bound, parse_error, parse_number
from bsmfit.errors import DataFileError

__all__ = ["read_csv_columns"]


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
    words, blocks = split_blocks(path)
    if not blocks:
        msg = (
            f"{display_path(path)} has comments only: no header row, no table; "
            "download it again"
        )
        raise DataFileError(msg)
    columns = first = _block_columns(path, blocks[0])
    n_independent = 1
    for block in blocks[1:]:
        later = _block_columns(path, block)
        if later[0].values.size != first[0].values.size:
            msg = (
                f"{display_path(path)}:{block.rows[0][0]}: the block has "
                f"{len(block.rows) - 1} rows, but the first block has "
                f"{first[0].values.size}; they are different tables: give each its "
                "own file"
            )
            raise DataFileError(msg)
        n_repeated = 0  # the last column of a block is its own
        for column, other in zip(later[:-1], first, strict=False):
            if not _is_repeated(column, other):
                break
            n_repeated += 1
        n_independent = max(n_independent, n_repeated)
        columns = [*columns, *later[n_repeated:]]
    return words, [
        dataclasses.replace(column, is_independent=index < n_independent)
        for index, column in enumerate(columns)
    ]


def _block_columns(path: Path, block: CsvBlock) -> list[HepDataColumn]:
    """The columns of one block."""
    line, names = block.rows[0]
    where = f"{display_path(path)}:{line}"
    if len(block.rows) == 1:
        msg = f"{where}: the table has a header but no rows; download it again"
        raise DataFileError(msg)
    for row, fields in block.rows[1:]:
        if len(fields) != len(names):
            msg = (
                f"{display_path(path)}:{row}: the row has {len(fields)} fields, but "
                f"the header in line {line} has {len(names)} "
                f"({shown(', '.join(names))}); quote a field that has a comma in it"
            )
            raise DataFileError(msg)
    places = list(_places(where, names))
    qualifiers = [_qualifiers(entry, places) for entry in block.qualifiers]
    return [
        dataclasses.replace(
            _column(path, block, place),
            qualifiers=tuple(q[index] for q in qualifiers if index in q),
        )
        for index, place in enumerate(places)
    ]


def _qualifiers(fields: list[str], places: list[_Place]) -> dict[int, HepDataQualifier]:
    """One line of qualifiers by index of the column."""
    name, unit = split_header(fields[0].removeprefix("qualifier "))
    given = {position: text for position, text in enumerate(fields[1:], 1) if text}
    index_at = {place.value: index for index, place in enumerate(places)}
    dependent = list(range(1, len(places)))
    if set(given) <= set(index_at):
        found = {index_at[position]: text for position, text in given.items()}
    elif len(given) == 1:
        found = dict.fromkeys(dependent, next(iter(given.values())))
    elif len(given) == len(dependent):
        found = dict(zip(dependent, given.values(), strict=True))
    else:  # nobody knows which column is meant
        found = {}
    return {index: HepDataQualifier(name, text, unit) for index, text in found.items()}


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
            msg = (
                f"{where}:{start + 1}: no column is there that {header!r} belongs to; "
                "it must stand behind its column"
            )
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


def _column(path: Path, block: CsvBlock, place: _Place) -> HepDataColumn:
    """One column, from its places in the rows."""
    names, rows = block.rows[0][1], block.rows[1:]

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

    pairs = [parse_bound(where(line, place.value), f[place.value]) for line, f in rows]
    values = np.array([value for _, value in pairs], dtype=np.float64)
    bounds = tuple(sign for sign, _ in pairs)
    low = high = None
    if place.low is not None:
        low, high = read(place.low), read(place.low + 1)
        if place.value == place.low:
            values = 0.5 * (low + high)
    errors: dict[str, HepDataError] = {}
    for position in place.errors:
        label = unique_label(names[position].removesuffix("+"), list(errors))
        errors[label] = HepDataError(read_shifts(position), read_shifts(position + 1))
    name, unit = split_header(place.header)
    signs = bounds if any(bounds) else ()
    return HepDataColumn(name, unit, values, low, high, errors, signs)


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
