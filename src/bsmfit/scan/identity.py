"""A digest of what models and channels compute, whatever they are called.

What the package builds (models from cards, channels from records) is its class, its
arrays and its fields: the code is that of the version, which the plan names as well. A
function of one's own is what JAX traces it to: every operation and every constant, so
that captured numbers, arguments of `functools.partial`, arrays, globals and branches on
them all count, and names and memory addresses do not.

    field by field --> SHA-256 <-- operation by operation <-- jax.make_jaxpr(function)

What calls back into Python from a compiled program is out of sight of a trace; a plan
with such a function gets a digest that never comes again.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import re
import sys
import types
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.extend import core

__all__ = ["computation_digest"]

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")

_OTHERS = ("bsmfit", "equinox", "jax", "jaxlib", "numpy", "jaxtyping")
"""Whose code is known by a version."""

_RULES = frozenset(
    ("jvp_jaxpr_fun", "jvp_jaxpr_thunk", "fwd_jaxpr_thunk", "fwd", "bwd", "out_trees")
)
"""Parameters of a primitive that say how it is differentiated, not what it gives."""


def computation_digest(model: object, channels: Iterable[object]) -> str:
    """SHA-256 of what a model and channels compute.

    Numbers of what the package builds count to seven digits, since the last bits of a
    table differ between machines; constants of functions of one's own count to the
    last bit.

    Args:
        model: The model, with its function of (mass, coupling).
        channels: The channels: equinox modules, dataclasses and what they hold.

    Returns:
        The digest, in hexadecimal. It differs in every call where the model calls back
        into Python.

    Examples:
        >>> one, two = (jax.jit(lambda m, g, x=x: x * g) for x in (1.0, 2.0))
        >>> computation_digest(one, []) == computation_digest(two, [])
        False
    """
    description = _Description()
    function = getattr(model, "function", None)
    if callable(model) and not _is_ours(model):
        description.trace(model)
    elif callable(function) and not _is_ours(function):
        further = getattr(model, "parameters", {})
        description.trace(functools.partial(function, **further))
        description.skip(function)
    description.add(model)
    for channel in channels:
        description.add(channel)
    return description.digest()


class _Description:
    """Feeds a digest with everything that an object is."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._open: set[int] = set()
        self._traced: set[int] = set()

    def digest(self) -> str:
        return self._sha.hexdigest()

    def add(self, value: object) -> None:
        """Describe any object, by its kind."""
        if value is None or isinstance(value, bool | int | float | complex | str):
            self._text(type(value).__name__, repr(value))
        elif isinstance(value, bytes):
            self._bytes("bytes", value)
        elif isinstance(value, enum.Enum):
            self._text("enum", str(value))
        elif eqx.is_array(value) or isinstance(value, np.generic | np.ndarray):
            self._rounded(np.asarray(value))
        elif isinstance(value, Mapping):
            self._text("mapping", str(len(value)))
            for key in sorted(value, key=str):
                self.add(key)
                self.add(value[key])
        elif isinstance(value, tuple | list | frozenset | set):
            ordered = isinstance(value, tuple | list)
            self._text("items", str(len(value)))
            for item in value if ordered else sorted(value, key=str):
                self.add(item)
        elif isinstance(value, type):
            self._text("class", f"{value.__module__}.{value.__qualname__}")
        else:
            self._guarded(value)

    def _guarded(self, value: object) -> None:
        """Describe an object that may hold itself."""
        if id(value) in self._open:
            self._text("again", type(value).__qualname__)
            return
        self._open.add(id(value))
        try:
            self._object(value)
        finally:
            self._open.discard(id(value))

    def _object(self, value: object) -> None:
        kind = type(value)
        self.add(kind)
        if id(value) in self._traced:
            return
        if isinstance(value, functools.partial):
            self.add((value.func, value.args, value.keywords))
        elif isinstance(value, types.MethodType):
            self.add((value.__func__, value.__self__))
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.BuiltinFunctionType | types.ModuleType):
            self._text("name", getattr(value, "__qualname__", value.__name__))
        elif dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                self._text("field", field.name)
                self.add(getattr(value, field.name, None))
        else:
            self._text("other", _ADDRESS.sub("", repr(value)))
        self._methods(kind)

    def _function(self, function: types.FunctionType) -> None:
        """A function that is not traced: its code, and all that the code can see."""
        self._text("function", f"{function.__module__}.{function.__qualname__}")
        if _is_ours(function):
            return
        self._code(function.__code__)
        self.add((function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            self.add(cell.cell_contents)
        known = function.__globals__
        used = [name for name in function.__code__.co_names if name in known]
        self.add({name: known[name] for name in used})

    def _methods(self, kind: type) -> None:
        """The code of a class of one's own, such as a channel."""
        for base in kind.__mro__:
            top = base.__module__.partition(".")[0]
            if top in _OTHERS or top in sys.stdlib_module_names:
                continue
            for name, member in sorted(vars(base).items()):
                function = getattr(member, "__func__", getattr(member, "fget", member))
                function = getattr(function, "__wrapped__", function)
                if isinstance(function, types.FunctionType):
                    self._text("method", name)
                    self._code(function.__code__)

    def _code(self, code: types.CodeType) -> None:
        self._bytes("code", code.co_code)
        self._text("names", repr((code.co_names, code.co_varnames)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self._text("constant", _ADDRESS.sub("", repr(constant)))

    def skip(self, function: object) -> None:
        """What is described by its trace already."""
        self._traced.add(id(function))

    def trace(self, function: Callable[..., Any]) -> None:
        """Describe a function of (mass, coupling) by what JAX makes of it."""
        self._traced.add(id(function))
        point = jax.ShapeDtypeStruct((), jax.dtypes.canonicalize_dtype(float))
        # JAX keeps traces by function; a new one sees what a global holds now
        fresh = functools.partial(lambda *arguments: function(*arguments))
        program, result = jax.make_jaxpr(fresh, return_shape=True)(point, point)
        self._text("result", _ADDRESS.sub("", str(jax.tree.structure(result))))
        self._program(program)

    def _program(self, program: core.ClosedJaxpr) -> None:
        for constant in program.consts:
            self._exact(constant)
        self._operations(program.jaxpr)

    def _operations(self, jaxpr: core.Jaxpr) -> None:
        """Operations in order; variables by where they first appear."""
        names: dict[core.Var, int] = {}

        def variables(kind: str, atoms: Iterable[Any]) -> None:
            for atom in atoms:
                if isinstance(atom, core.Literal):
                    self._text(kind, str(atom.aval))
                    self._exact(atom.val)
                else:
                    number = names.setdefault(atom, len(names))
                    self._text(kind, f"{number} {atom.aval}")

        variables("inputs", (*jaxpr.constvars, *jaxpr.invars))
        for equation in jaxpr.eqns:
            name = equation.primitive.name
            self._text("operation", name)
            if "callback" in name:
                self._text("never again", uuid.uuid4().hex)
            variables("in", equation.invars)
            for key in sorted(equation.params.keys() - _RULES):
                self._text("parameter", key)
                self._parameter(equation.params[key])
            variables("out", equation.outvars)
        variables("outputs", jaxpr.outvars)

    def _parameter(self, value: Any) -> None:
        if isinstance(value, core.ClosedJaxpr):
            self._program(value)
        elif isinstance(value, core.Jaxpr):
            self._operations(value)
        elif isinstance(value, tuple | list):
            self._text("items", f"{type(value).__name__} {len(value)}")
            for item in value:
                self._parameter(item)
        elif isinstance(value, dict):
            self._text("mapping", str(len(value)))
            for key in sorted(value, key=str):
                self._text("key", str(key))
                self._parameter(value[key])
        elif isinstance(value, jax.Array | np.ndarray | np.generic):
            self._exact(value)
        else:
            self._text("value", _ADDRESS.sub("", str(value)))

    def _rounded(self, value: np.ndarray) -> None:
        """An array to seven digits: the last bits differ between machines."""
        self._text("array", f"{value.dtype} {value.shape}")
        if value.dtype.kind != "f":
            self._bytes("values", np.ascontiguousarray(value).tobytes())
            return
        mantissa, exponent = np.frexp(value.astype(float))
        finite = np.isfinite(value)
        digits = np.rint(np.where(finite, mantissa, 0.0) * 2**24).astype("<i8")
        self._bytes("digits", digits.tobytes())
        self._bytes("exponent", np.where(finite, exponent, 0).astype("<i8").tobytes())
        self._bytes("special", value[~finite].astype("<f8").tobytes())

    def _exact(self, value: Any) -> None:
        """A constant to the last bit."""
        array = np.asarray(value)
        self._text("exact", f"{array.dtype} {array.shape}")
        self._bytes("values", np.ascontiguousarray(array).tobytes())

    def _text(self, kind: str, text: str) -> None:
        self._bytes(kind, text.encode())

    def _bytes(self, kind: str, content: bytes) -> None:
        # with their lengths, so that no two sequences of entries join to the same
        self._sha.update(f"{kind}:{len(content)}:".encode())
        self._sha.update(content)


def _is_ours(value: object) -> bool:
    """Whether the code of a callable is that of this version of the package."""
    if isinstance(value, functools.partial):
        return False
    function = getattr(value, "__func__", value)
    is_function = isinstance(function, types.FunctionType)
    module = function.__module__ if is_function else type(value).__module__
    return module == "bsmfit" or (module or "").startswith("bsmfit.")
