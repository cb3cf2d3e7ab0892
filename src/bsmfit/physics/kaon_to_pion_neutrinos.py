r"""Spectrum of the neutrino pair in $K^+\to\pi^+\nu\bar\nu$.

The pair comes from a vector current and its neutrinos are massless, so that the decay
looks like the vector part of $K_{\ell3}$: with $q^2$ the squared mass of the pair (the
squared missing mass of the search),

$$\frac{d\Gamma}{dq^2} \propto \lambda^{3/2}(m_K^2, m_\pi^2, q^2)\,
  \Big(1 + \lambda_+\frac{q^2}{m_\pi^2}\Big)^2$$
"""

from __future__ import annotations

from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.core.safe_sqrt import safe_sqrt

__all__ = [
    "FORM_FACTOR_SLOPE",
    "LARGEST_SQUARED_MASS",
    "neutrino_pair_fraction",
    "neutrino_pair_spectrum",
]

FORM_FACTOR_SLOPE: Final = 0.0297
r"""Slope $\lambda_+$ of the vector form factor [1] of $K^+_{e3}$ (unverified)."""

LARGEST_SQUARED_MASS: Final = (KAON_CHARGED_MASS - PION_CHARGED_MASS) ** 2
"""Largest squared mass of the neutrino pair [GeV^2]: the pion is at rest."""

_SUM_SQUARED: Final = (KAON_CHARGED_MASS + PION_CHARGED_MASS) ** 2
_N_NODE = 48


def neutrino_pair_spectrum(
    squared_mass: Float[Array, " *point"],
    *,
    slope: float | Float[Array, ""] = FORM_FACTOR_SLOPE,
) -> Float[Array, " *point"]:
    r"""Density of the squared mass of the neutrino pair, normalised to 1.

    Zero with zero gradient below 0 and above $(m_K - m_\pi)^2$. At 0, where the
    neutrinos are collinear, it is finite: the pion has its largest momentum.

    Args:
        squared_mass: Squared mass $q^2$ of the pair [GeV^2].
        slope: Slope $\lambda_+$ of the vector form factor [1].

    Returns:
        $\frac{1}{\Gamma}\frac{d\Gamma}{dq^2}$ [1/GeV^2].

    References:
        arXiv:2109.11032, sec. 2, for the vector form factor (equation unverified).

    Examples:
        >>> import jax.numpy as jnp
        >>> float(neutrino_pair_spectrum(jnp.array(0.2)))
        0.0
    """
    slope = jnp.asarray(slope, dtype=float)
    is_open = (squared_mass >= 0.0) & (squared_mass < LARGEST_SQUARED_MASS)
    safe = jnp.where(is_open, squared_mass, 0.5 * LARGEST_SQUARED_MASS)
    rate = _rate(safe, slope)
    total = _integral(jnp.zeros_like(slope), LARGEST_SQUARED_MASS, slope)
    return jnp.where(is_open, rate / total, jnp.zeros_like(rate))


def neutrino_pair_fraction(
    low: Float[Array, ""],
    high: Float[Array, ""],
    *,
    slope: float | Float[Array, ""] = FORM_FACTOR_SLOPE,
) -> Float[Array, ""]:
    r"""Share of the decays between two squared masses of the neutrino pair.

    Before any selection: no momentum window, no resolution.

    Args:
        low: Lower end [GeV^2]; below 0 it counts as 0.
        high: Upper end [GeV^2], >= `low`; above the largest one it counts as that.
        slope: Slope $\lambda_+$ of the vector form factor [1].

    Returns:
        The share, within 0 and 1.

    Examples:
        >>> import jax.numpy as jnp
        >>> whole = neutrino_pair_fraction(jnp.array(0.0), jnp.array(1.0))
        >>> round(float(whole), 6)
        1.0
    """
    slope = jnp.asarray(slope, dtype=float)
    bottom, top = (jnp.clip(end, 0.0, LARGEST_SQUARED_MASS) for end in (low, high))
    total = _integral(jnp.zeros_like(slope), LARGEST_SQUARED_MASS, slope)
    return _integral(bottom, top, slope) / total


def _rate(
    squared_mass: Float[Array, " *point"], slope: Float[Array, ""]
) -> Float[Array, " *point"]:
    """Unnormalised spectrum, within its range [GeV^6]."""
    kinematics = (_SUM_SQUARED - squared_mass) * (LARGEST_SQUARED_MASS - squared_mass)
    form_factor = 1.0 + slope * squared_mass / PION_CHARGED_MASS**2
    return kinematics * jnp.sqrt(kinematics) * form_factor**2


def _integral(
    low: Float[Array, ""], high: float | Float[Array, ""], slope: Float[Array, ""]
) -> Float[Array, ""]:
    r"""Integral of the spectrum: Gauss-Legendre in $u = \sqrt{q^2_{max} - q^2}$.

    In u the end point is no branch point: the integrand is $u^4$ times a smooth one.
    """
    x, w = np.polynomial.legendre.leggauss(_N_NODE)
    first, last = (_distance(end) for end in (high, low))
    half = 0.5 * (last - first)
    u = first + half * (jnp.asarray(x) + 1.0)
    squared_mass = LARGEST_SQUARED_MASS - u**2
    form_factor = 1.0 + slope * squared_mass / PION_CHARGED_MASS**2
    smooth = (_SUM_SQUARED - squared_mass) ** 1.5 * form_factor**2
    return half * jnp.sum(jnp.asarray(w) * 2.0 * u**4 * smooth)


def _distance(squared_mass: float | Float[Array, ""]) -> Float[Array, ""]:
    """Root of the distance to the end point, with a zero gradient at it."""
    return safe_sqrt(LARGEST_SQUARED_MASS - jnp.asarray(squared_mass, dtype=float))
