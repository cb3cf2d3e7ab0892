"""Files of other people, opened so that reading them ends.

A pipe that nobody writes to and a device that never ends are refused before a byte of
them is read, and files are read up to a size that the caller knows.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from bsmfit.errors import DataFileError

__all__ = ["open_regular", "read_regular"]


def read_regular(path: Path, *, max_bytes: int, name: str | None = None) -> bytes:
    """Read a regular file of a size that can be.

    Args:
        path: The file.
        max_bytes: Its largest size.
        name: How messages call it; as it was given where None.

    Returns:
        Its content.

    Raises:
        DataFileError: It is missing, no regular file, unreadable or too large.
    """
    shown = name or path.as_posix()
    with open_regular(path, name=shown) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        msg = (
            f"{shown} has more than {max_bytes / 1e6:g} MB, the most that is read "
            "here: give the right file, or one without what is not needed"
        )
        raise DataFileError(msg)
    return content


@contextmanager
def open_regular(path: Path, *, name: str | None = None) -> Iterator[BufferedReader]:
    """Open a regular file; a pipe, which might never end, and a device are refused.

    Args:
        path: The file.
        name: How messages call it; as it was given where None.

    Yields:
        Its bytes.

    Raises:
        DataFileError: It is missing, no regular file or unreadable.
    """
    shown = name or path.as_posix()
    try:
        # non-blocking: opening a pipe that nobody writes to would wait for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                msg = f"{shown} is a directory; give a file in it"
                raise DataFileError(msg)
            if not stat.S_ISREG(mode):
                msg = (
                    f"{shown} is no regular file but a pipe or a device; save what "
                    "comes from it and give that file"
                )
                raise DataFileError(msg)
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                yield stream
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        msg = f"{shown} does not exist{_siblings(path)}"
        raise DataFileError(msg) from None
    except OSError as error:
        msg = f"{shown} cannot be read: {error.strerror or error}"
        raise DataFileError(msg) from error


def _siblings(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f", nor does its folder {folder.as_posix()}"
    names = sorted(p.name for p in folder.iterdir() if p.suffix == path.suffix)
    listing = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"; its folder has {listing}" if names else ""
