r"""Flight of a particle that is made in a two-body decay of a beam particle.

A daughter of mass m from a parent at momentum P has, in the laboratory, energies spread
evenly between two ends, since the decay has no preferred direction:

$$E = \gamma(E^* + \beta\,p^*\cos\theta^*),\qquad \cos\theta^*\in[-1,1].$$

Averages over it are Gauss-Legendre sums. The small angles to the beam are left out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import HBAR_C
from bsmfit.physics.meson_decay import two_body_momentum

__all__ = ["MomentumSpectrum", "decay_within", "lab_spectrum"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_SMALLEST_SHARE = 1e-3


class MomentumSpectrum(NamedTuple):
    """Momenta of a particle in the laboratory.

    Attributes:
        momentum: Momenta [GeV], > 0.
        weight: Their weights, of sum 1.
    """

    momentum: Float[Array, " n_momentum"]
    weight: Float[Array, " n_momentum"]


def lab_spectrum(
    mass: Float[Array, ""],
    *,
    parent_mass: float,
    recoil_mass: float,
    parent_momentum: float,
) -> MomentumSpectrum:
    """Momenta of a daughter of a beam particle.

    Where the decay is closed, the daughter is at rest beside its parent. A daughter
    that flies backwards in the laboratory has a momentum of a thousandth of its
    parent's at least: one that decays at once.

    Args:
        mass: Mass of the daughter [GeV], > 0.
        parent_mass: Mass of the parent [GeV].
        recoil_mass: Mass of the other daughter [GeV].
        parent_momentum: Momentum of the parent [GeV], > 0.

    Returns:
        The spectrum.

    Examples:
        >>> at = {"parent_mass": 1.0, "recoil_mass": 0.0, "parent_momentum": 100.0}
        >>> spectrum = lab_spectrum(jnp.array(1e-3), **at)
        >>> print(f"{float(spectrum.momentum @ spectrum.weight):.1f}")
        50.0
    """
    rest = two_body_momentum(parent_mass, recoil_mass, mass)
    energy = jnp.sqrt(rest**2 + mass**2)
    gamma = math.hypot(1.0, parent_momentum / parent_mass)
    boost = parent_momentum / parent_mass
    forward = gamma * rest * jnp.asarray(_NODES) + boost * energy
    return MomentumSpectrum(
        jnp.maximum(forward, _SMALLEST_SHARE * parent_momentum),
        jnp.asarray(0.5 * _WEIGHTS),
    )


def decay_within(
    length: float | Float[Array, ""],
    *,
    mass: Float[Array, ""],
    decay_width: Float[Array, ""],
    spectrum: MomentumSpectrum,
) -> Float[Array, ""]:
    r"""Probability of a decay within a length of the point of production.

    $$P = \Big\langle 1 - \exp\Big[-\frac{L\,m\,\Gamma}{p\,\hbar c}\Big]\Big\rangle$$

    Args:
        length: L [m], >= 0.
        mass: Mass [GeV].
        decay_width: Total width [GeV], >= 0.
        spectrum: Momenta.

    Returns:
        Probability [1]; exactly 0 for a stable particle.
    """
    exponent = length * mass * decay_width / (spectrum.momentum * HBAR_C)
    return -jnp.expm1(-exponent) @ spectrum.weight
