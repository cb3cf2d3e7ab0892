"""A model that is a function in a Python file: where it is, and what its axes are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from bsmfit.records.strict_model import (
    CouplingName,
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = ["FunctionCard", "FunctionNuisance"]

_Mass = Annotated[float, Field(gt=0)]


class FunctionNuisance(StrictModel):
    """A log-normal uncertainty of the rate of some production processes.

    Attributes:
        name: Name; one name is one parameter everywhere.
        size: Size of one standard deviation, relative [1].
        processes: Production processes that it scales together.
    """

    name: Identifier
    size: Annotated[float, Field(gt=0)]
    processes: Annotated[Items[Identifier], Field(min_length=1)]


class FunctionCard(StrictModel):
    """A model whose function is imported.

    Attributes:
        name: Name of the model.
        function: ``package.module:name`` of a function of (mass, coupling), and of the
            `parameters`, that returns a mediator.
        summary: What it is, in one line.
        particle: Symbol of the particle, TeX without dollars.
        coupling: Name of the coupling, the second coordinate of a scan.
        coupling_unit: Unit of the coupling; "1" for a pure number.
        coupling_symbol: Symbol of the coupling, TeX without dollars, or None.
        mass_range: Masses at which the function is valid [GeV].
        excluded_masses: Windows inside them at which it says nothing [GeV].
        parameters: Values of its further arguments, by name.
        nuisances: Uncertainties of its production rates.
    """

    name: Identifier
    function: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    summary: Text
    particle: Text
    coupling: CouplingName
    coupling_unit: Text = "1"
    coupling_symbol: Text | None = None
    mass_range: Annotated[Items[_Mass], Field(min_length=2, max_length=2)]
    excluded_masses: Items[
        Annotated[Items[_Mass], Field(min_length=2, max_length=2)]
    ] = ()
    parameters: Annotated[dict[CouplingName, float], Field(default_factory=dict)]
    nuisances: Items[FunctionNuisance] = ()

    @field_validator("mass_range")
    @classmethod
    def _ascends(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if given[0] >= given[1]:
            text = f"must ascend, not go from {given[0]:g} to {given[1]:g} GeV"
            raise invalid_value(text)
        return given
