"""Exclusion figures of scans, for print.

    dataset --contour--> rings --bsmfit.plot.layers--> patches, lines --> png | pdf

No pyplot: a figure belongs to its caller and nothing global changes.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from bsmfit.core.argument import file_path, instance, instances
from bsmfit.errors import InputError
from bsmfit.plot.axes import (
    finish_axes,
    first_axis_unit,
    new_figure,
    paper_style,
    parameter_words,
)
from bsmfit.plot.layers import draw_results, draw_scan
from bsmfit.plot.mass_gaps import draw_gaps
from bsmfit.plot.published import PublishedContour, published_contours
from bsmfit.scan.atomic import atomic_file
from bsmfit.scan.contour import search_names
from bsmfit.scan.provenance import data_label
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

_PUBLISHED = "#000000"
SUFFIXES = (".png", ".pdf")
"""Endings of figures."""
_ORDERINGS = {"sum": "the sum of counts"}
_LEVEL_TOGETHER = "at \\1 % CL".replace(" ", "\N{NO-BREAK SPACE}")
_TITLE_CHARACTERS = 17  # characters of a title line for each inch of a figure


def plot_exclusion(
    dataset: xr.Dataset,
    *paths: Path | str,
    published: Sequence[PublishedContour] | None = None,
    width_inch: float = 3.4,
) -> Figure:
    """Draw the figure of one scan and save it.

    Args:
        dataset: Result of a scan.
        *paths: Files to write, ``.png`` or ``.pdf``; none for the figure alone.
        published: Published contours to compare with; those of the scan's channels
            that are shipped and belong to its model where None.
        width_inch: Width of the figure [in]: 3.4 for a column, 6 for a page.

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
                contour.mass * first_axis_unit(dataset)[0],
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
        finish_axes(axes, [dataset], handles, title=_title(dataset, width_inch))
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
        texts = [f"{data_label(*datasets)}, {' and '.join(levels)} % CL"]
        title = _wrapped(texts, width_inch)
        finish_axes(axes, datasets, handles, title=title)
    return figure


def save_figure(figure: Figure, path: Path | str) -> None:
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


def _title(dataset: xr.Dataset, width_inch: float) -> str:
    """Say what the figure shows and on whose authority."""
    attributes = dataset.attrs
    preset = attributes["preset"]
    label = data_label(dataset)
    texts = [label if preset == "default" else f"{label} ({preset})"]
    texts.append(str(attributes["title"]))
    values = parameter_words(dataset)
    if values:
        texts.append(values)
    ordering = attributes.get("ordering", "likelihood-ratio")
    if search_names(dataset) and ordering not in ("likelihood-ratio", "count"):
        by = _ORDERINGS.get(ordering, ordering)
        texts.append(f"Ordered by {by}, not the likelihood ratio")
    return _wrapped(texts, width_inch)


def _wrapped(texts: Sequence[str], width_inch: float) -> str:
    """Break each text into lines that fit above a figure."""
    width = int(_TITLE_CHARACTERS * width_inch)
    kept = [re.sub(r"at (\S+) % CL", _LEVEL_TOGETHER, text) for text in texts]
    return "\n".join(
        line
        for text in kept
        for line in textwrap.wrap(text, width, break_on_hyphens=False)
    )
