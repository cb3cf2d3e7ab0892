"""The number that a text says, as it is written down on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["written_float", "written_int"]

_Number = TypeVar("_Number", int, float)


def written_float(text: str) -> float:
    """Read a number.

    Args:
        text: A number, such as ``0.5`` or ``1e-6``.

    Returns:
        The number.

    Raises:
        ValueError: It is none. Python reads ``1_0`` as ten, and digits of any script;
            here they are mistakes.

    Examples:
        >>> written_float("1e-6")
        1e-06
        >>> written_float("1_0")
        Traceback (most recent call last):
        ...
        ValueError: '1_0' is not a number
    """
    return _written(text, float, "a number")


def written_int(text: str) -> int:
    """Read a whole number.

    Args:
        text: Its digits.

    Returns:
        The number.

    Raises:
        ValueError: It is none.

    Examples:
        >>> written_int("200")
        200
    """
    return _written(text, int, "a whole number")


def _written(text: str, kind: Callable[[str], _Number], words: str) -> _Number:
    try:
        return kind(text if text.isascii() and "_" not in text else "")
    except ValueError:
        msg = f"{text!r} is not {words}"
        raise ValueError(msg) from None
