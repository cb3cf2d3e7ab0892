r"""Gauge-invariant proton bremsstrahlung with two form factors (2409.09123).

$$\frac{dP}{dz\,dp_T^2} = F_v^2\,\big[|F_1|^2 w_1 + |F_2|^2 w_2
  + \mathrm{Re}(F_1F_2^*)\,w_{12}\big]\,
  \frac{\sigma_{NSD}(s')}{\sigma_{pp}(s)}$$

with the kinematics of `bsmfit.physics.bremsstrahlung`, complex time-like form factors
$F_1, F_2$ at the mass of the dark photon and an off-shell form factor $F_v$. The rate
is given per $|F_1|^2$, so that the production strength carries the resonances and a
table of the yields stays smooth.
"""

from __future__ import annotations

from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import FINE_STRUCTURE, PROTON_MASS
from bsmfit.physics.bremsstrahlung import hardness
from bsmfit.physics.proton_cross_section import (
    BEAM_MOMENTUM,
    non_single_diffractive_ratio,
)
from bsmfit.physics.proton_form_factor import FormFactorValue

__all__ = [
    "GAUGE_INVARIANT",
    "OFF_SHELL_CUTOFF",
    "gauge_invariant_rate",
    "off_shell_form_factor_squared",
    "splitting_dirac",
    "splitting_interference",
    "splitting_pauli",
]

OFF_SHELL_CUTOFF: Final = 1.5
"""Scale of the off-shell form factor [GeV]: 2409.09123 varies it from 1 to 2."""
GAUGE_INVARIANT: Final = "proton-bremsstrahlung-gauge-invariant"
"""Name of the process of 2409.09123, whose rate is `gauge_invariant_rate`."""


def splitting_dirac(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
) -> Float[Array, " *#point"]:
    r"""Coefficient of $|F_1|^2$ in the gauge-invariant splitting function.

    $$w_1 = \frac{\alpha}{2\pi H}\Big[\frac{1+(1-z)^2}{z}
      - \frac{z(1-z)(2m_p^2+m^2)}{H}\Big]$$

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], >= 0.

    Returns:
        $w_1$ at unit mixing [1/GeV^2].

    References:
        2409.09123; confirmed by explicit Dirac algebra in the tests.
    """
    h = hardness(z, pt_squared, mass)
    mass_term = z * (1.0 - z) * (2.0 * PROTON_MASS**2 + mass**2) / h
    return (
        FINE_STRUCTURE / (2.0 * jnp.pi * h) * ((1.0 + (1.0 - z) ** 2) / z - mass_term)
    )


def splitting_pauli(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
) -> Float[Array, " *#point"]:
    r"""Coefficient of $|F_2|^2$ in the gauge-invariant splitting function.

    $$w_2 = w_1 + \frac{\alpha}{4\pi m_p^2}\Big[1-\frac{(1-z)(4m_p^2+m^2)}{H}\Big]
      \Big[\frac1z - \frac z4\,\frac{4m_p^2-m^2}{H}\Big]$$

    The vertex is $-\frac{i}{2m_p}\sigma^{\mu\nu}(p-p')_\nu F_2$ with the momenta of the
    protons; the on-shell dark-photon momentum instead would change it by factors 2-5.

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], >= 0.

    Returns:
        $w_2$ at unit mixing [1/GeV^2].

    References:
        2409.09123; confirmed by explicit Dirac algebra in the tests.
    """
    h = hardness(z, pt_squared, mass)
    mp2, m2 = PROTON_MASS**2, mass**2
    first = 1.0 - (1.0 - z) * (4.0 * mp2 + m2) / h
    second = 1.0 / z - 0.25 * z * (4.0 * mp2 - m2) / h
    contact = FINE_STRUCTURE / (4.0 * jnp.pi * mp2) * first * second
    return splitting_dirac(z, pt_squared, mass) + contact


def splitting_interference(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
) -> Float[Array, " *#point"]:
    r"""Coefficient of $\mathrm{Re}(F_1 F_2^*)$ in the same splitting function.

    $$w_{12} = \frac{\alpha}{2\pi H}\Big[2z - \frac{3z(1-z)m^2}{H}\Big]$$

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], >= 0.

    Returns:
        $w_{12}$ at unit mixing [1/GeV^2], of either sign.

    References:
        2409.09123; confirmed by explicit Dirac algebra in the tests.
    """
    h = hardness(z, pt_squared, mass)
    braces = 2.0 * z - 3.0 * z * (1.0 - z) * mass**2 / h
    return FINE_STRUCTURE / (2.0 * jnp.pi * h) * braces


def off_shell_form_factor_squared(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
    *,
    cutoff: float = OFF_SHELL_CUTOFF,
) -> Float[Array, " *#point"]:
    r"""Suppression of an off-shell intermediate proton.

    $$F_v^2 = \Big[1 + \frac{(p'^2 - m_p^2)^2}{\Lambda^4}\Big]^{-2}, \qquad
      p'^2 - m_p^2 = -\frac Hz$$

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], >= 0.
        cutoff: $\Lambda$ [GeV], 1 to 2.

    Returns:
        $F_v^2$, in (0, 1].

    References:
        2108.05900, 2409.09123.
    """
    virtuality = hardness(z, pt_squared, mass) / z
    return (1.0 + virtuality**2 / cutoff**4) ** -2


def gauge_invariant_rate(
    momentum_fraction: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
    *,
    dirac: FormFactorValue,
    pauli: FormFactorValue,
    beam_momentum: float = BEAM_MOMENTUM,
    cutoff: float = OFF_SHELL_CUTOFF,
) -> Float[Array, " *#point"]:
    r"""Rate of 2409.09123 per squared modulus of the Dirac form factor.

    $$\frac{1}{|F_1|^2}\frac{dP}{dz\,dp_T^2} = F_v^2\,
      \frac{\sigma_{NSD}(s')}{\sigma_{pp}(s)}
      \Big[w_1 + \frac{|F_2|^2}{|F_1|^2} w_2
      + \frac{\mathrm{Re}(F_1F_2^*)}{|F_1|^2} w_{12}\Big]$$

    A squared amplitude, positive everywhere. The production strength is the squared
    mixing times $|F_1|^2$.

    Args:
        momentum_fraction: $z$, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], > 0; shapes broadcast.
        dirac: Time-like Dirac form factor $F_1$ at this mass.
        pauli: Time-like Pauli form factor $F_2$ at this mass.
        beam_momentum: $P$ [GeV].
        cutoff: Scale of the off-shell form factor [GeV].

    Returns:
        Rate [1/GeV^2] per interacting proton.

    References:
        arXiv:2409.09123.
    """
    z = momentum_fraction
    norm = dirac.real**2 + dirac.imaginary**2
    pauli_share = (pauli.real**2 + pauli.imaginary**2) / norm
    interference = (dirac.real * pauli.real + dirac.imaginary * pauli.imaginary) / norm
    splitting = (
        splitting_dirac(z, pt_squared, mass)
        + pauli_share * splitting_pauli(z, pt_squared, mass)
        + interference * splitting_interference(z, pt_squared, mass)
    )
    ratio = non_single_diffractive_ratio(z, beam_momentum=beam_momentum)
    off_shell = off_shell_form_factor_squared(z, pt_squared, mass, cutoff=cutoff)
    return splitting * off_shell * ratio
