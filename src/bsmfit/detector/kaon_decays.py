r"""Simulated decays $K^+\to\pi^+X$ in flight: what the pion looks like in NA62.

    points of the unit cube --kaon: momentum, vertex--> --isotropic two-body decay-->
      pion, X --spectrometer--> accepted? --tracking errors--> m_miss^2, p_pi

A sample is a pure function of the mass and of points of the unit cube that the caller
makes; with the same points at all masses, acceptances are smooth in the mass up to the
cuts. $K^+\to\pi^+\nu\bar\nu$ needs no sample of its own: for a given squared mass $q^2$
of the neutrino pair it is $K^+\to\pi^+X$ with $m_X^2=q^2$.

The kaon beam follows the line through the beam holes of the first two chambers and is
bent by the magnet together with all positive particles (to negative x, as the holes of
the last two chambers show).
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    HBAR,
    HBAR_C,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.detector.missing_mass import TrackingErrors, squared_missing_mass
from bsmfit.detector.spectrometer import Spectrometer, is_track_accepted

__all__ = [
    "N_COORDINATE",
    "KaonBeam",
    "PionSample",
    "beam_line",
    "decay_vertex",
    "pion_sample",
]

N_COORDINATE = 7
"""Dimension of the unit cube: kaon momentum, vertex, decay angle, azimuth, and the
errors of pion momentum, kaon momentum and angle."""

_KAON_DECAY_LENGTH = KAON_CHARGED_LIFETIME * HBAR_C / HBAR  # c tau [m]
_POSITIVE = -1.0  # sign of the kick of a positive particle, in the sense of the holes


class KaonBeam(eqx.Module):
    """The beam and where its decays are used.

    Attributes:
        momentum: Mean momentum [GeV].
        momentum_spread: Relative standard deviation of the momentum [1].
        start: First accepted vertex position along the beam [m].
        end: Last accepted vertex position along the beam [m].
    """

    momentum: Float[Array, ""]
    momentum_spread: Float[Array, ""]
    start: Float[Array, ""]
    end: Float[Array, ""]


class PionSample(eqx.Module):
    """Decays with their weights, true and measured quantities.

    Attributes:
        weight: Probability that a kaon at the start of the volume decays in it, times 1
            for an accepted pion and 0 for another [1].
        vertex_z: Position of the decay along the beam [m].
        pion_momentum: Measured momentum of the pion [GeV].
        missing_mass_squared: Measured squared missing mass [GeV^2].
        x_momentum: True momentum of X [GeV].
    """

    weight: Float[Array, " n"]
    vertex_z: Float[Array, " n"]
    pion_momentum: Float[Array, " n"]
    missing_mass_squared: Float[Array, " n"]
    x_momentum: Float[Array, " n"]


def pion_sample(
    mass: Float[Array, ""],
    points: Float[Array, "n 7"],
    *,
    beam: KaonBeam,
    spectrometer: Spectrometer,
    errors: TrackingErrors,
) -> PionSample:
    """Simulate decays into a pion and an X of one mass.

    Args:
        mass: Mass of X [GeV], from 0 to m_K - m_pi.
        points: Points of the unit cube, see `N_COORDINATE`.
        beam: Kaons and their decay volume.
        spectrometer: What the pion has to cross.
        errors: Errors of the measurement.

    Returns:
        The decays.
    """
    normal = ndtri(jnp.clip(points, 1e-12, 1.0 - 1e-12))
    kaon_momentum = beam.momentum * (1.0 + beam.momentum_spread * normal[:, 0])
    vertex_z, probability = decay_vertex(kaon_momentum, points[:, 1], beam=beam)
    along, across = _pion_momentum(mass, kaon_momentum, 2.0 * points[:, 2] - 1.0)
    azimuth = 2.0 * jnp.pi * points[:, 3]
    slope, origin = beam_line(spectrometer)
    zero = jnp.zeros_like(vertex_z)
    momentum = jnp.stack(
        [slope * along + across * jnp.cos(azimuth), across * jnp.sin(azimuth), along],
        axis=1,
    )
    vertex = jnp.stack([slope * (vertex_z - origin), zero, vertex_z], axis=1)
    is_accepted = is_track_accepted(vertex, momentum, _POSITIVE, spectrometer)
    total = jnp.hypot(along, across)
    relative = errors.relative_momentum_error(total)
    measured = total * (1.0 + relative * normal[:, 4])
    angle = jnp.arctan2(across, along) + errors.angle_error(total) * normal[:, 6]
    return PionSample(
        weight=jnp.where(is_accepted, probability, 0.0),
        vertex_z=vertex_z,
        pion_momentum=measured,
        missing_mass_squared=squared_missing_mass(
            kaon_momentum * (1.0 + errors.kaon_momentum * normal[:, 5]),
            measured,
            angle=angle,
        ),
        x_momentum=jnp.hypot(kaon_momentum - along, across),
    )


def decay_vertex(
    kaon_momentum: Float[Array, " n"], uniform: Float[Array, " n"], *, beam: KaonBeam
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Exponentially distributed vertex in the volume, and the decay probability.

    Args:
        kaon_momentum: Momentum of the kaon [GeV].
        uniform: Numbers within (0, 1).
        beam: The decay volume.

    Returns:
        Position along the beam [m], and the probability of a decay in the volume.
    """
    length = kaon_momentum / KAON_CHARGED_MASS * _KAON_DECAY_LENGTH
    probability = -jnp.expm1(-(beam.end - beam.start) / length)
    return beam.start - length * jnp.log1p(-uniform * probability), probability


def _pion_momentum(
    mass: Float[Array, ""],
    kaon_momentum: Float[Array, " n"],
    cosine: Float[Array, " n"],
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Pion momentum along and across the kaon's direction [GeV]."""
    difference = KAON_CHARGED_MASS**2 - (PION_CHARGED_MASS + mass) ** 2
    momentum_squared = (
        difference
        * (KAON_CHARGED_MASS**2 - (PION_CHARGED_MASS - mass) ** 2)
        / (4.0 * KAON_CHARGED_MASS**2)
    )
    momentum = jnp.sqrt(jnp.maximum(momentum_squared, 0.0))
    energy = jnp.hypot(momentum, PION_CHARGED_MASS)
    gamma = jnp.hypot(kaon_momentum, KAON_CHARGED_MASS) / KAON_CHARGED_MASS
    boost = kaon_momentum / KAON_CHARGED_MASS
    along = gamma * momentum * cosine + boost * energy
    return along, momentum * jnp.sqrt(1.0 - cosine**2)


def beam_line(
    spectrometer: Spectrometer,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The line of the beam through the holes of the first two chambers.

    Args:
        spectrometer: The chambers.

    Returns:
        Slope in x of the beam [1], and where it crosses x = 0 [m].
    """
    z, x = spectrometer.straw_z, spectrometer.straw_hole_x
    slope = (x[1] - x[0]) / (z[1] - z[0])
    # an on-axis beam has no crossing; any point will do
    is_straight = slope == 0.0
    origin = z[0] - x[0] / jnp.where(is_straight, 1.0, slope)
    return slope, jnp.where(is_straight, z[0], origin)
