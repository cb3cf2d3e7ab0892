r"""Toy acceptance of $K^+\to\mu^-\nu e^+e^+$ for a shape of the matrix element.

    points of the unit cube --kaon: momentum, vertex--> --K to (mu nu) (e e)-->
      three tracks --spectrometer, momenta--> accepted share, weighted by |M|^2

The published limit assumes uniform phase space. For another shape only the *ratio* of
two toy acceptances has a meaning: efficiencies, resolution and particle identification
cancel in it as far as they do not depend on the shape.

| shape | leptonic part of the operator |
|---|---|
| ``"uniform"`` | none: uniform phase space |
| ``"scalar"`` | $(\bar\mu P_Le)(\bar\nu P_Re)$, from a pseudoscalar current of quarks |
| ``"vector"`` | $(\bar\mu\gamma_\alpha P_Le)(\bar\nu P_Re)$, from their axial current |

$$|M|^2_S \propto (\mu e_1)(\nu e_2) + (e_1\leftrightarrow e_2),\qquad
  |M|^2_V \propto [2(K\mu)(Ke_1)-m_K^2(\mu e_1)](\nu e_2) + (e_1\leftrightarrow e_2)$$

The two electrons have opposite chirality in both, so that for $m_e=0$ exchanging them
adds rates, not amplitudes.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Bool, Float

from bsmfit.core.argument import choice
from bsmfit.core.constants import (
    ELECTRON_MASS,
    HBAR,
    HBAR_C,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    MUON_MASS,
)
from bsmfit.detector.kaon_decays import KaonBeam, beam_line
from bsmfit.detector.spectrometer import Spectrometer, is_track_accepted

__all__ = ["N_COORDINATE", "SHAPES", "acceptance_ratio", "decay_momenta", "shape"]

N_COORDINATE = 10
"""Dimension of the unit cube: kaon momentum, vertex, two pair masses, and cosine and
azimuth of the pairs, of the muon and of an electron in their pair."""

SHAPES = ("uniform", "scalar", "vector")
"""Shapes of the matrix element."""

_DECAY_LENGTH = KAON_CHARGED_LIFETIME * HBAR_C / HBAR  # c tau [m]
# selection of arXiv:2211.04818 (the talk of data/NA62_2211.04818/README.md)
_MOMENTUM = (6.0, 44.0)  # of each track [GeV]
_MISSING_MOMENTUM = 10.0  # tracks fall short of the beam by more [GeV]
_FIRST_VERTEX = 3.0  # behind the start of the decay volume [m]
_CHARGES = (1.0, -1.0, -1.0)  # of mu-, e+, e+: positive ones are kicked to negative x


def acceptance_ratio(
    name: str,
    points: Float[Array, "n 10"],
    *,
    beam: KaonBeam,
    spectrometer: Spectrometer,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Acceptance for a shape over that for uniform phase space.

    The limit for that shape is the published one divided by the ratio.

    Args:
        name: One of `SHAPES`.
        points: Points of the unit cube, see `N_COORDINATE`.
        beam: Kaons and their decay volume.
        spectrometer: What the tracks have to cross.

    Returns:
        The ratio [1], and the acceptance for uniform phase space: of a toy, without
        efficiencies.

    Raises:
        UnknownNameError: There is no such shape.
    """
    choice("shape", name, SHAPES)
    momenta, weight = decay_momenta(points[:, 2:])
    is_accepted = _is_accepted(momenta, points, beam=beam, spectrometer=spectrometer)

    def acceptance(squared: Float[Array, " n"]) -> Float[Array, ""]:
        both = weight * squared
        return jnp.sum(jnp.where(is_accepted, both, 0.0)) / jnp.sum(both)

    uniform = acceptance(jnp.ones_like(weight))
    return acceptance(shape(name, momenta)) / uniform, uniform


def shape(name: str, momenta: Float[Array, "4 n 4"]) -> Float[Array, " n"]:
    """Squared matrix element, up to a constant.

    Args:
        name: One of `SHAPES`.
        momenta: Four-momenta (E, x, y, z) of mu, nu, e, e in the kaon's rest frame
            [GeV].

    Returns:
        Its values, >= 0.
    """
    muon, neutrino, first, second = momenta
    mass = KAON_CHARGED_MASS

    def one(near: Float[Array, "n 4"], far: Float[Array, "n 4"]) -> Float[Array, " n"]:
        scalar = _product(muon, near) * _product(neutrino, far)
        if name == "scalar":
            return scalar
        # p_K . k is m_K E in the rest frame
        energies = 2.0 * mass**2 * muon[:, 0] * near[:, 0]
        return energies * _product(neutrino, far) - mass**2 * scalar

    if name == "uniform":
        return jnp.ones_like(muon[:, 0])
    return one(first, second) + one(second, first)


