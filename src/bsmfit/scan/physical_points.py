"""Whether a function of the user's own describes a particle anywhere on a plane.

A map of such a function would hold a status at every point and no number. Said before
anything is computed or written, with what is wrong at the first point.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.errors import InputError
from bsmfit.physics.mediator import is_physical
from bsmfit.physics.model import Model
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.parameter_axis import ParameterPoint
from bsmfit.scan.planned_map import PlannedMap

__all__ = ["check_planned", "check_some_point"]


def check_planned(planned: PlannedMap) -> None:
    """Refuse a map of one plane on which no point has a particle.

    Args:
        planned: The map.

    Raises:
        InputError: As `check_some_point`.
    """
    if planned.further.names:
        return
    point, masses, chosen = planned.point, planned.first, None
    if isinstance(point, ParameterPoint):
        masses = PointList((float(point.mass),))
        chosen = (point.parameter, planned.first)
    check_some_point(planned.model, masses, planned.coupling, parameter=chosen)


def check_some_point(
    model: Model,
    masses: Axis | PointList,
    couplings: Axis | PointList,
    *,
    parameter: tuple[str, Axis | PointList] | None = None,
) -> None:
    """Refuse a plane on which no point has a particle with physical numbers.

    Args:
        model: The new physics.
        masses: The mass axis [GeV].
        couplings: The coupling axis.
        parameter: Name and axis of the parameter on the first axis, at one mass.

    Raises:
        InputError: Widths, branching ratios or production strengths are negative or no
            numbers at every point, or the function of the model fails.
    """
    name, first = ("", masses) if parameter is None else parameter
    rows, columns = jnp.asarray(first.points()), jnp.asarray(couplings.points())
    mass = jnp.asarray(masses.low)
    if bool(jnp.any(_has_physical(model, rows, columns, mass, name))):
        return
    one, at = _point(model, rows[0], mass, name)
    try:
        one(at, columns[0])
        reason = f"model {model.name!r}: its numbers are those of no particle"
    except InputError as error:
        reason = str(error)
    value = f", {name} = {float(rows[0]):g}" if name else ""
    msg = (
        f"{reason} (at {float(at):g} GeV, {model.coupling} = {float(columns[0]):g}"
        f"{value}; no point of the plane is better)"
    )
    raise InputError(msg)


@eqx.filter_jit
def _has_physical(
    model: Model,
    rows: Float[Array, " row"],
    columns: Float[Array, " column"],
    mass: Float[Array, ""],
    name: str,
) -> Bool[Array, " row"]:
    """Whether a row of the plane has a physical point; one row at a time in memory."""

    def of_row(row):
        one, at = _point(model, row, mass, name)
        return jnp.any(jax.vmap(lambda column: is_physical(one(at, column)))(columns))

    return jax.lax.map(of_row, rows)


def _point(
    model: Model, row: Float[Array, ""], mass: Float[Array, ""], name: str
) -> tuple[Model, Float[Array, ""]]:
    """Model and mass of a row of the plane."""
    return (model.with_parameters(**{name: row}), mass) if name else (model, row)
