"""The life of one worker: rows in, block files and a word for each out."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from bsmfit.scan.batch.host import Host

__all__ = ["live_as_worker", "pin_to_cores"]

_POLL = 0.2  # seconds


def pin_to_cores(cores: Sequence[int]) -> None:
    """Keep this process on some cores, where the system does that.

    To be called before JAX is imported, which counts cores to start its threads.

    Args:
        cores: Numbers of the cores; none for all.
    """
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def live_as_worker(
    directory: Path, orders: TextIO, answers: TextIO, host: Host | None = None
) -> None:
    """Compute the blocks that are asked for until there are no more orders.

    It ends when its parent does, killed or not: a block half-computed is lost.

    Args:
        directory: The folder of the run.
        orders: Lines ``START STOP``, rows of a block.
        answers: Takes a line ``done START STOP`` for each block on disk.
        host: As for `bsmfit.scan.batch.batch_run.run_batch`.

    Raises:
        BsmfitError: The run cannot be continued, or a block not be written.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides when to stop
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    from bsmfit.scan.batch.open_batch import reopen_batch

    batch = reopen_batch(directory, host=host or Host())
    for order in orders:
        start, stop = map(int, order.split())
        batch.compute(range(start, stop))
        answers.write(f"done {start} {stop}\n")
        answers.flush()


def _end_with_parent(parent: int) -> None:
    """Leave at once where the parent is no more."""
    while os.getppid() == parent:
        time.sleep(_POLL)
    os._exit(1)
