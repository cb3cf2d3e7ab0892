r"""Accepted decays per proton on target, as a function of mass and lifetime.

For one production process and one final state the coupling enters a dump search only
through an overall strength and through the lifetime. At unit strength and unit
branching ratio

$$Y(m, c\tau) = \int dp\,d\theta\; \frac{d^2N}{dp\,d\theta}
  \int_{z_A}^{z_B} \frac{dz}{L}\, e^{-(z-z_0)/L} A(m, p, \theta, z),
  \qquad L = \frac{p_z}{m}\, c\tau$$

serves every model. The table is kept on mass nodes and on nodes of the reduced lifetime

$$u = \ln \frac{c\tau\, P}{m\,(z_A - z_0)},$$

the decay length of a particle of the full beam momentum P in units of the distance to
the decay volume, with the survival of that hardest particle taken out:
$G = \ln Y + e^{-u}$ is a smooth, slow function where ln Y itself falls by hundreds of
e-folds. Beyond the last node the decay probability is proportional to $1/c\tau$
exactly; before the first one G is held, and the exponential goes on.

Data flow: a spectrum (weighted points in p, theta) and the acceptance at one mass are
contracted by `contract` into G(u); `YieldTable` interpolates the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from scipy.interpolate import RegularGridInterpolator

from bsmfit.core.interpolation import MonotoneTable
from bsmfit.detector.decay_volume import vertex_weights
from bsmfit.errors import UnknownNameError

__all__ = ["YieldTable", "accepted_spectrum", "contract"]

_N_MOMENTUM = 600
"""Momentum nodes of the contraction; the error of the sum is below 1e-3 in ln Y."""


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


class YieldTable(eqx.Module):
    """Log yields of several production processes into one final state.

    Attributes:
        processes: Names of the processes, the order of the last axis.
        table: G on (mass, reduced lifetime) nodes.
        distance: Distance from the production point to the decay volume [m].
        beam_momentum: Momentum of the beam [GeV].
    """

    processes: tuple[str, ...] = eqx.field(static=True)
    table: MonotoneTable
    distance: Float[Array, ""]
    beam_momentum: Float[Array, ""]

    def select(self, processes: Sequence[str]) -> YieldTable:
        """The yields of some of the processes only.

        Args:
            processes: Names of processes of this table.

        Returns:
            The smaller table.

        Raises:
            UnknownNameError: A process that is not in the table.
        """
        for process in processes:
            if process not in self.processes:
                kind = "production process"
                raise UnknownNameError.from_choices(kind, process, self.processes)
        indices = [self.processes.index(process) for process in processes]
        return YieldTable(
            tuple(processes),
            self.table.select(indices),
            self.distance,
            self.beam_momentum,
        )

    def __call__(
        self, mass: Float[Array, ""], lifetime_length: Float[Array, ""]
    ) -> Float[Array, " n_process"]:
        """Log of the accepted decays per proton, at unit strength and branching ratio.

        Args:
            mass: Mass [GeV], within the table.
            lifetime_length: Proper decay length c tau [m].

        Returns:
            ln Y of every process.
        """
        u = jnp.log(lifetime_length * self.beam_momentum / (mass * self.distance))
        last = self.table.interpolator.y[-1]
        beyond = jnp.clip(u - last, 0.0, None)
        return self.table(mass, u) - jnp.exp(-u) - beyond
