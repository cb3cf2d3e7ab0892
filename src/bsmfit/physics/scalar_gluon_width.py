r"""Width of a Higgs-mixed scalar into gluons, by perturbation theory above 2 GeV.

`bsmfit.physics.scalar_width` takes it above 2 GeV, where its table of mesons ends. At
2 GeV the NLO correction is larger than the leading order: a factor of 2 is uncertain.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import HIGGS_VEV
from bsmfit.physics.kaon_to_pion import TOP_MASS_POLE

__all__ = ["gluon_width", "quark_loop", "strong_coupling"]

_Z_MASS: Final = 91.188
_STRONG_COUPLING_Z: Final = 0.1180
"""alpha_s at the Z mass [GeV] (PDG, Navas:2024vhm) [published]."""

_BOTTOM_MASS: Final = 4.18
_CHARM_MASS: Final = 1.27
_STRANGE_MASS: Final = 0.095
"""Quark masses in the loops [GeV] (PDG, rounded) [published]; u, d are negligible."""

_QUARK_MASSES: Final = (_STRANGE_MASS, _CHARM_MASS, _BOTTOM_MASS, TOP_MASS_POLE)
_N_FLAVOUR: Final = 4


def _run(start: float | Array, log_ratio: float | Array, n_flavour: int) -> Array:
    """Two-loop running over log(mu^2 / mu0^2), first order in the second loop."""
    first = (11.0 - 2.0 * n_flavour / 3.0) / (4.0 * math.pi)
    second = (102.0 - 38.0 * n_flavour / 3.0) / (16.0 * math.pi**2)
    slowing = 1.0 + first * start * log_ratio
    ratio = second / first
    return start / (slowing + ratio * start * jnp.log(slowing))


def strong_coupling(scale: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""Running strong coupling from 2 GeV to the mass of the bottom quark.

    $$\frac1{\alpha_s(\mu)} = \frac{w}{\alpha_0} + \frac{b_1}{b_0}\ln w, \qquad
      w = 1 + b_0\alpha_0\ln\frac{\mu^2}{\mu_0^2},$$

    from the Z mass to 4.18 GeV with five flavours and on with four, continuous there.

    Args:
        scale: Scale [GeV], 2 to 5; the caller checks.

    Returns:
        $\alpha_s$ [1].

    References:
        PDG review of quantum chromodynamics, Navas:2024vhm (two-loop solution to
        first order in $b_1$).

    Examples:
        >>> print(f"{float(strong_coupling(jnp.array(2.0))):.2f}")
        0.30
    """
    five = _run(_STRONG_COUPLING_Z, 2.0 * math.log(_BOTTOM_MASS / _Z_MASS), 5)
    return _run(five, 2.0 * jnp.log(scale / _BOTTOM_MASS), _N_FLAVOUR)


def quark_loop(
    mass: Float[Array, " *point"], *, quark_mass: float
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    r"""Amplitude of one quark in the loop of S -> gg.

    $$A = \frac{\tau + (\tau-1)f(\tau)}{\tau^2}, \qquad \tau = \frac{m_S^2}{4m_q^2},$$

    $f = \arcsin^2\sqrt\tau$ below threshold and
    $-\frac14\big[\ln\frac{1+\beta}{1-\beta}-i\pi\big]^2$ above, $\beta^2 = 1-1/\tau$.
    A heavy quark has $A = 2/3$, a light one none. Value and gradient are finite at
    threshold.

    Args:
        mass: Mass of the scalar [GeV], > 0.
        quark_mass: Mass of the quark [GeV], > 0.

    Returns:
        Real and imaginary part [1].

    References:
        Standard, as in arXiv:1809.01876 (equation number unverified).
    """
    tau = (mass / (2.0 * quark_mass)) ** 2
    is_heavy, is_below, is_above = tau < 1.0e-3, tau < 1.0, tau > 1.0
    below = jnp.where(is_below & ~is_heavy, tau, 0.5)
    arcsine = jnp.arctan2(jnp.sqrt(below), jnp.sqrt(1.0 - below))
    beta = jnp.sqrt(1.0 - 1.0 / jnp.where(is_above, tau, 2.0))
    logarithm = jnp.log1p(beta) - jnp.log1p(-beta)
    squared = jnp.where(is_above, 0.25 * (math.pi**2 - logarithm**2), 0.25 * math.pi**2)
    f_real = jnp.where(is_below, arcsine**2, squared)
    f_imaginary = jnp.where(is_above, 0.5 * math.pi * logarithm, 0.0)
    safe = jnp.where(is_heavy, 0.5, tau)
    real = (safe + (safe - 1.0) * f_real) / safe**2
    series = 2.0 / 3.0 + 7.0 / 45.0 * tau
    return jnp.where(is_heavy, series, real), (safe - 1.0) * f_imaginary / safe**2


def gluon_width(mass: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""Width into gluons at unit mixing, above 2 GeV.

    $$\Gamma = \frac{\alpha_s^2(m_S)\,m_S^3}{32\pi^3v^2}\,\Big|\sum_q A_q\Big|^2
      \Big[1+\frac{\alpha_s}{\pi}\Big(\frac{95}4-\frac{7N_f}6\Big)\Big]\sin^2\theta,
      \qquad N_f = 4$$

    The bracket is 2.8 at 2 GeV: the size is right to a factor, not to per cent. Below
    2 GeV the formula has no meaning.

    Args:
        mass: Mass of the scalar [GeV], 2 to 5; the caller checks.

    Returns:
        Partial width over the squared mixing [GeV].

    References:
        arXiv:1809.01876, and a public code with the same formula (equation number
        unverified).
    """
    loops = [quark_loop(mass, quark_mass=quark) for quark in _QUARK_MASSES]
    real = sum((part for part, _ in loops), start=jnp.zeros_like(mass))
    imaginary = sum((part for _, part in loops), start=jnp.zeros_like(mass))
    coupling = strong_coupling(mass)
    correction = 1.0 + coupling / math.pi * (95.0 / 4.0 - 7.0 * _N_FLAVOUR / 6.0)
    leading = coupling**2 * mass**3 / (32.0 * math.pi**3 * HIGGS_VEV**2)
    return leading * (real**2 + imaginary**2) * correction
