"""The switch for 64-bit floats, which statistics needs and the user turns."""

from __future__ import annotations

from bsmfit._compiler import choose_quick_emitter
from bsmfit.errors import PrecisionError

__all__ = ["enable_x64", "require_x64"]


def enable_x64() -> None:
    """Switch JAX to 64-bit floats for this process.

    To be called before the first array is made. The command line calls it itself; the
    library never does, since the switch is global. Where XLA has not started yet, it is
    also told to compile for CPUs in half the time (`bsmfit._compiler`; name
    ``--xla_cpu_use_fusion_emitters`` in ``XLA_FLAGS`` to choose for yourself).

    Examples:
        >>> import bsmfit
        >>> bsmfit.enable_x64()
    """
    import jax

    choose_quick_emitter()
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
