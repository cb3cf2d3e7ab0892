"""Fields of a CSV file of blocks, parted by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from bsmfit.catalogue.files import display_path, read_text
from bsmfit.errors import DataFileError

__all__ = ["CsvBlock", "split_blocks"]

_MAX_BYTES = 4_000_000
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class CsvBlock:
    """A header row with its rows.

    Attributes:
        rows: Line number and fields of the header and of every row.
        qualifiers: Fields of the lines of qualifiers above the header.
    """

    rows: list[tuple[int, list[str]]]
    qualifiers: list[list[str]]


def split_blocks(path: Path) -> tuple[dict[str, str], list[CsvBlock]]:
    """Part a file into words about the table and blocks.

    Args:
        path: The file.

    Returns:
        The words by key, and the blocks in order.

    Raises:
        DataFileError: The file cannot be read or is no CSV.
    """
    lines = read_text(path, max_bytes=_MAX_BYTES).splitlines()
    separator = _separator(lines)
    words: dict[str, str] = {}
    blocks = [CsvBlock([], [])]
    for line, content in enumerate(lines, start=1):
        is_comment = content.startswith("#")
        if (is_comment or not content.strip(", ;\t")) and blocks[-1].rows:
            blocks.append(CsvBlock([], []))
        if is_comment:
            text = content.lstrip("#: ")
            key, colon, value = text.partition(":")
            if colon and separator not in key:
                words.setdefault(key.strip(), value.strip())
            elif separator in text and content.startswith("#:"):
                fields = next(csv.reader([text], delimiter=separator))
                blocks[-1].qualifiers.append([field.strip() for field in fields])
        elif content.strip(", ;\t"):
            blocks[-1].rows.append((line, _fields(path, line, content, separator)))
    return words, [_trimmed(block) for block in blocks if block.rows]


def _separator(lines: list[str]) -> str:
    """What parts the fields: what splits the first row as it splits the next one."""
    table = [line for line in lines if not line.startswith("#") and line.strip()]
    n_fields = {}
    for separator in _SEPARATORS:
        try:
            rows = list(csv.reader(table[:2], delimiter=separator, strict=True))
        except csv.Error:
            continue
        counts = {len(row) for row in rows}
        n_fields[separator] = counts.pop() if len(counts) == 1 else 0
    best = max(n_fields, key=lambda separator: n_fields[separator], default=",")
    if n_fields.get(best, 0) > 1:
        return best
    # no row fits: the one that the header has most of, so that the message is right
    header = table[0] if table else ""
    return max(_SEPARATORS, key=header.count)


def _fields(path: Path, line: int, content: str, separator: str) -> list[str]:
    try:
        fields = next(csv.reader([content], delimiter=separator, strict=True), [])
    except csv.Error as error:
        msg = (
            f"{display_path(path)}:{line}: not valid CSV: {error}; close every "
            "quotation mark in its line"
        )
        raise DataFileError(msg) from None
    return [field.strip() for field in fields]


def _trimmed(block: CsvBlock) -> CsvBlock:
    """A block without the empty columns that a spreadsheet leaves at the end."""
    n_used = max(
        (position for _, row in block.rows for position, f in enumerate(row, 1) if f),
        default=0,
    )
    header = block.rows[0][1]
    if n_used < len(header) and all(len(r) == len(header) for _, r in block.rows):
        rows = [(line, row[:n_used]) for line, row in block.rows]
        return dataclasses.replace(block, rows=rows)
    return block
