"""Arrays and random keys that a caller may give: see `bsmfit.core.argument`.

Numbers that are traced (inside `jax.jit`, `jax.grad` or `jax.vmap`) have a type but no
value yet: the type is checked here, and results carry a status for the value.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from bsmfit.core.argument import range_words, shown, then
from bsmfit.errors import InputError

__all__ = ["check_range", "known_values", "random_key", "real_array", "scalar"]


def random_key(name: str, value: object) -> Array:
    """A random key of JAX.

    Args:
        name: The argument, for messages.
        value: What was given.

    Returns:
        The key.

    Raises:
        InputError: It is not one key.
    """
    if isinstance(value, jax.Array):
        is_typed = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
        if is_typed and value.ndim == 0:
            return value
        if value.dtype == jnp.uint32 and value.shape == (2,):
            return value
    msg = (
        f"{name} = {shown(value)} is not a random key; make one from a whole number "
        "with jax.random.key(0)"
    )
    raise InputError(msg)


def real_array(name: str, value: object) -> Float[Array, " ..."]:
    """Real numbers of any shape as 64-bit floats, traced or not.

    Args:
        name: The argument, for messages.
        value: What was given: a number, an array, or nested lists of them.

    Returns:
        The array; in single precision where 64-bit floats are switched off.

    Raises:
        InputError: Text, complex numbers, truth values, None, or lists of unequal
            length.

    Examples:
        >>> real_array("yields", [1, 2.5]).tolist()
        [1.0, 2.5]
    """
    if isinstance(value, jax.Array) and _is_ready(value):
        return value
    array = None
    try:
        is_jax = isinstance(value, jax.Array) or _holds_jax(value)
        array = jnp.asarray(value) if is_jax else np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        pass  # refused below, with what else is no array of numbers
    if array is None or array.dtype.kind not in "fiu":
        msg = f"{name} = {shown(value)} must be a real number or an array of them"
        raise InputError(msg)
    return jnp.asarray(array, dtype=float)


def scalar(name: str, value: object, *, hint: str = "") -> Float[Array, ""]:
    """One real number as a 64-bit float, traced or not.

    Args:
        name: The argument, for messages.
        value: What was given.
        hint: What to do instead, appended to the message.

    Returns:
        The number, an array without axes.

    Raises:
        InputError: It is not one real number.
    """
    array = real_array(name, value)
    if array.ndim:
        msg = f"{name} has the shape {array.shape}, but must be one number{then(hint)}"
        raise InputError(msg)
    return array


def known_values(value: object) -> Float[np.ndarray, " ..."] | None:
    """The numbers of an array, or None where they are traced."""
    return None if isinstance(value, Tracer) else np.asarray(value, float)


def check_range(
    what: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    is_low_open: bool = False,
    hint: str = "",
) -> None:
    """Refuse an array with a number that is not finite or outside a range.

    Args:
        what: The argument, and where it belongs, for messages.
        value: The array; one that is traced passes.
        low: Lowest number allowed.
        high: Highest number allowed.
        is_low_open: Whether `low` itself is refused.
        hint: What to do instead, appended to the message.

    Raises:
        InputError: A number is outside.

    Examples:
        >>> check_range("yields", [0.0, 2.5], low=0.0)
    """
    numbers = known_values(value)
    if numbers is None:
        return
    is_above = (numbers > low) if is_low_open else (numbers >= low)
    is_bad = ~(is_above & (numbers <= high) & np.isfinite(numbers))
    if np.any(is_bad):
        allowed = range_words(low, high, is_low_open, False)
        msg = f"{what}: {float(numbers[is_bad][0]):g} is not a number {allowed}"
        raise InputError(msg + then(hint))


def _holds_jax(value: object) -> bool:
    """Whether nested lists hold an array of JAX, perhaps traced."""
    if isinstance(value, list | tuple):
        return any(isinstance(entry, jax.Array) or _holds_jax(entry) for entry in value)
    return False


def _is_ready(array: Array) -> bool:
    """Whether an array needs no conversion: the very object is handed on."""
    return array.dtype == jnp.result_type(float) and not array.weak_type
