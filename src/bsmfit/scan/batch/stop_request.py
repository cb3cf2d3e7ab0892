"""Ctrl-C and SIGTERM as a request to stop after the block in flight."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["StopRequest", "stop_on_signal"]

_LOGGER = logging.getLogger(__name__)


class StopRequest:
    """Whether somebody has asked to stop.

    Attributes:
        signal: Number of the signal that asked, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request, the second into an interrupt.

    In a thread that is not the main one signals stay as they are.

    Yields:
        The request, false until a signal comes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        if request:
            raise KeyboardInterrupt
        request.signal = number
        _LOGGER.warning(
            "%s: stopping after the block in flight; once more stops at once",
            signal.Signals(number).name,
        )

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
