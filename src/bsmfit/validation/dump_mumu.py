"""Validation of the NA62 search for A' -> mu+ mu- in beam-dump mode (2303.08666).

The published contour is known from two digitisations, which agree to 1 to 3 % in
epsilon; their geometric mean is compared. The selection efficiency is calibrated at one
point, the lower edge at 0.30 GeV: that row is not independent, and what the other rows
of the lower edge test is the shape. The upper edge and the notch test more than shape:
they measure the hard end of the spectrum and the limit for one observed event.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from bsmfit.catalogue.kinds.beam_dump_channel import load_beam_dump
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.published import load_published_limit
from bsmfit.catalogue.records import read_beam_dump_record
from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.errors import DataFileError
from bsmfit.inference.intervals.significance import Significance, significance
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.likelihood.quadrature import NuisanceQuadrature
from bsmfit.scan.contour import coupling_edges
from bsmfit.scan.exclusion_map import scan_plane
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.validation.targets import ValidationRow

__all__ = [
    "CHANNEL",
    "contour_rows",
    "dump_mumu_rows",
    "event_rows",
    "notch_rows",
    "published_contour",
]

CHANNEL = "na62-dump-mumu"
_SOURCE = "2303.08666, figure 14, digitised"
_LOWER_TOLERANCE = 0.05
_UPPER_TOLERANCE = 0.10
_JUDGED = (0.27, 0.52)
"""Masses whose edges are judged [GeV]; the others are reported."""

_NOTCH = (0.404, 0.425)
"""Masses around the event at 411 MeV: the notch has targets of its own [GeV]."""

_NEIGHBOURS = (0.400, 0.425)
_INSIDE_NOTCH = (0.4119, 0.4153)
_NOTCH_SIGNAL, _NOTCH_MEAN, _NOTCH_EACH = 3.9, 0.4, 0.7


def published_contour() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The published contour, the geometric mean of its two readings.

    Returns:
        Masses [GeV], lower and upper edge in epsilon.

    Raises:
        DataFileError: The record has none.
    """
    limit = load_published_limit(CHANNEL)
    if limit is None or limit.upper is None:
        msg = f"{CHANNEL}: the record has no published contour to validate against"
        raise DataFileError(msg)
    return limit.mass, limit.lower, limit.upper


def contour_rows() -> list[ValidationRow]:
    """Both edges at every mass of the published contour outside the notch.

    Returns:
        Two rows by mass.
    """
    record = read_beam_dump_record(CHANNEL)
    calibration = record.selection_efficiency.calibrated_at
    masses, lower, upper = published_contour()
    kept = (masses < _NOTCH[0]) | (masses > _NOTCH[1])
    masses, lower, upper = masses[kept], lower[kept], upper[kept]
    result = scan_plane(
        load_model("dark-photon", record.default_preset),
        load_beam_dump(CHANNEL),
        mass=masses,
        coupling=(1.0e-7, 2.0e-5, 2000),
    )
    edges = coupling_edges(result)
    rows = []
    for side, published, ours, tolerance in (
        ("lower", lower, edges.lower, _LOWER_TOLERANCE),
        ("upper", upper, edges.upper, _UPPER_TOLERANCE),
    ):
        for mass, theirs, mine in zip(masses, published, ours, strict=True):
            is_calibrated = (
                calibration is not None
                and calibration.edge == side
                and bool(np.isclose(calibration.mass, mass))
            )
            is_judged = _JUDGED[0] <= mass <= _JUDGED[1]
            rows.append(
                ValidationRow(
                    target=f"{CHANNEL} {side} edge",
                    quantity=f"epsilon at {mass:.4g} GeV",
                    published=float(theirs),
                    ours=float(mine),
                    tolerance=tolerance if is_judged else None,
                    is_independent=not is_calibrated,
                    source=_SOURCE,
                    note="calibration point" if is_calibrated else "",
                )
            )
    return rows


