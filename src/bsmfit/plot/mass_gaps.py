"""Masses at which no search of a figure says anything.

A point without sensitivity, or at a mass that the model leaves out, is neither excluded
nor allowed. Its mass is drawn as a hatched band, from the last mass on one side at
which a search does say something to the first on the other, so that region and band
meet.

    status --mass_gaps--> bands
    rings of the region --closing_lines--> its edges there
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bsmfit.plot.axes import first_axis_unit
from bsmfit.scan.contour import log_ratio
from bsmfit.scan.runner import Status
from bsmfit.scan.store import first_axis_name

__all__ = ["closing_lines", "draw_gaps", "mass_gaps"]

_FACE = "#F4F4F4"
_HATCH = "#C4C4C4"

Span = tuple[float, float]


def mass_gaps(datasets: Sequence[xr.Dataset]) -> list[Span]:
    """Masses at which some scan has no sensitivity and no other has any.

    Args:
        datasets: Results of scans.

    Returns:
        Lowest and highest mass of each gap [GeV], ascending.
    """
    closed = [span for d in datasets for span in _sensitive_spans(d, is_open=False)]
    opened = [span for d in datasets for span in _sensitive_spans(d, is_open=True)]
    ends = sorted({end for span in closed + opened for end in span})
    gaps: list[Span] = []
    for low, high in pairwise(ends):
        middle = 0.5 * (low + high)
        if not _holds(closed, middle) or _holds(opened, middle):
            continue
        if gaps and gaps[-1][1] == low:
            low = gaps.pop()[0]
        gaps.append((low, high))
    return gaps


def closing_lines(
    dataset: xr.Dataset,
    rings: Sequence[Float[np.ndarray, "_ 2"]],
    *,
    search: str | None = None,
) -> list[Float[np.ndarray, "2 2"]]:
    """Edges of an excluded region along the masses without any result.

    Args:
        dataset: Result of a scan.
        rings: Closed rings of (mass [GeV], coupling) vertices of its region.
        search: The search that they belong to; the joint exclusion where None.

    Returns:
        Straight pieces of the rings at the masses where such a gap begins or ends.
    """
    is_masked = np.ma.getmaskarray(log_ratio(dataset, search=search))
    has_any = np.any(~is_masked, axis=1)
    masses = dataset[first_axis_name(dataset)].values
    ends = [end for span in _spans(masses, has_any, is_open=False) for end in span]
    inner = {end for end in ends if masses[0] < end < masses[-1]}
    pieces = []
    for ring in rings:
        for end in sorted(inner):
            # the ring went through the logarithm and back; masses may be 1e-9 apart
            here = np.flatnonzero(np.isclose(ring[:, 0], end, rtol=1e-13, atol=0.0))
            runs = np.split(here, np.flatnonzero(np.diff(here) > 1) + 1)
            pieces += [ring[[run[0], run[-1]]] for run in runs if run.size > 1]
    return pieces


def draw_gaps(axes: Axes, datasets: Sequence[xr.Dataset]) -> list[Patch]:
    """Draw the gaps of some scans as hatched bands.

    Args:
        axes: Where to draw.
        datasets: Results of scans.

    Returns:
        The artist for the legend; none where there is no gap.
    """
    unit = first_axis_unit(*datasets)[0]
    found = {status for d in datasets for status in np.unique(d["status"].values)}
    label = "No sensitivity"
    if Status.EXCLUDED_MASS in found:
        is_other = Status.NO_SENSITIVITY in found
        label = "No sensitivity or left out" if is_other else "Masses left out"
    bands: list[Patch] = [
        axes.axvspan(
            low * unit,
            high * unit,
            facecolor=_FACE,
            edgecolor=_HATCH,
            hatch="////",
            linewidth=0.0,
            label=label,
            zorder=0.5,
        )
        for low, high in mass_gaps(datasets)
    ]
    return bands[:1]


def _sensitive_spans(dataset: xr.Dataset, *, is_open: bool) -> list[Span]:
    """Runs of masses with or without any sensitivity."""
    closed = (Status.NO_SENSITIVITY, Status.EXCLUDED_MASS)
    has_any = np.any(~np.isin(dataset["status"].values, closed), axis=1)
    points = dataset[first_axis_name(dataset)].values
    return _spans(points, has_any, is_open=is_open)


def _spans(
    masses: Float[np.ndarray, " n_mass"],
    has_any: Bool[np.ndarray, " n_mass"],
    *,
    is_open: bool,
) -> list[Span]:
    """Runs of masses with or without something; the latter reach the former."""
    changes = np.flatnonzero(np.diff(has_any)) + 1
    starts, stops = [0, *changes], [*changes, masses.size]
    spans = []
    for start, stop in zip(starts, stops, strict=True):
        if has_any[start] != is_open:
            continue
        first, last = (start, stop - 1) if is_open else (start - 1, stop)
        first, last = max(first, 0), min(last, masses.size - 1)
        spans.append((float(masses[first]), float(masses[last])))
    return spans


def _holds(spans: Sequence[Span], mass: float) -> bool:
    return any(low < mass < high for low, high in spans)
