r"""Dark photons from decays of light mesons: branching ratios and kinematics.

Pseudoscalars decay to $\gamma A'$ and vector mesons to a pseudoscalar and an $A'$, by
the ordinary photon decay with the photon replaced. Branching ratios here are at unit
kinetic mixing; multiply by its square. The number of mesons per interaction (which must
say "per inelastic interaction" or "per event") is the business of the spectra.

`daughter_lab_kinematics` maps one meson and two decay angles to the $A'$ in the
laboratory; the yield builder samples the angles.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ETA_MASS,
    ETA_PRIME_MASS,
    OMEGA_MASS,
    PHI_MASS,
    PION_NEUTRAL_MASS,
    RHO_MASS,
)
from bsmfit.errors import UnknownNameError

__all__ = [
    "MESON_DECAYS",
    "LabKinematics",
    "MesonDecay",
    "daughter_lab_kinematics",
    "meson_branching_ratio",
    "two_body_momentum",
]

Factor = Literal["textbook", "public-code"]


@dataclass(frozen=True)
class MesonDecay:
    """One two-body decay of a meson to a dark photon.

    Attributes:
        process: Name of the production process.
        meson: Name of the parent.
        parent_mass: Mass of the parent [GeV].
        recoil_mass: Mass of the other daughter [GeV]; 0 for a photon.
        branching_ratio: Branching ratio of the decay with real photons only (two
            photons, or recoil and photon).
        n_photon: Photons in that decay, the number of ways to replace one.
        source: Where the branching ratio comes from.
    """

    process: str
    meson: str
    parent_mass: float
    recoil_mass: float
    branching_ratio: float
    n_photon: int
    source: str


_PDG: Final = "PDG (Navas:2024vhm) [published]"

MESON_DECAYS: Final = MappingProxyType(
    {
        decay.process: decay
        for decay in (
            MesonDecay("pi0-decay", "pi0", PION_NEUTRAL_MASS, 0.0, 0.98823, 2, _PDG),
            MesonDecay("eta-decay", "eta", ETA_MASS, 0.0, 0.3936, 2, _PDG),
            MesonDecay(
                "eta-prime-decay", "eta-prime", ETA_PRIME_MASS, 0.0, 0.02307, 2, _PDG
            ),
            MesonDecay(
                "omega-decay",
                "omega",
                OMEGA_MASS,
                PION_NEUTRAL_MASS,
                0.0835,
                1,
                _PDG,
            ),
            MesonDecay("rho-decay", "rho", RHO_MASS, ETA_MASS, 3.0e-4, 1, _PDG),
            MesonDecay("phi-decay", "phi", PHI_MASS, ETA_MASS, 0.01306, 1, _PDG),
        )
    }
)
"""The decays that are processes of their own, by process name. Public codes carry
0.0103 for phi -> eta gamma; the PDG average is 0.01306 +- 0.00024."""


class LabKinematics(NamedTuple):
    """A particle in the laboratory.

    Attributes:
        momentum: Momentum [GeV].
        angle: Angle to the beam [rad], 0 to pi.
        azimuth: Azimuth about the beam [rad], -pi to pi.
    """

    momentum: Float[Array, " *point"]
    angle: Float[Array, " *point"]
    azimuth: Float[Array, " *point"]


def _safe_power(base: Array, exponent: float) -> Array:
    """Power of a positive base; value and gradient exactly zero elsewhere."""
    is_positive = base > 0.0
    return jnp.where(is_positive, jnp.where(is_positive, base, 1.0) ** exponent, 0.0)


def _opening(decay: MesonDecay, mass: Array) -> Array:
    """Return (M - m_r - m)(M + m_r - m)... = lambda, or 0 where the channel is closed.

    The product form keeps its precision near threshold.
    """
    parent, recoil = decay.parent_mass, decay.recoil_mass
    gap = jnp.maximum(parent - recoil - mass, 0.0)
    rest = (parent + recoil - mass) * (parent - recoil + mass)
    return gap * rest * (parent + recoil + mass)


def meson_branching_ratio(
    decay: MesonDecay,
    mass: Float[Array, " *point"],
    *,
    factor: Factor = "textbook",
) -> Float[Array, " *point"]:
    r"""Branching ratio of a meson to a dark photon at unit mixing.

    $$BR(P\to\gamma A') = 2\,BR(P\to\gamma\gamma)\Big(1-\frac{m^2}{m_P^2}\Big)^3, \qquad
      BR(V\to PA') = BR(V\to P\gamma)
        \Big[\frac{\lambda(m_V^2,m_P^2,m^2)}{(m_V^2-m_P^2)^2}\Big]^{3/2}$$

    Both are the P-wave factor $(q/q_0)^3$. No transition form factor. The public-code
    factor of $V\to PA'$,

    $$\frac{(m_V^2-m^2-m_P^2)^2\,\sqrt{(m_V^2-m^2+m_P^2)^2-4m_V^2m_P^2}}
           {(m_V^2-m^2)^3},$$

    does not tend to 1 at $m = 0$ (0.913 for omega, 0.360 for phi): for comparison only.
    At threshold and beyond the branching ratio and its gradient are exactly zero.

    Args:
        decay: One of `MESON_DECAYS`.
        mass: Mass of the dark photon [GeV], >= 0.
        factor: Kinematic factor of the vector mesons; no effect on pseudoscalars.

    Returns:
        Branching ratio over the squared mixing [1].

    References:
        Standard; 0.1814 for a neutral pion at 0.1 GeV.

    Examples:
        >>> pion = MESON_DECAYS["pi0-decay"]
        >>> print(f"{float(meson_branching_ratio(pion, jnp.array(0.1))):.4f}")
        0.1814
    """
    if factor not in ("textbook", "public-code"):
        kind = "kinematic factor"
        raise UnknownNameError.from_choices(kind, factor, ("textbook", "public-code"))
    parent2, recoil2 = decay.parent_mass**2, decay.recoil_mass**2
    opening = _opening(decay, mass)
    photon = decay.n_photon * decay.branching_ratio
    if factor == "textbook" or decay.recoil_mass == 0.0:
        return photon * _safe_power(opening / (parent2 - recoil2) ** 2, 1.5)
    is_open = opening > 0.0
    m2 = jnp.where(is_open, mass, 0.0) ** 2
    shape = (parent2 - m2 - recoil2) ** 2 / (parent2 - m2) ** 3
    return photon * shape * _safe_power(opening, 0.5)


def two_body_momentum(
    parent_mass: float | Float[Array, " *#point"],
    mass_1: float | Float[Array, " *#point"],
    mass_2: float | Float[Array, " *#point"],
) -> Float[Array, " *#point"]:
    r"""Momentum of the daughters in the rest frame of the parent.

    $$q = \frac{\sqrt{\lambda(M^2, m_1^2, m_2^2)}}{2M}$$

    Zero, with zero gradient, where the decay is closed; the slope just inside is
    infinite, as it must be.

    Args:
        parent_mass: $M$ [GeV], > 0.
        mass_1: $m_1$ [GeV], >= 0.
        mass_2: $m_2$ [GeV], >= 0.

    Returns:
        Momentum [GeV].

    Examples:
        >>> print(f"{float(two_body_momentum(0.547862, 0.0, jnp.array(0.0))):.6f}")
        0.273931
    """
    parent, first, second = (jnp.asarray(x) for x in (parent_mass, mass_1, mass_2))
    gap = jnp.maximum(parent - first - second, 0.0)
    rest = (parent + first + second) * (parent - first + second)
    kallen = gap * rest * (parent + first - second)
    return _safe_power(kallen, 0.5) / (2.0 * parent)


def daughter_lab_kinematics(
    momentum: Float[Array, " *#point"],
    angle: Float[Array, " *#point"],
    *,
    azimuth: Float[Array, " *#point"],
    cos_theta_star: Float[Array, " *#point"],
    phi_star: Float[Array, " *#point"],
    parent_mass: float,
    recoil_mass: float,
    mass: Float[Array, " *#point"],
) -> LabKinematics:
    r"""Dark photon in the laboratory from a meson and its decay angles.

    In the meson frame the dark photon has the momentum $q$ of `two_body_momentum` at
    $(\theta^*, \phi^*)$, measured from the meson's direction of flight; the transverse
    axes are the laboratory's $\hat\theta$ (for $\phi^*=0$) and $\hat\phi$ there. Then

    $$p_\parallel = \frac{E_M}{M}\,q\cos\theta^* + \frac{p_M}{M}\sqrt{q^2+m^2}, \qquad
      p_\perp = q\sin\theta^* .$$

    Where the decay is closed $q = 0$: a finite result, to be weighted by the branching
    ratio of zero. Arguments broadcast.

    Args:
        momentum: Momentum of the meson [GeV], >= 0.
        angle: Its angle to the beam [rad].
        azimuth: Its azimuth [rad].
        cos_theta_star: Cosine of the decay angle, in [-1, 1].
        phi_star: Azimuth of the decay [rad].
        parent_mass: Mass of the meson [GeV].
        recoil_mass: Mass of the other daughter [GeV].
        mass: Mass of the dark photon [GeV].

    Returns:
        Momentum, angle and azimuth of the dark photon.
    """
    q = two_body_momentum(parent_mass, recoil_mass, mass)
    energy_star = _safe_power(q**2 + mass**2, 0.5)
    meson_energy = jnp.sqrt(momentum**2 + parent_mass**2)
    along = (meson_energy * q * cos_theta_star + momentum * energy_star) / parent_mass
    across = q * _safe_power(1.0 - cos_theta_star**2, 0.5)
    polar, side = across * jnp.cos(phi_star), across * jnp.sin(phi_star)
    radial = along * jnp.sin(angle) + polar * jnp.cos(angle)
    longitudinal = along * jnp.cos(angle) - polar * jnp.sin(angle)
    transverse = _safe_power(radial**2 + side**2, 0.5)
    is_off_axis = transverse > 0.0
    turn = jnp.where(
        is_off_axis, jnp.arctan2(side, jnp.where(is_off_axis, radial, 1.0)), 0.0
    )
    wrapped = jnp.arctan2(jnp.sin(azimuth + turn), jnp.cos(azimuth + turn))
    total = _safe_power(transverse**2 + longitudinal**2, 0.5)
    is_moving = total > 0.0
    polar_angle = jnp.arctan2(transverse, jnp.where(is_moving, longitudinal, 1.0))
    return LabKinematics(total, polar_angle, wrapped)
