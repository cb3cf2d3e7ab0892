r"""Phase space of a vector meson decaying to pi+ pi- pi0 through rho pi.

A vector of polarisation e couples to three pions by $e \cdot (p_+ \times p_-)$ times
an amplitude that is the coherent sum of the three rho propagators. Its growth with the
mass is what the omega and phi propagators need away from their poles. A constant
amplitude is too flat, since it misses the opening of on-shell rho pi at 0.91 GeV: with
it the cross section at 0.9 GeV is a third below the digitised one, with rho pi 7 %.

The integral has no closed form. It is made once with numpy (Gauss-Legendre in both
variables); `bsmfit.physics.narrow_resonances` interpolates it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Complex, Float

from bsmfit.core.constants import PION_CHARGED_MASS, PION_NEUTRAL_MASS, RHO_MASS

__all__ = ["THREE_PION_THRESHOLD", "three_pion_phase_space"]

THREE_PION_THRESHOLD: Final = 2.0 * PION_CHARGED_MASS + PION_NEUTRAL_MASS
"""Threshold of pi+ pi- pi0 [GeV]."""

_RHO_WIDTH: Final = 0.1491  # Navas:2024vhm, rho(770), charged [published]


def _breakup_squared(
    s: Float[np.ndarray, ...],
    mass_a: float,
    mass_b: float | Float[np.ndarray, ...],
) -> Float[np.ndarray, ...]:
    """Squared momentum of two bodies in their rest frame, zero below threshold."""
    upper, lower = (mass_a + mass_b) ** 2, (mass_a - mass_b) ** 2
    return np.maximum((s - upper) * (s - lower), 0.0) / (4.0 * s)


def _rho_propagator(
    s: Float[np.ndarray, " *node"], mass_a: float, mass_b: float
) -> Complex[np.ndarray, " *node"]:
    """Breit-Wigner of the rho with its P-wave width in the given pion pair."""
    at_pole = _breakup_squared(np.array([RHO_MASS**2]), mass_a, mass_b)
    growth = (_breakup_squared(s, mass_a, mass_b) / at_pole) ** 1.5
    mass_times_width = RHO_MASS**2 * _RHO_WIDTH * growth / np.sqrt(s)
    return RHO_MASS**2 / (RHO_MASS**2 - s - 1j * mass_times_width)


def three_pion_phase_space(
    mass: Float[np.ndarray, " n_mass"], *, n_node: int = 64
) -> Float[np.ndarray, " n_mass"]:
    r"""Three-pion width of a vector of given mass, in arbitrary fixed units.

    $$P(m) = \int dm_{+-}\, d\cos\theta\; p^*\, q\,
      |\vec p_+ \times \vec p_-|^2\, |A|^2, \qquad
      |\vec p_+ \times \vec p_-| = p^* q \sin\theta$$

    $$A = \sum_{ij = +-,\,+0,\,-0} \frac{m_\rho^2}{m_\rho^2 - s_{ij}
      - i \sqrt{s_{ij}}\, \Gamma_\rho(s_{ij})}$$

    with $p^*$ the momentum in the $\pi^+\pi^-$ frame and q that of the neutral pion in
    the rest frame of the vector. Grows like the fourth power of the energy release.

    Args:
        mass: Masses of the vector [GeV]; zero at and below threshold.
        n_node: Gauss-Legendre nodes in each of the two variables.

    Returns:
        P, proportional to the partial width at fixed coupling.

    References:
        The rho pi model of arXiv:hep-ex/0305049 (SND) [equation unverified].

    Examples:
        >>> three_pion_phase_space(np.array([0.3, 0.4]))
        array([0., 0.])
    """
    w = mass[:, None, None]
    node, weight = np.polynomial.legendre.leggauss(n_node)
    low, high = 2.0 * PION_CHARGED_MASS, w - PION_NEUTRAL_MASS
    spread = np.maximum(high - low, 0.0)
    # m = low + (high - low) sin^2: the square-root ends of p* and q become smooth.
    angle = 0.25 * np.pi * (node + 1.0)[:, None]
    pair_mass = low + spread * np.sin(angle) ** 2
    jacobian = 0.25 * np.pi * spread * np.sin(2.0 * angle) * weight[:, None]
    s12 = pair_mass**2
    p2 = _breakup_squared(s12, PION_CHARGED_MASS, PION_CHARGED_MASS)
    q2 = _breakup_squared(w**2, PION_NEUTRAL_MASS, pair_mass)
    flux = np.sqrt(p2 * q2)
    # In the pi+ pi- frame: energies p*, E_0 and momentum q m / m_12 of the neutral.
    energies = 0.5 * (w**2 - s12 - PION_NEUTRAL_MASS**2)
    shift = 2.0 * flux * w / pair_mass * node
    pair = PION_CHARGED_MASS**2 + PION_NEUTRAL_MASS**2 + energies
    amplitude = _rho_propagator(s12, PION_CHARGED_MASS, PION_CHARGED_MASS)
    for s in (pair - shift, pair + shift):
        safe = np.maximum(s, (PION_CHARGED_MASS + PION_NEUTRAL_MASS) ** 2)
        amplitude = amplitude + _rho_propagator(
            safe, PION_CHARGED_MASS, PION_NEUTRAL_MASS
        )
    integrand = flux**3 * (1.0 - node**2) * np.abs(amplitude) ** 2
    return np.sum(jacobian * weight * integrand, axis=(-2, -1))
