"""What the figure of one scan is made of: bands, region, lines.

All are drawn from the polygons and lines of `bsmfit.scan.contour`, so a figure shows
what the CSV file holds. A band is the difference of two sets of polygons: the rings of
the stronger limit and, turned round, those of the weaker one make one path, which is
filled where its winding number is not zero; islands and holes come out right.

From the bottom: bands; the excluded region, a veil through which they are seen; the
observed limit; single searches; the median expected limit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from bsmfit.plot.axes import first_axis_unit
from bsmfit.plot.mass_gaps import closing_lines
from bsmfit.scan.contour import contour_lines, excluded_polygons, search_names

__all__ = ["draw_results", "draw_scan"]

Dashes = str | tuple[int, tuple[int, ...]]

# Okabe and Ito (2008), distinct for all common kinds of colour vision
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_SINGLE_PALETTE = ("#009E73", "#D55E00", "#CC79A7", "#000000")
_DASHES: tuple[Dashes, ...] = ("-", "--", "-.", ":")
_SINGLE_DASHES: tuple[Dashes, ...] = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_OBSERVED = "#0072B2"
_EXPECTED = "#333333"
_BAND_TWO_SIGMA = "#DEDEDE"  # without colour: the veil is the only blue
_BAND_ONE_SIGMA = "#B4B4B4"
_VEIL = 0.28  # opacity of the excluded region: dark enough on white, light on a band
_SINGLE_WIDTH, _EXPECTED_WIDTH, _JOINT_WIDTH = 0.7, 0.9, 1.8  # [pt]


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
    unit = first_axis_unit(*datasets)[0]
    handles: list[Patch | Line2D] = []
    for i, (dataset, label) in enumerate(zip(datasets, labels, strict=True)):
        colour = _PALETTE[i % len(_PALETTE)]
        _fill(axes, _rings(dataset, "observed"), unit, color=colour, alpha=0.13)
        line = _draw_lines(axes, dataset, "observed", unit, label=label)
        line.set(color=colour, linestyle=_DASHES[i % len(_DASHES)])
        handles.append(line)
    return handles


def draw_scan(axes: Axes, dataset: xr.Dataset) -> list[Patch | Line2D]:
    """Draw observed region, observed and expected lines and bands on given axes.

    In the map of several searches, each of them alone is a thin line and their joint
    limit a bold one.

    Args:
        axes: Where to draw; the mass is in the unit of its label, set by the caller.
        dataset: Result of a scan.

    Returns:
        The artists for the legend, in its order.
    """
    unit = first_axis_unit(dataset)[0]
    bands = [_draw_band(axes, dataset, unit, n_sigma=n) for n in (1, 2)]
    region = _fill(
        axes,
        _rings(dataset, "observed"),
        unit,
        facecolor=_OBSERVED,
        alpha=_VEIL,
        zorder=2.0,
        label=f"Excluded at {100 * dataset.attrs['cl']:g} % CL",
    )
    singles = _draw_singles(axes, dataset, unit)
    label = "Observed, joint" if singles else "Observed"
    observed = _draw_lines(axes, dataset, "observed", unit, label=label)
    observed.set(color=_OBSERVED, zorder=3.0)
    if singles:
        observed.set_linewidth(_JOINT_WIDTH)
    expected = _draw_lines(axes, dataset, "expected", unit, label="Expected, median")
    # on top and thinner: both are seen where they agree
    expected.set(color=_EXPECTED, linestyle=(0, (4, 2)), linewidth=_EXPECTED_WIDTH)
    expected.set_zorder(4.0)
    return [observed, region, expected, *bands, *singles]


def _draw_band(
    axes: Axes, dataset: xr.Dataset, unit: float, *, n_sigma: int
) -> PathPatch:
    """Fill what lies between the expected limits of n standard deviations."""
    stronger = _rings(dataset, f"expected-{n_sigma}sigma")
    weaker = _rings(dataset, f"expected+{n_sigma}sigma")
    return _fill(
        axes,
        stronger + [ring[::-1] for ring in weaker],
        unit,
        facecolor=_BAND_ONE_SIGMA if n_sigma == 1 else _BAND_TWO_SIGMA,
        zorder=2.0 - 0.1 * n_sigma,
        label=rf"Expected $\pm{n_sigma}\sigma$",
    )


def _draw_singles(axes: Axes, dataset: xr.Dataset, unit: float) -> list[Line2D]:
    """Draw the observed exclusion of each search of several alone."""
    lines = []
    for i, name in enumerate(search_names(dataset)):
        line = _draw_lines(axes, dataset, "observed", unit, label=name, search=name)
        line.set(
            color=_SINGLE_PALETTE[i % len(_SINGLE_PALETTE)],
            linestyle=_SINGLE_DASHES[i % len(_SINGLE_DASHES)],
            linewidth=_SINGLE_WIDTH,
            zorder=3.5,
        )
        lines.append(line)
    return lines


def _rings(
    dataset: xr.Dataset, quantity: str, *, search: str | None = None
) -> list[np.ndarray]:
    """Return all rings, outer ones and holes, of what is excluded."""
    polygons = excluded_polygons(dataset, quantity, search=search)
    return [ring for polygon in polygons for ring in (polygon.outer, *polygon.holes)]


def _fill(
    axes: Axes, rings: list[Float[np.ndarray, "_ 2"]], unit: float, **style: object
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
    *,
    label: str,
    search: str | None = None,
) -> Line2D:
    """Draw all lines of a contour as one artist, broken by nan.

    That of an observed limit is closed where a gap in the sensitivity begins.
    """
    gap = np.full((1, 2), np.nan)
    lines = list(contour_lines(dataset, quantity, search=search))
    if quantity == "observed":
        rings = _rings(dataset, quantity, search=search)
        lines += closing_lines(dataset, rings, search=search)
    pieces = [part for line in lines for part in (line, gap)]
    vertices = np.concatenate(pieces) if pieces else gap
    (artist,) = axes.plot(vertices[:, 0] * unit, vertices[:, 1], label=label)
    return artist
