"""``bsmfit scan``: from a model, channels and a plane to a folder of results."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from bsmfit.cli.device import DeviceKind, DeviceOption, start_devices
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
    PrecisionOption,
    PresetOption,
    ProcessOption,
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
from bsmfit.cli.parameters import (
    GivenParameters,
    ParameterOption,
    ProfileOption,
    parse_parameters,
)
from bsmfit.cli.scan_files import write_exports
from bsmfit.cli.scan_report import need_result, report
from bsmfit.cli.searches import load_search
from bsmfit.cli.terminal import progress_bar
from bsmfit.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import xarray as xr

    from bsmfit.physics.model import Model
    from bsmfit.scan.grid import Axis
    from bsmfit.scan.planned_map import PlannedMap

__all__ = ["scan"]


def scan(
    model: ModelArgument,
    channel: ChannelOption,
    out: OutOption = None,
    mass: MassOption = None,
    coupling: CouplingOption = None,
    parameter: ParameterOption = None,
    profile: ProfileOption = None,
    cl: LevelOption = 0.9,
    ordering: OrderingOption = Ordering.LIKELIHOOD_RATIO,
    precision: PrecisionOption = None,
    preset: PresetOption = None,
    process: ProcessOption = None,
    protons: ProtonsOption = None,
    efficiency: EfficiencyOption = None,
    background: BackgroundOption = None,
    observed: ObservedOption = None,
    override: OverrideOption = None,
    allow_code: AllowCodeOption = False,
    device: DeviceOption = DeviceKind.AUTO,
    overwrite: OverwriteOption = False,
    figure: FigureOption = True,
) -> None:
    """Find out which couplings are excluded, at every mass.

    Several --channel of any kinds are combined in one likelihood with shared nuisances.
    Writes scan.nc (limits, CLs and status of every point), contour.csv and
    contour_expected.csv (excluded islands as polygons) and contour.png and .pdf. A
    scan that was stopped continues; one that is in the folder already is not repeated.
    A model whose rate and lifetime are given is scanned in both at one --mass. Of
    several values of a --parameter each has contours of its own. With --precision the
    plane is a first grid, and its contours are refined.
    """
    start_devices(device)
    from bsmfit.catalogue.models import load_model
    from bsmfit.channels.combination import as_channels
    from bsmfit.scan.adaptive.contours import coarse_axes
    from bsmfit.scan.batch.stop_request import stop_on_signal
    from bsmfit.scan.blocks import BlockFolder
    from bsmfit.scan.exclusion_map import compute_map, plan_map
    from bsmfit.scan.folder_lock import own_folder
    from bsmfit.scan.further_parameter import profile_parameter
    from bsmfit.scan.physical_points import check_planned
    from bsmfit.scan.plan import claim_folder
    from bsmfit.scan.provenance import circumstances
    from bsmfit.scan.store import write_scan

    theory = load_model(
        model, preset, processes=parse_processes(process), allow_code=allow_code
    )
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
    given = parse_parameters(parameter)
    for name in profile or ():
        if name not in given.scanned:
            kind = "parameter of --profile that --parameter scans,"
            raise UnknownNameError.from_choices(kind, name, given.scanned)
    theory = theory.with_parameters(**given.fixed)
    masses, couplings = _axis(mass, name="mass"), _axis(coupling, name="coupling")
    first = None
    if masses is not None and masses.low == masses.high:
        first = _first_parameter(theory, given, profile or ())
    channels = as_channels(searches)
    if precision is not None:
        if first is not None or given.scanned:
            msg = (
                f"--precision {precision:g} refines planes of mass and coupling: give "
                "one value for each --parameter, and a range of masses"
            )
            raise InputError(msg)
        masses, couplings = coarse_axes(
            theory, channels, mass=masses, coupling=couplings
        )
    planned = plan_map(
        theory,
        channels,
        mass=masses,
        coupling=couplings,
        parameters=given.scanned_beside(first),
        parameter=first,
        cl=cl,
        ordering=ordering.value,
        device=device.value,
    )
    if (
        ordering is not Ordering.LIKELIHOOD_RATIO
        and planned.exclusion.ordering == "count"
    ):
        msg = (
            f"--ordering {ordering.value} has no effect on one channel with one "
            "region; leave it out, or combine several channels"
        )
        raise InputError(msg)
    if allow_code:
        check_planned(planned)
    plan = planned.plan
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

                dataset = compute_map(planned, blocks=blocks, progress=progress)
            dataset = _refined(dataset, planned, precision)
            about = circumstances(planned.devices)
            write_scan(dataset.assign_attrs(about), path)
            blocks.remove()
        elif dataset.attrs.get("contour_precision") != precision:
            dataset = _refined(dataset, planned, precision)
            about = circumstances(planned.devices)
            write_scan(dataset.assign_attrs(about), path)
        for name in profile or ():
            dataset = profile_parameter(dataset, name)
        report(dataset, [path, *write_exports(dataset, folder, figure=figure)])
    need_result(dataset)


def _first_parameter(
    theory: Model, given: GivenParameters, profiled: Collection[str]
) -> str | dict[str, Axis] | None:
    """The parameter on the first axis of a plane at one mass, if there is one.

    The only one with a range; else, where none is scanned, the first that has a usual
    axis.
    """
    ranges = {name: axis for name, axis in given.axes.items() if name not in profiled}
    if len(ranges) == 1:
        return dict(ranges)
    known = () if given.scanned else getattr(theory, "parameter_notes", ())
    for note in known:
        if note.axis is not None and note.name not in given.fixed:
            return note.name
    return None


def _refined(
    dataset: xr.Dataset, planned: PlannedMap, precision: float | None
) -> xr.Dataset:
    """Refine the contours of a scan, or leave out those that were refined."""
    from bsmfit.scan.adaptive.contours import refine_contours
    from bsmfit.scan.stored_contours import without_contours

    dataset = without_contours(dataset)
    if precision is None:
        return dataset
    return refine_contours(
        dataset, planned.exclusion, precision=precision, devices=planned.devices
    )


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
