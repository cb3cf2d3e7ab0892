r"""Build a search known by its limit curve, ready to be evaluated, from its record.

The sensitivity follows from what the record assumes: with a background b, the limit for
as many events as expected is the mean of the published limits around a mass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.special import gammaincc

from bsmfit.catalogue.files import display_path, locate_kaon_setup, sha256_of
from bsmfit.catalogue.kinds.flight_times import read_flight_times
from bsmfit.catalogue.kinds.resonance_limit import read_curve, read_record
from bsmfit.catalogue.records import locate_channel, read_kaon_setup
from bsmfit.channels.channel import ChannelNuisance, DefaultAxis
from bsmfit.channels.resonance_limit import ResonanceLimitChannel
from bsmfit.channels.stable_limit import StableLimit
from bsmfit.core import constants
from bsmfit.detector.in_flight_escape import InFlightEscape
from bsmfit.errors import DataFileError
from bsmfit.physics.heavy_neutral_lepton_production import (
    LEPTONIC_DECAYS,
    unit_branching_ratio,
)
from bsmfit.records.resonance_limit_record import FlightRecord, ResonanceLimitRecord

__all__ = ["expected_limit", "load_resonance_limit", "upper_limit_in_events"]

_N_HERMITE: Final = 12


def load_resonance_limit(name: str | Path) -> ResonanceLimitChannel:
    """Build the channel of a record.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: The record or the limit curve is not valid.
    """
    record, path = read_record(name), locate_channel(name)
    masses, limits = _branching_ratio_limits(record, path)
    files = [path, path.parent / record.published_limit.file]
    flight = None
    if record.flight is not None:
        files.append(locate_kaon_setup(record.flight.setup, beside=path.parent))
        flight = _escape(record.flight, path)
    elif record.published_limit.by_lifetime is not None:
        files.append(path.parent / record.published_limit.by_lifetime)
        flight = read_flight_times(
            files[-1], masses, limits, sees_decays=bool(record.final_states)
        )
    cl = record.published_limit.confidence_level.value
    nuisances = tuple(
        ChannelNuisance(entry.name, 1.0 + entry.size, entry.affects)
        for entry in record.nuisances
    )
    spread = np.hypot.reduce(
        [np.log(entry.kappa) for entry in nuisances if entry.affects == "signal"]
    )
    events = upper_limit_in_events(record.background.value, cl=cl, spread=float(spread))
    expected = expected_limit(masses, limits, window=record.expected_window.value)
    axis = record.default_mass
    return ResonanceLimitChannel(
        name=record.id,
        datasets=record.datasets,
        process=record.process,
        final_states=record.final_states,
        segments=_segments(record, masses, path),
        mass_axis=DefaultAxis(axis.low, axis.high, axis.n_points, spacing="lin"),
        coupling_axes=tuple(
            (model, DefaultAxis(one.low, one.high, one.n_points))
            for model, one in record.default_coupling.items()
        ),
        nuisances=nuisances,
        inputs=tuple(
            (f"{file.parent.name}/{file.name}", sha256_of(file)) for file in files
        ),
        published=StableLimit.from_values(masses, limits, cl=cl),
        log_sensitivity=jnp.asarray(np.log(expected / events)),
        background=jnp.asarray(record.background.value),
        flight=flight,
        changes=(),
        fingerprint="",
    ).as_published()


def upper_limit_in_events(
    background: float, *, cl: float, spread: float = 0.0
) -> float:
    r"""Upper limit on the signal where as many events are seen as expected.

    Solves $\langle Q(b+1,s e^{K\theta}+b)\rangle_\theta/Q(b+1,b)=1-cl$.

    Args:
        background: Expected background b [events], >= 0.
        cl: Confidence level.
        spread: Standard deviation K of the log of the signal's factor [1].

    Returns:
        $s_{up}$ [events].

    Examples:
        >>> print(f"{upper_limit_in_events(0.0, cl=0.9):.4f}")
        2.3026
    """
    theta, weights = np.polynomial.hermite_e.hermegauss(_N_HERMITE)
    weights = weights / weights.sum()
    without = gammaincc(background + 1.0, background)

    def excess(signal: float) -> float:
        rate = background + signal * np.exp(spread * theta)
        return float(weights @ gammaincc(background + 1.0, rate) / without) - 1.0 + cl

    return float(brentq(excess, 1e-6, 1e3, xtol=1e-12))  # pyright: ignore[reportArgumentType] a float


def expected_limit(
    masses: Float64[np.ndarray, " n_mass"],
    limits: Float64[np.ndarray, " n_mass"],
    *,
    window: float,
) -> Float64[np.ndarray, " n_mass"]:
    """Geometric mean of the limits within a window of mass around each.

    Args:
        masses: Masses [GeV].
        limits: Limits, > 0.
        window: Half width of the window [GeV].

    Returns:
        Means. At the ends the window is cut, the same on both sides: at the first and
        last mass the mean is the limit itself.
    """
    half = np.minimum(window, np.minimum(masses - masses[0], masses[-1] - masses))
    near = np.abs(masses[:, None] - masses[None, :]) <= half[:, None] * (1.0 + 1e-9)
    return np.exp(near @ np.log(limits) / near.sum(axis=1))


def _branching_ratio_limits(
    record: ResonanceLimitRecord, path: Path
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Masses [GeV] and limits on the branching ratio."""
    columns = read_curve(path.parent / record.published_limit.file).columns
    masses, limits = columns["mass_gev"], columns["limit"]
    if record.published_limit.quantity == "branching-ratio":
        return masses, limits
    if record.process not in LEPTONIC_DECAYS:
        msg = (
            f"{display_path(path)}: published_limit.quantity is 'mixing-squared', "
            f"which has a meaning for the processes {', '.join(LEPTONIC_DECAYS)}, not "
            f"for {record.process!r}"
        )
        raise DataFileError(msg)
    unit = np.asarray(unit_branching_ratio(record.process, jnp.asarray(masses)))
    if np.any(unit <= 0.0):
        msg = (
            f"{display_path(path)}: the limit reaches {masses[-1]:g} GeV, where "
            f"{record.process} is closed"
        )
        raise DataFileError(msg)
    return masses, limits * unit


