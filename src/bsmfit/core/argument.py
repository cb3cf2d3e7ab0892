"""What a caller may give: every argument of the public functions is checked here, once.

A check returns the argument in the form that the program works with, or raises an
`InputError` that names the argument, what was given, what is allowed and a remedy. A
wrong type is an input error like any other. Numbers that are traced (in `jax.jit`,
`jax.grad` or `jax.vmap`) have a type but no value yet: `real_array` checks the type,
and results carry a status for the value.

    given --real_number, level, whole_number, choice, file_path, ...--> float, int, Path
"""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bsmfit.errors import InputError, UnknownNameError

__all__ = [
    "HIGHEST_LEVEL",
    "LARGEST_COUNT",
    "LARGEST_EXPOSURE",
    "LARGEST_FACTOR",
    "LOWEST_LEVEL",
    "MOST_TOYS",
    "choice",
    "file_path",
    "instance",
    "instances",
    "level",
    "range_words",
    "real_number",
    "shown",
    "text",
    "then",
    "whole_number",
]

LOWEST_LEVEL = 0.01
"""Lowest confidence level that limits are solved for [1]."""

HIGHEST_LEVEL = 1.0 - 1e-9
"""Highest confidence level that limits are solved for [1], six standard deviations."""

LARGEST_COUNT = 1e15
"""Most events of a count or a background: doubles tell neighbouring integers apart."""

LARGEST_EXPOSURE = 1e24
"""Most protons on target or kaon decays: a thousand times any that is proposed."""

MOST_TOYS = 10**8
"""Most toys of one hypothesis, whose random numbers take a gigabyte."""

LARGEST_FACTOR = 1e6
"""Largest factor of one standard deviation of a nuisance [1]."""

_LONGEST = 60
_Kind = TypeVar("_Kind")


def real_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    is_low_open: bool = False,
    is_high_open: bool = False,
    hint: str = "",
) -> float:
    """One finite real number in a range.

    Args:
        name: The argument, for messages.
        value: What was given: a number of Python or numpy, or an array of one.
        low: Lowest number allowed.
        high: Highest number allowed.
        is_low_open: Whether `low` itself is refused.
        is_high_open: Whether `high` itself is refused.
        hint: What to do instead, appended to the message.

    Returns:
        The number.

    Raises:
        InputError: It is not one, is traced, or lies outside the range.

    Examples:
        >>> real_number("mass", 0.3, low=0.0, is_low_open=True)
        0.3
    """
    allowed = range_words(low, high, is_low_open, is_high_open)
    if _is_traced(value):
        msg = (
            f"{name} is traced by jax, but must be known before compilation; give a "
            f"number {allowed}{then(hint)}"
        )
        raise InputError(msg)
    number = _as_float(value)
    above = operator.gt if is_low_open else operator.ge
    below = operator.lt if is_high_open else operator.le
    if number is None or not (
        math.isfinite(number) and above(number, low) and below(number, high)
    ):
        msg = f"{name} = {shown(value)} is not a number {allowed}{then(hint)}"
        raise InputError(msg)
    return number


def level(
    value: object,
    *,
    name: str = "cl",
    low: float = LOWEST_LEVEL,
    high: float = HIGHEST_LEVEL,
) -> float:
    """A confidence level.

    Args:
        value: What was given.
        name: The argument, for messages.
        low: Lowest level allowed.
        high: Highest level allowed.

    Returns:
        The level [1].

    Raises:
        InputError: It is not a number between 0 and 1, or so near to an end that no
            limit is solved for it.

    Examples:
        >>> level(0.9)
        0.9
    """
    number = None if _is_traced(value) else _as_float(value)
    if number is not None and low <= number <= high:
        return number
    hint = "it must be a number such as 0.9"
    if number is not None and 50.0 <= number < 100.0:
        hint = f"did you mean {number / 100.0:g}?"
    elif number is not None and 0.0 < number < 1.0:
        end = f"{high:g}" if high < 1.0 - 1e-6 else f"1 - {1.0 - high:.0e}"
        msg = f"confidence level {name} = {number!r} is not between {low:g} and {end}"
        raise InputError(msg + "; for example 0.9")
    given = "traced" if _is_traced(value) else shown(value)
    msg = f"confidence level {name} = {given} is not between 0 and 1{then(hint)}"
    raise InputError(msg)


def whole_number(
    name: str, value: object, *, low: int, high: int, hint: str = ""
) -> int:
    """A whole number in a range.

    Args:
        name: The argument, for messages.
        value: What was given; 1e4 is a whole number, 1.5 is not.
        low: Lowest number allowed.
        high: Highest number allowed.
        hint: What to do instead, appended to the message.

    Returns:
        The number.

    Raises:
        InputError: It is not one, or lies outside the range.

    Examples:
        >>> whole_number("n_toy", 1e4, low=1, high=10**8)
        10000
    """
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if is_integer:
        number = int(value)  # pyright: ignore[reportArgumentType] an integer
    else:
        given = None if _is_traced(value) else _as_float(value)
        is_whole = given is not None and given.is_integer()
        number = int(given) if given is not None and is_whole else None
    if number is None or not low <= number <= high:
        given = "traced" if _is_traced(value) else shown(value)
        msg = f"{name} = {given} is not a whole number from {low} to {high}"
        raise InputError(msg + then(hint))
    return number


