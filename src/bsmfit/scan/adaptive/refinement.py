r"""Refinement of contours: split cells until every chord is close to the contour.

    first grid --> cells that a contour crosses, or may cross unseen
      --> vertices polished --> is the contour within the precision of each chord?
      --> cells where it is not are halved --> again

A chord is accepted where the field changes its sign between two points at 3/4 of the
precision on either side of it, at one and at two thirds of its length: the contour is
bracketed, whatever its slope. The points lie along the coupling, or along the mass
where the chord is steep (more than one decade of coupling for a decade of mass).
Nothing below the size of the precision is split.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from bsmfit.scan.adaptive.field import FieldProgram
from bsmfit.scan.adaptive.guards import may_hide
from bsmfit.scan.adaptive.lattice import Cell, Edge, Lattice, Place
from bsmfit.scan.adaptive.polish import Interval, VertexStatus, polish
from bsmfit.scan.adaptive.rings import Piece, pieces_of_cell

__all__ = ["Refinement", "Vertex"]

_FRACTIONS = (1.0 / 3.0, 2.0 / 3.0)
_OFFSET = 0.75


@dataclass(frozen=True)
class Vertex:
    """A point of a contour.

    Attributes:
        place: Natural logarithms of mass [GeV] and coupling.
        residual: The field there; nan where it is not zero at any point.
        status: How the place is known.
    """

    place: tuple[float, float]
    residual: float
    status: VertexStatus


@dataclass
class Refinement:
    """Contours that are being refined, of all quantities together.

    Attributes:
        lattice: Cells and points.
        program: Evaluates the fields.
        precision: Natural logarithm of the ratio that a chord may be off.
        n_pass: Passes so far.
    """

    lattice: Lattice
    program: FieldProgram
    precision: float
    n_pass: int = 0
    _vertices: dict[tuple[Edge, int], Vertex] = field(default_factory=dict)
    _roots: dict[tuple[int, int, int], list[Vertex]] = field(default_factory=dict)
    _close: dict[tuple[Piece, int], bool] = field(default_factory=dict)

    @property
    def n_quantity(self) -> int:
        """Number of quantities."""
        return len(self.program.contour_field.quantities)

    def run(self) -> None:
        """Split cells until nothing is left to split."""
        lattice = self.lattice
        dirty = set(lattice.cells)
        new = list(lattice.values)
        while True:
            self.n_pass += 1
            splits = self._far_chords(dirty)
            for cell, axis in self._hidden(new):
                splits.setdefault(cell, axis)
            if not splits:
                return
            dirty = {cell.home for cell in splits}
            wanted: dict[Place, None] = {}
            for cell, axis in splits.items():
                wanted.update(dict.fromkeys(lattice.split(cell, axis)))
            new = list(wanted)
            places = np.array([lattice.at(place) for place in new]).reshape(-1, 2)
            found, _ = self.program.evaluate(places)
            for place, values in zip(new, found, strict=True):
                lattice.add(place, values)
            dirty |= lattice.near(new)

    def vertex(self, edge: Edge, index: int) -> Vertex:
        """A vertex of a ring.

        Args:
            edge: Its edge; one point twice at an end of the plane.
            index: Which quantity.

        Returns:
            The vertex.
        """
        if edge[0] == edge[1]:
            here = self.lattice.at(edge[0])
            return Vertex(here, np.nan, VertexStatus.AT_END)
        return self._vertices[edge, index]

    def polish_all(self, edges: Iterable[tuple[Edge, int]]) -> None:
        """Solve the vertices on edges that have none yet.

        Args:
            edges: Edges that a field crosses, and which one.
        """
        missing = []
        for edge, index in dict.fromkeys(edges):
            if edge[0] == edge[1] or (edge, index) in self._vertices:
                continue
            known = self._known_root(edge, index)
            if known is None:
                missing.append((edge, index))
            else:
                self._vertices[edge, index] = known
        intervals = [self._interval(edge, index) for edge, index in missing]
        found = zip(missing, intervals, *polish(self.program, intervals), strict=True)
        for (edge, index), some, root, residual, status in found:
            here = (root, some.line) if some.axis == 0 else (some.line, root)
            vertex = Vertex(
                (float(here[0]), float(here[1])), float(residual), VertexStatus(status)
            )
            self._vertices[edge, index] = vertex
            self._roots.setdefault(_line(edge, index), []).append(vertex)

    def _far_chords(self, dirty: set[Place]) -> dict[Cell, int]:
        """Cells whose chords are too far from the contour, and the side to halve."""
        crossed: list[tuple[Cell, int, list[Piece]]] = []
        splits: dict[Cell, int] = {}
        for home in sorted(dirty):
            for cell in self.lattice.cells[home]:
                axis = self._mask_axis(cell)
                if axis is not None:
                    splits[cell] = axis
                for index in range(self.n_quantity):
                    pieces = pieces_of_cell(self.lattice, cell, index)
                    if pieces:
                        crossed.append((cell, index, pieces))
        self.polish_all(
            (edge, index)
            for _, index, pieces in crossed
            for piece in pieces
            for edge in (piece.start, piece.end)
        )
        self._probe(crossed)
        for cell, index, pieces in crossed:
            size = self.lattice.size(cell)
            if len(pieces) > 1 and max(size) > self.precision:
                splits.setdefault(cell, int(size[1] > size[0]))
            elif min(size) > self.precision and not self._close[pieces[0], index]:
                start, end = self._ends(pieces[0], index)
                extent = np.abs(end - start)
                splits.setdefault(cell, int(extent[1] > extent[0]))
        return splits

    def _probe(self, crossed: list[tuple[Cell, int, list[Piece]]]) -> None:
        """Find out whether contours are within the precision of single chords."""
        asked: list[tuple[Piece, int]] = []
        places: list[Float[np.ndarray, "4 2"]] = []
        low, high = (
            np.array([axis[end] for axis in self.lattice.axes]) for end in (0, -1)
        )
        for cell, index, pieces in crossed:
            is_asked = len(pieces) > 1 or (pieces[0], index) in self._close
            if is_asked or min(self.lattice.size(cell)) <= self.precision:
                continue
            start, end = self._ends(pieces[0], index)
            steep = int(np.abs(end - start)[1] <= np.abs(end - start)[0])
            offset = np.zeros(2)
            offset[steep] = _OFFSET * self.precision
            middle = [start + part * (end - start) for part in _FRACTIONS]
            four = [at + side * offset for at in middle for side in (-1.0, 1.0)]
            asked.append((pieces[0], index))
            places.append(np.clip(four, low, high))
        if not asked:
            return
        values, _ = self.program.evaluate(np.concatenate(places))
        for k, (piece, index) in enumerate(asked):
            around = values[4 * k : 4 * k + 4, index].reshape(2, 2)
            differ = (around[:, 0] > 0.0) != (around[:, 1] > 0.0)
            is_close = bool(differ.all() and np.isfinite(around).all())
            self._close[piece, index] = is_close

    def _hidden(self, new: list[Place]) -> list[tuple[Cell, int]]:
        """Cells that a contour may cross between points of the same sign."""
        lattice = self.lattice
        runs: dict[tuple[int, int, tuple[int, int, int, int]], None] = {}
        for place in new:
            for axis in (0, 1):
                found = lattice.runs_near(axis, place)
                runs.update(dict.fromkeys((axis, place[axis], run) for run in found))
        if not runs:
            return []
        position = np.array(
            [[lattice.coordinate(1 - axis, p) for p in run] for axis, _, run in runs]
        )
        value = np.array(
            [
                [lattice.values[(line, p) if axis == 0 else (p, line)] for p in run]
                for axis, line, run in runs
            ]
        )
        is_hit = np.any(
            [may_hide(position, value[..., k]) for k in range(self.n_quantity)], axis=0
        )
        splits = []
        for k, (axis, line, run) in enumerate(runs):
            if not is_hit[k]:
                continue
            ends = [(line, p) if axis == 0 else (p, line) for p in run[1:3]]
            cell = self._cell_of_side(ends[0], ends[1])
            if cell and lattice.size(cell)[1 - axis] > self.precision:
                splits.append((cell, 1 - axis))
        return splits

    def _cell_of_side(self, first: Place, second: Place) -> Cell | None:
        """A cell with this side."""
        homes = self.lattice.near([first]) & self.lattice.near([second])
        for home in sorted(homes):
            for cell in self.lattice.cells[home]:
                corners = cell.corners()
                if first in corners and second in corners:
                    return cell
        return None

    def _mask_axis(self, cell: Cell) -> int | None:
        """The side to halve where an excluded region meets points without result."""
        values = np.array([self.lattice.values[p] for p in cell.corners()])
        is_known = [bool(np.isfinite(some).all()) for some in values]
        if all(is_known) or not np.any(values[is_known] > 0.0):
            return None
        axis = int(is_known[0] == is_known[1] and is_known[2] == is_known[3])
        return axis if self.lattice.size(cell)[axis] > self.precision else None

    def _ends(
        self, piece: Piece, index: int
    ) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]:
        """Both ends of a chord."""
        ends = (self.vertex(edge, index).place for edge in (piece.start, piece.end))
        start, end = (np.array(place) for place in ends)
        return start, end

    def _interval(self, edge: Edge, index: int) -> Interval:
        """The points around a root."""
        axis = _axis(edge)
        start, end = (self.lattice.at(place) for place in edge)
        return Interval(
            axis=axis,
            line=start[1 - axis],
            low=start[axis],
            high=end[axis],
            value_low=float(self.lattice.values[edge[0]][index]),
            value_high=float(self.lattice.values[edge[1]][index]),
            index=index,
        )

    def _known_root(self, edge: Edge, index: int) -> Vertex | None:
        """A root that was found on a longer edge, where it lies on this one."""
        axis = _axis(edge)
        start, end = (self.lattice.at(place)[axis] for place in edge)
        known = self._roots.get(_line(edge, index), ())
        on_it = [v for v in known if start < v.place[axis] < end]
        is_root = len(on_it) == 1 and on_it[0].status is not VertexStatus.UNPOLISHED
        return on_it[0] if is_root else None


def _axis(edge: Edge) -> int:
    """What changes along an edge: 0 for the mass, 1 for the coupling."""
    return int(edge[0][0] == edge[1][0])


def _line(edge: Edge, index: int) -> tuple[int, int, int]:
    """The line of an edge, for one quantity."""
    axis = _axis(edge)
    return axis, edge[0][1 - axis], index
