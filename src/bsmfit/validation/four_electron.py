r"""Validation of the search for $K^+\to\pi^+e^+e^-e^+e^-$.

No event was seen, so that each published limit on K -> pi a a is 2.3026 events over
kaon decays, efficiency and acceptance: 33 acceptances up to one factor. That factor is
calibrated at 50 MeV; the *shape* of the acceptance, over its geometric mean from 25 to
145 MeV, is predicted and judged to 10 %. Below and above it is reported. The SM-like
mode has an assumed matrix element, so that its sensitivity is reported only.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import nbinom

from bsmfit.catalogue.kinds.four_electron import published_limit
from bsmfit.catalogue.kinds.four_electron_channel import load_four_electron
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.records import locate_channel
from bsmfit.catalogue.tables.four_electron_build import (
    read_four_electron_record,
    read_four_electron_table,
)
from bsmfit.channels.four_electron import CountedEvents, FourElectronChannel
from bsmfit.core.constants import HBAR_C
from bsmfit.detector.four_electron_table import STANDARD_ELEMENTS
from bsmfit.errors import DataFileError
from bsmfit.physics.axion_pair import AXION_PAIR
from bsmfit.validation.targets import ValidationRow

__all__ = [
    "axion_rows",
    "background_rows",
    "four_electron_rows",
    "shape_rows",
    "standard_rows",
]

_ID = "na62-pi4e"
_TALK = "M. Soldani, Excited QCD 2024"
_HEPDATA = "HEPData 10.17182/hepdata.144587, table 1"
_NO_EVENT = -math.log(0.1)
_JUDGED = (0.0249, 0.1451)
_TOLERANCE = 0.10
_PROMPT = 1.0  # GeV


def shape_rows() -> list[ValidationRow]:
    """Acceptance by mass of a, over its mean, and the limit at the calibration point.

    Returns:
        33 masses, of which 25 to 145 MeV are judged.
    """
    channel = load_four_electron(_ID)
    masses, limits = _published()
    logs = _log_acceptance(channel, masses)
    published = -np.log(limits)
    judged = (masses > _JUDGED[0]) & (masses < _JUDGED[1])
    ours = np.exp(logs - logs[judged].mean())
    theirs = np.exp(published - published[judged].mean())
    rows = []
    for mass, mine, other, is_judged in zip(masses, ours, theirs, judged, strict=True):
        note = "" if is_judged else "close tracks" if mass < 0.03 else "above 145 MeV"
        rows.append(
            ValidationRow(
                target=f"{_ID}, shape of the acceptance",
                quantity=f"acceptance over its mean at {1e3 * mass:.3g} MeV",
                published=float(other),
                ours=float(mine),
                tolerance=_TOLERANCE if is_judged else None,
                source=f"{_HEPDATA}, no event seen",
                note=note,
            )
        )
    point = read_four_electron_record(_ID).efficiency.calibrated_at
    log_here = float(_log_acceptance(channel, np.array([point.mass]))[0])
    events = float(channel.kaon_decays * channel.efficiency) * math.exp(log_here)
    rows.append(
        ValidationRow(
            target=f"{_ID}, calibration",
            quantity=f"limit for no event at {1e3 * point.mass:.3g} MeV",
            published=point.limit,
            ours=_NO_EVENT / events,
            tolerance=0.01,
            source=point.source,
            is_independent=False,
            note="calibration point of the efficiency",
        )
    )
    return rows


def background_rows() -> list[ValidationRow]:
    """Branching ratios, sums, and observed against expected events.

    Returns:
        Products of branching ratios judged to their last digit, sums to rounding;
        counts with their probability, reported.
    """
    record = read_four_electron_record(_ID)
    rows = [
        ValidationRow(
            target=f"{_ID}, branching ratios",
            quantity=source.name,
            published=source.published_ratio.value,
            ours=record.product(source),
            tolerance=0.04,
            source=_TALK,
            note="printed with two digits",
        )
        for source in record.sources
    ]
    for region in record.regions:
        parts = [
            s.events[region.name] for s in record.sources if region.name in s.events
        ]
        variance = sum((part.uncertainty or 0.0) ** 2 for part in parts)
        total = region.background
        for what, theirs, mine in (
            ("sum of the sources", total.value, sum(p.value for p in parts)),
            ("its error", total.uncertainty or 0.0, math.sqrt(variance)),
        ):
            rows.append(
                ValidationRow(
                    target=f"{_ID}, background",
                    quantity=f"{what}, {region.name}",
                    published=theirs,
                    ours=mine,
                    tolerance=0.0151,
                    source=_TALK,
                    is_relative=False,
                    is_independent=False,
                    note="sum of published parts",
                )
            )
    return rows + [_count_row(region) for region in load_four_electron(_ID).counted]


def standard_rows() -> list[ValidationRow]:
    """Sensitivity to the SM-like mode over that to K -> pi a a at 55 MeV.

    Returns:
        One row for each assumed matrix element, without tolerance.
    """
    record = read_four_electron_record(_ID)
    path = locate_channel(_ID).with_name("forward.npz")
    table = read_four_electron_table(path)
    masses, limits = _published()
    at = int(np.argmin(np.abs(masses - 0.055)))
    channel = load_four_electron(_ID)
    pair = float(np.exp(_log_acceptance(channel, masses[at : at + 1])[0]))
    return [
        ValidationRow(
            target=f"{_ID}, four electrons",
            quantity=f"SES(4e) / SES(aa, 55 MeV), {element} matrix element",
            published=record.standard_limit.value / float(limits[at]),
            ours=pair / float(value),
            tolerance=None,
            source="abstract; " + _HEPDATA,
            note="the matrix element is assumed: a comparison, no test",
        )
        for element, value in zip(STANDARD_ELEMENTS, table.standard, strict=True)
    ]


def axion_rows() -> list[ValidationRow]:
    """The QCD axion of 17 MeV: rate, lifetime, and rate over the published limit.

    Returns:
        The lowest-order rate against an independent evaluation, and the range of rates
        against the limit.
    """
    mass, one = jnp.asarray(0.017), jnp.asarray(1.0)
    masses, limits = _published()
    limit = math.exp(float(np.interp(0.017, masses, np.log(limits))))
    octet = load_model("dark-axion-pair", "octet")(mass, one)
    rows = [
        ValidationRow(
            f"{_ID}, QCD axion",
            quantity,
            reference,
            value,
            0.02,
            "independent evaluation of the lowest-order formula",
        )
        for quantity, reference, value in (
            ("BR(K -> pi a a) at 17 MeV", 4.71e-6, float(octet.production[AXION_PAIR])),
            ("c tau at 17 MeV [m]", 1.2e-6, float(HBAR_C / octet.decay_width)),
        )
    ]
    for preset in ("octet", "no-enhancement", "conservative"):
        rate = float(
            load_model("dark-axion-pair", preset)(mass, one).production[AXION_PAIR]
        )
        rows.append(
            ValidationRow(
                target=f"{_ID}, QCD axion",
                quantity=f"rate over the published limit at 17 MeV, {preset}",
                published=1.0,
                ours=rate / limit,
                tolerance=0.0,
                source=f"{_TALK}: excluded; {_HEPDATA}, interpolated",
                is_independent=preset != "conservative",
                is_lower_bound=True,
                note="more than 1 is excluded"
                + (
                    "; the rate is scaled to a bound"
                    if preset == "conservative"
                    else ""
                ),
            )
        )
    return rows


def four_electron_rows() -> list[ValidationRow]:
    """All rows of this search.

    Returns:
        Shape, backgrounds, SM-like mode and QCD axion.
    """
    return shape_rows() + background_rows() + standard_rows() + axion_rows()


def _published() -> tuple[np.ndarray, np.ndarray]:
    curve = published_limit(_ID)
    if curve is None:
        msg = f"{_ID}: the record has no published limit"
        raise DataFileError(msg)
    return curve.mass, curve.lower


def _log_acceptance(channel: FourElectronChannel, masses: np.ndarray) -> np.ndarray:
    """Ln A of prompt pairs."""

    def at(mass: jax.Array) -> jax.Array:
        share = channel.acceptance.of_axions(
            mass, jnp.full_like(mass, _PROMPT), length=channel.vertex_length
        )
        return share.log_acceptance

    return np.asarray(jax.jit(jax.vmap(at))(jnp.asarray(masses)))


def _count_row(region: CountedEvents) -> ValidationRow:
    """Observed events against the expectation, with the probability of as many."""
    expected = sum(float(source.events) for source in region.sources)
    seen = float(region.observed)
    # gamma distributed expectation: a negative binomial
    shape = region.simulation[1] ** -2
    more = float(nbinom.sf(seen - 1.0, shape, shape / (shape + expected)))
    return ValidationRow(
        target=f"{_ID}, counts",
        quantity=f"events in {region.name}: observed, expected",
        published=seen,
        ours=expected,
        tolerance=None,
        source=_TALK,
        is_relative=False,
        note=f"p = {more:.2f} for as many or more",
    )
