"""Excluded islands as a CSV file that a person and a plotting script can both read.

``#`` lines say what the contour is; then come closed rings, vertex by vertex:

    polygon_id, ring_id, mass_gev, <coupling>

or, in a plane of a further parameter at one mass, with its name in place of mass_gev:
`lifetime_ps`.

`ring_id` 0 is the outer ring of an island (counter-clockwise), 1 and up are its holes
(clockwise). Vertices are never sorted by mass: the regions excluded by a dump search
are islands, with two couplings or more at one mass.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from bsmfit.core.argument import file_path
from bsmfit.core.regular_file import read_regular
from bsmfit.errors import DataFileError
from bsmfit.scan.atomic import atomic_file
from bsmfit.scan.contour import Polygon, excluded_polygons
from bsmfit.scan.provenance import data_label
from bsmfit.scan.runner import Status
from bsmfit.scan.scan_checks import check_scan
from bsmfit.scan.store import coupling_name, first_axis_name
from bsmfit.scan.stored_contours import stored_quantities

__all__ = ["MAX_CONTOUR_BYTES", "ContourFile", "read_contour", "write_contour"]

MAX_CONTOUR_BYTES = 200_000_000
"""Largest contour that is read."""

_DIGEST = "# sha256 of the other lines:"
_COLUMNS = ("polygon_id", "ring_id")
_MASS = "mass_gev"


@dataclass(frozen=True)
class ContourFile:
    """What a contour file holds.

    Attributes:
        coupling_name: Name of the coupling, the last column.
        first_name: Name of the first axis, the last but one: ``"mass_gev"``.
        header: The ``#`` lines, key to value.
        polygons: The excluded islands.
    """

    coupling_name: str
    header: dict[str, str]
    polygons: tuple[Polygon, ...]
    first_name: str = _MASS


def write_contour(
    dataset: xr.Dataset,
    path: Path | str,
    *,
    quantity: str = "observed",
    search: str | None = None,
) -> None:
    """Write the excluded islands of a scan, whole or not at all.

    Args:
        dataset: Result of a scan.
        path: The CSV file.
        quantity: One of `bsmfit.scan.contour.QUANTITIES`.
        search: One of `bsmfit.scan.contour.search_names`, for the observed exclusion of
            that search alone; the joint one where None.

    Raises:
        OutputError: The file cannot be written.
        UnknownNameError: No such quantity or search.
        InputError: The expected exclusion of one search, or a dataset that is not the
            result of one scan.
    """
    path = file_path("path", path)
    check_scan(dataset)
    header = _header(dataset, quantity, search)
    lines = [f"# {key}: {value}" for key, value in header.items()]
    columns = (*_COLUMNS, _first_column(dataset), coupling_name(dataset))
    lines.append(",".join(columns))
    polygons = excluded_polygons(dataset, quantity, search=search)
    for polygon_id, polygon in enumerate(polygons):
        for ring_id, ring in enumerate((polygon.outer, *polygon.holes)):
            lines += [f"{polygon_id},{ring_id},{m:.12g},{g:.12g}" for m, g in ring]
    lines.insert(len(header), _digest_line(lines))
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_contour(path: Path | str) -> ContourFile:
    """Read what `write_contour` wrote.

    Args:
        path: The CSV file.

    Returns:
        Its header and its polygons.

    Raises:
        InputError: `path` is not a path.
        DataFileError: The file is missing, malformed, changed since it was
            written, or has a ring that is not closed.
    """
    path = file_path("path", path)
    lines = _lines(path)
    comments = [line[1:].partition(":") for line in lines if line.startswith("#")]
    header = {key.strip(): value.strip() for key, _, value in comments}
    table = [line.split(",") for line in lines if line and not line.startswith("#")]
    if not table or tuple(table[0][:2]) != _COLUMNS or len(table[0]) != 4:
        known = ", ".join((*_COLUMNS, _MASS))
        msg = f"{path}: the columns must be {known} (or a parameter) and the coupling"
        raise DataFileError(msg)
    rings: dict[int, dict[int, list[tuple[float, float]]]] = {}
    for number, row in enumerate(table[1:], start=1):
        try:
            polygon_id, ring_id = int(row[0]), int(row[1])
            vertex = (float(row[2]), float(row[3]))
        except (ValueError, IndexError) as error:
            msg = f"{path}: vertex {number} is malformed: {','.join(row)}"
            raise DataFileError(msg) from error
        if not all(0.0 < value < math.inf for value in vertex):
            msg = f"{path}: vertex {number} is not above 0 and finite: {','.join(row)}"
            raise DataFileError(msg)
        rings.setdefault(polygon_id, {}).setdefault(ring_id, []).append(vertex)
    polygons = tuple(_polygon(path, rings[key]) for key in sorted(rings))
    return ContourFile(table[0][3], header, polygons, table[0][2])


def _lines(path: Path) -> list[str]:
    """The lines of a text file."""
    content = read_regular(path, max_bytes=MAX_CONTOUR_BYTES)
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{path} cannot be read: byte {error.start} is not UTF-8 text"
        raise DataFileError(msg) from error
    kept = [line for line in lines if not line.startswith(_DIGEST)]
    if _digest_line(kept) not in lines:
        was = "changed after it was written" if len(kept) < len(lines) else "no digest"
        msg = (
            f"{path} has {was}, or was cut off: the SHA-256 of its lines is not in "
            f"its header; write it again from scan.nc with bsmfit.write_contour"
        )
        raise DataFileError(msg)
    return kept


def _digest_line(lines: list[str]) -> str:
    """The line with the digest of all others, whatever ends a line."""
    content = "\n".join(lines).encode()
    return f"{_DIGEST} {hashlib.sha256(content).hexdigest()}"


def _polygon(path: Path, rings: dict[int, list[tuple[float, float]]]) -> Polygon:
    """Put the rings of one island together."""
    arrays = [np.array(rings[key]) for key in sorted(rings)]
    if 0 not in rings or any((ring[0] != ring[-1]).any() for ring in arrays):
        msg = f"{path}: an island needs an outer ring (ring_id 0) and closed rings"
        raise DataFileError(msg)
    return Polygon(arrays[0], tuple(arrays[1:]))


def _first_column(dataset: xr.Dataset) -> str:
    """Name of the column of the first axis."""
    name = first_axis_name(dataset)
    return _MASS if name == "mass" else name


def _header(dataset: xr.Dataset, quantity: str, search: str | None) -> dict[str, str]:
    """Return what a reader must know about the contour."""
    attributes = dataset.attrs
    coupling = coupling_name(dataset)
    first = dataset[first_axis_name(dataset)]
    status = dataset["status"].values
    n_failed, n_closed = (status != 0).sum(), (status == Status.NO_SENSITIVITY).sum()
    closed = f", {n_closed} of them where no search has sensitivity" if n_closed else ""
    is_counted = "n_up_obs" in dataset and search is None
    condition = "n_signal > n_up" if is_counted else "CLs < 1 - cl"
    header = {
        "description": str(attributes["title"]),
        "label": data_label(dataset),
        "quantity": f"{quantity} limit: excluded where {condition}",
        "model": str(attributes["model"]),
        "preset": str(attributes["preset"]),
        "channels": " + ".join(json.loads(attributes["channels"])),
        "cl": f"{attributes['cl']:g}",
        "method": str(attributes["method"]),
        "ensemble": str(attributes["ensemble"]),
        "units": f"{_first_column(dataset)}: {first.attrs['units']}; "
        f"{coupling}: {dataset[coupling].attrs['units']}",
        "rings": "closed; ring_id 0 outer (counter-clockwise), others holes",
        "points": f"{status.size} in the plane, {n_failed} without result{closed}",
        "version": f"bsmfit {attributes['version']}",
        "inputs": str(attributes["inputs"]),
        "plan": str(attributes["plan_hash"]),
    }
    if "parameters" in attributes:
        header["parameters"] = str(attributes["parameters"])
    if first.name != "mass":
        header["mass"] = f"{float(dataset['mass']):g} GeV"
    if search is None and quantity in stored_quantities(dataset):
        header["points"] += f", {attributes['n_evaluated']} evaluated"
        header["precision"] = (
            f"{attributes['contour_precision']:g} in log10 of the coupling, or of the "
            "mass where the contour is steep"
        )
    if search is not None:
        header["search"] = f"{search} alone, of the channels above"
    for key in ("parameters", "profiled"):
        if key in attributes:
            header[key] = str(attributes[key])
    if "ordering" in attributes:
        header["ordering"] = str(attributes["ordering"])
    return header
