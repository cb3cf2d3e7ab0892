"""``bsmfit rare-decays``: limits of all searches for rare decays, as one table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bsmfit.cli.options import LevelOption
from bsmfit.cli.words import finite

if TYPE_CHECKING:
    from bsmfit.inference.limits.rare_decay_limits import RareDecayLimits

__all__ = ["EXAMPLE", "rare_decays"]

EXAMPLE = "Example: bsmfit rare-decays --cl 0.9 --plot rare-decays.png"
"""Epilog of the help text."""

_COLUMNS = {
    "decay": "decay",
    "sample": "data",
    "n_observed": "n",
    "background": "b",
    "observed": "CLs",
    "expected": "expected",
    "without_errors": "no errors",
    "feldman_cousins": "FC",
    "bayesian": "Bayes",
    "published": "published",
    "is_independent": "independent",
}


def rare_decays(
    plot: Annotated[
        str | None,
        typer.Option("--plot", help="Also draw the figure: a .png or .pdf file."),
    ] = None,
    cl: LevelOption = 0.9,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Print limits on the branching ratios of rare decays, all searches in one table.

    CLs limits with both uncertainties averaged over, observed and expected, and without
    them; Feldman-Cousins limits for known numbers; Bayesian ones, prior flat. A search
    that is not independent took a number from the published limit.
    """
    from bsmfit import enable_x64

    enable_x64()
    from bsmfit.catalogue.channels import load_channel
    from bsmfit.catalogue.kinds.rare_decay import rare_decay_names
    from bsmfit.inference.limits.rare_decay_limits import rare_decay_limits

    channels: Any = [load_channel(name) for name in rare_decay_names()]
    limits = rare_decay_limits(channels, cl=cl)
    rows = [_row(limits, index, name) for index, name in enumerate(limits.names)]
    if as_json:
        typer.echo(json.dumps({"cl": limits.cl, "searches": rows}))
    else:
        _print_table(rows)
    if plot is not None:
        from bsmfit.plot.rare_decays import plot_rare_decays

        plot_rare_decays(limits, plot)
        typer.echo(f"wrote {plot}", err=True)


def _row(limits: RareDecayLimits, index: int, name: str) -> dict[str, Any]:
    from bsmfit.catalogue.kinds.rare_decay import read_rare_decay_record

    record = read_rare_decay_record(name)
    region = next(one for one in record.regions if one.has_signal)
    known = record.is_count_known
    total = sum(entry.events.value for entry in region.backgrounds)
    return {
        "channel": name,
        "decay": record.decay,
        "sample": record.sample,
        "n_observed": region.n_observed.value if known else None,
        "background": total if known else None,
        "observed": finite(limits.observed[index]),
        "expected": finite(limits.expected[index, 2]),
        "without_errors": finite(limits.without_errors[index]),
        "feldman_cousins": finite(limits.feldman_cousins[index, 1]),
        "bayesian": finite(limits.bayesian[index]),
        "published": record.published_limit.value.value,
        "is_independent": record.sensitivity.inferred_from_limit is None,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*_COLUMNS.values())
    for row in rows:
        table.add_row(*[_cell(key, row[key]) for key in _COLUMNS])
    Console(width=None if Console().is_terminal else 150).print(table)


def _cell(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "?"
    if isinstance(value, str):
        return value
    return f"{value:.3g}" if key in ("n_observed", "background") else f"{value:.2e}"
