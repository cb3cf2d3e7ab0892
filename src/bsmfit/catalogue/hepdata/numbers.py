"""Numbers of HEPData tables, as both of its formats have them."""

from __future__ import annotations

import math
import re

from bsmfit.catalogue.arguments import shown
from bsmfit.core.written_number import written_float
from bsmfit.errors import DataFileError

__all__ = ["parse_bound", "parse_error", "parse_number"]

_NO_VALUE = ("null", "none", "nan", ".nan", "n/a", "na", "n.a.")
_MARKS = "-–—−*~./…"  # of nothing else, a cell has no value
_BOUND = re.compile(r"(<=?|≤|⩽|\\leq?\b|\\lt\b|>=?|≥|⩾|\\geq?\b|\\gt\b)(.*)", re.DOTALL)


def parse_number(where: str, given: object) -> float:
    """Read a number of a HEPData table.

    Args:
        where: Place in the file, for the message.
        given: Text of the number. Nothing, ``-``, ``---``, ``*``, ``n/a``, ``nan`` and
            the like stand for no value.

    Returns:
        The number; nan for no value.

    Raises:
        DataFileError: It is neither a finite number nor a sign for no value.

    Examples:
        >>> parse_number("t.csv:2:1: x", "1.2e-11"), parse_number("t.csv:3:1: x", "---")
        (1.2e-11, nan)
    """
    text = given.strip() if isinstance(given, str) else None
    if text is not None and (not text.strip(_MARKS) or text.lower() in _NO_VALUE):
        return math.nan
    try:
        value = written_float((text or "").replace("−", "-"))
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        msg = (
            f"{where} is {shown(given)} but must be a finite number, or - for none"
            f"{_remedy(text)}"
        )
        raise DataFileError(msg)
    return value


def parse_bound(where: str, given: object) -> tuple[str, float]:
    """Read a number that may be a bound, such as ``< 3.1e-11``.

    Args:
        where: Place in the file, for the message.
        given: Text of the number, perhaps behind ``<``, ``≤``, ``>`` or the like.

    Returns:
        ``"<"``, ``">"`` or nothing, and the number; nan for no value.

    Raises:
        DataFileError: It is no such text.

    Examples:
        >>> parse_bound("t.csv:2:1: x", "<= 3.1e-11")
        ('<', 3.1e-11)
    """
    if not isinstance(given, str):
        return "", parse_number(where, given)
    match = _BOUND.fullmatch(given.replace("$", "").strip())
    if match is None:
        return "", parse_number(where, given)
    value = parse_number(where, match[2])
    if math.isnan(value):
        msg = f"{where} is {shown(given)}, a bound without a number; write - for none"
        raise DataFileError(msg)
    return "<" if match[1][0] in "<≤⩽" or match[1][1:2] == "l" else ">", value


def parse_error(where: str, given: object, value: float) -> float:
    """Read an uncertainty of a HEPData table.

    Args:
        where: Place in the file, for the message.
        given: Text of a number, or of a number with ``%``.
        value: The value that it belongs to.

    Returns:
        The shift in the unit of the value; 0 where the file states none.

    Raises:
        DataFileError: It is no such text.
    """
    text = given.strip() if isinstance(given, str) else ""
    is_relative = text.endswith("%")
    number = parse_number(where, text[:-1] if is_relative else given)
    if math.isnan(number) or (is_relative and math.isnan(value)):
        return 0.0
    return 0.01 * number * abs(value) if is_relative else number


def _remedy(text: str | None) -> str:
    """What to write instead, where it can be guessed."""
    if text is None:
        return "; write one number there"
    if re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", text):
        thousands, decimal = text.replace(",", ""), text.replace(",", ".")
        if text.count(",") > 1 or "." in text:
            return f"; write {thousands}"
        return (
            f"; write {thousands} if the comma parts thousands, {decimal} if it is a "
            "decimal one"
        )
    if re.fullmatch(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?", text):
        return f"; write {text.replace(',', '.')}"
    if text.endswith("%"):
        return "; write it without %, or give the unit % in the header"
    if re.search(r"\s", text):
        return (
            "; columns are parted by commas, semicolons or tabs, and a number has no "
            "blanks: write 1.2e-11"
        )
    return "; write it as 1.2e-11"
