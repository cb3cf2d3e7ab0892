r"""Mixing of a gluon-coupled axion-like particle with neutral pseudoscalar mesons.

Where mesons are made, the particle is made in their place with probability
$\theta_P^2$: $\sigma(a) = \theta_P^2\,\sigma(P)$. The angles have a pole at the mass of
each meson, around which they mean nothing; there the angle is held finite here, and the
card of a model excludes the masses (`ModelCard.excluded_masses`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from jaxtyping import Array, Float

from bsmfit.core.constants import ETA_MASS, ETA_PRIME_MASS, PION_NEUTRAL_MASS
from bsmfit.errors import UnknownNameError

__all__ = [
    "ALP_MIXINGS",
    "MIXING_MESONS",
    "QUARK_ASYMMETRY",
    "PseudoscalarMixing",
    "meson_mixing_angle",
    "quark_mixing_angle",
    "regular_inverse",
]

_STRENGTH: Final = 3.671
"""GeV; arXiv:2201.05170 as read in a public code, for L = g_s^2 g a G Gdual / 8."""

MIXING_MESONS: Final[Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
        "pi0": (PION_NEUTRAL_MASS, -0.1800, 0.0),
        "eta": (ETA_MASS, -0.3596, 0.0021),
        "eta-prime": (ETA_PRIME_MASS, -0.3362, 0.0092),
    }
)
"""Mass [GeV], coefficient of $m^2$ [1] and constant [GeV^2], by meson."""


@dataclass(frozen=True)
class PseudoscalarMixing:
    """One neutral pseudoscalar meson that an axion-like particle mixes with.

    Attributes:
        process: Name of the production process.
        meson: Name of the meson.
        mass: Its mass [GeV].
    """

    process: str
    meson: str
    mass: float


ALP_MIXINGS: Final[Mapping[str, PseudoscalarMixing]] = MappingProxyType(
    {
        f"{meson}-mixing": PseudoscalarMixing(f"{meson}-mixing", meson, mass)
        for meson, (mass, *_) in MIXING_MESONS.items()
    }
)
"""Production by mixing in a dump, by name of the process."""

QUARK_ASYMMETRY: Final = (1.0 - 0.47) / (1.0 + 0.47)
"""(m_d - m_u) / (m_d + m_u) with m_u / m_d = 0.47 (PDG)."""

_PION_CONSTANT: Final = 0.130 / math.sqrt(2.0)
"""Decay constant of the pion [GeV] (PDG, 130.2 MeV) over the root of two."""

_QUARKS: Final[Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
        "pi0": (0.5, -0.5, 0.0),
        "eta": (1.0 / math.sqrt(6.0), 1.0 / math.sqrt(6.0), -1.0 / math.sqrt(6.0)),
        "eta-prime": (
            1.0 / math.sqrt(12.0),
            1.0 / math.sqrt(12.0),
            1.0 / math.sqrt(3.0),
        ),
    }
)
"""What up, down and strange quarks are in a meson, over the root of two; the angle of
eta and eta' has the sine -1/3."""

_RELATIVE_WIDTH: Final = 5e-3
"""Half width, in $m^2/m_P^2$, within which a pole is cut off: 0.3 MeV for the pion."""


def regular_inverse(
    square: Float[Array, " *point"], pole: float
) -> Float[Array, " *point"]:
    r"""$1/(m^2-m_P^2)$ with the pole cut off.

    $$\frac{x}{x^2+\delta^2},\qquad x = m^2-m_P^2,\quad \delta = 0.005\,m_P^2$$

    Args:
        square: $m^2$ [GeV^2].
        pole: $m_P$ [GeV].

    Returns:
        The inverse [GeV^-2]; 0 at the pole, and within 0.3 % of the true one 10 MeV
        away from the mass of the pion.
    """
    x = square - pole**2
    return x / (x**2 + (_RELATIVE_WIDTH * pole**2) ** 2)


def meson_mixing_angle(
    meson: str, mass: Float[Array, " *point"]
) -> Float[Array, " *point"]:
    r"""Mixing angle with a meson, at $c_{GG}/f$ = 1/GeV.

    $$\theta_{\pi^0} = 3.671\,g\,\frac{-0.180\,m^2}{m^2-m_{\pi^0}^2},\quad
      \theta_\eta = 3.671\,g\,\frac{-0.3596\,m^2+0.0021}{m^2-m_\eta^2},\quad
      \theta_{\eta'} = 3.671\,g\,\frac{-0.3362\,m^2+0.0092}{m^2-m_{\eta'}^2}$$

    (GeV), where $\mathcal L = \frac{g_s^2}8g\,aG\tilde G$, that is
    $g = c_{GG}/(2\pi^2f)$. For the pion this is the textbook
    $\frac{f_\pi}f\frac{m_d-m_u}{m_d+m_u}c_{GG}\frac{m^2}{m^2-m_\pi^2}$ to 2 %.

    Args:
        meson: One of `MIXING_MESONS`.
        mass: Mass of the axion-like particle [GeV], > 0.

    Returns:
        Angle [rad GeV], to be multiplied by $c_{GG}/f$; small where it means something.

    Raises:
        UnknownNameError: No such meson.

    References:
        arXiv:2201.05170, coefficients as read in a public code.

    Examples:
        >>> import jax.numpy as jnp
        >>> theta = meson_mixing_angle("pi0", jnp.array(10.0))
        >>> print(f"{float(theta):.4f}")
        -0.0335
    """
    if meson not in MIXING_MESONS:
        kind = "meson"
        raise UnknownNameError.from_choices(kind, meson, MIXING_MESONS)
    pole, slope, constant = MIXING_MESONS[meson]
    strength = _STRENGTH / (2.0 * math.pi**2)
    square = mass**2
    return strength * (slope * square + constant) * regular_inverse(square, pole)


def quark_mixing_angle(
    meson: str,
    mass: Float[Array, " *point"],
    quarks: Sequence[Float[Array, ""]],
) -> Float[Array, " *point"]:
    r"""Mixing angle with a meson of an axion-like particle with quark couplings.

    $$\theta_P = -\frac{f_\pi}f\,\frac{m^2}{m^2-m_P^2}\times\Big\{
      \frac{c_{uu}-c_{dd}}2,\ \frac{c_{uu}+c_{dd}-c_{ss}}{\sqrt6},\
      \frac{c_{uu}+c_{dd}+2c_{ss}}{\sqrt{12}}\Big\}$$

    for pi0, eta and eta', $f_\pi$ = 92 MeV: kinetic mixing at lowest order. Gluons are
    $c_{qq} = 2\kappa_qc_{GG}$ with $\kappa_q\propto1/m_q$, which gives the slopes of
    `meson_mixing_angle` within 15 %.

    Args:
        meson: One of `MIXING_MESONS`.
        mass: Mass of the axion-like particle [GeV], > 0.
        quarks: Couplings of up, down and strange quark at 2 GeV.

    Returns:
        Angle [rad GeV], to be divided by $f$.

    Raises:
        UnknownNameError: No such meson.

    References:
        Lowest-order chiral Lagrangian; the sign is that of `meson_mixing_angle`.
    """
    if meson not in MIXING_MESONS:
        kind = "meson"
        raise UnknownNameError.from_choices(kind, meson, MIXING_MESONS)
    square = mass**2
    pole = square * regular_inverse(square, MIXING_MESONS[meson][0])
    up, down, strange = (
        part * coupling for part, coupling in zip(_QUARKS[meson], quarks, strict=True)
    )
    return -_PION_CONSTANT * (up + down + strange) * pole
