"""``bsmfit limit``: the limit of one channel, in events or for a point of a model.

The command reads the options; what it computes is in `bsmfit.cli.limit_report`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from bsmfit.cli.options import (
    AllowCodeOption,
    LevelOption,
    PresetOption,
    ProcessOption,
    check_n_toy,
    check_seed,
    parse_number,
    parse_processes,
)
from bsmfit.cli.own_numbers import (
    BackgroundOption,
    EfficiencyOption,
    ObservedOption,
    OverrideOption,
    ProtonsOption,
    with_own_numbers,
)
from bsmfit.cli.parameters import parse_parameters
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
    observed: ObservedOption = None,
    protons: ProtonsOption = None,
    efficiency: EfficiencyOption = None,
    background: BackgroundOption = None,
    override: OverrideOption = None,
    mass: Annotated[
        float | None,
        typer.Option(
            "--mass",
            parser=parse_number,
            metavar="FLOAT",
            help="Mass hypothesis [GeV]: only events in its window count. Without it, "
            "all events of the signal region do. Needed for K+ -> pi+ X.",
        ),
    ] = None,
    lifetime_ns: Annotated[
        float | None,
        typer.Option(
            "--lifetime-ns",
            parser=parse_number,
            metavar="FLOAT",
            help="Proper lifetime of X in K+ -> pi+ X [ns], X decaying visibly. "
            "Without it, X is stable, or decays at once where its decay is seen.",
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
        float | None,
        typer.Option(
            "--coupling",
            parser=parse_number,
            metavar="FLOAT",
            help="Coupling of the model.",
        ),
    ] = None,
    preset: PresetOption = None,
    process: ProcessOption = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            metavar="NAME=VALUE",
            help="Value of a further parameter of the model. Repeat it for several.",
        ),
    ] = None,
    allow_code: AllowCodeOption = False,
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
            "--toys",
            callback=check_n_toy,
            help="Toys of each hypothesis.",
            show_default=str(_N_TOY),
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            callback=check_seed,
            help="Seed of the toys.",
            show_default=str(_SEED),
        ),
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
    if method is not Method.TOYS:
        # one point, computed once: optimising the programs takes longer than they run
        import jax

        jax.config.update("jax_disable_most_optimizations", True)
    from bsmfit.cli.limit_report import LimitQuestion, limit_in_words, limit_report
    from bsmfit.core.argument import level

    toys_only = {"--toys": n_toy, "--seed": seed, "--ensemble": ensemble}
    for flag, given in toys_only.items():
        if given is not None and method is not Method.TOYS:
            _refuse(flag, "it needs --method toys")
    (search,) = with_own_numbers(
        [load_search(channel)],
        override=override,
        numbers={
            "protons": protons,
            "efficiency": efficiency,
            "background": background,
            "observed": observed,
        },
    )
    question = LimitQuestion(
        mass=mass,
        lifetime_ns=lifetime_ns,
        model=model,
        coupling=coupling,
        preset=preset,
        processes=parse_processes(process),
        parameters=_fixed(parameter),
        allow_code=allow_code,
        method=(method or Method.AUTO).value,
        ensemble=(ensemble or Ensemble.UNCONDITIONAL).value,
        n_toy=_N_TOY if n_toy is None else n_toy,
        seed=_SEED if seed is None else seed,
        cl=level(cl),
    )
    report = limit_report(search, question)
    if as_json:
        typer.echo(json.dumps({k: v for k, v in report.items() if k != "facts"}))
    else:
        typer.echo(limit_in_words(report))
    if report["limit"] is None:
        raise typer.Exit(1)


def _fixed(given: list[str] | None) -> dict[str, float]:
    """The value of each parameter: a limit is for one of each."""
    from bsmfit.errors import InputError

    found = parse_parameters(given)
    for name in found.scanned:
        msg = (
            f"--parameter {name} has several values, and a limit is for one point; "
            f"write --parameter {name}=0.5, or scan them with bsmfit scan"
        )
        raise InputError(msg)
    return found.fixed


def _refuse(flag: str, reason: str) -> NoReturn:
    """Refuse an option that would have no effect."""
    from bsmfit.errors import InputError

    msg = f"{flag} has no effect here: {reason}"
    raise InputError(msg)
