"""Masses at which a model says nothing, refused where a number was asked for.

In a map such points have a status instead (`bsmfit.scan.runner.Status`).
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.array_argument import known_values
from bsmfit.errors import InputError
from bsmfit.physics.model import Model

__all__ = ["check_defined", "windows_in_words"]


def windows_in_words(model: Model) -> str:
    """The masses that a model leaves out.

    Args:
        model: The model.

    Returns:
        Words, with the windows in GeV.
    """
    windows = ", ".join(f"{low:g} to {high:g}" for low, high in model.excluded_masses)
    return f"it leaves out {windows} GeV"


def check_defined(model: Model, mass: Float[Array, " *point"]) -> None:
    """Refuse masses inside the windows of a model.

    Args:
        model: The model.
        mass: Masses [GeV]; traced ones pass.

    Raises:
        InputError: A mass inside a window.
    """
    masses = known_values(mass)
    if masses is None:
        return
    outside = masses[~np.asarray(model.defines(jnp.asarray(masses)))]
    if outside.size == 0:
        return
    first = float(outside.flat[0])
    msg = f"mass = {first:g} GeV: {model.name} says nothing there; "
    raise InputError(msg + windows_in_words(model))
