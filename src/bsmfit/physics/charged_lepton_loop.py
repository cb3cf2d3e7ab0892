r"""Kinetic mixing of a vector with the photon by loops of charged leptons.

A vector that couples to $x_\ell$ mixes with the photon through every charged lepton,

$$\frac{\epsilon(q^2)}{g} = \frac{e}{2\pi^2}\sum_\ell x_\ell
  \int_0^1 dx\,x(1-x)\,\ln\frac{m_\ell^2 - x(1-x)q^2 - i0}{\mu^2},$$

which does not depend on $\mu$ where $\sum_\ell x_\ell = 0$. For $L_\mu - L_\tau$ it is
$e\ln(m_\tau^2/m_\mu^2)/12\pi^2 = 1/69$ at $q^2 = 0$, up to a sign that no rate of a
vector without other charges of quarks depends on.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ELECTRON_MASS,
    FINE_STRUCTURE,
    MUON_MASS,
    TAU_MASS,
)

__all__ = ["loop_mixing_squared", "vacuum_polarisation"]

_MASSES: Final = (ELECTRON_MASS, MUON_MASS, TAU_MASS)
_SERIES_END: Final = 0.1
_N_SERIES: Final = 10


def _beta_function(n: int) -> float:
    """Integral of x^n (1-x)^n over 0 to 1."""
    return math.factorial(n) ** 2 / math.factorial(2 * n + 1)


def vacuum_polarisation(
    t: Float[Array, " *point"],
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    r"""Loop integral at $t = q^2/m_\ell^2 \ge 0$, real and imaginary part.

    $$\int_0^1 dx\,x(1-x)\ln[1-x(1-x)t-i0]
      = \tfrac16\Big[-\tfrac53-\tfrac4t+\big(1+\tfrac2t\big)\,\beta
        \ln\frac{\beta+1}{\beta-1}\Big], \qquad \beta = \sqrt{1-4/t}$$

    with a series below 0.1, where the terms in 1/t cancel. The imaginary part is
    $-\tfrac{\pi}{6}(1+2/t)\beta$ above $t = 4$, the decay to a pair.

    Args:
        t: Squared momentum over the squared mass [1], >= 0.

    Returns:
        Real and imaginary part [1].

    Examples:
        >>> print(f"{float(vacuum_polarisation(jnp.array(1e-3))[0]):.4e}")
        -3.3337e-05
    """
    small = jnp.where(t < _SERIES_END, t, 0.0)
    series = jnp.zeros_like(t)
    for n in range(_N_SERIES, 0, -1):
        series = small * (series - _beta_function(n + 1) / n)
    away = jnp.where(t < _SERIES_END, 1.0, t)
    is_below, is_above = away < 4.0, away > 4.0
    inverse = 4.0 / jnp.where(is_below, away, 2.0) - 1.0
    root = jnp.sqrt(inverse)
    below = 2.0 * root * jnp.arctan2(jnp.ones_like(root), root)
    beta = jnp.sqrt(1.0 - 4.0 / jnp.where(is_above, away, 8.0))
    above = 2.0 * beta * jnp.arctanh(beta)
    branch = jnp.where(is_below, below, jnp.where(is_above, above, 0.0))
    closed = (-5.0 / 3.0 - 4.0 / away + (1.0 + 2.0 / away) * branch) / 6.0
    cut = jnp.where(is_above, -math.pi / 6.0 * (1.0 + 2.0 / away) * beta, 0.0)
    real = jnp.where(t < _SERIES_END, series, closed)
    return real, jnp.where(t < _SERIES_END, 0.0, cut)


def loop_mixing_squared(
    mass: Float[Array, ""], charges: tuple[Float[Array, ""] | float, ...]
) -> Float[Array, ""]:
    r"""Squared modulus of the kinetic mixing of an on-shell vector.

    Args:
        mass: Mass of the vector [GeV], >= 0; $q^2 = m^2$.
        charges: Charges of electron, muon and tau in units of e; they add up to zero.

    Returns:
        $|\epsilon|^2$ [1], in units of the squared unit of the charges.

    References:
        One loop, as for the running of the fine-structure constant; for
        $L_\mu-L_\tau$ in arXiv:1803.05466 (equation unverified).

    Examples:
        >>> unit = (4.0 * math.pi * FINE_STRUCTURE) ** -0.5
        >>> squared = loop_mixing_squared(jnp.array(0.0), (0.0, unit, -unit))
        >>> print(f"{float(squared) ** -0.5:.1f}")
        69.3
    """
    real, imaginary = jnp.zeros_like(mass), jnp.zeros_like(mass)
    for charge, lepton in zip(charges, _MASSES, strict=True):
        loop = vacuum_polarisation((mass / lepton) ** 2)
        real = real + charge * (loop[0] + math.log(lepton / MUON_MASS) / 3.0)
        imaginary = imaginary + charge * loop[1]
    # e^2 / 2 pi^2: charges are in units of e
    norm = 4.0 * math.pi * FINE_STRUCTURE / (2.0 * math.pi**2)
    return norm**2 * (real**2 + imaginary**2)
