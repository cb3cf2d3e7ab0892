"""Columns of a HEPData table in YAML, the format of HEPData submissions (schema 1.1.1).

    independent_variables, dependent_variables: [
      {header: {name, units}, qualifiers: [{name, value, units}], values: [
        {value | low, high | value, low, high, errors: [
          {label, symerror | asymerror: {plus, minus}}]}]}]

Qualifiers are not read. Scalars stay text: YAML 1.1 would take ``1e-11`` for text,
``010`` for eight and ``no`` for false. Aliases are followed, and what they repeat
counts, so that a file cannot multiply itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from bsmfit.catalogue.yaml_tree import YamlRules, parse_yaml
from bsmfit.errors import DataFileError, closest_name

__all__ = ["read_yaml_columns"]

_MAX_BYTES = 50_000_000
_RULES = YamlRules(max_values=2_000_000, has_aliases=True, is_typed=False)
_BLOCKS = ("independent_variables", "dependent_variables")
_EDGES = ("low", "high")
_KNOWN = (
    *_BLOCKS,
    *_EDGES,
    *("header", "qualifiers", "values", "name", "units", "description", "value"),
    *("errors", "label", "symerror", "asymerror", "plus", "minus"),
)


def read_yaml_columns(path: Path) -> tuple[dict[str, str], list[HepDataColumn]]:
    """Read the columns of a HEPData table in YAML.

    Args:
        path: The file of one table.

    Returns:
        What the file says about the table (``name``, ``description``; often nothing),
        and its columns, independent variables first.

    Raises:
        DataFileError: The file cannot be read or is no HEPData table.
    """
    shown = display_path(path)
    content = _mapping(shown, _load(path), "the top level")
    if "data_file" in content:
        msg = (
            f"{shown} is a submission.yaml, which lists tables; give the file of one "
            f"table, for example {content['data_file']}"
        )
        raise DataFileError(msg)
    columns: list[HepDataColumn] = []
    for block in _BLOCKS:
        for position, variable in enumerate(_list(shown, content, block)):
            column = _column(f"{shown}, {block}[{position}]", variable)
            if columns and column.values.size != columns[0].values.size:
                msg = (
                    f"{shown}, {block}[{position}] {column.name!r} has "
                    f"{column.values.size} values, but {columns[0].name!r} has "
                    f"{columns[0].values.size}"
                )
                raise DataFileError(msg)
            columns.append(column)
    words = {key: content[key] for key in ("name", "description") if key in content}
    return {key: text for key, text in words.items() if isinstance(text, str)}, columns


def _load(path: Path) -> Any:
    """Text, lists and mappings of a file of one YAML document."""
    text = read_text(path, max_bytes=_MAX_BYTES)
    try:
        return parse_yaml(text, _RULES)[0]
    except DataFileError as error:
        msg = f"{display_path(path)}, {error}"
        raise DataFileError(msg) from None


def _column(where: str, variable: Any) -> HepDataColumn:
    """One variable of the table."""
    header = _mapping(where, _entry(where, _mapping(where, variable), "header"))
    name, unit = split_header(_text(_entry(where, header, "name")))
    unit = _text(header.get("units", "")) or unit
    where = f"{where} {name!r}"
    rows = [
        _mapping(f"{where}, values[{index}]", row)
        for index, row in enumerate(_list(where, variable, "values"))
    ]
    has_bins = any("low" in row or "high" in row for row in rows)
    keys = ("low", "high") if has_bins else ("value",)
    for index, row in enumerate(rows):
        for key in keys:
            _entry(f"{where}, values[{index}]", row, key)
    low, high = (_numbers(where, rows, key) if has_bins else None for key in _EDGES)
    values = np.full(len(rows), np.nan)
    if low is not None and high is not None:
        values = 0.5 * (low + high)
    given = np.array(["value" in row for row in rows])
    values = np.where(given, _numbers(where, rows, "value"), values)
    return HepDataColumn(name, unit, values, low, high, _errors(where, rows, values))


def _numbers(where: str, rows: list[dict[str, Any]], key: str) -> np.ndarray:
    """The numbers under one key of the rows; nan where a row lacks the key."""
    return np.array(
        [
            parse_number(f"{where}, values[{index}].{key}", row.get(key, ""))
            for index, row in enumerate(rows)
        ],
        dtype=np.float64,
    )


def _errors(
    where: str, rows: list[dict[str, Any]], values: np.ndarray
) -> dict[str, HepDataError]:
    """Uncertainties by label; a row that lacks a label has no shift from it."""
    shifts: dict[str, np.ndarray] = {}
    for index, row in enumerate(rows):
        labels: list[str] = []
        given = row.get("errors") or []  # an empty entry is empty text here
        if not isinstance(given, list):
            msg = f"{where}, values[{index}].errors must be a list"
            raise DataFileError(msg)
        for position, entry in enumerate(given):
            inside = f"{where}, values[{index}].errors[{position}]"
            error = _mapping(inside, entry)
            label = unique_label(_text(error.get("label", "")), labels)
            labels.append(label)
            both = shifts.setdefault(label, np.zeros((2, len(rows))))
            both[:, index] = _shifts(inside, error, float(values[index]))
    return {label: HepDataError(both[0], both[1]) for label, both in shifts.items()}


def _shifts(where: str, error: dict[str, Any], value: float) -> tuple[float, float]:
    """Shift up and down of one entry under ``errors``."""
    if "symerror" in error:
        size = parse_error(f"{where}.symerror", error["symerror"], value)
        return size, -size
    both = _entry(where, error, "asymerror", other="symerror")
    both = _mapping(f"{where}.asymerror", both)
    plus, minus = (
        parse_error(
            f"{where}.asymerror.{key}", _entry(f"{where}.asymerror", both, key), value
        )
        for key in ("plus", "minus")
    )
    return plus, minus


def _mapping(where: str, given: Any, what: str = "it") -> dict[str, Any]:
    if not isinstance(given, dict):
        kind = "a list" if isinstance(given, list) else f"the value {given!r}"
        msg = f"{where}: {what} must be a mapping of keys to values, but is {kind}"
        raise DataFileError(msg)
    return given


def _entry(where: str, given: dict[str, Any], key: str, other: str = "") -> Any:
    """What is under a key that must be there."""
    if key not in given:
        allowed = f"{key!r} or {other!r}" if other else f"{key!r}"
        guess = closest_name(key, [n for n in map(str, given) if n not in _KNOWN])
        hint = f"; is it the key {guess!r}, misspelt?" if guess else ""
        found = ", ".join(map(str, given)) or "nothing"
        msg = f"{where}: the key {allowed} is missing{hint} (found: {found})"
        raise DataFileError(msg)
    return given[key]


def _list(where: str, given: dict[str, Any], key: str) -> list[Any]:
    """The list under a key, with at least one entry."""
    entries = _entry(where, given, key)
    if not isinstance(entries, list) or not entries:
        msg = f"{where}: {key} must be a list of at least one entry"
        raise DataFileError(msg)
    return entries


def _text(given: Any) -> str:
    """Text of a scalar; empty for nothing."""
    return (
        given.strip() if isinstance(given, str) and given not in ("null", "~") else ""
    )
