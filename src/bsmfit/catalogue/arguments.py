"""Paths that a caller gives, and values of files in messages."""

from __future__ import annotations

from pathlib import Path

from bsmfit.errors import InputError

__all__ = ["as_path", "shown"]

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
