"""Read a table of HEPData that a user has downloaded, from its YAML or CSV file.

    table = read_hepdata_table("Figure_2-a.yaml")
    table.column("Obs. BR UL").values

Numbers stay in the units of the file. `bsmfit.catalogue.hepdata.limit` and
`bsmfit.catalogue.hepdata.spectrum` know what two kinds of table mean and convert them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.hepdata.column import HepDataColumn, HepDataError
from bsmfit.catalogue.hepdata.csv_table import read_csv_columns
from bsmfit.catalogue.hepdata.yaml_table import read_yaml_columns
from bsmfit.errors import DataFileError, UnknownNameError, closest_name

__all__ = [
    "HepDataColumn",
    "HepDataError",
    "HepDataTable",
    "check_rows",
    "find_column",
    "plain_name",
    "read_hepdata_table",
]

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
    """

    name: str
    description: str
    columns: tuple[HepDataColumn, ...]

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
            msg = f"{self.name} has {len(found)} columns that are called {name!r}"
            raise DataFileError(msg)
        return found[0]


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
    path = Path(path)
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
    )


def plain_name(name: str) -> str:
    r"""Reduce a name to its letters and digits, for comparison.

    Args:
        name: Name, perhaps with TeX.

    Returns:
        Lower-case letters and digits.

    Examples:
        >>> plain_name(r"$m_{\mathrm{miss}}^{2}$")
        'mmiss2'
    """
    name = name.translate(str.maketrans("²⁴⁻", "24-"))
    name = re.sub(r"\\(?:mathrm|mathit|text|rm|it|left|right)\b", "", name)
    return re.sub(r"[^a-z0-9]", "", name.lower())


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
    plain = {plain_name(name) for name in names}
    found = [column for column in columns if plain_name(column.name) in plain]
    if len(found) == 1:
        return found[0]
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
    given = f"{column.values[row]:g}"
    if column.low is not None and column.high is not None:
        given = f"the bin {column.low[row]:g} to {column.high[row]:g}"
    msg = f"{where}: {column.name!r} is {given} in row {row + 1} but must be {allowed}"
    raise DataFileError(msg)
