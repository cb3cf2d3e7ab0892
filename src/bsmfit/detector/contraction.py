"""Contraction of an acceptance with a production spectrum, at one mass.

    points (p, theta, weight), A(p, theta, z) --accepted_spectrum--> S(p, z)
    S(p, z) --DecayContraction--> G(u)

`bsmfit.detector.yields` says what the reduced lifetime u and the reduced log yield G
are and evaluates them. In u the mass cancels, so that the decay integrals are computed
once for all masses and processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import RegularGridInterpolator

from bsmfit.detector.decay_volume import vertex_weights

__all__ = ["DecayContraction", "accepted_spectrum", "momentum_nodes"]

_N_MOMENTUM = 1500
"""Momentum nodes of the contraction, 0.2 % apart. Sharing a momentum between two nodes
biases ln Y by (0.002 x)^2 / 12 where the survival is exp(-x): 8e-4 at x = 50."""


def momentum_nodes(
    momenta: Float64[np.ndarray, " n_p"],
) -> Float64[np.ndarray, " n_momentum"]:
    """Fine momentum nodes over the range of an acceptance.

    Args:
        momenta: Momentum nodes of the acceptance [GeV].

    Returns:
        Geometric nodes [GeV].
    """
    return np.geomspace(momenta[0], momenta[-1], _N_MOMENTUM)


def accepted_spectrum(
    momentum: Float64[np.ndarray, " n_point"],
    angle: Float64[np.ndarray, " n_point"],
    weight: Float64[np.ndarray, " n_point"],
    alignment: Float64[np.ndarray, " n_point"] | None = None,
    *,
    grid: tuple[Float64[np.ndarray, " n_p"], Float64[np.ndarray, " n_angle"]],
    acceptance: Float64[np.ndarray, "n_p n_angle n_vertex"],
    polarised: Float64[np.ndarray, "n_p n_angle n_vertex"] | None = None,
) -> Float64[np.ndarray, "n_momentum n_vertex"]:
    """Accepted particles by longitudinal momentum and decay vertex, before decay.

    Args:
        momentum: Momenta of weighted points that represent a spectrum [GeV].
        angle: Their polar angles [rad].
        weight: Their weights [particles per proton on target].
        alignment: Share of `polarised` that adds to the acceptance of each; none of it
            where None.
        grid: Momentum [GeV] and angle [rad] nodes of the acceptance.
        acceptance: Acceptance at the nodes, zero outside.
        polarised: Change of it for a particle that is transverse about its flight.

    Returns:
        Particles per node of `momentum_nodes` at every vertex node, if they all decayed
        there.
    """
    momenta, angles = grid
    matters = angle <= angles[-1]  # backward ones have no logarithm of p_z
    momentum, angle, weight = (x[matters] for x in (momentum, angle, weight))
    if alignment is not None:
        alignment = alignment[matters]
    at = np.stack([np.log(momentum), angle], axis=-1)

    def lookup(table: np.ndarray) -> np.ndarray:
        nodes = (np.log(momenta), angles)
        return RegularGridInterpolator(
            nodes, table, bounds_error=False, fill_value=0.0
        )(at)

    accepted = lookup(acceptance)
    if polarised is not None and alignment is not None:
        change = alignment[:, None] * lookup(polarised)
        accepted = np.maximum(accepted + change, 0.0)
    accepted = accepted * weight[:, None]
    nodes = momentum_nodes(momenta)
    step = np.log(nodes[1] / nodes[0])
    position = np.log(momentum * np.cos(angle) / nodes[0]) / step
    position = np.clip(position, 0.0, _N_MOMENTUM - 1.000001)
    lower = position.astype(int)
    fraction = position - lower
    spectrum = np.zeros((_N_MOMENTUM, acceptance.shape[-1]))
    for j in range(acceptance.shape[-1]):
        for index, share in ((lower, 1.0 - fraction), (lower + 1, fraction)):
            spectrum[:, j] += np.bincount(
                index, accepted[:, j] * share, minlength=_N_MOMENTUM
            )
    return spectrum


@dataclass(frozen=True)
class DecayContraction:
    """Decay integrals of every momentum at every reduced lifetime.

    Attributes:
        weights: Weight of every vertex node, exp(-u) taken out of its logarithm.
    """

    weights: Float64[np.ndarray, "n_lifetime n_momentum n_vertex"]

    @classmethod
    def from_geometry(
        cls,
        momenta: Float64[np.ndarray, " n_momentum"],
        *,
        reduced_lifetimes: Float64[np.ndarray, " n_lifetime"],
        vertices: Float64[np.ndarray, " n_vertex"],
        origin: float,
        beam_momentum: float,
    ) -> DecayContraction:
        """Compute the decay integrals.

        Args:
            momenta: Momentum nodes [GeV].
            reduced_lifetimes: Nodes u.
            vertices: Vertex nodes, from one end of the decay volume to the other [m].
            origin: Where the particles are made [m].
            beam_momentum: Momentum of the beam P [GeV].

        Returns:
            The integrals.
        """
        hardest = np.exp(reduced_lifetimes)[:, None] * (vertices[0] - origin)
        length = hardest * momenta[None, :] / beam_momentum
        reference = np.broadcast_to(-np.exp(-reduced_lifetimes)[:, None], length.shape)
        return cls(
            vertex_weights(length, vertices, origin=origin, log_reference=reference)
        )

    def reduced_log_yield(
        self, spectrum: Float64[np.ndarray, "n_momentum n_vertex"]
    ) -> Float64[np.ndarray, " n_lifetime"]:
        """Reduced log yield G(u) of one accepted spectrum.

        Args:
            spectrum: Accepted particles, from `accepted_spectrum`.

        Returns:
            G at the nodes; -inf where nothing is accepted.
        """
        with np.errstate(divide="ignore"):
            return np.log(np.einsum("upj,pj->u", self.weights, spectrum))