def choice(kind: str, value: object, allowed: Iterable[str]) -> str:
    """One of several names.

    Args:
        kind: What the name stands for, for example ``"method"``.
        value: What was given.
        allowed: Every name that is accepted.

    Returns:
        The name.

    Raises:
        UnknownNameError: It is none of them; the message has the closest one.

    Examples:
        >>> choice("method", "exact", ("exact", "toys"))
        'exact'
    """
    names = tuple(allowed)
    if isinstance(value, str) and value in names:
        return value
    raise UnknownNameError.from_choices(kind, value, names)


def text(name: str, value: object, *, hint: str = "") -> str:
    """A string that is not empty.

    Args:
        name: The argument, for messages.
        value: What was given.
        hint: What to do instead, appended to the message.

    Returns:
        The string.

    Raises:
        InputError: It is not one, or holds nothing but blanks.
    """
    if isinstance(value, str) and value.strip():
        return value
    msg = f"{name} = {shown(value)} must be text, not empty"
    raise InputError(msg + then(hint))


def file_path(name: str, value: object, *, suffixes: Sequence[str] = ()) -> Path:
    """The path of a file.

    Args:
        name: The argument, for messages.
        value: What was given: a string or a `pathlib.Path`.
        suffixes: Endings that are allowed, with their dot; any where empty.

    Returns:
        The path.

    Raises:
        InputError: It is not a path, empty, holds a null character, or ends otherwise.

    Examples:
        >>> file_path("path", "contour.csv", suffixes=[".csv"]).name
        'contour.csv'
    """
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        example = f"file{suffixes[0]}" if suffixes else "folder/file"
        msg = f"{name} = {shown(value)} is not the path of a file, such as {example!r}"
        raise InputError(msg)
    path = Path(given)
    if suffixes and path.suffix.lower() not in suffixes:
        msg = (
            f"{name} = {shown(given)} must end in {' or '.join(suffixes)}; write "
            f"{path.stem + suffixes[0]!r}"
        )
        raise InputError(msg)
    return path


def instance(name: str, value: object, kind: type[_Kind], *, hint: str) -> _Kind:
    """An object of one class.

    Args:
        name: The argument, for messages.
        value: What was given.
        kind: The class.
        hint: How to make one, appended to the message.

    Returns:
        The object.

    Raises:
        InputError: It is of another class.
    """
    if isinstance(value, kind):
        return value
    given = "the class itself" if value is kind else f"a {type(value).__name__}"
    msg = f"{name} is {given}, not a {kind.__name__}{then(hint)}"
    raise InputError(msg)


def instances(
    name: str, value: object, kind: type[_Kind], *, hint: str
) -> tuple[_Kind, ...]:
    """Several objects of one class.

    Args:
        name: The argument, for messages.
        value: What was given: a list, a tuple or another iterable.
        kind: The class.
        hint: How to make one, appended to the message.

    Returns:
        The objects, none where the iterable is empty.

    Raises:
        InputError: It is no iterable, or an entry is of another class.
    """
    is_list = isinstance(value, Iterable) and not isinstance(
        value, str | bytes | Mapping
    )
    if not is_list:
        msg = (
            f"{name} is a {type(value).__name__}, not a list of {kind.__name__}"
            f"{then(hint)}"
        )
        raise InputError(msg)
    return tuple(
        instance(f"{name}[{index}]", entry, kind, hint=hint)
        for index, entry in enumerate(value)  # pyright: ignore[reportArgumentType] Iterable
    )


def _as_float(value: object) -> float | None:
    """A real number as a float; None for anything else."""
    if isinstance(value, np.ndarray | np.generic) or _is_jax_array(value):
        array: Any = value
        return float(array) if not array.ndim and array.dtype.kind in "fiu" else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def range_words(low: float, high: float, is_low_open: bool, is_high_open: bool) -> str:
    """The range in words, to stand after "is not a number"."""
    words = []
    if low > -math.inf:
        words.append(f"{'above' if is_low_open else 'at or above'} {low:g}")
    if high < math.inf:
        words.append(f"{'below' if is_high_open else 'at or below'} {high:g}")
    return " and ".join(words) if words else "that is finite"


def then(hint: str) -> str:
    """A hint to stand at the end of a message; nothing where there is none."""
    return f"; {hint}" if hint else ""


def shown(value: object) -> str:
    """What was given, on one line and not too long."""
    if _is_traced(value):
        return "a traced number"
    if isinstance(value, int) and abs(value) > 10**_LONGEST:
        return f"an integer of {value.bit_length()} bits"
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _is_traced(value: object) -> bool:
    """Whether a value is traced by JAX, which is not imported for that."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.core.Tracer)


def _is_jax_array(value: object) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.Array)
