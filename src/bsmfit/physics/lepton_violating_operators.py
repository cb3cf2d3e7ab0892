r"""Scales of operators that violate lepton flavour or number, from branching ratios.

Each function gives $C = BR\cdot\Lambda^n$ of one operator of coefficient
$1/\Lambda^{n/2}$, so that a limit on BR is a limit $\Lambda > (C/BR)^{1/n}$
(`operator_scale`). Fields are those of the mass eigenstates, $P_L = (1-\gamma_5)/2$.

| decay | operator | n | matrix element |
|---|---|---|---|
| $K^+\to\pi^+\mu^\mp e^\pm$ | vector, $O_V$ | 4 | $f_+, f_0$ |
| the same | scalar, $O_S$ | 4 | $f_0(m_K^2-m_\pi^2)/(m_s-m_d)$ |
| $\pi^0\to\mu^\mp e^\pm$ | axial, $O_A$ | 4 | $f_\pi$ |
| $K^+\to\pi^-\ell^+\ell'^+$ | dimension 9, $O_9$ | 10 | $f_Kf_\pi$, vacuum insertion |

$$O_V = \frac{(\bar s\gamma^\alpha d)(\bar\mu\gamma_\alpha P_Le)}{\Lambda^2},\quad
  O_S = \frac{(\bar sd)(\bar\mu P_Le)}{\Lambda^2},\quad
  O_A = \frac{A^\alpha(\bar\mu\gamma_\alpha P_Le)}{\Lambda^2}$$

$$O_9 = \frac{(\bar s\gamma^\alpha P_Lu)(\bar d\gamma_\alpha P_Lu)
  (\overline{\ell^c}P_L\ell')}{\Lambda^5},\qquad
  A^\alpha = \frac{\bar u\gamma^\alpha\gamma_5u-\bar d\gamma^\alpha\gamma_5d}{\sqrt2}$$

The vector operator is that of $K_{\ell3}$, with $1/\Lambda^2$ in place of $G_FV_{us}$,
so that its rate rests on measured numbers; the others rest on quark masses (MSbar at
2 GeV, as the scale of the scalar operator) and, for the last, on the vacuum insertion,
which is right within a factor of a few in the rate. The electron's mass is left out
where a muon is beside it.

A scale from a dimension-9 operator is tens of GeV: below the W boson, where no such
operator is a good description of anything heavy. It measures the reach, and bounds no
model.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.argument import choice
from bsmfit.core.constants import (
    HBAR,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.physics.kaon_to_pion import SCALAR_FORM_FACTOR
from bsmfit.physics.kaon_to_pion_neutrinos import FORM_FACTOR_SLOPE

__all__ = [
    "KAON_DECAY_CONSTANT",
    "OPERATORS",
    "PION_DECAY_CONSTANT",
    "PION_NEUTRAL_LIFETIME",
    "QUARK_MASS_DIFFERENCE",
    "SCALAR_SLOPE",
    "kaon_flavour_coefficient",
    "kaon_number_coefficient",
    "operator_scale",
    "pion_flavour_coefficient",
    "vector_current_width",
]

OPERATORS: Final = ("vector", "scalar")
"""Operators of K -> pi mu e."""

PION_DECAY_CONSTANT: Final = 0.1302
r"""$f_\pi$ [GeV] (PDG) [published]:
$\langle0|\bar d\gamma^\alpha\gamma_5u|\pi^+\rangle = if_\pi p^\alpha$."""

KAON_DECAY_CONSTANT: Final = 0.1557
"""$f_K$ [GeV], likewise (PDG) [unverified]."""

QUARK_MASS_DIFFERENCE: Final = 0.0888
"""$m_s - m_d$ [GeV], MSbar at 2 GeV (PDG) [unverified]."""

SCALAR_SLOPE: Final = 0.0196
r"""Slope $\lambda_0$ of the scalar form factor of $K_{\mu3}$ [1] [unverified]."""

PION_NEUTRAL_LIFETIME: Final = 8.43e-17
"""Lifetime of the pi0 [s] (PDG) [unverified]."""

_N_NODE = 48


def operator_scale(
    branching_ratio: Float[Array, " *#point"],
    coefficient: Float[Array, " *#point"],
    *,
    power: int,
) -> Float[Array, " *#point"]:
    r"""Scale of an operator that makes a branching ratio.

    $$\Lambda = (C/BR)^{1/n}$$

    Args:
        branching_ratio: Branching ratio, or its limit [1], > 0.
        coefficient: $C = BR\cdot\Lambda^n$ [GeV^n], > 0.
        power: n, 4 for a dimension-6 and 10 for a dimension-9 operator.

    Returns:
        $\Lambda$ [GeV]; an upper limit on the branching ratio is a lower one on it.

    Examples:
        >>> import jax.numpy as jnp
        >>> limit = jnp.array(6.6e-11)
        >>> scale = operator_scale(limit, kaon_flavour_coefficient(), power=4)
        >>> f"{float(scale) / 1e3:.0f} TeV"
        '91 TeV'
    """
    return jnp.exp((jnp.log(coefficient) - jnp.log(branching_ratio)) / power)


def kaon_flavour_coefficient(operator: str = "vector") -> Float[Array, ""]:
    r"""$BR(K^+\to\pi^+\mu^-e^+)\,\Lambda^4$, which is that of $\mu^+e^-$ too.

    Args:
        operator: ``"vector"`` or ``"scalar"``.

    Returns:
        The coefficient [GeV^4].

    Raises:
        UnknownNameError: There is no such operator.

    References:
        The vector rate is that of $K_{\mu3}$ with $G_FV_{us}\to1/\Lambda^2$, e.g. PDG,
        form factors for semileptonic kaon decays (equation unverified).
    """
    choice("operator", operator, OPERATORS)
    lepton = jnp.asarray(MUON_MASS)
    width = vector_current_width if operator == "vector" else _scalar_width
    return width(lepton, pion_mass=PION_CHARGED_MASS) * KAON_CHARGED_LIFETIME / HBAR


def vector_current_width(
    lepton_mass: Float[Array, ""], *, pion_mass: float = PION_CHARGED_MASS
) -> Float[Array, ""]:
    r"""Width times $\Lambda^4$ of a kaon to a pion, a lepton and a massless one.

    $$\frac{d\Gamma}{dq^2} = \frac{p\,(1-m^2/q^2)^2}{48\pi^3m_K^2\,\Lambda^4}
      \Big[\Big(1+\frac{m^2}{2q^2}\Big)m_K^2p^2f_+^2
      + \frac{3m^2}{8q^2}(m_K^2-m_\pi^2)^2f_0^2\Big]$$

    with the pion's momentum p. $1/\Lambda^2 = G_FV_{us}$ and the mass of the neutral
    pion make it the width of $K^+_{\ell3}$.

    Args:
        lepton_mass: Mass m of the heavier lepton [GeV], >= 0.
        pion_mass: Mass of the pion [GeV].

    Returns:
        $\Gamma\,\Lambda^4$ [GeV^5]; 0 where the decay is closed.
    """
    mass = KAON_CHARGED_MASS

    def density(q2: Float[Array, " n"]) -> Float[Array, " n"]:
        momentum = _pion_momentum(q2, pion_mass)
        ratio = lepton_mass**2 / q2
        vector, scalar = _form_factors(q2)
        difference = mass**2 - pion_mass**2
        both = (1.0 + 0.5 * ratio) * (mass * momentum * vector) ** 2
        both = both + 0.375 * ratio * (difference * scalar) ** 2
        return momentum * (1.0 - ratio) ** 2 * both / (48.0 * math.pi**3 * mass**2)

    return _integral(density, lepton_mass, pion_mass)


def pion_flavour_coefficient() -> Float[Array, ""]:
    r"""$BR(\pi^0\to\mu^-e^+)\,\Lambda^4$ of the axial current.

    $$\Gamma = \frac{f_\pi^2m_\mu^2m_\pi}{16\pi\Lambda^4}
      \Big(1-\frac{m_\mu^2}{m_\pi^2}\Big)^2$$

    that of $\pi^+\to\mu^+\nu$ with $\sqrt2G_FV_{ud}\to1/\Lambda^2$.

    Returns:
        The coefficient [GeV^4].
    """
    mass, lepton = PION_NEUTRAL_MASS, MUON_MASS
    width = (PION_DECAY_CONSTANT * lepton) ** 2 * mass / (16.0 * math.pi)
    width *= (1.0 - (lepton / mass) ** 2) ** 2
    return jnp.asarray(width * PION_NEUTRAL_LIFETIME / HBAR)


def kaon_number_coefficient(
    first_mass: Float[Array, ""], second_mass: Float[Array, ""], *, is_same: bool
) -> Float[Array, ""]:
    r"""$BR(K^+\to\pi^-\ell^+\ell'^+)\,\Lambda^{10}$ by vacuum insertion.

    $$|M|^2 = c\,\Big(\frac{f_Kf_\pi}{4\Lambda^5}\,p_K\cdot p_\pi\Big)^2
      (q^2-m_1^2-m_2^2)$$

    with c = 1 for two leptons of different flavour, and 2 for two of one flavour: twice
    the amplitude, half the phase space.

    Args:
        first_mass: Mass of one lepton [GeV], >= 0.
        second_mass: Mass of the other [GeV], >= 0.
        is_same: Whether they have one flavour.

    Returns:
        The coefficient [GeV^10]; 0 where the decay is closed.
    """
    mass, pion_mass = KAON_CHARGED_MASS, PION_CHARGED_MASS
    constant = KAON_DECAY_CONSTANT * PION_DECAY_CONSTANT / 4.0

    def density(q2: Float[Array, " n"]) -> Float[Array, " n"]:
        product = 0.5 * (mass**2 + pion_mass**2 - q2)
        squared = (constant * product) ** 2 * (q2 - first_mass**2 - second_mass**2)
        above = q2 - (first_mass + second_mass) ** 2
        below = q2 - (first_mass - second_mass) ** 2
        lepton_phase_space = _safe_root(above * below) / q2
        momentum = _pion_momentum(q2, pion_mass)
        return squared * momentum * lepton_phase_space / (128.0 * math.pi**3 * mass**2)

    width = _integral(density, first_mass + second_mass, pion_mass)
    identical = 2.0 if is_same else 1.0
    return identical * width * KAON_CHARGED_LIFETIME / HBAR


def _scalar_width(
    lepton_mass: Float[Array, ""], *, pion_mass: float
) -> Float[Array, ""]:
    r"""Width times $\Lambda^4$ of the scalar operator.

    $$\frac{d\Gamma}{dq^2} = \frac{p\,q^2(1-m^2/q^2)^2}{128\pi^3m_K^2\,\Lambda^4}
      \Big[\frac{(m_K^2-m_\pi^2)f_0}{m_s-m_d}\Big]^2$$
    """
    mass = KAON_CHARGED_MASS
    element = (mass**2 - pion_mass**2) / QUARK_MASS_DIFFERENCE

    def density(q2: Float[Array, " n"]) -> Float[Array, " n"]:
        momentum = _pion_momentum(q2, pion_mass)
        squared = (element * _form_factors(q2)[1]) ** 2 * q2
        shape = (1.0 - lepton_mass**2 / q2) ** 2
        return momentum * squared * shape / (128.0 * math.pi**3 * mass**2)

    return _integral(density, lepton_mass, pion_mass)


def _form_factors(
    q2: Float[Array, " n"],
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Vector and scalar form factors, linear in the squared momentum transfer."""
    x = q2 / PION_CHARGED_MASS**2
    return (
        SCALAR_FORM_FACTOR * (1.0 + FORM_FACTOR_SLOPE * x),
        SCALAR_FORM_FACTOR * (1.0 + SCALAR_SLOPE * x),
    )


def _pion_momentum(q2: Float[Array, " n"], pion_mass: float) -> Float[Array, " n"]:
    """Momentum of the pion in the kaon's rest frame [GeV]."""
    mass = KAON_CHARGED_MASS
    upper, lower = (mass + pion_mass) ** 2 - q2, (mass - pion_mass) ** 2 - q2
    return _safe_root(upper * lower) / (2.0 * mass)


def _safe_root(value: Float[Array, " n"]) -> Float[Array, " n"]:
    is_positive = value > 0.0
    return jnp.where(is_positive, jnp.sqrt(jnp.where(is_positive, value, 1.0)), 0.0)


def _integral(density, threshold: Float[Array, ""], pion_mass: float) -> Array:
    r"""Integral over q^2 from the leptons' threshold to the end point.

    Gauss-Legendre in the angle of $q^2 = a + (b-a)\sin^2\phi$, in which neither end is
    a branch point.
    """
    low, high = threshold**2, (KAON_CHARGED_MASS - pion_mass) ** 2
    is_open = threshold < KAON_CHARGED_MASS - pion_mass
    low = jnp.where(is_open, low, 0.5 * high)
    x, w = np.polynomial.legendre.leggauss(_N_NODE)
    angle = 0.25 * math.pi * (jnp.asarray(x) + 1.0)
    q2 = low + (high - low) * jnp.sin(angle) ** 2
    step = 0.25 * math.pi * jnp.asarray(w) * (high - low) * jnp.sin(2.0 * angle)
    return jnp.where(is_open, jnp.sum(step * density(q2)), 0.0)
