"""What Ctrl-C and SIGTERM do to a command: one line, how to go on, and an exit code.

An exception raised by a signal in the middle of whatever runs is not safe here: the
compiler of JAX aborts on one in its callbacks, extensions turn it into errors of their
own, and one that is raised while garbage is collected is lost. So the process says what
to do and leaves at once. That is as good as any other way: files are written whole or
not at all, the lock of a folder is the kernel's, and blocks on disk are kept.

    first lines of the process: leave_on_signals; a map that is computed: stop_on_signal
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

__all__ = ["Stopped", "how_to_go_on", "leave_on_signals"]

_SHOW_CURSOR = "\x1b[?25h"


class Stopped(KeyboardInterrupt):
    """A signal has asked this process to stop, and the block in flight is on disk.

    Args:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def how_to_go_on(arguments: Sequence[str]) -> str:
    """What is said when a command is stopped.

    Args:
        arguments: The command and its options.

    Returns:
        One line.

    Examples:
        >>> how_to_go_on(["limit", "na62-dump-mumu"])
        'bsmfit: error: interrupted; nothing half-written is left'
    """
    kept = "nothing half-written is left"
    if {"scan", "batch"} & set(arguments[:2]):
        kept = (
            "finished blocks are kept, and the same command (without --overwrite) "
            "continues from them"
        )
    return f"bsmfit: error: interrupted; {kept}"


def leave_on_signals() -> None:
    """From here on SIGINT and SIGTERM end the process with 128 and their number."""

    def leave(number: int, frame: FrameType | None) -> None:
        del frame
        cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
        os.write(2, f"{cursor}{how_to_go_on(sys.argv[1:])}\n".encode())
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
