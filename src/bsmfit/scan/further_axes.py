"""Axes beside mass and coupling: values of further parameters of a model.

    {"share": (0.1, 0.5)} --check_further--> FurtherAxes --values(k)--> one plane each

The planes are in the order of the axes, the last one fastest, and each has all masses
as rows: row r of a map with n masses is mass r % n of plane r // n.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bsmfit.core.argument import instances, real_number
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.model import Model

__all__ = ["FurtherAxes", "further_names", "planes_of"]

_LARGEST = 100_000
"""Most values of one further parameter."""


@dataclass(frozen=True)
class FurtherAxes:
    """Values of further parameters, each an axis.

    Attributes:
        axes: Name and values, strictly ascending, of each parameter.

    Examples:
        >>> axes = FurtherAxes((("a", (1.0, 2.0)), ("b", (3.0, 4.0, 5.0))))
        >>> axes.n_plane, axes.values(4)
        (6, {'a': 2.0, 'b': 4.0})
    """

    axes: tuple[tuple[str, tuple[float, ...]], ...] = ()

    @classmethod
    def of(
        cls, model: Model, given: Mapping[str, Sequence[float]] | None
    ) -> FurtherAxes:
        """Check values for the parameters of a model.

        Args:
            model: The model.
            given: Values by name of the parameter, in any order; none where None.

        Returns:
            The axes, values ascending.

        Raises:
            UnknownNameError: The model has no such parameter.
            InputError: No value, one twice, or one that is no finite number.
        """
        axes = []
        for name, values in (given or {}).items():
            if name not in model.parameters:
                kind = f"parameter of model {model.name!r},"
                raise UnknownNameError.from_choices(kind, name, model.parameters)
            hint = "write [0.1, 0.5, 1.0]"
            entries = instances(f"values of {name}", values, object, hint=hint)
            numbers = tuple(sorted(real_number(name, value) for value in entries))
            if not numbers or len(set(numbers)) < len(numbers):
                shown = ", ".join(f"{number:g}" for number in numbers[:8]) or "none"
                msg = f"values of {name} are {shown}: give one or more different values"
                raise InputError(msg)
            if len(numbers) > _LARGEST:
                msg = (
                    f"{name} has {len(numbers)} values, more than the {_LARGEST} of "
                    "a further axis"
                )
                raise InputError(msg)
            axes.append((name, numbers))
        return cls(tuple(axes))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(name for name, _ in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each."""
        return tuple(len(values) for _, values in self.axes)

    @property
    def n_plane(self) -> int:
        """Number of planes; 1 where there is no further axis."""
        return math.prod(self.shape)

    def values(self, plane: int) -> dict[str, float]:
        """The parameters of one plane.

        Args:
            plane: Its number, from 0 on.

        Returns:
            Value by name.
        """
        places = np.unravel_index(plane, self.shape) if self.axes else ()
        return {
            name: values[int(place)]
            for (name, values), place in zip(self.axes, places, strict=True)
        }

    def in_words(self) -> tuple[tuple[str, str], ...]:
        """Name and values, to the last bit, for a plan."""
        return tuple((name, ",".join(map(repr, v))) for name, v in self.axes)


def further_names(dataset: xr.Dataset) -> tuple[str, ...]:
    """Names of the axes of a result beside mass and coupling.

    Args:
        dataset: Result of a scan.

    Returns:
        The names; none for a plane.
    """
    return tuple(str(dim) for dim in dataset["n_signal"].dims[:-2])


def planes_of(
    dataset: xr.Dataset,
) -> Iterator[tuple[dict[str, float], xr.Dataset]]:
    """The planes of a result, one for each value of its further axes.

    Args:
        dataset: Result of a scan.

    Yields:
        Values of the parameters and the plane, whose ``parameters`` say them; the
        dataset itself where it is a plane.
    """
    names = further_names(dataset)
    shape = tuple(dataset.sizes[name] for name in names)
    if not names:
        yield {}, dataset
        return
    for place in np.ndindex(*shape):
        chosen = dict(zip(names, map(int, place), strict=True))
        values = {name: float(dataset[name].values[i]) for name, i in chosen.items()}
        plane = dataset.isel(chosen, drop=True)
        fixed = json.loads(dataset.attrs.get("parameters", "{}")) | values
        plane.attrs = dataset.attrs | {"parameters": json.dumps(fixed)}
        yield values, plane
