"""The limit of a search in beam-dump mode, in events or for a point of a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import typer

from bsmfit.cli.words import QUANTILE_NAMES, aligned, expected_in_words, finite

if TYPE_CHECKING:
    from bsmfit.channels.beam_dump import BeamDumpChannel
    from bsmfit.inference.toys.limits import Toys
    from bsmfit.likelihood.likelihood import Likelihood

__all__ = ["dump_in_words", "dump_report"]

Theory = tuple[str | None, float | None, str | None]
"""Model, coupling and preset, as far as they are given."""


def dump_report(
    search: BeamDumpChannel,
    *,
    n_observed: int | None,
    mass: float | None,
    theory: Theory,
    method: str,
    ensemble: str,
    n_toy: int,
    seed: int,
    cl: float,
) -> dict[str, Any]:
    """Compute the limit of a search.

    Args:
        search: The search.
        n_observed: Observed events; those published where None.
        mass: Mass hypothesis [GeV], or None for all events of the signal region.
        theory: Model, coupling and preset, or None for each.
        method: ``"auto"``, ``"exact"``, ``"asymptotic"``, ``"toys"`` or ``"bayes"``.
        ensemble: What toys fluctuate.
        n_toy: Toys of each hypothesis.
        seed: Seed of the toys.
        cl: Confidence level, within (0, 1).

    Returns:
        The numbers, ready for JSON.

    Raises:
        InputError: Options that do not go together, or a mass outside the table.
    """
    import jax

    from bsmfit.inference.toys.limits import Toys

    n_event = _count(search, n_observed, mass)
    likelihood = _likelihood(search, n_event, mass, theory)
    toys = Toys(jax.random.key(seed), n_toy=n_toy, ensemble=ensemble)
    model, coupling, _ = theory
    report = {
        "channel": search.name,
        "n_observed": n_event,
        "background": float(search.background),
        "mass_gev": mass,
        "model": model,
        "coupling": coupling,
        "unit": "signal of the model" if model else "events",
        "cl": cl,
        **_limits(likelihood, method, cl=cl, toys=toys),
    }
    return report | ({"n_toy": n_toy, "seed": seed} if method == "toys" else {})


def dump_in_words(report: dict[str, Any]) -> str:
    """A few lines for people.

    Args:
        report: What `dump_report` returned.

    Returns:
        The lines.
    """
    expected = "not defined for this method"
    if report["expected"] is not None:
        expected = expected_in_words(report["expected"])
    limit = report["limit"]
    value = "none" if limit is None else f"{limit:.6g} {report['unit']}"
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
    return aligned(lines)


def _count(search: BeamDumpChannel, observed: int | None, mass: float | None) -> int:
    """Observed events: given, near a mass, or all."""
    import jax.numpy as jnp

    if observed is not None:
        return observed
    if mass is None:
        return search.n_observed
    return int(search.observed_count(jnp.asarray(mass)))


def _likelihood(
    search: BeamDumpChannel, n_observed: int, mass: float | None, theory: Theory
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
    if not coupling > 0.0:
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
    likelihood: Likelihood, method: str, *, cl: float, toys: Toys
) -> dict[str, Any]:
    """Observed and expected limits, and how they were computed."""
    import warnings

    from bsmfit.errors import LowCountWarning
    from bsmfit.inference.limits.result import Status
    from bsmfit.inference.limits.upper_limit import expected_upper_limits, upper_limit

    if method == "bayes":
        return _credible(likelihood, cl=cl)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LowCountWarning)
        found = upper_limit(likelihood, cl=cl, method=method, toys=toys)
        expected = expected_upper_limits(likelihood, cl=cl, method=method, toys=toys)
    for message in {str(entry.message) for entry in caught}:
        typer.echo(f"bsmfit: warning: {message}", err=True)
    values = [finite(value) for value in expected.value]
    return {
        "limit": finite(found.value),
        "expected": dict(zip(QUANTILE_NAMES, values, strict=True)),
        "status": Status(int(found.status)).name.lower(),
        "expected_status": Status(int(expected.status)).name.lower(),
        "method": found.method,
        "ensemble": found.ensemble,
        "ordering": found.ordering,
        "monte_carlo_error": finite(found.monte_carlo_error),
        "reason": found.reason,
    }


def _credible(likelihood: Likelihood, *, cl: float) -> dict[str, Any]:
    """Credible limit with a prior flat in the signal."""
    from bsmfit.inference.posteriors.credible import credible_map
    from bsmfit.inference.posteriors.priors import FlatStrength

    found = credible_map(likelihood, prior=FlatStrength(), cl=cl)
    is_converged = bool(found.is_converged[0])
    value = float(found.upper_limit[0]) if is_converged else math.nan
    return {
        "limit": finite(value),
        "expected": None,
        "status": "ok" if is_converged else "not_converged",
        "expected_status": None,
        "method": found.method,
        "ensemble": found.prior,
        "ordering": None,
        "monte_carlo_error": 0.0,
        "reason": f"asked for; {found.label}",
    }
