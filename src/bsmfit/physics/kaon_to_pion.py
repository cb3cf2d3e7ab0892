r"""Branching ratios of K+ -> pi+ X for a Higgs-mixed scalar and a flavoured axion.

Every kaon-mode search is for one production process, ``"kaon-to-pion"``. Its strength
is BR(K+ -> pi+ X), whatever X is; that of a dark photon is in
`bsmfit.physics.kaon_vector_form_factor`. All are exactly zero, with zero gradient, at
and above the end of phase space, $m_K - m_\pi$ = 0.3541 GeV. Just below it the S-wave
slope grows like the inverse square root of the distance and stays finite.
"""

from __future__ import annotations

import math
from typing import Final

from jaxtyping import Array, Float

from bsmfit.core.constants import (
    HBAR,
    HIGGS_VEV,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.physics.meson_decay import two_body_momentum

__all__ = [
    "FLAVOUR_PRODUCT",
    "KAON_TO_PION",
    "SCALAR_FORM_FACTOR",
    "TOP_MASS_MSBAR",
    "TOP_MASS_POLE",
    "axion_branching_ratio",
    "relative_momentum",
    "scalar_branching_ratio",
    "scalar_coefficient",
]

KAON_TO_PION: Final = "kaon-to-pion"
"""Name of the production process."""

TOP_MASS_POLE: Final = 172.57
"""Pole mass of the top quark [GeV] (PDG, Navas:2024vhm) [published]."""

TOP_MASS_MSBAR: Final = 162.8
"""MSbar mass of the top quark at its own scale [GeV] [unverified]; as in the PDG."""

FLAVOUR_PRODUCT: Final = 3.520e-4
"""|Vts* Vtd| [derived], modulus of (-3.228 + 1.404i) 1e-4: PDG Wolfenstein parameters
lambda, A, rho, eta = 0.225, 0.826, 0.159, 0.348 (Navas:2024vhm) [published]."""

SCALAR_FORM_FACTOR: Final = 0.970
"""$f_0(0) = f_+(0)$ of K -> pi [published], lattice averages; taken as constant."""

_MASS_DIFFERENCE: Final = KAON_CHARGED_MASS**2 - PION_CHARGED_MASS**2


def relative_momentum(mass: Float[Array, " *#point"]) -> Float[Array, " *#point"]:
    r"""Phase space of K+ -> pi+ X.

    $$\frac{2p_X}{m_K} = \lambda^{1/2}\Big(1, \frac{m_\pi^2}{m_K^2},
      \frac{m_X^2}{m_K^2}\Big)$$

    Args:
        mass: Mass of X [GeV], >= 0.

    Returns:
        Twice the momentum of X in the kaon's rest frame, in units of the kaon's mass
        [1]; exactly 0 where the decay is closed.

    Examples:
        >>> import jax.numpy as jnp
        >>> print(f"{float(relative_momentum(jnp.array(0.0))):.4f}")
        0.9201
    """
    momentum = two_body_momentum(KAON_CHARGED_MASS, PION_CHARGED_MASS, mass)
    return 2.0 * momentum / KAON_CHARGED_MASS


def scalar_coefficient(
    top_mass: float = TOP_MASS_POLE,
    *,
    flavour_product: float = FLAVOUR_PRODUCT,
    form_factor: float = SCALAR_FORM_FACTOR,
) -> float:
    r"""Coefficient of BR(K+ -> pi+ S) for a scalar that mixes with the Higgs boson.

    $$C_K = \frac{C_{sd}^2\,(m_K^2-m_\pi^2)^2 f_0^2}{64\pi\,m_K\,\Gamma_K}, \qquad
      C_{sd} = \frac{3\,m_t^2\,|V_{ts}^*V_{td}|}{16\pi^2v^3}$$

    1.596e-3 with the pole mass of the top quark, 1.264e-3 with its MSbar mass.

    Args:
        top_mass: $m_t$ [GeV], > 0.
        flavour_product: $|V_{ts}^*V_{td}|$ [1], > 0.
        form_factor: $f_0$ [1], > 0.

    Returns:
        $C_K$ [1].

    References:
        arXiv:1809.01876; arXiv:1904.10447 (equation numbers unverified).

    Examples:
        >>> print(f"{scalar_coefficient():.3e}")
        1.596e-03
    """
    loop = 3.0 * top_mass**2 * flavour_product / (16.0 * math.pi**2 * HIGGS_VEV**3)
    amplitude = loop * _MASS_DIFFERENCE * form_factor
    width = amplitude**2 / (64.0 * math.pi * KAON_CHARGED_MASS)
    return width * KAON_CHARGED_LIFETIME / HBAR


def scalar_branching_ratio(
    mass: Float[Array, " *#point"],
    *,
    coefficient: float | Float[Array, ""],
) -> Float[Array, " *#point"]:
    r"""BR(K+ -> pi+ S) at unit mixing; multiply by $\sin^2\theta$.

    $$BR = C_K\,\frac{2p_S}{m_K}\,\sin^2\theta$$

    Args:
        mass: Mass of the scalar [GeV], >= 0.
        coefficient: $C_K$ [1], >= 0, of `scalar_coefficient` or of a publication.

    Returns:
        Branching ratio over the squared mixing [1]; exactly 0 where closed.

    References:
        arXiv:1809.01876; arXiv:1904.10447 (equation numbers unverified).
    """
    return coefficient * relative_momentum(mass)


def axion_branching_ratio(
    mass: Float[Array, " *#point"], decay_constant: Float[Array, " *#point"]
) -> Float[Array, " *#point"]:
    r"""BR(K+ -> pi+ a) of an axion with a flavour-violating vector coupling.

    $$BR = \frac{(m_K^2-m_\pi^2)^2 f_+^2(0)\,p_a}{8\pi\,m_K^2F_V^2\,\Gamma_K},\qquad
      \mathcal L = \frac{\partial_\mu a}{F_V}\,\bar d\gamma^\mu s$$

    Only the vector coupling enters. 3.30e13 GeV^2 / F_V^2 for a massless axion.

    Args:
        mass: Mass of the axion [GeV], >= 0.
        decay_constant: $F_V$ [GeV], > 0.

    Returns:
        Branching ratio [1]; exactly 0 where closed.

    References:
        arXiv:2002.04623 (equation number unverified).
    """
    amplitude = _MASS_DIFFERENCE * SCALAR_FORM_FACTOR / decay_constant
    width = amplitude**2 * relative_momentum(mass) / (16.0 * math.pi)
    return width / KAON_CHARGED_MASS * (KAON_CHARGED_LIFETIME / HBAR)
