r"""Primakoff production: a photon turns into an axion-like particle at a nucleus.

    gamma + N --t--> a + N,   L = g a F Fdual / 4

The nucleus is heavy and at rest and takes no energy. Photons come from decays of
mesons in the target; of them a share $\sigma_a/\sigma_\gamma$ is turned into axion-like
particles in place of being absorbed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import ELECTRON_MASS, FINE_STRUCTURE

__all__ = [
    "BARN",
    "COPPER",
    "IRON",
    "LARGEST_TRANSFER",
    "NUCLEI",
    "PRIMAKOFF",
    "Nucleus",
    "atomic_screening",
    "conversion_probability",
    "helm_form_factor",
    "photon_absorption_cross_section",
    "primakoff_cross_section",
    "primakoff_differential",
]

_FERMI: Final = 1.0 / 0.1973269804
"""One femtometre [1/GeV]."""

BARN: Final = 1.0 / 3.893793721e-4
"""One barn [GeV^-2]."""

_AVOGADRO: Final = 6.02214076e23

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
LARGEST_TRANSFER: Final = 0.36
"""Largest -t that is integrated [GeV^2]: beyond, nuclei do not scatter as a whole."""


@dataclass(frozen=True)
class Nucleus:
    """What a target is made of.

    Attributes:
        charge: Atomic number Z.
        mass_number: Nucleons A.
        molar_mass: Molar mass [g/mol].
        radiation_length: Radiation length [g/cm^2].
    """

    charge: int
    mass_number: int
    molar_mass: float
    radiation_length: float


COPPER: Final = Nucleus(29, 63, 63.546, 12.86)
"""Copper (PDG)."""

IRON: Final = Nucleus(26, 56, 55.845, 13.84)
"""Iron (PDG)."""

NUCLEI: Final[Mapping[str, Nucleus]] = MappingProxyType({"Cu": COPPER, "Fe": IRON})
"""Materials of targets, by chemical symbol."""

PRIMAKOFF: Final = "primakoff"
"""Name of the production process in a dump."""


def helm_form_factor(
    transfer: Float[Array, " *point"], nucleus: Nucleus
) -> Float[Array, " *point"]:
    r"""Charge form factor of a nucleus.

    $$F = \frac{3j_1(qR)}{qR}\,e^{-q^2s^2/2},\qquad q = \sqrt{-t},\quad
      R^2 = c^2+\tfrac73\pi^2a^2-5s^2$$

    with c = 1.23 A^(1/3) - 0.60 fm, a = 0.52 fm, s = 0.9 fm.

    Args:
        transfer: $-t$ [GeV^2], >= 0.
        nucleus: The nucleus.

    Returns:
        Form factor [1]; 1 at 0.

    References:
        Lewin and Smith, Astropart. Phys. 6 (1996) 87, eq. (4.7) and (4.11).
    """
    c = 1.23 * nucleus.mass_number ** (1.0 / 3.0) - 0.60
    skin = 0.9 * _FERMI
    radius_squared = c**2 + 7.0 / 3.0 * math.pi**2 * 0.52**2 - 5.0 * 0.9**2
    square = transfer * (radius_squared * _FERMI**2)
    is_small = square < 1e-2
    x2 = jnp.where(is_small, 1.0, square)
    x = jnp.sqrt(x2)
    full = 3.0 * (jnp.sin(x) - x * jnp.cos(x)) / (x2 * x)
    # the series is good to 1e-10 below x = 0.1
    series = 1.0 - square / 10.0 + square**2 / 280.0
    return jnp.where(is_small, series, full) * jnp.exp(-0.5 * transfer * skin**2)


def atomic_screening(
    transfer: Float[Array, " *point"], nucleus: Nucleus
) -> Float[Array, " *point"]:
    r"""Screening of the nucleus by its electrons, a factor on the amplitude.

    $$\frac{-a^2t}{1-a^2t},\qquad a = \frac{111}{m_eZ^{1/3}}$$

    It matters where $m_a^2/2E$ is below 14 keV: for copper and 100 GeV below 50 MeV.

    Args:
        transfer: $-t$ [GeV^2], >= 0.
        nucleus: The nucleus.

    Returns:
        Factor [1], 0 to 1.

    References:
        Tsai, Rev. Mod. Phys. 46 (1974) 815, as used for axions by Tsai (1986)
        [unverified].
    """
    length = 111.0 / (ELECTRON_MASS * nucleus.charge ** (1.0 / 3.0))
    scaled = length**2 * transfer
    return scaled / (1.0 + scaled)


def primakoff_differential(
    transfer: Float[Array, " *point"],
    mass: Float[Array, ""],
    *,
    energy: Float[Array, ""],
    nucleus: Nucleus = COPPER,
) -> Float[Array, " *point"]:
    r"""Cross section by transfer, at $g$ = 1/GeV; multiply by $g^2$.

    $$\frac{d\sigma}{d|t|} = \frac{\alpha Z^2|F(t)|^2}{4}\,
      \frac{p_a^4\sin^2\theta}{t^2}\,\frac1{2Ep_a},\qquad
      -t = E^2+p_a^2-2Ep_a\cos\theta$$

    Args:
        transfer: $-t$ [GeV^2], > 0.
        mass: $m_a$ [GeV], > 0.
        energy: Energy $E$ of the photon and of the particle [GeV].
        nucleus: The nucleus.

    Returns:
        Cross section over $g^2$ [GeV^-2]: $d\sigma/dt$ in GeV^-4 by GeV^-2; exactly 0
        outside the kinematic limits.

    References:
        arXiv:1904.02091 [unverified]; it is the Primakoff formula with
        $\Gamma_{\gamma\gamma} = g^2m^3/64\pi$.
    """
    is_open = energy > mass
    safe = jnp.where(is_open, energy, 2.0 * mass)
    momentum = jnp.sqrt((safe - mass) * (safe + mass))
    lowest = (mass**2 / (safe + momentum)) ** 2
    highest = (safe + momentum) ** 2
    # p^2 sin^2(theta) = (T - T_min)(T_max - T) / 4 E^2, without differences of cosines
    sine = (transfer - lowest) * (highest - transfer) / (4.0 * safe**2)
    form = helm_form_factor(transfer, nucleus) * atomic_screening(transfer, nucleus)
    strength = 0.25 * FINE_STRUCTURE * nucleus.charge**2 * form**2
    rate = strength * momentum**2 * sine / transfer**2 / (2.0 * safe * momentum)
    return jnp.where(is_open & (sine > 0.0), rate, 0.0)


def primakoff_cross_section(
    mass: Float[Array, ""], energy: Float[Array, ""], *, nucleus: Nucleus = COPPER
) -> Float[Array, ""]:
    r"""Cross section of $\gamma N\to aN$ at $g$ = 1/GeV; multiply by $g^2$.

    $$\sigma = \int_{T_{min}}^{T_{max}}\frac{d\sigma}{dT}\,dT \simeq
      \frac{\alpha Z^2g^2}8\Big[\ln\frac{T_F}{T_{min}}-1\Big],\qquad
      T_{min} \simeq \frac{m^4}{4E^2}$$

    $T_F$ being where the form factor falls.

    Args:
        mass: $m_a$ [GeV], > 0.
        energy: Energy of the photon [GeV].
        nucleus: The nucleus.

    Returns:
        Cross section over $g^2$ [1]: times $g^2$ it is in GeV^-2; exactly 0 where
        closed.
    """
    is_open = energy > mass
    safe = jnp.where(is_open, energy, 2.0 * mass)
    momentum = jnp.sqrt((safe - mass) * (safe + mass))
    low = 2.0 * jnp.log(mass**2 / (safe + momentum))
    high = jnp.log(jnp.minimum((safe + momentum) ** 2, LARGEST_TRANSFER))
    is_open = is_open & (high > low)
    half = 0.5 * jnp.where(is_open, high - low, 1.0)
    transfer = jnp.exp(low + half * (jnp.asarray(_NODES) + 1.0))
    rate = primakoff_differential(transfer, mass, energy=safe, nucleus=nucleus)
    total = half * jnp.sum(jnp.asarray(_WEIGHTS) * transfer * rate)
    return jnp.where(is_open, total, 0.0)


def photon_absorption_cross_section(nucleus: Nucleus = COPPER) -> float:
    r"""Cross section of pair production by a photon of high energy.

    $$\sigma_\gamma = \frac{7A}{9N_AX_0}$$

    Args:
        nucleus: The nucleus.

    Returns:
        Cross section [barn].

    Examples:
        >>> print(f"{photon_absorption_cross_section(COPPER):.2f}")
        6.38
    """
    area = 7.0 * nucleus.molar_mass / (9.0 * _AVOGADRO * nucleus.radiation_length)
    return area * 1e24


def conversion_probability(
    mass: Float[Array, ""], energy: Float[Array, ""], *, nucleus: Nucleus = COPPER
) -> Float[Array, ""]:
    r"""Share of photons in a thick target that turn into axion-like particles.

    $$\frac{\sigma_a}{\sigma_\gamma}$$

    Args:
        mass: $m_a$ [GeV], > 0.
        energy: Energy of the photon [GeV].
        nucleus: The nucleus.

    Returns:
        Probability over $g^2$ [GeV^2].
    """
    absorbed = photon_absorption_cross_section(nucleus) * BARN
    return primakoff_cross_section(mass, energy, nucleus=nucleus) / absorbed
