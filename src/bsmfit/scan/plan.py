"""What makes two scans the same scan.

A plan is everything that a result depends on: model, preset, channels, both axes, the
confidence level, the package version, the hash of every data file that is read and of
what model and channels compute. Its hash names the scan: block files and results carry
it, so that a rerun continues what is its own and never mixes two scans in one folder.

    (model, channels, axes, cl) -> ScanPlan -> canonical JSON -> SHA-256
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bsmfit._version import __version__
from bsmfit.core.regular_file import read_regular
from bsmfit.errors import InputError, OutputError
from bsmfit.scan.atomic import atomic_file, make_folder
from bsmfit.scan.blocks import BLOCK_POINTS
from bsmfit.scan.further_axes import FurtherAxes
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.identity import computation_digest

__all__ = [
    "MAX_POINTS",
    "PLAN_FILE",
    "RESULT_FILES",
    "PlannedChannel",
    "PlannedModel",
    "ScanPlan",
    "claim_folder",
]

PLAN_FILE = "plan.json"
_MAX_BYTES = 10_000_000
RESULT_FILES = (
    "scan.nc",
    "blocks",
    "contour.csv",
    "contour_expected.csv",
    "contour.png",
    "contour.pdf",
)
"""What a scan writes into its folder: none of it is taken from somebody else."""

_CONTOUR_FILE = re.compile(
    r"contour(_expected)?(_[A-Za-z0-9_]+=[-+.0-9e]+)*\.(csv|png|pdf)"
)

MAX_POINTS = 50_000_000
"""Largest plane: its result takes 5 GB."""


@runtime_checkable
class PlannedModel(Protocol):
    """What a plan reads off a model.

    Attributes of every model: `name`, `preset` (or None), `coupling` (the name of the
    coupling) and `inputs`, pairs (data file, SHA-256) of what it was built from.
    """

    @property
    def name(self) -> str:
        """Name."""
        ...

    @property
    def preset(self) -> str | None:
        """Name of the preset of theory choices."""
        ...

    @property
    def coupling(self) -> str:
        """Name of the coupling."""
        ...

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Data files and their SHA-256."""
        ...


@runtime_checkable
class PlannedChannel(Protocol):
    """What a plan reads off a channel: `name` and `inputs`, as for a model."""

    @property
    def name(self) -> str:
        """Name."""
        ...

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Data files and their SHA-256."""
        ...


@dataclass(frozen=True)
class ScanPlan:
    """Everything that the numbers of a scan depend on.

    Attributes:
        model: Name of the model.
        preset: Name of the preset of theory choices, or None for the model's own.
        channels: Names of the channels that are combined, sorted.
        coupling_name: Name of the coupling, the second dimension of the result.
        mass: Mass axis as `parse_axis` reads it [GeV].
        coupling: Coupling axis as `parse_axis` reads it [1].
        cl: Confidence level, within (0, 1).
        ordering: What is more signal-like: ``"count"`` for one region.
        inputs: Pairs (data file, SHA-256), sorted.
        parameter: Further parameter of the model on the first axis, in place of the
            mass, which is one number then; "" where the mass is on it.
        parameter_axis: Its axis as `parse_axis` reads it; "" likewise.
        further: Pairs (parameter, its values) of the axes beside mass and coupling.
        numbers: SHA-256 of what the model and the channels compute, so that a constant
            captured by a function, an efficiency or an exposure changed by hand is
            another scan.
        version: Version of the package.
    """

    model: str
    preset: str | None
    channels: tuple[str, ...]
    coupling_name: str
    mass: str
    coupling: str
    cl: float
    ordering: str = "count"
    inputs: tuple[tuple[str, str], ...] = ()
    parameter: str = ""
    parameter_axis: str = ""
    further: tuple[tuple[str, str], ...] = ()
    numbers: str = ""
    version: str = __version__

    @classmethod
    def from_parts(
        cls,
        model: PlannedModel,
        channels: Sequence[PlannedChannel],
        *,
        mass: Axis | PointList,
        coupling: Axis | PointList,
        cl: float,
        ordering: str = "count",
        parameter: tuple[str, Axis | PointList] | None = None,
        further: FurtherAxes | None = None,
    ) -> ScanPlan:
        """Plan the scan of a model against a combination of channels.

        Args:
            model: The model.
            channels: The channels, at least one, none twice.
            mass: Mass axis [GeV].
            coupling: Coupling axis [1].
            cl: Confidence level, within (0, 1).
            ordering: What is more signal-like.
            parameter: Name and axis of a further parameter on the first axis in place
                of the mass, which is one number then.
            further: Axes beside mass and coupling.

        Returns:
            The plan.

        Raises:
            InputError: No channel, a channel given twice, or `cl` outside (0, 1).
        """
        if not 0.0 < cl < 1.0:
            msg = f"cl = {cl:g}: a confidence level lies within (0, 1), such as 0.9"
            raise InputError(msg)
        names = sorted(channel.name for channel in channels)
        if not names:
            msg = "a scan needs at least one channel"
            raise InputError(msg)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"channel {twice[0]!r} is given twice; its data would count twice"
            raise InputError(msg)
        axes = FurtherAxes() if further is None else further
        first = mass if parameter is None else parameter[1]
        n_points = axes.n_plane * first.points().size * coupling.points().size
        if n_points > MAX_POINTS:
            raise InputError(_too_many(n_points, axes.n_plane))
        inputs = {pair for part in (model, *channels) for pair in part.inputs}
        return cls(
            model=model.name,
            preset=model.preset,
            channels=tuple(names),
            coupling_name=model.coupling,
            mass=str(mass),
            coupling=str(coupling),
            cl=cl,
            ordering=ordering,
            inputs=tuple(sorted(inputs)),
            parameter="" if parameter is None else parameter[0],
            parameter_axis="" if parameter is None else str(parameter[1]),
            further=axes.in_words(),
            numbers=computation_digest(model, sorted(channels, key=_name)),
        )

    @classmethod
    def from_json(cls, text: str) -> ScanPlan:
        """Read what `to_json` wrote.

        Raises:
            InputError: The text is not a plan.
        """
        try:
            fields = json.loads(text)
            fields["channels"] = tuple(fields["channels"])
            fields["inputs"] = tuple(sorted(fields["inputs"].items()))
            fields["further"] = tuple(map(tuple, fields.get("further", ())))
            return cls(**fields)
        except (
            *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
        ) as error:
            msg = f"not the plan of a scan: {error}"
            raise InputError(msg) from error

    def to_json(self) -> str:
        """Return the plan as canonical JSON: sorted keys, no space."""
        fields = asdict(self) | {"inputs": dict(self.inputs)}
        if not self.further:
            del fields["further"]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    def identity(self) -> str:
        """Return the SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def differences(self, other: ScanPlan) -> list[str]:
        """Say, one line per field, where another plan differs from this one."""
        mine, theirs = asdict(self), asdict(other)
        lines = [
            f"{key}: {_shown(theirs[key])} there, {_shown(value)} now"
            for key, value in mine.items()
            if key not in ("inputs", "numbers") and theirs[key] != value
        ]
        changed = {name for name, _ in set(self.inputs) ^ set(other.inputs)}
        lines += [f"data file {name} has changed" for name in sorted(changed)]
        if not lines and self.numbers != other.numbers:
            lines = ["what the model or a channel computes has changed"]
        return lines


