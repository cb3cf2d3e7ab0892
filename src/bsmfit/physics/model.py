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

import dataclasses
import inspect
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.core.argument import (
    LARGEST_FACTOR,
    instance,
    instances,
    real_number,
    text,
)
from bsmfit.core.array_argument import check_range, known_values, scalar
from bsmfit.errors import BsmfitError, InputError, UnknownNameError
from bsmfit.physics.mediator import Mediator, check_physical
from bsmfit.physics.model_parameter import ModelParameter, axis_numbers

__all__ = ["Model", "ProductionNuisance", "abstract_mediator"]

# relative rounding of a mass that a function has worked with
_SAME_MASS = 1e-9
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
        kappa: Factor by which one standard deviation scales the rate, > 1 and at most
            1e6.
        processes: Production processes that it scales together.
    """

    name: str
    kappa: float
    processes: tuple[str, ...]

    def __post_init__(self) -> None:
        text("name of a nuisance", self.name)
        where = f"nuisance {self.name!r}"
        if isinstance(self.processes, str):
            msg = f"{where}: processes is a string; write ({self.processes!r},)"
            raise InputError(msg)
        hint = 'write ("proton-bremsstrahlung",)'
        processes = instances(f"{where}: processes", self.processes, str, hint=hint)
        if not processes:
            msg = f"{where}: processes is empty; {hint}"
            raise InputError(msg)
        kappa = real_number(
            f"{where}: kappa",
            self.kappa,
            low=1.0,
            high=LARGEST_FACTOR,
            is_low_open=True,
            hint="write 1.2 for 20 %",
        )
        object.__setattr__(self, "processes", processes)
        object.__setattr__(self, "kappa", kappa)


class Model(eqx.Module):
    """A named function from (mass, coupling) to a `Mediator`.

    Attributes:
        function: The function, of two scalars: mass [GeV] and coupling.
        name: Name of the model, written into every output.
        coupling: Name of the coupling, the label of the axis: ``"epsilon"``.
        particle: Symbol of the particle for the axis of a figure, TeX without dollars.
        preset: Name of the production preset, written into every output.
        mass_range: Masses at which the function is valid, lowest and highest [GeV].
        excluded_masses: Windows of masses inside the range at which the function says
            nothing, (low, high) [GeV]: a map has a status there and no number.
        nuisances: Uncertainties of the production rates.
        inputs: Digests of the data files that went into it, by file name.
        coupling_unit: Unit of the coupling; "1" for a pure number.
        coupling_symbol: Symbol of the coupling for the axis of a figure, TeX without
            dollars; "" where the name has to do.
        parameters: Values of further arguments of the function, by name: a third
            coupling, a ratio of masses. They are fixed here; `with_parameters` changes
            them and `bsmfit.scan.further_parameter` scans them or profiles over them.
        parameter_notes: Unit, range and usual axis of parameters, where known.
        highest_coupling: Largest value that the coupling can have: 1 of a branching
            ratio.
        coupling_axis: Coupling axis of a scan that names none, in place of that of the
            searches: low, high, number of points in equal ratios.
    """

    function: Callable[..., Mediator]
    name: str = eqx.field(static=True)
    coupling: str = eqx.field(static=True, default="coupling")
    particle: str = eqx.field(static=True, default="")
    preset: str = eqx.field(static=True, default="as given")
    mass_range: tuple[float, float] = eqx.field(
        static=True, default=(0.0, float("inf"))
    )
    excluded_masses: tuple[tuple[float, float], ...] = eqx.field(
        static=True, default=()
    )
    nuisances: tuple[ProductionNuisance, ...] = eqx.field(static=True, default=())
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True, default=())
    coupling_unit: str = eqx.field(static=True, default="1")
    coupling_symbol: str = eqx.field(static=True, default="")
    parameters: dict[str, Float[Array, ""]] = eqx.field(
        default_factory=dict, converter=lambda given: _as_parameters(given)
    )
    parameter_notes: tuple[ModelParameter, ...] = eqx.field(static=True, default=())
    highest_coupling: float = eqx.field(static=True, default=float("inf"))
    coupling_axis: tuple[float, float, int] | None = eqx.field(
        static=True, default=None
    )

    def __check_init__(self) -> None:
        text("name of a model", self.name)
        where = f"model {self.name!r}"
        _check_function(where, self.function, self.parameters)
        is_word = isinstance(self.coupling, str) and self.coupling.isidentifier()
        if not is_word or self.coupling in _RESERVED:
            msg = (
                f"{where}: coupling = {self.coupling!r} names the axis of "
                f"a result; use a word other than {', '.join(_RESERVED)}"
            )
            raise InputError(msg)
        for name in ("particle", "preset", "coupling_unit", "coupling_symbol"):
            if not isinstance(getattr(self, name), str):
                msg = f"{where}: {name} = {getattr(self, name)!r} must be text"
                raise InputError(msg)
        _check_mass_range(where, self.mass_range)
        windows = instances(
            f"{where}: excluded_masses",
            self.excluded_masses,
            tuple,
            hint="write ((0.12, 0.15),)",
        )
        for window in windows:
            _check_mass_range(f"{where}: excluded window", window)
        highest = self.highest_coupling
        if not (isinstance(highest, float) and highest == math.inf):
            what = f"{where}: highest_coupling"
            real_number(what, highest, low=0.0, is_low_open=True)
        if self.coupling_axis is not None:
            axis_numbers(f"{where}: coupling", self.coupling_axis)
        hint = "make it with ModelParameter(name)"
        what = f"{where}: parameter_notes"
        instances(what, self.parameter_notes, ModelParameter, hint=hint)
        hint = 'write (("file.csv", sha256),)'
        instances(f"{where}: inputs", self.inputs, tuple, hint=hint)
        hint = "make it with ProductionNuisance(name, kappa, processes)"
        kind, what = ProductionNuisance, f"{where}: nuisances"
        names = [
            entry.name for entry in instances(what, self.nuisances, kind, hint=hint)
        ]
        if len(set(names)) < len(names):
            msg = f"{where}: nuisances has a name twice ({', '.join(names)})"
            raise InputError(msg)

    def __hash__(self) -> int:
        """Without the parameters, arrays; `jax.jit` of a model asks for it."""
        fields = (f for f in dataclasses.fields(self) if f.name != "parameters")
        return hash(tuple(getattr(self, f.name) for f in fields))

    def with_parameters(self, **values: float | Float[Array, ""]) -> Model:
        """The same model with other values of its further parameters.

        Args:
            **values: Values by name; arrays, traced ones too, pass as they are.

        Returns:
            The model; no program is compiled again for it.

        Raises:
            UnknownNameError: A parameter that the model does not have.
            InputError: A value that is no finite number, or outside its range.
        """
        for name in values:
            if name not in self.parameters:
                kind = f"parameter of model {self.name!r},"
                raise UnknownNameError.from_choices(kind, name, self.parameters)
            if not isinstance(values[name], jax.Array):
                self.parameter_note(name).checked(values[name])
        return replace(self, parameters={**self.parameters, **values})

    def parameter_note(self, name: str) -> ModelParameter:
        """What is known of a further parameter.

        Args:
            name: Its name.

        Returns:
            Unit, symbol, range and usual axis; nothing but the name where none is
            stated.
        """
        known = {note.name: note for note in self.parameter_notes}
        return known.get(name, ModelParameter(name))

    def defines(self, mass: Float[Array, " *point"]) -> Bool[Array, " *point"]:
        """Whether the model says anything at a mass: outside its excluded windows.

        Args:
            mass: Mass [GeV].

        Returns:
            False inside a window.
        """
        inside = jnp.zeros(jnp.shape(mass), bool)
        for low, high in self.excluded_masses:
            inside = inside | ((mass > low) & (mass < high))
        return ~inside

    def __call__(self, mass: Float[Array, ""], coupling: Float[Array, ""]) -> Mediator:
        """The new particle at one point.

        Args:
            mass: Mass [GeV], > 0.
            coupling: Coupling, >= 0.

        Returns:
            The mediator. Where numbers are traced and its mass is not the one asked
            for, its width is nan, which no physical particle has.

        Raises:
            InputError: A mass or coupling that cannot be, a function that returns no
                mediator, another mass or unphysical numbers, one that branches on a
                traced number, or one that raises an error of its own.
        """
        mass, coupling = scalar("mass", mass), scalar("coupling", coupling)
        check_range("mass", mass, low=0.0, is_low_open=True)
        check_range("coupling", coupling, low=0.0)
        mediator = _evaluate(self, mass, coupling)
        if mediator.mass is not mass:
            mediator = _with_mass(self.name, mediator, mass)
        check_physical(mediator, f"model {self.name!r}")
        return mediator


def abstract_mediator(model: Model) -> Mediator:
    """Names and shapes of what a model gives, without its numbers.

    Args:
        model: The model.

    Returns:
        A mediator of `jax.ShapeDtypeStruct`.

    Raises:
        InputError: As `Model` where it is called.
    """
    one = jax.ShapeDtypeStruct((), jnp.result_type(float))
    # what a function of the user's computes may change with a global that it reads
    is_fixed = isinstance(model.function, eqx.Module)
    call = _call_traced_once if is_fixed else Model.__call__
    return eqx.filter_eval_shape(call, model, one, one)


@eqx.filter_jit
def _call_traced_once(
    model: Model, mass: Float[Array, ""], coupling: Float[Array, ""]
) -> Mediator:
    return model(mass, coupling)


def _as_parameters(given: object) -> dict[str, Array]:
    """Further parameters as numbers of jax; those that are stay as they are."""
    hint = 'write parameters={"other": 0.5}'
    values: dict[str, Any] = dict(instance("parameters", given, Mapping, hint=hint))  # pyright: ignore[reportArgumentType] of any keys
    return {
        text("name of a parameter", name, hint=hint): value
        if isinstance(value, jax.Array)
        else jnp.asarray(real_number(f"parameter {name!r}", value))
        for name, value in values.items()
    }


def _check_function(where: str, function: object, further: Mapping[str, Any]) -> None:
    """Refuse what cannot be called with a mass, a coupling and the parameters."""
    hint = "write def function(mass, coupling): ... return bsmfit.Mediator(...)"
    if not callable(function):
        msg = f"{where}: function is a {type(function).__name__}, no function; {hint}"
        raise InputError(msg)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # compiled code does not say; the call will
    try:
        signature.bind(1.0, 1.0, **further)
    except TypeError as error:
        more = f" and {', '.join(further)}" if further else ""
        hint += "; further arguments are named in parameters={...}"
        msg = f"{where}: the function takes {signature}, not two numbers{more}; {hint}"
        raise InputError(msg) from error


def _check_mass_range(where: str, mass_range: object) -> None:
    """Refuse a range of masses that is none."""
    is_pair = isinstance(mass_range, tuple | list) and len(mass_range) == 2
    if not is_pair:
        msg = f"{where}: mass_range = {mass_range!r} must be (lowest, highest) in GeV"
        raise InputError(msg)
    low, high = mass_range  # pyright: ignore[reportGeneralTypeIssues] a pair
    low = real_number(f"{where}: lowest mass", low, low=0.0)
    if not (isinstance(high, float) and high == math.inf):
        high = real_number(f"{where}: highest mass", high)
    if not low < high:
        msg = f"{where}: mass_range = {mass_range} is reversed"
        raise InputError(msg)


def _evaluate(
    model: Model, mass: Float[Array, ""], coupling: Float[Array, ""]
) -> Mediator:
    """Call the function of a model and say what is wrong with what it does."""
    try:
        mediator = model.function(mass, coupling, **model.parameters)
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
    ) as error:
        msg = (
            f"the function of model {model.name!r} needs the value of a number that "
            "jax traces (an `if`, a `float` or a function of math or numpy does); "
            "write jnp.where(condition, this, that), and jax.numpy in place of numpy"
        )
        raise InputError(msg) from error
    except BsmfitError:
        raise
    except Exception as error:
        origin = str(getattr(model.function, "__module__", ""))
        if origin.partition(".")[0] == "bsmfit":
            raise  # a fault of this package keeps its traceback
        msg = f"the function of model {model.name!r} fails{_place(error)}: {error!r}"
        raise InputError(msg) from error
    if not isinstance(mediator, Mediator):
        msg = (
            f"the function of model {model.name!r} returns a "
            f"{type(mediator).__name__}; it must return a bsmfit.Mediator"
        )
        raise InputError(msg)
    if not mediator.production:
        msg = f"model {model.name!r} names no production process"
        raise InputError(msg)
    return mediator


def _place(error: Exception) -> str:
    """Where the function was when it failed, as far as that is known."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return (
        f" in {Path(frames[0].filename).name}, line {frames[0].lineno}"
        if frames
        else ""
    )


def _with_mass(name: str, mediator: Mediator, mass: Float[Array, ""]) -> Mediator:
    """Refuse another mass than the one asked for; where traced, take away the width."""
    is_same = jnp.abs(mediator.mass - mass) <= _SAME_MASS * mass
    known = known_values(is_same)
    if known is None:
        width = jnp.where(is_same, mediator.decay_width, jnp.nan)
        return replace(mediator, decay_width=width)
    if not known:
        msg = (
            f"the function of model {name!r} returns a particle of "
            f"{float(mediator.mass):g} GeV where {float(mass):g} GeV was asked for; "
            "the axis of a map is the mass of the particle"
        )
        raise InputError(msg)
    return mediator
