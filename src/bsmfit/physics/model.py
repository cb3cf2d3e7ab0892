"""A model: the function that turns (mass, coupling) into a mediator, and its name.

A new theory is one such function, written anywhere::

    def my_vector(mass, coupling):
        ...
        return Mediator(mass, width, {"mumu": ...}, {"proton-bremsstrahlung": ...})

    model = Model(my_vector, name="my-vector", coupling="g")

The uncertainty of its production rates is part of the model too, since it follows the
production process and not the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
from jaxtyping import Array, Float

from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["Model", "ProductionNuisance"]


_RESERVED = (
    "mass",
    "quantile",
    "n_signal",
    "n_up_obs",
    "n_up_exp",
    "cls_obs",
    "cls_exp",
    "n_obs",
    "status",
)


@dataclass(frozen=True)
class ProductionNuisance:
    """A log-normal uncertainty of the rate of some production processes.

    Attributes:
        name: Name of the nuisance; the same name is the same parameter everywhere.
        kappa: Factor by which one standard deviation scales the rate, > 1.
        processes: Production processes that it scales together.
    """

    name: str
    kappa: float
    processes: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.processes, str):
            msg = (
                f"nuisance {self.name!r}: processes is a string; "
                f"write ({self.processes!r},)"
            )
            raise InputError(msg)
        if not self.kappa > 1.0:
            msg = f"nuisance {self.name!r}: kappa = {self.kappa} must be above 1"
            raise InputError(msg)


class Model(eqx.Module):
    """A named function from (mass, coupling) to a `Mediator`.

    Attributes:
        function: The function, of two scalars: mass [GeV] and coupling.
        name: Name of the model, written into every output.
        coupling: Name of the coupling, the label of the axis: ``"epsilon"``.
        particle: Symbol of the particle for the axis of a figure, TeX without dollars.
        preset: Name of the production preset, written into every output.
        mass_range: Masses at which the function is valid, lowest and highest [GeV].
        nuisances: Uncertainties of the production rates.
        inputs: Digests of the data files that went into it, by file name.
        coupling_unit: Unit of the coupling; "1" for a pure number.
        coupling_symbol: Symbol of the coupling for the axis of a figure, TeX without
            dollars; "" where the name has to do.
    """

    function: Callable[[Float[Array, ""], Float[Array, ""]], Mediator]
    name: str = eqx.field(static=True)
    coupling: str = eqx.field(static=True, default="coupling")
    particle: str = eqx.field(static=True, default="")
    preset: str = eqx.field(static=True, default="as given")
    mass_range: tuple[float, float] = eqx.field(
        static=True, default=(0.0, float("inf"))
    )
    nuisances: tuple[ProductionNuisance, ...] = eqx.field(static=True, default=())
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True, default=())
    coupling_unit: str = eqx.field(static=True, default="1")
    coupling_symbol: str = eqx.field(static=True, default="")

    def __check_init__(self) -> None:
        if not self.coupling.isidentifier() or self.coupling in _RESERVED:
            msg = (
                f"model {self.name!r}: coupling = {self.coupling!r} names the axis of "
                f"a result; use a word other than {', '.join(_RESERVED)}"
            )
            raise InputError(msg)
        if not self.mass_range[0] < self.mass_range[1]:
            msg = f"model {self.name!r}: mass_range = {self.mass_range} is reversed"
            raise InputError(msg)

    def __call__(self, mass: Float[Array, ""], coupling: Float[Array, ""]) -> Mediator:
        """The new particle at one point.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            The mediator.
        """
        return self.function(mass, coupling)
