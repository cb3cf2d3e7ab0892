"""How a table was made: the metadata of its file, read without its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.tables.archive import read_arrays
from bsmfit.core.argument import shown
from bsmfit.errors import DataFileError

__all__ = [
    "check_made_for",
    "check_search",
    "metadata_of",
    "numbers_of",
    "read_metadata",
]

_MAX_BYTES = 4_000_000


def read_metadata(path: Path) -> dict[str, Any]:
    """How a table was made.

    Args:
        path: The table file.

    Returns:
        The content of its metadata.

    Raises:
        DataFileError: The file is not a table file, or its metadata is damaged.

    Examples:
        >>> from bsmfit.catalogue.records import locate_channel
        >>> table = locate_channel("na62-dump-mumu").with_name("yields.npz")
        >>> read_metadata(table)["final_state"]
        'mumu'
    """
    return metadata_of(path, read_arrays(path, ("metadata",)))


def metadata_of(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The metadata among the arrays of a table.

    Args:
        path: The table file, for messages.
        arrays: Its arrays, ``metadata`` among them.

    Returns:
        The content of its metadata.

    Raises:
        DataFileError: It is no mapping.
    """
    text = arrays["metadata"]
    if text.dtype.kind != "U" or text.size != 1 or text.nbytes > _MAX_BYTES:
        msg = f"{display_path(path)}: its metadata is no text, or larger than any is"
        raise DataFileError(msg)
    try:
        metadata = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        msg = f"{display_path(path)}: its metadata is damaged ({error})"
        raise DataFileError(msg) from None
    if not isinstance(metadata, dict):
        msg = f"{display_path(path)}: its metadata is no mapping of keys to values"
        raise DataFileError(msg)
    return metadata


def check_search(
    table: Path, made: Mapping[str, Any], search: str, *, record_path: Path
) -> None:
    """Refuse a table of another search.

    Args:
        table: The table file.
        made: Its metadata.
        search: Id of the search.
        record_path: Its record.

    Raises:
        DataFileError: The table names another search, or none.
    """
    found = made.get("channel")
    if found != search:
        given = "missing" if found is None else shown(found)
        msg = (
            f"{display_path(table)}: metadata: channel is {given}, but must be "
            f"{shown(search)}, the id in {display_path(record_path)}; make the table "
            f"again with `bsmfit tables build --channel {record_path}`"
        )
        raise DataFileError(msg)


def check_made_for(
    table: Path, search: str, given: Mapping[str, object], *, record_path: Path
) -> None:
    """Refuse a table that was made for another search, selection or detector.

    Args:
        table: The table file.
        search: Id of the search, for messages.
        given: What it must have been made with, by key of its metadata.
        record_path: The record, for the advice.

    Raises:
        DataFileError: Something differs, or the file is damaged.
    """
    made = read_metadata(table)
    check_search(table, made, search, record_path=record_path)
    for key, value in given.items():
        if numbers_of(made.get(key)) != numbers_of(value):
            what = key.removesuffix("_sha256").replace("_", " ")
            msg = (
                f"{display_path(table)} was made with another {what} than {search} "
                f"has now; make it again with `bsmfit tables build --channel "
                f"{record_path}`"
            )
            raise DataFileError(msg)


def numbers_of(content: object) -> object:
    """Numbers and names of a part of a record, without their sources.

    Args:
        content: The part, as JSON has it.

    Returns:
        The same with each quantity as its value; a key that is absent and one without
        content are the same.
    """
    if isinstance(content, dict):
        if "value" in content:
            return content["value"]
        given = {key: value for key, value in content.items() if value is not None}
        return {key: numbers_of(value) for key, value in given.items()}
    return content
