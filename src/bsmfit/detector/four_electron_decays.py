r"""Simulated decays $K^+\to\pi^+X_1X_2$, $X_i\to e^+e^-$, in flight: five tracks.

    points of the unit cube --kaon: momentum, vertex--> K+ -> pi+ M, M -> X1 X2
      --two pairs--> pi+ e+ e- e+ e- in the laboratory, with a weight

M is whatever recoils against the pion, of squared mass s. The sequence of two-body
decays with the weight

$$w = \lambda^{1/2}(m_K^2,s,m_\pi^2)\,\frac{\lambda^{1/2}(s,m_1^2,m_2^2)}{s}
  \times |\mathcal M|^2$$

(times the Jacobian of the sampled s) is exact phase space, so that one program serves

| mode | s | pairs | $|\mathcal M|^2$ |
|---|---|---|---|
| $K\to\pi aa$ | sampled | $m_a$ twice | 1 |
| $K\to\pi S$, $S\to A'A'$ | $m_S^2$ | $m_{A'}$ twice | currents contracted, $S A'A'$ |
| four electrons, SM-like | sampled | sampled, ~ $dq^2/q^2$ | two virtual photons |

A sample is a pure function of the masses and of points of the unit cube. The first
`N_DECAY` coordinates are used here, the others by the measurement.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ELECTRON_MASS,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.detector.kaon_decays import KaonBeam, beam_line, decay_vertex
from bsmfit.detector.spectrometer import Spectrometer

__all__ = ["N_DECAY", "S_MAX", "FiveTracks", "five_tracks", "recoil_squared"]

N_DECAY = 13
"""Coordinates of a decay: kaon momentum, vertex, s, four decays of two angles each, and
the squared masses of the two pairs where they are sampled."""

S_MAX = (KAON_CHARGED_MASS - PION_CHARGED_MASS) ** 2
"""Largest squared mass that recoils against the pion [GeV^2]."""


class FiveTracks(eqx.Module):
    """Decays with their weights, in the laboratory.

    Attributes:
        weight: Phase-space weight without matrix element [any unit].
        kaon_momentum: Momentum of the kaon [GeV].
        vertex: Where the kaon decays (x, y, z) [m].
        pion: Four-momentum of the pion (E, x, y, z) [GeV].
        electrons: Four-momenta of e+, e- of the first and e+, e- of the second pair.
        pair_momenta: Momenta of the two pairs [GeV].
    """

    weight: Float[Array, " n"]
    kaon_momentum: Float[Array, " n"]
    vertex: Float[Array, "n 3"]
    pion: Float[Array, "n 4"]
    electrons: Float[Array, "n 4 4"]
    pair_momenta: Float[Array, "n 2"]


def recoil_squared(
    uniform: Float[Array, " n"], threshold: Float[Array, "*#n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Squared mass of the recoil, evenly between threshold and the end of phase space.

    Args:
        uniform: Numbers within (0, 1).
        threshold: Sum of the masses of the two pairs [GeV].

    Returns:
        s [GeV^2], and the Jacobian; 0 where the decay is closed.
    """
    low = jnp.minimum(threshold**2, S_MAX)
    width = S_MAX - low
    return low + width * uniform, width * jnp.ones_like(uniform)


