"""An exclusion map: model x channels x grid -> labelled dataset.

`scan_plane` checks what was asked, maps the point function of the channels' kind over
the plane (`bsmfit.scan.exclusion_point` for beam-dump searches,
`bsmfit.scan.invisible_point` for K+ -> pi+ X) and labels the result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import jax
import numpy as np
import xarray as xr

from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.channels.channel import Channel
from bsmfit.channels.pi_invisible import PiInvisibleChannel
from bsmfit.errors import InputError
from bsmfit.physics.model import Model
from bsmfit.scan.blocks import BlockFolder
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.invisible_point import InvisiblePoint
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import (
    CHUNK_POINTS,
    Progress,
    run_plane,
)
from bsmfit.scan.store import build_dataset

__all__ = [
    "AxisLike",
    "as_axis",
    "caveats",
    "check_masses",
    "default_axes",
    "exclusion_point",
    "scan_plane",
]


AxisLike = (
    Axis | PointList | np.ndarray | jax.Array | list[float] | tuple[float, float, int]
)
"""What a user may write for an axis."""


def scan_plane(
    model: Model,
    channels: Sequence[Channel] | Channel,
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
    cl: float = 0.9,
    blocks: BlockFolder | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Scan a plane of mass and coupling.

    Args:
        model: The new physics.
        channels: One or more searches of one kind, combined.
        mass: Mass axis [GeV]: (low, high, points) with equal ratios, an array of
            masses, or an `Axis`; that of the first channel where None.
        coupling: Coupling axis, likewise.
        cl: Confidence level, within (0, 1).
        blocks: Where finished rows are kept; nothing is kept where None. They are
            found again by the digest of the plan, which covers every number of the
            model and the channels but not the code of a function of your own.
        progress: Called with (points done, points in all).

    Returns:
        Dataset over (mass, coupling): signal, limits, CLs, status, and in its
        attributes everything the numbers depend on.

    Raises:
        InputError: An axis that is empty, reversed or outside what the model and the
            channels cover, or a confidence level outside (0, 1).
        UnknownNameError: A production process that a channel has no yields for.
    """
    selected = (channels,) if isinstance(channels, Channel) else tuple(channels)
    point = exclusion_point(model, selected, cl=cl)
    masses, couplings = default_axes(model, selected, mass=mass, coupling=coupling)
    check_masses(model, selected, masses)
    plan = ScanPlan.from_parts(
        model, selected, mass=masses, coupling=couplings, cl=point.cl
    )
    plane = run_plane(
        point,
        masses.points(),
        coupling=couplings.points(),
        blocks=blocks,
        chunk_points=_chunk_points(point),
        progress=progress,
    )
    dataset = build_dataset(
        plane, plan, mass=masses.points(), coupling=couplings.points()
    )
    dataset.attrs["caveats"] = json.dumps(caveats(model, selected))
    if model.particle:
        dataset["mass"].attrs["symbol"] = f"$m_{{{model.particle}}}$"
    dataset[model.coupling].attrs["units"] = model.coupling_unit
    if model.coupling_symbol:
        dataset[model.coupling].attrs["symbol"] = f"${model.coupling_symbol}$"
    return dataset


def exclusion_point(
    model: Model, channels: Sequence[Channel], *, cl: float = 0.9
) -> ExclusionPoint | InvisiblePoint:
    """Join a model and searches of one kind into the function of one point.

    Args:
        model: The new physics.
        channels: The searches, all of one kind.
        cl: Confidence level, within (0, 1).

    Returns:
        The function that a map evaluates.

    Raises:
        InputError: Searches of different kinds, or what their kind refuses.
    """
    is_invisible = [isinstance(channel, PiInvisibleChannel) for channel in channels]
    if any(is_invisible) and not all(is_invisible):
        names = ", ".join(channel.name for channel in channels)
        msg = (
            f"{names}: a map combines searches of one kind; make one map for each, or "
            "join their likelihoods at one point (bsmfit.combine)"
        )
        raise InputError(msg)
    kind = InvisiblePoint if any(is_invisible) else ExclusionPoint
    return kind.from_model(model, channels, cl=cl)


def default_axes(
    model: Model,
    channels: Sequence[Channel],
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
) -> tuple[Axis | PointList, Axis | PointList]:
    """The axes of a scan, those of the first channel where none are given.

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
    first = channels[0]
    if isinstance(first, BeamDumpChannel):
        masses: AxisLike = first.default_mass
        couplings: AxisLike | None = first.default_coupling
    else:
        known = dict(first.default_coupling)
        masses = Axis(*first.default_mass, spacing="lin")
        couplings = coupling if coupling is not None else known.get(model.name)
        if couplings is None:
            msg = (
                f"{first.name} has no default couplings for {model.name!r} (known: "
                f"{', '.join(known)}); give the range of the couplings"
            )
            raise InputError(msg)
    return (
        as_axis(masses if mass is None else mass),
        as_axis(couplings if coupling is None else coupling),
    )


def _chunk_points(point: ExclusionPoint | InvisiblePoint) -> int:
    """Points evaluated at once, fewer where each has many nodes to average over."""
    if isinstance(point, InvisiblePoint):
        return CHUNK_POINTS
    n_node = point.quadrature.signal_weights.size
    return max(256, CHUNK_POINTS // max(1, n_node // 128))


def as_axis(axis: AxisLike) -> Axis | PointList:
    """An axis from what a user may write for one.

    Args:
        axis: (low, high, points) for equal ratios, an array of points, or an axis.

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
            return Axis(float(low), float(high), int(n_points))
        return PointList(tuple(float(point) for point in np.asarray(axis)))
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
    return [
        f"the selection efficiency of {channel.name} belongs to the preset "
        f"{channel.efficiency_preset!r}: with {model.preset!r} it carries the norm of "
        "another production, and the limit is off by as much"
        for channel in channels
        if isinstance(channel, BeamDumpChannel)
        and channel.efficiency_preset != model.preset
    ] + [
        f"the counts of {channel.name} are reconstructed from "
        f"{'a given' if 'own-limit' in channel.name else 'its published'} limit for "
        "stable X; lifetimes, models and other levels are ours"
        for channel in channels
        if isinstance(channel, PiInvisibleChannel) and channel.published is not None
    ]


def check_masses(
    model: Model, channels: Sequence[Channel], masses: Axis | PointList
) -> None:
    """Refuse masses that the model or all channels know nothing about.

    A mass below the table of one of several channels is fine: the channel is closed
    there and adds nothing. Searches in kaon decays take any mass of the model: where
    they say nothing, the points have a status that says so.

    Args:
        model: The new physics.
        channels: The searches.
        masses: The mass axis [GeV].

    Raises:
        InputError: A mass outside.
    """
    low, high = model.mass_range
    names = [model.name]
    if not any(isinstance(channel, PiInvisibleChannel) for channel in channels):
        low = max(low, min(c.mass_range[0] for c in channels))
        high = min(high, max(c.mass_range[1] for c in channels))
        names.append(", ".join(channel.name for channel in channels))
    if masses.low < low or masses.high > high:
        who = f"{' and '.join(names)} {'covers' if len(names) == 1 else 'cover'}"
        msg = (
            f"mass range {masses.low:g} to {masses.high:g} GeV goes beyond what "
            f"{who}, {low:.5g} to {high:.5g} GeV; choose masses inside it"
        )
        raise InputError(msg)
