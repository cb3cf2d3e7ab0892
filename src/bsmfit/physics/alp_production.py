r"""Decays K+ -> pi+ a, B -> K a and B -> K* a of an axion-like particle.

    kaon-to-pion   octet chiral Lagrangian, mixing with the pion of K+ -> pi+ pi0, and
                   the flavour-changing coupling
    b-to-kaon      flavour-changing coupling, form factor f_0
    b-to-kstar     flavour-changing coupling, form factor A_0

All are exactly zero, with zero gradient, at and above the end of phase space.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    BEAUTY_CHARGED_LIFETIME,
    BEAUTY_CHARGED_MASS,
    FERMI_CONSTANT,
    HBAR,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    KSTAR_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.errors import UnknownNameError
from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_mixing import QUARK_ASYMMETRY, meson_mixing_angle
from bsmfit.physics.beauty_to_strange import (
    B_TO_KAON,
    B_TO_KSTAR,
    FLAVOUR_PRODUCT,
    kaon_form_factor,
    kstar_form_factor,
)
from bsmfit.physics.kaon_to_pion import (
    KAON_TO_PION,
    SCALAR_FORM_FACTOR,
    relative_momentum,
)
from bsmfit.physics.meson_decay import two_body_momentum

__all__ = [
    "ALP_PROCESSES",
    "OCTET_COUPLING",
    "alp_beauty_branching_ratio",
    "alp_branching_ratio",
    "alp_kaon_amplitude",
    "alp_kaon_branching_ratio",
    "octet_amplitude",
    "pion_mixing_amplitude",
]

ALP_PROCESSES: Final = (KAON_TO_PION, B_TO_KAON, B_TO_KSTAR)
"""Production processes of an axion-like particle, by name."""

OCTET_COUPLING: Final = 5.0
"""g_8 of the weak chiral Lagrangian [unverified], as read in a public code."""

_PION_CONSTANT: Final = 0.130
"""Decay constant of the pion [GeV] (PDG, 130.2 MeV), as in the same code."""

_CABIBBO: Final = 0.97435 * 0.22500
"""|V_ud V_us| from the Wolfenstein parameter 0.225 (PDG)."""

_TOP_PRODUCT: Final = (-3.228e-4, 1.404e-4)
"""V_ts* V_td, real and imaginary part [derived] from PDG Wolfenstein parameters."""

_TWO_PION_AMPLITUDE: Final = 1.81e-8
"""|A(K+ -> pi+ pi0)| [GeV], [derived] from BR = 0.2067 and the lifetime (PDG)."""

_KAON: Final = KAON_CHARGED_MASS**2
_PION: Final = PION_CHARGED_MASS**2


def octet_amplitude(
    mass: Float[Array, ""], couplings: LowEnergyCouplings
) -> Float[Array, ""]:
    r"""Amplitude of K+ -> pi+ a from the octet operator at $f$ = 1 GeV.

    $$iA_8 = \frac{N_8}{4f}\Big\{\frac{16c_{GG}(m_K^2-m_\pi^2)(m_K^2-m_a^2)}{D}
      + \frac{6(c_{uu}+c_{dd}-2c_{ss})m_a^2(m_K^2-m_a^2)}{D}
      + (2c_{uu}+c_{dd}+c_{ss})(m_K^2-m_\pi^2-m_a^2) + 4c_{ss}m_a^2\Big\}$$

    $D = 4m_K^2-m_\pi^2-3m_a^2$, $N_8 = -g_8G_FV_{ud}^*V_{us}f_\pi^2/\sqrt2$ =
    -1.53e-7. Lowest order, equal masses of up and down quarks.

    Args:
        mass: $m_a$ [GeV], 0 to $m_K-m_\pi$.
        couplings: Couplings at 2 GeV.

    Returns:
        $iA_8$ [GeV^2], real, to be divided by $f$.

    References:
        arXiv:2102.13112 (equation number unverified).
    """
    up, down, strange = (couplings[name] for name in ("up", "down", "strange"))
    square = mass**2
    pole = (_KAON - square) / (4.0 * _KAON - _PION - 3.0 * square)
    group = 16.0 * couplings["gluon"] * (_KAON - _PION) * pole
    group += 6.0 * (up + down - 2.0 * strange) * square * pole
    group += (2.0 * up + down + strange) * (_KAON - _PION - square)
    group += 4.0 * strange * square
    octet = OCTET_COUPLING * FERMI_CONSTANT / math.sqrt(2.0) * _CABIBBO
    return -0.25 * octet * _PION_CONSTANT**2 * group


def pion_mixing_amplitude(
    mass: Float[Array, ""], couplings: LowEnergyCouplings
) -> Float[Array, ""]:
    r"""Amplitude of K+ -> pi+ pi0, pi0 mixing into a, at $f$ = 1 GeV.

    $$iA_{\pi^0} = -|A(K^+\to\pi^+\pi^0)|\,\theta_{\pi^0}(m_a)\,
      \Big[c_{GG} + \frac{m_d+m_u}{m_d-m_u}\,\frac{c_{uu}-c_{dd}}2\Big]$$

    The $\Delta I=3/2$ part, on the shell of the pion; the size of the amplitude follows
    from BR(K+ -> pi+ pi0) = 0.2067. The sign: of $(27,1)$ operators relative to the
    octet, $g_{27}/g_8 > 0$ as in K -> pi pi, with the mixing of both mesons by the
    quark masses. Below the mass of the pion it adds to the octet, above it takes away.

    Args:
        mass: $m_a$ [GeV].
        couplings: Couplings at 2 GeV.

    Returns:
        $iA_{\pi^0}$ [GeV^2], real, to be divided by $f$.
    """
    isovector = 0.5 * (couplings["up"] - couplings["down"]) / QUARK_ASYMMETRY
    angle = meson_mixing_angle("pi0", mass) * (couplings["gluon"] + isovector)
    return -_TWO_PION_AMPLITUDE * angle


def alp_kaon_amplitude(
    mass: Float[Array, ""], couplings: LowEnergyCouplings
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Amplitude of K+ -> pi+ a at $f$ = 1 GeV.

    $$iA = iA_8 + iA_{\pi^0} - \frac{m_K^2-m_\pi^2}{2f}f_+\,V_{ts}^*V_{td}\,k$$

    At lowest order $f_+ = 1$; its value at $q^2=0$, 0.970, is that of the
    flavour-violating axion.

    Args:
        mass: $m_a$ [GeV], 0 to $m_K-m_\pi$.
        couplings: Couplings at 2 GeV.

    Returns:
        Real and imaginary part of $iA$ [GeV^2], to be divided by $f$.

    References:
        arXiv:2102.13112 (equation number unverified).
    """
    real = octet_amplitude(mass, couplings) + pion_mixing_amplitude(mass, couplings)
    vector = 0.5 * (_KAON - _PION) * SCALAR_FORM_FACTOR * couplings["flavour_changing"]
    top = _TOP_PRODUCT
    return real - vector * top[0], -vector * top[1]


