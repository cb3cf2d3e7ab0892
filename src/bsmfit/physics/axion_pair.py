r"""A pair of axions from $K^+\to\pi^+aa$, $a\to e^+e^-$: the piophobic axion.

Mass terms $m_q\,e^{iQ_qa/f_a}$ of the two light quarks with $Q_u m_u = Q_d m_d$ leave
no mixing of the axion with the neutral pion: one axion is not made, two are. At lowest
order of SU(2), with f = 92.2 MeV,

$$m_a^2f_a^2 = f^2m_{\pi^0}^2\,\frac{m_uQ_u^2+m_dQ_d^2}{m_u+m_d}
  = 2f^2m_{\pi^0}^2\quad(Q_u=2,\ Q_d=1,\ m_u/m_d=1/2),$$

so that $f_a$ = 1.035 GeV at 17 MeV. An axion whose mass has other sources too has the
same couplings with $f_a$ free. Two axions couple to two mesons by

$$A_\pi = \frac{2m_{\pi^0}^2}{f_a^2},\qquad
  A_K = A_\pi\frac{m_uQ_u^2}{m_uQ_u^2+m_dQ_d^2} = \tfrac23 A_\pi$$

and the octet part of the weak interaction turns the kaon into the pion.
"""

from __future__ import annotations

import math
from typing import Final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ELECTRON_MASS,
    FERMI_CONSTANT,
    HBAR,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.scalar_width import pair_velocity

__all__ = [
    "AXION_PAIR",
    "PION_DECAY_CONSTANT",
    "AxionPair",
    "axion_electron_width",
    "axion_pair_branching_ratio",
    "axion_pair_phase_space",
    "piophobic_decay_constant",
]

AXION_PAIR: Final = "kaon-to-pion-axion-pair"
"""Name of the production process; its strength is BR(K+ -> pi+ a a)."""

PION_DECAY_CONSTANT: Final = 0.0922
"""$f = F_\\pi/\\sqrt2$ [GeV] (PDG) [published]."""

_FLAVOUR: Final = 0.9743 * 0.2243
"""|Vud Vus| (PDG, Navas:2024vhm) [published]."""

_CHARGES_SQUARED: Final = 2.0  # (m_u Q_u^2 + m_d Q_d^2) / (m_u + m_d)
_KAON_SHARE: Final = 2.0 / 3.0  # m_u Q_u^2 / (m_u Q_u^2 + m_d Q_d^2)
_N_NODE: Final = 48


