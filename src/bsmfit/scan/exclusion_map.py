"""An exclusion map: model x searches x grid -> labelled dataset.

`scan_plane` checks what was asked, maps the chain of one point
(`bsmfit.scan.exclusion_point`) over the plane and labels the result. It knows no kind
of search.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bsmfit.channels.channel import Channel, DefaultAxis
from bsmfit.channels.combination import as_channels, production_processes
from bsmfit.core.argument import instance, shown
from bsmfit.errors import InputError
from bsmfit.physics.excluded_masses import windows_in_words
from bsmfit.physics.model import Model
from bsmfit.scan.blocks import BlockFolder
from bsmfit.scan.devices import chunk_points, local_devices
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.scan.further_axes import FurtherAxes
from bsmfit.scan.grid import Axis, PointList, parse_axis
from bsmfit.scan.parameter_axis import (
    ParameterPoint,
    check_couplings,
    check_parameter_axis,
)
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.planned_map import PlannedMap
from bsmfit.scan.runner import Progress, run_blocks
from bsmfit.scan.store import build_dataset

__all__ = [
    "AxisLike",
    "as_axis",
    "caveats",
    "check_masses",
    "choose_parameter",
    "compute_map",
    "default_axes",
    "label_map",
    "plan_map",
    "scan_plane",
]


AxisLike = (
    Axis
    | PointList
    | np.ndarray
    | jax.Array
    | list[float]
    | tuple[float, float, int]
    | float
)
"""What a user may write for an axis."""

_BESIDE = 1e-9


def scan_plane(
    model: Model,
    channels: Sequence[Channel] | Channel,
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
    parameters: Mapping[str, Sequence[float]] | None = None,
    cl: float = 0.9,
    ordering: str = "likelihood-ratio",
    parameter: str | Mapping[str, AxisLike] | None = None,
    device: str = "auto",
    blocks: BlockFolder | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Scan a plane of mass and coupling, or of a parameter and coupling at one mass.

    Args:
        model: The new physics.
        channels: One or more searches, of any kinds and of different data, combined.
        mass: Mass axis [GeV]: (low, high, points) with equal ratios, an array of
            masses, or an `Axis`; where None one that spans the searches' own, with
            points on both sides of the masses at which a count changes.
        coupling: Coupling axis, likewise.
        parameters: Values of further parameters of the model by name: each is an axis
            of the result, before the mass, and one program computes all planes.
        cl: Confidence level, within (0, 1).
        ordering: What is more signal-like where several regions are combined:
            ``"likelihood-ratio"`` or ``"sum"`` of counts.
        parameter: A further parameter of the model on the first axis in place of the
            mass, which is one number then: its name and axis,
            ``{"lifetime_ps": (10.0, 1e6, 100)}``, or the name alone for its usual axis.
        device: Where it is computed: on all GPUs of this machine (``"gpu"``), on its
            CPU (``"cpu"``), or on what JAX prefers (``"auto"``).
        blocks: Where finished rows are kept; nothing is kept where None. They are
            found again by the digest of the plan, which covers what the model and the
            channels compute.
        progress: Called with (points done, points in all).

    Returns:
        Dataset over (mass, coupling), or (parameter, coupling): signal, limits or CLs,
        status, and in its attributes everything the numbers depend on. Several searches
        have CLs of all together and of each alone, and no limit in events.

    Raises:
        InputError: An axis that is empty, reversed or outside what the model and the
            searches cover, searches that cannot be combined, a level outside (0, 1), or
            there is no such device here.
        UnknownNameError: An unknown production process, parameter, ordering or kind of
            device.
    """
    if blocks is not None:
        instance("blocks", blocks, BlockFolder, hint="write BlockFolder(path)")
    if progress is not None and not callable(progress):
        msg = f"progress = {shown(progress)} cannot be called with (done, all)"
        raise InputError(msg)
    planned = plan_map(
        model,
        channels,
        mass=mass,
        coupling=coupling,
        parameters=parameters,
        cl=cl,
        ordering=ordering,
        parameter=parameter,
        device=device,
    )
    return compute_map(planned, blocks=blocks, progress=progress)


