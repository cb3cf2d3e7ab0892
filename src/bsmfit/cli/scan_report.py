"""What ``bsmfit scan`` says of its result in the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["need_result", "report"]


def report(dataset: xr.Dataset, paths: list[Path]) -> None:
    """Print what is excluded, in each plane, and where the files are.

    Args:
        dataset: Result of a scan.
        paths: The files.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bsmfit.scan.further_axes import further_names, planes_of
    from bsmfit.scan.store import coupling_name, first_axis_name

    names, first = further_names(dataset), first_axis_name(dataset)
    unit = _unit(dataset, first)
    heading = f"{first} [{unit}]" if unit else first
    table = Table(*names, "limit", "islands", heading, "lowest", "highest")
    table.title = Text(f"{dataset.attrs['title']} ({coupling_name(dataset)})")
    texts: list[str] = []
    for values, plane in planes_of(dataset):
        words = ", ".join(f"{name} = {value:g}" for name, value in values.items())
        for quantity in ("observed", "expected"):
            shown = (f"{value:g}" for value in values.values())
            table.add_row(*shown, quantity, *_cells(plane, quantity, unit))
        start = f"{words}: " if words else ""
        texts += [f"{start}{text}" for text in (*_gain(plane), *_without_result(plane))]
    console = Console()
    console.print(table)
    for text in json.loads(dataset.attrs.get("caveats", "[]")):
        console.print(f"note: {text}", highlight=False, markup=False)
    if "contour_precision" in dataset.attrs:
        console.print(
            f"contours refined to {dataset.attrs['contour_precision']:g} in log10 of "
            f"the coupling: {dataset.attrs['n_evaluated']} points evaluated",
            highlight=False,
        )
    for text in texts:
        console.print(text, highlight=False, markup=False)
    for path in paths:
        console.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)


def need_result(dataset: xr.Dataset) -> None:
    """End with exit code 1 where there is no number.

    Args:
        dataset: Result of a scan.

    Raises:
        typer.Exit: No point has a result; it was said why.
    """
    from bsmfit.scan.scan_checks import has_result

    if not has_result(dataset):
        typer.echo("bsmfit: no point of the plane has a result", err=True)
        raise typer.Exit(1)


def _unit(dataset: xr.Dataset, axis: str) -> str:
    """The unit of an axis; nothing where it has none."""
    unit = str(dataset[axis].attrs.get("units", "1"))
    return "" if unit == "1" else unit


def _cells(plane: xr.Dataset, quantity: str, unit: str) -> list[str]:
    """Number of islands, masses and ends of what is excluded in a plane."""
    import numpy as np

    from bsmfit.scan.contour import coupling_edges, excluded_polygons

    edges = coupling_edges(plane, quantity)
    inside = np.isfinite(edges.lower)
    if not inside.any():
        return ["0", "nothing excluded", "-", "-"]
    lowest = int(np.nanargmin(edges.lower))
    highest = int(np.nanargmax(edges.upper))
    at_low, at_high = edges.mass[lowest], edges.mass[highest]
    return [
        str(len(excluded_polygons(plane, quantity))),
        f"{edges.mass[inside][0]:.4g} to {edges.mass[inside][-1]:.4g}",
        f"{edges.lower[lowest]:.3g} at {at_low:.3g} {unit}".rstrip(),
        f"{edges.upper[highest]:.3g} at {at_high:.3g} {unit}".rstrip(),
    ]


def _gain(dataset: xr.Dataset) -> list[str]:
    """Say what the combination excludes beyond the union of its searches."""
    from bsmfit.scan.contour import search_names
    from bsmfit.scan.excluded_area import combination_gain
    from bsmfit.scan.store import first_axis_name

    if not search_names(dataset):
        return []
    ratio = f"{combination_gain(dataset).ratio:.4g}"
    extent = "that" if ratio == "1" else f"{ratio} times that"
    return [
        f"combined by {dataset.attrs['ordering']}: the excluded area in the logarithms "
        f"of {first_axis_name(dataset)} and coupling is {extent} of the union of the "
        "single searches, which has no confidence level"
    ]


def _without_result(dataset: xr.Dataset) -> list[str]:
    """Say which masses nothing is said about, and how many points failed."""
    import numpy as np

    from bsmfit.scan.runner import Status
    from bsmfit.scan.store import first_axis_name

    first = first_axis_name(dataset)
    what, factor, unit = first, 1.0, f" {_unit(dataset, first)}".rstrip()
    if first == "mass":
        what, factor, unit = "masses", 1e3, " MeV"
    status = dataset["status"].values
    lines, is_closed = [], np.zeros(status.shape[0], bool)
    points = factor * dataset[first].values
    for code, words in (
        (Status.NO_SENSITIVITY, "no sensitivity"),
        (Status.EXCLUDED_MASS, "left out by the model"),
    ):
        is_such = np.all(status == code, axis=1)
        is_closed |= is_such
        if not is_such.any():
            continue
        edges = np.flatnonzero(np.diff(is_such, prepend=False, append=False))
        ranges = [
            f"{points[start]:.4g} to {points[after - 1]:.4g}{unit}"
            for start, after in zip(edges[::2], edges[1::2], strict=True)
        ]
        lines.append(
            f"{words}: {what} {', '.join(ranges)} ({int(is_such.sum())} of "
            f"{is_such.size}), not excluded"
        )
    counts = [
        f"{int((status[~is_closed] == code).sum())} {code.name.lower()}"
        for code in Status
        if code is not Status.OK and (status[~is_closed] == code).any()
    ]
    if not (dataset["n_signal"].values > 0.0).any():
        lines.append(
            "no event is expected at any point: the model makes nothing that these "
            "channels would see"
        )
    if counts:
        text = ", ".join(counts).replace("_", " ")
        lines.append(f"points without result, not excluded: {text}")
    return lines
