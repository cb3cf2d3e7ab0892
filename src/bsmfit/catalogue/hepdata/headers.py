"""Names and units in the headers of HEPData tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["plain_name", "plain_unit", "split_header", "unique_label"]

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−µμ×", "0123456789-+-uux")
_TEX = re.compile(
    r"\\(?:mathrm|mathit|mathsf|textrm|text|rm|it|left|right|ensuremath)\b|\\[,;! ]"
)
# what is a unit without brackets around it; anything else belongs to the name
_UNIT = re.compile(
    r"[kmgt]?ev(?:2|/c2|2/c4|/c22)?"  # energies, masses, and their squares
    r"|[munpf]?s|sec"
    r"|x?10-?\d{1,2}|x?1e-?\d{1,2}|%"
    r"|events?(?:/?bin)?|counts"
)


def split_header(header: str) -> tuple[str, str]:
    """Take the unit off a header.

    A unit is what stands in square brackets at the end; or, where it is a unit that is
    known, in round brackets, or behind a comma, a slash or the word "in".

    Args:
        header: Name with or without a unit.

    Returns:
        Name and unit; the unit is empty where there is none.

    Examples:
        >>> split_header("X mass [MeV/c2]"), split_header("M(X) in GeV")
        (('X mass', 'MeV/c2'), ('M(X)', 'GeV'))
        >>> split_header("m(X)")
        ('m(X)', '')
    """
    header = header.strip()
    match = re.fullmatch(r"(.*\S)\s*\[([^\[\]]*)\]", header)
    if match:
        return match[1], match[2].strip()
    for pattern in (
        r"(.*\S)\s*\((.+)\)",
        r"(.*\S)\s+(?:in|IN)\s+(\S.*)",
        r"(.*\S)\s*,\s*(\S.*)",
        r"(.*\S)\s+/\s*(\S.*)",
    ):
        match = re.fullmatch(pattern, header)
        if match and _UNIT.fullmatch(plain_unit(match[2])):
            return match[1], match[2].strip()
    return header, ""


def plain_unit(unit: str) -> str:
    r"""Reduce a unit to letters, digits, slashes, minus and per cent, for comparison.

    Args:
        unit: Unit, perhaps with TeX.

    Returns:
        The unit in lower case; ``c^{-2}`` becomes ``/c2``.

    Examples:
        >>> plain_unit(r"$\mathrm{GeV}^2/c^4$"), plain_unit("GeV c⁻²")
        ('gev2/c4', 'gev/c2')
    """
    unit = _TEX.sub("", unit.translate(_SUPERSCRIPTS))
    unit = re.sub(r"\\times\b", "x", re.sub(r"\\mu\b", "u", unit))
    unit = re.sub(r"[^a-z0-9/%-]", "", unit.lower())
    return re.sub(r"(?<=v|\d)c-([24])", r"/c\1", unit)


def plain_name(name: str) -> str:
    r"""Reduce a name to its letters and digits, for comparison.

    Args:
        name: Name, perhaps with TeX.

    Returns:
        Lower-case letters and digits.

    Examples:
        >>> plain_name(r"$m_{\mathrm{miss}}^{2}$")
        'mmiss2'
    """
    name = _TEX.sub("", name.translate(_SUPERSCRIPTS))
    return re.sub(r"[^a-z0-9]", "", name.lower())


def unique_label(label: str, taken: Sequence[str]) -> str:
    """Number a label that several uncertainties of a column share.

    Args:
        label: Label of the file; ``error`` stands for an empty one.
        taken: Labels that are in use.

    Returns:
        The label, with a number from 2 on where it is in use.

    Examples:
        >>> unique_label("sys", ["stat", "sys"])
        'sys 2'
    """
    label = label.strip() or "error"
    numbered = (f"{label} {number}" for number in range(2, len(taken) + 3))
    return next(name for name in (label, *numbered) if name not in taken)
