"""Rings of an excluded region, from the cells of a lattice.

Around each cell, counter-clockwise, a field goes in and out of the excluded region. The
contour joins where it comes out to where it went in, and has the region on its left.
Where a cell has no neighbour, since the plane ends there or a point has no result, the
region is closed along its side. Pieces meet on the sides of cells, so that all of them
join to closed rings: outer ones run counter-clockwise, holes clockwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bsmfit.scan.adaptive.lattice import Cell, Edge, Lattice, Place, sides

__all__ = [
    "Piece",
    "Ring",
    "Vertex",
    "crossings",
    "nest",
    "pieces_of_cell",
    "rings_of_region",
    "signed_area",
]

Vertex = Edge
"""A vertex on an edge; a point of the lattice where both its ends are the same."""


@dataclass(frozen=True)
class Piece:
    """A straight piece of a contour through one cell.

    Attributes:
        start: The edge where it begins.
        end: The edge where it ends; the excluded region is on the left.
    """

    start: Vertex
    end: Vertex


@dataclass(frozen=True)
class Ring:
    """A closed ring.

    Attributes:
        vertices: The vertices, in order, the first one not repeated.
        is_contour: Whether the piece from each vertex to the next is on the contour,
            not along an end of the plane.
    """

    vertices: tuple[Vertex, ...]
    is_contour: Bool[np.ndarray, " n_vertex"]


def crossings(
    lattice: Lattice, boundary: list[Place], index: int
) -> list[tuple[Vertex, bool]]:
    """Where the boundary of a cell crosses a contour.

    Args:
        lattice: The points.
        boundary: The points around the cell, counter-clockwise.
        index: Which quantity.

    Returns:
        The edges, and whether the boundary comes into the excluded region there.
    """
    found = []
    for first, second in sides(boundary):
        is_in = bool(lattice.values[first][index] > 0.0)
        goes_in = bool(lattice.values[second][index] > 0.0)
        if is_in != goes_in:
            found.append(((min(first, second), max(first, second)), goes_in))
    return found


def pieces_of_cell(lattice: Lattice, cell: Cell, index: int) -> list[Piece]:
    """The contour within one cell.

    Where it crosses the cell more than once, parts of the region are joined in the
    middle where the mean over the corners is above 0.

    Args:
        lattice: The points.
        cell: One of its cells.
        index: Which quantity.

    Returns:
        Pieces; none where a point on its boundary has no result.
    """
    boundary = lattice.boundary(cell)
    if not all(np.isfinite(lattice.values[place][index]) for place in boundary):
        return []
    found = crossings(lattice, boundary, index)
    if not found:
        return []
    if not found[0][1]:
        found = [*found[1:], found[0]]
    entries = [edge for edge, goes_in in found if goes_in]
    exits = [edge for edge, goes_in in found if not goes_in]
    middle = np.mean([lattice.values[place][index] for place in cell.corners()])
    if middle > 0.0:
        entries = [*entries[1:], entries[0]]
    return [Piece(*ends) for ends in zip(exits, entries, strict=True)]


def rings_of_region(lattice: Lattice, index: int) -> list[Ring]:
    """Trace all rings of the region where a field is above 0.

    Args:
        lattice: Cells and points.
        index: Which quantity.

    Returns:
        The rings.
    """
    following: dict[Vertex, list[tuple[Vertex, bool]]] = {}
    outer_sides: dict[tuple[Place, Place], None] = {}
    values = lattice.values
    for cells in lattice.cells.values():
        for cell in cells:
            corners = [values[place][index] for place in cell.corners()]
            if not np.isfinite(corners).all():
                continue
            boundary = lattice.boundary(cell)
            around = [values[place][index] for place in boundary]
            if max(around) <= 0.0 or not np.isfinite(around).all():
                continue
            for piece in pieces_of_cell(lattice, cell, index):
                following.setdefault(piece.start, []).append((piece.end, True))
            for first, second in sides(boundary):
                if max(values[first][index], values[second][index]) <= 0.0:
                    continue
                if (second, first) in outer_sides:
                    del outer_sides[second, first]
                else:
                    outer_sides[first, second] = None
    for first, second in outer_sides:
        edge = (min(first, second), max(first, second))
        start = (first, first) if values[first][index] > 0.0 else edge
        end = (second, second) if values[second][index] > 0.0 else edge
        following.setdefault(start, []).append((end, False))
    return _joined(following)


def signed_area(ring: Float[np.ndarray, "n_vertex 2"]) -> float:
    """Area within a ring, above 0 where it runs counter-clockwise."""
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def nest(
    rings: Iterable[Float[np.ndarray, "_ 2"]],
) -> list[tuple[int, list[int]]]:
    """Find the outer ring that each hole belongs to.

    Args:
        rings: Rings in a plane, those around holes clockwise.

    Returns:
        For each outer ring, its index and those of its holes.
    """
    all_rings = list(rings)
    areas = [signed_area(ring) for ring in all_rings]
    outer = sorted((i for i, a in enumerate(areas) if a > 0.0), key=lambda i: areas[i])
    holes: dict[int, list[int]] = {i: [] for i in outer}
    for i, area in enumerate(areas):
        if area >= 0.0:
            continue
        home = next((k for k in outer if _contains(all_rings[k], all_rings[i])), None)
        if home is not None:
            holes[home].append(i)
    return [(i, holes[i]) for i in sorted(outer)]


def _contains(outer: Float[np.ndarray, "_ 2"], inner: Float[np.ndarray, "_ 2"]) -> bool:
    """Whether one ring is within another, by most of its vertices."""
    x, y = outer.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    n_inside = 0
    for at_x, at_y in inner:
        is_across = (y > at_y) != (next_y > at_y)
        with np.errstate(divide="ignore", invalid="ignore"):
            where = x + (at_y - y) / (next_y - y) * (next_x - x)
        n_inside += int(np.sum(is_across & (at_x < where)) % 2)
    return 2 * n_inside > len(inner)


def _joined(following: dict[Vertex, list[tuple[Vertex, bool]]]) -> list[Ring]:
    """Join directed pieces to closed rings."""
    rings = []
    while following:
        start = next(iter(following))
        vertices, flags, here = [], [], start
        while True:
            ways = following[here]
            there, is_contour = ways.pop()
            if not ways:
                del following[here]
            vertices.append(here)
            flags.append(is_contour)
            here = there
            if here == start:
                break
        rings.append(Ring(tuple(vertices), np.array(flags)))
    return rings
