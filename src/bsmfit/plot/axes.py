"""What all figures of scans share: style, scales, labels, ticks and legend.

A mass axis is drawn as it was scanned: linear where the masses have equal steps, as in
the kaon modes, and logarithmic otherwise. The coupling is always logarithmic.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from contextlib import AbstractContextManager

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (
    AutoMinorLocator,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

from bsmfit.core.argument import real_number
from bsmfit.scan.store import coupling_name

__all__ = [
    "coupling_label",
    "finish_axes",
    "has_equal_steps",
    "mass_unit",
    "new_figure",
    "paper_style",
]

# a single mass stands in the middle of an axis of this factor to either side
_ROOM_FACTOR = 1.1
_SYMBOLS = {"epsilon": r"$\varepsilon$", "sin_theta": r"$\sin\theta$"}


def paper_style() -> AbstractContextManager[None]:
    """Return a context in which the package's style holds."""
    source = importlib.resources.files("bsmfit.plot") / "bsmfit.mplstyle"
    with importlib.resources.as_file(source) as path:
        settings = mpl.rc_params_from_file(path, use_default_template=False)
    return mpl.rc_context(settings)


def new_figure(width_inch: float) -> tuple[Figure, Axes]:
    """Make an empty figure without pyplot.

    Args:
        width_inch: Width of the figure [in], 1 to 100.

    Returns:
        The figure and its axes.

    Raises:
        InputError: A width outside 1 to 100 inches.
    """
    width_inch = real_number("width_inch", width_inch, low=1.0, high=100.0)
    figure = Figure(figsize=(width_inch, 0.65 * width_inch + 1.0))
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def mass_unit(*datasets: xr.Dataset) -> tuple[float, str]:
    """Choose MeV where all masses are at most 1 GeV.

    Args:
        *datasets: Results of scans.

    Returns:
        The unit as units per GeV, and its name.
    """
    highest = max(float(dataset["mass"].max()) for dataset in datasets)
    return (1e3, "MeV") if highest <= 1.0 else (1.0, "GeV")


def has_equal_steps(dataset: xr.Dataset) -> bool:
    """Whether the masses of a scan, three or more, are equally spaced.

    Args:
        dataset: Result of a scan.

    Returns:
        True for a linear axis.
    """
    steps = np.diff(dataset["mass"].values)
    return steps.size > 1 and bool(np.ptp(steps) <= 1e-6 * steps.mean())


def coupling_label(dataset: xr.Dataset) -> str:
    """Symbol of the coupling, and its unit where it has one.

    Args:
        dataset: Result of a scan.

    Returns:
        The label, for example ``"$F_V$ [GeV]"``.
    """
    name = coupling_name(dataset)
    attributes = dataset[name].attrs
    symbol = attributes.get("symbol", _SYMBOLS.get(name, name.replace("_", " ")))
    units = attributes.get("units", "1")
    return symbol if units in ("", "1") else f"{symbol} [{units}]"


def finish_axes(
    axes: Axes,
    datasets: Sequence[xr.Dataset],
    handles: Sequence[Patch | Line2D],
    *,
    title: str,
) -> None:
    """Set scales, limits, ticks, labels and legend.

    Args:
        axes: The axes, with everything drawn.
        datasets: The scans that are drawn, in the same coupling.
        handles: Artists for the legend.
        title: Text above the axes.
    """
    unit, unit_name = mass_unit(*datasets)
    name = coupling_name(datasets[0])
    masses = np.concatenate([dataset["mass"].values for dataset in datasets]) * unit
    couplings = np.concatenate([dataset[name].values for dataset in datasets])
    axes.set_yscale("log")
    axes.set_ylim(couplings.min(), couplings.max())
    _set_coupling_ticks(axes, np.log10(couplings.max() / couplings.min()))
    if all(has_equal_steps(dataset) for dataset in datasets):
        axes.set_xscale("linear")
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axes.xaxis.set_minor_locator(AutoMinorLocator())
    else:
        axes.set_xscale("log")
        _set_mass_ticks(axes, float(masses.min()), float(masses.max()))
    axes.set_xlim(*_mass_limits(float(masses.min()), float(masses.max())))
    symbol = datasets[0]["mass"].attrs.get("symbol", "$m$")
    axes.set_xlabel(f"{symbol} [{unit_name}]")
    axes.set_ylabel(coupling_label(datasets[0]))
    axes.set_title(title, loc="left")
    figure = axes.get_figure(root=True)
    if figure is not None:  # below the axes: no corner of a plane is always empty
        n_columns = 3 if figure.get_figwidth() > 5.0 else 2
        figure.legend(
            handles=list(handles), loc="outside lower center", ncols=n_columns
        )


def _mass_limits(low: float, high: float) -> tuple[float, float]:
    """Ends of the mass axis; some room around a single mass."""
    if low < high:
        return low, high
    return low / _ROOM_FACTOR, high * _ROOM_FACTOR


def _set_coupling_ticks(axes: Axes, n_decades: float) -> None:
    """Mark every decade, label as many as have room."""
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    if n_decades > 7:
        axes.yaxis.set_minor_locator(LogLocator(numticks=50))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _set_mass_ticks(axes: Axes, low: float, high: float) -> None:
    """Label 1, 2, 5 of each decade, and more where there is room, in plain numbers."""
    low, high = _mass_limits(low, high)
    n_decades = np.log10(high / low)
    steps = (1, 2, 3, 4, 5, 6, 8) if n_decades < 0.7 else (1, 2, 3, 5, 7)
    steps = (1,) if n_decades > 3 else (1, 2, 5) if n_decades > 1.2 else steps
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    inside = [
        step * 10.0**decade
        for decade in decades
        for step in steps
        if low * (1 - 1e-9) <= step * 10.0**decade <= high * (1 + 1e-9)
    ]
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
