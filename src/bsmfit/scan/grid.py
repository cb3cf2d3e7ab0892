"""The axes of a scan: ranges as written on the command line, and their points.

The yield of a dump search goes with powers of the coupling and the mass, so an axis is
logarithmic unless it says otherwise: ``"LO:HI:N"`` is N points from LO to HI with equal
ratios, ``"LO:HI:N:lin"`` with equal steps; both ends are points of the axis. One number
is an axis of one point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bsmfit.core.argument import real_number, text, whole_number
from bsmfit.core.array_argument import real_array
from bsmfit.core.written_number import written_float, written_int
from bsmfit.errors import InputError

__all__ = ["Axis", "PointList", "parse_axis"]

_SPACINGS = ("log", "lin")


MAX_AXIS_POINTS = 1_000_000
"""Most points of an axis."""
_MANY = 10**18


@dataclass(frozen=True)
class Axis:
    """One axis of a scan.

    Attributes:
        low: First point, > 0, in the unit of the quantity (masses: GeV).
        high: Last point, > low; equal to it for one point.
        n_points: Number of points, 1 or more.
        spacing: ``"log"`` for equal ratios or ``"lin"`` for equal steps.

    Examples:
        >>> Axis(0.1, 0.4, 3).points()
        array([0.1, 0.2, 0.4])
        >>> str(Axis(0.1, 0.4, 3))
        '0.1:0.4:3'
    """

    low: float
    high: float
    n_points: int
    spacing: str = "log"

    def __post_init__(self) -> None:
        self._convert()
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            msg = f"range {self}: both ends must be finite numbers"
        elif self.low <= 0 or self.high <= 0:
            msg = f"range {self}: both ends must be above 0"
        elif self.high == self.low and self.n_points > 1:
            msg = f"range {self} is empty: the low end equals the high end"
        elif self.high < self.low:
            msg = (
                f"range {self} is reversed: "
                f"write {self.high:g}:{self.low:g}:{self.n_points}"
            )
        elif self.n_points > MAX_AXIS_POINTS:
            msg = f"range {self}: an axis has at most {MAX_AXIS_POINTS} points"
        elif self.n_points < 1 or (self.n_points == 1 and self.high > self.low):
            msg = (
                f"range {self}: an axis from one end to another needs at least 2 "
                f"points; write {self.low:g} alone for one point"
            )
        elif self.spacing not in _SPACINGS:
            msg = f"range {self}: the spacing is 'log' or 'lin'"
        elif not (self.points()[1:] > self.points()[:-1]).all():
            msg = f"range {self}: the points are closer than floats can tell"
        else:
            return
        raise InputError(msg)

    def _convert(self) -> None:
        """Floats and a whole number, or an error."""
        for name in ("low", "high"):
            given = getattr(self, name)
            is_infinite = isinstance(given, float) and not math.isfinite(given)
            number = (
                given if is_infinite else real_number(f"{name} end of an axis", given)
            )
            object.__setattr__(self, name, number)
        given = self.n_points
        n_points = whole_number("points of an axis", given, low=-_MANY, high=_MANY)
        object.__setattr__(self, "n_points", n_points)

    def __str__(self) -> str:
        """Write the axis as `parse_axis` reads it, to the last bit."""
        text = f"{self.low!r}:{self.high!r}:{self.n_points}"
        return text if self.spacing == "log" else f"{text}:{self.spacing}"

    def points(self) -> Float[np.ndarray, " n_point"]:
        """Return the points of the axis, ascending, both ends included."""
        if self.spacing == "log":
            return np.geomspace(self.low, self.high, self.n_points)
        return np.linspace(self.low, self.high, self.n_points)


@dataclass(frozen=True)
class PointList:
    """An axis of points that the user has chosen one by one.

    Attributes:
        values: The points, strictly ascending, > 0.

    Examples:
        >>> PointList((0.25, 0.3)).points()
        array([0.25, 0.3 ])
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        real_array("points of an axis", self.values)
        points = self.points()
        if points.ndim != 1 or points.size < 1:
            msg = "give a list of points for an axis, such as [0.25, 0.3]"
        elif not (np.isfinite(points).all() and (points > 0).all()):
            msg = "the points of an axis must be finite and above 0"
        elif not (np.diff(points) > 0).all():
            msg = "the points of an axis must be strictly ascending"
        else:
            object.__setattr__(self, "values", tuple(points.tolist()))
            return
        raise InputError(msg)

    @property
    def low(self) -> float:
        """First point."""
        return self.values[0]

    @property
    def high(self) -> float:
        """Last point."""
        return self.values[-1]

    def __str__(self) -> str:
        """Write all points, to the last bit."""
        return ",".join(map(repr, self.values))

    def points(self) -> Float[np.ndarray, " n_point"]:
        """Return the points."""
        return np.asarray(self.values, dtype=np.float64)


def parse_axis(given: str, *, name: str) -> Axis:
    """Read an axis written as ``LO:HI:N``, ``LO:HI:N:lin`` or one number.

    Args:
        given: What the user wrote, for example ``"0.2:0.7:300"``.
        name: What the axis is, for the message: ``"mass"``, ``"coupling"``.

    Returns:
        The axis.

    Raises:
        InputError: Not of that form, not numbers, an end that is not above 0, a
            reversed or empty range, or fewer than two points.

    Examples:
        >>> parse_axis("1e-7:1e-5:50", name="coupling").n_points
        50
        >>> parse_axis("0.7:0.2:50", name="mass")
        Traceback (most recent call last):
        ...
        bsmfit.errors.InputError: mass range 0.7:0.2:50 is reversed: write 0.2:0.7:50
    """
    hint = "write LO:HI:N, for example 0.2:0.7:300, or one number"
    parts = [
        part.strip() for part in text(f"{name} range", given, hint=hint).split(":")
    ]
    if len(parts) == 1:
        parts = [parts[0], parts[0], "1"]
    if len(parts) == 3:
        parts.append("log")
    if len(parts) != 4 or not all(parts):
        msg = (
            f"{name} range {given!r} is not LO:HI:N or LO:HI:N:lin; "
            "an example is 0.2:0.7:300"
        )
        raise InputError(msg)
    numbers = [_number(part, given=given, name=name) for part in parts[:2]]
    try:
        n_points = written_int(parts[2])
    except ValueError:
        msg = f"{name} range {given!r}: {parts[2]!r} is not a whole number of points"
        raise InputError(msg) from None
    try:
        return Axis(numbers[0], numbers[1], n_points, parts[3])
    except InputError as error:
        msg = f"{name} {error}"
        raise InputError(msg) from None


def _number(part: str, *, given: str, name: str) -> float:
    """Read one end of a range."""
    try:
        return written_float(part)
    except ValueError:
        msg = f"{name} range {given!r}: {part!r} is not a number"
        raise InputError(msg) from None
