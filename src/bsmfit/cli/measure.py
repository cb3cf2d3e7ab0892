"""``bsmfit measure``: the branching ratio of K+ -> pi+ nu nubar from one data set."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bsmfit.cli.measure_words import UNIT, measurement_in_words
from bsmfit.cli.searches import load_measurement
from bsmfit.cli.terminal import working
from bsmfit.cli.words import finite

if TYPE_CHECKING:
    from bsmfit.channels.pi_nunu import PiNunuChannel
    from bsmfit.inference.intervals.branching_ratio import BranchingRatio
    from bsmfit.inference.limits.result import Limit

__all__ = ["EXAMPLE", "measure"]

EXAMPLE = "Example: bsmfit measure na62-pi-nunu-run1 --cl 0.9 --json"
"""Epilog of the help text."""


class LimitMethod(StrEnum):
    """How the upper limits are computed."""

    AUTO = "auto"
    EXACT = "exact"
    ASYMPTOTIC = "asymptotic"


def measure(
    dataset: Annotated[
        str,
        typer.Argument(
            help="Data set: na62-pi-nunu-2016, na62-pi-nunu-2016-2017, "
            "na62-pi-nunu-run1 or na62-pi-nunu-2016-2022."
        ),
    ],
    cl: Annotated[
        list[float] | None,
        typer.Option(
            "--cl",
            help="Confidence level of an upper limit, within (0, 1); repeat it for "
            "several. Default: 0.9 and 0.95.",
        ),
    ] = None,
    is_uncorrelated: Annotated[
        bool,
        typer.Option(
            "--uncorrelated",
            help="Give each period its own error of the sensitivity, instead of one "
            "that they share.",
        ),
    ] = False,
    method: Annotated[
        LimitMethod,
        typer.Option(
            "--method",
            help="Of the upper limits: auto takes exact sums where fewer than ten "
            "events were observed in all, and asymptotic formulae elsewhere, where "
            "exact takes half a minute more.",
        ),
    ] = LimitMethod.AUTO,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Measure the branching ratio of K+ -> pi+ nu nubar.

    Prints expected and observed events, the best value with its 68 % interval, the
    significance, the posterior and upper limits, each with unit and method.
    """
    from bsmfit import enable_x64

    enable_x64()
    channel = load_measurement(dataset)
    chosen, reason = _chosen(channel, method)
    with working(f"measuring with {channel.name}, limits: {reason}"):
        found = _measured(
            channel,
            cl or [0.90, 0.95],
            chosen,
            is_correlated=not is_uncorrelated,
            is_asked_for=method is not LimitMethod.AUTO,
        )
    report = {
        **_events(channel),
        "sensitivity_errors": "uncorrelated" if is_uncorrelated else "correlated",
        **_results(found),
        "limit_method_reason": reason,
    }
    if method is LimitMethod.AUTO:
        for entry in report["upper_limits"]:
            entry["reason"] = reason
    typer.echo(json.dumps(report) if as_json else measurement_in_words(report))


def _chosen(channel: PiNunuChannel, method: LimitMethod) -> tuple[LimitMethod, str]:
    """The method of the limits, and why it is taken."""
    from bsmfit.inference.limits.method import ENOUGH_EVENTS

    if method is not LimitMethod.AUTO:
        return method, f"{method.value}, asked for"
    events = f"{channel.n_observed} events in all"
    if channel.n_observed < ENOUGH_EVENTS:
        return LimitMethod.EXACT, f"exact, {events}"
    return LimitMethod.ASYMPTOTIC, f"asymptotic, {events}; exact with --method exact"


def _measured(
    channel: PiNunuChannel,
    levels: list[float],
    method: LimitMethod,
    *,
    is_correlated: bool,
    is_asked_for: bool,
) -> BranchingRatio:
    """The measurement; what it warns of, where it was asked for, goes to stderr."""
    import warnings

    from bsmfit.channels.pi_nunu_likelihood import pi_nunu_likelihood
    from bsmfit.core.argument import level as check_level
    from bsmfit.errors import LowCountWarning
    from bsmfit.inference.intervals.branching_ratio import measure_branching_ratio

    for level in levels:
        check_level(level)
    likelihood = pi_nunu_likelihood(channel, unit=UNIT, is_correlated=is_correlated)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LowCountWarning)
        found = measure_branching_ratio(
            likelihood, unit=UNIT, limit_levels=levels, limit_method=method.value
        )
    for message in {str(entry.message) for entry in caught} if is_asked_for else ():
        typer.echo(f"bsmfit: warning: {message}", err=True)
    return found


def _events(channel: PiNunuChannel) -> dict[str, Any]:
    """What was expected and observed."""
    signal = channel.expected_signal()
    up, down = channel.background_errors()
    return {
        "dataset": channel.name,
        "n_observed": channel.n_observed,
        "background": float(channel.background()),
        "background_error_up": float(up),
        "background_error_down": float(down),
        "reference_branching_ratio": float(channel.reference_branching_ratio),
        "expected_signal": float(signal.events),
        "expected_signal_error_uncorrelated": float(signal.error_uncorrelated),
        "expected_signal_error_correlated": float(signal.error_correlated),
        "expected_signal_external_error": float(signal.external_error),
        "single_event_sensitivity": float(channel.sensitivity()),
    }


def _results(found: BranchingRatio) -> dict[str, Any]:
    """The measurement in plain numbers; None for what has no value."""
    posterior, significance = found.posterior, found.significance
    is_credible = bool(posterior.is_converged)

    def credible(value: Any) -> float | None:
        return finite(value) if is_credible else None

    return {
        "branching_ratio": finite(found.value) if found.is_converged else None,
        "low": finite(found.low),
        "high": finite(found.high),
        "interval_cl": found.cl,
        "interval_method": found.method,
        "interval_reason": found.reason,
        "significance_one_sided": finite(significance.z_one_sided),
        "significance_two_sided": finite(significance.z_two_sided),
        "significance_method": significance.method,
        "significance_ensemble": significance.ensemble,
        "posterior_mean": credible(posterior.mean),
        "posterior_low": credible(posterior.lower),
        "posterior_high": credible(posterior.upper),
        "posterior_cl": posterior.cl,
        "posterior_prior": posterior.prior,
        "posterior_label": posterior.label,
        "upper_limits": [_limit(entry) for entry in found.limits],
    }


def _limit(found: Limit) -> dict[str, Any]:
    from bsmfit.inference.limits.result import Status

    return {
        "cl": found.cl,
        "branching_ratio": finite(found.value),
        "status": Status(int(found.status)).name.lower(),
        "method": found.method,
        "ensemble": found.ensemble,
        "ordering": found.ordering,
        "reason": found.reason,
    }
