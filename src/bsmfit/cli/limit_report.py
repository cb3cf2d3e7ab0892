"""The limit of one search, of any kind, without a model or at a point of one.

The search says what a limit without a model is on (events, a branching ratio). One
count has exact limits from the kernel of maps; other methods, and several regions, go
through the likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from bsmfit.cli.words import (
    QUANTILE_NAMES,
    aligned,
    expected_in_words,
    finite,
    percent,
)
from bsmfit.core.argument import real_number
from bsmfit.errors import InputError

if TYPE_CHECKING:
    from bsmfit.channels.channel import Channel
    from bsmfit.channels.search_region import SearchRegion
    from bsmfit.inference.toys.limits import Toys
    from bsmfit.likelihood.likelihood import Likelihood
    from bsmfit.physics.mediator import Mediator

__all__ = ["LimitQuestion", "limit_in_words", "limit_report"]

_NANOSECOND = 1e-9
_SHORTEST = 1e-15  # ns: a width of 0.7 GeV, at which no particle is left
_LARGEST_EXACT = 60
_MODEL_UNIT = "signal of the model"
_NO_EXPECTATION = {
    "unknown_background": "unknown, as the background is",
    "too_many_events": f"beyond the exact sums, which end at {_LARGEST_EXACT} events",
}


@dataclass(frozen=True)
class LimitQuestion:
    """What is asked about a search.

    Attributes:
        mass: Mass [GeV], or None.
        lifetime_ns: Proper lifetime [ns], or None for a stable particle.
        model: Name of a model, or None.
        coupling: Its coupling, or None.
        preset: Its preset, or None for the default.
        processes: Factor on the rate by production process, or None for the preset's.
        parameters: Value of further parameters of the model, by name.
        allow_code: Whether a model card may name a Python function.
        method: ``"auto"``, ``"exact"``, ``"asymptotic"``, ``"toys"`` or ``"bayes"``.
        ensemble: What toys fluctuate.
        n_toy: Toys of each hypothesis.
        seed: Seed of the toys.
        cl: Confidence level.
    """

    mass: float | None
    lifetime_ns: float | None
    model: str | None
    coupling: float | None
    preset: str | None
    processes: dict[str, float] | None
    parameters: dict[str, float]
    allow_code: bool
    method: str
    ensemble: str
    n_toy: int
    seed: int
    cl: float


def limit_report(search: Channel, question: LimitQuestion) -> dict[str, Any]:
    """Compute the limit of a search.

    Args:
        search: The search.
        question: What is asked.

    Returns:
        The numbers, ready for JSON.

    Raises:
        InputError: Options that do not go together, or numbers without meaning for
            this search.
    """
    point = _without_model if question.model is None else _with_model
    regions, about = point(search, question)
    found = _limits(search, regions, question)
    if about["unit"].startswith("BR("):
        found = _up_to_one(found)
    if not search.is_background_known:
        found |= {"expected": None, "expected_status": "unknown_background"}
    # sidebands hold nuisances; what counts is where the signal is
    counted = [region for region in regions if region.signal]
    return {
        "channel": search.name,
        "changes": list(search.changes),
        "count": search.count_words,
        "n_observed": sum(float(region.observed) for region in counted),
        "background": sum(float(region.total_background) for region in counted),
        "mass_gev": question.mass,
        "cl": question.cl,
        **about,
        **found,
    }


def limit_in_words(report: dict[str, Any]) -> str:
    """A few lines for people.

    Args:
        report: What `limit_report` returned.

    Returns:
        The lines.
    """
    lines = {
        "channel": report["channel"],
        "observed": f"{report['n_observed']:.4g} events ({report['count']}), "
        f"{report['background']:.4g} expected without signal",
    }
    if report["mass_gev"] is not None:
        lines["particle"] = f"mass {report['mass_gev']:g} GeV" + _lasts(report)
    lines |= {label: f"{value:.4g} {words}" for label, value, words in report["facts"]}
    if report["model"] is not None:
        lines["model"] = (
            f"{report['model']} ({report['preset']}), {report['coupling_name']} = "
            f"{report['coupling']:g}"
        ) + "".join(f", {k} = {v:g}" for k, v in report["parameters"].items())
    limit, unit = report["limit"], report["unit"]
    joined = {_MODEL_UNIT: f"times the {_MODEL_UNIT}", "events": "events"}
    value = "none" if limit is None else f"{limit:.6g} {joined.get(unit, f'on {unit}')}"
    if report["monte_carlo_error"]:
        value += f" +- {report['monte_carlo_error']:.2g}"
    expected = report["expected"]
    lines |= {
        f"limit ({percent(report['cl'])})": value,
        "expected": _NO_EXPECTATION.get(
            report["expected_status"], "not defined for this method"
        )
        if expected is None
        else expected_in_words(expected),
        "status": report["status"],
        "method": f"{report['method']}, {report['ensemble']}"
        + (f", ordered by {report['ordering']}" if report["ordering"] else ""),
        "because": report["reason"],
    }
    notes = [f"note: {text}" for text in report["caveats"]]
    if report["changes"]:
        changes = ", ".join(report["changes"])
        notes.append(f"note: not published data; changed by hand: {changes}")
    return "\n".join([aligned(lines), *notes])


def _up_to_one(found: dict[str, Any]) -> dict[str, Any]:
    """The limits on a branching ratio without those above 1, which exclude nothing."""
    limit, expected = found["limit"], found["expected"]
    if expected is not None:
        kept = {
            name: None if value is None or value > 1.0 else value
            for name, value in expected.items()
        }
        is_none = kept["median"] is None and expected["median"] is not None
        status = "unbounded" if is_none else found["expected_status"]
        found = {**found, "expected": kept, "expected_status": status}
    if limit is None or limit <= 1.0:
        return found
    reason = f"no branching ratio up to 1 is excluded; {found['reason']}"
    return {**found, "limit": None, "status": "unbounded", "reason": reason}


def _lasts(report: dict[str, Any]) -> str:
    if "lifetime_ns" not in report:
        return ""
    lifetime = report["lifetime_ns"]
    if not lifetime:
        return ", stable" if lifetime is None else ", decaying at once"
    return f", lifetime {lifetime:.4g} ns"


def _without_model(
    search: Channel, question: LimitQuestion
) -> tuple[tuple[SearchRegion, ...], dict[str, Any]]:
    """Regions with a signal of one unit of the search."""
    import equinox as eqx
    import jax.numpy as jnp

    from bsmfit.core.constants import HBAR

    given = (question.coupling, question.preset, question.processes)
    if question.parameters or any(value is not None for value in given):
        msg = "--coupling, --preset, --process and --parameter need --model"
        raise InputError(msg)
    search.check_unit(question.mass, question.lifetime_ns)
    lifetime = question.lifetime_ns
    if lifetime is not None:
        hint = "leave it out for a stable particle"
        lifetime = real_number("--lifetime-ns", lifetime, low=_SHORTEST, hint=hint)
    width = jnp.asarray(0.0 if lifetime is None else HBAR / (lifetime * _NANOSECOND))
    mass = None if question.mass is None else jnp.asarray(question.mass)
    regions = eqx.filter_jit(lambda s, m, w: s.unit_regions(m, w))(search, mass, width)
    about: dict[str, Any] = {"model": None, "unit": search.unit}
    about |= {"facts": [], "caveats": []}
    if mass is not None:
        probe = search.unit_particle(mass, width)
        if lifetime is None and float(probe.decay_width) > 0.0:
            lifetime = 0.0
        facts = _facts(search, probe, kept=lambda key: key != "branching_ratio")
        about |= facts | ({"lifetime_ns": lifetime} if facts["facts"] else {})
    return regions, about


def _with_model(
    search: Channel, question: LimitQuestion
) -> tuple[tuple[SearchRegion, ...], dict[str, Any]]:
    """Regions with the signal that a model predicts."""
    import equinox as eqx
    import jax.numpy as jnp

    from bsmfit.catalogue.models import load_model
    from bsmfit.channels.combination import Combination
    from bsmfit.core.constants import HBAR
    from bsmfit.physics.excluded_masses import check_defined

    mass, coupling = question.mass, question.coupling
    if question.model is None or mass is None or coupling is None:
        msg = "--model needs --mass and --coupling"
        raise InputError(msg)
    if question.lifetime_ns is not None:
        msg = "--lifetime-ns has no meaning with --model, which predicts the lifetime"
        raise InputError(msg)
    if not (coupling > 0.0 and math.isfinite(coupling)):
        msg = f"coupling = {coupling:g} must be above 0 and finite"
        raise InputError(msg)
    search.check_model_mass(mass)
    processes = question.processes
    model = load_model(
        question.model,
        question.preset,
        processes=processes,
        allow_code=question.allow_code,
    ).with_parameters(**question.parameters)
    low, high = model.mass_range
    if not low <= mass <= high:
        msg = f"mass = {mass:g} GeV lies outside {model.name} ({low:g} to {high:g} GeV)"
        raise InputError(msg)
    check_defined(model, jnp.asarray(mass))
    combination = Combination.of(model, search)

    def at(both: tuple) -> tuple:
        mediator = model(*both)
        return mediator, combination.regions(mediator)

    both = jnp.asarray(mass), jnp.asarray(coupling)
    mediator, regions = eqx.filter_jit(at)(both)
    width = float(mediator.decay_width)
    return regions, {
        "model": model.name,
        "preset": model.preset,
        "coupling_name": model.coupling,
        "coupling": coupling,
        "parameters": question.parameters,
        "unit": _MODEL_UNIT,
        "caveats": list(search.caveats(model.preset)),
        "expected_signal": finite(_expected_signal(regions)),
        "lifetime_ns": HBAR / width / _NANOSECOND if width > 0.0 else None,
        **_facts(search, mediator, kept=lambda key: True),
    }


def _expected_signal(regions: tuple[SearchRegion, ...]) -> float:
    import jax.numpy as jnp

    from bsmfit.channels.search_region import log_total_signal

    return float(jnp.exp(jnp.minimum(log_total_signal(regions), 690.0)))


def _facts(search: Channel, mediator: Mediator, *, kept: Any) -> dict[str, Any]:
    """Numbers of the search by key, and their words."""
    import equinox as eqx

    labels = [(f.key, f.label, f.words) for f in _abstract_facts(search, mediator)]
    values = eqx.filter_jit(lambda s, m: [fact.value for fact in s.facts(m)])(
        search, mediator
    )
    shown = [
        (key, label, float(value), words)
        for (key, label, words), value in zip(labels, values, strict=True)
        if kept(key)
    ]
    words = [(label, value, text) for _, label, value, text in shown]
    return {"facts": words, **{key: finite(value) for key, _, value, _ in shown}}


def _abstract_facts(search: Channel, mediator: Mediator) -> Any:
    import equinox as eqx

    return eqx.filter_eval_shape(lambda s, m: s.facts(m), search, mediator)


def _limits(
    search: Channel, regions: tuple[SearchRegion, ...], question: LimitQuestion
) -> dict[str, Any]:
    """Observed and expected limits, and how they were computed."""
    from bsmfit.channels.search_region import likelihood_of_regions

    is_effective = any(region.is_effective for region in regions)
    if is_effective and question.method not in ("auto", "exact"):
        msg = (
            f"--method {question.method} has no meaning for {search.name}: its counts "
            "are reconstructed and limits are exact sums (--method auto or exact)"
        )
        raise InputError(msg)
    is_one = len(regions) == 1
    is_few = is_effective or all(r.observed <= _LARGEST_EXACT for r in regions)
    if is_one and is_few and question.method in ("auto", "exact"):
        return _kernel_limits(search, regions, cl=question.cl)
    if is_one and question.method == "exact":
        msg = (
            f"{float(regions[0].observed):g} events are beyond the exact sums, 0 to "
            f"{_LARGEST_EXACT} events; use --method auto or asymptotic"
        )
        raise InputError(msg)
    likelihood = likelihood_of_regions(regions)
    if question.method == "bayes":
        return _credible(likelihood, cl=question.cl)
    return _likelihood_limits(likelihood, question)


def _kernel_limits(
    search: Channel, regions: tuple[SearchRegion, ...], *, cl: float
) -> dict[str, Any]:
    """Exact limits of one count, by the kernel of maps."""
    import equinox as eqx
    import jax.numpy as jnp

    from bsmfit.inference.exclusion.kernel import exclusion_kernel

    kernel = exclusion_kernel(
        regions,
        searches=[search.name],
        members=[range(len(regions))],
        largest=search.largest_counts(),
        cl=jnp.asarray(cl),
    )
    found = eqx.filter_jit(lambda k, r: k(r))(kernel, regions)
    status = "ok" if bool(found.is_converged) else "not_converged"
    signal = float(found.n_signal)
    if not bool(found.is_open):
        status = "no_sensitivity"
    elif not signal > 0.0:
        status = "no_signal"
    scale = signal if status == "ok" else math.nan
    up, expected = found.n_up_obs, found.n_up_exp
    if up is None or expected is None:
        msg = f"{search.name} has responses that need a joint kernel"
        raise InputError(msg)
    values = [finite(float(value) / scale) for value in expected]
    limit = finite(float(up) / scale)
    expected_status = status
    if status == "ok" and values[0] is None:
        expected_status = "too_many_events"
    if status == "ok" and limit is None:
        status = "unbounded"
    return {
        "limit": limit,
        "expected": dict(zip(QUANTILE_NAMES, values, strict=True))
        if expected_status != "too_many_events"
        else None,
        "status": status,
        "expected_status": expected_status,
        "method": found.method,
        "ensemble": found.ensemble,
        "ordering": None,
        "monte_carlo_error": 0.0,
        "reason": "one count: exact sums, nuisances averaged over",
    }


def _likelihood_limits(
    likelihood: Likelihood, question: LimitQuestion
) -> dict[str, Any]:
    """Limits by any method of the likelihood."""
    import warnings

    import jax

    from bsmfit.errors import LowCountWarning
    from bsmfit.inference.limits.result import Status
    from bsmfit.inference.limits.upper_limit import expected_upper_limits, upper_limit
    from bsmfit.inference.toys.limits import Toys

    is_toys = question.method == "toys"
    toys: Toys | None = None
    if is_toys:
        key = jax.random.key(question.seed)
        toys = Toys(key, n_toy=question.n_toy, ensemble=question.ensemble)
    options: dict[str, Any] = {
        "cl": question.cl,
        "method": question.method,
        "toys": toys,
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LowCountWarning)
        found = upper_limit(likelihood, **options)
        expected = expected_upper_limits(likelihood, **options)
    for message in {str(entry.message) for entry in caught}:
        typer.echo(f"bsmfit: warning: {message}", err=True)
    values = [finite(value) for value in expected.value]
    report = {
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
    seeds = {"n_toy": question.n_toy, "seed": question.seed}
    return report | (seeds if is_toys else {})


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
