"""One owner of a folder of results, or several that share its blocks.

The lock is the kernel's (``flock``): it ends with the process that holds it, however
that ends, so that a kill leaves nothing to clean up. The text in the lock file says who
holds it, for people. Where a file system does not pass locks between hosts, the text of
another host counts until somebody says otherwise.

    alone: .bsmfit-lock exclusively
    one of several jobs: .bsmfit-lock shared, .bsmfit-lock-NAME exclusively
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bsmfit.errors import OutputError
from bsmfit.scan.atomic import make_folder

__all__ = ["LOCK_FILE", "own_folder", "owners", "share_folder"]

LOCK_FILE = ".bsmfit-lock"

_ATTEMPTS, _PAUSE = 6, 0.05

_LOGGER = logging.getLogger(__name__)


@contextmanager
def own_folder(directory: Path, *, take_over: bool = False) -> Iterator[None]:
    """Be the only one who writes into a folder.

    The lock of a process that has died is taken over.

    Args:
        directory: The folder; made where it does not exist.
        take_over: Also where the lock is that of another host.

    Raises:
        OutputError: Another process holds the folder, or it cannot be written to.
    """
    with (
        _there(directory),
        _locked(directory / LOCK_FILE, fcntl.LOCK_EX, take_over=take_over),
    ):
        yield


@contextmanager
def share_folder(
    directory: Path, name: str, *, take_over: bool = False
) -> Iterator[None]:
    """Be one of several jobs that write blocks of one plan into a folder.

    Args:
        directory: The folder; made where it does not exist.
        name: Which of the jobs, letters and digits and dashes.
        take_over: Also where the lock of this job is that of another host.

    Raises:
        OutputError: A process owns the folder, or runs this very job.
    """
    whole, mine = directory / LOCK_FILE, directory / f"{LOCK_FILE}-{name}"
    with (
        _there(directory),
        _locked(whole, fcntl.LOCK_SH, take_over=take_over),
        _locked(mine, fcntl.LOCK_EX, take_over=take_over),
    ):
        yield


def owners(directory: Path) -> list[str]:
    """Who holds a folder now, in words.

    Args:
        directory: The folder.

    Returns:
        One text for each process; none where nobody does.
    """
    found = []
    for path in sorted(directory.glob(f"{LOCK_FILE}*")):
        with contextlib.suppress(OSError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(_words(_read(path)))
    return found


@contextmanager
def _there(directory: Path) -> Iterator[None]:
    """Make a folder; where nothing comes of it, none stays that was made."""
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    make_folder(directory)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # it has content, or somebody else's
            for path in made:
                path.rmdir()
        raise


@contextmanager
def _locked(path: Path, kind: int, *, take_over: bool) -> Iterator[None]:
    """Hold a lock file; only an exclusive holder writes who it is."""
    descriptor = _acquire(path, kind)
    try:
        found = _read(path)
        if found.get("host", socket.gethostname()) != socket.gethostname():
            _check_other_host(path, found, take_over)
        if kind == fcntl.LOCK_EX:
            if found:
                _LOGGER.warning("took over the lock of %s, which ended", _words(found))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_myself()).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield
    finally:
        _release(path, descriptor)


def _acquire(path: Path, kind: int) -> int:
    """Open and lock a file that is still the one of that name."""
    for attempt in itertools.count():
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            msg = f"cannot lock {path.parent}: {error.strerror}; choose another folder"
            raise OutputError(msg) from error
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            if attempt < _ATTEMPTS:  # somebody may just be looking, or leaving
                time.sleep(_PAUSE)
                continue
            who = "; ".join(owners(path.parent)) or "another process"
            msg = (
                f"{path.parent} is being written by {who}; wait until that has ended, "
                "stop it, or choose another folder"
            )
            raise OutputError(msg) from None
        except FileNotFoundError:
            pass  # its last owner has just removed it
        except OSError as error:
            _LOGGER.warning("%s has no locks: %s", path.parent, error.strerror)
            return descriptor
        os.close(descriptor)
    raise AssertionError


def _release(path: Path, descriptor: int) -> None:
    """Remove a lock file that nobody else holds, and let go."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    os.close(descriptor)


def _check_other_host(path: Path, found: dict[str, str], take_over: bool) -> None:
    """Refuse the lock of another host, of which nothing is known here."""
    if take_over:
        return
    msg = (
        f"{path.parent} was locked by {_words(found)}, and whether that still runs is "
        "not known on this host; pass --take-over once it does not"
    )
    raise OutputError(msg)


def _myself() -> dict[str, str]:
    return {
        "pid": str(os.getpid()),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _read(path: Path) -> dict[str, str]:
    """What a lock file says; nothing where it cannot be read."""
    try:
        found = json.loads(path.read_bytes()[:10_000])
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: str(found.get(key, "?"))[:100] for key in ("pid", "host", "since")}


def _words(found: dict[str, str]) -> str:
    if not found:
        return "another process"
    return f"process {found['pid']} on {found['host']} (since {found['since']})"
