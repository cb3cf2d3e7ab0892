r"""Likelihood of a spectrum of squared missing mass, for K+ -> pi+ X.

As many bins as the spectrum has. The strength is the branching ratio in the unit that
is asked for; the end of the veto, shared by name between searches, moves the signal by
a factor that depends on mass and lifetime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from bsmfit.channels.pi_invisible import PROCESS, PiInvisibleChannel
from bsmfit.core.argument import LARGEST_FACTOR, instance, real_number, text
from bsmfit.core.array_argument import check_range, real_array
from bsmfit.errors import InputError
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal, Response, Value
from bsmfit.physics.mediator import Mediator

__all__ = [
    "UNIT",
    "BinnedBackground",
    "missing_mass_likelihood",
]

UNIT = 1e-11
"""Branching ratio of strength 1."""


_SMALLEST_SHARE = 1e-3
_LARGEST_EDGE = 0.2  # GeV^2; (m_K - m_pi)^2 = 0.125, and room for the resolution


@dataclass(frozen=True)
class BinnedBackground:
    """Expected events of one background in the bins of a spectrum.

    Attributes:
        expected: Expected events in each bin, >= 0.
        relative_error: Uncertainty common to all bins [1], 0 to 1e6; 0 for none.

    Raises:
        InputError: One of them is no such number.
    """

    expected: Value
    relative_error: float = 0.0

    def __post_init__(self) -> None:
        events = real_array("expected events of a background", self.expected)
        check_range("expected events of a background", events, low=0.0)
        error = real_number(
            "relative_error of a background",
            self.relative_error,
            low=0.0,
            high=LARGEST_FACTOR,
        )
        object.__setattr__(self, "expected", events)
        object.__setattr__(self, "relative_error", error)


def missing_mass_likelihood(
    channel: PiInvisibleChannel,
    *,
    edges: Value,
    n_observed: Value,
    background: Mapping[str, BinnedBackground],
    mass: Value,
    decay_width: Value = 0.0,
    unit: float = UNIT,
) -> Likelihood:
    """The full binned likelihood of a spectrum of squared missing mass.

    Args:
        channel: The search: sensitivity, resolution, escape and their uncertainties.
        edges: Lower and upper edge of each bin [GeV^2], (n_bin, 2).
        n_observed: Observed events in each bin.
        background: Expected events by source, pi nu nu among them.
        mass: Masses of X [GeV], one or several: the points of the likelihood's grid.
        decay_width: Width of X at each mass [GeV], or one for all.
        unit: Branching ratio of strength 1, within (0, 1].

    Returns:
        The likelihood; the strength is BR(K+ -> pi+ X) / unit.

    Raises:
        InputError: Numbers of bins differ, values are not allowed, or a mass at which
            the search says nothing or whose peak lies outside the bins.
    """
    hint = 'write bsmfit.load_channel("na62-pi-invisible-run1")'
    instance("channel", channel, PiInvisibleChannel, hint=hint)
    unit = real_number("unit", unit, low=0.0, high=1.0, is_low_open=True)
    bins = real_array("edges", edges)
    if bins.ndim != 2 or bins.shape[1] != 2:
        msg = f"edges have the shape {bins.shape}; give (n_bin, 2): low and high"
        raise InputError(msg)
    check_range("edges", bins)
    _check_background(background)
    masses = real_array("mass", mass)
    _check_spectrum(channel, masses, bins)
    widths = jnp.broadcast_to(real_array("decay_width", decay_width), masses.shape)
    _check_widths(widths)

    def at_point(
        one_mass: Float[Array, ""], width: Float[Array, ""]
    ) -> tuple[Float[Array, " n_bin"], Float[Array, ""]]:
        log_signal, veto = channel.log_signal(_probe(one_mass, width, unit))
        share = channel.peak_share(one_mass, bins[:, 0], bins[:, 1])
        return jnp.exp(log_signal) * share, veto

    flat = [array.reshape(-1) for array in (masses, widths)]
    yields, veto = jax.vmap(at_point)(*flat)
    yields = yields.reshape(*masses.shape, bins.shape[0])
    responses = _signal_responses(channel, veto.reshape(masses.shape))
    terms = [
        Term(
            name,
            entry.expected,
            [LogNormal(_nuisance_name(channel, name), 1.0 + entry.relative_error)]
            if entry.relative_error > 0.0
            else [],
        )
        for name, entry in background.items()
    ]
    region = Region(channel.name, n_observed, [Term(PROCESS, yields, responses)], terms)
    return Likelihood.from_regions([region])


def _check_widths(widths: Float[Array, "*point"]) -> None:
    """Refuse widths that are none, where they are known."""
    if isinstance(widths, Tracer):
        return
    for width in widths.reshape(-1):
        if not bool(width >= 0.0):
            msg = f"decay_width = {float(width):g} GeV must be 0 (stable) or above"
            raise InputError(msg)


def _check_background(background: object) -> None:
    """Refuse what holds no backgrounds by name."""
    hint = 'write {"pi-nunu": BinnedBackground(expected, relative_error)}'
    for name, entry in instance("background", background, Mapping, hint=hint).items():
        text("name of a background", name, hint=hint)
        instance(f"background {name!r}", entry, BinnedBackground, hint=hint)


def _check_spectrum(
    channel: PiInvisibleChannel,
    masses: Float[Array, "*point"],
    bins: Float[Array, "n_bin 2"],
) -> None:
    """Refuse masses without a peak."""
    if isinstance(masses, Tracer) or isinstance(bins, Tracer):
        return
    if float(jnp.abs(bins).max()) > _LARGEST_EDGE:
        msg = (
            f"the bins reach from {float(bins.min()):g} to {float(bins.max()):g}: "
            f"edges are squared missing masses, at most {_LARGEST_EDGE:g} GeV^2 (is "
            "the unit GeV^2?)"
        )
        raise InputError(msg)
    for mass in masses.reshape(-1):
        share = float(jnp.sum(channel.peak_share(mass, bins[:, 0], bins[:, 1])))
        if not bool(channel.covers(mass)) or not share > _SMALLEST_SHARE:
            pieces = ", ".join(f"{low:g} to {high:g}" for low, high in channel.segments)
            msg = (
                f"no signal at a mass of {float(mass):g} GeV: {channel.name} knows "
                f"{pieces} GeV, and the bins reach from {float(bins.min()):g} to "
                f"{float(bins.max()):g} GeV^2"
            )
            raise InputError(msg)


def _probe(
    mass: float | Float[Array, ""],
    decay_width: float | Float[Array, ""],
    branching_ratio: float,
) -> Mediator:
    """An X that decays visibly, produced with a given branching ratio."""
    one = jnp.asarray(mass, dtype=float)
    width = jnp.asarray(decay_width, dtype=float)
    unit = jnp.full_like(one, branching_ratio)
    return Mediator(one, width, {"visible": jnp.ones_like(one)}, {PROCESS: unit})


def _signal_responses(
    channel: PiInvisibleChannel, veto: Float[Array, "*point"]
) -> list[Response]:
    """Responses of the signal: the channel's own, and the end of the veto."""
    responses: list[Response] = [
        LogNormal(entry.name, entry.kappa)
        for entry in channel.nuisances
        if entry.affects == "signal"
    ]
    return [*responses, LogNormal(channel.veto_nuisance, jnp.exp(veto))]


def _nuisance_name(channel: PiInvisibleChannel, background: str) -> str:
    """Name of the normalisation of a background, this channel's alone."""
    return f"{channel.name} {background}"
