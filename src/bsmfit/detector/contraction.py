"""Contraction of an acceptance with a production spectrum, at one mass.

    points (p, theta, weight), A(p, theta, z) --accepted_spectrum--> S(p, z)
    S(p, z) --contract--> G(u)

`bsmfit.detector.yields` says what the reduced lifetime u and the reduced log yield G
are and evaluates them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import RegularGridInterpolator

from bsmfit.detector.decay_volume import vertex_weights

__all__ = ["accepted_spectrum", "contract"]

_N_MOMENTUM = 1500
"""Momentum nodes of the contraction, 0.2 % apart. Sharing a momentum between two nodes
biases ln Y by (0.002 x)^2 / 12 where the survival is exp(-x): 8e-4 at x = 50."""


def accepted_spectrum(
    momentum: Float64[np.ndarray, " n_point"],
    angle: Float64[np.ndarray, " n_point"],
    weight: Float64[np.ndarray, " n_point"],
    *,
    grid: tuple[
        Float64[np.ndarray, " n_p"],
        Float64[np.ndarray, " n_angle"],
        Float64[np.ndarray, " n_vertex"],
    ],
    acceptance: Float64[np.ndarray, "n_p n_angle n_vertex"],
) -> tuple[
    Float64[np.ndarray, " n_momentum"], Float64[np.ndarray, "n_momentum n_vertex"]
]:
    """Accepted particles by longitudinal momentum and decay vertex, before decay.

    Args:
        momentum: Momenta of weighted points that represent a spectrum [GeV].
        angle: Their polar angles [rad].
        weight: Their weights [particles per proton on target].
        grid: Momentum [GeV], angle [rad] and vertex [m] nodes of the acceptance.
        acceptance: Acceptance at the nodes, zero outside.

    Returns:
        Momentum nodes [GeV], and particles per node at every vertex node, if they all
        decayed there.
    """
    momenta, angles, vertices = grid
    lookup = RegularGridInterpolator(
        (np.log(momenta), angles), acceptance, bounds_error=False, fill_value=0.0
    )
    accepted = lookup(np.stack([np.log(momentum), angle], axis=-1)) * weight[:, None]
    nodes = np.geomspace(momenta[0], momenta[-1], _N_MOMENTUM)
    step = np.log(nodes[1] / nodes[0])
    position = np.log(momentum * np.cos(angle) / nodes[0]) / step
    position = np.clip(position, 0.0, _N_MOMENTUM - 1.000001)
    lower = position.astype(int)
    fraction = position - lower
    spectrum = np.zeros((_N_MOMENTUM, vertices.size))
    for j in range(vertices.size):
        for index, share in ((lower, 1.0 - fraction), (lower + 1, fraction)):
            spectrum[:, j] += np.bincount(
                index, accepted[:, j] * share, minlength=_N_MOMENTUM
            )
    return nodes, spectrum


def contract(
    spectrum: tuple[
        Float64[np.ndarray, " n_momentum"], Float64[np.ndarray, "n_momentum n_vertex"]
    ],
    *,
    reduced_lifetimes: Float64[np.ndarray, " n_lifetime"],
    vertices: Float64[np.ndarray, " n_vertex"],
    origin: float,
    beam_momentum: float,
) -> Float64[np.ndarray, " n_lifetime"]:
    """Reduced log yield G(u) of one accepted spectrum (the mass cancels in u).

    Args:
        spectrum: Momentum nodes and accepted particles, from `accepted_spectrum`.
        reduced_lifetimes: Nodes u.
        vertices: Vertex nodes, from the beginning to the end of the decay volume [m].
        origin: Where the particles are made [m].
        beam_momentum: Momentum of the beam P [GeV].

    Returns:
        G at the nodes; -inf where nothing is accepted.
    """
    momenta, accepted = spectrum
    distance = vertices[0] - origin
    hardest = np.exp(reduced_lifetimes)[:, None] * distance
    length = hardest * momenta[None, :] / beam_momentum
    reference = np.broadcast_to(-np.exp(-reduced_lifetimes)[:, None], length.shape)
    weights = vertex_weights(
        length, vertices, origin=origin, log_reference=np.asarray(reference)
    )
    with np.errstate(divide="ignore"):
        return np.log(np.einsum("upj,pj->u", weights, accepted))