def alp_kaon_branching_ratio(
    mass: Float[Array, ""], couplings: LowEnergyCouplings
) -> Float[Array, ""]:
    r"""BR(K+ -> pi+ a) at $f$ = 1 GeV; divide by $f^2$.

    $$BR = \frac{|A|^2}{16\pi m_K\Gamma_K}\,\lambda^{1/2}\Big(1,
      \frac{m_\pi^2}{m_K^2},\frac{m_a^2}{m_K^2}\Big)$$

    Undefined within about 10 MeV of the mass of the neutral pion.

    Args:
        mass: $m_a$ [GeV], >= 0.
        couplings: Couplings at 2 GeV.

    Returns:
        Branching ratio times $f^2$ [GeV^2]; exactly 0 where closed.

    References:
        arXiv:2102.13112 (equation number unverified).
    """
    is_open = mass < KAON_CHARGED_MASS - PION_CHARGED_MASS
    real, imaginary = alp_kaon_amplitude(jnp.where(is_open, mass, 0.0), couplings)
    strength = (real**2 + imaginary**2) * relative_momentum(mass)
    lifetime = KAON_CHARGED_LIFETIME / HBAR
    return strength * (lifetime / (16.0 * math.pi * KAON_CHARGED_MASS))


def alp_beauty_branching_ratio(
    process: str, mass: Float[Array, ""], couplings: LowEnergyCouplings
) -> Float[Array, ""]:
    r"""Branching ratio of the charged B meson at $f$ = 1 GeV; divide by $f^2$.

    $$\Gamma(B\to Ka) = \frac{m_B^3|V_{tb}V_{ts}^*k|^2}{64\pi f^2}f_0^2
      \Big(1-\frac{m_K^2}{m_B^2}\Big)^2\hat\lambda^{1/2},\qquad
      \Gamma(B\to K^*a) = \frac{m_B^3|V_{tb}V_{ts}^*k|^2}{64\pi f^2}A_0^2
      \hat\lambda^{3/2}$$

    Args:
        process: ``"b-to-kaon"`` or ``"b-to-kstar"``.
        mass: $m_a$ [GeV], >= 0.
        couplings: Couplings at 2 GeV.

    Returns:
        Branching ratio times $f^2$ [GeV^2]; exactly 0 where closed.

    Raises:
        UnknownNameError: Another process.

    References:
        arXiv:1611.09355 (equation number unverified).
    """
    if process not in (B_TO_KAON, B_TO_KSTAR):
        kind = "production process of B mesons"
        raise UnknownNameError.from_choices(kind, process, (B_TO_KAON, B_TO_KSTAR))
    recoil = KSTAR_MASS if process == B_TO_KSTAR else KAON_CHARGED_MASS
    inside = jnp.where(mass < BEAUTY_CHARGED_MASS - recoil, mass, 0.0)
    momentum = two_body_momentum(BEAUTY_CHARGED_MASS, recoil, mass)
    opening = 2.0 * momentum / BEAUTY_CHARGED_MASS
    coupling = FLAVOUR_PRODUCT * couplings["flavour_changing"]
    rate = coupling**2 * BEAUTY_CHARGED_MASS**3 / (64.0 * math.pi)
    rate *= BEAUTY_CHARGED_LIFETIME / HBAR
    if process == B_TO_KSTAR:
        return rate * kstar_form_factor(inside) ** 2 * opening**3
    squared = (1.0 - (recoil / BEAUTY_CHARGED_MASS) ** 2) ** 2
    return rate * squared * kaon_form_factor(inside) ** 2 * opening


def alp_branching_ratio(
    process: str, mass: Float[Array, ""], couplings: LowEnergyCouplings
) -> Float[Array, ""]:
    """Branching ratio of the parent of a process at f = 1 GeV.

    Args:
        process: One of `ALP_PROCESSES`.
        mass: Mass of the axion-like particle [GeV].
        couplings: Couplings at 2 GeV.

    Returns:
        Branching ratio times f^2 [GeV^2].

    Raises:
        UnknownNameError: Another process.
    """
    if process == KAON_TO_PION:
        return alp_kaon_branching_ratio(mass, couplings)
    return alp_beauty_branching_ratio(process, mass, couplings)
