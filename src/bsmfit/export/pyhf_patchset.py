"""Signal hypotheses of a grid as a pyhf patch set.

HEPData's form of a published likelihood: one workspace and, for each point of the grid,
a JSON patch that turns its signal into that of the point. The patch set carries the
SHA-256 of the workspace, so that a reader notices a workspace of another result.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.argument import instances, real_number, text
from bsmfit.errors import InputError
from bsmfit.export.pyhf_differences import PyhfDifference
from bsmfit.export.pyhf_workspace import (
    VERSION,
    Json,
    WorkspaceWriter,
    check_export,
    validate_pyhf,
)
from bsmfit.likelihood.likelihood import Likelihood, broadcast_points, point_shape

__all__ = ["PyhfPatchset", "to_pyhf_patchset"]

_N_CHECKED = 16


@dataclass(frozen=True)
class PyhfPatchset:
    """A workspace and one patch for each point of a grid.

    Attributes:
        workspace: The workspace of the first point, which the patches change.
        patchset: The patches, ready for `json` or ``pyhf.PatchSet``.
        differences: As of `PyhfExport`, for the first point.
    """

    workspace: Json
    patchset: Json
    differences: tuple[PyhfDifference, ...]


def to_pyhf_patchset(
    likelihood: Likelihood,
    *,
    labels: Sequence[str],
    values: Sequence[Sequence[float | str]] | np.ndarray | Float[Array, "n_point _"],
    inspire_record: str,
    description: str = "Signal hypotheses written by bsmfit",
    strength_name: str = "mu",
    measurement: str = "bsmfit",
    normsys: str = "code4",
) -> PyhfPatchset:
    """Write a likelihood with grid axes as a workspace and a patch for each point.

    A patch replaces the samples (and observed counts) that differ from those of the
    first point. ``pyhf.PatchSet(patchset)["point_7"]`` is the patch of point 7, counted
    in the order of a flattened grid.

    Args:
        likelihood: The likelihood; its grid axes are the points.
        labels: Names of the coordinates: letters, digits and underscores.
        values: Coordinates of each point, one row for each; no two rows equal.
        inspire_record: The result that the workspace belongs to, as HEPData names it:
            ``"ins"`` and seven digits. pyhf's schema wants one.
        description: What the patches are.
        strength_name: Name of the signal strength.
        measurement: Name of the measurement.
        normsys: As of `to_pyhf_workspace`.

    Returns:
        The workspace, the patch set and the differences.

    Raises:
        InputError: A label, a record or the number of values does not fit, or
            HistFactory cannot express something.
    """
    check_export(likelihood, strength_name, measurement, normsys)
    points = jax.tree.map(np.asarray, broadcast_points(likelihood))
    n_point = math.prod(point_shape(likelihood))
    labels = instances("labels", labels, str, hint='write ["mass", "coupling"]')
    rows = [_row(index, row) for index, row in enumerate(_rows(values))]
    _check_labels(labels, rows, inspire_record, n_point)

    def export(index: int) -> tuple[Json, WorkspaceWriter]:
        point = jax.tree.map(lambda leaf: leaf[index], points)
        writer = WorkspaceWriter(point, strength_name, normsys)
        return writer.workspace(measurement), writer

    workspace, first = export(0)
    patches = [
        {
            "metadata": {"name": f"point_{index}", "values": row},
            "patch": _patch(workspace, export(index)[0]),
        }
        for index, row in enumerate(rows)
    ]
    text = json.dumps(workspace, sort_keys=True, ensure_ascii=False)
    patchset = {
        "metadata": {
            "references": {"hepdata": inspire_record},
            "description": description,
            "digests": {"sha256": hashlib.sha256(text.encode()).hexdigest()},
            "labels": list(labels),
        },
        "patches": patches,
        "version": VERSION,
    }
    if importlib.util.find_spec("pyhf") is not None:
        validate_pyhf(workspace, "workspace")
        # patches are alike, and the check is slower than writing them
        some = patches[:_N_CHECKED]
        validate_pyhf({**patchset, "patches": some}, "patchset")
    return PyhfPatchset(workspace, patchset, tuple(first.differences))


def _check_labels(
    labels: Sequence[str], rows: list[list], inspire_record: str, n_point: int
) -> None:
    for label in labels:
        if not re.fullmatch(r"[a-zA-Z0-9_]+", label):
            msg = f"label {label!r}: pyhf allows letters, digits and underscores"
            raise InputError(msg)
    inspire_record = text("inspire_record", inspire_record)
    if not labels or not re.fullmatch(r"ins[0-9]{7}", inspire_record):
        msg = (
            f"labels = {list(labels)}, inspire_record = {inspire_record!r}: pyhf wants "
            "one label or more and a record of 'ins' and seven digits"
        )
        raise InputError(msg)
    wrong = [index for index, row in enumerate(rows) if len(row) != len(labels)]
    if len(rows) != n_point or wrong:
        at = f"; row {wrong[0]} has {len(rows[wrong[0]])} values" if wrong else ""
        msg = (
            f"values has {len(rows)} rows for {n_point} points of the grid and "
            f"{len(labels)} labels{at}"
        )
        raise InputError(msg)
    if len({tuple(row) for row in rows}) != len(rows):
        msg = "two points have the same values; pyhf cannot tell such patches apart"
        raise InputError(msg)


def _patch(base: Json, other: Json) -> list[Json]:
    """JSON patch between workspaces of one structure."""
    operations = []
    for i, (before, after) in enumerate(
        zip(base["channels"], other["channels"], strict=True)
    ):
        pairs = zip(before["samples"], after["samples"], strict=True)
        for j, (old, new) in enumerate(pairs):
            for key in ("data", "modifiers"):
                if old[key] != new[key]:
                    path = f"/channels/{i}/samples/{j}/{key}"
                    operations.append(
                        {"op": "replace", "path": path, "value": new[key]}
                    )
    for key in ("observations", "measurements"):
        for i, (old, new) in enumerate(zip(base[key], other[key], strict=True)):
            if old != new:
                path = f"/{key}/{i}"
                operations.append({"op": "replace", "path": path, "value": new})
    return operations


def _rows(values: object) -> tuple[object, ...]:
    return instances("values", values, object, hint="write one row for each point")


def _row(index: int, row: object) -> list[float | str]:
    """Coordinates of one point as JSON has them."""
    what = f"values[{index}]"
    entries = instances(what, row, object, hint="write one row for each point")
    return [x if isinstance(x, str) else real_number(what, x) for x in entries]
