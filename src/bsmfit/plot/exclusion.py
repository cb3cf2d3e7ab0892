"""Exclusion figures of scans, for print.

The excluded region, the line of the observed limit, the median expected limit and its
bands are all drawn from the polygons and lines of `bsmfit.scan.contour`, so a figure
shows what the CSV file holds. A band is the difference of two sets of polygons: the
rings of the stronger limit and, turned round, those of the weaker one make one path,
which is filled where its winding number is not zero; islands and holes come out right.

    dataset --contour--> rings --> patches, lines --> png | pdf

No pyplot: a figure belongs to its caller and nothing global changes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path as FilePath

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from bsmfit.core.argument import file_path, instance, instances
from bsmfit.errors import InputError
from bsmfit.plot.axes import finish_axes, mass_unit, new_figure, paper_style
from bsmfit.plot.mass_gaps import closing_lines, draw_gaps
from bsmfit.plot.published import PublishedContour, published_contours
from bsmfit.scan.atomic import atomic_file
from bsmfit.scan.contour import Polygon, contour_lines, excluded_polygons
from bsmfit.scan.scan_checks import check_scan
from bsmfit.scan.store import coupling_name

__all__ = [
    "PublishedContour",
    "comparison_figure",
    "draw_results",
    "draw_scan",
    "exclusion_figure",
    "plot_exclusion",
    "published_contours",
    "save_figure",
]

# Okabe and Ito (2008), distinct for all common kinds of colour vision
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_OBSERVED = "#0072B2"
_REGION = "#D3E5F1"
_EXPECTED = "#6B3D00"
_BAND_TWO_SIGMA = "#FBE0AE"
_BAND_ONE_SIGMA = "#EFB040"
_PUBLISHED = "#000000"
SUFFIXES = (".png", ".pdf")
"""Endings of figures."""
_LONGEST_TITLE = 55  # characters of a line above a figure of one column


def plot_exclusion(
    dataset: xr.Dataset,
    *paths: FilePath | str,
    published: Sequence[PublishedContour] | None = None,
    width_inch: float = 3.4,
) -> Figure:
    """Draw the figure of one scan and save it.

    Args:
        dataset: Result of a scan.
        *paths: Files to write, ``.png`` or ``.pdf``; none for the figure alone.
        published: Published contours to compare with; those of the scan's channels
            that are shipped and belong to its model where None.
        width_inch: Width of the figure [in], 1 to 100: 3.4 for a column, 6 for a page.

    Returns:
        The figure.

    Raises:
        InputError: The dataset is not the result of one scan, a path does not end in
            .png or .pdf, or a contour or width that is none.
        OutputError: A file cannot be written.

    Examples:
        >>> plot_exclusion(result, "contour.png", "contour.pdf")  # doctest: +SKIP
    """
    files = [file_path("path", path, suffixes=SUFFIXES) for path in paths]
    check_scan(dataset)
    shown = published_contours(dataset) if published is None else published
    figure = exclusion_figure(dataset, shown, width_inch=width_inch)
    for path in files:
        save_figure(figure, path)
    return figure


def exclusion_figure(
    dataset: xr.Dataset,
    published: Sequence[PublishedContour] = (),
    *,
    width_inch: float = 3.4,
) -> Figure:
    """Draw the figure of one scan: observed, expected, bands, published points.

    Args:
        dataset: Result of a scan.
        published: Published contours to compare with.
        width_inch: Width of the figure [in]: 3.4 for a column, 6 for a page.

    Returns:
        The figure, to be saved by `save_figure`.
    """
    check_scan(dataset)
    hint = "give what bsmfit.plot.published.published_contours returned"
    overlaid = instances("published", published, PublishedContour, hint=hint)
    with paper_style():
        figure, axes = new_figure(width_inch)
        handles = draw_scan(axes, dataset)
        for contour in overlaid:
            (line,) = axes.plot(
                contour.mass * mass_unit(dataset)[0],
                contour.coupling,
                linestyle="none",
                marker=".",
                markeredgewidth=0.0,
                color=_PUBLISHED,
                label=contour.source,
                zorder=5,
            )
            handles.append(line)
        handles += draw_gaps(axes, [dataset])
        finish_axes(axes, [dataset], handles, title=_title(dataset))
    return figure


def comparison_figure(
    datasets: Sequence[xr.Dataset],
    labels: Sequence[str],
    *,
    width_inch: float = 3.4,
) -> Figure:
    """Draw the figure of several observed exclusions.

    Args:
        datasets: Results of scans, at least one, in the same coupling.
        labels: One entry of the legend for each.
        width_inch: Width of the figure [in].

    Returns:
        The figure.

    Raises:
        InputError: No scan, scans of different couplings, or not one label for each.
    """
    _check_comparison(datasets, labels)
    with paper_style():
        figure, axes = new_figure(width_inch)
        handles = draw_results(axes, datasets, labels)
        handles += draw_gaps(axes, datasets)
        levels = sorted({f"{100 * dataset.attrs['cl']:g}" for dataset in datasets})
        title = f"NA62 data, bsmfit reinterpretation, {' and '.join(levels)} % CL"
        finish_axes(axes, datasets, handles, title=title)
    return figure


def draw_results(
    axes: Axes, datasets: Sequence[xr.Dataset], labels: Sequence[str]
) -> list[Patch | Line2D]:
    """Draw the observed exclusions of several scans on given axes.

    Args:
        axes: Where to draw.
        datasets: Results of scans, in the same coupling.
        labels: One entry of the legend for each.

    Returns:
        The artists for the legend.
    """
    unit = mass_unit(*datasets)[0]
    handles: list[Patch | Line2D] = []
    for i, (dataset, label) in enumerate(zip(datasets, labels, strict=True)):
        colour = _PALETTE[i % len(_PALETTE)]
        dashes = ("-", "--", "-.", ":")[i % 4]
        _fill(axes, _rings(dataset, "observed"), unit, color=colour, alpha=0.13)
        handles.append(
            _draw_lines(axes, dataset, "observed", unit, colour, dashes, label)
        )
    return handles


def draw_scan(axes: Axes, dataset: xr.Dataset) -> list[Patch | Line2D]:
    """Draw observed region, observed and expected lines and bands on given axes.

    Args:
        axes: Where to draw; the mass is in the unit of its label, set by the caller.
        dataset: Result of a scan.

    Returns:
        The artists for the legend, in its order.
    """
    unit = mass_unit(dataset)[0]
    cl = f"{100 * dataset.attrs['cl']:g} % CL"
    region = _fill(axes, _rings(dataset, "observed"), unit, color=_REGION, zorder=1.0)
    region.set_label(f"Excluded at {cl}")
    bands = []
    for n_sigma, colour in ((2, _BAND_TWO_SIGMA), (1, _BAND_ONE_SIGMA)):
        stronger = _rings(dataset, f"expected-{n_sigma}sigma")
        weaker = _rings(dataset, f"expected+{n_sigma}sigma")
        rings = stronger + [ring[::-1] for ring in weaker]
        band = _fill(axes, rings, unit, color=colour, zorder=2.0 - 0.1 * n_sigma)
        band.set_label(rf"Expected $\pm{n_sigma}\sigma$")
        bands.append(band)
    expected = _draw_lines(
        axes, dataset, "expected", unit, _EXPECTED, (0, (4, 2)), "Expected, median"
    )
    observed = _draw_lines(axes, dataset, "observed", unit, _OBSERVED, "-", "Observed")
    expected.set_zorder(4)  # on top and thinner: both are seen where they agree
    expected.set_linewidth(0.75 * observed.get_linewidth())
    return [observed, region, expected, bands[1], bands[0]]


def save_figure(figure: Figure, path: FilePath | str) -> None:
    """Save a figure as png (300 dpi) or pdf, whole or not at all.

    Args:
        figure: The figure.
        path: The file; its ending says which.

    Raises:
        InputError: It is no figure, or the path ends otherwise.
        OutputError: It cannot be written.
    """
    path = file_path("path", path, suffixes=SUFFIXES)
    instance("figure", figure, Figure, hint="make one with plot_exclusion")
    kind = path.suffix[1:].lower()
    metadata = {"CreationDate": None} if kind == "pdf" else None
    with paper_style(), atomic_file(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=metadata)


def _check_comparison(datasets: object, labels: object) -> None:
    """Refuse what cannot be drawn on the same axes."""
    hint = "give what bsmfit.scan_plane or bsmfit.read_scan returned"
    scans = instances("datasets", datasets, xr.Dataset, hint=hint)
    names = instances("labels", labels, str, hint="write one for each dataset")
    couplings = {
        coupling_name(check_scan(scan, f"datasets[{index}]"))
        for index, scan in enumerate(scans)
    }
    if not scans or len(scans) != len(names) or len(couplings) > 1:
        msg = (
            f"{len(scans)} datasets of the couplings {', '.join(sorted(couplings))} "
            f"and {len(names)} labels: give one scan or more of the same coupling, "
            "and one label for each"
        )
        raise InputError(msg)


def _rings(dataset: xr.Dataset, quantity: str) -> list[np.ndarray]:
    """Return all rings, outer ones and holes, of what is excluded."""
    polygons: tuple[Polygon, ...] = excluded_polygons(dataset, quantity)
    return [ring for polygon in polygons for ring in (polygon.outer, *polygon.holes)]


def _fill(
    axes: Axes, rings: list[np.ndarray], unit: float, **style: object
) -> PathPatch:
    """Fill rings by their winding number."""
    scale = np.array([unit, 1.0])
    paths = [Path(ring * scale, closed=True) for ring in rings]
    path = Path.make_compound_path(*paths) if paths else Path(np.empty((0, 2)))
    patch = PathPatch(path, **({"linewidth": 0.0} | style))  # pyright: ignore[reportArgumentType]
    axes.add_patch(patch)
    return patch


def _draw_lines(
    axes: Axes,
    dataset: xr.Dataset,
    quantity: str,
    unit: float,
    colour: str,
    dashes: str | tuple[int, tuple[int, ...]],
    label: str,
) -> Line2D:
    """Draw all lines of a contour as one artist, broken by nan.

    That of the observed limit is closed where a gap in the sensitivity begins.
    """
    gap = np.full((1, 2), np.nan)
    lines = list(contour_lines(dataset, quantity))
    if quantity == "observed":
        lines += closing_lines(dataset, _rings(dataset, quantity))
    pieces = [part for line in lines for part in (line, gap)]
    vertices = np.concatenate(pieces) if pieces else gap
    (artist,) = axes.plot(
        vertices[:, 0] * unit,
        vertices[:, 1],
        color=colour,
        linestyle=dashes,
        label=label,
        zorder=3,
    )
    return artist


def _title(dataset: xr.Dataset) -> str:
    """Say what the figure shows and on whose authority; at most two names a line."""
    attributes = dataset.attrs
    channels = json.loads(attributes["channels"])
    preset = "" if attributes["preset"] == "default" else f" ({attributes['preset']})"
    lines = [" + ".join(channels[i : i + 2]) for i in range(0, len(channels), 2)]
    first = f"{attributes['model']}{preset}"
    joined = f"{first}, {lines[0]}"
    is_short = len(lines) == 1 and len(joined) <= _LONGEST_TITLE
    return "\n".join(
        ["NA62 data, bsmfit reinterpretation"]
        + ([joined] if is_short else [f"{first},", *lines])
    )
