"""A function at every node of a grid of momenta, angles and positions of the decay."""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Float

__all__ = ["over_grid"]


def over_grid(
    at_node: Callable[..., Float[Array, " k"]],
    momenta: Float[Array, " n_momentum"],
    angles: Float[Array, " n_angle"],
    vertices: Float[Array, " n_vertex"],
    shifts: Float[Array, "n_momentum n_angle n_vertex d"],
) -> Float[Array, "n_momentum n_angle n_vertex k"]:
    """A function at every node; only the nodes along the beam are in memory at once.

    Args:
        at_node: Function of momentum, angle, vertex and shift.
        momenta: Momenta [GeV].
        angles: Polar angles [rad].
        vertices: Positions of the decay along the beam [m].
        shifts: Shift of the sample at every node.

    Returns:
        Its values.
    """
    over_vertices = jax.vmap(at_node, in_axes=(None, None, 0, 0))

    def at_momentum(item):
        momentum, momentum_shifts = item
        return jax.lax.map(
            lambda pair: over_vertices(momentum, pair[0], vertices, pair[1]),
            (angles, momentum_shifts),
        )

    return jax.lax.map(at_momentum, (momenta, shifts))
