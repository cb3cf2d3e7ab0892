r"""Mixing of a gluon-coupled axion-like particle with neutral pseudoscalar mesons.

Where mesons are made, the particle is made in their place with probability
$\theta_P^2$: $\sigma(a) = \theta_P^2\,\sigma(P)$. The angles have a pole at the mass of
each meson, around which they mean nothing; there the angle is held finite here, and the
card of a model excludes the masses (`ModelCard.excluded_masses`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from jaxtyping import Array, Float

from bsmfit.core.constants import ETA_MASS, ETA_PRIME_MASS, PION_NEUTRAL_MASS
from bsmfit.errors import UnknownNameError

__all__ = ["MIXING_MESONS", "QUARK_ASYMMETRY", "meson_mixing_angle", "regular_inverse"]

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

QUARK_ASYMMETRY: Final = (1.0 - 0.47) / (1.0 + 0.47)
"""(m_d - m_u) / (m_d + m_u) with m_u / m_d = 0.47 (PDG)."""

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
