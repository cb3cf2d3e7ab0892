"""``bsmfit scan``: from a model, channels and a plane to a folder of results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bsmfit.cli.options import (
    ChannelOption,
    CouplingOption,
    FigureOption,
    LevelOption,
    MassOption,
    ModelArgument,
    OutOption,
    OverwriteOption,
    PresetOption,
)

if TYPE_CHECKING:
    import xarray as xr

    from bsmfit.scan.grid import Axis

__all__ = ["scan"]


def scan(
    model: ModelArgument,
    channel: ChannelOption,
    out: OutOption = None,
    mass: MassOption = None,
    coupling: CouplingOption = None,
    cl: LevelOption = 0.9,
    preset: PresetOption = None,
    overwrite: OverwriteOption = False,
    figure: FigureOption = True,
) -> None:
    """Find out which couplings are excluded, at every mass.

    Writes scan.nc (limits, CLs and status of every point), contour.csv and
    contour_expected.csv (excluded islands as polygons) and contour.png and .pdf. A
    scan that was stopped continues; one that is in the folder already is not repeated.
    """
    from bsmfit import enable_x64

    enable_x64()
    from bsmfit.catalogue.channels import load_channel
    from bsmfit.catalogue.models import load_model
    from bsmfit.scan.blocks import BlockFolder
    from bsmfit.scan.exclusion_map import (
        check_masses,
        default_axes,
        exclusion_point,
        scan_plane,
    )
    from bsmfit.scan.plan import ScanPlan, claim_folder
    from bsmfit.scan.store import write_scan

    theory = load_model(model, preset)
    channels = [load_channel(name) for name in channel]
    masses, couplings = default_axes(
        theory,
        channels,
        mass=_axis(mass, name="mass"),
        coupling=_axis(coupling, name="coupling"),
    )
    plan = ScanPlan.from_parts(theory, channels, mass=masses, coupling=couplings, cl=cl)
    check_masses(theory, channels, masses)
    exclusion_point(theory, channels, cl=cl)
    folder = out or Path("results") / "-".join([theory.name, *plan.channels])
    claim_folder(folder, plan, overwrite=overwrite)
    path = folder / "scan.nc"
    dataset = None if overwrite else _finished(path, plan.identity())
    if dataset is None:
        blocks = BlockFolder.from_plan(folder, plan)
        if overwrite:
            blocks.remove()
        with _progress_bar() as progress:
            dataset = scan_plane(
                theory,
                channels,
                mass=masses,
                coupling=couplings,
                cl=cl,
                blocks=blocks,
                progress=progress,
            )
        write_scan(dataset.assign_attrs(_circumstances()), path)
        blocks.remove()
    _report(dataset, [path, *_write_exports(dataset, folder, figure=figure)])


def _axis(text: str | None, *, name: str) -> Axis | None:
    """Return the axis that was asked for, if one was."""
    from bsmfit.scan.grid import parse_axis

    return None if text is None else parse_axis(text, name=name)


def _finished(path: Path, identity: str) -> xr.Dataset | None:
    """Return the result of this very plan where the folder holds it."""
    from bsmfit.scan.store import read_scan

    if not path.exists():
        return None
    dataset = read_scan(path)
    return dataset if dataset.attrs.get("plan_hash") == identity else None


def _circumstances() -> dict[str, str]:
    """Return when and on what a result was computed; no number depends on it."""
    import jax

    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "jax_version": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }


def _write_exports(dataset: xr.Dataset, out: Path, *, figure: bool) -> list[Path]:
    """Write contours and figures; return their paths."""
    from bsmfit.export.contour_csv import write_contour

    paths = [out / "contour.csv", out / "contour_expected.csv"]
    write_contour(dataset, paths[0])
    write_contour(dataset, paths[1], quantity="expected")
    if figure:
        from bsmfit.plot.exclusion import plot_exclusion

        figures = [out / "contour.png", out / "contour.pdf"]
        plot_exclusion(dataset, *figures)
        paths += figures
    return paths


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr where that is a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    is_shown = console.is_terminal and sys.stderr.isatty()
    with Progress(console=console, disable=not is_shown, transient=True) as bar:
        task = bar.add_task("points", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _report(dataset: xr.Dataset, paths: list[Path]) -> None:
    """Print what is excluded and where the files are."""
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from bsmfit.scan.contour import coupling_edges, excluded_polygons
    from bsmfit.scan.store import coupling_name

    table = Table("limit", "islands", "mass [GeV]", "lowest", "highest")
    table.title = f"{dataset.attrs['title']} ({coupling_name(dataset)})"
    for quantity in ("observed", "expected"):
        edges = coupling_edges(dataset, quantity)
        inside = np.isfinite(edges.lower)
        cells = ["0", "nothing excluded", "-", "-"]
        if inside.any():
            lowest = int(np.nanargmin(edges.lower))
            highest = int(np.nanargmax(edges.upper))
            at_low, at_high = edges.mass[lowest], edges.mass[highest]
            cells = [
                str(len(excluded_polygons(dataset, quantity))),
                f"{edges.mass[inside][0]:.4g} to {edges.mass[inside][-1]:.4g}",
                f"{edges.lower[lowest]:.3g} at {at_low:.3g} GeV",
                f"{edges.upper[highest]:.3g} at {at_high:.3g} GeV",
            ]
        table.add_row(quantity, *cells)
    console = Console()
    console.print(table)
    for text in json.loads(dataset.attrs.get("caveats", "[]")):
        console.print(f"note: {text}", highlight=False)
    status = dataset["status"].values
    if (status != 0).any():
        counts = ", ".join(
            f"{int((status == code).sum())} {meaning.replace('_', ' ')}"
            for code, meaning in enumerate(
                dataset["status"].attrs["flag_meanings"].split()
            )
            if code and (status == code).any()
        )
        console.print(f"points without result, not excluded: {counts}")
    for path in paths:
        console.print(f"wrote {path}", soft_wrap=True, highlight=False)
