"""What is written beside scan.nc: contours and figures, of a plane or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MAX_PLANES", "write_exports"]

MAX_PLANES = 200
"""Most planes of which contours are written at once."""

_IN_ONE_FIGURE = 6


def write_exports(dataset: xr.Dataset, out: Path, *, figure: bool) -> list[Path]:
    """Write contours and figures.

    A plane has ``contour.csv``, ``contour_expected.csv`` and ``contour.png``, ``.pdf``.
    Where there are further axes each plane has contours of its own, with the values in
    their names, and up to six of them one figure together, else a figure each.

    Args:
        dataset: Result of a scan.
        out: The folder.
        figure: Whether figures are drawn.

    Returns:
        Paths of what was written.

    Raises:
        InputError: More than `MAX_PLANES` planes.
        OutputError: A file cannot be written.
    """
    from bsmfit.errors import InputError
    from bsmfit.export.contour_csv import write_contour
    from bsmfit.scan.further_axes import further_names, planes_of

    names = further_names(dataset)
    n_plane = 1
    for name in names:
        n_plane *= dataset.sizes[name]
    if n_plane > MAX_PLANES:
        msg = (
            f"the result has {n_plane} planes, more than the {MAX_PLANES} of which "
            "contours are written at once; select some in Python: "
            f"dataset.isel({names[0]}=[0, 1]), then bsmfit.write_contour for each plane"
        )
        raise InputError(msg)
    planes = list(planes_of(dataset))
    paths = []
    endings = _endings([values for values, _ in planes])
    for ending, (_, plane) in zip(endings, planes, strict=True):
        observed = out / f"contour{ending}.csv"
        expected = out / f"contour_expected{ending}.csv"
        write_contour(plane, observed)
        write_contour(plane, expected, quantity="expected")
        paths += [observed, expected]
    return paths + (_draw(planes, out) if figure else [])


def _draw(planes: list[tuple[dict[str, float], xr.Dataset]], out: Path) -> list[Path]:
    """One figure of a plane or of a few, else one of each."""
    from bsmfit.plot.axes import parameter_words
    from bsmfit.plot.exclusion import comparison_figure, plot_exclusion, save_figure

    paths = []
    if 1 < len(planes) <= _IN_ONE_FIGURE:
        figure = comparison_figure(
            [plane for _, plane in planes],
            [
                parameter_words(plane, list(values), digits=3)
                for values, plane in planes
            ],
        )
        for suffix in (".png", ".pdf"):
            save_figure(figure, out / f"contour{suffix}")
            paths.append(out / f"contour{suffix}")
        return paths
    endings = _endings([values for values, _ in planes])
    for ending, (_, plane) in zip(endings, planes, strict=True):
        files = [out / f"contour{ending}{suffix}" for suffix in (".png", ".pdf")]
        plot_exclusion(plane, *files)
        paths += files
    return paths


def _endings(all_values: Sequence[Mapping[str, float]]) -> list[str]:
    """Ends of file names, with as few digits as tell them apart."""
    for n_digit in (6, 17):
        found = [
            "".join(f"_{name}={value:.{n_digit}g}" for name, value in values.items())
            for values in all_values
        ]
        if len(set(found)) == len(found):
            break
    return found
