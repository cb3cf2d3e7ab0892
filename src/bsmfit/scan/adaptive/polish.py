r"""Vertices of a contour, solved by Newton's method along the edges of cells.

A vertex lies on an edge between two points, one excluded and one not: at a fixed mass
along the coupling, or at a fixed coupling along the mass. From the chord on, steps of
Newton's method along the coupling, with derivatives by `jax.jvp`, and of the secant
method along the mass, where each step is another mass, lead to

$$|F| \le 10^{-6},$$

that is $|\Delta\ln N| \le 10^{-6}$ for one region, and
$|\Delta\ln\mathrm{CL_s}| \le 10^{-6}\,|\ln(1-\mathrm{cl})|$ for several. Both points
stay around the root: a step that leaves them, or that does not halve them in two, is
replaced by half of the interval. Where the field jumps over zero there is no root;
then the interval shrinks to the jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

from bsmfit.scan.adaptive.field import FieldProgram

__all__ = ["TOLERANCE", "Interval", "VertexStatus", "polish"]

TOLERANCE = 1e-6
"""Largest |F| of a polished vertex, and width at which a jump counts as found."""

_MOST_STEPS = 60


class VertexStatus(IntEnum):
    """How the place of a vertex is known.

    Polished vertices are roots, along the coupling or along the mass. At a `JUMP` the
    field changes its sign without being zero: an observed count or the order of the
    outcomes changes. `UNPOLISHED` ones are on the chord between two points, since
    something between them has no result. Those `AT_END` are no part of the contour:
    there the plane ends, or what the model and the searches say.
    """

    ALONG_COUPLING = 0
    ALONG_MASS = 1
    JUMP = 2
    UNPOLISHED = 3
    AT_END = 4


@dataclass(frozen=True)
class Interval:
    """Two points on one line, between which a field changes its sign.

    Attributes:
        axis: 0 where the mass changes between them, 1 where the coupling does.
        line: Natural logarithm of what does not change.
        low: Natural logarithm of the other at the first point.
        high: The same at the second, > low.
        value_low: The field at the first point.
        value_high: The field at the second.
        index: Which quantity, by its position.
    """

    axis: int
    line: float
    low: float
    high: float
    value_low: float
    value_high: float
    index: int


def polish(
    program: FieldProgram, intervals: Sequence[Interval]
) -> tuple[
    Float[np.ndarray, " n_vertex"],
    Float[np.ndarray, " n_vertex"],
    Int[np.ndarray, " n_vertex"],
]:
    """Find where fields are zero, all intervals together.

    Args:
        program: Evaluates the fields.
        intervals: Where the zeros are.

    Returns:
        Natural logarithm of the root along each interval, the field there (nan where
        there is no root), and a `VertexStatus`.
    """
    axis = np.array([some.axis for some in intervals], dtype=int)
    line = np.array([some.line for some in intervals])
    index = np.array([some.index for some in intervals], dtype=int)
    low, high = (np.array([getattr(s, n) for s in intervals]) for n in ("low", "high"))
    at_low = np.array([some.value_low for some in intervals])
    at_high = np.array([some.value_high for some in intervals])
    root = low + (high - low) * at_low / (at_low - at_high)
    chord = root.copy()
    residual = np.full(len(intervals), np.nan)
    status = np.full(len(intervals), int(VertexStatus.JUMP))
    is_live = high - low > TOLERANCE
    is_low_near = np.abs(at_low) < np.abs(at_high)
    last, last_value = (
        np.where(is_low_near, *ends) for ends in ((low, high), (at_low, at_high))
    )
    width = np.full((2, len(intervals)), np.inf)  # one and two steps ago
    for _ in range(_MOST_STEPS):
        live = np.flatnonzero(is_live)
        if live.size == 0:
            break
        along, across = root[live], line[live]
        is_mass = axis[live] == 0
        places = np.stack(
            [np.where(is_mass, along, across), np.where(is_mass, across, along)], -1
        )
        values, slopes = program.evaluate(places)
        value, slope = (
            np.take_along_axis(some, index[live][:, None], axis=1)[:, 0]
            for some in (values, slopes)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            secant = (value - last_value[live]) / (along - last[live])
        slope = np.where(is_mass, secant, slope)
        last[live], last_value[live] = along, value
        is_failed = ~np.isfinite(value)
        status[live[is_failed]] = VertexStatus.UNPOLISHED
        root[live[is_failed]] = chord[live[is_failed]]
        is_root = np.abs(value) <= TOLERANCE
        done = live[is_root]
        residual[done] = value[is_root]
        status[done] = np.where(
            axis[done] == 0, VertexStatus.ALONG_MASS, VertexStatus.ALONG_COUPLING
        )
        is_low = (value > 0.0) == (at_low[live] > 0.0)
        low[live] = np.where(is_low, along, low[live])
        high[live] = np.where(is_low, high[live], along)
        now = high[live] - low[live]
        with np.errstate(divide="ignore", invalid="ignore"):
            step = along - value / slope
        is_inside = (step > low[live]) & (step < high[live])
        is_slow = now > 0.5 * width[1, live]
        middle = 0.5 * (low[live] + high[live])
        following = np.where(is_inside & ~is_slow, step, middle)
        width[1, live], width[0, live] = width[0, live], now
        is_over = is_failed | is_root | (now <= TOLERANCE)
        root[live] = np.where(is_failed | is_root, root[live], following)
        is_live[live[is_over]] = False
    return root, residual, status
