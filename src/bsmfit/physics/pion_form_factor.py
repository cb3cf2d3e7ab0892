r"""Time-like form factor of the charged pion, and the pi+ pi- part of R.

A dark photon decays to $\pi^+\pi^-$ through the rho and, by isospin breaking, the
omega. The form factor is a sum of Gounaris-Sakurai terms for the rho and its
recurrences, with the rho-omega interference, as fitted by BaBar to
$e^+e^- \to \pi^+\pi^-(\gamma)$:

    mass -> self-energy -> Gounaris-Sakurai propagators -> F_pi -> beta^3 |F_pi|^2 / 4

The omega here is only its isospin-breaking $\pi^+\pi^-$ mode. Its other modes are in
`bsmfit.physics.narrow_resonances`.
"""

from __future__ import annotations

import cmath
import math
from typing import Final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from bsmfit.core.constants import PION_CHARGED_MASS
from bsmfit.physics.vector_meson_couplings import LIKE_THE_PHOTON, MesonCouplings

__all__ = ["gounaris_sakurai", "pion_form_factor", "two_pion_ratio"]

# Masses and widths [GeV], moduli and phases [rad] of the relative couplings: fit of
# arXiv:1205.2228 (BaBar), table of the Gounaris-Sakurai parameters [unverified].
_RHO: Final = (0.77502, 0.14959)
_RECURRENCES: Final = (
    (1.493, 0.427, 0.158, 3.76),
    (1.861, 0.316, 0.068, 1.39),
    (2.254, 0.109, 0.0051, 0.70),
)
_OMEGA: Final = (0.78191, 0.00813, 1.644e-3, -0.011)

_THRESHOLD: Final = 2.0 * PION_CHARGED_MASS


def _loop(mass: Float[Array, ""]) -> Complex[Array, ""]:
    r"""Loop function $h(s) - i p/\sqrt s$ of two charged pions, p the momentum.

    With $\beta = 2p/\sqrt s$, $h = (\beta/\pi)\,\mathrm{artanh}\,\beta$, which is
    $(2p/\pi\sqrt s) \ln[(\sqrt s + 2p)/2m_\pi]$. The analytic continuation below
    threshold is real, $(b/\pi) \arcsin(\sqrt s/2m_\pi)$ with
    $b = \sqrt{4m_\pi^2/s - 1}$, and tends to $1/\pi$ at s = 0.
    """
    is_above, is_below = mass > _THRESHOLD, mass < _THRESHOLD
    u = _THRESHOLD / jnp.where(is_above, mass, 2.0 * _THRESHOLD)
    beta = jnp.sqrt((1.0 - u) * (1.0 + u))
    v = jnp.where(is_below, mass, 0.5 * _THRESHOLD) / _THRESHOLD
    below = jnp.sqrt((1.0 - v) * (1.0 + v)) * jnp.arcsin(v) / (math.pi * v)
    zero = jnp.zeros_like(mass)
    above = beta * jnp.arctanh(beta) / math.pi
    real = jnp.where(is_above, above, jnp.where(is_below, below, zero))
    return jax.lax.complex(real, jnp.where(is_above, -0.5 * beta, zero))


def gounaris_sakurai(
    mass: Float[Array, ""], *, pole_mass: float, pole_width: float
) -> Complex[Array, ""]:
    r"""Gounaris-Sakurai propagator of a resonance in two charged pions, 1 at s = 0.

    $$BW(s) = \frac{m^2 (1 + d\,\Gamma/m)}{m^2 - s + f(s) - i m \Gamma(s)}, \qquad
      \Gamma(s) = \Gamma \Big(\frac{p}{p_0}\Big)^3 \frac{m}{\sqrt s}$$

    $$f(s) = \frac{\Gamma m^2}{p_0^3} \{p^2 [h(s) - h(m^2)]
      + (m^2 - s)\, p_0^2\, h'(m^2)\}$$

    $$h'(m^2) = h(m^2) \Big[\frac{1}{8p_0^2} - \frac{1}{2m^2}\Big]
      + \frac{1}{2\pi m^2}, \qquad
      d = \frac{3 m_\pi^2}{\pi p_0^2} \ln\frac{m + 2p_0}{2m_\pi}
      + \frac{m}{2\pi p_0} - \frac{m_\pi^2 m}{\pi p_0^3}$$

    with $p = \frac12\sqrt{s - 4m_\pi^2}$ and $p_0 = p(m^2)$. Below threshold it is the
    analytic continuation, which is real.

    Args:
        mass: Square root of s [GeV], > 0.
        pole_mass: Mass m of the resonance [GeV], > twice the pion mass.
        pole_width: Width of the resonance at its mass [GeV], > 0.

    Returns:
        Propagator [1], with positive imaginary part above threshold.

    References:
        Gounaris:1968mw; form of arXiv:1205.2228, appendix (equation unverified).
    """
    m, width = pole_mass, pole_width
    p0_squared = 0.25 * m**2 - PION_CHARGED_MASS**2
    p0 = math.sqrt(p0_squared)
    log = math.log((m + 2.0 * p0) / _THRESHOLD)
    h0 = 2.0 * p0 / (math.pi * m) * log
    slope = h0 * (0.125 / p0_squared - 0.5 / m**2) + 0.5 / (math.pi * m**2)
    d = (
        3.0 * PION_CHARGED_MASS**2 * log / (math.pi * p0_squared)
        + m / (2.0 * math.pi * p0)
        - PION_CHARGED_MASS**2 * m / (math.pi * p0**3)
    )
    s = mass**2
    p_squared = 0.25 * s - PION_CHARGED_MASS**2
    scale = width * m**2 / p0**3
    loop = _loop(mass)
    real = (m**2 - s) * (1.0 + scale * p0_squared * slope)
    real = real + scale * p_squared * (loop.real - h0)
    return (
        m**2
        * (1.0 + d * width / m)
        / jax.lax.complex(real, scale * p_squared * loop.imag)
    )


