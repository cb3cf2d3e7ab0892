r"""Geometrical acceptance for pairs of tracks from a decay in flight.

$$A(m, p, \theta, z) = \Big\langle 1[\text{both tracks accepted}]\,
  w(\cos\theta^*) \Big\rangle_{\phi,\cos\theta^*,\phi^*}$$

is the only Monte Carlo of a dump search. It knows the detector and the final state, but
neither the coupling nor the production process nor the lifetime: the vertex z is a
variable of the table, and the decay law enters later as an analytic weight
(`bsmfit.detector.decay_volume`). Hard cuts therefore never meet a derivative with
respect to the coupling; the mass enters through interpolation between mass nodes.

The three angles are averaged over a low-discrepancy set of points in the unit cube,
which the caller makes and shifts (modulo 1) per node, so that the errors of
neighbouring nodes are independent, and the same at all masses, so that they do not
shake the derivative in the mass.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.detector.aperture import ApertureDetector
from bsmfit.detector.node_grid import over_grid
from bsmfit.detector.photon_pair import PhotonPairDetector
from bsmfit.detector.spectrometer import Spectrometer
from bsmfit.detector.two_body_decay import daughter_momenta, flight_direction

__all__ = [
    "PairDetector",
    "acceptance_slab",
    "moments_slab",
    "pair_acceptance",
    "pair_moments",
]

PairDetector = Spectrometer | ApertureDetector | PhotonPairDetector
"""Detectors of pairs of tracks or photons: planes and cuts, and what they accept."""


def pair_acceptance(
    mass: Float[Array, ""],
    momentum: Float[Array, ""],
    angle: Float[Array, ""],
    vertex_z: Float[Array, ""],
    *,
    anisotropy: Float[Array, ""],
    **decays: Any,
) -> Float[Array, ""]:
    r"""Acceptance of one kinematic point, averaged over production and decay angles.

    The decay angle is weighted by
    $w = (1+\lambda\cos^2\theta^*)/(1+\lambda/3)$: $\lambda=0$ is the isotropic decay
    of an unpolarised particle, $\lambda=(1-x)/(1+x)$ with $x=4m_\ell^2/m^2$ that of a
    transversely polarised vector into leptons.

    Args:
        mass: Mass of the decaying particle [GeV].
        momentum: Its momentum [GeV].
        angle: Its polar angle to the beam [rad].
        vertex_z: Position of the decay along the beam [m].
        anisotropy: Coefficient lambda, > -1.
        **decays: As those of `pair_moments`.

    Returns:
        Accepted fraction.
    """
    moments = pair_moments(mass, momentum, angle, vertex_z, **decays)
    return moments[0] + anisotropy / (1.0 + anisotropy / 3.0) * moments[1]


def pair_moments(
    mass: Float[Array, ""],
    momentum: Float[Array, ""],
    angle: Float[Array, ""],
    vertex_z: Float[Array, ""],
    *,
    points: Float[Array, "n 3"],
    daughter_mass: Float[Array, ""],
    spectrometer: PairDetector,
) -> Float[Array, " 2"]:
    r"""Two moments of the acceptance, enough for every polarisation about any axis.

    $$A_0=\langle a\rangle,\qquad A_2=\langle a\,(\cos^2\theta^*-1/3)\rangle$$

    with a = 1 for accepted decays. A decay $1+\lambda\cos^2\chi$ about an axis at the
    angle $\delta$ to the flight has, on the average over the azimuth, the acceptance
    $A_0+\lambda/(1+\lambda/3)\,P_2(\cos\delta)\,A_2$.

    Args:
        mass: Mass of the decaying particle [GeV].
        momentum: Its momentum [GeV].
        angle: Its polar angle to the beam [rad].
        vertex_z: Position of the decay along the beam [m].
        points: Points of the unit cube: production azimuth, cosine of the decay
            angle, azimuth of the decay.
        daughter_mass: Mass of either daughter [GeV].
        spectrometer: Planes and cuts.

    Returns:
        $A_0$ and $A_2$.
    """
    turn = 2.0 * jnp.pi
    cos_theta = 2.0 * points[:, 1] - 1.0
    direction = flight_direction(angle, turn * points[:, 0])
    flight = (vertex_z - spectrometer.impact_point[2]) / direction[:, 2]
    vertex = spectrometer.impact_point[None, :] + direction * flight[:, None]
    momenta = daughter_momenta(
        mass,
        momentum,
        direction=direction,
        cos_theta=cos_theta,
        azimuth=turn * points[:, 2],
        daughter_mass=daughter_mass,
    )
    accepted = spectrometer.accepts_pair(vertex, momenta)
    passed = accepted.astype(cos_theta.dtype)
    return jnp.stack([jnp.mean(passed), jnp.mean(passed * (cos_theta**2 - 1.0 / 3.0))])


@eqx.filter_jit
def moments_slab(
    mass: Float[Array, ""],
    *,
    momenta: Float[Array, " n_momentum"],
    angles: Float[Array, " n_angle"],
    vertices: Float[Array, " n_vertex"],
    points: Float[Array, "n 3"],
    shifts: Float[Array, "n_momentum n_angle n_vertex 3"],
    daughter_mass: Float[Array, ""],
    spectrometer: PairDetector,
) -> Float[Array, "n_momentum n_angle n_vertex 2"]:
    """Moments of the acceptance on a grid of momenta, angles and vertices, at one mass.

    Args:
        mass: Mass of the decaying particle [GeV].
        momenta: Momenta [GeV].
        angles: Polar angles [rad].
        vertices: Positions of the decay along the beam [m].
        points: Low-discrepancy points of the unit cube.
        shifts: Shift of the points, modulo 1, at every node of the grid.
        daughter_mass: Mass of either daughter [GeV].
        spectrometer: Planes and cuts.

    Returns:
        Both moments of `pair_moments` at every node.
    """

    def at_node(momentum, angle, vertex_z, shift):
        return pair_moments(
            mass,
            momentum,
            angle,
            vertex_z,
            points=jnp.mod(points + shift[None, :], 1.0),
            daughter_mass=daughter_mass,
            spectrometer=spectrometer,
        )

    return over_grid(at_node, momenta, angles, vertices, shifts)


def acceptance_slab(
    mass: Float[Array, ""], *, anisotropy: Float[Array, ""], **grid: Any
) -> Float[Array, "n_momentum n_angle n_vertex"]:
    """Acceptance on a grid of momenta, angles and vertices, at one mass.

    Args:
        mass: Mass of the decaying particle [GeV].
        anisotropy: Coefficient of the decay-angle distribution, see `pair_acceptance`.
        **grid: As those of `moments_slab`.

    Returns:
        Accepted fraction at every node.
    """
    moments = moments_slab(mass, **grid)
    share = anisotropy / (1.0 + anisotropy / 3.0)
    return moments[..., 0] + share * moments[..., 1]