def compute_map(
    planned: PlannedMap,
    *,
    blocks: BlockFolder | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Compute a map that was planned.

    Args:
        planned: The map.
        blocks: Where finished rows are kept, as for `scan_plane`.
        progress: Called with (points done, points in all).

    Returns:
        The dataset, as `scan_plane`.
    """
    cut = planned.cut()
    plane = run_blocks(
        lambda rows, count: planned.compute(rows, cut, count),
        cut,
        planned.coupling.points().size,
        blocks=blocks,
        progress=progress,
    )
    return label_map(planned, plane)


def plan_map(
    model: Model,
    channels: Sequence[Channel] | Channel,
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
    parameters: Mapping[str, Sequence[float]] | None = None,
    cl: float = 0.9,
    ordering: str = "likelihood-ratio",
    parameter: str | Mapping[str, AxisLike] | None = None,
    device: str = "auto",
) -> PlannedMap:
    """Check what was asked of a map, and compute nothing.

    Args:
        model: The new physics.
        channels: One or more searches.
        mass: Mass axis [GeV], as for `scan_plane`.
        coupling: Coupling axis, likewise.
        parameters: Further axes, as for `scan_plane`.
        cl: Confidence level, within (0, 1).
        ordering: As for `scan_plane`.
        parameter: As for `scan_plane`.
        device: Likewise; no number depends on it beyond the last bits.

    Returns:
        The map, of which blocks can be computed.

    Raises:
        InputError: As `scan_plane`.
        UnknownNameError: As `scan_plane`.
    """
    hint = 'write bsmfit.load_model("dark-photon")'
    model = instance("model", model, Model, hint=hint)
    devices = local_devices(device)
    searches = as_channels(channels)
    further = FurtherAxes.of(model, parameters)
    # the value that the model came with is none of its map
    model = model.with_parameters(**further.values(0))
    point = ExclusionPoint.from_model(model, searches, cl=cl, ordering=ordering)
    masses, couplings = default_axes(model, searches, mass=mass, coupling=coupling)
    check_masses(model, searches, masses)
    chosen = choose_parameter(model, masses, parameter)
    if chosen is not None:
        # what is scanned is no choice that the plan depends on
        model = model.with_parameters(**{chosen[0]: chosen[1].low})
    plan = ScanPlan.from_parts(
        model,
        searches,
        mass=masses,
        coupling=couplings,
        cl=point.cl,
        ordering=point.ordering,
        parameter=chosen,
        further=further,
    )
    at_mass = jnp.asarray(masses.low)
    return PlannedMap(
        model=model,
        channels=tuple(searches),
        point=point if chosen is None else ParameterPoint(point, at_mass, chosen[0]),
        first=masses if chosen is None else chosen[1],
        coupling=couplings,
        plan=plan,
        chunk_points=chunk_points(point.kernel.n_value, devices[0]),
        devices=devices,
        further=further,
    )


def choose_parameter(
    model: Model,
    masses: Axis | PointList,
    parameter: str | Mapping[str, AxisLike] | None,
) -> tuple[str, Axis | PointList] | None:
    """Name and axis of the parameter on the first axis of a plane.

    Args:
        model: The new physics.
        masses: The mass axis.
        parameter: As for `scan_plane`.

    Returns:
        Both, or None where the mass is on the first axis.

    Raises:
        UnknownNameError: The model has no such parameter.
        InputError: Several masses beside a parameter, or values that cannot be.
    """
    if parameter is None:
        return None
    if not isinstance(parameter, str):
        hint = 'write {"lifetime_ps": (10.0, 1e6, 100)}'
        given = instance("parameter", parameter, Mapping, hint=hint)
        parameter = {str(name): as_axis(axis) for name, axis in given.items()}
    name, axis = check_parameter_axis(model, parameter)
    if masses.low < masses.high:
        msg = (
            f"{name} is on the first axis of the plane, so the mass is one number: "
            "give --mass 0.22, or mass=0.22"
        )
        raise InputError(msg)
    return name, axis


def label_map(planned: PlannedMap, plane: dict[str, np.ndarray]) -> xr.Dataset:
    """Label the numbers of a map.

    Args:
        planned: The map.
        plane: Its arrays, all rows.

    Returns:
        The dataset, as `scan_plane`.
    """
    dataset = build_dataset(
        plane,
        planned.plan,
        mass=parse_axis(planned.plan.mass, name="mass").points()
        if planned.plan.parameter
        else planned.first.points(),
        coupling=planned.coupling.points(),
        parameter=planned.first.points() if planned.plan.parameter else None,
        searches=planned.exclusion.combination.names,
        ensemble=planned.exclusion.ensemble,
        further=planned.further.axes,
    )
    return _labelled(dataset, planned.model, planned.channels, planned.further.names)


def default_axes(
    model: Model,
    channels: Sequence[Channel],
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
) -> tuple[Axis | PointList, Axis | PointList]:
    """The axes of a scan; where none are given, those that span the searches' own.

    Args:
        model: The new physics.
        channels: The searches.
        mass: Mass axis, or None.
        coupling: Coupling axis, or None.

    Returns:
        Both axes.

    Raises:
        InputError: An axis that is not one, or no coupling axis for this model.
    """
    if coupling is None:
        known = [_default_coupling(c, model) for c in channels]
        given = [axis for axis in known if axis is not None]
        if model.coupling_axis is not None:
            given = [DefaultAxis(*model.coupling_axis)]
        if not given:
            msg = (
                f"{channels[0].name} has no default couplings for {model.name!r}; give "
                "the range of the couplings (--coupling LO:HI:N, or coupling=(low, "
                "high, points))"
            )
            raise InputError(msg)
        couplings = _spanning(given)
    else:
        couplings = as_axis(coupling)
    check_couplings(model, couplings)
    if mass is not None:
        return as_axis(mass), couplings
    masses = _spanning([channel.default_mass for channel in channels])
    low, high = model.mass_range
    masses = replace(masses, low=max(masses.low, low), high=min(masses.high, high))
    nodes = [node for channel in channels for node in channel.mass_nodes]
    nodes += [end for window in model.excluded_masses for end in window]
    return _with_nodes(masses, nodes), couplings


def _default_coupling(channel: Channel, model: Model) -> DefaultAxis | None:
    """The axis for a model, or for one of its couplings where it has several."""
    one = channel.default_coupling(f"{model.name}/{model.coupling}")
    return channel.default_coupling(model.name) if one is None else one


def as_axis(axis: AxisLike) -> Axis | PointList:
    """An axis from what a user may write for one.

    Args:
        axis: (low, high, points) for equal ratios, an array of points, one number, or
            an axis.

    Returns:
        The axis.

    Raises:
        InputError: An axis that is empty, reversed or not positive.
    """
    if isinstance(axis, Axis | PointList):
        return axis
    try:
        if isinstance(axis, tuple):
            low, high, n_points = axis
            return Axis(low, high, n_points)
        return PointList(tuple(np.atleast_1d(np.asarray(axis)).tolist()))
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        msg = (
            f"an axis is (low, high, points) or an array of points, not {axis!r}; "
            "for example (0.2, 0.6, 200)"
        )
        raise InputError(msg) from error


def caveats(model: Model, channels: Sequence[Channel]) -> list[str]:
    """What a reader of a result must know about the combination of its inputs.

    Args:
        model: The new physics.
        channels: The searches.

    Returns:
        Sentences, none where there is nothing to say.
    """
    found = [
        f"{channel.name} is not what its record says"
        f"{_in_brackets(channel.changes)}: this is no result of published data"
        for channel in channels
        if not channel.is_published
    ]
    found += [text for channel in channels for text in channel.caveats(model.preset)]
    known = {process for channel in channels for process in channel.processes}
    foreign = [p for p in production_processes(model) if p not in known]
    if foreign:
        found.append(
            f"production by {', '.join(foreign)} takes part in none of these searches"
        )
    return found


def _in_brackets(changes: Sequence[str]) -> str:
    return f" ({', '.join(changes)})" if changes else ""


def check_masses(
    model: Model, channels: Sequence[Channel], masses: Axis | PointList
) -> None:
    """Refuse masses that the model or all searches know nothing about.

    A mass that some of several searches do not cover is fine: they are closed there and
    add nothing. Where all are closed, the points have a status that says so.

    Args:
        model: The new physics.
        channels: The searches.
        masses: The mass axis [GeV].

    Raises:
        InputError: A mass outside, or no search, or not the model, says anything at any
            of them.
    """
    low, high = model.mass_range
    names = [model.name]
    known = [channel.known_masses for channel in channels]
    lowest, highest = min(k[0] for k in known), max(k[1] for k in known)
    if lowest > low or highest < high:
        names.append(", ".join(channel.name for channel in channels))
    low, high = max(low, lowest), min(high, highest)
    if masses.low < low or masses.high > high:
        who = f"{' and '.join(names)} {'covers' if len(names) == 1 else 'cover'}"
        msg = (
            f"mass range {masses.low:g} to {masses.high:g} GeV goes beyond what "
            f"{who}, {low:.5g} to {high:.5g} GeV; choose masses inside it"
        )
        raise InputError(msg)
    points = jnp.asarray(masses.points())
    if not bool(jnp.any(model.defines(points))):
        msg = (
            f"{model.name} says nothing at any mass from {masses.low:g} to "
            f"{masses.high:g} GeV: {windows_in_words(model)}"
        )
        raise InputError(msg)
    if not any(bool(jnp.any(jax.vmap(c.covers)(points))) for c in channels):
        who = " and ".join(channel.name for channel in channels)
        verb = "says" if len(channels) == 1 else "say"
        msg = (
            f"{who} {verb} nothing at any mass from {masses.low:g} to {masses.high:g} "
            "GeV; `bsmfit show NAME` lists the masses of a search"
        )
        raise InputError(msg)


def _labelled(
    dataset: xr.Dataset,
    model: Model,
    channels: Sequence[Channel],
    scanned: Sequence[str],
) -> xr.Dataset:
    """Symbols, units and caveats."""
    dataset.attrs["caveats"] = json.dumps(caveats(model, channels))
    first = str(dataset.attrs.get("first_axis", "mass"))
    values = {
        name: float(value)
        for name, value in model.parameters.items()
        if name not in (first, *scanned)
    }
    if values:
        dataset.attrs["parameters"] = json.dumps(values)
    notes = [model.parameter_note(name) for name in (*values, *scanned)]
    labels = {n.name: [n.symbol, n.unit] for n in notes if n.symbol or n.unit != "1"}
    if labels:
        dataset.attrs["parameter_labels"] = json.dumps(labels)
    for name in (*scanned, *((first,) if first != "mass" else ())):
        note = model.parameter_note(name)
        dataset[name].attrs["units"] = note.unit
        if note.symbol:
            dataset[name].attrs["symbol"] = f"${note.symbol}$"
    is_published = all(channel.is_published for channel in channels)
    dataset.attrs["is_published"] = int(is_published)
    if not is_published:
        dataset.attrs["changes"] = json.dumps({c.name: c.changes for c in channels})
        dataset.attrs["comment"] = "changed inputs, not published data; bsmfit"
    if model.particle:
        dataset["mass"].attrs["symbol"] = f"$m_{{{model.particle}}}$"
    dataset[model.coupling].attrs["units"] = model.coupling_unit
    if model.coupling_symbol:
        dataset[model.coupling].attrs["symbol"] = f"${model.coupling_symbol}$"
    return dataset


def _spanning(axes: Sequence[DefaultAxis]) -> Axis:
    """One axis over all of some, in equal ratios unless all have equal steps."""
    spacings = {axis.spacing for axis in axes}
    return Axis(
        min(axis.low for axis in axes),
        max(axis.high for axis in axes),
        max(axis.n_points for axis in axes),
        spacings.pop() if len(spacings) == 1 else "log",
    )


def _with_nodes(axis: Axis, nodes: Sequence[float]) -> Axis | PointList:
    """The axis with points on both sides of masses at which the answer jumps."""
    extra = [
        node * (1.0 + side * _BESIDE)
        for node in nodes
        for side in (-1.0, 1.0)
        if axis.low < node * (1.0 - _BESIDE) and node * (1.0 + _BESIDE) < axis.high
    ]
    if not extra:
        return axis
    points = np.unique(np.concatenate([axis.points(), extra]))
    return PointList(tuple(float(point) for point in points))
