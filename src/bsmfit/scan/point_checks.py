"""What every point function refuses before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp

from bsmfit._x64 import require_x64
from bsmfit.channels.channel import Channel
from bsmfit.core.argument import instance, level
from bsmfit.errors import InputError, PrecisionError, UnknownNameError
from bsmfit.physics.model import Model

__all__ = ["as_channels", "check_nuisances", "check_parts"]


def check_parts(model: Model, channels: Sequence[Channel], cl: float) -> None:
    """Refuse what is not a model, different channels or a level, in words.

    Args:
        model: The new physics.
        channels: The searches.
        cl: Confidence level.

    Raises:
        InputError: One of them is not what it should be.
        PrecisionError: float64 is off, or was when a part was made.
    """
    require_x64("a scan")
    hint = (
        'load one with bsmfit.load_model("dark-photon") or wrap a function: '
        'bsmfit.Model(function, name="mine")'
    )
    instance("the model", model, Model, hint=hint)
    names = [channel.name for channel in as_channels(channels)]
    level(cl)
    if not names or len(set(names)) != len(names):
        msg = f"give one or more different channels, not {names}"
        raise InputError(msg)
    _check_precision(model, channels)


def as_channels(channels: object) -> tuple[Channel, ...]:
    """Searches from what a user may write for them: one, or several in a list.

    Args:
        channels: What was given.

    Returns:
        The searches.

    Raises:
        InputError: It is neither, or an entry is no search.
    """
    if isinstance(channels, Channel):
        return (channels,)
    given = channels
    is_text = isinstance(channels, str | bytes | Mapping)
    if isinstance(channels, Iterable) and not is_text:
        entries = tuple(channels)
        searches = tuple(entry for entry in entries if isinstance(entry, Channel))
        if len(searches) == len(entries):
            return searches
        given = next(entry for entry in entries if not isinstance(entry, Channel))
    hint = 'load it with bsmfit.load_channel("na62-dump-mumu")'
    msg = f"a channel is a {type(given).__name__}, not a channel; {hint}"
    raise InputError(msg)


def check_nuisances(model: Model, processes: Sequence[str]) -> None:
    """Refuse an uncertainty of a process that the model does not have.

    Args:
        model: The new physics.
        processes: Its production processes.

    Raises:
        UnknownNameError: A nuisance names another process.
    """
    for nuisance in model.nuisances:
        for process in nuisance.processes:
            if process not in processes:
                kind = f"process of nuisance {nuisance.name!r},"
                raise UnknownNameError.from_choices(kind, process, processes)


def _check_precision(model: Model, channels: Sequence[Channel]) -> None:
    """Refuse parts that were made before 64-bit floats were switched on."""
    for part in (model, *channels):
        for leaf in jax.tree.leaves(eqx.filter(part, eqx.is_inexact_array)):
            if leaf.dtype != jnp.float64:
                msg = (
                    f"{part.name} was made with {leaf.dtype} floats: call "
                    "bsmfit.enable_x64() first, then load or make it again"
                )
                raise PrecisionError(msg)
