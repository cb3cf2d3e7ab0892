"""Blocks computed by the workers of a Dask cluster, one task for each block.

    local:N    rows --> worker --> blocks/*.nc
    ADDRESS    card, plan hash, rows --> worker --sealed NetCDF--> blocks/*.nc

What a task is stands in `bsmfit.scan.batch.dask_task`. Dask gives the block of a worker
that is lost to another one. At most two blocks for each thread are under way, so that a
worker never waits and memory is bounded.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bsmfit.errors import BsmfitError, InputError, OutputError
from bsmfit.scan.batch.dask_task import block_content, write_block
from bsmfit.scan.batch.host import Host
from bsmfit.scan.batch.manifest import Manifest
from bsmfit.scan.batch.stop_request import StopRequest
from bsmfit.scan.batch.workers import MAX_DEATHS, core_shares
from bsmfit.scan.blocks import BlockFolder

__all__ = ["check_address", "run_dask"]

_LOCAL = "local:"
_IN_FLIGHT = 2  # blocks for each thread of the cluster
_PATIENCE = 30.0  # seconds until a scheduler, or the first worker, must be there
_CACHE = "JAX_COMPILATION_CACHE_DIR"  # that of one process


def check_address(address: str) -> int | None:
    """Check what was given for a cluster, and connect to nothing.

    Args:
        address: ``local:N``, or the address of a scheduler.

    Returns:
        N, 1 to 1024; None for a scheduler.

    Raises:
        InputError: N is no such number.

    Examples:
        >>> check_address("local:2")
        2
        >>> check_address("tcp://192.0.2.1:8786")
    """
    if not address.startswith(_LOCAL):
        return None
    number = address.removeprefix(_LOCAL)
    if not (number.isdecimal() and 1 <= int(number[:9]) <= 1024):
        msg = f"--dask {address}: write local:N with N from 1 to 1024, such as local:2"
        raise InputError(msg)
    return int(number)


def run_dask(
    directory: Path,
    todo: Sequence[range],
    *,
    address: str,
    host: Host,
    stop: StopRequest,
    count: Callable[[range], None],
) -> int:
    """Compute blocks on a Dask cluster.

    Args:
        directory: The folder of the run, which has its manifest.
        todo: Rows of the blocks.
        address: Address of a scheduler, ``tcp://HOST:PORT``, or ``local:N`` for a
            cluster of N processes on this machine, each pinned to its share of the
            cores, that ends with the run.
        host: What the workers are told beside the card.
        stop: Where it becomes true, blocks under way are the last.
        count: Called with the rows of every block that is written.

    Returns:
        Number of blocks that were computed.

    Raises:
        InputError: Dask is not installed, no such address, or nobody answers there.
        OutputError: Workers were lost again and again on one block, the cluster ended,
            a worker has other data files, or a block cannot be written.
    """
    manifest = Manifest.read(directory)
    task: Callable[[range], bytes | None]
    if check_address(address) is None:
        card, cut = manifest.card.to_json(), dataclasses.asdict(manifest.cut)
        task = partial(block_content, card, manifest.plan_hash, cut, host)
    else:
        where = str(directory.resolve())
        task = partial(write_block, where, manifest.plan_hash, host)
    folder = manifest.folder(directory)
    with _connected(address, n_block=len(todo)) as client:
        return _feed(client, task, folder, todo, stop=stop, count=count)


def _feed(
    client: Any,
    task: Callable[[range], bytes | None],
    folder: BlockFolder,
    todo: Sequence[range],
    *,
    stop: StopRequest,
    count: Callable[[range], None],
) -> int:
    """Keep the cluster busy, and write what comes back."""
    from distributed import as_completed

    run = uuid.uuid4().hex
    rows_of: dict[str, range] = {}

    def submit(rows: range) -> Any:
        key = f"bsmfit-{run}-{rows.start}"
        rows_of[key] = rows
        return client.submit(task, rows, key=key, pure=False)

    n_thread = max(1, sum(client.nthreads().values()))
    waiting, n_done = iter(todo), 0
    first = [submit(rows) for rows in itertools.islice(waiting, _IN_FLIGHT * n_thread)]
    completed = as_completed(first, loop=client.loop, raise_errors=False)
    for future in completed:
        rows = rows_of.pop(future.key)
        content = _result(future, rows)
        if content is not None:
            folder.write(rows, content)
        future.release()
        n_done += 1
        count(rows)
        after = None if stop else next(waiting, None)
        if after is not None:
            completed.add(submit(after))
    return n_done


def _result(future: Any, rows: range) -> bytes | None:
    """What a task returned, or why it did not."""
    from distributed import CancelledError, KilledWorker

    where = f"the block of rows {rows.start}:{rows.stop}"
    if future.status == "finished":
        try:
            return future.result()
        except CancelledError:
            error = None
    else:
        error = None if future.status in ("cancelled", "lost") else future.exception()
    if error is None:
        msg = (
            f"the Dask cluster ended while {where} was under way; blocks that were "
            "written stay, and the same command on another cluster continues"
        )
    elif isinstance(error, KilledWorker):
        msg = (
            f"{MAX_DEATHS} workers in turn were lost in {where}; where memory is "
            "short, take fewer workers or smaller blocks, then resume"
        )
    elif isinstance(error, BsmfitError):
        msg = str(error)
    else:
        msg = f"a worker failed in {where}: {type(error).__name__}: {error}"
    raise OutputError(msg) from error


@contextmanager
def _connected(address: str, *, n_block: int) -> Iterator[Any]:
    """A client of a cluster that has a worker."""
    n_worker = check_address(address)
    try:
        import dask.config as dask_config
        import distributed
    except ImportError as error:
        msg = (
            "--dask needs Dask, which is not installed: pip install 'bsmfit[cluster]' "
            f"({error})"
        )
        raise InputError(msg) from error
    settings: dict[str, Any] = {
        # three workers lost, as with --workers
        "distributed.scheduler.allowed-failures": MAX_DEATHS - 1,
        "distributed.admin.large-graph-warning-threshold": "1GB",
        # of the workers of a local cluster. Memory given back to the system at once,
        # Dask's default, is asked for again by the next call: a block takes 1.45 times
        # as long. One task is one compiled call: there is nothing to profile in it.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
        "distributed.worker.profile.enabled": False,
    }
    with dask_config.set(settings):
        if n_worker is not None:
            with (
                _local_cluster(min(n_worker, n_block)) as cluster,
                distributed.Client(cluster, set_as_default=False) as client,
            ):
                yield client
            return
        try:
            client = distributed.Client(
                address, timeout=_PATIENCE, set_as_default=False
            )
        except (OSError, ValueError, TypeError) as error:
            msg = (
                f"--dask {address}: no scheduler answers there ({error}); write "
                "tcp://HOST:PORT as `dask scheduler` prints it, or local:N"
            )
            raise InputError(msg) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_PATIENCE)
            except TimeoutError as error:
                msg = (
                    f"--dask {address}: the scheduler has had no worker for "
                    f"{_PATIENCE:.0f} s; start some with `dask worker {address}`"
                )
                raise InputError(msg) from error
            yield client


@contextmanager
def _local_cluster(n_worker: int) -> Iterator[Any]:
    """A cluster of processes of one thread each, pinned, on this machine."""
    from distributed import LocalCluster

    from bsmfit.scan.batch.pinned_worker import PinnedWorker

    options: dict[str, Any] = {
        "n_workers": n_worker,
        "threads_per_worker": 1,
        "processes": True,
        # no dashboard; the scheduler listens all the same, on a port of its own
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {"dashboard": False},
        "worker_dashboard_address": None,
        "plugins": {PinnedWorker(core_shares(n_worker))},
        "silence_logs": 50,
    }
    kept = os.environ.pop(_CACHE, None)  # workers begin with our environment
    try:
        with LocalCluster(**options) as cluster:
            yield cluster
    finally:
        if kept is not None:
            os.environ[_CACHE] = kept
