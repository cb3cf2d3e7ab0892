r"""Dark photons radiated by the beam protons: splitting functions and rates.

Per interacting proton, at unit kinetic mixing and without a time-like form factor,

$$\frac{dP}{dz\,dp_T^2} = w(z, p_T^2; m)\,\frac{\sigma(s')}{\sigma(s)}, \qquad
  H = p_T^2 + (1-z) m^2 + z^2 m_p^2 ,$$

where $z$ is the dark photon's fraction of the beam momentum and $-H/z$ the virtuality
of the proton after the emission; here $w$ is that of Bluemlein and Brunner (1311.3870),
with either reading of its bracket, each its own process name. The gauge-invariant form
is in `bsmfit.physics.gauge_invariant_bremsstrahlung`.

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
)

__all__ = [
    "BLUEMLEIN_BRUNNER_PROCESSES",
    "MOMENTUM_FRACTION_MAX",
    "MOMENTUM_FRACTION_MIN",
    "TRANSVERSE_MOMENTUM_MAX",
    "bremsstrahlung_rate",
    "hardness",
    "splitting_bb",
    "splitting_bb_integrated",
]

Bracket = Literal["default", "alternative"]

MOMENTUM_FRACTION_MIN: Final = 0.1
MOMENTUM_FRACTION_MAX: Final = 0.9
"""Range of $z$: MadDump's choice; SensCalc takes 0.1 to 0.95 [public codes]."""
TRANSVERSE_MOMENTUM_MAX: Final = 1.0
"""Largest transverse momentum [GeV]: $p_T^2 < 1$ GeV^2 in MadDump; vary 0.5 to 2."""


def hardness(
    z: Float[Array, " *#point"],
    pt_squared: Float[Array, " *#point"],
    mass: Float[Array, " *#point"],
) -> Float[Array, " *#point"]:
    r"""Denominator of the rate, $H = p_T^2 + (1-z)m^2 + z^2m_p^2$.

    Args:
        z: Fraction of the beam momentum, in (0, 1).
        pt_squared: Squared transverse momentum [GeV^2], >= 0.
        mass: Mass of the dark photon [GeV], >= 0.

    Returns:
        H [GeV^2].
    """
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
    h = hardness(z, pt_squared, mass)
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


def _splitting_bb_alternative(z: Array, pt_squared: Array, mass: Array) -> Array:
    return splitting_bb(z, pt_squared, mass, bracket="alternative")


_BLUEMLEIN_BRUNNER: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "proton-bremsstrahlung": splitting_bb,
        "proton-bremsstrahlung-alternative": _splitting_bb_alternative,
    }
)

BLUEMLEIN_BRUNNER_PROCESSES: Final = tuple(_BLUEMLEIN_BRUNNER)
"""Names that `bremsstrahlung_rate` accepts."""


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
