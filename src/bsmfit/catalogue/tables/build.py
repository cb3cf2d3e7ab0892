"""Make all tables of searches again, each as its kind does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bsmfit.catalogue.kinds.registry import kind_of
from bsmfit.catalogue.records import locate_channel
from bsmfit.catalogue.yaml_file import top_level_text
from bsmfit.errors import InputError, OutputError

__all__ = ["build_tables"]


def build_tables(
    channels: Sequence[str | Path],
    *,
    directory: Path | None = None,
    reuse_acceptance: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> list[Path]:
    """Make the tables of searches and write them.

    Args:
        channels: Channel ids, or paths of records.
        directory: Folder that gets one folder by channel; beside each record where
            None, which is where `load_channel` looks.
        reuse_acceptance: Take the acceptance table that lies beside the record and make
            the yields only; of searches in beam-dump mode.
        progress: Called with (what, masses done, masses in all).
        **options: What the kind of search takes besides, such as `settings` of the
            acceptance in beam-dump mode.

    Returns:
        Paths of the files written.

    Raises:
        UnknownNameError: No such channel.
        InputError: The yields only, of a search that has none.
        DataFileError: A record or a table is not valid.
        OutputError: The folder cannot be written.
    """
    kinds = [kind_of(name) for name in channels]
    function = "build_yields" if reuse_acceptance else "build_tables"
    for name, kind in zip(channels, kinds, strict=True):
        if not hasattr(kind, function):
            what = "yields to make alone" if reuse_acceptance else "tables"
            msg = f"{name} has no {what}"
            if reuse_acceptance:
                msg += "; leave out --yields-only (reuse_acceptance)"
            raise InputError(msg)
    paths = []
    for name, kind in zip(channels, kinds, strict=True):
        identity = str(top_level_text(locate_channel(name), "id"))
        folder = locate_channel(name).parent
        folder = folder if directory is None else directory / identity
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot make the folder {folder}: {error.strerror}"
            raise OutputError(msg) from error

        def report(what: str, channel: str = identity) -> Callable[[int, int], None]:
            def call(done: int, total: int) -> None:
                if progress is not None:
                    progress(f"{channel} {what}", done, total)

            return call

        paths += getattr(kind, function)(name, folder, report=report, **options)
    return paths
