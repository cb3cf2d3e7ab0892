"""Digests of the shipped records, cards and tables, compared whenever one is read.

    data/SHA256SUMS: "SHA-256  data/FOLDER/FILE" by line, as sha256sum writes it

A bit that flips in a record or a table would change a limit without a word; with the
digest the file is refused. `tools/write_digests.py` writes them after a change that is
meant, `sha256sum -c data/SHA256SUMS` checks them without bsmfit.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from bsmfit.core.regular_file import read_regular
from bsmfit.errors import DataFileError, OutputError

__all__ = ["DIGEST_FILE", "shipped_digests", "write_digests"]

DIGEST_FILE = "SHA256SUMS"
"""Name of the file, in the folder of the data."""

_SUFFIXES = (".bib", ".csv", ".npz", ".yaml")
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_MAX_BYTES = 1_000_000


def shipped_digests(data: Path) -> dict[str, str]:
    """Digests of all shipped files.

    Args:
        data: The folder of the data.

    Returns:
        SHA-256 by name, from ``data/`` or ``models/`` on.

    Raises:
        DataFileError: There are none, or a line is damaged.
    """
    content = read_regular(
        data / DIGEST_FILE, max_bytes=_MAX_BYTES, name=f"data/{DIGEST_FILE}"
    )
    return _parsed(content)


def write_digests(data: Path, models: Path) -> Path:
    """Write the digests of what is in both folders now.

    Args:
        data: The folder of the data.
        models: The folder of the model cards.

    Returns:
        The file.

    Raises:
        OutputError: It cannot be written.
    """
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
        f"{name}/{path.relative_to(root).as_posix()}\n"
        for name, root in (("data", data), ("models", models))
        for path in sorted(root.rglob("*"))
        if path.suffix in _SUFFIXES
    ]
    target = data / DIGEST_FILE
    part = target.with_suffix(".part")
    try:
        part.write_text("".join(lines), encoding="utf-8")
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"cannot write {target}: {error.strerror}"
        raise OutputError(msg) from error
    return target


@lru_cache(maxsize=4)
def _parsed(content: bytes) -> dict[str, str]:
    """The lines of a file of digests; callers do not change what they get."""
    found = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            msg = f"data/{DIGEST_FILE}, line {number} is damaged; install bsmfit again"
            raise DataFileError(msg)
        found[match[2]] = match[1]
    return found
