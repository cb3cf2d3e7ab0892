r"""Accepted pairs by direct Monte Carlo, for the selection of another program.

$$Y(c\tau) = \sum_i w_i\,\frac{z_B-z_A}{L_i}\,e^{-(z_i-z_0)/L_i}\,a_i,\qquad
  L_i = \frac{p_{z,i}}{m}\,c\tau$$

with vertices $z_i$ even in the decay volume and $a_i$ 0 or 1. It takes neither an
acceptance table nor its interpolation, so that it tests both; and a selection can be
anything.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit.detector.spectrometer import (
    Spectrometer,
    is_pair_accepted,
)
from bsmfit.detector.two_body_decay import daughter_momenta, flight_direction
from bsmfit.physics.production_spectrum import SpectrumPoints

__all__ = ["Pairs", "direct_yields", "strict_pair"]

Pairs = tuple[Float[Array, "n 3"], Float[Array, "n 3"], Float[Array, "n 3"]]
"""Vertices [m] and momenta [GeV] of the positive and of the negative track."""

_REPEATS = 8
_SEED = 7


def direct_yields(
    points: SpectrumPoints,
    mass: float,
    lifetimes: Float[np.ndarray, " n_lifetime"],
    *,
    daughter_mass: float,
    decay_volume: tuple[float, float],
    impact_point: Float[Array, " 3"],
    selection: Callable[[Pairs], Bool[Array, " n"]],
) -> Float[np.ndarray, " n_lifetime"]:
    """Accepted decays per proton, at unit strength and branching ratio.

    Args:
        points: Spectrum of the decaying particle.
        mass: Its mass [GeV].
        lifetimes: Proper decay lengths c tau [m].
        daughter_mass: Mass of either daughter [GeV].
        decay_volume: Beginning and end [m].
        impact_point: Where the particles are made (x, y, z) [m].
        selection: Which pairs are accepted.

    Returns:
        Y at every lifetime, to a few per cent.
    """
    momentum, angle, weight = (np.tile(values, _REPEATS) for values in points[:3])
    unit = np.random.default_rng(_SEED).random((momentum.size, 4))
    vertex_z = decay_volume[0] + (decay_volume[1] - decay_volume[0]) * unit[:, 0]
    in_axes = (0, 0, 0, 0, 0, None, None)
    direction, first, second = jax.vmap(_one_decay, in_axes)(
        jnp.asarray(angle),
        jnp.asarray(2.0 * np.pi * unit[:, 1]),
        jnp.asarray(momentum),
        jnp.asarray(2.0 * unit[:, 2] - 1.0),
        jnp.asarray(2.0 * np.pi * unit[:, 3]),
        jnp.asarray(mass),
        jnp.asarray(daughter_mass),
    )
    flight = (jnp.asarray(vertex_z) - impact_point[2]) / direction[:, 2]
    vertex = impact_point[None, :] + direction * flight[:, None]
    kept = np.asarray(selection((vertex, first, second)))
    longitudinal = (momentum * np.cos(angle))[kept]
    path = (vertex_z - float(impact_point[2]))[kept]
    length = longitudinal[:, None] / mass * np.asarray(lifetimes)[None, :]
    span = decay_volume[1] - decay_volume[0]
    decays = span / length * np.exp(-path[:, None] / length)
    return (weight[kept] / _REPEATS) @ decays


def _one_decay(
    angle: Array, azimuth: Array, momentum: Array, cos_theta: Array, phi: Array, *masses
) -> tuple[Array, Array, Array]:
    """Direction of one particle, and momenta of its daughters."""
    direction = flight_direction(angle, azimuth[None])
    first, second = daughter_momenta(
        masses[0],
        momentum,
        direction=direction,
        cos_theta=cos_theta[None],
        azimuth=phi[None],
        daughter_mass=masses[1],
    )
    return direction[0], first[0], second[0]


def strict_pair(pairs: Pairs, spectrometer: Spectrometer) -> Bool[Array, " n"]:
    """Both tracks pass every cut and every required detector, far enough apart.

    Args:
        pairs: Vertices and momenta.
        spectrometer: Planes and cuts.

    Returns:
        True for the accepted pairs.
    """
    vertex, first, second = pairs
    return is_pair_accepted(
        vertex, (first, second), charge=1.0, spectrometer=spectrometer
    )
