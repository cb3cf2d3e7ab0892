"""``--parameter``: further parameters of a model, fixed or scanned."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["ParameterOption", "ProfileOption", "parse_parameters"]

ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        metavar="NAME=VALUE[,VALUE...]",
        help="Further parameter of the model: one value fixes it; several, or "
        "LO:HI:N, are planes of their own. Repeat it for several parameters.",
    ),
]
ProfileOption = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Profile over a scanned parameter: excluded is what is so for each of "
        "its values.",
    ),
]


def parse_parameters(
    given: list[str] | None,
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Fixed and scanned parameters from what ``--parameter`` was given.

    Args:
        given: Every ``NAME=VALUE``, ``NAME=VALUE,VALUE`` or ``NAME=LO:HI:N``, or None.

    Returns:
        Value by name of what is fixed, and values by name of what is scanned.

    Raises:
        InputError: What is none of these, a name twice, or no number.

    Examples:
        >>> parse_parameters(["a=1", "b=0,0.5"])
        ({'a': 1.0}, {'b': [0.0, 0.5]})
        >>> parse_parameters(["a=0.1:10:3"])[1]
        {'a': [0.1, 1.0, 10.0]}
    """
    from bsmfit.errors import InputError
    from bsmfit.scan.grid import parse_axis

    fixed: dict[str, float] = {}
    scanned: dict[str, list[float]] = {}
    for text in given or ():
        name, sign, words = (part.strip() for part in text.partition("="))
        hint = f"write --parameter {name or 'NAME'}=0.5, or =0.1,0.5,1 or =0.1:1:5"
        if not (name and sign and words):
            msg = f"--parameter {text!r} gives no value; {hint}"
            raise InputError(msg)
        if name in fixed or name in scanned:
            msg = f"--parameter {text} names {name!r} twice; {hint}"
            raise InputError(msg)
        if ":" in words:
            scanned[name] = parse_axis(words, name=name).points().tolist()
            continue
        try:
            numbers = [float(word) for word in words.split(",")]
        except ValueError:
            msg = f"--parameter {text}: {words!r} is no number; {hint}"
            raise InputError(msg) from None
        if len(numbers) == 1:
            fixed[name] = numbers[0]
        else:
            scanned[name] = numbers
    return fixed, scanned
