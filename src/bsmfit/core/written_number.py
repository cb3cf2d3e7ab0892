"""The number that a text says, as it is written down on paper."""

from __future__ import annotations

__all__ = ["written_float", "written_int"]


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
    try:
        return float(_plain(text))
    except ValueError:
        msg = f"{text!r} is not a number"
        raise ValueError(msg) from None


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
    try:
        return int(_plain(text))
    except ValueError:
        msg = f"{text!r} is not a whole number"
        raise ValueError(msg) from None


def _plain(text: str) -> str:
    return text if text.isascii() and "_" not in text else ""
