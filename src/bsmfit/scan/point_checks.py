"""What every point function refuses before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bsmfit._x64 import require_x64
from bsmfit.channels.channel import Channel
from bsmfit.errors import InputError, PrecisionError, UnknownNameError
from bsmfit.physics.model import Model

__all__ = ["check_nuisances", "check_parts"]


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
    _check_types(model, channels, cl)
    if not 0.0 < cl < 1.0:
        msg = f"cl = {cl:g} must lie between 0 and 1, for example 0.9"
        raise InputError(msg)
    names = [channel.name for channel in channels]
    if not names or len(set(names)) != len(names):
        msg = f"give one or more different channels, not {names}"
        raise InputError(msg)
    _check_precision(model, channels)


def _check_types(model: object, channels: Sequence[object], cl: object) -> None:
    """Refuse what is not a model, a channel or a level, in words."""
    if not isinstance(model, Model):
        msg = (
            f"the model is a {type(model).__name__}, not a bsmfit.Model; load one with "
            'bsmfit.load_model("dark-photon") or wrap a function: '
            'bsmfit.Model(function, name="mine")'
        )
        raise InputError(msg)
    for channel in channels:
        if not isinstance(channel, Channel):
            msg = (
                f"a channel is a {type(channel).__name__}, not a channel; load it with "
                'bsmfit.load_channel("na62-dump-mumu")'
            )
            raise InputError(msg)
    if isinstance(cl, str | bytes) or not np.isscalar(cl):
        msg = f"cl = {cl!r} must be a number between 0 and 1, for example 0.9"
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
