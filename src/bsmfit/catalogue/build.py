"""Make all tables of a search: the acceptance, then the yields that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bsmfit.catalogue.acceptance_build import build_acceptance, write_acceptance
from bsmfit.catalogue.records import locate_channel, read_beam_dump_record
from bsmfit.catalogue.table_files import read_acceptance_table
from bsmfit.catalogue.yield_build import write_yields
from bsmfit.detector.acceptance_table import TableSettings
from bsmfit.errors import OutputError

__all__ = ["build_tables"]


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
            the yields only.
        progress: Called with (what, masses done, masses in all).

    Returns:
        Paths of the files written.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: A record or a table is not valid.
        OutputError: The folder cannot be written.
    """
    chosen = settings or TableSettings()
    records = [(name, read_beam_dump_record(name)) for name in channels]
    paths = []
    for name, record in records:
        beside = locate_channel(name).parent
        folder = beside if directory is None else directory / record.id
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot make the folder {folder}: {error.strerror}"
            raise OutputError(msg) from error

        def report(what: str, channel: str = record.id) -> Callable[[int, int], None]:
            def call(done: int, total: int) -> None:
                if progress is not None:
                    progress(f"{channel} {what}", done, total)

            return call

        acceptance_path = folder / "acceptance.npz"
        if reuse_acceptance:
            acceptance_path = beside / "acceptance.npz"
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
        paths.append(yield_path)
    return paths
