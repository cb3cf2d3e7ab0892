"""The command ``bsmfit``.

Commands are a few lines each: they read options, call the library and print. What goes
wrong is said in one line on stderr, with exit code 2 and no traceback; numerical
libraries are imported by the command that needs them, so that help is quick.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from bsmfit._version import __version__
from bsmfit.cli.batch import batch
from bsmfit.cli.catalogue import cite, list_names, show, tables, validate
from bsmfit.cli.compilation_cache import VARIABLE, start_compilation_cache
from bsmfit.cli.interrupt import Stopped, how_to_go_on
from bsmfit.cli.limit import limit
from bsmfit.cli.measure import EXAMPLE as MEASURE_EXAMPLE
from bsmfit.cli.measure import measure
from bsmfit.cli.rare_decays import EXAMPLE as RARE_DECAYS_EXAMPLE
from bsmfit.cli.rare_decays import rare_decays
from bsmfit.cli.scan import scan
from bsmfit.errors import BsmfitError

__all__ = ["app", "main"]


COMPUTING = ("limit", "measure", "rare-decays", "scan", "tables", "validate")
"""Commands that always compile programs."""


class Commands(TyperGroup):
    """The group of all commands, which turns errors into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error that bsmfit raised on purpose has no traceback."""
        try:
            return super().invoke(ctx)
        except BsmfitError as error:
            _stop(str(error), code=2)
        except OSError as error:
            _stop(_system_message(error), code=2)
        except KeyboardInterrupt as error:
            number = error.number if isinstance(error, Stopped) else signal.SIGINT
            typer.echo(how_to_go_on([str(ctx.invoked_subcommand)]), err=True)
            raise typer.Exit(128 + number) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; one that computes is given the programs that are kept."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMPUTING and not ctx.params["no_cache"]:
            os.environ.update(start_compilation_cache(os.environ))
        elif name == "batch" and ctx.params["no_cache"]:
            os.environ[VARIABLE] = "off"  # it may compile, and so may its workers
        return name, command, rest


app = typer.Typer(
    cls=Commands,
    name="bsmfit",
    help="Statistically valid limits on light new particles from NA62 data.",
    epilog="Example: bsmfit scan dark-photon --channel na62-dump-mumu --out result",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(
    epilog="Example: bsmfit scan dark-photon --channel na62-dump-mumu "
    "--mass 0.22:0.7:300 --coupling 1e-7:1e-5:400 --cl 0.9 --out result",
)(scan)
app.command(
    epilog="Example: bsmfit limit na62-dump-mumu --observed 1 --cl 0.9 --json; "
    "bsmfit limit na62-pi-invisible-run1 --mass 0.2 --lifetime-ns 2",
)(limit)
app.command(epilog=MEASURE_EXAMPLE)(measure)
app.command("rare-decays", epilog=RARE_DECAYS_EXAMPLE)(rare_decays)
app.command("list", epilog="Example: bsmfit list channels")(list_names)
app.command(epilog="Example: bsmfit show na62-dump-mumu")(show)
app.command(epilog="Example: bsmfit validate")(validate)
app.command(epilog="Example: bsmfit cite results/my-scan > refs.bib")(cite)
app.add_typer(batch, name="batch")
app.add_typer(tables, name="tables")


def main() -> None:
    """Run the command line."""
    # Tracing makes millions of small objects and hardly any garbage.
    gc.set_threshold(100_000, 20, 50)
    # The fonts in a PDF carry dates that fontTools remarks on, to no one's use.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    app()


def _print_version(value: bool) -> bool:
    """Print the version and stop, where that was asked for."""
    if value:
        typer.echo(f"bsmfit {__version__}")
        raise typer.Exit
    return value


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and stop.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help=f"Keep no compiled programs between runs. {VARIABLE}=off does the "
            f"same, {VARIABLE}=FOLDER keeps them there.",
        ),
    ] = False,
) -> None:
    """Statistically valid limits on light new particles from NA62 data."""


def _stop(message: str, *, code: int) -> NoReturn:
    """Say in one line what went wrong and leave."""
    typer.echo(f"bsmfit: error: {' '.join(message.split())}", err=True)
    raise typer.Exit(code)


def _system_message(error: OSError) -> str:
    """Say which file the system refused."""
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"
