"""What is shown on stderr while a command works, where stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar", "working"]


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr where that is a terminal, and nothing elsewhere.

    Yields:
        A function to call with (points done, points in all).
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    is_shown = console.is_terminal and sys.stderr.isatty()
    with Progress(console=console, disable=not is_shown, transient=True) as bar:
        task = bar.add_task("points", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Say on stderr what is being done, where that is a terminal.

    Args:
        text: What is being done.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not (console.is_terminal and sys.stderr.isatty()):
        yield
        return
    with console.status(Text(text)):
        yield
