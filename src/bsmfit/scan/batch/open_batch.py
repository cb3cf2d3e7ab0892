"""A run card made into a run: what it names is loaded, and a folder is its own.

card -> plan_card -> (map, manifest) -> open_batch -> folder claimed -> Batch
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.overrides import all_overridden, overridden
from bsmfit.channels.channel import Channel
from bsmfit.errors import InputError, OutputError, UnknownNameError
from bsmfit.scan.batch.host import Host
from bsmfit.scan.batch.manifest import (
    MANIFEST_FILE,
    RESULT_FILE,
    Manifest,
    claim_manifest,
)
from bsmfit.scan.batch.run_card import AxisCard, ParameterAxisCard, RunCard
from bsmfit.scan.exclusion_map import plan_map
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.physical_points import check_planned
from bsmfit.scan.plan import claim_folder
from bsmfit.scan.planned_map import PlannedMap

__all__ = ["Batch", "open_batch", "plan_card", "reopen_batch"]

_HOST = Host()


@dataclass(frozen=True)
class Batch:
    """A run that has a folder.

    Attributes:
        directory: The folder.
        manifest: What it holds.
        planned: What computes its blocks.
    """

    directory: Path
    manifest: Manifest
    planned: PlannedMap

    def missing(self, share: tuple[int, int] = (1, 1)) -> list[range]:
        """Blocks that are not on disk, or damaged there.

        Args:
            share: (I, N) for every N-th block from the I-th on, 1 <= I <= N.

        Returns:
            Their rows.
        """
        folder = self.manifest.folder(self.directory)
        first, step = share
        mine = self.manifest.cut.blocks()[first - 1 :: step]
        return [rows for rows in mine if not folder.is_whole(rows)]

    def compute(self, rows: range) -> None:
        """Compute one block and write it."""
        block = self.planned.compute(rows, self.manifest.cut)
        self.manifest.folder(self.directory).save(rows, block)


def plan_card(card: RunCard, host: Host = _HOST) -> tuple[PlannedMap, Manifest]:
    """Load what a card names, check it, and compute nothing.

    Args:
        card: The card.
        host: Where it is computed, and whether code that it names may run.

    Returns:
        The map, and the manifest of its blocks on this device.

    Raises:
        InputError: An axis, searches that cannot be combined, no such device, or code
            that is not allowed.
        UnknownNameError: No such model, preset, process or search.
        DataFileError: A record or table is not valid.
    """
    model = load_model(
        card.model,
        card.preset,
        processes=card.processes,
        allow_code=host.allow_code,
    )
    planned = plan_map(
        model.with_parameters(**card.parameters),
        _channels(card),
        mass=_axis(card.axes.mass),
        coupling=_axis(card.axes.coupling),
        parameters={name: _values(axis) for name, axis in card.axes.parameters.items()},
        cl=card.cl,
        ordering=card.ordering,
        device=host.device,
    )
    if card.ordering != "likelihood-ratio" and planned.exclusion.ordering == "count":
        msg = (
            f"ordering {card.ordering} has no effect on one search with one region; "
            "leave it out, or combine several"
        )
        raise InputError(msg)
    manifest = Manifest(
        card=card,
        plan_hash=planned.plan.identity(),
        cut=planned.cut(card.block_points),
        n_coupling=planned.coupling.points().size,
    )
    return planned, manifest


def open_batch(
    card: RunCard, directory: Path, *, overwrite: bool = False, host: Host = _HOST
) -> Batch:
    """Make a folder the one of a card, or find that it is.

    Args:
        card: The card.
        directory: The folder; made where it does not exist. The caller has locked it.
        overwrite: Replace the run that is there.
        host: As for `plan_card`.

    Returns:
        The run.

    Raises:
        InputError: As `plan_card`; or a function of the card gives no particle at any
            point.
        OutputError: The folder holds another run, or cannot be written to.
    """
    planned, mine = plan_card(card, host)
    if host.allow_code:
        check_planned(planned)
    path = directory / MANIFEST_FILE
    if path.exists() and not overwrite:
        mine = claim_manifest(directory, mine)
    claim_folder(directory, planned.plan, overwrite=overwrite)
    if overwrite:
        mine.folder(directory).remove()
        (directory / RESULT_FILE).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    return Batch(directory, claim_manifest(directory, mine), planned)


def reopen_batch(directory: Path, *, host: Host = _HOST) -> Batch:
    """Load the run of a folder, for a worker or to merge it.

    Args:
        directory: The folder.
        host: As for `plan_card`.

    Returns:
        The run.

    Raises:
        DataFileError: The folder holds no run.
        OutputError: Data files or the package are no longer those of the run.
    """
    manifest = Manifest.read(directory)
    planned, now = plan_card(manifest.card, host)
    differences = now.differences(manifest)
    if differences:
        msg = (
            f"{directory} cannot be continued ({'; '.join(differences)}); choose "
            "another folder, or run the card with --overwrite"
        )
        raise OutputError(msg)
    return Batch(directory, manifest, planned)


def _channels(card: RunCard) -> list[Channel]:
    """The searches of a card, with its own numbers."""
    channels = [load_channel(name) for name in card.channels]
    ids = [channel.name for channel in channels]
    for name in card.own_numbers.channels:
        if name not in ids:
            kind = "channel in own_numbers,"
            raise UnknownNameError.from_choices(kind, name, ids)
    if card.override is not None:
        channels = list(all_overridden(channels, card.override))
    return [
        overridden(channel, numbers) if numbers else channel
        for channel, numbers in (
            (channel, _numbers(card, name))
            for channel, name in zip(channels, ids, strict=True)
        )
    ]


def _numbers(card: RunCard, channel: str) -> dict[str, Any]:
    """Own numbers of one search: those for all, and over them its own."""
    whole = card.own_numbers
    found = whole.model_dump(exclude={"channels"}, exclude_defaults=True)
    one = whole.channels.get(channel)
    return found | (one.model_dump(exclude_defaults=True) if one else {})


def _values(card: ParameterAxisCard) -> list[float]:
    """The points of a further axis."""
    if card.values is not None:
        return list(card.values)
    assert card.low is not None
    assert card.high is not None
    assert card.points is not None
    if card.low >= card.high:
        msg = (
            f"axis from {card.low:g} to {card.high:g} is empty or reversed; for one "
            "value write it under parameters"
        )
        raise InputError(msg)
    spread = np.geomspace if card.spacing == "log" else np.linspace
    return spread(card.low, card.high, card.points).tolist()


def _axis(card: AxisCard | None) -> Axis | PointList | None:
    """The axis of a card."""
    if card is None:
        return None
    if card.values is not None:
        return PointList(card.values)
    assert card.low is not None
    assert card.high is not None
    assert card.points is not None
    return Axis(card.low, card.high, card.points, card.spacing)