def piophobic_decay_constant(mass: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""Decay constant of an axion whose mass comes from the quarks alone.

    $$f_a = \sqrt2\,f\,m_{\pi^0}/m_a$$

    Args:
        mass: Mass of the axion [GeV], > 0.

    Returns:
        $f_a$ [GeV].

    References:
        arXiv:2012.02142 (equation number unverified).

    Examples:
        >>> print(f"{float(piophobic_decay_constant(jnp.array(0.017))):.3f}")
        1.035
    """
    unit = math.sqrt(_CHARGES_SQUARED) * PION_DECAY_CONSTANT * PION_NEUTRAL_MASS
    return unit / mass


def axion_electron_width(
    mass: Float[Array, " *point"],
    decay_constant: Float[Array, " *point"],
    *,
    electron_charge: Float[Array, " *#point"],
) -> Float[Array, " *point"]:
    r"""Width of an axion into electrons.

    $$\Gamma(a\to e^+e^-) = \Big(\frac{Q_em_e}{f_a}\Big)^2\frac{m_a\beta}{8\pi}$$

    At and below threshold it and its gradient are exactly zero; the slope grows just
    above (S-wave pair) and stays finite.

    Args:
        mass: Mass of the axion [GeV], > 0.
        decay_constant: $f_a$ [GeV], > 0.
        electron_charge: $Q_e$ [1].

    Returns:
        Width [GeV].

    References:
        arXiv:2012.02142 (equation number unverified).
    """
    coupling = electron_charge * ELECTRON_MASS / decay_constant
    beta = pair_velocity(mass, threshold=2.0 * ELECTRON_MASS)
    return coupling**2 * mass * beta / (8.0 * math.pi)


def axion_pair_phase_space(mass: Float[Array, ""]) -> Float[Array, ""]:
    r"""Three-body phase space of $K^+\to\pi^+aa$.

    $$\Phi_3 = \frac{1}{128\pi^3m_K^2}\int_{4m_a^2}^{(m_K-m_\pi)^2}\frac{ds}{s}\,
      \lambda^{1/2}(m_K^2,s,m_\pi^2)\,\lambda^{1/2}(s,m_a^2,m_a^2)$$

    By Gauss-Legendre nodes in t with $s = s_0 + (s_1-s_0)\sin^2 t$, which takes out the
    square roots at both ends: 1e-10.

    Args:
        mass: Mass of the axion [GeV], > 0.

    Returns:
        $\Phi_3$ [GeV^0]; exactly 0, with zero gradient, where the decay is closed.
    """
    x, weights = np.polynomial.legendre.leggauss(_N_NODE)
    angle = 0.25 * np.pi * (x + 1.0)
    high = (KAON_CHARGED_MASS - PION_CHARGED_MASS) ** 2
    is_open = 4.0 * mass**2 < high
    squared = jnp.where(is_open, mass, 0.01) ** 2
    low = 4.0 * squared
    s = low + (high - low) * np.sin(angle) ** 2
    # both factors lambda vanish at one end: sqrt(s - s0) and sqrt(s1 - s)
    ends = (high - low) * np.sin(angle) * np.cos(angle)
    rest = jnp.sqrt(((KAON_CHARGED_MASS + PION_CHARGED_MASS) ** 2 - s) * s)
    measure = 2.0 * (high - low) * np.sin(angle) * np.cos(angle) * 0.25 * np.pi
    total = jnp.sum(weights * measure * rest * ends / s)
    value = total / (128.0 * math.pi**3 * KAON_CHARGED_MASS**2)
    return jnp.where(is_open, value, jnp.zeros_like(value))


def axion_pair_branching_ratio(
    mass: Float[Array, ""],
    decay_constant: Float[Array, ""],
    *,
    octet_coupling: float | Float[Array, ""],
) -> Float[Array, ""]:
    r"""BR(K+ -> pi+ a a) from pole diagrams at lowest order.

    $$M = N_8\,\frac{A_\pi m_K^2-A_Km_\pi^2}{m_K^2-m_\pi^2},\quad
      N_8 = \frac{g_8G_F}{\sqrt2}|V_{ud}V_{us}|\,2f^2,\quad
      \Gamma = \frac{|M|^2\,\Phi_3}{2m_K\,2!}$$

    The axions are emitted before or after the kaon turns into the pion; the amplitude
    is constant.

    Args:
        mass: Mass of the axion [GeV], > 0.
        decay_constant: $f_a$ [GeV], > 0.
        octet_coupling: $g_8$: 5.0 with the octet enhancement of kaon decays, 1 without.

    Returns:
        Branching ratio [1]; exactly 0 where closed.

    References:
        arXiv:2012.02142 for the model; the lowest-order amplitude is computed here.
    """
    pion = 2.0 * PION_NEUTRAL_MASS**2 / decay_constant**2
    kaon_squared, pion_squared = KAON_CHARGED_MASS**2, PION_CHARGED_MASS**2
    octet = octet_coupling * FERMI_CONSTANT / math.sqrt(2.0) * _FLAVOUR
    bilinear = octet * 2.0 * PION_DECAY_CONSTANT**2
    poles = (kaon_squared - _KAON_SHARE * pion_squared) / (kaon_squared - pion_squared)
    amplitude = bilinear * pion * poles
    width = amplitude**2 * axion_pair_phase_space(mass) / (4.0 * KAON_CHARGED_MASS)
    return width * KAON_CHARGED_LIFETIME / HBAR


class AxionPair(eqx.Module):
    """A piophobic axion with all but one of its numbers fixed.

    Attributes:
        scanned: ``"electron_charge"`` or ``"decay_constant"``.
        octet_coupling: $g_8$ [1], a choice of the preset.
        electron_charge: $Q_e$ where it is fixed [1].
        decay_constant: $f_a$ where it is fixed [GeV]; None where it follows from the
            mass.
    """

    scanned: str = eqx.field(static=True)
    octet_coupling: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    electron_charge: float | Float[Array, ""] | None = None
    decay_constant: float | Float[Array, ""] | None = None

    def __call__(self, mass: Float[Array, ""], coupling: Float[Array, ""]) -> Mediator:
        """The axion at one point.

        Args:
            mass: Mass [GeV], > 0.
            coupling: The scanned coupling, > 0.

        Returns:
            The mediator; it decays to electrons alone.
        """
        charge, constant = self.electron_charge, self.decay_constant
        if self.scanned == "electron_charge":
            charge = coupling
        if self.scanned == "decay_constant":
            constant = coupling
        elif constant is None:
            constant = piophobic_decay_constant(mass)
        scale = jnp.asarray(constant) * jnp.ones_like(mass)
        width = axion_electron_width(
            mass, scale, electron_charge=jnp.asarray(charge) * jnp.ones_like(mass)
        )
        rate = axion_pair_branching_ratio(
            mass, scale, octet_coupling=self.octet_coupling
        )
        return Mediator(
            mass=mass,
            decay_width=width,
            branching_ratios={"ee": jnp.where(width > 0.0, 1.0, 0.0)},
            production={AXION_PAIR: rate},
        )
