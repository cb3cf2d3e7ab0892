"""A measured branching ratio in words."""

from __future__ import annotations

from typing import Any

from bsmfit.cli.words import aligned, percent

__all__ = ["UNIT", "measurement_in_words"]

UNIT = 1e-11
"""Branching ratio that numbers are printed in multiples of."""


def measurement_in_words(report: dict[str, Any]) -> str:
    """A few lines for people.

    Args:
        report: What `bsmfit measure --json` prints.

    Returns:
        The lines.
    """
    lines = {
        "data set": report["dataset"],
        "observed": f"{report['n_observed']} events",
        **_expected_in_words(report),
        "branching ratio": _interval_in_words(report),
        "counts": report["interval_reason"],
        "significance": _significance_in_words(report),
        "posterior": _posterior_in_words(report),
        **{_name(entry): _limit_in_words(entry) for entry in report["upper_limits"]},
        "limits": report["limit_method_reason"],
    }
    return aligned(lines)


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
        f"({percent(report['interval_cl'])}, {report['interval_method']})"
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
        f"({percent(report['posterior_cl']).removesuffix(' CL')} central, prior flat "
        f"in the branching ratio; {report['posterior_label']})"
    )


def _scaled(value: float) -> str:
    return f"{value / UNIT:.2f}"


def _name(entry: dict[str, Any]) -> str:
    return f"limit ({percent(entry['cl'])})"


def _limit_in_words(entry: dict[str, Any]) -> str:
    value = entry["branching_ratio"]
    number = "none" if value is None else f"{_scaled(value)} e-11"
    return (
        f"{number} (CLs, {entry['method']}, {entry['ensemble']}, ordered by "
        f"{entry['ordering']}; status {entry['status']})"
    )
