"""Make all tables of a search.

In beam-dump mode the acceptance, then the yields that follow from it; for K+ -> pi+ X
the table of its forward model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bsmfit.catalogue.records import (
    channel_records,
    locate_channel,
    read_beam_dump_record,
    read_pi_invisible_record,
    record_kind,
)
from bsmfit.catalogue.tables.acceptance_build import build_acceptance, write_acceptance
from bsmfit.catalogue.tables.pi_invisible_build import (
    build_invisible_table,
    write_invisible_table,
)
from bsmfit.catalogue.tables.table_files import read_acceptance_table
from bsmfit.catalogue.tables.yield_build import write_yields
from bsmfit.detector.acceptance_table import TableSettings
from bsmfit.errors import InputError, OutputError

__all__ = ["build_tables", "channels_with_yields"]

Report = Callable[[str], Callable[[int, int], None]]
"""From what is made to a function that is called with (masses done, masses in all)."""


def channels_with_yields() -> tuple[str, ...]:
    """Ids of the shipped searches in beam-dump mode, which have a table of yields.

    Returns:
        Ids, sorted.

    Examples:
        >>> channels_with_yields()
        ('na62-dump-ee', 'na62-dump-mumu')
    """
    return tuple(name for name in channel_records() if not _is_invisible(name))


def build_tables(
    channels: Sequence[str | Path],
    *,
    directory: Path | None = None,
    settings: TableSettings | None = None,
    reuse_acceptance: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Make the tables of searches and write them.

    Args:
        channels: Channel ids, or paths of records.
        directory: Folder that gets one folder by channel; beside each record where
            None, which is where `load_channel` looks.
        settings: Nodes and sampling of the acceptance; those of the shipped tables by
            default.
        reuse_acceptance: Take the acceptance table that lies beside the record and make
            the yields only; of searches in beam-dump mode.
        progress: Called with (what, masses done, masses in all).

    Returns:
        Paths of the files written.

    Raises:
        UnknownNameError: No such channel.
        InputError: The yields only, of a search that has none.
        DataFileError: A record or a table is not valid.
        OutputError: The folder cannot be written.
    """
    identities = [_identity(name) for name in channels]
    for name, identity in zip(channels, identities, strict=True):
        if reuse_acceptance and _is_invisible(name):
            msg = (
                f"{identity} has no yields: its one table, forward.npz, is made as a "
                "whole; leave out --yields-only (reuse_acceptance)"
            )
            raise InputError(msg)
    paths = []
    for name, identity in zip(channels, identities, strict=True):
        beside = locate_channel(name).parent
        folder = beside if directory is None else directory / identity
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

        if _is_invisible(name):
            paths += _forward_table(name, folder, report)
        else:
            paths += _beam_dump_tables(
                name, folder, report, settings=settings, reuse=reuse_acceptance
            )
    return paths


def _is_invisible(name: str | Path) -> bool:
    return record_kind(name) == "pi-invisible"


def _identity(name: str | Path) -> str:
    """Channel id in the record of a search."""
    if _is_invisible(name):
        return read_pi_invisible_record(name).id
    return read_beam_dump_record(name).id


def _forward_table(name: str | Path, folder: Path, report: Report) -> list[Path]:
    """The one table of a search for K+ -> pi+ X."""
    path = folder / "forward.npz"
    table = build_invisible_table(name, progress=report("forward"))
    write_invisible_table(path, name, table)
    return [path]


def _beam_dump_tables(
    name: str | Path,
    folder: Path,
    report: Report,
    *,
    settings: TableSettings | None,
    reuse: bool,
) -> list[Path]:
    """Acceptance, unless it is there already, and yields."""
    chosen = settings or TableSettings()
    paths = []
    acceptance_path = folder / "acceptance.npz"
    if reuse:
        acceptance_path = locate_channel(name).parent / "acceptance.npz"
        acceptance = read_acceptance_table(acceptance_path)
    else:
        acceptance = build_acceptance(
            name, settings=chosen, progress=report("acceptance")
        )
        write_acceptance(acceptance_path, name, acceptance, settings=chosen)
        paths.append(acceptance_path)
    yield_path = folder / "yields.npz"
    write_yields(
        yield_path,
        name,
        acceptance,
        acceptance_path=acceptance_path,
        progress=report("yields"),
    )
    return [*paths, yield_path]
