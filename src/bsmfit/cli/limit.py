"""``bsmfit limit``: the limit of one channel, in events or for a point of a model.

The command reads the options; what it computes for a search in beam-dump mode is in
`bsmfit.cli.limit_dump`, for K+ -> pi+ X in `bsmfit.cli.limit_invisible`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from bsmfit.cli.options import LevelOption, PresetOption
from bsmfit.cli.searches import load_search

__all__ = ["Ensemble", "Method", "limit"]

_N_TOY, _SEED = 20_000, 1


class Method(StrEnum):
    """How a limit is computed."""

    AUTO = "auto"
    EXACT = "exact"
    ASYMPTOTIC = "asymptotic"
    TOYS = "toys"
    BAYES = "bayes"


class Ensemble(StrEnum):
    """What toys fluctuate besides the count."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    MARGINAL = "marginal"


def limit(
    channel: Annotated[
        str, typer.Argument(help="Channel id (see: bsmfit list channels).")
    ],
    observed: Annotated[
        int | None,
        typer.Option(
            "--observed", min=0, help="Observed events, instead of the published ones."
        ),
    ] = None,
    mass: Annotated[
        float | None,
        typer.Option(
            "--mass",
            help="Mass hypothesis [GeV]: only events in its window count. Without it, "
            "all events of the signal region do. Needed for K+ -> pi+ X.",
        ),
    ] = None,
    lifetime_ns: Annotated[
        float | None,
        typer.Option(
            "--lifetime-ns",
            help="Proper lifetime of X in K+ -> pi+ X [ns], X decaying visibly. "
            "Without it, X is stable.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Limit on the signal of a model over its expectation, at --mass and "
            "--coupling, instead of a limit in events or on a branching ratio.",
        ),
    ] = None,
    coupling: Annotated[
        float | None, typer.Option("--coupling", help="Coupling of the model.")
    ] = None,
    preset: PresetOption = None,
    method: Annotated[
        Method | None,
        typer.Option(
            "--method",
            help="auto takes exact sums below ten events, and says so.",
            show_default=Method.AUTO.value,
        ),
    ] = None,
    ensemble: Annotated[
        Ensemble | None,
        typer.Option(
            "--ensemble",
            help="What toys fluctuate.",
            show_default=Ensemble.UNCONDITIONAL.value,
        ),
    ] = None,
    n_toy: Annotated[
        int | None,
        typer.Option(
            "--toys", min=1, help="Toys of each hypothesis.", show_default=str(_N_TOY)
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Seed of the toys.", show_default=str(_SEED)),
    ] = None,
    cl: LevelOption = 0.9,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Print the upper limit of a channel, observed and expected.

    In events, with the channel's own uncertainties; for K+ -> pi+ X on its branching
    ratio. With --model as a multiple of the signal that the model predicts, below 1
    being excluded.
    """
    from bsmfit import enable_x64

    enable_x64()
    from bsmfit.channels.pi_invisible import PiInvisibleChannel
    from bsmfit.cli.limit_dump import dump_in_words, dump_report
    from bsmfit.cli.limit_invisible import invisible_in_words, invisible_report
    from bsmfit.inference.limits.points import check_level

    check_level(cl)
    theory = (model, coupling, preset)
    search = load_search(channel)
    if isinstance(search, PiInvisibleChannel):
        if method not in (None, Method.AUTO, Method.EXACT):
            _refuse(f"--method {method.value}", search.name, _EXACT)
        for flag, given in (
            ("--ensemble", ensemble),
            ("--toys", n_toy),
            ("--seed", seed),
        ):
            if given is not None:
                _refuse(flag, search.name, _EXACT)
        report = invisible_report(
            search,
            mass=mass,
            lifetime_ns=lifetime_ns,
            n_observed=observed,
            theory=theory,
            cl=cl,
        )
        typer.echo(json.dumps(report) if as_json else invisible_in_words(report))
        return
    if lifetime_ns is not None:
        _refuse("--lifetime-ns", search.name, _EVENTS)
    report = dump_report(
        search,
        n_observed=observed,
        mass=mass,
        theory=theory,
        method=(method or Method.AUTO).value,
        ensemble=(ensemble or Ensemble.UNCONDITIONAL).value,
        n_toy=_N_TOY if n_toy is None else n_toy,
        seed=_SEED if seed is None else seed,
        cl=cl,
    )
    typer.echo(json.dumps(report) if as_json else dump_in_words(report))


_EXACT = "limits on K+ -> pi+ X are exact sums, without toys (--method auto or exact)"
_EVENTS = "a limit in events has no lifetime; give --model with --mass and --coupling"


def _refuse(flag: str, channel: str, reason: str) -> NoReturn:
    """Refuse an option that has no meaning for a kind of search."""
    from bsmfit.errors import InputError

    msg = f"{flag} has no meaning for {channel}: {reason}"
    raise InputError(msg)
