"""``bsmfit scan``: from a model, channels and a plane to a folder of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bsmfit.cli.interrupt import Stopped
from bsmfit.cli.options import (
    AllowCodeOption,
    ChannelOption,
    CouplingOption,
    FigureOption,
    LevelOption,
    MassOption,
    ModelArgument,
    Ordering,
    OrderingOption,
    OutOption,
    OverwriteOption,
    ParameterOption,
    PresetOption,
    ProcessOption,
    parse_parameters,
    parse_processes,
)
from bsmfit.cli.own_numbers import (
    BackgroundOption,
    EfficiencyOption,
    ObservedOption,
    OverrideOption,
    ProtonsOption,
    with_own_numbers,
)
from bsmfit.cli.searches import load_search
from bsmfit.cli.terminal import progress_bar
from bsmfit.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from bsmfit.physics.model import Model
    from bsmfit.scan.grid import Axis

__all__ = ["scan"]


def scan(
    model: ModelArgument,
    channel: ChannelOption,
    out: OutOption = None,
    mass: MassOption = None,
    coupling: CouplingOption = None,
    parameter: ParameterOption = None,
    cl: LevelOption = 0.9,
    ordering: OrderingOption = Ordering.LIKELIHOOD_RATIO,
    preset: PresetOption = None,
    process: ProcessOption = None,
    protons: ProtonsOption = None,
    efficiency: EfficiencyOption = None,
    background: BackgroundOption = None,
    observed: ObservedOption = None,
    override: OverrideOption = None,
    allow_code: AllowCodeOption = False,
    overwrite: OverwriteOption = False,
    figure: FigureOption = True,
) -> None:
    """Find out which couplings are excluded, at every mass.

    Several --channel of any kinds are combined in one likelihood with shared nuisances.
    Writes scan.nc (limits, CLs and status of every point), contour.csv and
    contour_expected.csv (excluded islands as polygons) and contour.png and .pdf. A
    scan that was stopped continues; one that is in the folder already is not repeated.
    A model whose rate and lifetime are given is scanned in both at one --mass.
    """
    from bsmfit import enable_x64

    enable_x64()
    from bsmfit.catalogue.models import load_model
    from bsmfit.channels.combination import as_channels
    from bsmfit.scan.batch.stop_request import stop_on_signal
    from bsmfit.scan.blocks import BlockFolder
    from bsmfit.scan.exclusion_map import (
        check_masses,
        choose_parameter,
        default_axes,
        scan_plane,
    )
    from bsmfit.scan.exclusion_point import ExclusionPoint
    from bsmfit.scan.folder_lock import own_folder
    from bsmfit.scan.plan import ScanPlan, claim_folder
    from bsmfit.scan.provenance import circumstances
    from bsmfit.scan.store import write_scan

    theory = load_model(
        model, preset, processes=parse_processes(process), allow_code=allow_code
    )
    values, axes = parse_parameters(parameter)
    if values:
        theory = theory.with_parameters(**values)
    searches = with_own_numbers(
        as_channels([load_search(name) for name in channel]),
        override=override,
        numbers={
            "protons": protons,
            "efficiency": efficiency,
            "background": background,
            "observed": observed,
        },
    )
    channels = as_channels(searches)
    point = ExclusionPoint.from_model(theory, channels, cl=cl, ordering=ordering.value)
    if ordering is not Ordering.LIKELIHOOD_RATIO and point.ordering == "count":
        msg = (
            f"--ordering {ordering.value} has no effect on one channel with one "
            "region; leave it out, or combine several channels"
        )
        raise InputError(msg)
    masses, couplings = default_axes(
        theory,
        channels,
        mass=_axis(mass, name="mass"),
        coupling=_axis(coupling, name="coupling"),
    )
    check_masses(theory, channels, masses)
    is_one_mass = masses.low == masses.high
    first = axes or (_usual_parameter(theory, values) if is_one_mass else None)
    chosen = None
    if first is not None:
        chosen = choose_parameter(theory, masses, first)
    if chosen is not None:
        theory = theory.with_parameters(**{chosen[0]: chosen[1].low})
    plan = ScanPlan.from_parts(
        theory,
        channels,
        mass=masses,
        coupling=couplings,
        cl=cl,
        ordering=point.ordering,
        parameter=chosen,
    )
    folder = out or Path("results") / "-".join([theory.name, *plan.channels])
    with own_folder(folder):
        claim_folder(folder, plan, overwrite=overwrite)
        path = folder / "scan.nc"
        dataset = None if overwrite else _finished(path, plan.identity())
        if dataset is None:
            blocks = BlockFolder.from_plan(folder, plan)
            if overwrite:
                blocks.remove()
            with stop_on_signal() as stop, progress_bar() as show:

                def progress(done: int, total: int) -> None:
                    show(done, total)
                    if stop.signal is not None:  # the block in flight is on disk now
                        raise Stopped(stop.signal)

                dataset = scan_plane(
                    theory,
                    channels,
                    mass=masses,
                    coupling=couplings,
                    cl=cl,
                    ordering=ordering.value,
                    parameter=None if chosen is None else {chosen[0]: chosen[1]},
                    blocks=blocks,
                    progress=progress,
                )
            write_scan(dataset.assign_attrs(circumstances()), path)
            blocks.remove()
        _report(dataset, [path, *_write_exports(dataset, folder, figure=figure)])


def _usual_parameter(theory: Model, fixed: Mapping[str, float]) -> str | None:
    """The parameter that is scanned at one mass: the first with a usual axis."""
    names = [
        note.name
        for note in getattr(theory, "parameter_notes", ())
        if note.axis is not None and note.name not in fixed
    ]
    return names[0] if names else None


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


def _report(dataset: xr.Dataset, paths: list[Path]) -> None:
    """Print what is excluded and where the files are."""
    import numpy as np
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bsmfit.scan.contour import coupling_edges, excluded_polygons
    from bsmfit.scan.store import coupling_name, first_axis_name

    first = first_axis_name(dataset)
    unit = str(dataset[first].attrs["units"])
    unit = "" if unit == "1" else unit
    heading = f"{first} [{unit}]" if unit else first
    table = Table("limit", "islands", heading, "lowest", "highest")
    table.title = Text(f"{dataset.attrs['title']} ({coupling_name(dataset)})")
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
                f"{edges.lower[lowest]:.3g} at {at_low:.3g} {unit}".rstrip(),
                f"{edges.upper[highest]:.3g} at {at_high:.3g} {unit}".rstrip(),
            ]
        table.add_row(quantity, *cells)
    console = Console()
    console.print(table)
    for text in json.loads(dataset.attrs.get("caveats", "[]")):
        console.print(f"note: {text}", highlight=False, markup=False)
    for text in (*_gain(dataset), *_without_result(dataset)):
        console.print(text, highlight=False, markup=False)
    for path in paths:
        console.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)


def _gain(dataset: xr.Dataset) -> list[str]:
    """Say what the combination excludes beyond the union of its searches."""
    from bsmfit.scan.contour import search_names
    from bsmfit.scan.excluded_area import combination_gain
    from bsmfit.scan.store import first_axis_name

    if not search_names(dataset):
        return []
    gain = combination_gain(dataset)
    first = first_axis_name(dataset)
    return [
        f"combined by {dataset.attrs['ordering']}: the excluded area in the logarithms "
        f"of {first} and coupling is {gain.ratio:.4g} times that of the union of the "
        "single searches, which has no confidence level"
    ]


def _without_result(dataset: xr.Dataset) -> list[str]:
    """Say which masses nothing is said about, and how many points failed."""
    import numpy as np

    from bsmfit.scan.runner import Status
    from bsmfit.scan.store import first_axis_name

    first = first_axis_name(dataset)
    units = str(dataset[first].attrs.get("units", "1"))
    factor, unit = (1e3, " MeV") if first == "mass" else (1.0, f" {units}")
    what, unit = "masses" if first == "mass" else first, "" if units == "1" else unit
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
    if counts:
        text = ", ".join(counts).replace("_", " ")
        lines.append(f"points without result, not excluded: {text}")
    return lines
