r"""K+ -> pi+ gamma*: the vector form factor, and the dark photon it makes.

A dark photon replaces the virtual photon of $K^+\to\pi^+\gamma^*$, which is measured in
$K^+\to\pi^+\ell^+\ell^-$. With $z = q^2/m_K^2$ and $r = m_\pi/m_K$ the amplitude is

$$W(z) = G_F m_K^2 (a_+ + b_+ z) + W_{\pi\pi}(z),$$

a polynomial with two measured numbers and a pion loop with the amplitude of
$K\to3\pi$. The loop is real below $z = 4r^2$ and has an imaginary part above.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    FERMI_CONSTANT,
    FINE_STRUCTURE,
    HBAR,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.physics.kaon_to_pion import relative_momentum

__all__ = [
    "dilepton_spectrum",
    "form_factor_squared",
    "pion_loop",
    "vector_branching_ratio",
]

_A_PLUS: Final = -0.575
_B_PLUS: Final = -0.722
"""NA62, K+ -> pi+ mu+ mu-, arXiv:2209.05076 [published], errors 0.013 and 0.043."""

_ALPHA_PLUS: Final = -20.8e-8
_BETA_PLUS: Final = -2.9e-8
"""Amplitude of K -> 3 pi at its centre and its slope, hep-ph/9808289 [unverified]."""

_VECTOR_RATIO: Final = 2.5
"""Squared mass of the rho over that of the kaon, hep-ph/9808289 [unverified]."""

_PION_RATIO: Final = (PION_CHARGED_MASS / KAON_CHARGED_MASS) ** 2
_SERIES_END: Final = 0.1
_N_SERIES: Final = 12


def _series_coefficients() -> tuple[float, ...]:
    """Taylor coefficients of (1-y)^1.5 asin(sqrt y) / sqrt y, from y^2 on."""

    def central(n: int) -> float:
        return 4.0**n * math.factorial(n) ** 2 / math.factorial(2 * n + 1)

    return tuple(
        central(n) - 2.0 * central(n - 1) + central(n - 2)
        for n in range(2, 2 + _N_SERIES)
    )


def _loop_function(y: Array) -> tuple[Array, Array]:
    r"""$\chi$ of the pion loop, real and imaginary part, for $y = z/4r^2$.

    The terms of order 1/y and 1 cancel at small y: a series there. At y = 1 both
    branches are zero, which is selected there, as their slope in y is zero too.
    """
    is_small, is_below, is_above = y < _SERIES_END, y < 1.0, y > 1.0
    series = jnp.zeros_like(y)
    small = jnp.where(is_small, y, 0.0)
    for coefficient in reversed(_series_coefficients()):
        series = small * (coefficient + series)
    away = jnp.where(is_small, 0.5, y)
    below = jnp.where(is_below, away, 0.5)
    root = jnp.sqrt(1.0 - below)
    angle = jnp.arctan2(jnp.sqrt(below), root)
    arcsine = root**3 * angle / jnp.sqrt(below) / (3.0 * below)
    beta = jnp.sqrt(1.0 - 1.0 / jnp.where(is_above, y, 2.0))
    logarithm = beta**3 * (jnp.log1p(-beta) - jnp.log1p(beta)) / 6.0
    branch = jnp.where(is_below, arcsine, jnp.where(is_above, logarithm, 0.0))
    real = jnp.where(is_small, series / 3.0, 4.0 / 9.0 - 1.0 / (3.0 * away) + branch)
    return real, jnp.where(is_above, math.pi / 6.0 * beta**3, 0.0)


def pion_loop(
    z: Float[Array, " *point"],
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    r"""Pion-loop amplitude of $K^+\to\pi^+\gamma^*$.

    $$W_{\pi\pi} = \frac{1}{r^2}\Big[\alpha_+ + \beta_+\frac{z-z_0}{r^2}\Big]
      \Big(1+\frac{z}{r_V^2}\Big)\chi(z), \qquad z_0 = \tfrac13 + r^2,$$
    $$\chi = \frac49 - \frac{4r^2}{3z}
      - \frac13\Big(1-\frac{4r^2}{z}\Big)G\Big(\frac{z}{r^2}\Big),$$

    $G(x) = \sqrt{4/x-1}\,\arcsin(\sqrt x/2)$ up to $x = 4$ and its continuation above.
    It vanishes at $z = 0$; value and gradient are finite there and at $z = 4r^2$.

    Args:
        z: Squared momentum of the pair over that of the kaon [1], >= 0.

    Returns:
        Real and imaginary part [1].

    References:
        D'Ambrosio, Ecker, Isidori, Portoles, hep-ph/9808289 (form unverified).
    """
    real, imaginary = _loop_function(z / (4.0 * _PION_RATIO))
    centre = 1.0 / 3.0 + _PION_RATIO
    slope = _BETA_PLUS * (z - centre) / _PION_RATIO
    strength = (_ALPHA_PLUS + slope) * (1.0 + z / _VECTOR_RATIO) / _PION_RATIO
    return strength * real, strength * imaginary


def form_factor_squared(z: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""Squared modulus of the vector form factor W(z), with the pion loop.

    $$W = G_F m_K^2 (a_+ + b_+ z) + W_{\pi\pi}(z)$$

    Args:
        z: Squared momentum of the pair over that of the kaon [1], >= 0.

    Returns:
        $|W|^2$ [1].

    References:
        hep-ph/9808289 (equation number unverified); $a_+$, $b_+$: arXiv:2209.05076.
    """
    real, imaginary = pion_loop(z)
    polynomial = FERMI_CONSTANT * KAON_CHARGED_MASS**2 * (_A_PLUS + _B_PLUS * z)
    return (polynomial + real) ** 2 + imaginary**2


