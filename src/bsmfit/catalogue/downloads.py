"""Text of a file that somebody else made, within limits.

A workspace or a table from the web is read whole, so that its size is checked first.
Devices and named pipes are refused: reading them may never end.
"""

from __future__ import annotations

import stat
from pathlib import Path

from bsmfit.catalogue.files import display_path, read_text
from bsmfit.errors import DataFileError, InputError

__all__ = ["as_path", "read_download", "shown"]

_LONGEST = 60  # characters of a value in a message
_LONGEST_PATH = 4095  # bytes, PATH_MAX of Linux


def as_path(given: object, *, what: str) -> Path:
    """Turn what a caller gave for a file into a path.

    Args:
        given: Text or a path.
        what: What the file is to be, for the message.

    Returns:
        The path.

    Raises:
        InputError: It is neither, empty, or no name that a file can have.

    Examples:
        >>> as_path("table.csv", what="a HEPData table").name
        'table.csv'
    """
    if not isinstance(given, str | Path):
        msg = (
            f"{what} must be the path of a file, but is of type "
            f"{type(given).__name__}; give text or a pathlib.Path"
        )
        raise InputError(msg)
    text = str(given)
    is_name = text.strip() and "\0" not in text and "\n" not in text
    if not is_name or len(text) > _LONGEST_PATH:
        msg = (
            f"{what} must be the path of a file, but is {shown(text)}; give the name "
            "of a file, not its content"
        )
        raise InputError(msg)
    return Path(given)


def read_download(path: Path, *, largest_mib: int) -> str:
    """Read a UTF-8 text file of limited size.

    Args:
        path: The file.
        largest_mib: Largest size [MiB].

    Returns:
        Its text, without a byte-order mark.

    Raises:
        DataFileError: It is missing, no regular file, too large, unreadable, empty or
            not UTF-8.
    """
    try:
        status = path.stat()
    except OSError:
        return read_text(path)  # which says what is wrong with it
    name = display_path(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        msg = (
            f"{name} is no regular file (a device, a pipe or a socket); save its "
            "content to a file and give that"
        )
        raise DataFileError(msg)
    if status.st_size > largest_mib * 2**20:
        msg = (
            f"{name} has {status.st_size / 2**20:.0f} MiB, more than the {largest_mib} "
            "MiB that are read; keep only what is needed of it"
        )
        raise DataFileError(msg)
    return read_text(path)


def shown(value: object) -> str:
    """Write a value for a message, in a few characters.

    Args:
        value: Text, a number, a list or a mapping.

    Returns:
        Its text in quotes, cut where it is long; the kind of a list or mapping.

    Examples:
        >>> shown("many"), shown([1, 2])
        ("'many'", 'a list')
    """
    if isinstance(value, str | int | float | None):
        try:
            text = repr(value)
        except ValueError:  # an integer of thousands of digits
            return "a number of too many digits"
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]}...'"
    if isinstance(value, dict):
        return "a mapping of keys to values"
    if isinstance(value, list | tuple):
        return "a list"
    return f"of type {type(value).__name__}"
