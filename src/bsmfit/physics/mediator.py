"""What a new particle is, at one point of a model.

A model is a function ``(mass, coupling) -> Mediator``. Everything that a search needs
to know about the new physics is in the four fields of `Mediator`; everything that is a
property of the experiment (spectra, acceptance, protons) is in the channel. So a new
theory is one function and a new search is one record.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.core.argument import instance, text
from bsmfit.core.array_argument import known_values, scalar
from bsmfit.core.constants import HBAR_C
from bsmfit.errors import InputError

__all__ = ["Mediator", "check_physical", "is_physical", "lifetime_length"]

# rounding of a sum of branching ratios
_ROUNDING = 1e-6
_MAP_OVER = "a model is a function of one point; map over several with jax.vmap"


def _scalar(name: str, value: object) -> Float[Array, ""]:
    return scalar(f"Mediator.{name}", value, hint=_MAP_OVER)


def _by_name(name: str, values: object) -> dict[str, Float[Array, ""]]:
    """Scalars by final state or process."""
    hint = f'write {name}={{"name": number}}'
    given = instance(f"Mediator.{name}", values, Mapping, hint=hint)
    return {
        text(f"key of Mediator.{name}", key): _scalar(f"{name}[{key!r}]", value)
        for key, value in given.items()
    }


class Mediator(eqx.Module):
    """A new particle at one point (mass, coupling) of a model.

    Attributes:
        mass: Mass [GeV].
        decay_width: Total width [GeV]; 0 for a stable particle.
        branching_ratios: Branching ratio by final state (``"ee"``, ``"mumu"``, ...),
            each within [0, 1] and at most 1 together; a closed channel is exactly 0. A
            final state that leaves no trace is called ``"invisible"``.
        production: Strength by production process, the factor by which the process's
            unit-strength yield is multiplied: epsilon squared for dark-photon
            bremsstrahlung, BR(pi0 -> gamma A') for ``"pi0-decay"``, BR(K+ -> pi+ X) for
            ``"kaon-to-pion"``. A closed process is exactly 0.
    """

    mass: Float[Array, ""] = eqx.field(converter=partial(_scalar, "mass"))
    decay_width: Float[Array, ""] = eqx.field(converter=partial(_scalar, "decay_width"))
    branching_ratios: dict[str, Float[Array, ""]] = eqx.field(
        converter=partial(_by_name, "branching_ratios")
    )
    production: dict[str, Float[Array, ""]] = eqx.field(
        converter=partial(_by_name, "production")
    )


def lifetime_length(mediator: Mediator) -> Float[Array, ""]:
    r"""Proper decay length.

    $$c\tau = \hbar c / \Gamma_{tot}$$

    Args:
        mediator: A particle with non-zero total width.

    Returns:
        Proper decay length [m].
    """
    return HBAR_C / mediator.decay_width


def is_physical(mediator: Mediator) -> Bool[Array, ""]:
    """Whether the numbers of a mediator can be those of a particle.

    Args:
        mediator: What a model function returned.

    Returns:
        True where the mass is positive, the width finite and not negative (0 is a
        stable particle), the branching ratios are not negative and at most 1 together
        and no production strength is negative; not a number is none of these.
    """
    # a stable particle may name no final state
    zero = jnp.zeros_like(mediator.mass)
    shares = jnp.stack([zero, *mediator.branching_ratios.values()])
    strengths = jnp.stack([zero, *mediator.production.values()])
    has_width = (mediator.decay_width >= 0.0) & jnp.isfinite(mediator.decay_width)
    are_shares = jnp.all(shares >= 0.0) & (jnp.sum(shares) <= 1.0 + _ROUNDING)
    are_rates = jnp.all((strengths >= 0.0) & jnp.isfinite(strengths))
    has_mass = (mediator.mass > 0.0) & jnp.isfinite(mediator.mass)
    return has_mass & has_width & are_shares & are_rates


def check_physical(mediator: Mediator, who: str) -> None:
    """Refuse a mediator whose known numbers cannot be those of a particle.

    Args:
        mediator: What a model function returned; traced numbers pass.
        who: Whose mediator it is, for the message.

    Raises:
        InputError: A number is none, negative or infinite, or the branching ratios sum
            to more than 1.
    """
    shares = {
        f"branching_ratios[{name!r}]": value
        for name, value in mediator.branching_ratios.items()
    }
    rates = {
        f"production[{name!r}]": value for name, value in mediator.production.items()
    }
    fields = {"mass": mediator.mass, "decay_width": mediator.decay_width}
    for name, value in (fields | shares | rates).items():
        number = known_values(value)
        if number is not None and not 0.0 <= number < float("inf"):
            msg = (
                f"{who}: {name} = {float(number):g} must be finite and not negative; "
                "return 0 for what is closed"
            )
            raise InputError(msg)
    known = [known_values(value) for value in shares.values()]
    total = sum(float(value) for value in known if value is not None)
    if total > 1.0 + _ROUNDING:
        msg = (
            f"{who}: the branching ratios {', '.join(mediator.branching_ratios)} sum "
            f"to {total:.6g}; divide each partial width by the total width"
        )
        raise InputError(msg)
