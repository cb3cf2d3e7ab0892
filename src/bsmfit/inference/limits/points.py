r"""A likelihood on a grid of points, checked and ready to be mapped over.

The leading axes of a likelihood's arrays are the points of a grid. Here they become one
axis, and the dense arrays of all points are made at once, without the bins that share
nothing with the signal (`bsmfit.likelihood.relevant`). What the choice of a method
depends on is read off: which bins carry signal, and how many events are observed and
expected there. Results get their shape back at the end.
"""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.core.argument import instance
from bsmfit.errors import InputError
from bsmfit.inference.counts.ensemble import nominal_yields
from bsmfit.inference.limits.result import Status
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.likelihood import Likelihood, broadcast_points, point_shape
from bsmfit.likelihood.relevant import Part, has_yields, relevant_part, restricted

__all__ = ["Points", "point_status"]

_Tree = TypeVar("_Tree")


class Points(eqx.Module):
    """All points of a likelihood.

    Attributes:
        arrays: Dense arrays, with one leading axis for the points.
        signal: Signal at strength 1 and nominal nuisances, in each bin [events].
        background: Background at nominal nuisances, in each bin [events].
        shape: Shape of the grid.
        is_concrete: Whether all numbers are known, not traced.
        part: Which bins and nuisances of the likelihood these are.
        signal_bins: The bins that carry signal at any point; all of them where none
            does.
    """

    arrays: LikelihoodArrays
    signal: Float[Array, "n_point n_bin"]
    background: Float[Array, "n_point n_bin"]
    shape: tuple[int, ...] = eqx.field(static=True)
    is_concrete: bool = eqx.field(static=True)
    part: Part = eqx.field(static=True)
    signal_bins: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def from_likelihood(cls, likelihood: Likelihood, caller: str) -> Points:
        """Spread a likelihood over its grid.

        Args:
            likelihood: The likelihood.
            caller: The public function that needs it, for messages.

        Returns:
            The points.

        Raises:
            InputError: It is no likelihood, or has no signal term.
        """
        require_x64(caller)
        hint = "make one with bsmfit.Likelihood.from_regions([...])"
        instance(f"likelihood of {caller}", likelihood, Likelihood, hint=hint)
        shape = point_shape(likelihood)
        if not any(region.signal for region in likelihood.regions):
            msg = f"{caller} needs a signal: no region has a signal term"
            raise InputError(msg)
        is_concrete = not any(
            isinstance(leaf, Tracer) for leaf in jax.tree.leaves(likelihood)
        )
        # known numbers stay known where a strength is traced around them
        with jax.ensure_compile_time_eval() if is_concrete else nullcontext():
            arrays, signal, background = _spread(likelihood)
            n_bin = signal.shape[1]
            whole = Part(tuple(range(n_bin)), tuple(range(arrays.n_parameter)))
            carries = has_yields(arrays)[: arrays.structure.n_signal].any(axis=0)
            bins = np.flatnonzero(carries if carries.any() else ~carries)
            signal_bins = tuple(int(index) for index in bins)
            everything = cls(
                arrays, signal, background, shape, is_concrete, whole, signal_bins
            )
            return everything.narrowed(relevant_part(arrays))

    def narrowed(self, part: Part) -> Points:
        """Keep a part of the likelihood.

        Args:
            part: The part, in the bins and parameters of the whole likelihood.

        Returns:
            The points of that part; the same object where nothing is left out.
        """
        if part == self.part:
            return self
        try:
            bins = tuple(self.part.bins.index(i) for i in part.bins)
            parameters = tuple(self.part.parameters.index(i) for i in part.parameters)
        except ValueError as error:
            msg = (
                "the plan was made for a likelihood of other regions or nuisances; "
                "make it from one of the same structure"
            )
            raise InputError(msg) from error
        index = np.array(bins)
        carries = [self.part.bins[i] for i in self.signal_bins]
        local = Part(bins, parameters)
        return Points(
            arrays=jax.vmap(lambda one: restricted(one, local))(self.arrays),
            signal=self.signal[:, index],
            background=self.background[:, index],
            shape=self.shape,
            is_concrete=self.is_concrete,
            part=part,
            signal_bins=tuple(n for n, i in enumerate(part.bins) if i in carries),
        )

    def counting(self, signal_bins: tuple[int, ...]) -> Points:
        """Take other bins as those that carry signal.

        Args:
            signal_bins: The bins.

        Returns:
            The points.
        """
        return dataclasses.replace(self, signal_bins=signal_bins)

    @property
    def n_bin(self) -> int:
        """Number of bins, without those that share nothing with the signal."""
        return self.signal.shape[-1]

    @property
    def n_event(self) -> Float[np.ndarray, " n_point"]:
        """Smaller one of observed and expected events where signal is expected."""
        bins = list(self.signal_bins)
        observed = np.asarray(self.arrays.observed)[:, bins].sum(axis=-1)
        expected = np.asarray(self.background)[:, bins].sum(axis=-1)
        return np.minimum(observed, expected)

    def reshape(self, result: _Tree) -> _Tree:
        """Give the grid its shape back.

        Args:
            result: Arrays with one leading axis for the points.

        Returns:
            Arrays with the axes of the grid.
        """
        return jax.tree.map(
            lambda leaf: leaf.reshape(*self.shape, *leaf.shape[1:]), result
        )


@eqx.filter_jit
def _spread(
    likelihood: Likelihood,
) -> tuple[
    LikelihoodArrays, Float[Array, "n_point n_bin"], Float[Array, "n_point n_bin"]
]:
    """Dense arrays and nominal yields of all points."""
    arrays = jax.vmap(lambda one: one.arrays())(broadcast_points(likelihood))
    signal, background = jax.vmap(nominal_yields)(arrays)
    return arrays, signal, background


def point_status(
    points: Points,
    is_converged: Bool[Array, " n_point"],
    *,
    strength: Float[Array, " n_point"] | None = None,
) -> Int[Array, " n_point"]:
    """Status of each point.

    Args:
        points: The points.
        is_converged: Whether the method found its answer.
        strength: Tested strengths; None where a limit is asked for, to which a point
            without signal has no answer.

    Returns:
        `Status` codes.
    """

    def is_bad(array: Float[Array, "n_point ..."]) -> Bool[Array, " n_point"]:
        is_fine = (array >= 0.0) & jnp.isfinite(array)
        return ~jnp.all(is_fine.reshape(array.shape[0], -1), axis=1)

    status = jnp.where(is_converged, int(Status.OK), int(Status.NOT_CONVERGED))
    if strength is None:
        has_signal = jnp.any(points.signal > 0.0, axis=-1)
        status = jnp.where(has_signal, status, int(Status.NO_SIGNAL))
    is_invalid = is_bad(points.arrays.yields) | is_bad(points.arrays.observed)
    if strength is not None:
        is_invalid = is_invalid | is_bad(strength)
    return jnp.where(is_invalid, int(Status.INVALID_INPUT), status)
