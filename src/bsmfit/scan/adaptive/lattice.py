r"""Cells of a plane that are halved where it matters, one side at a time.

A position on an axis is a whole number: $i\,2^{30}$ is point $i$ of the first grid, and
what lies between is at equal steps of the logarithm. A cell is a rectangle of two such
intervals. Cells that touch may be of different size: a corner of one lies on the side
of the other, and takes part in both, so that contours fit together without a gap.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float

__all__ = ["UNIT", "Cell", "Edge", "Lattice", "Place", "sides"]

UNIT = 2**30
"""Steps of an interval of the first grid."""

Place = tuple[int, int]
"""A point: positions along mass and coupling."""

Edge = tuple[Place, Place]
"""Two points next to each other on one line, in ascending order."""


@dataclass(frozen=True)
class Cell:
    """One rectangle.

    Attributes:
        low: Lower ends of both intervals.
        high: Upper ends.
    """

    low: Place
    high: Place

    def split(self, axis: int) -> tuple[Cell, Cell]:
        """Halve the cell.

        Args:
            axis: 0 for its masses, 1 for its couplings.

        Returns:
            Both halves, the lower one first.
        """
        middle = (self.low[axis] + self.high[axis]) // 2
        first, second = list(self.high), list(self.low)
        first[axis] = second[axis] = middle
        return (
            Cell(self.low, (first[0], first[1])),
            Cell((second[0], second[1]), self.high),
        )

    @property
    def home(self) -> Place:
        """The cell of the first grid that holds it."""
        return self.low[0] // UNIT, self.low[1] // UNIT

    def corners(self) -> tuple[Place, Place, Place, Place]:
        """Its corners, counter-clockwise from the lower left."""
        (x0, y0), (x1, y1) = self.low, self.high
        return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


@dataclass
class Lattice:
    """Cells, and the points at their corners.

    Attributes:
        axes: Natural logarithms of the points of the first grid, of both axes.
        values: Fields at each point; nan where there is no result.
        cells: The cells within each cell of the first grid.
    """

    axes: tuple[Float[np.ndarray, " n_mass"], Float[np.ndarray, " n_coupling"]]
    values: dict[Place, Float[np.ndarray, " n_quantity"]]
    cells: dict[Place, list[Cell]]
    _lines: tuple[dict[int, list[int]], dict[int, list[int]]] = field(repr=False)

    @classmethod
    def from_grid(
        cls,
        axes: tuple[Float[np.ndarray, " n_mass"], Float[np.ndarray, " n_coupling"]],
        values: Float[np.ndarray, "n_mass n_coupling n_quantity"],
    ) -> Lattice:
        """The cells of a first grid.

        Args:
            axes: Natural logarithms of its points.
            values: Fields there.

        Returns:
            The lattice.
        """
        n_mass, n_coupling = (len(axis) for axis in axes)
        columns, rows = ([i * UNIT for i in range(n)] for n in (n_mass, n_coupling))
        places = {
            (x, y): values[i, j]
            for i, x in enumerate(columns)
            for j, y in enumerate(rows)
        }
        cells = {
            (i, j): [Cell((x, y), (x + UNIT, y + UNIT))]
            for i, x in enumerate(columns[:-1])
            for j, y in enumerate(rows[:-1])
        }
        lines = (
            {x: list(rows) for x in columns},
            {y: list(columns) for y in rows},
        )
        return cls(axes, places, cells, lines)

    def coordinate(self, axis: int, position: int) -> float:
        """Natural logarithm at a position."""
        points = self.axes[axis]
        index, step = divmod(position, UNIT)
        if step == 0:
            return float(points[index])
        return float(points[index] + step / UNIT * (points[index + 1] - points[index]))

    def at(self, place: Place) -> tuple[float, float]:
        """Natural logarithms of mass and coupling at a point."""
        return self.coordinate(0, place[0]), self.coordinate(1, place[1])

    def size(self, cell: Cell) -> tuple[float, float]:
        """Natural logarithms of the ratios of the ends of a cell."""
        (x0, y0), (x1, y1) = self.at(cell.low), self.at(cell.high)
        return x1 - x0, y1 - y0

    def split(self, cell: Cell, axis: int) -> list[Place]:
        """Halve a cell.

        Args:
            cell: A cell of the lattice.
            axis: 0 for its masses, 1 for its couplings.

        Returns:
            Its new corners, whose values are still to be set.
        """
        home = self.cells[cell.home]
        home.remove(cell)
        low, high = cell.split(axis)
        home += [low, high]
        ends = set(low.corners()) & set(high.corners())
        return [place for place in sorted(ends) if place not in self.values]

    def add(self, place: Place, values: Float[np.ndarray, " n_quantity"]) -> None:
        """Set the values of a new point."""
        self.values[place] = values
        for axis in (0, 1):
            insort(self._lines[axis].setdefault(place[axis], []), place[1 - axis])

    def near(self, places: Iterable[Place]) -> set[Place]:
        """Cells of the first grid that touch some points."""
        found: set[Place] = set()
        for x, y in places:
            columns = {x // UNIT, -(-x // UNIT) - 1}
            rows = {y // UNIT, -(-y // UNIT) - 1}
            found |= {(i, j) for i in columns for j in rows if (i, j) in self.cells}
        return found

    def boundary(self, cell: Cell) -> list[Place]:
        """All points on the sides of a cell, counter-clockwise."""
        (x0, y0), (x1, y1) = cell.low, cell.high
        bottom = [(x, y0) for x in self._between(1, y0, x0, x1)]
        right = [(x1, y) for y in self._between(0, x1, y0, y1)]
        top = [(x, y1) for x in self._between(1, y1, x0, x1)]
        left = [(x0, y) for y in self._between(0, x0, y0, y1)]
        return [*bottom[:-1], *right[:-1], *top[:0:-1], *left[:0:-1]]

    def runs_near(self, axis: int, place: Place) -> list[tuple[int, int, int, int]]:
        """Runs of four points of a line whose inner two have a new point as an end."""
        points = self._lines[axis][place[axis]]
        k = bisect_left(points, place[1 - axis])
        runs = []
        for first in range(max(k - 3, 0), min(k + 1, len(points) - 3)):
            a, b, c, d = points[first : first + 4]
            runs.append((a, b, c, d))
        return runs

    def _between(self, axis: int, line: int, low: int, high: int) -> list[int]:
        """Positions of the points on a piece of a line, with both ends."""
        points = self._lines[axis][line]
        return points[bisect_left(points, low) : bisect_right(points, high)]


def sides(boundary: list[Place]) -> Iterator[tuple[Place, Place]]:
    """Pieces of a boundary between points next to each other, in its direction."""
    yield from pairwise([*boundary, boundary[0]])
