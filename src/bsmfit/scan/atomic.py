"""Files that are written whole or not at all.

A result is written under a temporary name in its own folder, synced and renamed; a
rename within one folder replaces the old file in one step. So a reader never meets half
a file, and a full disk, a missing permission or a killed process leaves the old file.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bsmfit.errors import OutputError

__all__ = ["atomic_file", "make_folder", "remove_leftovers"]

_LEFTOVER = re.compile(r"\.part-[0-9a-f]{32}(-.+)?")


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Give a temporary path that becomes `path` when the block ends well.

    Args:
        path: The file to write; its folder must exist.

    Yields:
        The path to write to, in the same folder and with the same ending.

    Raises:
        OutputError: The file could not be written; nothing is left of it.

    Examples:
        >>> folder = getfixture("tmp_path")
        >>> with atomic_file(folder / "result.txt") as temporary:
        ...     _ = temporary.write_text("42")
        >>> (folder / "result.txt").read_text()
        '42'
    """
    path = Path(path)
    # a name of its own: another process may be writing the same file
    temporary = path.with_name(f".part-{uuid.uuid4().hex}-{path.name}")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise OutputError(_message(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder, or check that an existing one takes a file.

    Args:
        path: The folder of the results.

    Raises:
        OutputError: It is a file, or it cannot be made or written to.
    """
    if path.exists() and not path.is_dir():
        msg = f"cannot write into {path}: it is a file, not a folder"
        raise OutputError(msg)
    probe = path / f".part-{uuid.uuid4().hex}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"bsmfit")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(_message(path, error)) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written, and nothing else.

    Args:
        folder: A folder that nobody else writes into now; it need not exist.

    Raises:
        OutputError: A file cannot be removed.
    """
    try:
        for path in list(folder.iterdir()) if folder.is_dir() else ():
            if _LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(_message(folder, error)) from error


def _sync(path: Path) -> None:
    """Force what was written to a file or folder down to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _message(path: Path, error: OSError) -> str:
    """Say what could not be written, why, and what to do."""
    reason = error.strerror or str(error)
    return (
        f"cannot write {path}: {reason}; nothing half-written is left there. "
        "Make room or choose another folder, then run the same command again"
    )