def vector_branching_ratio(mass: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""BR(K+ -> pi+ A') at unit mixing; multiply by $\epsilon^2$.

    $$\Gamma = \epsilon^2\,\alpha\,m_K\,z\,\lambda^{3/2}(1,z,r^2)\,
      \frac{|W(z)|^2}{4(4\pi)^4}$$

    It falls as $m^2$ towards zero mass, since a massless photon is forbidden, and is
    exactly zero, with zero gradient, at and above $m_K - m_\pi$.

    Args:
        mass: Mass of the dark photon [GeV], >= 0.

    Returns:
        Branching ratio over the squared mixing [1].

    References:
        hep-ph/9808289 (equation number unverified), as the on-shell limit of
        `dilepton_spectrum`.

    Examples:
        >>> print(f"{float(vector_branching_ratio(jnp.array(0.1))):.2e}")
        5.50e-05
    """
    z = (mass / KAON_CHARGED_MASS) ** 2
    phase_space = z * relative_momentum(mass) ** 3
    width = (
        (FINE_STRUCTURE * KAON_CHARGED_MASS / (4.0 * (4.0 * math.pi) ** 4))
        * phase_space
        * form_factor_squared(z)
    )
    return width * (KAON_CHARGED_LIFETIME / HBAR)


def dilepton_spectrum(
    z: Float[Array, " *point"], *, lepton_mass: float
) -> Float[Array, " *point"]:
    r"""Differential branching ratio of $K^+\to\pi^+\ell^+\ell^-$.

    $$\frac{d\Gamma}{dz} = \frac{\alpha^2 m_K}{12\pi(4\pi)^4}\,\lambda^{3/2}(1,z,r^2)
      \sqrt{1-\frac{4r_\ell^2}{z}}\,\Big(1+\frac{2r_\ell^2}{z}\Big)|W(z)|^2$$

    The measured rates test the normalisation of `vector_branching_ratio`.

    Args:
        z: Squared mass of the pair over that of the kaon [1], > 0.
        lepton_mass: Lepton mass [GeV], > 0.

    Returns:
        Differential branching ratio in z [1]; exactly 0 outside phase space.

    References:
        hep-ph/9808289 (equation number unverified).
    """
    ratio = (lepton_mass / KAON_CHARGED_MASS) ** 2
    is_open = z > 4.0 * ratio
    safe = jnp.where(is_open, z, 8.0 * ratio)
    lepton = jnp.sqrt(1.0 - 4.0 * ratio / safe) * (1.0 + 2.0 * ratio / safe)
    momentum = relative_momentum(KAON_CHARGED_MASS * jnp.sqrt(safe))
    norm = FINE_STRUCTURE**2 * KAON_CHARGED_MASS / (12.0 * math.pi)
    norm *= KAON_CHARGED_LIFETIME / HBAR / (4.0 * math.pi) ** 4
    spectrum = norm * momentum**3 * lepton * form_factor_squared(safe)
    return jnp.where(is_open, spectrum, 0.0)
