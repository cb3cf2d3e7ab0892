"""Commands about what the package holds: list, show, validate, cite, tables build."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bsmfit.cli.options import parse_path

__all__ = ["cite", "list_names", "show", "tables", "validate"]

tables = typer.Typer(
    help="The tables that searches are evaluated from.", no_args_is_help=True
)


class Kind(StrEnum):
    """What can be listed."""

    MODELS = "models"
    CHANNELS = "channels"
    PRESETS = "presets"
    PROJECTIONS = "projections"


@tables.callback()
def _tables() -> None:
    """The tables that searches are evaluated from."""


def list_names(
    kind: Annotated[
        Kind | None, typer.Argument(help="What to list; everything by default.")
    ] = None,
) -> None:
    """List models, channels, presets and projections by name."""
    from bsmfit.catalogue.projections import projection_names
    from bsmfit.catalogue.records import (
        channel_names,
        model_names,
        pi_nunu_names,
        preset_names,
    )

    lines = {
        Kind.MODELS: model_names,
        Kind.CHANNELS: lambda: [
            "for scan and limit:",
            *[f"  {name}" for name in channel_names()],
            "for measure:",
            *[f"  {name}" for name in pi_nunu_names()],
        ],
        Kind.PRESETS: lambda: [
            f"{preset} ({model})"
            for model in model_names()
            for preset in preset_names(model)
        ],
        Kind.PROJECTIONS: projection_names,
    }
    for one in [kind] if kind else list(Kind):
        if not kind:
            typer.echo(f"{one.value}:")
        for line in lines[one]():
            typer.echo(line if kind else f"  {line}")


def show(
    name: Annotated[
        str, typer.Argument(help="Name of a model, or id of a search or measurement.")
    ],
) -> None:
    """Show what a model, a search or a measurement is made of, with sources."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bsmfit.catalogue.describe import describe

    console = Console()
    for section, rows in describe(name):
        table = Table("", "", title_justify="left", show_header=False)
        table.title = Text(section)
        for key, value in rows:
            # as Text: in a plain string "[published]" is a style, which is not printed
            table.add_row(Text(key), Text(value))
        console.print(table)


def validate() -> None:
    """Compare with published numbers; exit code 1 where one is missed.

    A row is independent unless an input was derived from or calibrated to its number;
    only independent rows with a tolerance count.
    """
    from bsmfit import enable_x64

    enable_x64()
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from bsmfit.validation.report import validation_rows
    from bsmfit.validation.targets import count_verdicts

    rows = validation_rows()
    table = Table(
        *("target", "quantity", "reference", "ours"),
        *("deviation", "tolerance", "verdict", "independent"),
    )
    for row in rows:
        style = "+.1%" if row.is_relative else "+.2f"
        tolerance = "" if row.tolerance is None else f"{row.tolerance:{style[1:]}}"
        table.add_row(
            escape(row.target),
            escape(row.quantity),
            f"{row.published:.4g}",
            f"{row.ours:.4g}",
            f"{row.deviation:{style}}",
            tolerance,
            row.verdict,
            "yes" if row.is_independent else "no",
        )
    Console(width=None if Console().is_terminal else 150).print(table)
    for text in sorted({f"{row.target}: {row.note}" for row in rows if row.note}):
        typer.echo(text)
    for target in dict.fromkeys(row.target for row in rows):
        n_passed, n_judged = count_verdicts([r for r in rows if r.target == target])
        if n_judged:
            typer.echo(f"{target}: {n_passed} of {n_judged}")
    n_passed, n_judged = count_verdicts(rows)
    typer.echo(f"{n_passed} of {n_judged} independent numbers within tolerance")
    if n_passed < n_judged:
        raise typer.Exit(1)


def cite(
    result: Annotated[
        Path,
        typer.Argument(parser=parse_path, help="A scan.nc, or the folder it is in."),
    ],
) -> None:
    """Print the BibTeX of everything that went into a result."""
    from bsmfit.catalogue.citations import bibliography
    from bsmfit.scan.result_inputs import read_inputs

    typer.echo(bibliography(read_inputs(result)), nl=False)


@tables.command("build", epilog="Example: bsmfit tables build --out tables")
def build(
    channel: Annotated[
        list[str] | None,
        typer.Option(
            "--channel", help="Channel id or path of a record; all shipped by default."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            parser=parse_path,
            metavar="PATH",
            help="Folder of the new tables. Default: beside each record, where "
            "scans read them.",
        ),
    ] = None,
    yields_only: Annotated[
        bool,
        typer.Option(
            "--yields-only",
            help="Beam dump only: keep the acceptance; make the yields again.",
        ),
    ] = False,
) -> None:
    """Make the tables of searches again.

    Acceptance and yields in beam-dump mode take 5 to 10 minutes a channel, the forward
    model of K+ -> pi+ X one or two.
    """
    from bsmfit import enable_x64

    enable_x64()
    from rich.console import Console
    from rich.progress import Progress

    from bsmfit.catalogue.kinds.registry import names_with
    from bsmfit.catalogue.tables.build import build_tables

    every = names_with("build_yields" if yields_only else "build_tables")
    with Progress(console=Console(stderr=True)) as bar:
        tasks = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        paths = build_tables(
            channel or every,
            directory=out,
            reuse_acceptance=yields_only,
            progress=progress,
        )
    for path in paths:
        typer.echo(f"wrote {path}")
