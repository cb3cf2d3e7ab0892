"""From a run card to blocks on disk, and from those to the result.

Every route runs the same three steps, so that it gives the same result to the bit:

    open_batch: card -> plan, folder claimed, batch.json
    compute: blocks that are missing, one file each, here or in workers or jobs
    merge: blocks -> scan.nc, blocks removed

A block is a pure function of plan, rows and cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from bsmfit.core.argument import file_path, instance
from bsmfit.errors import InputError, OutputError
from bsmfit.scan.atomic import remove_leftovers
from bsmfit.scan.batch.dask_cluster import check_address, run_dask
from bsmfit.scan.batch.host import Host
from bsmfit.scan.batch.manifest import RESULT_FILE, Manifest
from bsmfit.scan.batch.open_batch import Batch, open_batch, reopen_batch
from bsmfit.scan.batch.progress import is_finished
from bsmfit.scan.batch.run_card import RunCard
from bsmfit.scan.batch.stop_request import StopRequest, stop_on_signal
from bsmfit.scan.batch.workers import run_workers
from bsmfit.scan.devices import describe_devices, local_devices
from bsmfit.scan.exclusion_map import label_map
from bsmfit.scan.folder_lock import own_folder, share_folder
from bsmfit.scan.provenance import circumstances
from bsmfit.scan.runner import Progress
from bsmfit.scan.stitched_file import empty_variables
from bsmfit.scan.store import read_scan, write_stitched

__all__ = ["Outcome", "merge_batch", "run_batch", "run_share"]

_HOST = Host()


@dataclass(frozen=True)
class Outcome:
    """What a call has done.

    Attributes:
        n_block: Blocks that this call was responsible for.
        n_computed: Blocks that it computed.
        n_missing: Blocks that are still missing.
        stopped_by: Number of the signal that stopped it, or None.
    """

    n_block: int
    n_computed: int
    n_missing: int
    stopped_by: int | None = None


def run_batch(
    card: RunCard,
    directory: Path,
    *,
    n_worker: int = 0,
    dask: str | None = None,
    overwrite: bool = False,
    take_over: bool = False,
    host: Host = _HOST,
    progress: Progress | None = None,
) -> Outcome:
    """Compute what is missing of a card's blocks, and merge them.

    Args:
        card: The card.
        directory: The folder of the result; made where it does not exist.
        n_worker: Processes to spawn, each pinned to its share of the cores; 0 computes
            in this process.
        dask: Address of a Dask scheduler that computes the blocks in place of this
            process, or ``local:N`` (`bsmfit.scan.batch.dask_cluster.run_dask`).
        overwrite: Replace the run that is in the folder.
        take_over: Take the lock of another host.
        host: Where it is computed, and whether code that the card names may run.
        progress: Called with (points done, points in all).

    Returns:
        What was done; the result is in ``scan.nc`` where nothing is missing.

    Raises:
        OutputError: The folder is held by another process, holds another run or cannot
            be written to, or workers died again and again.
        InputError: The card asks for what does not exist, workers and a cluster are
            asked for together, a cluster elsewhere is asked to run the user's own code,
            or workers would have to share a GPU.
    """
    if dask is not None and n_worker:
        msg = "workers and a Dask cluster do not go together; leave one of them out"
        raise InputError(msg)
    is_local = dask is not None and check_address(dask) is not None
    if dask is not None and host.allow_code and not is_local:
        msg = (
            f"--dask {dask} and --allow-code do not go together: no code of yours is "
            "sent to a cluster; take --workers, --dask local:N, or --block I/N in an "
            "array of jobs"
        )
        raise InputError(msg)
    instance("card", card, RunCard, hint="write RunCard(model=..., channels=[...])")
    directory = file_path("directory", directory)
    if n_worker or is_local:
        _check_workers(host)
    with stop_on_signal() as stop, own_folder(directory, take_over=take_over):
        batch = open_batch(card, directory, overwrite=overwrite, host=host)
        blocks = batch.manifest.cut.blocks()
        if is_finished(directory, batch.manifest):
            return Outcome(len(blocks), 0, 0)
        for folder in (directory, directory / "blocks"):
            remove_leftovers(folder)
        todo = batch.missing()
        count = _counter(batch, todo, progress)
        if dask is not None and todo:
            n_done = run_dask(
                directory, todo, address=dask, host=host, stop=stop, count=count
            )
        elif n_worker and todo:
            n_done = run_workers(
                directory,
                todo,
                n_worker=n_worker,
                options=host.options(),
                stop=stop,
                count=count,
            )
        else:
            n_done = _compute_here(batch, todo, stop=stop, count=count)
        n_missing = len(todo) - n_done
        if not n_missing:
            _merge(batch, host)
        return Outcome(len(blocks), n_done, n_missing, stop.signal)


def run_share(
    card: RunCard,
    directory: Path,
    share: tuple[int, int],
    *,
    take_over: bool = False,
    host: Host = _HOST,
    progress: Progress | None = None,
) -> Outcome:
    """Compute one of N shares of the blocks, as one job of an array does.

    Args:
        card: The card.
        directory: The folder that all jobs share.
        share: (I, N) with 1 <= I <= N: every N-th block from the I-th on.
        take_over: Take the lock of this share from another host.
        host: As for `run_batch`.
        progress: Called with (points done, points in all).

    Returns:
        What was done; `merge_batch` joins the shares.

    Raises:
        InputError: No such share.
        OutputError: As `run_batch`.
    """
    number, n_share = share
    if not 1 <= number <= n_share:
        msg = (
            f"block {number}/{n_share}: write I/N with I from 1 to N; in an array of "
            f"N = {n_share} jobs they are 1/{n_share} to {n_share}/{n_share}"
        )
        raise InputError(msg)
    name = f"{number}-of-{n_share}"
    with (
        stop_on_signal() as stop,
        share_folder(directory, name, take_over=take_over),
    ):
        batch = open_batch(card, directory, host=host)
        n_block = len(batch.manifest.cut.blocks()[number - 1 :: n_share])
        if is_finished(directory, batch.manifest):
            return Outcome(n_block, 0, 0)
        todo = batch.missing(share)
        count = _counter(batch, todo, progress)
        n_done = _compute_here(batch, todo, stop=stop, count=count)
        return Outcome(n_block, n_done, len(todo) - n_done, stop.signal)


def merge_batch(
    directory: Path, *, take_over: bool = False, host: Host = _HOST
) -> xr.Dataset:
    """Join the blocks of a folder to its result.

    Args:
        directory: The folder.
        take_over: Take the lock of another host.
        host: As for `run_batch`.

    Returns:
        The result, which is also in ``scan.nc``.

    Raises:
        OutputError: A block is missing, or the folder is held by another process.
        DataFileError: The folder holds no run.
    """
    with own_folder(directory, take_over=take_over):
        manifest = Manifest.read(directory)
        if not is_finished(directory, manifest):
            _merge(reopen_batch(directory, host=host), host)
    return read_scan(directory / RESULT_FILE)


def _check_workers(host: Host) -> None:
    """Refuse workers where there is a GPU, of which each would take all memory."""
    devices = local_devices(host.device)
    if devices[0].platform != "cpu":
        msg = (
            f"workers share the cores of a CPU, and JAX computes on "
            f"{describe_devices(devices)} here: one process fills all of it, so leave "
            "--workers out, or choose --device cpu"
        )
        raise InputError(msg)


def _compute_here(
    batch: Batch,
    todo: Sequence[range],
    *,
    stop: StopRequest,
    count: Callable[[range], None],
) -> int:
    """Compute blocks one after the other; the number of them that were."""
    for n_done, rows in enumerate(todo):
        if stop:
            return n_done
        batch.compute(rows)
        count(rows)
    return len(todo)


def _merge(batch: Batch, host: Host) -> None:
    """Join all blocks, write the result, then remove them."""
    folder, cut = batch.manifest.folder(batch.directory), batch.manifest.cut
    blocks = _all_blocks(batch)
    rows, content = next(blocks)
    like = label_map(batch.planned, empty_variables(content, cut.n_mass))
    write_stitched(
        like.assign_attrs(circumstances(local_devices(host.device))),
        itertools.chain([(rows, content)], blocks),
        batch.directory / RESULT_FILE,
        block_rows=cut.block_rows,
    )
    folder.remove()


def _all_blocks(batch: Batch) -> Iterator[tuple[range, bytes]]:
    """Rows and content of all blocks, one after the other."""
    folder = batch.manifest.folder(batch.directory)
    blocks = batch.manifest.cut.blocks()
    for number, rows in enumerate(blocks, 1):
        content = folder.netcdf(rows)
        if content is None:
            n_absent = 1 + sum(not folder.is_whole(later) for later in blocks[number:])
            msg = (
                f"{batch.directory}: {n_absent} of {len(blocks)} blocks are missing or "
                f"damaged (the first is number {number}); `bsmfit batch resume "
                f"{batch.directory}` computes them"
            )
            raise OutputError(msg)
        yield rows, content


def _counter(
    batch: Batch, todo: Sequence[range], progress: Progress | None
) -> Callable[[range], None]:
    """A function that counts blocks as points, those found on disk included."""
    n_coupling, n_row = batch.manifest.n_coupling, batch.manifest.cut.n_mass
    n_done = n_row - sum(map(len, todo))

    def count(rows: range) -> None:
        nonlocal n_done
        n_done += len(rows)
        if progress:
            progress(n_done * n_coupling, n_row * n_coupling)

    return count
