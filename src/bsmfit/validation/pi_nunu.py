r"""Validation of the $K^+\to\pi^+\nu\bar\nu$ measurement of NA62.

The likelihood counts periods; the publications of 2018 data and later fit bins of pion
momentum, which are not public here. Tolerances were set before: 1 % for sensitivities,
3 % for the value of Run 1 and 4 % for that of 2016-22, 6 % for errors, 0.25 sigma for
the significance, 10 % and 3 % for the limits of one and of three events.

Sums over periods are rows, but not independent ones: single entries of the record were
fixed by them.
"""

from __future__ import annotations

import equinox as eqx

from bsmfit.catalogue.pi_nunu import (
    load_pi_nunu,
    sensitivity_errors,
    sensitivity_factors,
)
from bsmfit.catalogue.records import read_pi_nunu_record
from bsmfit.channels.pi_nunu import PiNunuChannel
from bsmfit.channels.pi_nunu_likelihood import UNIT, pi_nunu_likelihood
from bsmfit.channels.pi_nunu_sensitivity import (
    relative_sensitivity_error,
    single_event_sensitivity,
)
from bsmfit.inference.intervals.branching_ratio import ONE_SIGMA
from bsmfit.inference.intervals.profile_interval import (
    Discovery,
    Interval,
    discovery,
    profile_interval,
)
from bsmfit.inference.limits.upper_limit import upper_limit
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.validation.targets import ValidationRow

__all__ = ["fit_rows", "limit_rows", "pi_nunu_rows", "sensitivity_rows", "sum_rows"]

_RUN1, _ALL = "na62-pi-nunu-run1", "na62-pi-nunu-2016-2022"
_EARLY, _FIRST = "na62-pi-nunu-2016-2017", "na62-pi-nunu-2016"
_TALK = "M. Soldani, Excited QCD 2024"
_PDG = "PDG 2026"
_ERROR_TOLERANCE = 0.06


def sensitivity_rows() -> list[ValidationRow]:
    """Sensitivities from their factors.

    Returns:
        Value, error and expected events of the two subsets of 2018, and Run 1.
    """
    record = read_pi_nunu_record(_RUN1)
    reference = record.reference_branching_ratio.value
    rows = []
    for subset, value, error, events in (
        ("2018_s1", 5.4e-11, 0.4e-11, 1.56),
        ("2018_s2", 1.4e-11, 0.1e-11, 6.02),
    ):
        ours = float(single_event_sensitivity(sensitivity_factors(record, subset)))
        relative = relative_sensitivity_error(sensitivity_errors(record, subset))
        target = f"{_RUN1} sensitivity"
        rows += [
            ValidationRow(target, f"SES of {subset}", value, ours, 0.01, _TALK),
            ValidationRow(
                target,
                f"error of the SES of {subset}",
                error,
                ours * float(relative),
                0.05e-11,
                f"{_TALK}; one digit",
                is_relative=False,
                is_independent=False,
                note="the remaining error of 4 % was derived from it",
            ),
            ValidationRow(
                target,
                f"signal events of {subset} from its factors",
                events,
                reference / ours,
                0.01,
                _TALK,
                is_independent=False,
                note="repeats the sensitivity",
            ),
        ]
    computed = load_pi_nunu(_RUN1, sensitivity="computed").sensitivity()
    rows.append(
        ValidationRow(
            f"{_RUN1} sensitivity",
            "SES of Run 1, 2018 from its factors",
            0.839e-11,
            float(computed),
            0.01,
            _PDG,
        )
    )
    return rows


def sum_rows() -> list[ValidationRow]:
    """Sums over the periods of Run 1.

    Returns:
        Signal, background and their errors, and the sensitivity.
    """
    channel = load_pi_nunu(_RUN1)
    signal = channel.expected_signal()
    up, down = channel.background_errors()
    numbers = (
        ("SES of Run 1 from the signal events", 0.839e-11, channel.sensitivity()),
        ("signal events", 10.01, signal.events),
        ("error of the signal, periods independent", 0.42, signal.error_uncorrelated),
        ("external error of the signal", 1.19, signal.external_error),
        ("background events", 7.03, channel.background()),
        ("error of the background upwards", 1.05, up),
        ("error of the background downwards", 0.82, down),
    )
    return [
        ValidationRow(
            f"{_RUN1} sums",
            quantity,
            published,
            float(ours),
            0.015,
            f"{_TALK}; {_PDG}",
            is_independent=False,
            note="sum of published parts, one of which was fixed by the sum",
        )
        for quantity, published, ours in numbers
    ]


