"""A Dask worker that stays on its cores; to be imported where Dask is installed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from typing import Any

from distributed import WorkerPlugin

from bsmfit.scan.batch.worker_process import pin_to_cores

__all__ = ["PinnedWorker"]


class PinnedWorker(WorkerPlugin):
    """Pins each worker of a local cluster, also one that replaces another.

    Attributes:
        shares: Cores by number of the worker; none for all.
    """

    name = "bsmfit-pinned-worker"

    def __init__(self, shares: Sequence[Sequence[int]]) -> None:
        self.shares = shares

    def setup(self, worker: Any) -> None:
        """Called by Dask when a worker starts, before it has threads for tasks.

        Ctrl-C in a terminal reaches the workers as well; the run finishes their blocks.
        """
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        pin_to_cores(self.shares[int(worker.name) % len(self.shares)])