def pion_form_factor(
    mass: Float[Array, ""], *, couplings: MesonCouplings = LIKE_THE_PHOTON
) -> Complex[Array, ""]:
    r"""Form factor of the charged pion at s = mass squared.

    $$F_\pi = \frac{1}{1 + \sum_i c_i} \Big[ BW_\rho\,
      \frac{a_\rho + a_\omega c_\omega BW_\omega}{1 + c_\omega}
      + a_\rho \sum_i c_i BW_i \Big]$$

    with i over rho(1450), rho(1700) and rho(2150) and complex relative couplings c.
    $BW_\omega = m^2/(m^2 - s - i m \Gamma)$. The width of the omega is constant, so
    $F_\pi(0)$ is 1 up to the omega's width, a few parts in 10^5. The
    electromagnetic one has $a_\rho = a_\omega = 1$; without $a_\rho$ only the two pions
    of the omega are left.

    Args:
        mass: Square root of s [GeV], > 0; fitted to data from 0.3 to 3 GeV.
        couplings: Of the vector to the mesons; those of the photon by default.

    Returns:
        Form factor [1].

    References:
        arXiv:1205.2228 (BaBar), parameters unverified.
    """
    omega_mass, omega_width, modulus, phase = _OMEGA
    mixing = cmath.rect(modulus, phase)
    omega = omega_mass**2 / jax.lax.complex(
        omega_mass**2 - mass**2, jnp.full_like(mass, -omega_mass * omega_width)
    )
    rho = gounaris_sakurai(mass, pole_mass=_RHO[0], pole_width=_RHO[1])
    isovector, isoscalar = (
        jnp.asarray(strength, dtype=rho.dtype)
        for strength in (couplings.rho, couplings.omega)
    )
    total = rho * (isovector + isoscalar * (mixing * omega)) / (1.0 + mixing)
    norm = 1.0 + 0.0j
    for pole_mass, pole_width, modulus, phase in _RECURRENCES:
        coupling = cmath.rect(modulus, phase)
        norm += coupling
        total = total + isovector * (
            coupling
            * gounaris_sakurai(mass, pole_mass=pole_mass, pole_width=pole_width)
        )
    return total / norm


def two_pion_ratio(
    mass: Float[Array, ""], *, couplings: MesonCouplings = LIKE_THE_PHOTON
) -> Float[Array, ""]:
    r"""Ratio R of $\pi^+\pi^-$ to massless muon pairs at s = mass squared.

    $$R_{\pi\pi} = \tfrac14\, \beta_\pi^3\, |F_\pi(s)|^2, \qquad
      \beta_\pi = \sqrt{1 - 4m_\pi^2/s}$$

    At and below threshold the value and its gradient are exactly zero.

    Args:
        mass: Dark-photon mass, the square root of s [GeV], > 0.
        couplings: Of the vector to the mesons; those of the photon by default.

    Returns:
        R of this final state [1].

    References:
        arXiv:1205.2228, definition of the form factor.

    Examples:
        >>> import jax.numpy as jnp
        >>> float(two_pion_ratio(jnp.array(0.2)))
        0.0
    """
    is_open = mass > _THRESHOLD
    safe = jnp.where(is_open, mass, 2.0 * _THRESHOLD)
    u = _THRESHOLD / safe
    form_factor = pion_form_factor(safe, couplings=couplings)
    modulus_squared = form_factor.real**2 + form_factor.imag**2
    ratio = 0.25 * ((1.0 - u) * (1.0 + u)) ** 1.5 * modulus_squared
    return jnp.where(is_open, ratio, jnp.zeros_like(ratio))
