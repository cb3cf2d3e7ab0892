r"""Dark photons radiated by the beam protons: splitting functions and rates.

Per interacting proton, at unit kinetic mixing and without a time-like form factor,

$$\frac{dP}{dz\,dp_T^2} = w(z, p_T^2; m)\,\frac{\sigma(s')}{\sigma(s)}, \qquad
  H = p_T^2 + (1-z) m^2 + z^2 m_p^2 ,$$

where $z$ is the dark photon's fraction of the beam momentum and $-H/z$ the virtuality
of the proton after the emission. Variants of $w$, each its own process name:

- Bluemlein-Brunner (1311.3870), with either reading of its bracket;
- Dirac and Pauli couplings (2409.09123), gauge invariant, with an off-shell form
  factor: a quadratic form in the time-like form factors $F_1, F_2$, here per
  $|F_1|^2$, so that the production strength carries the resonances and the table stays
  smooth;
- the quasi-real approximation of 2108.05900, for comparison; no process uses it.

The yield builder integrates `bremsstrahlung_rate` over the ranges below.
Functions broadcast: `[n_z, 1]`, `[1, n_pt]` and a scalar mass are fine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import FINE_STRUCTURE, PROTON_MASS
from bsmfit.errors import UnknownNameError
from bsmfit.physics.proton_cross_section import (
    BEAM_MOMENTUM,
    cross_section_ratio,
    non_single_diffractive_ratio,
)
from bsmfit.physics.proton_form_factor import FormFactorValue

__all__ = [
    "BREMSSTRAHLUNG_PROCESSES",
    "GAUGE_INVARIANT",
    "MOMENTUM_FRACTION_MAX",
    "MOMENTUM_FRACTION_MIN",
    "OFF_SHELL_CUTOFF",
    "QRA_MASS_MIN",
    "TRANSVERSE_MOMENTUM_MAX",
    "bremsstrahlung_rate",
    "gauge_invariant_rate",
    "off_shell_form_factor_squared",
    "splitting_bb",
    "splitting_bb_integrated",
    "splitting_dirac",
    "splitting_interference",
    "splitting_pauli",
    "splitting_qra",
]

Bracket = Literal["default", "alternative"]

MOMENTUM_FRACTION_MIN: Final = 0.1
MOMENTUM_FRACTION_MAX: Final = 0.9
"""Range of $z$: MadDump's choice; SensCalc takes 0.1 to 0.95 [public codes]."""
TRANSVERSE_MOMENTUM_MAX: Final = 1.0
"""Largest transverse momentum [GeV]: $p_T^2 < 1$ GeV^2 in MadDump; vary 0.5 to 2."""
OFF_SHELL_CUTOFF: Final = 1.5
"""Scale of the off-shell form factor [GeV]: 2409.09123 varies it from 1 to 2."""
QRA_MASS_MIN: Final = 0.3
"""Mass [GeV] below which the quasi-real approximation must not be used: its last term
grows as the inverse square of the mass."""


def _hardness(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
) -> Float[Array, " *#point"]:
    return pt_squared + (1.0 - z) * mass**2 + (z * PROTON_MASS) ** 2


def _bracket_factor(z: Float[Array, " *point"], bracket: Bracket) -> Array:
    choices = {
        "default": z + (1.0 - z) ** 2,
        "alternative": 1.0 + (1.0 - z) ** 2,
    }
    if bracket not in choices:
        kind = "bracket"
        raise UnknownNameError.from_choices(kind, bracket, choices)
    return choices[bracket]


def splitting_bb(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
    *,
    bracket: Bracket = "default",
) -> Float[Array, " *#point"]:
    r"""Bluemlein-Brunner splitting function.

    $$w = \frac{\alpha}{2\pi H}\Big\{\frac{1+(1-z)^2}{z}
      - 2z(1-z)\Big[\frac{2m_p^2+m^2}{H} - \frac{2z^2 m_p^4}{H^2}\Big]
      + 2z(1-z)\,B\,\frac{m_p^2 m^2}{H^2} + 2z(1-z)^2\frac{m^4}{H^2}\Big\}$$

    with $B = z + (1-z)^2$ (default) or $1 + (1-z)^2$ (alternative, the form of ALPINIST
    and MadDump, 2 to 5 % higher in rate). Valid for $P$, $zP$, $(1-z)P \gg m, p_T$.

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], >= 0.
        bracket: Which reading of the bracket.

    Returns:
        $w$ at unit mixing [1/GeV^2], without the ratio of cross sections.

    References:
        Blumlein:2013cua (1311.3870); the bracket's form is unverified.
    """
    h = _hardness(z, pt_squared, mass)
    mp2, m2 = PROTON_MASS**2, mass**2
    factor = _bracket_factor(z, bracket)
    braces = (
        (1.0 + (1.0 - z) ** 2) / z
        - 2.0 * z * (1.0 - z) * ((2.0 * mp2 + m2) / h - 2.0 * (z * mp2 / h) ** 2)
        + 2.0 * z * (1.0 - z) * factor * mp2 * m2 / h**2
        + 2.0 * z * (1.0 - z) ** 2 * (m2 / h) ** 2
    )
    return FINE_STRUCTURE / (2.0 * jnp.pi * h) * braces


