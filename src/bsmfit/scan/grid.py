"""The axes of a scan: ranges as written on the command line, and their points.

The yield of a dump search goes with powers of the coupling and the mass, so an axis is
logarithmic unless it says otherwise: ``"LO:HI:N"`` is N points from LO to HI with equal
ratios, ``"LO:HI:N:lin"`` with equal steps; both ends are points of the axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bsmfit.errors import InputError

__all__ = ["Axis", "PointList", "parse_axis"]

_SPACINGS = ("log", "lin")


MAX_AXIS_POINTS = 1_000_000
"""Most points of an axis."""


@dataclass(frozen=True)
class Axis:
    """One axis of a scan.

    Attributes:
        low: First point, > 0, in the unit of the quantity (masses: GeV).
        high: Last point, > low.
        n_points: Number of points, >= 2.
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
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            msg = f"range {self}: both ends must be finite numbers"
        elif self.low <= 0 or self.high <= 0:
            msg = f"range {self}: both ends must be above 0"
        elif self.high == self.low:
            msg = f"range {self} is empty: the low end equals the high end"
        elif self.high < self.low:
            msg = (
                f"range {self} is reversed: "
                f"write {self.high:g}:{self.low:g}:{self.n_points}"
            )
        elif self.n_points > MAX_AXIS_POINTS:
            msg = f"range {self}: an axis has at most {MAX_AXIS_POINTS} points"
        elif self.n_points < 2:
            msg = f"range {self}: an axis needs at least 2 points"
        elif self.spacing not in _SPACINGS:
            msg = f"range {self}: the spacing is 'log' or 'lin'"
        elif not (self.points()[1:] > self.points()[:-1]).all():
            msg = f"range {self}: the points are closer than floats can tell"
        else:
            return
        raise InputError(msg)

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
        points = self.points()
        if points.ndim != 1 or points.size < 2:
            msg = "give a list of at least 2 points for an axis"
        elif not (np.isfinite(points).all() and (points > 0).all()):
            msg = "the points of an axis must be finite and above 0"
        elif not (np.diff(points) > 0).all():
            msg = "the points of an axis must be strictly ascending"
        else:
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


def parse_axis(text: str, *, name: str) -> Axis:
    """Read an axis written as ``LO:HI:N`` or ``LO:HI:N:lin``.

    Args:
        text: What the user wrote, for example ``"0.2:0.7:300"``.
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
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 3:
        parts.append("log")
    if len(parts) != 4 or not all(parts):
        msg = (
            f"{name} range {text!r} is not LO:HI:N or LO:HI:N:lin; "
            "an example is 0.2:0.7:300"
        )
        raise InputError(msg)
    numbers = [_number(part, text=text, name=name) for part in parts[:2]]
    try:
        n_points = int(parts[2])
    except ValueError:
        msg = f"{name} range {text!r}: {parts[2]!r} is not a whole number of points"
        raise InputError(msg) from None
    try:
        return Axis(numbers[0], numbers[1], n_points, parts[3])
    except InputError as error:
        msg = f"{name} {error}"
        raise InputError(msg) from None


def _number(part: str, *, text: str, name: str) -> float:
    """Read one end of a range."""
    try:
        return float(part)
    except ValueError:
        msg = f"{name} range {text!r}: {part!r} is not a number"
        raise InputError(msg) from None
