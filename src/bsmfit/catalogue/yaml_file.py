"""Read a YAML file into a schema, or say exactly what is wrong with it.

    text --yaml_tree--> plain values + line of every key --pydantic--> schema

The values are plain text, numbers, lists and mappings. Numbers and truth values follow
YAML 1.2: ``1.4e17`` is a number and ``no`` is text. Duplicate keys, aliases and tags
are refused, and files that are larger than any record. Whatever goes wrong becomes one
`DataFileError` that names the file and, for each fault, the line, the path of the key,
the value given, what is allowed and the closest key.
"""

from __future__ import annotations

import copy
import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bsmfit.catalogue.files import display_path, read_text
from bsmfit.catalogue.schema_errors import MAX_FAULTS, KeyPath, describe_errors
from bsmfit.catalogue.yaml_tree import YamlRules, parse_yaml
from bsmfit.errors import DataFileError

__all__ = [
    "MAX_BYTES",
    "YamlDocument",
    "load_yaml",
    "read_yaml",
    "top_level_text",
    "validate_document",
]

MAX_BYTES = 5_000_000
"""Largest YAML file that is read; the largest shipped one has 12 kB."""

Schema = TypeVar("Schema", bound=BaseModel)


@dataclasses.dataclass(frozen=True)
class YamlDocument:
    """The plain content of a YAML file.

    Attributes:
        path: The file.
        content: Keys and values, untyped.
        lines: Line of every key and list entry, counted from 1, by key path.
    """

    path: Path
    content: dict[str, Any]
    lines: dict[KeyPath, int]


def read_yaml(path: Path, schema: type[Schema]) -> Schema:
    """Read and validate a YAML file.

    Args:
        path: The file.
        schema: What it has to be.

    Returns:
        The validated content.

    Raises:
        DataFileError: The file cannot be read, is no YAML or does not fit the schema.
    """
    content, lines = _parsed(path)
    return validate_document(YamlDocument(path, content, lines), schema)


def validate_document(document: YamlDocument, schema: type[Schema]) -> Schema:
    """Validate the content of a YAML file.

    Args:
        document: The file's content.
        schema: What it has to be.

    Returns:
        The validated content.

    Raises:
        DataFileError: It does not fit the schema; every fault is listed.
    """
    try:
        return schema.model_validate(document.content)
    except ValidationError as caught:
        error = caught
    faults = describe_errors(error, schema, document.content, document.lines)
    shown = display_path(document.path)
    if len(faults) == 1:
        msg = f"{shown}, {faults[0]}"
    else:
        n_more = error.error_count() - MAX_FAULTS
        n_faults = f"{MAX_FAULTS} and {n_more} more" if n_more > 0 else len(faults)
        msg = f"{shown} has {n_faults} faults:\n  " + "\n  ".join(faults)
    raise DataFileError(msg)


def load_yaml(path: Path) -> YamlDocument:
    """Read a YAML file as plain values, with the line of every key.

    Args:
        path: The file, of at most 5 MB.

    Returns:
        Its content; the top level is a mapping. It is the caller's own.

    Raises:
        DataFileError: The file cannot be read or is no acceptable YAML.
    """
    content, lines = _parsed(path)
    return YamlDocument(path=path, content=copy.deepcopy(content), lines=dict(lines))


def top_level_text(path: Path, key: str) -> str | None:
    """Read the text under one key of the top level, and validate nothing else.

    Args:
        path: The file, of at most 5 MB.
        key: The key.

    Returns:
        The text; None where the key is missing or holds something else.

    Raises:
        DataFileError: The file cannot be read or is no acceptable YAML.
    """
    value = _parsed(path)[0].get(key)
    return value if isinstance(value, str) else None


def _parsed(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Content and lines of a file, which nobody may change: they are kept."""
    text = read_text(path, max_bytes=MAX_BYTES)
    try:
        content, lines = _parse_once(text)
    except DataFileError as error:
        msg = f"{display_path(path)}, {error}"
        raise DataFileError(msg) from None
    if content is None:
        msg = f"{display_path(path)} is empty (it has comments only)"
        raise DataFileError(msg)
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else f"the value {content!r:.60}"
        msg = f"{display_path(path)} must be a mapping of keys to values, but is {kind}"
        raise DataFileError(msg)
    return content, lines


@lru_cache(maxsize=64)
def _parse_once(text: str) -> tuple[Any, dict[KeyPath, int]]:
    """Parse a text once per process.

    The text itself is the key, not path and date: reading 10 kB takes 30 us and parsing
    it 3 ms, and two files written within the clock's tick differ in nothing else.
    """
    return parse_yaml(text, YamlRules())
