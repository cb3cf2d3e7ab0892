"""Limits on rare decays against earlier ones, one row for each decay.

    limits = rare_decay_limits(channels)
    plot_rare_decays(limits, "rare-decays.png")

Published and earlier limits are those of the shipped records. A search that a later one
contains is left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from bsmfit.catalogue.kinds.rare_decay import read_rare_decay_record
from bsmfit.core.argument import file_path, instance
from bsmfit.errors import InputError
from bsmfit.inference.limits.rare_decay_limits import RareDecayLimits
from bsmfit.plot.axes import new_figure, paper_style
from bsmfit.plot.exclusion import SUFFIXES, save_figure
from bsmfit.records.rare_decay_record import RareDecayRecord

__all__ = ["decay_in_symbols", "plot_rare_decays"]

_SYMBOLS = {"pi": r"\pi", "mu": r"\mu", "nu": r"\nu", "K": "K", "e": "e"}
_OURS, _BAND, _EARLIER = "#0b5394", ("#f6d55c", "#7fc97f"), "#888888"
_INCH_BY_ROW, _INCH_AROUND = 0.27, 1.35


def decay_in_symbols(decay: str) -> str:
    r"""A decay as text for a figure.

    Args:
        decay: The decay, for example ``"K+ -> pi- mu+ mu+"``.

    Returns:
        The text.

    Examples:
        >>> decay_in_symbols("pi0 -> mu- e+")
        '$\\pi^{0}\\,\\to\\,\\mu^{-}\\,e^{+}$'
    """

    def symbol(word: str) -> str:
        name, charge = (word[:-1], word[-1]) if word[-1] in "0+-" else (word, "")
        power = f"^{{{charge}}}" if charge else ""
        return _SYMBOLS.get(name, name) + power

    parent, _, products = decay.partition("->")
    made = r"\,".join(symbol(word) for word in products.split())
    return rf"${symbol(parent.strip())}\,\to\,{made}$"


def plot_rare_decays(
    limits: RareDecayLimits, *paths: Path | str, width_inch: float = 5.0
) -> Figure:
    """Draw limits on rare decays against published and earlier ones, and save it.

    Args:
        limits: Limits of shipped searches.
        *paths: Files to write, ``.png`` or ``.pdf``; none for the figure alone.
        width_inch: Width of the figure [in].

    Returns:
        The figure.

    Raises:
        InputError: No limits, a path that does not end in .png or .pdf, or a width that
            is none.
        UnknownNameError: A search that is not shipped.
        OutputError: A file cannot be written.
    """
    hint = "make them with rare_decay_limits(channels)"
    instance("limits", limits, RareDecayLimits, hint=hint)
    files = [file_path("path", path, suffixes=SUFFIXES) for path in paths]
    records = [read_rare_decay_record(name) for name in limits.names]
    shown = [i for i, record in enumerate(records) if not record.superseded_by]
    if not shown:
        msg = "all of these searches are superseded; add those that contain them"
        raise InputError(msg)
    shown.sort(key=lambda i: float(limits.observed[i]))
    with paper_style():
        figure, axes = new_figure(width_inch)
        figure.set_figheight(_INCH_BY_ROW * len(shown) + _INCH_AROUND)
        for row, index in enumerate(shown):
            _draw_row(axes, row, limits, index, records[index])
        _finish(figure, axes, limits, [records[i].decay for i in shown])
    for path in files:
        save_figure(figure, path)
    return figure


def _draw_row(
    axes: Axes, row: int, limits: RareDecayLimits, index: int, record: RareDecayRecord
) -> None:
    """One decay: what was expected, our limit, the published and the earlier one."""
    expected = np.asarray(limits.expected[index])
    if np.all(np.isfinite(expected)):
        for (low, high), colour in zip(((0, 4), (1, 3)), _BAND, strict=True):
            ends = expected[low], expected[high] - expected[low]
            axes.barh(row, ends[1], left=ends[0], height=0.5, color=colour, zorder=1)
        axes.plot(expected[2], row, "|", color="#444444", markersize=9, zorder=2)
    is_independent = record.sensitivity.inferred_from_limit is None
    face = _OURS if is_independent else "white"
    observed = float(limits.observed[index])
    style = {"markersize": 5, "markerfacecolor": face, "zorder": 4}
    axes.plot(observed, row, "o", color=_OURS, **style)
    axes.plot(record.published_limit.value.value, row, "kx", markersize=5, zorder=5)
    earlier = record.earlier_limit
    if earlier is not None:
        value = earlier.value.value
        axes.plot([observed, value], [row, row], ":", color=_EARLIER, zorder=0)
        filled = earlier.value.provenance == "published"
        face = _EARLIER if filled else "white"
        style = {"markersize": 5, "markerfacecolor": face, "zorder": 3}
        axes.plot(value, row, "s", color=_EARLIER, **style)


def _finish(
    figure: Figure, axes: Axes, limits: RareDecayLimits, decays: list[str]
) -> None:
    """Scales, labels and legend."""
    axes.set_xscale("log")
    axes.use_sticky_edges = False
    axes.autoscale_view()
    axes.set_xlabel(f"upper limit on the branching ratio ({100 * limits.cl:g} % CL)")
    axes.set_yticks(range(len(decays)), [decay_in_symbols(decay) for decay in decays])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(len(decays) - 0.4, -0.6)
    figure.suptitle("Decays that violate lepton number or flavour, NA62", x=0.5)
    handles = [
        _marker("o", _OURS, "bsmfit, CLs"),
        _marker("o", _OURS, "bsmfit, not independent", is_open=True),
        _marker("x", "black", "published, 90 % CL"),
        Patch(color=_BAND[1], label="expected, 1 sigma"),
        Patch(color=_BAND[0], label="expected, 2 sigma"),
        _marker("s", _EARLIER, "earlier, from a publication"),
        _marker("s", _EARLIER, "earlier, unverified", is_open=True),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def _marker(marker: str, colour: str, label: str, *, is_open: bool = False) -> Line2D:
    """An entry of the legend."""
    return Line2D(
        [],
        [],
        marker=marker,
        color=colour,
        markerfacecolor="white" if is_open else colour,
        linestyle="none",
        label=label,
    )
