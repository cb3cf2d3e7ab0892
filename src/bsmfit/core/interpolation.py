"""Monotone-cubic interpolation of tables, wrapped once around interpax."""

from __future__ import annotations

import equinox as eqx
import interpax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["MonotoneTable"]


class MonotoneTable(eqx.Module):
    """Values on a two-dimensional grid, interpolated monotone-cubically.

    The interpolant has a continuous first derivative in both variables and makes no
    new extrema between nodes. Outside the grid the nearest edge is used: the caller
    says what lies beyond.

    Attributes:
        interpolator: The interpax interpolator, of values with trailing axes.
    """

    interpolator: interpax.Interpolator2D

    @classmethod
    def from_nodes(
        cls,
        x: Float[Array, " n_x"],
        y: Float[Array, " n_y"],
        values: Float[Array, "n_x n_y n_value"],
    ) -> MonotoneTable:
        """Compute the cubic coefficients of a table.

        Args:
            x: Nodes of the first variable, increasing.
            y: Nodes of the second variable, increasing and evenly spaced.
            values: Values at the nodes.

        Returns:
            The interpolated table.
        """
        return cls(
            interpax.Interpolator2D(
                x,
                y,
                values,
                method="monotonic",
                extrap=True,
                even_spacing=(False, True),
            )
        )

    def __call__(
        self, x: Float[Array, ""], y: Float[Array, ""]
    ) -> Float[Array, " n_value"]:
        """Interpolated values at one point, clamped to the grid.

        Args:
            x: First variable.
            y: Second variable.

        Returns:
            All values at the point.
        """
        nodes_x, nodes_y = self.interpolator.x, self.interpolator.y
        # interpax 0.3.16 relies on implicit promotion of ranks and types.
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            return self.interpolator(
                jnp.clip(x, nodes_x[0], nodes_x[-1]),
                jnp.clip(y, nodes_y[0], nodes_y[-1]),
            )

    def select(self, values: list[int]) -> MonotoneTable:
        """A table of some of the trailing values only.

        Args:
            values: Indices of the values to keep.

        Returns:
            The smaller table, with the same nodes.
        """
        kept = self.interpolator
        return MonotoneTable.from_nodes(kept.x, kept.y, kept.f[..., jnp.array(values)])
