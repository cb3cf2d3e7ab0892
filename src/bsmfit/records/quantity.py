"""A number of a publication with its unit, its uncertainty and where it comes from.

Every number in `data/` is a `Quantity` (or a `Count`): value, unit, uncertainty,
provenance and source. The provenance says how far the number can be trusted:

| provenance | meaning |
| --- | --- |
| published | as it stands here in a paper, HEPData, a talk or a public code |
| digitised | read off a figure |
| computed | result of a formula or program of this project |
| derived | arithmetic on numbers with another provenance |
| reconstructed | inferred from several published facts |
| calibrated | fixed so that one named published point is met (`calibrated_at`) |
| assumed | a choice, with the reason in `source` |
| unverified | remembered from the literature and not yet checked |
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from bsmfit.records.strict_model import Identifier, StrictModel, Text, invalid_value

__all__ = [
    "CalibrationPoint",
    "Count",
    "Provenance",
    "Quantity",
    "quantity_check",
]

Provenance = Literal[
    "published",
    "digitised",
    "computed",
    "derived",
    "reconstructed",
    "calibrated",
    "assumed",
    "unverified",
]


class CalibrationPoint(StrictModel):
    """The one published point that a calibrated number was fitted to.

    No test may count this point as a success.

    Attributes:
        mass: Mass of the new particle [GeV].
        coupling: Coupling on the published contour [1].
        edge: Which edge of the excluded interval of couplings.
        preset: Preset of the model card the calibration was made with.
        source: Where the published point comes from.
    """

    mass: Annotated[float, Field(gt=0)]
    coupling: Annotated[float, Field(gt=0)]
    edge: Literal["lower", "upper"]
    preset: Identifier
    source: Text


class Quantity(StrictModel):
    """One number with unit, uncertainty, provenance and source.

    Attributes:
        value: The number, in `unit`.
        unit: Unit; "1" for a pure number.
        uncertainty: Uncertainty in `unit`, upwards where `uncertainty_down` is given;
            None where none is known.
        uncertainty_down: Downward uncertainty in `unit`, positive; None: symmetric.
        uncertainty_cl: Probability content of the interval.
        provenance: How far the number can be trusted.
        source: Texkey with table, figure or equation; or words.
        calibrated_at: The point a calibrated number was fitted to.

    Examples:
        >>> cut = Quantity(value=1.0, unit="m", provenance="assumed", source="a guess")
        >>> cut.unit
        'm'
    """

    value: float
    unit: Text
    uncertainty: Annotated[float, Field(ge=0)] | None = None
    uncertainty_down: Annotated[float, Field(ge=0)] | None = None
    uncertainty_cl: Annotated[float, Field(gt=0, lt=1)] = 0.6827
    provenance: Provenance
    source: Text
    calibrated_at: CalibrationPoint | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Quantity:
        if self.uncertainty is None and self.uncertainty_down is not None:
            text = "needs 'uncertainty' (the upward one) beside 'uncertainty_down'"
            raise invalid_value(text, key="uncertainty_down")
        if self.provenance == "calibrated" and self.calibrated_at is None:
            text = (
                "is 'calibrated', which needs the key 'calibrated_at' with the keys "
                "mass, coupling, edge, preset and source"
            )
            raise invalid_value(text, key="provenance")
        if self.provenance != "calibrated" and self.calibrated_at is not None:
            text = (
                f"is {self.provenance!r}; a number with 'calibrated_at' must have "
                "provenance 'calibrated'"
            )
            raise invalid_value(text, key="provenance")
        return self


class Count(StrictModel):
    """A number of observed events.

    Attributes:
        value: Number of events, >= 0.
        unit: Always "events".
        provenance: How far the number can be trusted.
        source: Texkey with table or figure; or words.
    """

    value: Annotated[int, Field(ge=0)]
    unit: Literal["events"]
    provenance: Provenance
    source: Text


def quantity_check(
    unit: str,
    *,
    above: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> AfterValidator:
    """Make the validator of a quantity that must have a unit and lie in a range.

    Args:
        unit: The unit it must be given in.
        above: Exclusive lower bound in that unit.
        minimum: Inclusive lower bound in that unit.
        maximum: Inclusive upper bound in that unit.

    Returns:
        A pydantic validator, for use in ``Annotated[Quantity, ...]``.
    """
    bounds = [
        *([f"> {above:g}"] if above is not None else []),
        *([f">= {minimum:g}"] if minimum is not None else []),
        *([f"<= {maximum:g}"] if maximum is not None else []),
    ]
    allowed = " and ".join(bounds)

    def check(quantity: Quantity) -> Quantity:
        if quantity.unit != unit:
            text = f"is {quantity.unit!r} but must be {unit!r}"
            raise invalid_value(text, key="unit")
        value = quantity.value
        if (
            (above is not None and value <= above)
            or (minimum is not None and value < minimum)
            or (maximum is not None and value > maximum)
        ):
            text = f"is {value:g} {unit} but must be {allowed}"
            raise invalid_value(text, key="value")
        return quantity

    return AfterValidator(check)
