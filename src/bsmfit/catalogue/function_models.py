"""Models from functions of the user's own, imported because the user asked for it.

    card.yaml --FunctionCard--> package.module:name --import--> Model

Nothing is imported unless code was allowed. The folder of the card is searched first.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bsmfit.catalogue.files import display_path, sha256_of
from bsmfit.catalogue.yaml_file import load_yaml, read_yaml
from bsmfit.errors import DataFileError, InputError, UnknownNameError
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.model import Model, ProductionNuisance
from bsmfit.records.function_card import FunctionCard

__all__ = ["function_model", "names_a_function"]


def names_a_function(path: Path) -> bool:
    """Whether a card names a function of the user's own.

    Args:
        path: The card.

    Returns:
        True for the form of `FunctionCard`.
    """
    return "function" in load_yaml(path).content


def function_model(path: Path, *, allow_code: bool) -> Model:
    """Build the model of a card that names a function.

    Args:
        path: The card.
        allow_code: Whether the user allows its code to run.

    Returns:
        The model; card and Python file are among its inputs.

    Raises:
        InputError: Code was not allowed.
        DataFileError: The card is not valid, or its function cannot be imported.
        UnknownNameError: The module has no function of that name.
    """
    card = read_yaml(path, FunctionCard)
    if not allow_code:
        msg = (
            f"{display_path(path)}: function: {card.function} runs Python code of "
            "yours; say --allow-code (load_model(..., allow_code=True)) if you trust it"
        )
        raise InputError(msg)
    function = _imported(card.function, path)
    source = inspect.getsourcefile(inspect.unwrap(function))
    files = [path] if source is None else [path, Path(source)]
    low, high = card.mass_range
    return Model(
        function=function,
        name=card.name,
        preset=card.function,
        coupling=card.coupling,
        coupling_unit=card.coupling_unit,
        coupling_symbol=card.coupling_symbol or "",
        particle=card.particle,
        mass_range=(low, high),
        excluded_masses=tuple((start, end) for start, end in card.excluded_masses),
        parameters=dict(card.parameters),
        nuisances=tuple(
            ProductionNuisance(entry.name, 1.0 + entry.size, entry.processes)
            for entry in card.nuisances
        ),
        inputs=tuple((f"{f.parent.name}/{f.name}", sha256_of(f)) for f in files),
    )


def _imported(target: str, path: Path) -> Callable[..., Mediator]:
    """The function ``package.module:name``."""
    module_name, _, name = target.partition(":")
    where = f"{display_path(path)}: function: {target}"
    with _searched_first(path.resolve().parent):
        try:
            module = importlib.import_module(module_name)
        # whatever the code of a user does when it is imported
        except Exception as error:
            msg = f"{where} cannot be imported: {type(error).__name__}: {error}"
            raise DataFileError(msg) from error
    found: dict[str, Any] = vars(module)
    function = found.get(name)
    if not callable(function):
        known = [key for key, value in found.items() if callable(value)]
        kind = f"{where}, function of {module_name},"
        raise UnknownNameError.from_choices(kind, name, known)
    return cast("Callable[..., Mediator]", function)


@contextmanager
def _searched_first(folder: Path) -> Iterator[None]:
    """Modules in a folder can be imported, before all others."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
