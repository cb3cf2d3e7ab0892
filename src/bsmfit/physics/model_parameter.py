"""What is known of a further parameter of a model: unit, symbol, range, usual axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bsmfit.core.argument import real_number, text
from bsmfit.errors import InputError

__all__ = ["ModelParameter"]


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