def decay_momenta(
    points: Float[Array, "n 8"],
) -> tuple[Float[Array, "4 n 4"], Float[Array, " n"]]:
    r"""Momenta of $K\to(\mu\nu)(ee)$ in the rest frame, with phase-space weights.

    $$d\Phi_4 \propto p_K\,p_{\mu\nu}\,p_{ee}\;dm_{\mu\nu}\,dm_{ee}\;d\Omega^3$$

    with the momenta of both bodies in the rest frame of each pair.

    Args:
        points: Points of the unit cube: two masses and three directions.

    Returns:
        Four-momenta (E, x, y, z) of mu, nu, e, e [GeV], and weights up to a constant.
    """
    mass = KAON_CHARGED_MASS
    first = MUON_MASS + (mass - 2.0 * ELECTRON_MASS - MUON_MASS) * points[:, 0]
    last = mass - first
    second = 2.0 * ELECTRON_MASS + (last - 2.0 * ELECTRON_MASS) * points[:, 1]
    zero = jnp.zeros_like(first)
    muon, electron = zero + MUON_MASS, zero + ELECTRON_MASS
    top, in_first, in_second = (
        _momentum(zero + mass, first, second),
        _momentum(first, muon, zero),
        _momentum(second, electron, electron),
    )
    # masses are drawn inside each other
    weight = top * in_first * in_second * (last - 2.0 * ELECTRON_MASS)
    axis = _direction(points[:, 2:4])
    pair = top[:, None] * axis
    mu_way, e_way = _direction(points[:, 4:6]), _direction(points[:, 6:8])
    boosts = (pair, first), (-pair, second)
    made = [
        _boosted(in_first[:, None] * mu_way, muon, *boosts[0]),
        _boosted(-in_first[:, None] * mu_way, zero, *boosts[0]),
        _boosted(in_second[:, None] * e_way, electron, *boosts[1]),
        _boosted(-in_second[:, None] * e_way, electron, *boosts[1]),
    ]
    return jnp.stack(made), weight


def _is_accepted(
    momenta: Float[Array, "4 n 4"],
    points: Float[Array, "n 10"],
    *,
    beam: KaonBeam,
    spectrometer: Spectrometer,
) -> Bool[Array, " n"]:
    """Whether the three tracks pass; momenta in the kaon's rest frame."""
    normal = ndtri(jnp.clip(points[:, 0], 1e-12, 1.0 - 1e-12))
    kaon = beam.momentum * (1.0 + beam.momentum_spread * normal)
    length = kaon / KAON_CHARGED_MASS * _DECAY_LENGTH
    start = beam.start + _FIRST_VERTEX
    probability = -jnp.expm1(-(beam.end - start) / length)
    z = start - length * jnp.log1p(-points[:, 1] * probability)
    slope, origin = beam_line(spectrometer)
    vertex = jnp.stack([slope * (z - origin), jnp.zeros_like(z), z], axis=1)
    axis = jnp.stack([slope, jnp.zeros_like(slope), jnp.ones_like(slope)])
    flight = kaon[:, None] * (axis / jnp.linalg.norm(axis))[None]
    cuts = dataclasses.replace(spectrometer, momentum_min=jnp.asarray(_MOMENTUM[0]))
    accepted = jnp.ones_like(z, dtype=bool)
    total = jnp.zeros_like(z)
    tracks = (momenta[0], momenta[2], momenta[3])
    for track, charge in zip(tracks, _CHARGES, strict=True):
        rest = jnp.sqrt(jnp.maximum(_product(track, track), 0.0))
        rest_mass = jnp.full_like(kaon, KAON_CHARGED_MASS)
        moved = _boosted(track[:, 1:], rest, flight, rest_mass)[:, 1:]
        size = jnp.linalg.norm(moved, axis=1)
        accepted &= is_track_accepted(vertex, moved, charge, cuts)
        accepted &= size < _MOMENTUM[1]
        total = total + size
    return accepted & (total - beam.momentum < -_MISSING_MOMENTUM)


def _momentum(
    mass: Float[Array, " n"], first: Float[Array, " n"], second: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Momentum of two bodies in the rest frame of their parent [GeV]."""
    upper = mass**2 - (first + second) ** 2
    lower = mass**2 - (first - second) ** 2
    return jnp.sqrt(jnp.maximum(upper * lower, 0.0)) / (2.0 * mass)


def _direction(points: Float[Array, "n 2"]) -> Float[Array, "n 3"]:
    """Unit vectors, evenly over the sphere."""
    cosine, azimuth = 2.0 * points[:, 0] - 1.0, 2.0 * jnp.pi * points[:, 1]
    sine = jnp.sqrt(1.0 - cosine**2)
    return jnp.stack([sine * jnp.cos(azimuth), sine * jnp.sin(azimuth), cosine], axis=1)


def _boosted(
    momentum: Float[Array, "n 3"],
    mass: Float[Array, " n"],
    parent: Float[Array, "n 3"],
    parent_mass: Float[Array, " n"],
) -> Float[Array, "n 4"]:
    """Four-momenta in the frame in which the parent has a momentum."""
    energy = jnp.sqrt(jnp.sum(momentum**2, axis=1) + mass**2)
    parent_energy = jnp.sqrt(jnp.sum(parent**2, axis=1) + parent_mass**2)
    along = jnp.sum(momentum * parent, axis=1)
    boosted = (parent_energy * energy + along) / parent_mass
    factor = along / (parent_mass * (parent_energy + parent_mass)) + energy / (
        parent_mass
    )
    moved = momentum + factor[:, None] * parent
    return jnp.concatenate([boosted[:, None], moved], axis=1)


def _product(
    one: Float[Array, "n 4"], other: Float[Array, "n 4"]
) -> Float[Array, " n"]:
    """Lorentz product."""
    return one[:, 0] * other[:, 0] - jnp.sum(one[:, 1:] * other[:, 1:], axis=1)
