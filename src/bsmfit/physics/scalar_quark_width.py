r"""Width of a Higgs-mixed scalar into quarks and gluons, above 2 GeV.

Strange and charm quarks by perturbation theory, with the masses at the scale of the
scalar and the thresholds of the lightest mesons; gluons from
`bsmfit.physics.scalar_gluon_width`. `quark_share` is the switch from mesons.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import HIGGS_VEV, KAON_CHARGED_MASS
from bsmfit.physics.scalar_gluon_width import gluon_width, strong_coupling

__all__ = ["partonic_widths", "quark_share", "quark_width"]

_D_MASS: Final = 1.86966
"""Mass of the charged D meson [GeV] (PDG) [published]."""

_STRANGE: Final = (0.0935, 2.0)
_CHARM: Final = (0.986, 3.0)
"""MSbar mass and its scale [GeV] (PDG, Navas:2024vhm) [published]."""

_ANOMALOUS: Final = 12.0 / 25.0
"""Power of the coupling that the mass runs with: leading order, four flavours."""

_FADE: Final = (2.0, 2.2)
_LARGEST: Final = 4.5


def quark_share(mass: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""Weight of quarks and gluons, the rest being mesons.

    $$w = t^2(3-2t),\qquad t = \frac{m_S-2.0\,\text{GeV}}{0.2\,\text{GeV}}$$

    within (0, 1), 0 below and 1 above; its slope is continuous.

    Args:
        mass: Mass of the scalar [GeV].

    Returns:
        Weight [1].
    """
    t = jnp.clip((mass - _FADE[0]) / (_FADE[1] - _FADE[0]), 0.0, 1.0)
    return t**2 * (3.0 - 2.0 * t)


def quark_width(
    mass: Float[Array, " *point"],
    *,
    running_mass: tuple[float, float],
    threshold: float,
) -> Float[Array, " *point"]:
    r"""Width into one pair of quarks at unit mixing, above 2 GeV.

    $$\Gamma = \frac{3\,\bar m_q^2(m_S)\,m_S\,\beta^3}{8\pi v^2}
      \Big(1+5.67\frac{\alpha_s}\pi\Big)\sin^2\theta,\qquad
      \beta^2 = 1-\frac{m_{th}^2}{m_S^2}$$

    The threshold is that of a pair of mesons, with the power of a pair of fermions; at
    and below it width and gradient are exactly zero.

    Args:
        mass: Mass of the scalar [GeV], 2 to 4.5.
        running_mass: MSbar mass of the quark and the scale of it [GeV].
        threshold: Sum of the masses of the lightest pair of mesons [GeV].

    Returns:
        Partial width over the squared mixing [GeV].

    References:
        arXiv:1809.01876, and a public code with the same formula (equation number
        unverified).
    """
    coupling = strong_coupling(mass)
    ratio = coupling / strong_coupling(jnp.asarray(running_mass[1]))
    at_scale = running_mass[0] * ratio**_ANOMALOUS
    is_open = mass > threshold
    u = threshold / jnp.where(is_open, mass, 2.0 * threshold)
    beta_cubed = jnp.where(is_open, (1.0 - u * u) ** 1.5, 0.0)
    leading = 3.0 * at_scale**2 * mass * beta_cubed / (8.0 * math.pi * HIGGS_VEV**2)
    return leading * (1.0 + 5.67 * coupling / math.pi)


def partonic_widths(mass: Float[Array, ""]) -> dict[str, Float[Array, ""]]:
    """Widths into gluons and quarks with their share, exactly 0 up to 2 GeV.

    Args:
        mass: Mass of the scalar [GeV], any up to 4.

    Returns:
        Partial width over the squared mixing [GeV] by final state: ``"gg"``, ``"ss"``,
        ``"cc"``.
    """
    share = quark_share(mass)
    inside = jnp.clip(mass, _FADE[0], _LARGEST)
    return {
        "gg": share * gluon_width(inside),
        "ss": share
        * quark_width(inside, running_mass=_STRANGE, threshold=2.0 * KAON_CHARGED_MASS),
        "cc": share * quark_width(inside, running_mass=_CHARM, threshold=2.0 * _D_MASS),
    }
