"""Cubic interpolation of tables: slopes from scipy, evaluation by interpax.

Slopes at the nodes are computed once, in NumPy, when a table is made; evaluating is a
pure function of JAX arrays. Outside its nodes a table keeps the value of its edge: the
caller says what lies beyond.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import interpax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline, PchipInterpolator

__all__ = ["CubicCurve", "MonotoneTable"]


class CubicCurve(eqx.Module):
    """One or several functions of one variable, interpolated by cubics.

    Attributes:
        nodes: Nodes, increasing.
        values: Values at the nodes; further axes are further functions.
        slopes: Derivatives at the nodes.
    """

    nodes: Float[Array, " n_node"]
    values: Float[Array, "n_node ..."]
    slopes: Float[Array, "n_node ..."]

    @classmethod
    def monotone(cls, nodes: ArrayLike, values: ArrayLike) -> CubicCurve:
        """A curve that makes no new extrema between nodes; its slope is continuous.

        Args:
            nodes: Nodes, increasing.
            values: Values at the nodes.

        Returns:
            The curve.

        Examples:
            >>> curve = CubicCurve.monotone([0.0, 1.0, 2.0], [0.0, 1.0, 1.0])
            >>> float(curve(jnp.array(1.5)))
            1.0
        """
        slopes = PchipInterpolator(nodes, values, axis=0).derivative()(nodes)
        return cls(
            *(jnp.asarray(np.asarray(a, float)) for a in (nodes, values, slopes))
        )

    @classmethod
    def smooth(cls, nodes: ArrayLike, values: ArrayLike) -> CubicCurve:
        """A cubic spline, whose second derivative is continuous too.

        Args:
            nodes: Nodes, increasing.
            values: Values at the nodes.

        Returns:
            The curve.
        """
        slopes = CubicSpline(nodes, values, axis=0)(nodes, 1)
        return cls(
            *(jnp.asarray(np.asarray(a, float)) for a in (nodes, values, slopes))
        )

    def __call__(self, x: Float[Array, ""]) -> Float[Array, ...]:
        """Value at one point, clamped to the nodes.

        Args:
            x: The variable.

        Returns:
            The values there.
        """
        clamped = jnp.clip(x, self.nodes[0], self.nodes[-1])
        # interpax 0.3.16 relies on implicit promotion of ranks and types.
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            return interpax.interp1d(
                clamped, self.nodes, self.values, method="monotonic", fx=self.slopes
            )


class MonotoneTable(eqx.Module):
    """Several functions of two variables, interpolated monotone-cubically.

    The interpolant has continuous first derivatives and, along either variable, makes
    no new extrema between nodes.

    Attributes:
        x: Nodes of the first variable, increasing.
        y: Nodes of the second variable, increasing and evenly spaced.
        values: Values at the nodes.
        slopes: Derivatives at the nodes: along x, along y, mixed.
    """

    x: Float[Array, " n_x"]
    y: Float[Array, " n_y"]
    values: Float[Array, "n_x n_y n_value"]
    slopes: tuple[
        Float[Array, "n_x n_y n_value"],
        Float[Array, "n_x n_y n_value"],
        Float[Array, "n_x n_y n_value"],
    ]

    @classmethod
    def from_nodes(cls, x: ArrayLike, y: ArrayLike, values: ArrayLike) -> MonotoneTable:
        """Compute the slopes of a table.

        Args:
            x: Nodes of the first variable, increasing.
            y: Nodes of the second variable, increasing and evenly spaced.
            values: Values at the nodes, [x, y, function].

        Returns:
            The interpolated table.
        """
        along_x = PchipInterpolator(x, values, axis=0).derivative()(x)
        along_y = PchipInterpolator(y, values, axis=1).derivative()(y)
        mixed = PchipInterpolator(x, along_y, axis=0).derivative()(x)
        x, y, values, *slopes = (
            jnp.asarray(np.asarray(a, float))
            for a in (x, y, values, along_x, along_y, mixed)
        )
        return cls(x, y, values, (slopes[0], slopes[1], slopes[2]))

    def select(self, functions: Sequence[int]) -> MonotoneTable:
        """A table of some of the functions only.

        Args:
            functions: Indices of the functions to keep.

        Returns:
            The smaller table, with the same nodes.
        """

        def keep(array: Array) -> Array:
            return jnp.asarray(np.asarray(array)[..., list(functions)])

        dx, dy, dxy = self.slopes
        return MonotoneTable(
            self.x, self.y, keep(self.values), (keep(dx), keep(dy), keep(dxy))
        )

    def __call__(
        self, x: Float[Array, ""], y: Float[Array, ""]
    ) -> Float[Array, " n_value"]:
        """Values at one point, clamped to the nodes.

        Args:
            x: First variable.
            y: Second variable.

        Returns:
            All functions at the point.
        """
        dx, dy, dxy = self.slopes
        # interpax 0.3.16 relies on implicit promotion of ranks and types.
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            return interpax.interp2d(
                jnp.clip(x, self.x[0], self.x[-1]),
                jnp.clip(y, self.y[0], self.y[-1]),
                self.x,
                self.y,
                self.values,
                method="monotonic",
                even_spacing=(False, True),
                fx=dx,
                fy=dy,
                fxy=dxy,
            )
