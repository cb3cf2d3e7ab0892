"""What the numbers of a table may be: nodes that ascend, shapes that fit, ranges.

A table of somebody else with masses in MeV, nodes in the wrong order or a distance that
is no number would give a limit that looks like one. Every message names the file, the
array, what is there and what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bsmfit.catalogue.files import display_path
from bsmfit.core.argument import range_words, shown
from bsmfit.errors import DataFileError

__all__ = [
    "HEAVIEST",
    "check_names",
    "check_nodes",
    "check_values",
    "metadata_number",
]

HEAVIEST = 100.0
"""Heaviest particle of a table [GeV]; a kaon in MeV is above it."""


def check_nodes(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    name: str,
    *,
    low: float,
    high: float,
    unit: str,
    is_even: bool = False,
) -> int:
    """Refuse nodes that are no strictly ascending numbers in a range.

    Args:
        path: The table file.
        arrays: Its arrays.
        name: Which of them.
        low: Lowest node allowed.
        high: Highest node allowed.
        unit: Their unit, for the message.
        is_even: Whether they must be evenly spaced.

    Returns:
        The number of nodes.

    Raises:
        DataFileError: They are not.
    """
    nodes = arrays[name]
    if nodes.ndim != 1 or nodes.size < 2:
        _refuse(path, name, f"has the shape {nodes.shape}, but must be a list of nodes")
    check_values(path, arrays, name, nodes.shape, low=low, high=high, unit=unit)
    steps = np.diff(nodes.astype(float))
    if not (steps > 0.0).all():
        at = int(np.argmin(steps > 0.0))
        both = f"{nodes[at]:g} comes before {nodes[at + 1]:g}"
        _refuse(path, name, f"must ascend, but {both} (entry {at})")
    if is_even and not np.allclose(steps, steps.mean(), rtol=1e-6, atol=0.0):
        _refuse(path, name, "must be evenly spaced")
    return nodes.size


def check_values(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    name: str,
    shape: tuple[int, ...],
    *,
    low: float = -math.inf,
    high: float = math.inf,
    unit: str = "1",
    kinds: str = "f",
) -> None:
    """Refuse an array of another shape or type, or with numbers outside a range.

    Args:
        path: The table file.
        arrays: Its arrays.
        name: Which of them.
        shape: Its shape.
        low: Lowest number allowed.
        high: Highest number allowed.
        unit: Their unit, for the message.
        kinds: Letters of the types that are allowed: f for floats, iu for integers.

    Raises:
        DataFileError: It is of another shape, holds no numbers, or one is outside.
    """
    array = arrays[name]
    if array.dtype.kind not in kinds:
        what = "floats" if kinds == "f" else "numbers"
        _refuse(path, name, f"holds {array.dtype}, but must hold {what}")
    if array.shape != shape:
        _refuse(path, name, f"has the shape {array.shape}, but must have {shape}")
    inside = np.isfinite(array) & (array >= low) & (array <= high)
    if not inside.all():
        first = tuple(int(i) for i in np.argwhere(~inside)[0])
        where = ", ".join(map(str, first)) or "the only one"
        allowed = range_words(low, high, False, False)
        _refuse(
            path,
            name,
            f"is {array[first]:g} {unit} (entry {where}), no number {allowed}",
        )


def check_names(
    path: Path, arrays: Mapping[str, np.ndarray], name: str
) -> tuple[str, ...]:
    """The names in an array, each of them once.

    Args:
        path: The table file.
        arrays: Its arrays.
        name: Which of them.

    Returns:
        The names.

    Raises:
        DataFileError: They are no texts, one is empty or there twice.
    """
    array = arrays[name]
    if array.dtype.kind != "U" or array.ndim != 1 or not array.size:
        _refuse(path, name, f"holds {array.dtype}, but must be a list of names")
    names = tuple(str(entry) for entry in array)
    for place, entry in enumerate(names):
        if not entry.strip():
            _refuse(path, name, f"has an empty name (entry {place})")
        if entry in names[:place]:
            _refuse(path, name, f"has {shown(entry)} twice")
    return names


def metadata_number(
    path: Path, metadata: Mapping[str, Any], key: str, *, low: float, high: float
) -> float:
    """A number of the metadata of a table.

    Args:
        path: The table file.
        metadata: Its metadata.
        key: The key.
        low: Lowest number allowed.
        high: Highest number allowed.

    Returns:
        The number.

    Raises:
        DataFileError: The key is missing, or it is no number in the range.
    """
    value = metadata.get(key)
    number = math.nan
    if isinstance(value, int | float) and abs(value) < 10**300:
        number = float(value)
    if isinstance(value, bool) or not low <= number <= high:
        allowed = range_words(low, high, False, False)
        given = "missing" if key not in metadata else shown(value)
        _refuse(path, f"metadata: {key}", f"is {given}, no number {allowed}")
    return number


def _refuse(path: Path, name: str, problem: str) -> NoReturn:
    msg = f"{display_path(path)}: {name} {problem}"
    raise DataFileError(msg)
