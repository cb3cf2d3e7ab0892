"""A further parameter of a model on the first axis of a plane, at one mass.

    model(mass, coupling, parameter) --mass fixed--> plane of (parameter, coupling)

The program of a point is the same; its axes are others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import equinox as eqx
from jaxtyping import Array, Float

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.model import Model
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.runner import PointResult

__all__ = ["ParameterPoint", "check_couplings", "check_parameter_axis"]


class ParameterPoint(eqx.Module):
    """The chain of one point, as a function of a parameter and the coupling.

    Attributes:
        point: The chain as a function of mass and coupling.
        mass: The mass [GeV].
        parameter: Name of the parameter.
    """

    point: ExclusionPoint
    mass: Float[Array, ""]
    parameter: str = eqx.field(static=True)

    def __call__(
        self, value: Float[Array, ""], coupling: Float[Array, ""]
    ) -> PointResult:
        """The numbers of one point of a map.

        Args:
            value: Value of the parameter.
            coupling: Coupling, > 0.

        Returns:
            The result for the runner.
        """
        model = self.point.model.with_parameters(**{self.parameter: value})
        return dataclasses.replace(self.point, model=model)(self.mass, coupling)


def check_parameter_axis(
    model: Model, given: str | Mapping[str, Axis | PointList]
) -> tuple[str, Axis | PointList]:
    """Name and axis of the parameter of a plane.

    Args:
        model: The new physics.
        given: Name of a parameter with a usual axis, or name and axis.

    Returns:
        Both.

    Raises:
        UnknownNameError: The model has no such parameter.
        InputError: No axis, more than one parameter, or values that cannot be.
    """
    if isinstance(given, str):
        name, axis = given, None
    elif len(given) == 1:
        ((name, axis),) = given.items()
    else:
        msg = (
            f"parameter = {dict(given)!r}: one parameter is on the first axis of a "
            'plane; write {"lifetime_ps": (10.0, 1e6, 100)}'
        )
        raise InputError(msg)
    if name not in model.parameters:
        kind = f"parameter of model {model.name!r},"
        raise UnknownNameError.from_choices(kind, name, model.parameters)
    note = model.parameter_note(name)
    if axis is None and note.axis is not None:
        axis = Axis(*note.axis)
    if axis is None:
        msg = f"{model.name} has no usual axis of {name}; give {name}=LO:HI:N"
        raise InputError(msg)
    note.checked(axis.low)
    note.checked(axis.high)
    return name, axis


def check_couplings(model: Model, couplings: Axis | PointList) -> None:
    """Refuse couplings that cannot be, such as a branching ratio above 1.

    Args:
        model: The new physics.
        couplings: The coupling axis.

    Raises:
        InputError: The axis ends above the highest coupling.
    """
    if couplings.high > model.highest_coupling:
        msg = (
            f"{model.coupling} range {couplings.low:g} to {couplings.high:g} goes "
            f"beyond the largest value that it can have, {model.highest_coupling:g}"
        )
        raise InputError(msg)