def splitting_bb_integrated(
    z: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
    *,
    transverse_momentum_max: float = TRANSVERSE_MOMENTUM_MAX,
    bracket: Bracket = "default",
) -> Float[Array, " *#point"]:
    r"""Bluemlein-Brunner splitting function, integrated over $p_T^2 < t$.

    With $A = (1-z) m^2 + z^2 m_p^2$,

    $$\frac{\alpha}{2\pi}\Big\{\frac{1+(1-z)^2}{z}\ln\Big(1+\frac tA\Big)
      - 2z(1-z)(2m_p^2+m^2)\frac{t}{A(t+A)}
      + 2z(1-z)\big[2z^2m_p^4 + B m_p^2m^2 + (1-z)m^4\big]
        \frac{t(t+2A)}{2A^2(A+t)^2}\Big\}$$

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        mass: Mass of the dark photon [GeV], >= 0.
        transverse_momentum_max: $\sqrt t$ [GeV].
        bracket: Which reading of the bracket.

    Returns:
        $dP/dz$ at unit mixing [1], without the ratio of cross sections.
    """
    t, mp2, m2 = transverse_momentum_max**2, PROTON_MASS**2, mass**2
    a = (1.0 - z) * m2 + (z * PROTON_MASS) ** 2
    factor = _bracket_factor(z, bracket)
    cubic = 2.0 * (z * mp2) ** 2 + factor * mp2 * m2 + (1.0 - z) * m2**2
    terms = (
        (1.0 + (1.0 - z) ** 2) / z * jnp.log1p(t / a)
        - 2.0 * z * (1.0 - z) * (2.0 * mp2 + m2) * t / (a * (t + a))
        + z * (1.0 - z) * cubic * t * (t + 2.0 * a) / (a * (a + t)) ** 2
    )
    return FINE_STRUCTURE / (2.0 * jnp.pi) * terms


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
    h = _hardness(z, pt_squared, mass)
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
    h = _hardness(z, pt_squared, mass)
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
    h = _hardness(z, pt_squared, mass)
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
    virtuality = _hardness(z, pt_squared, mass) / z
    return (1.0 + virtuality**2 / cutoff**4) ** -2


def splitting_qra(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
) -> Float[Array, " *#point"]:
    r"""Splitting function of the quasi-real approximation.

    $$w = \frac{\alpha}{2\pi H}\Big[z - z(1-z)\frac{2m_p^2+m^2}{H}
      + \frac{H}{2zm^2}\Big]$$

    to be multiplied by `off_shell_form_factor_squared`. The last term is not gauge
    invariant: **not for masses below `QRA_MASS_MIN`**, where it makes the rate diverge.
    For comparison only.

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], > 0; valid from 0.3.

    Returns:
        $w$ at unit mixing [1/GeV^2].

    References:
        2108.05900 as implemented in public codes; unverified.
    """
    h = _hardness(z, pt_squared, mass)
    braces = (
        z
        - z * (1.0 - z) * (2.0 * PROTON_MASS**2 + mass**2) / h
        + h / (2.0 * z * mass**2)
    )
    return FINE_STRUCTURE / (2.0 * jnp.pi * h) * braces


def _splitting_bb_alternative(z: Array, pt_squared: Array, mass: Array) -> Array:
    return splitting_bb(z, pt_squared, mass, bracket="alternative")


_BLUEMLEIN_BRUNNER: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "proton-bremsstrahlung": splitting_bb,
        "proton-bremsstrahlung-alternative": _splitting_bb_alternative,
    }
)
GAUGE_INVARIANT: Final = "proton-bremsstrahlung-gauge-invariant"
"""Name of the process of 2409.09123, whose rate is `gauge_invariant_rate`."""

BREMSSTRAHLUNG_PROCESSES: Final = (*_BLUEMLEIN_BRUNNER, GAUGE_INVARIANT)
"""Names of all bremsstrahlung processes."""


def bremsstrahlung_rate(
    process: str,
    momentum_fraction: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
    *,
    beam_momentum: float = BEAM_MOMENTUM,
) -> Float[Array, " *#point"]:
    r"""Dark photons per interacting proton, $z$ and $p_T^2$ at unit mixing.

    $$\frac{dP}{dz\,dp_T^2} = w\,\frac{\sigma_{pp}(s')}{\sigma_{pp}(s)}$$

    for the Bluemlein-Brunner processes. No time-like form factor: it depends on the
    mass only and is a production strength.

    Args:
        process: Name of a Bluemlein-Brunner process.
        momentum_fraction: $z$, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], >= 0; shapes broadcast.
        beam_momentum: $P$ [GeV].

    Returns:
        Rate [1/GeV^2] per interacting proton.

    Raises:
        UnknownNameError: The process is not a Bluemlein-Brunner process.

    Examples:
        >>> one = jnp.array(1.0)
        >>> rate = bremsstrahlung_rate(
        ...     "proton-bremsstrahlung", 0.3 * one, 0.01 * one, 0.35 * one
        ... )
        >>> print(f"{float(rate):.3f}")
        0.024
    """
    if process not in _BLUEMLEIN_BRUNNER:
        kind = "Bluemlein-Brunner process"
        raise UnknownNameError.from_choices(kind, process, _BLUEMLEIN_BRUNNER)
    ratio = cross_section_ratio(momentum_fraction, beam_momentum=beam_momentum)
    splitting = _BLUEMLEIN_BRUNNER[process](momentum_fraction, pt_squared, mass)
    return splitting * ratio


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
