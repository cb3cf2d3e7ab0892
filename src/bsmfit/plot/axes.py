"""What all figures of scans share: style, scales, labels, ticks and legend.

A mass axis is drawn as it was scanned: linear where the masses have equal steps, as in
the kaon modes, and logarithmic otherwise. The coupling is always logarithmic.
"""

from __future__ import annotations

import importlib.resources
import json
import re
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
from matplotlib.ticker import AutoMinorLocator, MaxNLocator

from bsmfit.core.argument import real_number
from bsmfit.plot.ticks import set_log_ticks
from bsmfit.scan.store import coupling_name, first_axis_name

__all__ = [
    "coupling_label",
    "finish_axes",
    "first_axis_unit",
    "has_equal_steps",
    "new_figure",
    "paper_style",
    "parameter_words",
]

_COUPLING_LABELS = 3  # fewest labels of an axis
_FIRST_LABELS = 4
_LONG_LIFETIME_PS = 1e4  # above, labels are in ns
# of one lifetime: the largest of which it is 1 or more
_LIFETIME_UNITS = {"s": 1e12, "ms": 1e9, "\N{GREEK SMALL LETTER MU}s": 1e6, "ns": 1e3}
# a single mass stands in the middle of an axis of this factor to either side
_ROOM_FACTOR = 1.1
_TITLE_LEFT = 0.02  # of the width of the figure
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
        InputError: Another width.
    """
    width_inch = real_number("width_inch", width_inch, low=1.0, high=100.0)
    figure = Figure(figsize=(width_inch, 0.65 * width_inch + 1.0))
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def first_axis_unit(*datasets: xr.Dataset) -> tuple[float, str]:
    """Choose MeV where all masses are at most 1 GeV, and ns for longer lifetimes.

    Args:
        *datasets: Results of scans, with the same first axis.

    Returns:
        The unit of the figure, as units per unit of the dataset, and its name.
    """
    name = first_axis_name(datasets[0])
    highest = max(float(dataset[name].max()) for dataset in datasets)
    if name == "mass":
        return (1e3, "MeV") if highest <= 1.0 else (1.0, "GeV")
    units = str(datasets[0][name].attrs.get("units", "1"))
    is_long = units == "ps" and highest > _LONG_LIFETIME_PS
    return (1e-3, "ns") if is_long else (1.0, units)


def has_equal_steps(dataset: xr.Dataset) -> bool:
    """Whether the masses of a scan, three or more, are equally spaced.

    Masses that were put between equal steps, fewer than there are steps, do not count:
    the ends of a mass window may be masses of their own.

    Args:
        dataset: Result of a scan.

    Returns:
        True for a linear axis.
    """
    masses = dataset[first_axis_name(dataset)].values
    steps = np.diff(masses)
    if steps.size < 2:
        return False
    n_step = round((masses[-1] - masses[0]) / steps.max())
    if n_step < 2 or steps.size >= 2 * n_step:
        return False
    lattice = np.linspace(masses[0], masses[-1], n_step + 1)
    after = np.clip(np.searchsorted(masses, lattice), 1, masses.size - 1)
    beside = np.stack([masses[after - 1], masses[after]])
    distance = np.abs(beside - lattice).min(axis=0)
    return bool(distance.max() <= 1e-6 * steps.max())


def coupling_label(dataset: xr.Dataset) -> str:
    """Symbol of the coupling, and its unit where it has one.

    Args:
        dataset: Result of a scan.

    Returns:
        The label, for example ``"$F_V$ [GeV]"`` or ``"$g$ [GeV$^{-1}$]"``.
    """
    name = coupling_name(dataset)
    attributes = dataset[name].attrs
    symbol = attributes.get("symbol", _SYMBOLS.get(name, name.replace("_", " ")))
    units = str(attributes.get("units", "1")).strip()
    return symbol if units in ("", "1") else f"{symbol} [{_unit_text(units)}]"


def parameter_words(
    dataset: xr.Dataset, names: Sequence[str] | None = None, *, digits: int = 6
) -> str:
    r"""The further parameters that a plane was computed with, as a figure says them.

    Args:
        dataset: The plane.
        names: Some of its parameters; all where None.
        digits: Digits of a value.

    Returns:
        Symbols, values and units with commas between, such as ``"$\tau$ = 1 ns"``;
        nothing where there are no parameters.
    """
    values = json.loads(dataset.attrs.get("parameters", "{}"))
    labels = json.loads(dataset.attrs.get("parameter_labels", "{}"))
    texts = []
    for name in values if names is None else names:
        value, (symbol, unit) = values[name], labels.get(name, ("", "1"))
        if unit == "ps":
            value, unit = _lifetime(value)
        words = [f"${symbol}$" if symbol else name, "=", f"{value:.{digits}g}"]
        words += [] if unit == "1" else [_unit_text(unit)]
        texts.append("\N{NO-BREAK SPACE}".join(words) if symbol else " ".join(words))
    return ", ".join(texts)


def _lifetime(value: float) -> tuple[float, str]:
    """A lifetime [ps] in a unit in which it is short to write."""
    for unit, in_ps in _LIFETIME_UNITS.items():
        if value >= in_ps:
            return value / in_ps, unit
    return value, "ps"


def _unit_text(units: str) -> str:
    """Write the powers of a unit as such: GeV-1, GeV^-1, GeV**-1 and 1/GeV alike."""
    inverse = re.fullmatch(r"1\s*/\s*([A-Za-z]+)(?:(?:\^|\*\*)?(\d+))?", units)
    if inverse:
        return f"{inverse[1]}$^{{-{inverse[2] or 1}}}$"
    power = r"([A-Za-z])(?:\^|\*\*)?\{?([+-]?\d+)\}?"
    return units if "$" in units else re.sub(power, r"\1$^{\2}$", units)


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
        title: Text above the axes, with the left end of the figure.
    """
    unit, unit_name = first_axis_unit(*datasets)
    name, first = coupling_name(datasets[0]), first_axis_name(datasets[0])
    points = np.concatenate([dataset[first].values for dataset in datasets]) * unit
    couplings = np.concatenate([dataset[name].values for dataset in datasets])
    first_ends = _first_limits(float(points.min()), float(points.max()))
    axes.set_yscale("log")
    axes.set_ylim(couplings.min(), couplings.max())
    ends = float(couplings.min()), float(couplings.max())
    set_log_ticks(axes.yaxis, *ends, n_least=_COUPLING_LABELS, is_plain=False)
    if all(has_equal_steps(dataset) for dataset in datasets):
        axes.set_xscale("linear")
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axes.xaxis.set_minor_locator(AutoMinorLocator())
    else:
        axes.set_xscale("log")
        is_plain = first == "mass"
        set_log_ticks(axes.xaxis, *first_ends, n_least=_FIRST_LABELS, is_plain=is_plain)
    axes.set_xlim(*first_ends)
    other = "$m$" if first == "mass" else first.replace("_", " ")
    symbol = datasets[0][first].attrs.get("symbol", other)
    axes.set_xlabel(symbol if unit_name == "1" else f"{symbol} [{unit_name}]")
    axes.set_ylabel(coupling_label(datasets[0]))
    figure = axes.get_figure(root=True)
    if figure is not None:  # the title is often wider than the axes
        figure.suptitle(title, x=_TITLE_LEFT, ha="left")
        _add_legend(figure, handles)


def _first_limits(low: float, high: float) -> tuple[float, float]:
    """Ends of the first axis; some room around a single point."""
    if low < high:
        return low, high
    return low / _ROOM_FACTOR, high * _ROOM_FACTOR


def _add_legend(figure: Figure, handles: Sequence[Patch | Line2D]) -> None:
    """Put the legend below the axes, in as many columns as have room.

    No corner of a plane is always empty.
    """
    for n_columns in range(3 if figure.get_figwidth() > 5.0 else 2, 0, -1):
        legend = figure.legend(
            handles=list(handles), loc="outside lower center", ncols=n_columns
        )
        if n_columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()
