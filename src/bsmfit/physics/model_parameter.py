"""What is known of a further parameter of a model: unit, symbol, range, usual axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bsmfit.core.argument import real_number, shown, text, whole_number
from bsmfit.errors import InputError

__all__ = ["ModelParameter", "axis_numbers"]

_MOST_POINTS = 10**6


def axis_numbers(where: str, axis: object) -> tuple[float, float, int]:
    """Low, high and number of points of an axis in equal ratios.

    Args:
        where: Whose axis it is, for messages.
        axis: What was given.

    Returns:
        The three numbers.

    Raises:
        InputError: They are not three, not numbers, not above 0, or reversed.

    Examples:
        >>> axis_numbers("lifetime_ps", (1, 1e3, 50))
        (1.0, 1000.0, 50)
    """
    if not isinstance(axis, tuple | list) or len(axis) != 3:
        msg = f"{where}: axis = {shown(axis)} must be (low, high, points)"
        raise InputError(msg)
    low = real_number(f"{where}: start of the axis", axis[0], low=0.0, is_low_open=True)
    high = real_number(f"{where}: end of the axis", axis[1], low=low)
    points = whole_number(
        f"{where}: points of the axis", axis[2], low=1, high=_MOST_POINTS
    )
    return low, high, points


@dataclass(frozen=True)
class ModelParameter:
    """Unit, symbol, range and usual axis of a further parameter of a model.

    Attributes:
        name: Name of the parameter, as in `Model.parameters`.
        unit: Unit; "1" for a pure number.
        symbol: Symbol for the axis of a figure, TeX without dollars; "" where the name
            has to do.
        low: Values lie above this.
        high: Values are at most this.
        axis: Axis of a plane that names none: low, high, number of points in equal
            ratios; or None.

    Examples:
        >>> ModelParameter("lifetime_ps", unit="ps", low=0.0).checked(-1.0)
        Traceback (most recent call last):
        ...
        bsmfit.errors.InputError: lifetime_ps = -1 must be above 0 (in ps)
    """

    name: str
    unit: str = "1"
    symbol: str = ""
    low: float = -math.inf
    high: float = math.inf
    axis: tuple[float, float, int] | None = None

    def __post_init__(self) -> None:
        text("name of a parameter", self.name)
        where = f"parameter {self.name!r}"
        for key in ("unit", "symbol"):
            if not isinstance(getattr(self, key), str):
                msg = f"{where}: {key} = {getattr(self, key)!r} must be text"
                raise InputError(msg)
        for key, free in (("low", -math.inf), ("high", math.inf)):
            value = getattr(self, key)
            if not (isinstance(value, float) and value == free):
                object.__setattr__(self, key, real_number(f"{where}: {key}", value))
        if self.axis is not None:
            object.__setattr__(self, "axis", axis_numbers(where, self.axis))
        if not self.low < self.high:
            msg = f"parameter {self.name!r}: no value from {self.low} to {self.high}"
            raise InputError(msg)

    def checked(self, value: object) -> float:
        """A value of the parameter that can be.

        Args:
            value: What was given.

        Returns:
            The number.

        Raises:
            InputError: No finite number, or one outside the range.
        """
        number = real_number(f"parameter {self.name!r}", value)
        hint = "" if self.unit == "1" else f" (in {self.unit})"
        if number <= self.low:
            msg = f"{self.name} = {number:g} must be above {self.low:g}{hint}"
            raise InputError(msg)
        if number > self.high:
            msg = f"{self.name} = {number:g} must be at most {self.high:g}{hint}"
            raise InputError(msg)
        return number
