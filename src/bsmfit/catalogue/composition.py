"""Production put together by a user: processes, each with a factor on its rate.

    {"proton-bremsstrahlung": 1, "pi0-decay": 0.07} + preset --> preset with these

What a card would refuse is refused here, in the words of an argument: a process that
the model does not have, one counted twice, a negative factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from bsmfit.core.argument import LARGEST_FACTOR, real_number
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.records.model_preset import Preset

__all__ = ["composed_preset", "composition_in_words"]

_Preset = TypeVar("_Preset", bound=Preset)


def composed_preset(
    preset: _Preset, processes: Mapping[str, Any], *, model: str
) -> tuple[_Preset, dict[str, float]]:
    """A preset with other processes.

    Args:
        preset: What is not said stays as here.
        processes: Factor on the rate by process, >= 0.
        model: Name of the model, for messages.

    Returns:
        The preset, and the factors.

    Raises:
        UnknownNameError: A process that the model does not have.
        InputError: No process, a factor that is none, or processes that do not go
            together.
    """
    hint = 'write {"proton-bremsstrahlung": 1.0, "pi0-decay": 0.07}'
    if not isinstance(processes, Mapping) or not processes:
        msg = f"processes = {processes!r} must name one process or more; {hint}"
        raise InputError(msg)
    factors = {}
    for process, factor in processes.items():
        if process not in preset.allowed_processes:
            kind = f"production process of {model},"
            allowed = preset.allowed_processes
            raise UnknownNameError.from_choices(kind, str(process), allowed)
        factors[process] = real_number(
            f"factor of {process}", factor, low=0.0, high=LARGEST_FACTOR
        )
    factors = {process: factor for process, factor in factors.items() if factor > 0.0}
    if not factors:
        msg = "all factors of processes are 0; nothing would be produced"
        raise InputError(msg)
    try:
        return _with_processes(preset, tuple(factors)), factors
    except ValidationError as error:
        words = "; ".join(_in_words(entry) for entry in error.errors())
        msg = f"processes of {model} do not go together: {words}"
        raise InputError(msg) from None


def _with_processes(preset: _Preset, processes: tuple[str, ...]) -> _Preset:
    """The preset with other processes, checked as a card is."""
    nuisances = []
    for entry in preset.nuisances:
        kept = [process for process in entry.processes if process in processes]
        if kept:
            nuisances.append(entry.model_dump() | {"processes": kept})
    fields = preset.model_dump() | {"processes": list(processes), "norms": {}}
    return type(preset).model_validate(fields | {"nuisances": nuisances})


def _in_words(entry: object) -> str:
    """One fault of a preset: the key and what is wrong with it."""
    fields = entry if isinstance(entry, Mapping) else {}
    where = ".".join(map(str, fields.get("loc", ())))
    key = str(fields.get("ctx", {}).get("key", "")) or where
    return f"{key} {fields.get('msg', '')}".strip()


def composition_in_words(factors: Mapping[str, float]) -> str:
    """Processes and factors on one line, as a result declares them.

    Args:
        factors: Factor on the rate by process.

    Returns:
        The sum, with its terms in the order given.

    Examples:
        >>> composition_in_words({"proton-bremsstrahlung": 1.0, "pi0-decay": 0.07})
        'proton-bremsstrahlung + 0.07 pi0-decay'
    """
    terms = (
        process if factor == 1.0 else f"{factor:g} {process}"
        for process, factor in factors.items()
    )
    return " + ".join(terms)
