"""Rows of a scan kept on disk while it runs, so that a killed scan continues.

A block is a run of whole rows (masses). Its file is written at once and renamed into
place, and carries the identity of its plan and its rows; a rerun loads the blocks that
are whole and its own, and computes the others. ``kill -9`` loses one block at most.

    rows --> .npz file with plan hash --> joined into scan.nc --> blocks removed
"""

from __future__ import annotations

import logging
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bsmfit.errors import OutputError
from bsmfit.scan.atomic import atomic_file, make_folder
from bsmfit.scan.plan import ScanPlan

__all__ = ["BLOCK_POINTS", "SINGLE_BLOCK_POINTS", "BlockFolder", "cut_rows"]

SINGLE_BLOCK_POINTS = 200_000
BLOCK_POINTS = 50_000

_BLOCK_NAME = re.compile(r"[0-9]{6,}-[0-9]{6,}\.npz")

# What zipfile, zlib and numpy raise where a byte of a file is not what it was.
_DAMAGE = (
    *(OSError, ValueError, EOFError, KeyError, MemoryError, TypeError, AttributeError),
    *(RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error),
)

_LOGGER = logging.getLogger(__name__)


def cut_rows(n_mass: int, n_coupling: int, *, multiple_of: int = 1) -> list[range]:
    """Cut a plane into blocks of whole rows.

    Planes of up to `SINGLE_BLOCK_POINTS` points stay whole: they take seconds.

    Args:
        n_mass: Number of rows, >= 1.
        n_coupling: Points in a row, >= 1.
        multiple_of: Rows of a block are a multiple of this, save in the last block.

    Returns:
        The rows of each block, in order.

    Examples:
        >>> cut_rows(300, 200)
        [range(0, 300)]
        >>> [len(rows) for rows in cut_rows(1000, 1000, multiple_of=8)][:2]
        [56, 56]
    """
    if n_mass * n_coupling <= SINGLE_BLOCK_POINTS:
        return [range(n_mass)]
    n_chunks = -(-BLOCK_POINTS // (n_coupling * multiple_of))
    step = max(1, n_chunks) * multiple_of
    return [range(i, min(i + step, n_mass)) for i in range(0, n_mass, step)]


@dataclass(frozen=True)
class BlockFolder:
    """The block files of one plan, in ``<directory>/blocks``.

    Attributes:
        directory: The folder of the result.
        identity: Hash of the plan (`ScanPlan.identity`).
    """

    directory: Path
    identity: str

    @classmethod
    def from_plan(cls, directory: Path, plan: ScanPlan) -> BlockFolder:
        """Name the blocks of a plan below the folder of its result."""
        return cls(directory / "blocks", plan.identity())

    def load(self, rows: range) -> dict[str, np.ndarray] | None:
        """Return the block of these rows, or None where it must be computed.

        A file of another plan, of other rows or that is damaged does not count.
        """
        path = self._path(rows)
        try:
            with path.open("rb") as stream, np.load(stream) as stored:
                block = {name: stored[name] for name in stored.files}
        except FileNotFoundError:
            return None
        except _DAMAGE as error:
            _LOGGER.warning("block %s is damaged and computed again: %s", path, error)
            return None
        label = block.pop("label", np.array(""))
        return block if str(label) == self._label(rows) else None

    def save(self, rows: range, block: dict[str, np.ndarray]) -> None:
        """Write the block of these rows.

        Raises:
            OutputError: It cannot be written.
        """
        make_folder(self.directory)
        label = np.array(self._label(rows))
        with (
            atomic_file(self._path(rows)) as temporary,
            temporary.open("wb") as stream,
        ):
            contents: dict[str, Any] = {"label": label, **block}
            np.savez(stream, **contents)

    def remove(self) -> None:
        """Remove all blocks, once the whole result is on disk.

        What else somebody keeps in the folder stays there.

        Raises:
            OutputError: A block cannot be removed.
        """
        try:
            for path in self.directory.glob("*.npz"):
                if _BLOCK_NAME.fullmatch(path.name):
                    path.unlink(missing_ok=True)
            if self.directory.is_dir() and not any(self.directory.iterdir()):
                self.directory.rmdir()
        except OSError as error:
            msg = f"cannot remove the blocks in {self.directory}: {error.strerror}"
            raise OutputError(msg) from error

    def _path(self, rows: range) -> Path:
        return self.directory / f"{rows.start:06d}-{rows.stop:06d}.npz"

    def _label(self, rows: range) -> str:
        return f"{self.identity} rows {rows.start}:{rows.stop}"
