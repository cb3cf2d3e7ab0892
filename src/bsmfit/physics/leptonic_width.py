"""Width of a dark photon into a pair of charged leptons.

The dark photon couples to the electromagnetic current with strength epsilon e, so the
width is that of a massive photon. The same expression with massless leptons is the unit
in which the hadronic width is measured (`bsmfit.physics.hadronic_ratio`).
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import FINE_STRUCTURE

__all__ = ["leptonic_width", "massless_lepton_width"]


def massless_lepton_width(
    mass: Float[Array, " *point"], mixing: Float[Array, " *point"]
) -> Float[Array, " *point"]:
    r"""Width of a dark photon into one pair of massless charged leptons.

    $$\Gamma_0 = \frac{1}{3}\,\alpha\,\epsilon^2 m_{A'}$$

    Args:
        mass: Dark-photon mass [GeV], > 0.
        mixing: Kinetic mixing epsilon [1], >= 0.

    Returns:
        Partial width [GeV].

    References:
        arXiv:1801.04847, text of sec. 2 (equation number unverified).
    """
    return FINE_STRUCTURE * mixing**2 * mass / 3.0


def leptonic_width(
    mass: Float[Array, " *point"],
    mixing: Float[Array, " *point"],
    *,
    lepton_mass: float,
) -> Float[Array, " *point"]:
    r"""Partial width of a dark photon into one pair of charged leptons.

    $$\Gamma(A' \to \ell^+\ell^-) = \frac{1}{3}\,\alpha\,\epsilon^2 m_{A'}
      \sqrt{1 - 4x}\,(1 + 2x), \qquad x = m_\ell^2 / m_{A'}^2$$

    At and below threshold the width and its gradient are exactly zero. Just above, the
    slope in the mass grows like the inverse square root of the distance (S-wave
    pair) and stays finite.

    Args:
        mass: Dark-photon mass [GeV], > 0.
        mixing: Kinetic mixing epsilon [1], >= 0.
        lepton_mass: Lepton mass [GeV], > 0.

    Returns:
        Partial width [GeV].

    References:
        arXiv:1801.04847, eq. (2.13) as numbered in its public code.

    Examples:
        >>> import jax.numpy as jnp
        >>> one = jnp.array(1.0)
        >>> float(leptonic_width(0.1 * one, one, lepton_mass=0.10566))
        0.0
    """
    threshold = 2.0 * lepton_mass
    is_open = mass > threshold
    u = threshold / jnp.where(is_open, mass, 2.0 * threshold)
    beta = jnp.sqrt((1.0 - u) * (1.0 + u))
    width = massless_lepton_width(mass, mixing) * beta * (1.0 + 0.5 * u**2)
    return jnp.where(is_open, width, jnp.zeros_like(width))
