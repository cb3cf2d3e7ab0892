"""``--parameter``: further parameters of a model, fixed or scanned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bsmfit.scan.grid import Axis

__all__ = ["GivenParameters", "ParameterOption", "ProfileOption", "parse_parameters"]

ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        metavar="NAME=VALUE[,VALUE...]",
        help="Further parameter of the model: one value fixes it, several are planes "
        "of their own. LO:HI:N is the first axis of the plane at one --mass, else N "
        "planes. Repeat it for several parameters.",
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


@dataclass(frozen=True)
class GivenParameters:
    """What ``--parameter`` was given.

    Attributes:
        fixed: Value by name.
        lists: Values by name.
        axes: Range by name.
    """

    fixed: dict[str, float] = field(default_factory=dict)
    lists: dict[str, list[float]] = field(default_factory=dict)
    axes: dict[str, Axis] = field(default_factory=dict)

    @property
    def scanned(self) -> dict[str, list[float]]:
        """Values of all parameters that are not fixed, by name."""
        return self.lists | {k: a.points().tolist() for k, a in self.axes.items()}

    def scanned_beside(self, first: str | dict[str, Axis] | None) -> dict:
        """Values of those that are not on the first axis of the plane, by name."""
        taken = {first} if isinstance(first, str) else set(first or ())
        return {k: values for k, values in self.scanned.items() if k not in taken}


def parse_parameters(given: list[str] | None) -> GivenParameters:
    """Fixed and scanned parameters from what ``--parameter`` was given.

    Args:
        given: Every ``NAME=VALUE``, ``NAME=VALUE,VALUE`` or ``NAME=LO:HI:N``, or None.

    Returns:
        What is fixed and what is scanned.

    Raises:
        InputError: What is none of these, a name twice, or no number.

    Examples:
        >>> parse_parameters(["a=1", "b=0,0.5"]).scanned
        {'b': [0.0, 0.5]}
        >>> parse_parameters(["a=0.1:10:3"]).scanned
        {'a': [0.1, 1.0, 10.0]}
    """
    from bsmfit.core.written_number import written_float
    from bsmfit.errors import InputError
    from bsmfit.scan.grid import parse_axis

    found = GivenParameters()
    for text in given or ():
        name, sign, words = (part.strip() for part in text.partition("="))
        hint = f"write --parameter {name or 'NAME'}=0.5, or =0.1,0.5,1 or =0.1:1:5"
        if not (name and sign and words):
            msg = f"--parameter {text!r} gives no value; {hint}"
            raise InputError(msg)
        if name in found.fixed | found.scanned:
            msg = f"--parameter {text} names {name!r} twice; {hint}"
            raise InputError(msg)
        if ":" in words:
            found.axes[name] = parse_axis(words, name=name)
            continue
        try:
            numbers = [written_float(word) for word in words.split(",")]
        except ValueError:
            msg = f"--parameter {text}: {words!r} is no number; {hint}"
            raise InputError(msg) from None
        if len(numbers) == 1:
            found.fixed[name] = numbers[0]
        else:
            found.lists[name] = numbers
    return found
