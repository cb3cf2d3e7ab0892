"""What a Dask worker does for one block; Dask itself is not needed here.

Where the folder of the run is in reach (`write_block`, workers on this machine), a
block is computed from the run card in the folder and written there. Elsewhere
(`block_content`) a task is the card as text, the hash of its plan and the rows, and
gives the content of the block file: a cluster needs no folder in common.

Either way a worker builds its map once, checks that its data files and its version are
those of the run, and keeps the map for its next blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bsmfit._x64 import enable_x64
from bsmfit.errors import OutputError
from bsmfit.scan.batch.host import Host
from bsmfit.scan.batch.run_card import RunCard
from bsmfit.scan.blocks import BlockCut, BlockFolder

if TYPE_CHECKING:
    from bsmfit.scan.batch.open_batch import Batch
    from bsmfit.scan.planned_map import PlannedMap

__all__ = ["block_content", "write_block"]

_building = threading.Lock()  # a worker may have several threads


def write_block(directory: str, plan_hash: str, host: Host, rows: range) -> None:
    """Compute one block and write it.

    Args:
        directory: The folder of the run.
        plan_hash: Identity of the plan of the run.
        host: As for `bsmfit.scan.batch.batch_run.run_batch`.
        rows: Rows of the block.

    Raises:
        BsmfitError: The run cannot be continued here, or the block not be written.
    """
    enable_x64()  # this is the entry of a process of its own
    with _building:
        batch = _batch(directory, plan_hash, host)
    batch.compute(rows)


def block_content(
    card: str, plan_hash: str, cut: Mapping[str, Any], host: Host, rows: range
) -> bytes:
    """Compute one block: a pure function of what it is given.

    Args:
        card: The card, as JSON.
        plan_hash: Identity of the plan of the run.
        cut: Fields of the `BlockCut` of the run.
        host: Where it is computed.
        rows: Rows of the block.

    Returns:
        Content of the block file, with its SHA-256.

    Raises:
        OutputError: Data files or the package differ from those of the run.
        BsmfitError: The card cannot be computed here.
    """
    enable_x64()
    with _building:
        planned = _planned(card, plan_hash, host)
    block = planned.compute(rows, BlockCut(**cut))
    return BlockFolder(Path(), plan_hash).content(rows, block)


@lru_cache(maxsize=2)
def _batch(directory: str, plan_hash: str, host: Host) -> Batch:
    """The run in a folder; the hash tells it from an older one in the same place."""
    from bsmfit.scan.batch.open_batch import reopen_batch

    del plan_hash
    return reopen_batch(Path(directory), host=host)


@lru_cache(maxsize=2)
def _planned(card: str, plan_hash: str, host: Host) -> PlannedMap:
    """The map of a card, where it is the one that is asked for."""
    from bsmfit.scan.batch import open_batch

    planned, here = open_batch.plan_card(RunCard.model_validate_json(card), host)
    if here.plan_hash != plan_hash:
        msg = (
            "a worker has another version of bsmfit, or other data files or models, "
            "than the run; install the same there, then resume"
        )
        raise OutputError(msg)
    return planned
