r"""Effective coupling of an axion-like particle to two photons at its own mass.

$$c_{\gamma\gamma}^{eff} = c_{\gamma\gamma} + A_G(m)\,c_{GG}
  + \frac{m^2}{m^2-m_{\pi^0}^2}\,\frac{c_{uu}-c_{dd}}2
  + \sum_fN_cQ_f^2c_{ff}B_1\Big(\frac{4m_f^2}{m^2}\Big)$$

The sum is over leptons and heavy quarks. $A_G$ is known in closed form below 70 MeV,

$$A_G = -1.92 + \frac{m_d-m_u}{m_d+m_u}\,\frac{m^2}{m^2-m_{\pi^0}^2},$$

and from a digitised width above. Left out: mixing of the light quarks with eta and
eta', which counts where the particle has couplings to quarks and none to gluons, and
then only beside decays to hadrons that are far more frequent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ELECTRON_MASS,
    ETA_MASS,
    FINE_STRUCTURE,
    MUON_MASS,
    PION_NEUTRAL_MASS,
    TAU_MASS,
)
from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_mixing import QUARK_ASYMMETRY, regular_inverse

__all__ = [
    "fermion_loop",
    "gluon_amplitude_low_mass",
    "gluon_amplitude_sign",
    "other_photon_coupling",
    "photon_width",
]

_LIGHT_QUARKS: Final = -1.92
"""Two-photon coupling from gluons at zero mass, leading order and strange quark."""

_CHANGES_OF_SIGN: Final = ((PION_NEUTRAL_MASS, 0.147), (ETA_MASS, 0.6833))
"""Masses between which A_G is positive: from a pole to the next zero of the digitised
width [GeV]. Unknown above the pole of eta'."""

_LOOPS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "electron": (ELECTRON_MASS, 1.0),
        "muon": (MUON_MASS, 1.0),
        "tau": (TAU_MASS, 1.0),
        "charm": (1.27, 4.0 / 3.0),
        "bottom": (4.18, 1.0 / 3.0),
        "top": (162.8, 4.0 / 3.0),
    }
)
"""Mass [GeV] (quarks: MSbar, PDG) and N_c Q^2 of fermions in the loop."""


def photon_width(
    mass: Float[Array, " *point"], coupling_squared: Float[Array, " *point"]
) -> Float[Array, " *point"]:
    r"""Width into two photons at $f$ = 1 GeV.

    $$\Gamma = \frac{\alpha^2m^3}{(4\pi)^3f^2}|c_{\gamma\gamma}^{eff}|^2
      = \frac{g^2m^3}{64\pi},\qquad g = \frac{\alpha c}{\pi f}$$

    Args:
        mass: $m_a$ [GeV].
        coupling_squared: $|c_{\gamma\gamma}^{eff}|^2$ [1].

    Returns:
        Width times $f^2$ [GeV^3].

    Examples:
        >>> one = jnp.array(1.0)
        >>> print(f"{float(photon_width(one, one)):.2e}")
        2.68e-08
    """
    return FINE_STRUCTURE**2 * mass**3 / (4.0 * math.pi) ** 3 * coupling_squared


def fermion_loop(
    mass: Float[Array, " *point"], fermion_mass: float
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    r"""Loop function of a fermion with an axial coupling.

    $$B_1(\tau) = 1-\tau f^2(\tau),\qquad f = \arcsin\tau^{-1/2}\ (\tau\ge1),\quad
      f = \frac\pi2+\frac i2\ln\frac{1+\sqrt{1-\tau}}{1-\sqrt{1-\tau}}\ (\tau<1)$$

    1 for a light fermion, $-1/3\tau$ for a heavy one.

    Args:
        mass: $m_a$ [GeV], > 0.
        fermion_mass: Mass of the fermion [GeV]; $\tau = 4m_f^2/m_a^2$.

    Returns:
        Real and imaginary part.

    References:
        arXiv:1708.00443, eq. (22) as cited in a public code.
    """
    inverse = (mass / (2.0 * fermion_mass)) ** 2
    is_open = inverse > 1.0
    closed = jnp.where(is_open, 0.5, inverse)
    # at threshold the slope of the arcsine is infinite: kept just below it
    angle = jnp.arcsin(jnp.sqrt(jnp.minimum(closed, 1.0 - 1e-12)))
    below = 1.0 - angle**2 / closed
    opened = jnp.where(is_open, inverse, 2.0)
    beta = jnp.sqrt(jnp.maximum(1.0 - 1.0 / opened, 1e-12))
    log = jnp.log((1.0 + beta) ** 2 * opened)
    real = 1.0 - (0.25 * math.pi**2 - 0.25 * log**2) / opened
    imaginary = -0.5 * math.pi * log / opened
    return jnp.where(is_open, real, below), jnp.where(is_open, imaginary, 0.0)


def gluon_amplitude_low_mass(mass: Float[Array, " *point"]) -> Float[Array, " *point"]:
    """A_G in closed form, valid well below the mass of the eta.

    Args:
        mass: Mass of the axion-like particle [GeV].

    Returns:
        Two-photon coupling for c_GG = 1 [1].
    """
    square = mass**2
    pole = square * regular_inverse(square, PION_NEUTRAL_MASS)
    return _LIGHT_QUARKS + QUARK_ASYMMETRY * pole


def gluon_amplitude_sign(mass: Float[Array, " *point"]) -> Float[Array, " *point"]:
    """Sign of A_G, for interference with other couplings.

    Args:
        mass: Mass of the axion-like particle [GeV].

    Returns:
        1 or -1; a convention above the mass of the eta'.
    """
    inside = [(mass > low) & (mass < high) for low, high in _CHANGES_OF_SIGN]
    return jnp.where(jnp.any(jnp.stack(inside), axis=0), 1.0, -1.0)


def other_photon_coupling(
    mass: Float[Array, ""], couplings: LowEnergyCouplings
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Two-photon coupling from everything but gluons.

    Args:
        mass: Mass of the axion-like particle [GeV], > 0.
        couplings: Couplings at 2 GeV.

    Returns:
        Real and imaginary part.
    """
    square = mass**2
    isovector = 0.5 * (couplings["up"] - couplings["down"])
    real = couplings["photon"]
    real += isovector * square * regular_inverse(square, PION_NEUTRAL_MASS)
    imaginary = jnp.zeros_like(mass)
    for name, (fermion_mass, weight) in _LOOPS.items():
        loop = fermion_loop(mass, fermion_mass)
        real += weight * couplings[name] * loop[0]
        imaginary += weight * couplings[name] * loop[1]
    return real, imaginary
