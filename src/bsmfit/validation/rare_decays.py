r"""Validation of searches for rare decays: the table of LFV and LNV decays of NA62.

Limits are CLs at 90 % with the uncertainties of sensitivity and background averaged
over. A row passes within 3 % or one unit of the last printed digit, whichever is
larger. Where the sensitivity or a factor of it was inferred from the published limit
the row is not independent and counts for nothing. With no event observed the limit is
2.3026 sensitivities: it tests the sensitivity alone.

The sidebands of $K^+\to\mu^-\nu e^+e^+$ are compared in standard deviations, Poisson
and systematic errors in quadrature.
"""

from __future__ import annotations

import math
from decimal import Decimal

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.kinds.rare_decay import rare_decay_names, read_rare_decay_record
from bsmfit.channels.rare_decay import RareDecayChannel
from bsmfit.inference.limits.rare_decay_limits import rare_decay_limits
from bsmfit.records.rare_decay_record import RareDecayRecord
from bsmfit.validation.targets import ValidationRow

__all__ = [
    "last_digit",
    "limit_rows",
    "rare_decay_rows",
    "sensitivity_rows",
    "sideband_rows",
]

_TARGET = "rare decays"
_TOLERANCE = 0.03
_UNIT = 1e-11


def limit_rows() -> list[ValidationRow]:
    """Limits on the branching ratios of all decays.

    Returns:
        One row for each search.
    """
    names = rare_decay_names()
    channels = [load_channel(name) for name in names]
    searches = [one for one in channels if isinstance(one, RareDecayChannel)]
    limits = rare_decay_limits(searches, cl=0.90)
    rows = []
    for name, value in zip(names, limits.observed, strict=True):
        record = read_rare_decay_record(name)
        published = record.published_limit.value.value
        rows.append(
            ValidationRow(
                f"{_TARGET} limits",
                f"BR({record.decay}), {record.sample} [1e-11]",
                published / _UNIT,
                float(value) / _UNIT,
                max(_TOLERANCE, last_digit(published) / published),
                f"PDG; arXiv:{record.arxiv}",
                is_independent=record.sensitivity.inferred_from_limit is None,
                note=_note(record),
            )
        )
    return rows


def sensitivity_rows() -> list[ValidationRow]:
    """Sensitivities from kaon decays, acceptance and efficiency.

    Returns:
        One row for each search whose factors are known; those with a factor that was
        fixed by the sensitivity itself are not independent.
    """
    rows = []
    for name in rare_decay_names():
        record = read_rare_decay_record(name)
        given = record.sensitivity
        if given.from_factors is None:
            continue
        rows.append(
            ValidationRow(
                f"{_TARGET} sensitivities",
                f"BR of one {record.decay}, {record.sample} [1e-11]",
                given.value.value / _UNIT,
                given.from_factors / _UNIT,
                _TOLERANCE,
                f"arXiv:{record.arxiv} ({given.value.provenance})",
                is_independent=given.inferred_from_limit is None,
                note="1 / (kaon decays, acceptance and what else was lost)",
            )
        )
    return rows


def sideband_rows() -> list[ValidationRow]:
    """Observed minus expected events of the regions without signal, in sigma.

    Returns:
        One row for each sideband.
    """
    rows = []
    for name in rare_decay_names():
        record = read_rare_decay_record(name)
        for region in record.regions:
            total = region.total_background
            if region.has_signal or total is None:
                continue
            error = math.hypot(math.sqrt(total.value), total.uncertainty or 0.0)
            rows.append(
                ValidationRow(
                    f"{_TARGET} sidebands",
                    f"{record.decay}, {region.name} region, pull [sigma]",
                    0.0,
                    (region.n_observed.value - total.value) / error,
                    1.0,
                    total.source,
                    is_relative=False,
                    note="one standard deviation, of counts and systematic errors",
                )
            )
    return rows


def rare_decay_rows() -> list[ValidationRow]:
    """All rows of the rare decays.

    Returns:
        Limits, sensitivities and sidebands.
    """
    return limit_rows() + sensitivity_rows() + sideband_rows()


def last_digit(printed: float) -> float:
    """One unit of the last digit of a number as it is printed, two digits at least.

    Args:
        printed: The number, > 0.

    Returns:
        The unit.

    Examples:
        >>> [f"{last_digit(value):.0e}" for value in (8.1e-11, 5e-10, 0.123)]
        ['1e-12', '1e-11', '1e-03']
    """
    _, digits, exponent = Decimal(repr(printed)).normalize().as_tuple()
    missing = max(2 - len(digits), 0)
    return 10.0 ** (int(exponent) - missing)


def _note(record: RareDecayRecord) -> str:
    """What the row tests."""
    inferred = record.sensitivity.inferred_from_limit
    if inferred:
        return f"{record.decay}: inferred from the limit: {inferred}"
    region = next(one for one in record.regions if one.has_signal)
    if region.n_observed.value == 0:
        return f"{record.decay}: no event, so that the limit tests the sensitivity"
    return f"{record.decay}: tests the sensitivity and the background"
