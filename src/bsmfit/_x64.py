"""The switch for 64-bit floats, which statistics needs and the user turns."""

from __future__ import annotations

from bsmfit.errors import PrecisionError

__all__ = ["enable_x64", "require_x64"]


def enable_x64() -> None:
    """Switch JAX to 64-bit floats for this process.

    To be called before the first array is made. The command line calls it itself; the
    library never does, since the switch is global.

    Examples:
        >>> import bsmfit
        >>> bsmfit.enable_x64()
    """
    import jax

    jax.config.update("jax_enable_x64", True)


def require_x64(caller: str) -> None:
    """Raise an error unless 64-bit floats are switched on.

    Args:
        caller: The public function that needs them, for the message.

    Raises:
        PrecisionError: float64 is switched off.
    """
    import jax

    if not jax.config.read("jax_enable_x64"):
        msg = (
            f"{caller} needs 64-bit floats: call bsmfit.enable_x64() first, "
            "before any array is made"
        )
        raise PrecisionError(msg)
