"""``bsmfit limit``: the limit of one channel, in events or for a point of a model."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bsmfit.cli.options import LevelOption, PresetOption

if TYPE_CHECKING:
    from bsmfit.channels.beam_dump import BeamDumpChannel
    from bsmfit.inference.toy_limits import Toys
    from bsmfit.likelihood.likelihood import Likelihood

__all__ = ["limit"]


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
            "all events of the signal region do.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Limit on the signal of a model over its expectation, at --mass and "
            "--coupling, instead of a limit in events.",
        ),
    ] = None,
    coupling: Annotated[
        float | None, typer.Option("--coupling", help="Coupling of the model.")
    ] = None,
    preset: PresetOption = None,
    method: Annotated[
        Method,
        typer.Option(
            "--method", help="auto takes exact sums below ten events, and says so."
        ),
    ] = Method.AUTO,
    ensemble: Annotated[
        Ensemble, typer.Option("--ensemble", help="What toys fluctuate.")
    ] = Ensemble.UNCONDITIONAL,
    n_toy: Annotated[
        int, typer.Option("--toys", min=1, help="Toys of each hypothesis.")
    ] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the toys.")] = 1,
    cl: LevelOption = 0.9,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Print the upper limit of a channel, observed and expected.

    In events, with the channel's own uncertainties; with --model as a multiple of the
    signal that the model predicts, below 1 being excluded.
    """
    from bsmfit import enable_x64

    enable_x64()
    import jax

    from bsmfit.catalogue.channels import load_channel
    from bsmfit.inference.toy_limits import Toys

    search = load_channel(channel)
    n_observed = _count(search, observed, mass)
    likelihood = _likelihood(search, n_observed, mass, (model, coupling, preset))
    toys = Toys(jax.random.key(seed), n_toy=n_toy, ensemble=ensemble.value)
    report = {
        "channel": search.name,
        "n_observed": n_observed,
        "background": float(search.background),
        "mass_gev": mass,
        "model": model,
        "coupling": coupling,
        "unit": "signal of the model" if model else "events",
        "cl": cl,
        **_limits(likelihood, method, cl=cl, toys=toys),
    }
    if method is Method.TOYS:
        report |= {"n_toy": n_toy, "seed": seed}
    typer.echo(json.dumps(report) if as_json else _in_words(report))


def _count(search: BeamDumpChannel, observed: int | None, mass: float | None) -> int:
    """Observed events: given, near a mass, or all."""
    import jax.numpy as jnp

    if observed is not None:
        return observed
    if mass is None:
        return search.n_observed
    return int(search.observed_count(jnp.asarray(mass)))


def _likelihood(
    search: BeamDumpChannel,
    n_observed: int,
    mass: float | None,
    theory: tuple[str | None, float | None, str | None],
) -> Likelihood:
    """Likelihood of a signal of one event, or of the signal of a model."""
    import jax.numpy as jnp

    from bsmfit.catalogue.models import load_model
    from bsmfit.errors import InputError
    from bsmfit.likelihood.beam_dump import beam_dump_likelihood
    from bsmfit.scan.exclusion_point import production_processes

    name, coupling, preset = theory
    if name is None:
        if coupling is not None or preset is not None:
            msg = "--coupling and --preset need --model"
            raise InputError(msg)
        return beam_dump_likelihood([search], n_observed=[n_observed])
    if mass is None or coupling is None:
        msg = "--model needs --mass and --coupling"
        raise InputError(msg)
    low, high = search.mass_range
    if not low <= mass <= high:
        msg = (
            f"mass = {mass:g} GeV lies outside the table of {search.name} "
            f"({low:g} to {high:g} GeV)"
        )
        raise InputError(msg)
    if coupling <= 0.0:
        msg = f"coupling = {coupling:g} must be above 0"
        raise InputError(msg)
    new_physics = load_model(name, preset)
    search = search.select(production_processes(new_physics))
    mediator = new_physics(jnp.asarray(mass), jnp.asarray(coupling))
    return beam_dump_likelihood(
        [search],
        n_observed=[n_observed],
        log_signal=[search.log_signal(mediator)],
        production_nuisances=new_physics.nuisances,
    )


def _limits(
    likelihood: Likelihood, method: Method, *, cl: float, toys: Toys
) -> dict[str, Any]:
    """Observed and expected limits, and how they were computed."""
    import warnings

    from bsmfit.errors import LowCountWarning
    from bsmfit.inference.limits import expected_upper_limits, upper_limit
    from bsmfit.inference.result import Status

    if method is Method.BAYES:
        return _credible(likelihood, cl=cl)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LowCountWarning)
        found = upper_limit(likelihood, cl=cl, method=method.value, toys=toys)
        expected = expected_upper_limits(
            likelihood, cl=cl, method=method.value, toys=toys
        )
    for message in {str(entry.message) for entry in caught}:
        typer.echo(f"bsmfit: warning: {message}", err=True)
    quantiles = ("minus_2_sigma", "minus_1_sigma", "median", "plus_1_sigma")
    values = [_number(float(value)) for value in expected.value]
    return {
        "limit": _number(float(found.value)),
        "expected": dict(zip((*quantiles, "plus_2_sigma"), values, strict=True)),
        "status": Status(int(found.status)).name.lower(),
        "expected_status": Status(int(expected.status)).name.lower(),
        "method": found.method,
        "ensemble": found.ensemble,
        "ordering": found.ordering,
        "monte_carlo_error": _number(float(found.monte_carlo_error)),
        "reason": found.reason,
    }


def _credible(likelihood: Likelihood, *, cl: float) -> dict[str, Any]:
    """Credible limit with a prior flat in the signal."""
    from bsmfit.inference.credible import credible_map
    from bsmfit.inference.priors import FlatStrength

    found = credible_map(likelihood, prior=FlatStrength(), cl=cl)
    is_converged = bool(found.is_converged[0])
    value = float(found.upper_limit[0]) if is_converged else math.nan
    return {
        "limit": _number(value),
        "expected": None,
        "status": "ok" if is_converged else "not_converged",
        "expected_status": None,
        "method": found.method,
        "ensemble": found.prior,
        "ordering": None,
        "monte_carlo_error": 0.0,
        "reason": f"asked for; {found.label}",
    }


def _number(value: float) -> float | None:
    """A number that JSON knows; None for what has no value."""
    return value if math.isfinite(value) else None


def _in_words(report: dict[str, Any]) -> str:
    """A few lines for people."""
    expected = "not defined for this method"
    if report["expected"] is not None:
        values = [
            "none" if value is None else f"{value:.4g}"
            for value in report["expected"].values()
        ]
        expected = (
            f"{values[2]} ({values[1]} to {values[3]} at 1 sigma, {values[0]} to "
            f"{values[4]} at 2 sigma)"
        )
    unit = report["unit"]
    limit = report["limit"]
    value = "none" if limit is None else f"{limit:.6g} {unit}"
    if report["monte_carlo_error"]:
        value += f" +- {report['monte_carlo_error']:.2g}"
    lines = {
        "channel": report["channel"],
        "observed": f"{report['n_observed']} events, {report['background']:g} expected",
        f"limit ({100 * report['cl']:g} % CL)": value,
        "expected": expected,
        "status": report["status"],
        "method": f"{report['method']}, {report['ensemble']}"
        + (f", ordered by {report['ordering']}" if report["ordering"] else ""),
        "because": report["reason"],
    }
    width = max(map(len, lines))
    return "\n".join(f"{key:{width}}  {text}" for key, text in lines.items())
