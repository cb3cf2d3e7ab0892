"""``bsmfit measure``: the branching ratio of K+ -> pi+ nu nubar from one data set."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bsmfit.channels.pi_nunu import PiNunuChannel
    from bsmfit.inference.branching_ratio import BranchingRatio
    from bsmfit.inference.result import Limit

__all__ = ["EXAMPLE", "measure"]

EXAMPLE = "Example: bsmfit measure na62-pi-nunu-run1 --cl 0.9 --json"
"""Epilog of the help text."""

_UNIT = 1e-11


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
            help="Of the upper limits: auto takes exact sums below ten events (a "
            "minute for Run 1).",
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
    from bsmfit.catalogue.pi_nunu import load_pi_nunu

    channel = load_pi_nunu(dataset)
    found = _measured(
        channel, cl or [0.90, 0.95], method, is_correlated=not is_uncorrelated
    )
    report = {
        **_events(channel),
        "sensitivity_errors": "uncorrelated" if is_uncorrelated else "correlated",
        **_results(found),
    }
    typer.echo(json.dumps(report) if as_json else _in_words(report))


def _measured(
    channel: PiNunuChannel,
    levels: list[float],
    method: LimitMethod,
    *,
    is_correlated: bool,
) -> BranchingRatio:
    """The measurement; what it warns of goes to stderr."""
    import warnings

    from bsmfit.errors import LowCountWarning
    from bsmfit.inference.branching_ratio import measure_branching_ratio
    from bsmfit.inference.points import check_level
    from bsmfit.likelihood.pi_nunu import pi_nunu_likelihood

    for level in levels:
        check_level(level)
    likelihood = pi_nunu_likelihood(channel, unit=_UNIT, is_correlated=is_correlated)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LowCountWarning)
        found = measure_branching_ratio(
            likelihood, unit=_UNIT, limit_levels=levels, limit_method=method.value
        )
    for message in {str(entry.message) for entry in caught}:
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
        return _number(value) if is_credible else None

    return {
        "branching_ratio": _number(found.value) if found.is_converged else None,
        "low": _number(found.low),
        "high": _number(found.high),
        "interval_cl": found.cl,
        "interval_method": found.method,
        "interval_reason": found.reason,
        "significance_one_sided": _number(significance.z_one_sided),
        "significance_two_sided": _number(significance.z_two_sided),
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
    from bsmfit.inference.result import Status

    return {
        "cl": found.cl,
        "branching_ratio": _number(found.value),
        "status": Status(int(found.status)).name.lower(),
        "method": found.method,
        "ensemble": found.ensemble,
        "ordering": found.ordering,
        "reason": found.reason,
    }


def _number(value: Any) -> float | None:
    """A number that JSON knows; None for what has no value."""
    number = float(value)
    return number if math.isfinite(number) else None


def _in_words(report: dict[str, Any]) -> str:
    """A few lines for people."""
    lines = {
        "data set": report["dataset"],
        "observed": f"{report['n_observed']} events",
        **_expected_in_words(report),
        "branching ratio": _interval_in_words(report),
        "counts": report["interval_reason"],
        "significance": _significance_in_words(report),
        "posterior": _posterior_in_words(report),
        **{_name(entry): _limit_in_words(entry) for entry in report["upper_limits"]},
    }
    width = max(map(len, lines))
    return "\n".join(f"{key:{width}}  {text}" for key, text in lines.items())


def _expected_in_words(report: dict[str, Any]) -> dict[str, str]:
    """Background, signal and sensitivity."""
    shown = {
        key: f"{value:.4g}" for key, value in report.items() if isinstance(value, float)
    }
    error = "expected_signal_error"
    return {
        "background": f"{shown['background']} +{shown['background_error_up']} "
        f"-{shown['background_error_down']} events",
        f"signal at {shown['reference_branching_ratio']}": (
            f"{shown['expected_signal']} events, "
            f"+- {shown[f'{error}_uncorrelated']} if periods are independent, "
            f"+- {shown[f'{error}_correlated']} if they are correlated, "
            f"+- {shown['expected_signal_external_error']} external"
        ),
        "sensitivity": f"{shown['single_event_sensitivity']} for one event; errors of "
        f"the periods {report['sensitivity_errors']}",
    }


def _interval_in_words(report: dict[str, Any]) -> str:
    best, low, high = (report[key] for key in ("branching_ratio", "low", "high"))
    if best is None or low is None or high is None:
        return "none: the fit did not converge"
    return (
        f"{_scaled(best)} +{_scaled(high - best)} -{_scaled(best - low)} e-11 "
        f"({_percent(report['interval_cl'])}, {report['interval_method']})"
    )


def _significance_in_words(report: dict[str, Any]) -> str:
    one, two = (
        "none" if value is None else f"{value:.2f}"
        for value in (
            report["significance_one_sided"],
            report["significance_two_sided"],
        )
    )
    return f"{one} sigma one-sided, {two} two-sided ({report['significance_method']})"


def _posterior_in_words(report: dict[str, Any]) -> str:
    if report["posterior_mean"] is None:
        return "none: not converged"
    mean, low, high = (
        _scaled(report[f"posterior_{key}"]) for key in ("mean", "low", "high")
    )
    return (
        f"mean {mean} e-11, {low} to {high} e-11 "
        f"({_percent(report['posterior_cl']).removesuffix(' CL')} central, prior flat "
        f"in the branching ratio; {report['posterior_label']})"
    )


def _scaled(value: float) -> str:
    return f"{value / _UNIT:.2f}"


def _percent(level: float) -> str:
    return f"{100 * level:.4g} % CL"


def _name(entry: dict[str, Any]) -> str:
    return f"limit ({_percent(entry['cl'])})"


def _limit_in_words(entry: dict[str, Any]) -> str:
    value = entry["branching_ratio"]
    number = "none" if value is None else f"{_scaled(value)} e-11"
    return (
        f"{number} (CLs, {entry['method']}, {entry['ensemble']}, ordered by "
        f"{entry['ordering']}; status {entry['status']})"
    )