def _segments(
    record: ResonanceLimitRecord, masses: Float64[np.ndarray, " n"], path: Path
) -> tuple[tuple[float, float], ...]:
    """Where the search says something [GeV], within the masses of its limit."""
    first, last = float(masses[0]), float(masses[-1])
    for index, segment in enumerate(record.segments):
        if segment.low < first or segment.high > last:
            msg = (
                f"{display_path(path)}: segments[{index}] reaches from {segment.low:g} "
                f"to {segment.high:g} GeV, but the limit from {first:g} to {last:g} GeV"
            )
            raise DataFileError(msg)
    ends = tuple((segment.low, segment.high) for segment in record.segments)
    return ends or ((first, last),)


def _escape(flight: FlightRecord, path: Path) -> InFlightEscape:
    """Beam, decay volume and veto of the flight."""
    parents = {
        "K+": (constants.KAON_CHARGED_MASS, constants.KAON_CHARGED_LIFETIME),
        "pi+": (constants.PION_CHARGED_MASS, constants.PION_CHARGED_LIFETIME),
    }
    recoils = {
        "e+": constants.ELECTRON_MASS,
        "mu+": constants.MUON_MASS,
        "pi+": constants.PION_CHARGED_MASS,
    }
    setup = read_kaon_setup(flight.setup, beside=path.parent)
    mass, lifetime = parents[flight.parent]
    return InFlightEscape(
        parent_mass=mass,
        parent_lifetime=lifetime,
        recoil_mass=recoils[flight.recoil],
        parent_momentum=setup.beam.momentum.value,
        start=setup.decay_volume.start.value,
        end=setup.decay_volume.end.value,
        veto_end=setup.veto_end.value,
    )
