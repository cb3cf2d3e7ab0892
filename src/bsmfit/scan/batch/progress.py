"""How far a batch run is, seen without JAX."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bsmfit.scan.batch.manifest import RESULT_FILE, Manifest
from bsmfit.scan.folder_lock import owners
from bsmfit.scan.sealed_file import read_sealed

__all__ = ["BatchStatus", "batch_status", "is_finished"]


@dataclass(frozen=True)
class BatchStatus:
    """How far a batch run is.

    Attributes:
        manifest: What the folder holds.
        n_block: Blocks in all.
        n_whole: Blocks on disk that are whole; all of them once it is finished.
        is_finished: Whether the result is on disk, whole.
        owners: Processes that work on it now, in words.
    """

    manifest: Manifest
    n_block: int
    n_whole: int
    is_finished: bool
    owners: tuple[str, ...]


def batch_status(directory: Path) -> BatchStatus:
    """See how far a batch run is; every block is checked.

    Args:
        directory: The folder of the result.

    Returns:
        Its status.

    Raises:
        DataFileError: The folder holds no batch run.
    """
    manifest = Manifest.read(directory)
    blocks = manifest.cut.blocks()
    finished = is_finished(directory, manifest)
    folder = manifest.folder(directory)
    n_whole = len(blocks) if finished else sum(map(folder.is_whole, blocks))
    return BatchStatus(
        manifest=manifest,
        n_block=len(blocks),
        n_whole=n_whole,
        is_finished=finished,
        owners=tuple(owners(directory)),
    )


def is_finished(directory: Path, manifest: Manifest) -> bool:
    """Whether the result of this very plan is on disk, whole.

    Args:
        directory: The folder of the result.
        manifest: What it should be.

    Returns:
        True where ``scan.nc`` is undamaged and of this plan.
    """
    import io

    import h5py

    try:
        content = read_sealed(directory / RESULT_FILE)
        with h5py.File(io.BytesIO(content), "r") as stored:
            return stored.attrs.get("plan_hash") == manifest.plan_hash
    except (OSError, ValueError, KeyError, RuntimeError):
        return False
