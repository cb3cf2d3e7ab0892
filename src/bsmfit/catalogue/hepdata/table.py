"""Read a table of HEPData that a user has downloaded, from its YAML or CSV file.

    table = read_hepdata_table("Figure_2-a.yaml")
    table.column("Obs. BR UL").values

Numbers stay in the units of the file. `bsmfit.catalogue.hepdata.limit` and
`bsmfit.catalogue.hepdata.spectrum` know what two kinds of table mean and convert them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bsmfit.catalogue.arguments import as_path, shown
from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.hepdata.column import (
    HepDataColumn,
    HepDataError,
    HepDataQualifier,
    describe_qualifiers,
    keep_rows,
)
from bsmfit.catalogue.hepdata.csv_table import read_csv_columns
from bsmfit.catalogue.hepdata.headers import plain_name
from bsmfit.catalogue.hepdata.yaml_table import read_yaml_columns
from bsmfit.errors import DataFileError, InputError, UnknownNameError, closest_name

__all__ = [
    "HepDataColumn",
    "HepDataError",
    "HepDataQualifier",
    "HepDataTable",
    "Selection",
    "check_rows",
    "find_column",
    "plain_name",
    "read_hepdata_table",
]

Selection = Mapping[str, float | int | str]
"""Values of qualifiers or of further variables, by name."""

_READERS = {
    ".yaml": read_yaml_columns,
    ".yml": read_yaml_columns,
    ".csv": read_csv_columns,
}


@dataclass(frozen=True)
class HepDataTable:
    """A table of HEPData.

    Attributes:
        name: Name of the table; that of the file where the file does not say.
        description: What the file says the table is, or nothing.
        columns: Its variables, the independent ones first.
        origin: The file, for messages.
    """

    name: str
    description: str
    columns: tuple[HepDataColumn, ...]
    origin: str = ""

    def column(self, name: str) -> HepDataColumn:
        """Return the one column of a name.

        Args:
            name: Its name without the unit; case, blanks, TeX and punctuation do not
                count.

        Returns:
            The column.

        Raises:
            UnknownNameError: No column has that name.
            DataFileError: Several columns have it.
        """
        found = [c for c in self.columns if plain_name(c.name) == plain_name(name)]
        if not found:
            kind = f"column of {self.name}"
            names = [column.name for column in self.columns]
            raise UnknownNameError.from_choices(kind, name, names)
        if len(found) > 1:
            raise describe_qualifiers(self.name, found)
        return found[0]

    def select(self, selection: Selection) -> HepDataTable:
        """Choose among columns by qualifiers, and among rows by a further variable.

        Where a column has the name, the rows stay in which it has the value, and the
        column goes. Otherwise the columns stay that have no qualifier of that name, or
        have it with that value.

        Args:
            selection: Values by name; numbers in the unit of the file. Of names only
                letters and digits count.

        Returns:
            The table of what was chosen.

        Raises:
            InputError: It is no mapping of names to numbers or text.
            UnknownNameError: There is neither a column nor a qualifier of a name.
            DataFileError: Nothing has a value that is asked for.
        """
        if not isinstance(selection, Mapping):
            msg = f"select is {shown(selection)}; give names and values: {{'CL': 90}}"
            raise InputError(msg)
        table = self
        for name, value in selection.items():
            is_value = isinstance(value, str | int | float)
            if not (isinstance(name, str) and is_value) or isinstance(value, bool):
                msg = (
                    f"select has {shown(name)}: {shown(value)}; give a name and a "
                    "number or text: {'lifetime': 1.0}"
                )
                raise InputError(msg)
            table = _selected(table, name, value)
        return table


def read_hepdata_table(path: str | Path) -> HepDataTable:
    """Read a table of HEPData.

    Args:
        path: A file in the YAML format of a HEPData submission (``.yaml``, ``.yml``) or
            in the CSV format of hepdata.net (``.csv``).

    Returns:
        The table, in the units of the file.

    Raises:
        DataFileError: The file cannot be read or is no such table.

    References:
        HEPData submission schema 1.1.1, hepdata-submission.readthedocs.io.
    """
    path = as_path(path, what="a HEPData table")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        msg = (
            f"{display_path(path)}: a HEPData table must be a file "
            f"{', '.join(_READERS)}; on hepdata.net choose YAML or CSV below 'Download'"
        )
        raise DataFileError(msg)
    words, columns = reader(path)
    return HepDataTable(
        name=words.get("name", "") or path.stem,
        description=words.get("description", ""),
        columns=tuple(columns),
        origin=display_path(path),
    )


def _selected(table: HepDataTable, name: str, value: float | int | str) -> HepDataTable:
    """One choice of `HepDataTable.select`."""
    plain = plain_name(name)
    found = [column for column in table.columns if plain_name(column.name) == plain]
    if len(found) > 1:
        raise describe_qualifiers(table.origin, found)
    if found:
        return _selected_rows(table, found[0], value)
    matches = {
        id(column): [q for q in column.qualifiers if plain_name(q.name) == plain]
        for column in table.columns
    }
    known = {q.value: q for qualifiers in matches.values() for q in qualifiers}
    if not known:
        kind = f"qualifier or column of {table.origin}"
        names = {column.name for column in table.columns}
        names |= {q.name for column in table.columns for q in column.qualifiers}
        raise UnknownNameError.from_choices(kind, name, names)
    if not any(qualifier.has(value) for qualifier in known.values()):
        msg = (
            f"{table.origin}: no column has {name} = {shown(value)}; choose one of "
            f"{', '.join(known)}"
        )
        raise DataFileError(msg)
    columns = tuple(
        column
        for column in table.columns
        if not matches[id(column)] or any(q.has(value) for q in matches[id(column)])
    )
    return dataclasses.replace(table, columns=columns)


def _selected_rows(
    table: HepDataTable, chosen: HepDataColumn, value: float | int | str
) -> HepDataTable:
    """The rows in which a column has a value."""
    try:
        number = float(value)
    except ValueError:
        msg = f"select has {chosen.name!r}: {shown(value)}; the column holds numbers"
        raise InputError(msg) from None
    is_kept = np.isclose(chosen.values, number, rtol=1e-9, atol=0.0)
    if not np.any(is_kept):
        there = ", ".join(f"{one:g}" for one in np.unique(chosen.values)[:20])
        where = f"{table.origin}: {chosen.name!r}"
        msg = f"{where} is never {number:g}; choose one of {there}"
        raise DataFileError(msg)
    columns = (column for column in table.columns if column is not chosen)
    return dataclasses.replace(
        table, columns=tuple(keep_rows(column, is_kept) for column in columns)
    )


def find_column(
    where: str,
    columns: Sequence[HepDataColumn],
    *,
    names: Sequence[str],
    argument: str,
) -> HepDataColumn:
    """Return the one column that has one of several names.

    Args:
        where: The table, for the message.
        columns: The columns to choose from.
        names: Accepted names, compared by `plain_name`.
        argument: How the caller can give another name, for the message.

    Returns:
        The column.

    Raises:
        DataFileError: No column has one of the names, or several have.
    """
    if not all(isinstance(name, str) for name in names):
        msg = f"{argument}{shown(names[0])}; give the name of a column"
        raise InputError(msg)
    plain = {plain_name(name) for name in names}
    found = [column for column in columns if plain_name(column.name) in plain]
    if len(found) == 1:
        return found[0]
    if found and len({plain_name(column.name) for column in found}) == 1:
        raise describe_qualifiers(where, found)
    if found:
        listing = ", ".join(repr(column.name) for column in found)
        msg = f"{where}: several columns fit, {listing}; give one of them as {argument}"
        raise DataFileError(msg)
    there = [column.name for column in columns]
    guesses = (closest_name(name, there) for name in names)
    guess = next((name for name in guesses if name), None)
    hint = f"; {guess!r} may be meant" if guess else ""
    msg = (
        f"{where}: no column is called {' or '.join(names)} (found: "
        f"{', '.join(there) or 'none'}){hint}; another name can be given as {argument}"
    )
    raise DataFileError(msg)


def check_rows(
    where: str,
    column: HepDataColumn,
    is_good: Bool[np.ndarray, " n_row"],
    *,
    allowed: str,
) -> None:
    """Refuse a column with a bad value.

    Args:
        where: The table, for the message.
        column: The column.
        is_good: Whether each of its values is.
        allowed: What they must be, for the message.

    Raises:
        DataFileError: One is not; the message names the first one.
    """
    if np.all(is_good):
        return
    row = int(np.argmin(is_good))
    sign = f"{column.bounds[row]} " if column.bounds and column.bounds[row] else ""
    value = column.values[row]
    given = "no value" if np.isnan(value) else f"{sign}{value:g}"
    if column.low is not None and column.high is not None:
        given = f"the bin {column.low[row]:g} to {column.high[row]:g}"
    msg = f"{where}: {column.name!r} is {given} in row {row + 1} but must be {allowed}"
    raise DataFileError(msg)