def notch_rows() -> list[ValidationRow]:
    """Our signal on the published edges inside the notch of the observed event.

    The signal is scaled so that the neighbouring masses give 2.30 events, the limit
    for none observed: whatever the norm of the signal is, it drops out.

    Returns:
        One row by mass for each edge and one for the mean of both.
    """
    masses, lower, upper = published_contour()
    point = ExclusionPoint.from_model(
        load_model("dark-photon"), [load_beam_dump(CHANNEL)]
    )

    def signal(mass: float, edge: np.ndarray) -> float:
        coupling = np.exp(np.interp(mass, masses, np.log(edge)))
        log_signal = point.log_signal(jnp.asarray(mass), jnp.asarray(coupling))
        return float(jnp.exp(jax.nn.logsumexp(log_signal)))

    rows = []
    for mass in _INSIDE_NOTCH:
        values = []
        for side, edge in (("lower", lower), ("upper", upper)):
            outside = np.mean([np.log(signal(m, edge)) for m in _NEIGHBOURS])
            values.append(signal(mass, edge) * 2.302585 / np.exp(outside))
            rows.append(
                ValidationRow(
                    target=f"{CHANNEL} notch",
                    quantity=f"events on the {side} edge at {mass} GeV",
                    published=_NOTCH_SIGNAL,
                    ours=values[-1],
                    tolerance=_NOTCH_EACH,
                    is_relative=False,
                    source=f"{_SOURCE}; exact CLs limit for one event, 3.87",
                )
            )
        rows.append(
            ValidationRow(
                target=f"{CHANNEL} notch",
                quantity=f"mean of both edges at {mass} GeV",
                is_independent=False,
                published=_NOTCH_SIGNAL,
                ours=float(np.mean(values)),
                tolerance=_NOTCH_MEAN,
                is_relative=False,
                source=f"{_SOURCE}; exact CLs limit for one event, 3.87",
                note="the mean repeats the two rows above it",
            )
        )
    return rows


def event_rows() -> list[ValidationRow]:
    """Significance of the event, and the largest excluded mass.

    Returns:
        Two rows.
    """
    record = read_beam_dump_record(CHANNEL)
    model, channel = load_model("dark-photon"), load_beam_dump(CHANNEL)
    ours = _significance(channel)
    rows = []
    if record.significance is not None:
        rows.append(
            ValidationRow(
                target=f"{CHANNEL} event",
                quantity="two-sided significance of the event [sigma]",
                published=record.significance.value,
                ours=float(ours.z_two_sided),
                tolerance=0.05,
                is_relative=False,
                source=record.significance.source,
                is_independent=False,
                note="the unverified background is supported by this number; "
                f"one-sided {ours.z_one_sided:.2f}",
            )
        )
    masses = np.linspace(0.50, 0.58, 161)
    edges = coupling_edges(
        scan_plane(model, channel, mass=masses, coupling=(2.0e-7, 3.0e-6, 1000))
    )
    excluded = masses[np.isfinite(edges.lower)]
    rows.append(
        ValidationRow(
            target=f"{CHANNEL} closing mass",
            quantity="largest excluded mass [GeV]",
            published=0.5378,
            ours=float(excluded.max()) if excluded.size else float("nan"),
            tolerance=0.03,
            source=f"{_SOURCE}; two readings, 0.5373 and 0.5383 GeV",
        )
    )
    return rows


def _significance(channel: BeamDumpChannel) -> Significance:
    """Significance of all observed events over the background alone."""
    fakes = [
        Nuisance(entry.name, jnp.asarray(entry.kappa))
        for entry in channel.nuisances
        if entry.affects == "background"
    ]
    counting = CountingModel.from_terms([[]], [(channel.background, fakes)])
    return significance(
        jnp.asarray(channel.n_observed),
        counting,
        quadrature=NuisanceQuadrature.from_model(counting),
    )


def dump_mumu_rows() -> list[ValidationRow]:
    """All rows of this search.

    Returns:
        Contour, notch and event.
    """
    return contour_rows() + notch_rows() + event_rows()
