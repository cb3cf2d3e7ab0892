"""Numbers that a preset has chosen, as further parameters of its model.

    function with fields --ChosenNumbers--> function(mass, coupling, decay_length=...)

A number that is an argument can be fixed at another value, scanned or profiled over
(`bsmfit.physics.model.Model.parameters`), by one compiled program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from bsmfit.errors import UnknownNameError
from bsmfit.physics.mediator import Mediator

__all__ = ["ChosenNumbers"]


class ChosenNumbers(eqx.Module):
    """A function of mass and coupling some of whose fields are arguments.

    Attributes:
        function: The function, a module with its numbers in fields.
        places: Name of each argument, and where the number is: fields and keys of
            mappings from the function on, with dots between.
    """

    function: Callable[..., Mediator]
    places: tuple[tuple[str, str], ...] = eqx.field(static=True)

    def __call__(
        self,
        mass: Float[Array, ""],
        coupling: Float[Array, ""],
        **values: Float[Array, ""],
    ) -> Mediator:
        """The particle at one point.

        Args:
            mass: Mass [GeV].
            coupling: Coupling.
            **values: Numbers in place of those of the function.

        Returns:
            The mediator.

        Raises:
            UnknownNameError: A number that is none of `places`.
        """
        function, places = self.function, dict(self.places)
        for name, value in values.items():
            if name not in places:
                kind = "parameter"
                raise UnknownNameError.from_choices(kind, name, places)
            function = _replaced(function, places[name].split("."), value)
        return function(mass, coupling)


def _replaced(owner: Any, path: list[str], value: object) -> Any:
    """A copy of a module or mapping with another number in one place."""
    key, rest = path[0], path[1:]
    old = owner[key] if isinstance(owner, Mapping) else getattr(owner, key)
    changed = {key: _replaced(old, rest, value) if rest else value}
    if isinstance(owner, Mapping):
        return {**owner, **changed}
    return dataclasses.replace(owner, **changed)
