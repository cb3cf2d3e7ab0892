r"""Acceptance of a charged pair with the photons of none, one or two neutral pions.

$$A(m, p, \theta, z) = B_{\gamma\gamma}^{n_0}\,
  \frac{\langle w\,1[\text{both tracks and all photons accepted}]\rangle}
  {\langle w\rangle}$$

over points of the unit cube, with the weights w of
`bsmfit.detector.charged_pair_decays`. Beside it goes the second moment of the angle
between the flight and the spin axis of the final state, from which the acceptance of
polarised particles follows (`bsmfit.detector.acceptance.pair_moments`).

Tracks pass the planes of the spectrometer (`bsmfit.detector.spectrometer`); a photon
has to reach the calorimeter outside its hole with a lowest energy, and two photons have
to be apart there. As for pairs of tracks the vertex is a variable, and the coupling,
the production and the lifetime are not known.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.core.constants import PION_NEUTRAL_MASS
from bsmfit.detector.charged_pair_decays import (
    DecayProducts,
    boosted,
    charged_pair_decays,
    n_coordinate,
    photon_pair,
)
from bsmfit.detector.node_grid import over_grid
from bsmfit.detector.spectrometer import Spectrometer, is_pair_accepted
from bsmfit.detector.two_body_decay import flight_direction
from bsmfit.physics.hadronic_final_states import ChargedPairState

__all__ = [
    "PhotonCuts",
    "are_photons_accepted",
    "charged_pair_moments",
    "charged_pair_slab",
]


class PhotonCuts(eqx.Module):
    """What photons have to fulfil in the calorimeter.

    Attributes:
        energy_min: Lowest energy of every photon [GeV].
        separation_min: Smallest distance of two photons at the calorimeter [m].
    """

    energy_min: Float[Array, ""]
    separation_min: Float[Array, ""]


def are_photons_accepted(
    vertex: Float[Array, "n 3"],
    photons: Sequence[Float[Array, "n 3"]],
    *,
    cuts: PhotonCuts,
    spectrometer: Spectrometer,
) -> Bool[Array, " n"]:
    """Whether all photons are measured.

    Args:
        vertex: Decay points (x, y, z) [m].
        photons: Momenta of the photons [GeV]; none is no error.
        cuts: Energy and separation.
        spectrometer: Where the calorimeter is.

    Returns:
        True where every photon reaches the calorimeter, has the lowest energy and is
        apart from all others.
    """
    s = spectrometer
    accepted = jnp.ones(vertex.shape[0], bool)
    impacts = []
    for momentum in photons:
        forward = momentum[:, 2] > 0.0
        safe = jnp.where(forward, momentum[:, 2], 1.0)
        lever = (s.lkr_z - vertex[:, 2]) / safe
        x = vertex[:, 0] + momentum[:, 0] * lever
        y = vertex[:, 1] + momentum[:, 1] * lever
        radius_squared = x**2 + y**2
        accepted &= forward & (jnp.sum(momentum**2, axis=-1) > cuts.energy_min**2)
        accepted &= radius_squared > s.lkr_inner_radius**2
        accepted &= radius_squared < s.lkr_outer_radius**2
        impacts.append((x, y))
    for (x1, y1), (x2, y2) in itertools.combinations(impacts, 2):
        accepted &= (x1 - x2) ** 2 + (y1 - y2) ** 2 > cuts.separation_min**2
    return accepted


def charged_pair_moments(
    mass: Float[Array, ""],
    momentum: Float[Array, ""],
    angle: Float[Array, ""],
    vertex_z: Float[Array, ""],
    *,
    points: Float[Array, "n d"],
    state: ChargedPairState,
    cuts: PhotonCuts,
    spectrometer: Spectrometer,
) -> Float[Array, " 2"]:
    r"""Two moments of the acceptance of one kinematic point.

    $$A_0=\langle a\rangle,\qquad A_2=\langle a\,(\cos^2\theta^*-1/3)\rangle$$

    with a = 1 for accepted decays and the angle between flight and spin axis.

    Args:
        mass: Mass of the decaying particle [GeV], above threshold.
        momentum: Its momentum [GeV].
        angle: Its polar angle to the beam [rad].
        vertex_z: Position of the decay along the beam [m].
        points: Points of the unit cube: production azimuth, then the coordinates of
            `n_coordinate`.
        state: The final state.
        cuts: Cuts on photons.
        spectrometer: Planes and cuts on tracks.

    Returns:
        $A_0$ and $A_2$, the decays of the neutral pions into two photons included;
        $A_2$ is 0 for a state without spin axis.
    """
    direction = flight_direction(angle, 2.0 * jnp.pi * points[:, 0])
    flight = (vertex_z - spectrometer.impact_point[2]) / direction[:, 2]
    vertex = spectrometer.impact_point[None, :] + direction * flight[:, None]
    decays = charged_pair_decays(mass, points[:, 1:], state=state)
    parent, masses = momentum * direction, jnp.full_like(decays.weight, mass)
    plus, minus = (
        boosted(track, state.charged_mass, parent, masses) for track in decays.charged
    )
    accepted = is_pair_accepted(
        vertex, (plus, minus), charge=1.0, spectrometer=spectrometer
    )
    first = 1 + n_coordinate(state) - 2 * state.n_neutral
    photons = []
    for i, meson in enumerate(decays.neutral):
        column = first + 2 * i
        in_flight = boosted(meson, PION_NEUTRAL_MASS, parent, masses)
        photons += photon_pair(
            in_flight, points[:, column : column + 2], mass=PION_NEUTRAL_MASS
        )
    accepted &= are_photons_accepted(
        vertex, photons, cuts=cuts, spectrometer=spectrometer
    )
    kept = jnp.where(accepted, decays.weight, 0.0)
    moments = jnp.stack(
        [jnp.sum(kept), jnp.sum(kept * _second(decays, direction, state))]
    )
    return state.photon_share * moments / jnp.sum(decays.weight)


def _second(
    decays: DecayProducts, direction: Float[Array, "n 3"], state: ChargedPairState
) -> Float[Array, " n"]:
    """cos^2 - 1/3 of the angle between the flight and the spin axis."""
    if state.spin_axis is None:
        return jnp.zeros_like(decays.weight)
    plus, minus = decays.charged
    axis = plus if state.spin_axis == "pair" else jnp.cross(plus, minus)
    along = jnp.sum(axis * direction, axis=-1)
    norm = jnp.sum(axis**2, axis=-1)
    has_axis = norm > 0.0
    return along**2 / jnp.where(has_axis, norm, 1.0) - jnp.where(
        has_axis, 1.0 / 3.0, 0.0
    )


@eqx.filter_jit
def charged_pair_slab(
    mass: Float[Array, ""],
    *,
    momenta: Float[Array, " n_momentum"],
    angles: Float[Array, " n_angle"],
    vertices: Float[Array, " n_vertex"],
    points: Float[Array, "n d"],
    shifts: Float[Array, "n_momentum n_angle n_vertex d"],
    state: ChargedPairState,
    cuts: PhotonCuts,
    spectrometer: Spectrometer,
) -> Float[Array, "n_momentum n_angle n_vertex 2"]:
    """Moments of the acceptance on a grid of momenta, angles and vertices, at one mass.

    Args:
        mass: Mass of the decaying particle [GeV], above threshold.
        momenta: Momenta [GeV].
        angles: Polar angles [rad].
        vertices: Positions of the decay along the beam [m].
        points: Low-discrepancy points of the unit cube.
        shifts: Shift of the points, modulo 1, at every node of the grid.
        state: The final state.
        cuts: Cuts on photons.
        spectrometer: Planes and cuts on tracks.

    Returns:
        Both moments of `charged_pair_moments` at every node.
    """

    def at_node(momentum, angle, vertex_z, shift):
        return charged_pair_moments(
            mass,
            momentum,
            angle,
            vertex_z,
            points=jnp.mod(points + shift[None, :], 1.0),
            state=state,
            cuts=cuts,
            spectrometer=spectrometer,
        )

    return over_grid(at_node, momenta, angles, vertices, shifts)
