r"""Branching ratios of B -> K X, B -> K* X and B -> X_s X for a Higgs-mixed scalar.

    b-to-kaon      B -> K S        exclusive, form factor f_0
    b-to-kstar     B -> K*(892) S  exclusive, form factor A_0
    b-to-strange   B -> X_s S      inclusive, in place of both

A process's strength is the branching ratio of the charged B meson; searches add the
neutral one, whose width is the same by isospin. All are exactly zero, with zero
gradient, at and above the end of phase space. The inclusive mode ends at that of K,
the lightest of its states.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    BEAUTY_CHARGED_LIFETIME,
    BEAUTY_CHARGED_MASS,
    HBAR,
    HIGGS_VEV,
    KAON_CHARGED_MASS,
    KSTAR_MASS,
)
from bsmfit.errors import UnknownNameError
from bsmfit.physics.kaon_to_pion import TOP_MASS_POLE
from bsmfit.physics.meson_decay import two_body_momentum

__all__ = [
    "BEAUTY_PROCESSES",
    "B_TO_KAON",
    "B_TO_KSTAR",
    "B_TO_STRANGE",
    "INCLUSIVE_RATE",
    "BeautyDecay",
    "beauty_scalar_branching_ratio",
    "beauty_scalar_coefficient",
    "kaon_form_factor",
    "kstar_form_factor",
]

B_TO_KAON: Final = "b-to-kaon"
B_TO_KSTAR: Final = "b-to-kstar"
B_TO_STRANGE: Final = "b-to-strange"
"""Names of the production processes."""

FLAVOUR_PRODUCT: Final = 0.04106
"""|Vtb Vts*| [derived] from the PDG Wolfenstein parameters (Navas:2024vhm)."""

INCLUSIVE_RATE: Final = 5.6
"""BR(B -> X_s S) over sin^2(theta) of a massless scalar: arXiv:1710.09387 as read in a
public code; another has 6.63, and 3.31 for the sum of its exclusive states."""


@dataclass(frozen=True)
class BeautyDecay:
    """What recoils against the new particle, for its momentum.

    Attributes:
        process: Name of the production process.
        recoil_mass: Mass of what recoils [GeV].
    """

    process: str
    recoil_mass: float


BEAUTY_PROCESSES: Final = MappingProxyType(
    {
        decay.process: decay
        for decay in (
            BeautyDecay(B_TO_KAON, KAON_CHARGED_MASS),
            BeautyDecay(B_TO_KSTAR, KSTAR_MASS),
            BeautyDecay(B_TO_STRANGE, KSTAR_MASS),
        )
    }
)
"""The decays by process name. The inclusive one recoils against one mass, that of
K*(892) [assumed]: 1.9 GeV, as in B -> X_s gamma, would take 10 % of the momentum."""


def kaon_form_factor(mass: Float[Array, " *#point"]) -> Float[Array, " *#point"]:
    r"""Scalar form factor of B -> K.

    $$f_0(q^2) = \frac{0.330}{1-q^2/37.46\,\text{GeV}^2},\qquad q^2 = m_S^2$$

    Args:
        mass: Mass of the scalar [GeV], 0 to $m_B-m_K$.

    Returns:
        Form factor [1].

    References:
        hep-ph/0406232, parameters as read in a public code.
    """
    return 0.330 / (1.0 - mass**2 / 37.46)


def kstar_form_factor(mass: Float[Array, " *#point"]) -> Float[Array, " *#point"]:
    r"""Axial form factor of B -> K*(892).

    $$A_0(q^2) = \frac{1.364}{1-q^2/m_B^2} - \frac{0.990}{1-q^2/36.78\,\text{GeV}^2}$$

    Args:
        mass: Mass of the scalar [GeV], 0 to $m_B-m_{K^*}$.

    Returns:
        Form factor [1].

    References:
        hep-ph/0412079, parameters as read in a public code [unverified].
    """
    pole = 1.0 - (mass / BEAUTY_CHARGED_MASS) ** 2
    return 1.364 / pole - 0.990 / (1.0 - mass**2 / 36.78)


def beauty_scalar_coefficient(
    top_mass: float = TOP_MASS_POLE, *, flavour_product: float = FLAVOUR_PRODUCT
) -> float:
    r"""Coefficient of the branching ratios of B -> K S and B -> K* S.

    $$C_B = \frac{C_{sb}^2\,m_B^3}{64\pi\,\Gamma_B},\qquad
      C_{sb} = \frac{3\,m_t^2\,|V_{tb}V_{ts}^*|}{16\pi^2v^3}$$

    Args:
        top_mass: $m_t$ [GeV], > 0.
        flavour_product: $|V_{tb}V_{ts}^*|$ [1], > 0.

    Returns:
        $C_B$ [1]: 4.411 with the pole mass of the top quark.

    References:
        arXiv:1809.01876; arXiv:1904.10447 (equation numbers unverified).
    """
    loop = 3.0 * top_mass**2 * flavour_product / (16.0 * math.pi**2 * HIGGS_VEV**3)
    width = loop**2 * BEAUTY_CHARGED_MASS**3 / (64.0 * math.pi)
    return width * BEAUTY_CHARGED_LIFETIME / HBAR


def beauty_scalar_branching_ratio(
    process: str,
    mass: Float[Array, " *#point"],
    *,
    coefficient: float | Float[Array, ""],
) -> Float[Array, " *#point"]:
    r"""Branching ratio of the charged B meson at unit mixing; times $\sin^2\theta$.

    $$BR(B\to KS) = C_B\Big(1-\frac{m_K^2}{m_B^2}\Big)^2f_0^2\,\hat\lambda^{1/2},\qquad
      BR(B\to K^*S) = C_B\,A_0^2\,\hat\lambda^{3/2},$$

    $\hat\lambda = \lambda(1, m_{K^{(*)}}^2/m_B^2, m_S^2/m_B^2)$. The chirality of the
    operator makes the 64 in $C_B$ (16 in a public code is 4 times too much).
    Inclusive: $5.6\,(1-m_S^2/m_B^2)^2\,C_B/C_B(m_t)$ with the pole mass.

    Args:
        process: Name out of `BEAUTY_PROCESSES`.
        mass: Mass of the scalar [GeV], >= 0.
        coefficient: $C_B$ [1], >= 0, of `beauty_scalar_coefficient`.

    Returns:
        Branching ratio over the squared mixing [1]; exactly 0 where closed.

    References:
        arXiv:1809.01876; arXiv:1904.10447 (equation numbers unverified); inclusive:
        arXiv:1710.09387 as read in a public code.

    Examples:
        >>> ratio = beauty_scalar_branching_ratio(
        ...     "b-to-kaon", jnp.array(0.0), coefficient=beauty_scalar_coefficient()
        ... )
        >>> print(f"{float(ratio):.3f}")
        0.468
    """
    if process not in BEAUTY_PROCESSES:
        kind = "production process of B mesons"
        raise UnknownNameError.from_choices(kind, process, BEAUTY_PROCESSES)
    is_inclusive = process == B_TO_STRANGE
    recoil = KSTAR_MASS if process == B_TO_KSTAR else KAON_CHARGED_MASS
    is_open = mass < BEAUTY_CHARGED_MASS - recoil
    inside = jnp.where(is_open, mass, 0.0)
    if is_inclusive:
        shape = (1.0 - (inside / BEAUTY_CHARGED_MASS) ** 2) ** 2
        strength = INCLUSIVE_RATE * coefficient / beauty_scalar_coefficient()
        return jnp.where(is_open, strength * shape, 0.0)
    momentum = two_body_momentum(BEAUTY_CHARGED_MASS, recoil, mass)
    opening = 2.0 * momentum / BEAUTY_CHARGED_MASS
    if process == B_TO_KSTAR:
        return coefficient * kstar_form_factor(inside) ** 2 * opening**3
    squared = (1.0 - (recoil / BEAUTY_CHARGED_MASS) ** 2) ** 2
    return coefficient * squared * kaon_form_factor(inside) ** 2 * opening
