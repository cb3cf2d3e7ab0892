r"""What a search for K+ -> pi+ X saw at a mass: its count, given or reconstructed.

Where the record has a published limit for stable X, the count is the one that makes it,
with the search's own background and sensitivity and its own uncertainties averaged over
(`bsmfit.likelihood.effective_count`). At the level of the published limit, a limit from
this count is the published one again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.special import pdtrc

from bsmfit.channels.pi_invisible import PiInvisibleChannel
from bsmfit.errors import InputError
from bsmfit.inference.counts.expected import TAIL_TOLERANCE
from bsmfit.likelihood.effective_count import BackgroundNodes, effective_count

__all__ = [
    "ObservedCount",
    "largest_expected_count",
    "log_kappas",
    "observed_count",
    "total_error",
]

_SMALLEST_SPREAD = 1e-6


class ObservedCount(eqx.Module):
    """What a search saw at one mass.

    Attributes:
        n: Observed events, or the effective count.
        log_factor: ln of the factor on the signal where the published limit is below
            that for no event at all; 0 elsewhere.
        is_found: Whether there is such a count.
    """

    n: Float[Array, ""]
    log_factor: Float[Array, ""]
    is_found: Bool[Array, ""]


def observed_count(
    channel: PiInvisibleChannel, mass: Float[Array, ""]
) -> ObservedCount:
    """The count of a search at a mass.

    Args:
        channel: The search.
        mass: Mass of X [GeV], one at which the search says something.

    Returns:
        The count.
    """
    zero = jnp.zeros_like(mass)
    if channel.n_observed is not None:
        return ObservedCount(zero + channel.n_observed, zero, zero == 0.0)
    if channel.published is None:
        msg = f"channel {channel.name} has neither a limit nor a count"
        raise InputError(msg)
    own = math.hypot(_SMALLEST_SPREAD, total_error(channel, "signal"))
    n, log_factor, is_found = effective_count(
        channel.published(mass) - channel.log_sensitivity(mass),
        BackgroundNodes.known(channel.background(mass)),
        spread=jnp.asarray(own),
        cl=channel.published.cl,
    )
    return ObservedCount(n, log_factor, is_found)


def log_kappas(channel: PiInvisibleChannel, affects: str) -> dict[str, float]:
    """Logs of the factors of a search's own nuisances.

    Args:
        channel: The search.
        affects: ``"signal"`` or ``"background"``.

    Returns:
        ln kappa by name.
    """
    return {
        entry.name: math.log(entry.kappa)
        for entry in channel.nuisances
        if entry.affects == affects
    }


def total_error(channel: PiInvisibleChannel, affects: str) -> float:
    """Standard deviation of the log of the signal or background, all together.

    Args:
        channel: The search.
        affects: ``"signal"`` or ``"background"``.

    Returns:
        The errors in quadrature [1].
    """
    return math.hypot(*log_kappas(channel, affects).values())


def largest_expected_count(channels: Sequence[PiInvisibleChannel]) -> int:
    """Largest count that is expected without signal, at any mass.

    A plain number, to be computed before tracing.

    Args:
        channels: The searches, whose counts are added where they overlap.

    Returns:
        A count with a probability above it of less than a tenth of `TAIL_TOLERANCE`,
        at most 60.
    """
    nodes = [np.asarray(c.log_background.nodes) for c in channels]
    ends = [np.ravel(c.segments) for c in channels]
    grid = np.unique(np.concatenate([*nodes, *ends]))
    total = np.zeros(grid.size)
    for channel, at in zip(channels, nodes, strict=True):
        is_open = [(grid >= low) & (grid <= high) for low, high in channel.segments]
        values = np.exp(np.interp(grid, at, np.asarray(channel.log_background.values)))
        largest = values * math.exp(3.0 * total_error(channel, "background"))
        total += np.where(np.any(is_open, axis=0), largest, 0.0)
    n_max = 1
    while n_max < 60 and pdtrc(n_max, total.max()) >= 0.1 * TAIL_TOLERANCE:
        n_max += 1
    return n_max
