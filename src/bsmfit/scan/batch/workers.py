"""Blocks computed by processes that are spawned, each pinned to its cores.

A worker is a new Python process (never a fork: JAX has threads). It is told the rows of
one block at a time on its stdin, writes the block file itself and says so on its
stdout. One that dies is replaced; its block is computed again by another.

    parent --"4 8"--> worker --blocks/000004-000008.nc--> "done 4 8" --> parent
"""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from bsmfit.errors import OutputError
from bsmfit.scan.batch.stop_request import StopRequest

__all__ = ["MAX_DEATHS", "core_shares", "run_workers", "worker_command"]

MAX_DEATHS = 3
"""Workers that may die on one block before the run is given up."""

_POLL = 0.1  # seconds


def core_shares(n_worker: int) -> list[list[int]]:
    """The cores of each worker: all that this process may use, dealt out.

    Args:
        n_worker: Number of workers, >= 1.

    Returns:
        Numbers of cores, at least one for each worker; none where the system does not
        pin processes.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [[] for _ in range(n_worker)]
    cores = sorted(os.sched_getaffinity(0))
    each = max(1, len(cores) // n_worker)
    return [
        [cores[(each * i + k) % len(cores)] for k in range(each)]
        for i in range(n_worker)
    ]


def worker_command(
    directory: Path, cores: Sequence[int], options: Sequence[str] = ()
) -> list[str]:
    """The command of a worker, with options of `bsmfit.scan.batch.host.Host`."""
    command = [sys.executable, "-m", "bsmfit", "batch", "work", str(directory)]
    command += options
    return [*command, "--cores", ",".join(map(str, cores))] if cores else command


def run_workers(
    directory: Path,
    todo: Sequence[range],
    *,
    n_worker: int,
    options: Sequence[str] = (),
    stop: StopRequest,
    count: Callable[[range], None],
) -> int:
    """Compute blocks in workers.

    Args:
        directory: The folder of the run, which has its manifest.
        todo: Rows of the blocks.
        n_worker: Number of workers, >= 1; no more than blocks are started.
        options: Options of each (`bsmfit.scan.batch.host.Host`).
        stop: Where it becomes true, blocks in flight are the last.
        count: Called with the rows of every block that is done.

    Returns:
        Number of blocks that were computed.

    Raises:
        OutputError: A worker said why it cannot go on, or workers died again and again
            on one block.
    """
    pool = _Pool(directory, todo, options=options, stop=stop, count=count)
    n_worker = min(n_worker, len(todo))
    threads = [
        threading.Thread(target=pool.serve, args=(cores,), daemon=True)
        for cores in core_shares(n_worker)
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(_POLL)  # so that signals are seen in between
    except BaseException:
        pool.kill()
        raise
    if pool.fault:
        raise OutputError(pool.fault)
    return pool.n_done


class _Pool:
    """What the threads that talk to the workers share."""

    def __init__(
        self,
        directory: Path,
        todo: Sequence[range],
        *,
        options: Sequence[str],
        stop: StopRequest,
        count: Callable[[range], None],
    ) -> None:
        self.options = options
        self.directory, self.stop, self.count = directory, stop, count
        self.todo = collections.deque(todo)
        self.deaths: collections.Counter[range] = collections.Counter()
        self.lock = threading.Lock()
        self.n_done, self.fault = 0, ""
        self.processes: set[subprocess.Popen[str]] = set()

    def serve(self, cores: Sequence[int]) -> None:
        """Keep one worker busy until there is nothing to do."""
        while not self._is_over():
            with tempfile.TemporaryFile() as errors:
                process = self._start(cores, errors)
                try:
                    rows = self._feed(process)
                finally:
                    self._end(process)
                if rows is not None:
                    self._note_death(rows, process.returncode, errors)

    def kill(self) -> None:
        """End all workers at once."""
        with self.lock:
            self.fault = self.fault or "stopped"
            for process in self.processes:
                process.kill()

    def _is_over(self) -> bool:
        return bool(self.stop or self.fault or not self.todo)

    def _start(self, cores: Sequence[int], errors: IO[bytes]) -> subprocess.Popen[str]:
        # a cache of compiled programs is that of one process
        environment = {
            k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"
        }
        process = subprocess.Popen(
            worker_command(self.directory, cores, self.options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            process_group=0,  # Ctrl-C is for the parent
        )
        with self.lock:
            self.processes.add(process)
        return process

    def _feed(self, process: subprocess.Popen[str]) -> range | None:
        """Give blocks to a worker; the block on which it died, if it did."""
        assert process.stdin is not None
        assert process.stdout is not None
        while True:
            with self.lock:
                if self._is_over():
                    return None
                rows = self.todo.popleft()
            try:
                process.stdin.write(f"{rows.start} {rows.stop}\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            if answer.split() != ["done", str(rows.start), str(rows.stop)]:
                return rows
            with self.lock:
                self.n_done += 1
                self.count(rows)

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Let a worker go: it ends when its stdin does."""
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it may be dead
            process.stdin.close()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        with self.lock:
            self.processes.discard(process)

    def _note_death(self, rows: range, code: int, errors: IO[bytes]) -> None:
        """Give the block of a dead worker to another, or give up."""
        errors.seek(0)
        said = errors.read()[-2000:].decode(errors="replace").strip().splitlines()
        last = said[-1].removeprefix("bsmfit: error: ") if said else ""
        with self.lock:
            self.deaths[rows] += 1
            if code >= 0:
                self.fault = last or f"a worker ended with exit code {code}"
            elif self.deaths[rows] >= MAX_DEATHS:
                name = signal.Signals(-code).name
                self.fault = (
                    f"{MAX_DEATHS} workers in turn were ended by {name} in the block "
                    f"of rows {rows.start}:{rows.stop}; where memory is short, take "
                    "fewer workers or smaller blocks, then resume"
                )
            else:
                self.todo.appendleft(rows)