def fit_rows() -> list[ValidationRow]:
    """Best values, errors and significances.

    Returns:
        Run 1 and 2016-22 judged, 2016-17 and 2021-22 reported.
    """
    unverified = "inputs of 2021-22 are unverified"
    binned = "asymptotic; the publication has momentum bins"
    late = load_pi_nunu(_ALL).select(["2021-2022"])
    run1, fit1 = _fit(load_pi_nunu(_RUN1))
    both, fit2 = _fit(load_pi_nunu(_ALL))
    return [
        *_fit_rows(_RUN1, run1, (10.6, 4.1, 3.5), _PDG, tolerance=0.03),
        ValidationRow(
            f"{_RUN1} fit",
            "one-sided significance [sigma]",
            3.4,
            float(fit1.z_one_sided),
            0.25,
            f"{_TALK}; {_PDG}",
            is_relative=False,
            note=binned,
        ),
        *_fit_rows(_ALL, both, (13.0, 3.3, 3.0), _PDG, tolerance=0.04, note=unverified),
        ValidationRow(
            f"{_ALL} fit",
            "one-sided significance [sigma], more than",
            5.0,
            float(fit2.z_one_sided),
            0.0,
            _PDG,
            is_relative=False,
            is_lower_bound=True,
            note=f"{binned}; {unverified}",
        ),
        *_fit_rows(_EARLY, _fit(load_pi_nunu(_EARLY))[0], (4.8, 7.2, 4.8), _PDG),
        *_fit_rows(
            "na62-pi-nunu 2021-22",
            _fit(late)[0],
            (16.0, 5.0, 4.5),
            "2412.12015 (unverified)",
            note=unverified,
        ),
    ]


def limit_rows() -> list[ValidationRow]:
    """Upper limits of the first data.

    Returns:
        Two limits of 2016 and one of 2016-17, exact.
    """
    rows = []
    for name, cl, published, tolerance, source in (
        (_FIRST, 0.90, 110.0, 0.10, _PDG),
        (_FIRST, 0.95, 140.0, 0.10, "1811.08508, abstract"),
        (_EARLY, 0.90, 17.8, 0.03, _PDG),
    ):
        likelihood = pi_nunu_likelihood(load_pi_nunu(name), unit=UNIT)
        found = upper_limit(likelihood, cl=cl, method="exact")
        rows.append(
            ValidationRow(
                f"{name} limit",
                f"upper limit at {100 * cl:g} % CL [1e-11]",
                published,
                float(found.value),
                tolerance,
                source,
                note=f"CLs, {found.method}, {found.ensemble}",
            )
        )
    return rows


def pi_nunu_rows() -> list[ValidationRow]:
    """All rows of this measurement.

    Returns:
        Sensitivities, sums, fits and limits.
    """
    return sensitivity_rows() + sum_rows() + fit_rows() + limit_rows()


def _fit(channel: PiNunuChannel) -> tuple[Interval, Discovery]:
    """Interval and significance in units of 1e-11."""
    return _compiled_fit(pi_nunu_likelihood(channel, unit=UNIT).arrays())


@eqx.filter_jit
def _compiled_fit(arrays: LikelihoodArrays) -> tuple[Interval, Discovery]:
    return profile_interval(arrays, cl=ONE_SIGMA), discovery(arrays)


def _fit_rows(
    target: str,
    interval: Interval,
    published: tuple[float, float, float],
    source: str,
    *,
    tolerance: float | None = None,
    note: str = "",
) -> list[ValidationRow]:
    """Value and both errors; judged where there is a tolerance for the value."""
    value = float(interval.strength)
    ours = (value, float(interval.high) - value, value - float(interval.low))
    names = ("branching ratio", "error upwards", "error downwards")
    errors = None if tolerance is None else _ERROR_TOLERANCE
    return [
        ValidationRow(
            f"{target} fit", f"{name} [1e-11]", theirs, mine, limit, source, note=note
        )
        for name, theirs, mine, limit in zip(
            names, published, ours, (tolerance, errors, errors), strict=True
        )
    ]
