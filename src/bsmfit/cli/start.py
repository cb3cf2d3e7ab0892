"""Where the command ``bsmfit`` starts; Ctrl-C while it loads is one line as well."""

from __future__ import annotations

from bsmfit.cli.interrupt import leave_on_signals

__all__ = ["main"]


def main() -> None:
    """Load the command line and run it."""
    leave_on_signals()
    from bsmfit.cli.app import main as run

    run()
