"""Flight times of a search from its limits for several lifetimes.

The limit for each lifetime, over the one for a particle that decays at once (or never),
is the loss of signal by flight, which the flight time T puts into one number; see
`bsmfit.detector.flight_time_table`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.limit_curves import LifetimeLimits, read_lifetime_csv
from bsmfit.detector.flight_time_table import FlightTimeTable
from bsmfit.errors import DataFileError

__all__ = ["read_flight_times"]

_LARGEST_GAIN: Final = 0.10
"""How far a limit may lie below that of the base curve, by errors of reading [1]."""

_SMALLEST_LOSS: Final = 1e-6
"""Loss of efficiency that a flight time is still read from."""


def read_flight_times(
    path: Path,
    masses: Float64[np.ndarray, " n_mass"],
    limits: Float64[np.ndarray, " n_mass"],
    *,
    sees_decays: bool,
) -> FlightTimeTable:
    """Make the table of flight times of a search.

    Args:
        path: Limits by mass and lifetime: mass_gev, lifetime_ps, branching_ratio_limit.
        masses: Masses of the base curve [GeV], increasing.
        limits: Its limits, > 0: for a particle that decays at once (`sees_decays`), or
            never.
        sees_decays: Whether the search sees decays, or what does not decay.

    Returns:
        The table, at the masses of the base curve. A lifetime without a limit at a mass
        takes the flight time of the next longer one there, else of the next shorter.

    Raises:
        DataFileError: The file is no such table, has one mass alone for a lifetime, or
            a limit that is stronger than the base curve.
    """
    found = read_lifetime_csv(path)
    lifetimes = np.unique(found.lifetime)
    columns = []
    for lifetime in lifetimes:
        mine = found.lifetime == lifetime
        at, log_limits = found.mass[mine], np.log(found.limit[mine])
        is_inside = (masses >= at[0]) & (masses <= at[-1])
        log_loss = np.interp(masses, at, log_limits) - np.log(limits)
        _check_loss(path, lifetime, masses[is_inside], log_loss[is_inside])
        log_loss = np.maximum(log_loss, _SMALLEST_LOSS)
        share = -np.log(-np.expm1(-log_loss)) if sees_decays else log_loss
        columns.append(np.where(is_inside, lifetime * share, np.nan))
    return FlightTimeTable(
        masses=jnp.asarray(masses),
        log_lifetimes=jnp.asarray(np.log(lifetimes)),
        times=jnp.asarray(_filled(path, masses, np.stack(columns, axis=1), found)),
        sees_decays=sees_decays,
    )


def _check_loss(
    path: Path,
    lifetime: float,
    masses: Float64[np.ndarray, " n"],
    log_loss: Float64[np.ndarray, " n"],
) -> None:
    """Refuse limits that are stronger where particles are lost."""
    is_bad = log_loss < np.log1p(-_LARGEST_GAIN)
    if np.any(is_bad):
        at = int(np.argmin(log_loss))
        msg = (
            f"{display_path(path)}: at {masses[at]:g} GeV the limit for "
            f"{1e12 * lifetime:g} ps is {np.exp(log_loss[at]):.3g} times that of the "
            "limit by mass, but a flight only weakens limits (is the lifetime in ps, "
            "and the limit by mass that of a prompt particle, or of a stable one?)"
        )
        raise DataFileError(msg)


def _filled(
    path: Path,
    masses: Float64[np.ndarray, " n_mass"],
    times: Float64[np.ndarray, "n_mass n_lifetime"],
    found: LifetimeLimits,
) -> Float64[np.ndarray, "n_mass n_lifetime"]:
    """Flight times without holes: of longer lifetimes, else of shorter ones."""
    full = times.copy()
    n_lifetime = full.shape[1]
    for column in (*range(n_lifetime - 2, -1, -1), *range(1, n_lifetime)):
        for neighbour in (column + 1, column - 1):
            if 0 <= neighbour < n_lifetime:
                hole = np.isnan(full[:, column])
                full[hole, column] = full[hole, neighbour]
    is_empty = np.isnan(full).any(axis=1)
    if np.any(is_empty):
        msg = (
            f"{display_path(path)}: no limit for any lifetime at "
            f"{masses[int(np.argmax(is_empty))]:g} GeV, a mass of the limit by mass; "
            f"the table reaches from {found.mass.min():g} to {found.mass.max():g} GeV"
        )
        raise DataFileError(msg)
    return full
