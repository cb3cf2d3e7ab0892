r"""Proton-proton cross sections that enter the bremsstrahlung rate.

A proton of momentum $P$ radiates a dark photon that carries the energy $zP$ and then
interacts with the rest of its energy. So the rate is a splitting function times
$\sigma(s')/\sigma(s)$, with the squared energies before and after the emission

$$s = 2 m_p P + 2 m_p^2, \qquad s' = 2 m_p P (1 - z) + 2 m_p^2 .$$

Both come from one function here, because mixing two definitions of $s$ (as
$s' = (m_p + P)^2 (1 - z)$ against $s = 2 m_p P$) makes the ratio 1.4 times too large.
The Bluemlein-Brunner rate takes the ratio of total cross sections, 2409.09123 the
non-single-diffractive cross section after the emission over the total one before it.
"""

from __future__ import annotations

from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import PROTON_MASS

__all__ = [
    "BEAM_MOMENTUM",
    "cross_section_ratio",
    "non_single_diffractive_cross_section_mb",
    "non_single_diffractive_ratio",
    "squared_energy",
    "total_cross_section_mb",
]

BEAM_MOMENTUM: Final = 400.0
"""Momentum of the SPS protons [GeV] (NA62 beam-dump mode, 2303.08666)."""


def squared_energy(
    momentum_fraction: Float[Array, " *point"], *, beam_momentum: float = BEAM_MOMENTUM
) -> Float[Array, " *point"]:
    r"""Squared centre-of-mass energy left to the proton after the emission.

    $$s' = 2 m_p P (1 - z) + 2 m_p^2,$$

    which is $s$ at $z = 0$. The proton mass is that of `core.constants` and never the
    mass of the dark photon.

    Args:
        momentum_fraction: $z$, the fraction of $P$ taken by the dark photon, in [0, 1].
        beam_momentum: $P$ [GeV].

    Returns:
        Squared energy [GeV^2].
    """
    remaining = beam_momentum * (1.0 - momentum_fraction)
    return 2.0 * PROTON_MASS * remaining + 2.0 * PROTON_MASS**2


def total_cross_section_mb(
    squared_energy: Float[Array, " *point"],
) -> Float[Array, " *point"]:
    r"""Total proton-proton cross section.

    $$\sigma_{pp} = 35.45 + 0.308 \ln^2(s/28.94)
      + 42.53\, s^{-0.458} - 33.34\, s^{-0.545}\ \mathrm{mb},$$

    $s$ in GeV^2: 39.86 mb for 400 GeV protons. A fit to data above about 5 GeV of
    centre-of-mass energy; at $z = 0.9$ it is used at 8.8 GeV.

    Args:
        squared_energy: $s$ [GeV^2], > 0.

    Returns:
        Cross section [mb].

    References:
        PDG fit (COMPETE form, older parameters) as used by public codes with
        1311.3870; the edition is unverified.

    Examples:
        >>> s = squared_energy(jnp.array(0.0))
        >>> print(f"{float(total_cross_section_mb(s)):.2f} mb")
        39.86 mb
    """
    s = squared_energy
    rise = 0.308 * jnp.log(s / 28.94) ** 2
    return 35.45 + rise + 42.53 * s**-0.458 - 33.34 * s**-0.545


def non_single_diffractive_cross_section_mb(
    squared_energy: Float[Array, " *point"],
) -> Float[Array, " *point"]:
    r"""Non-single-diffractive proton-proton cross section.

    $$\sigma_{NSD} = 1.76 + 19.8\, s^{0.057}\ \mathrm{mb},$$

    $s$ in GeV^2: 30.64 mb for 400 GeV protons.

    Args:
        squared_energy: $s$ [GeV^2], > 0.

    Returns:
        Cross section [mb].

    References:
        2108.05900, parameters as in public codes.
    """
    return 1.76 + 19.8 * squared_energy**0.057


def cross_section_ratio(
    momentum_fraction: Float[Array, " *point"], *, beam_momentum: float = BEAM_MOMENTUM
) -> Float[Array, " *point"]:
    r"""Ratio $\sigma_{pp}(s') / \sigma_{pp}(s)$ of the Bluemlein-Brunner rate.

    Args:
        momentum_fraction: $z$ in [0, 1].
        beam_momentum: $P$ [GeV].

    Returns:
        Ratio [1], 1 at $z = 0$.
    """
    before = squared_energy(
        jnp.zeros_like(momentum_fraction), beam_momentum=beam_momentum
    )
    after = squared_energy(momentum_fraction, beam_momentum=beam_momentum)
    return total_cross_section_mb(after) / total_cross_section_mb(before)


def non_single_diffractive_ratio(
    momentum_fraction: Float[Array, " *point"], *, beam_momentum: float = BEAM_MOMENTUM
) -> Float[Array, " *point"]:
    r"""Ratio $\sigma_{NSD}(s') / \sigma_{pp}(s)$ of the rate of 2409.09123.

    Args:
        momentum_fraction: $z$ in [0, 1].
        beam_momentum: $P$ [GeV].

    Returns:
        Ratio [1], 0.77 at $z = 0$ and 400 GeV.
    """
    before = squared_energy(
        jnp.zeros_like(momentum_fraction), beam_momentum=beam_momentum
    )
    after = squared_energy(momentum_fraction, beam_momentum=beam_momentum)
    return non_single_diffractive_cross_section_mb(after) / total_cross_section_mb(
        before
    )