def claim_folder(directory: Path, plan: ScanPlan, *, overwrite: bool = False) -> None:
    """Make a folder this scan's own, before anything is computed.

    A folder without a result or block is taken; one with those of the same plan is
    continued; one with those of another plan is refused, unless it may be overwritten.

    Args:
        directory: The output folder; made where it does not exist.
        plan: The scan that is to be written there.
        overwrite: Take the folder also from another scan, whose contours and figures
            are removed.

    Raises:
        OutputError: The folder cannot be written to or holds another scan.
    """
    make_folder(directory)
    path = directory / PLAN_FILE
    if overwrite:
        _remove_contours(directory)
    has_results = any((directory / name).exists() for name in RESULT_FILES)
    if has_results and not overwrite:
        _check_same_plan(path, plan)
    with atomic_file(path) as temporary:
        temporary.write_text(plan.to_json() + "\n", encoding="utf-8")


def _remove_contours(directory: Path) -> None:
    """Remove contours and figures of the run before, and nothing else."""
    for found in list(directory.iterdir()):
        if _CONTOUR_FILE.fullmatch(found.name):
            found.unlink(missing_ok=True)


def _check_same_plan(path: Path, plan: ScanPlan) -> None:
    """Refuse a folder whose results are not those of this plan."""
    advice = "choose another folder or pass --overwrite to replace what is there"
    try:
        content = read_regular(path, max_bytes=_MAX_BYTES)
        found = ScanPlan.from_json(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path.parent} holds results without a readable {path.name}; {advice}"
        raise OutputError(msg) from error
    if found != plan:
        differences = "; ".join(plan.differences(found))
        msg = f"{path.parent} holds another scan ({differences}); {advice}"
        raise OutputError(msg)


def _too_many(n_points: int, n_plane: int) -> str:
    """Say into how many runs and blocks a map is to be cut."""
    n_run = -(-n_points // MAX_POINTS)
    n_block = -(-n_points // (n_run * BLOCK_POINTS))
    where = "planes" if n_plane > 1 else "plane"
    return (
        f"the {where} have {n_points:.3g} points, more than the {MAX_POINTS:.0e} that "
        f"one result holds in memory (5 GB): cut masses or values of parameters into "
        f"{n_run} run cards (`bsmfit batch run`), each of {n_block} blocks of "
        f"{BLOCK_POINTS} points"
    ).replace("the plane have", "the plane has")


def _name(channel: PlannedChannel) -> str:
    return channel.name


def _shown(value: object) -> str:
    """Write a field of a plan as a user would."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return "; ".join(f"{name} = {values}" for name, values in value)
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)
