"""Refined contours inside the dataset of a scan.

A scan whose contours were refined holds their vertices beside its grid, so that
figures, files and areas have the precision asked for. Variables along ``vertex``:

    contour_index, contour_polygon, contour_ring, contour_mass, contour_coupling,
    contour_status, contour_residual

and the names of the quantities in the coordinate ``contour``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from bsmfit.errors import InputError

__all__ = [
    "AT_END",
    "REFINED_ATTRIBUTES",
    "StoredRing",
    "plane_of",
    "stored_quantities",
    "stored_rings",
    "with_rings",
    "without_contours",
]

AT_END = 4
"""Status of a vertex that is no part of the contour: it closes a ring at the end of the
plane, or of what the model and the searches say."""

_PLANE = "contour_plane"

REFINED_ATTRIBUTES = (
    _PLANE,
    "contour_precision",
    "n_evaluated",
    "n_evaluated_grid",
)
"""Attributes that speak of refined contours."""


@dataclass(frozen=True)
class StoredRing:
    """One ring of a refined contour.

    Attributes:
        polygon: Number of its island.
        number: 0 for the outer ring (counter-clockwise), 1 and up for holes.
        vertices: Masses [GeV] and couplings; the first vertex is repeated at the end.
        status: A `bsmfit.scan.adaptive.polish.VertexStatus` each.
        residual: The field at each; nan where it is not known to be zero.
    """

    polygon: int
    number: int
    vertices: Float[np.ndarray, "n_vertex 2"]
    status: Int[np.ndarray, " n_vertex"]
    residual: Float[np.ndarray, " n_vertex"]


def plane_of(dataset: xr.Dataset) -> str:
    """What identifies the grid that contours belong to: its ends and its size.

    Args:
        dataset: Result of a scan.

    Returns:
        JSON text.
    """
    axes = [dataset[str(dim)].values for dim in dataset["n_signal"].dims]
    return json.dumps([[float(a[0]), float(a[-1]), int(a.size)] for a in axes])


def stored_quantities(dataset: xr.Dataset) -> tuple[str, ...]:
    """Quantities whose refined contours a scan holds.

    Args:
        dataset: Result of a scan.

    Returns:
        Their names; none for a scan whose contours were not refined.
    """
    if "contour" not in dataset.coords or "contour_mass" not in dataset:
        return ()
    return tuple(str(name) for name in dataset["contour"].values)


def stored_rings(dataset: xr.Dataset, quantity: str) -> list[StoredRing] | None:
    """Rings of a refined contour.

    Args:
        dataset: Result of a scan.
        quantity: One of `bsmfit.scan.contour.QUANTITIES`.

    Returns:
        The rings, island by island, outer rings first; None where the contour of this
        quantity was not refined.

    Raises:
        InputError: The grid was cut since its contours were refined.
    """
    names = stored_quantities(dataset)
    if quantity not in names:
        return None
    if dataset.attrs.get(_PLANE) != plane_of(dataset):
        msg = (
            "the plane was cut since its contours were refined, and they are those of "
            'the whole; select no part of it, or drop them, dataset.drop_dims("vertex")'
        )
        raise InputError(msg)
    names_of = ("polygon", "ring", "mass", "coupling", "status", "residual")
    columns = {name: dataset[f"contour_{name}"].values for name in names_of}
    mine = np.flatnonzero(dataset["contour_index"].values == names.index(quantity))
    rings = []
    keys = list(zip(columns["polygon"][mine], columns["ring"][mine], strict=True))
    for polygon, ring in dict.fromkeys(keys):
        is_its = [key == (polygon, ring) for key in keys]
        at = mine[is_its]
        vertices = np.stack([columns["mass"][at], columns["coupling"][at]], axis=-1)
        rings.append(
            StoredRing(
                int(polygon),
                int(ring),
                vertices,
                columns["status"][at].astype(int),
                columns["residual"][at],
            )
        )
    return rings


def with_rings(
    dataset: xr.Dataset, rings: Sequence[Sequence[StoredRing]], names: Sequence[str]
) -> xr.Dataset:
    """Put rings into a dataset.

    Args:
        dataset: Result of a scan.
        rings: The rings of each quantity.
        names: Names of the quantities.

    Returns:
        A dataset that holds them.
    """
    pairs = [(index, ring) for index, some in enumerate(rings) for ring in some]
    sizes = [len(ring.vertices) for _, ring in pairs]
    vertices = np.concatenate(
        [ring.vertices for _, ring in pairs] or [np.empty((0, 2))]
    )
    long_names = {
        "contour_index": ("which contour", [index for index, _ in pairs]),
        "contour_polygon": ("number of the island", [r.polygon for _, r in pairs]),
        "contour_ring": ("0 outer ring, others holes", [r.number for _, r in pairs]),
    }
    variables: dict[str, tuple[str, np.ndarray, Any]] = {
        name: (
            "vertex",
            np.repeat(np.array(numbers, dtype=np.int32), sizes),
            {"long_name": text, "units": "1"},
        )
        for name, (text, numbers) in long_names.items()
    }
    coupling = dataset[str(dataset["n_signal"].dims[1])]
    for k, (name, unit) in enumerate(
        (("mass", "GeV"), ("coupling", str(coupling.attrs.get("units", "1"))))
    ):
        attributes = {"long_name": f"{name} of a vertex", "units": unit}
        variables[f"contour_{name}"] = ("vertex", vertices[:, k], attributes)
    status = np.concatenate([r.status for _, r in pairs] or [np.empty(0)])
    variables["contour_status"] = (
        "vertex",
        status.astype(np.int8),
        {
            "long_name": "how the vertex is known",
            "flag_values": np.arange(AT_END + 1, dtype=np.int8),
            "flag_meanings": "along_coupling along_mass jump unpolished at_end",
        },
    )
    residual = np.concatenate([r.residual for _, r in pairs] or [np.empty(0)])
    text = "ln(N/N_up), or ln(ln CLs / ln(1 - cl)) of several regions, at the vertex"
    attributes = {"long_name": text, "units": "1"}
    variables["contour_residual"] = ("vertex", residual, attributes)
    held = dataset.assign(variables).assign_coords(contour=list(names))
    return held.assign_attrs({_PLANE: plane_of(dataset)})


def without_contours(dataset: xr.Dataset) -> xr.Dataset:
    """The scan without refined contours.

    Args:
        dataset: Result of a scan.

    Returns:
        Its grid alone.
    """
    names = [name for name in ("vertex", "contour") if name in dataset.dims]
    grid = dataset.drop_dims(names)
    grid.attrs = {k: v for k, v in grid.attrs.items() if k not in REFINED_ATTRIBUTES}
    return grid
