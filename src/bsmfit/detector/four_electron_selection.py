r"""Selection of $K^+\to\pi^+e^+e^-e^+e^-$ with the spectrometer alone, without PID.

    five true tracks --chambers, close tracks--> --errors--> --which positive track is
      the pion?--> m(pi 4e), m(4e), m_miss --which pairs?--> m_ee

Directions are those of a fit with a common vertex: their error is that of a point in
the first chamber over its distance from the vertex. The kaon has the mean momentum of
the beam; there is no measurement of each.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Bool, Float

from bsmfit.core.constants import (
    ELECTRON_MASS,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.detector.four_electron_decays import N_DECAY, FiveTracks
from bsmfit.detector.kaon_decays import KaonBeam, beam_line
from bsmfit.detector.spectrometer import Spectrometer, is_track_accepted

__all__ = ["N_POINT", "FourElectronCuts", "MeasuredDecay", "is_selected", "measure"]

N_POINT = N_DECAY + 15
"""Coordinates of a decay and its measurement: momentum and angles of five tracks."""

_CHARGES = (-1.0, -1.0, 1.0, -1.0, 1.0)  # kick of pi+, e+, e-, e+, e-
_PAIRS = tuple((i, j) for i in range(5) for j in range(i))


class FourElectronCuts(eqx.Module):
    """Errors and cuts of the selection.

    Attributes:
        momentum_error: Constant part of the relative error of a momentum [1].
        momentum_slope: Part that grows with the momentum [1/GeV], in quadrature.
        position_error: Error of a point in the first chamber [m].
        separation: Smallest distance of any two tracks in the first chamber [m].
        kaon_mass_window: Window of m(pi 4e) [GeV], (low, high).
        pi0_exclusion: Half width of the excluded m(4e) around the pi0 [GeV].
        missing_exclusion: Half width of the excluded m_miss around the pi0 [GeV].
        pion_momentum: Lowest momentum of the pion [GeV].
        momentum_balance: Largest |p(5 tracks) - p(beam)| [GeV].
        mass_window: Half width of the window of m_ee over the mass [1].
    """

    momentum_error: Float[Array, ""]
    momentum_slope: Float[Array, ""]
    position_error: Float[Array, ""]
    separation: Float[Array, ""]
    kaon_mass_window: Float[Array, " 2"]
    pi0_exclusion: Float[Array, ""]
    missing_exclusion: Float[Array, ""]
    pion_momentum: Float[Array, ""]
    momentum_balance: Float[Array, ""]
    mass_window: Float[Array, ""]


class MeasuredDecay(eqx.Module):
    """What the selection sees.

    Attributes:
        is_tracked: Whether all five tracks are in the chambers, and apart.
        five_mass: m(pi 4e) [GeV], the pion being the positive track that brings it
            closest to the kaon.
        four_mass: m(4e) [GeV].
        missing_mass_squared: Squared missing mass to beam and pion [GeV^2].
        pion_momentum: Momentum of that pion [GeV].
        balance: p(5 tracks) - p(beam) [GeV].
        pair_mass: Mean mass of the two pairs [GeV], of the pairing with the smaller D.
    """

    is_tracked: Bool[Array, " n"]
    five_mass: Float[Array, " n"]
    four_mass: Float[Array, " n"]
    missing_mass_squared: Float[Array, " n"]
    pion_momentum: Float[Array, " n"]
    balance: Float[Array, " n"]
    pair_mass: Float[Array, " n"]


def measure(
    decays: FiveTracks,
    points: Float[Array, "n d"],
    *,
    beam: KaonBeam,
    spectrometer: Spectrometer,
    cuts: FourElectronCuts,
) -> MeasuredDecay:
    """Track, measure and reconstruct decays.

    Args:
        decays: The true tracks.
        points: Points of the unit cube; coordinates from `N_DECAY` on are errors.
        beam: Its mean momentum stands for that of each kaon.
        spectrometer: The chambers.
        cuts: Errors, and the distance of close tracks.

    Returns:
        What is seen.
    """
    tracks = jnp.concatenate([decays.pion[:, None], decays.electrons], axis=1)
    tracked = _is_apart(decays.vertex, tracks, spectrometer, cuts)
    for i, charge in enumerate(_CHARGES):
        tracked &= is_track_accepted(
            decays.vertex, tracks[:, i, 1:], charge, spectrometer
        )
    normal = ndtri(jnp.clip(points[:, N_DECAY:N_POINT], 1e-12, 1.0 - 1e-12))
    lever = spectrometer.straw_z[0] - decays.vertex[:, 2]
    seen = _smeared(tracks[:, :, 1:], normal.reshape(-1, 5, 3), lever, cuts)
    return _reconstruct(seen, tracked, beam, spectrometer)


def is_selected(
    seen: MeasuredDecay,
    cuts: FourElectronCuts,
    *,
    mass: Float[Array, ""] | None = None,
) -> Bool[Array, " n"]:
    """Whether decays are in the signal region.

    Args:
        seen: What was measured.
        cuts: The cuts.
        mass: Mass hypothesis of the pairs [GeV]; no window where None.

    Returns:
        True for the selected ones.
    """
    low, high = cuts.kaon_mass_window[0], cuts.kaon_mass_window[1]
    missing = jnp.sqrt(jnp.maximum(seen.missing_mass_squared, 0.0))
    kept = seen.is_tracked & (seen.five_mass > low) & (seen.five_mass < high)
    kept &= jnp.abs(seen.four_mass - PION_NEUTRAL_MASS) > cuts.pi0_exclusion
    kept &= seen.missing_mass_squared > 0.0
    kept &= jnp.abs(missing - PION_NEUTRAL_MASS) > cuts.missing_exclusion
    kept &= seen.pion_momentum > cuts.pion_momentum
    kept &= jnp.abs(seen.balance) < cuts.momentum_balance
    if mass is not None:
        kept &= jnp.abs(seen.pair_mass - mass) < cuts.mass_window * mass
    return kept


def _is_apart(
    vertex: Float[Array, "n 3"],
    tracks: Float[Array, "n 5 4"],
    spectrometer: Spectrometer,
    cuts: FourElectronCuts,
) -> Bool[Array, " n"]:
    """Whether any two tracks are far enough from each other in the first chamber."""
    lever = (spectrometer.straw_z[0] - vertex[:, 2])[:, None]
    safe_z = jnp.maximum(tracks[:, :, 3], 1e-3)
    x, y = (lever * tracks[:, :, i] / safe_z for i in (1, 2))
    apart = jnp.ones(vertex.shape[0], bool)
    for i, j in _PAIRS:
        squared = (x[:, i] - x[:, j]) ** 2 + (y[:, i] - y[:, j]) ** 2
        apart &= squared >= cuts.separation**2
    return apart


def _smeared(
    momenta: Float[Array, "n 5 3"],
    normal: Float[Array, "n 5 3"],
    lever: Float[Array, " n"],
    cuts: FourElectronCuts,
) -> Float[Array, "n 5 3"]:
    """Measured momenta."""
    size = jnp.sqrt(jnp.sum(momenta**2, axis=2))
    relative = jnp.hypot(cuts.momentum_error, cuts.momentum_slope * size)
    angle = (cuts.position_error / lever)[:, None, None] * normal[:, :, 1:]
    slopes = momenta[:, :, :2] / jnp.maximum(momenta[:, :, 2:], 1e-3) + angle
    direction = jnp.concatenate([slopes, jnp.ones_like(slopes[:, :, :1])], axis=2)
    direction = direction / jnp.sqrt(jnp.sum(direction**2, axis=2, keepdims=True))
    return (size * (1.0 + relative * normal[:, :, 0]))[:, :, None] * direction


def _reconstruct(
    momenta: Float[Array, "n 5 3"],
    tracked: Bool[Array, " n"],
    beam: KaonBeam,
    spectrometer: Spectrometer,
) -> MeasuredDecay:
    """Choose the pion and the pairs, without knowledge of the true ones."""
    squared = jnp.sum(momenta**2, axis=2)
    electrons = jnp.concatenate(
        [jnp.sqrt(squared + ELECTRON_MASS**2)[:, :, None], momenta], axis=2
    )
    as_pion = jnp.sqrt(squared + PION_CHARGED_MASS**2)
    total = jnp.sum(electrons, axis=1)
    positive = (0, 1, 3)
    choices = jnp.stack(
        [
            _mass(total.at[:, 0].add(as_pion[:, i] - electrons[:, i, 0]))
            for i in positive
        ],
        axis=1,
    )
    best = jnp.argmin(jnp.abs(choices - KAON_CHARGED_MASS), axis=1)
    orders = jnp.array([[0, 1, 3], [1, 0, 3], [3, 0, 1]])[best]
    pion, one, two = (
        jnp.take_along_axis(electrons, orders[:, i, None, None], axis=1)[:, 0]
        for i in range(3)
    )
    energy = jnp.hypot(jnp.sqrt(jnp.sum(pion[:, 1:] ** 2, axis=1)), PION_CHARGED_MASS)
    pairs = [
        (_mass(one + electrons[:, i]), _mass(two + electrons[:, j]))
        for i, j in ((2, 4), (4, 2))
    ]
    spread = [jnp.abs(a - b) / (a + b) for a, b in pairs]  # sqrt(D) up to a constant
    means = [0.5 * (a + b) for a, b in pairs]
    slope, _ = beam_line(spectrometer)
    along = jnp.stack([slope, jnp.zeros_like(slope), jnp.ones_like(slope)])
    kaon = beam.momentum * along / jnp.sqrt(jnp.sum(along**2))
    rest = jnp.hypot(beam.momentum, KAON_CHARGED_MASS) - energy
    missing = rest**2 - jnp.sum((kaon[None] - pion[:, 1:]) ** 2, axis=1)
    return MeasuredDecay(
        is_tracked=tracked,
        five_mass=jnp.take_along_axis(choices, best[:, None], axis=1)[:, 0],
        four_mass=_mass(total - pion),
        missing_mass_squared=missing,
        pion_momentum=jnp.sqrt(jnp.sum(pion[:, 1:] ** 2, axis=1)),
        balance=jnp.sqrt(jnp.sum(total[:, 1:] ** 2, axis=1)) - beam.momentum,
        pair_mass=jnp.where(spread[0] < spread[1], means[0], means[1]),
    )


def _mass(momentum: Float[Array, "n 4"]) -> Float[Array, " n"]:
    squared = momentum[:, 0] ** 2 - jnp.sum(momentum[:, 1:] ** 2, axis=1)
    return jnp.sqrt(jnp.maximum(squared, 0.0))