def five_tracks(
    points: Float[Array, "n d"],
    squared_mass: Float[Array, " n"],
    pair_masses: tuple[Float[Array, "*#n"], Float[Array, "*#n"]],
    *,
    beam: KaonBeam,
    spectrometer: Spectrometer,
) -> FiveTracks:
    """Simulate decays into a pion and two electron pairs of given masses.

    Args:
        points: Points of the unit cube; see `N_DECAY`.
        squared_mass: s of the recoil [GeV^2].
        pair_masses: Masses of the two pairs [GeV].
        beam: Kaons and their decay volume.
        spectrometer: For the line of the beam.

    Returns:
        The decays, every one with the weight of its phase space (without that of the
        pairs, which is constant at fixed mass).
    """
    normal = ndtri(jnp.clip(points[:, 0], 1e-12, 1.0 - 1e-12))
    kaon_momentum = beam.momentum * (1.0 + beam.momentum_spread * normal)
    vertex_z, _ = decay_vertex(kaon_momentum, points[:, 1], beam=beam)
    slope, origin = beam_line(spectrometer)
    zero = jnp.zeros_like(vertex_z)
    vertex = jnp.stack([slope * (vertex_z - origin), zero, vertex_z], axis=1)
    along = jnp.stack([slope, jnp.zeros_like(slope), jnp.ones_like(slope)])
    along = along / jnp.sqrt(jnp.sum(along**2))
    energy = jnp.hypot(kaon_momentum, KAON_CHARGED_MASS)
    kaon = jnp.concatenate(
        [energy[:, None], kaon_momentum[:, None] * along[None]], axis=1
    )

    recoil = jnp.sqrt(squared_mass)
    first, second = (jnp.broadcast_to(m, recoil.shape) for m in pair_masses)
    kaon_mass = jnp.full_like(recoil, KAON_CHARGED_MASS)
    pion_mass = jnp.full_like(recoil, PION_CHARGED_MASS)
    electron = jnp.full_like(recoil, ELECTRON_MASS)

    pion, both, k1 = _decay(kaon, kaon_mass, pion_mass, recoil, points[:, 3:5])
    one, two, k2 = _decay(both, recoil, first, second, points[:, 5:7])
    plus1, minus1, _ = _decay(one, first, electron, electron, points[:, 7:9])
    plus2, minus2, _ = _decay(two, second, electron, electron, points[:, 9:11])
    momenta = [jnp.sqrt(jnp.sum(pair[:, 1:] ** 2, axis=1)) for pair in (one, two)]
    return FiveTracks(
        weight=k1 * k2 / recoil,
        kaon_momentum=kaon_momentum,
        vertex=vertex,
        pion=pion,
        electrons=jnp.stack([plus1, minus1, plus2, minus2], axis=1),
        pair_momenta=jnp.stack(momenta, axis=1),
    )


def _decay(
    parent: Float[Array, "n 4"],
    mass: Float[Array, " n"],
    first_mass: Float[Array, " n"],
    second_mass: Float[Array, " n"],
    points: Float[Array, "n 2"],
) -> tuple[Float[Array, "n 4"], Float[Array, "n 4"], Float[Array, " n"]]:
    """Isotropic two-body decay in flight, and the momentum in the rest frame."""
    plus = mass**2 - (first_mass + second_mass) ** 2
    minus = mass**2 - (first_mass - second_mass) ** 2
    momentum = jnp.sqrt(jnp.maximum(plus * minus, 0.0)) / (2.0 * mass)
    cosine = 2.0 * points[:, 0] - 1.0
    across = jnp.sqrt(jnp.maximum(1.0 - cosine**2, 0.0))
    azimuth = 2.0 * jnp.pi * points[:, 1]
    direction = jnp.stack(
        [across * jnp.cos(azimuth), across * jnp.sin(azimuth), cosine], axis=1
    )
    at_rest = momentum[:, None] * direction
    first = _boosted(at_rest, jnp.hypot(momentum, first_mass), parent, mass)
    # by the mass shell, not parent - first: light daughters of fast parents
    second = _boosted(-at_rest, jnp.hypot(momentum, second_mass), parent, mass)
    return first, second, momentum


def _boosted(
    at_rest: Float[Array, "n 3"],
    energy: Float[Array, " n"],
    parent: Float[Array, "n 4"],
    mass: Float[Array, " n"],
) -> Float[Array, "n 4"]:
    """From the rest frame of the parent to the frame in which it has its momentum."""
    dot = jnp.sum(at_rest * parent[:, 1:], axis=1)
    lab_energy = (parent[:, 0] * energy + dot) / mass
    factor = (lab_energy + energy) / (parent[:, 0] + mass)
    momentum = at_rest + factor[:, None] * parent[:, 1:]
    return jnp.concatenate([lab_energy[:, None], momentum], axis=1)
