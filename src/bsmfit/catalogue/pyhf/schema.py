"""The structure of a pyhf workspace, as pyhf's schema 1.0.0 has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from bsmfit.catalogue.arguments import as_path, shown
from bsmfit.catalogue.files import display_path, read_text
from bsmfit.catalogue.pyhf.json_text import parse_json
from bsmfit.catalogue.schema_errors import join_keys
from bsmfit.errors import DataFileError, InputError, UnknownNameError
from bsmfit.records.strict_model import Items, StrictModel, first_duplicate

__all__ = [
    "ChannelEntry",
    "ConfigEntry",
    "ModifierEntry",
    "ParameterEntry",
    "SampleEntry",
    "WorkspaceContent",
    "find_config",
    "read_workspace",
    "refuse_twice",
]

_N_FAULTS = 3  # as many are named in a message
# JSON's words for what pydantic calls a tuple, and a dictionary or an instance
_KINDS = {
    "tuple_type": "Input should be a list",
    "model_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
}


class ModifierEntry(StrictModel):
    """How a sample depends on a parameter."""

    name: str
    type: str
    data: Any


class SampleEntry(StrictModel):
    """Expected events of one process in one channel."""

    name: str
    data: Items[float]
    modifiers: Items[ModifierEntry]


class ChannelEntry(StrictModel):
    """One region of several bins."""

    name: str
    samples: Items[SampleEntry]


class ObservationEntry(StrictModel):
    """Observed events of a channel."""

    name: str
    data: Items[float]


class ParameterEntry(StrictModel):
    """Settings of one parameter in a measurement."""

    name: str
    inits: Items[float] | None = None
    bounds: Items[Items[float]] | None = None
    auxdata: Items[float] | None = None
    factors: Items[float] | None = None
    sigmas: Items[float] | None = None
    fixed: bool = False


class ConfigEntry(StrictModel):
    """Parameter of interest and settings of parameters."""

    poi: str
    parameters: Items[ParameterEntry]


class MeasurementEntry(StrictModel):
    """One measurement."""

    name: str
    config: ConfigEntry


class WorkspaceContent(StrictModel):
    """A workspace."""

    channels: Items[ChannelEntry]
    measurements: Items[MeasurementEntry]
    observations: Items[ObservationEntry]
    version: str


def read_workspace(source: object) -> tuple[str, WorkspaceContent]:
    """Read a workspace and check its structure.

    Args:
        source: The JSON file, or its content as a mapping.

    Returns:
        What the workspace is called in messages, and its content.

    Raises:
        InputError: The source is neither.
        DataFileError: The file cannot be read or is not a workspace.
    """
    if isinstance(source, Mapping):
        origin, content = "workspace", source
    else:
        path = as_path(source, what="a pyhf workspace, if it is not a mapping,")
        origin = display_path(path)
        content = parse_json(origin, read_text(path))
    workspace = _validate(origin, content)
    _check_names(origin, workspace)
    return origin, workspace


def _validate(origin: str, content: Any) -> WorkspaceContent:
    try:
        return WorkspaceContent.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{join_keys(tuple(fault['loc'])) or 'the top level'}: "
            f"{_KINDS.get(fault['type'], fault['msg'])}"
            f"{_given(fault['type'], fault['input'])}"
            for fault in error.errors(include_url=False, include_context=False)[
                :_N_FAULTS
            ]
        ]
        n_more = error.error_count() - len(faults)
        more = f" (and {n_more} more)" if n_more else ""
        msg = f"{origin} is not a pyhf workspace: {'; '.join(faults)}{more}"
        raise DataFileError(msg) from error


def _given(kind: str, value: object) -> str:
    return "" if kind == "missing" else f" (given: {shown(value)})"


def _check_names(origin: str, workspace: WorkspaceContent) -> None:
    """Refuse names that are missing, unknown or given twice."""
    if workspace.version != "1.0.0":
        msg = f"{origin}: version {shown(workspace.version)}; only '1.0.0' can be read"
        raise DataFileError(msg)
    names = {channel.name for channel in workspace.channels}
    for observation in workspace.observations:
        if observation.name not in names:
            msg = (
                f"{origin}: observed events of {shown(observation.name)}, not a "
                "channel; remove them or correct the name"
            )
            raise DataFileError(msg)
    for kind, entries in (
        ("channel", workspace.channels),
        ("observation", workspace.observations),
        ("measurement", workspace.measurements),
    ):
        refuse_twice(origin, kind, [entry.name for entry in entries])
        if not entries:
            msg = f"{origin} has no {kind}; a workspace needs one or more"
            raise DataFileError(msg)


def find_config(
    origin: str, workspace: WorkspaceContent, measurement: object
) -> ConfigEntry:
    """Return the settings of a measurement.

    Args:
        origin: What the workspace is called in messages.
        workspace: The workspace.
        measurement: Name of the measurement; None: the first one.

    Returns:
        Its settings.

    Raises:
        InputError: The name is no text.
        UnknownNameError: There is no such measurement.
        DataFileError: A parameter is set twice, or the parameter of interest is fixed.
    """
    names = [entry.name for entry in workspace.measurements]
    chosen = workspace.measurements[0]
    if measurement is not None:
        if not isinstance(measurement, str):
            msg = f"measurement is {shown(measurement)}; give one of {names} or None"
            raise InputError(msg)
        if measurement not in names:
            kind = f"measurement of {origin}"
            raise UnknownNameError.from_choices(kind, measurement, names)
        chosen = workspace.measurements[names.index(measurement)]
    where = f"{origin}, measurement {shown(chosen.name)}"
    refuse_twice(where, "parameter", [p.name for p in chosen.config.parameters])
    for parameter in chosen.config.parameters:
        if parameter.name == chosen.config.poi and parameter.fixed:
            msg = (
                f"{where}: the parameter of interest {shown(parameter.name)} is fixed; "
                "remove 'fixed' there, or choose another measurement"
            )
            raise DataFileError(msg)
    return chosen.config


def refuse_twice(where: str, kind: str, names: Sequence[str]) -> None:
    """Refuse a name that occurs twice.

    Args:
        where: Place in the workspace, for the message.
        kind: What the names stand for.
        names: The names.

    Raises:
        DataFileError: One occurs twice.
    """
    name = first_duplicate(names)
    if name is not None:
        msg = f"{where}: {kind} {name} occurs twice; rename or remove one of them"
        raise DataFileError(msg)
