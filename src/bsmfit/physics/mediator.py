"""What a new particle is, at one point of a model.

A model is a function ``(mass, coupling) -> Mediator``. Everything that a search needs
to know about the new physics is in the four fields of `Mediator`; everything that is a
property of the experiment (spectra, acceptance, protons) is in the channel. So a new
theory is one function and a new search is one record.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.core.constants import HBAR_C

__all__ = ["Mediator", "is_physical", "lifetime_length"]


class Mediator(eqx.Module):
    """A new particle at one point (mass, coupling) of a model.

    Attributes:
        mass: Mass [GeV].
        decay_width: Total width [GeV]; 0 for a stable particle.
        branching_ratios: Branching ratio by final state (``"ee"``, ``"mumu"``, ...),
            each within [0, 1]; a closed channel is exactly 0. A final state that leaves
            no trace is called ``"invisible"``.
        production: Strength by production process, the factor by which the process's
            unit-strength yield is multiplied: epsilon squared for dark-photon
            bremsstrahlung, BR(pi0 -> gamma A') for ``"pi0-decay"``, BR(K+ -> pi+ X) for
            ``"kaon-to-pion"``. A closed process is exactly 0.
    """

    mass: Float[Array, ""]
    decay_width: Float[Array, ""]
    branching_ratios: dict[str, Float[Array, ""]]
    production: dict[str, Float[Array, ""]]


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
        stable particle), the branching ratios are within [0, 1] and no production
        strength is negative; not a number is none of these.
    """
    # a stable particle may name no final state
    shares = jnp.stack(
        [jnp.zeros_like(mediator.mass), *mediator.branching_ratios.values()]
    )
    strengths = jnp.stack(list(mediator.production.values()))
    has_width = (mediator.decay_width >= 0.0) & jnp.isfinite(mediator.decay_width)
    are_shares = jnp.all((shares >= 0.0) & (shares <= 1.0 + 1e-9))
    are_rates = jnp.all((strengths >= 0.0) & jnp.isfinite(strengths))
    return (mediator.mass > 0.0) & has_width & are_shares & are_rates
