r"""Limit of one search on BR(K+ -> pi+ X), for a mass and a lifetime of X.

$$BR_{up}(m,\tau) = SES_{\pi X}(m)\,\frac{S_{up}}{P_{esc}(m,\tau)}$$

with the limit $S_{up}$ on the signal of the count that the search saw, averaged over
the uncertainties of acceptance and of the end of the veto. For stable X and at the
published level it is the published limit.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from bsmfit.channels.pi_invisible import PROCESS, PiInvisibleChannel
from bsmfit.channels.search_region import LargestCount, log_total_signal
from bsmfit.core.argument import instance, level, whole_number
from bsmfit.core.array_argument import check_range, scalar
from bsmfit.errors import InputError
from bsmfit.inference.exclusion.one_spread import SpreadKernel
from bsmfit.physics.mediator import Mediator

__all__ = ["InvisibleLimit", "invisible_limit"]


class InvisibleLimit(eqx.Module):
    """A limit on BR(K+ -> pi+ X) and what it was made from.

    Attributes:
        branching_ratio: Observed upper limit [1]; nan where there is none.
        expected: Expected limits at the levels of
            `bsmfit.inference.counts.expected.QUANTILE_LEVELS`.
        n_observed: Observed events, or the effective count.
        signal_factor: Factor on the signal that reconciles the published limit with
            that for no event; 1 where none is needed.
        background: Expected background [events].
        sensitivity: Branching ratio of one event for a stable X.
        escape: Probability that X leaves no trace.
        is_sensitive: Whether the search says anything at this mass.
        is_converged: Whether all equations are solved.
    """

    branching_ratio: Float[Array, ""]
    expected: Float[Array, " 5"]
    n_observed: Float[Array, ""]
    signal_factor: Float[Array, ""]
    background: Float[Array, ""]
    sensitivity: Float[Array, ""]
    escape: Float[Array, ""]
    is_sensitive: Bool[Array, ""]
    is_converged: Bool[Array, ""]


def invisible_limit(
    channel: PiInvisibleChannel,
    mass: ArrayLike,
    *,
    decay_width: ArrayLike,
    cl: float,
    n_max: int | None = None,
) -> InvisibleLimit:
    """Limit on the branching ratio for an X that decays into visible particles.

    Args:
        channel: The search.
        mass: Mass of X [GeV], >= 0.
        decay_width: Its total width [GeV], >= 0; 0 for a stable or invisible X.
        cl: Confidence level, within (0, 1).
        n_max: Largest count that is expected without signal; found from the
            channel's background where None, which then must not be traced.

    Returns:
        The limit; nan at masses where the search says nothing, and for a traced width
        below 0.

    Raises:
        InputError: A confidence level outside (0, 1), a width below 0, or several
            masses at once.
    """
    hint = 'load one with bsmfit.load_channel("na62-pi-invisible-run1")'
    instance("channel", channel, PiInvisibleChannel, hint=hint)
    cl = level(cl)
    at = scalar("mass", mass, hint=_MAP)
    width = scalar("decay_width", decay_width, hint=_MAP)
    check_range("mass", at, low=0.0)
    check_range("decay_width", width, low=0.0, hint="0 is a stable particle")
    if n_max is not None:
        n_max = whole_number("n_max", n_max, low=1, high=10_000)
    structure = eqx.filter_eval_shape(
        lambda m, w: channel.regions(_probe(m, w)), at, width
    )
    largest = (
        LargestCount(0.0, 0.0) if n_max is not None else channel.largest_counts()[0]
    )
    kernel = SpreadKernel.of(structure[0], largest=largest, cl=jnp.asarray(cl))
    if n_max is not None:
        kernel = dataclasses.replace(kernel, n_max=n_max)
    return _limit(channel, at, width, kernel)


_MAP = "map over several with jax.vmap"


@eqx.filter_jit
def _limit(
    channel: PiInvisibleChannel,
    mass: Float[Array, ""],
    width: Float[Array, ""],
    kernel: SpreadKernel,
) -> InvisibleLimit:
    """The limit, compiled once for each structure and level."""
    mediator = _probe(mass, width)
    regions = channel.regions(mediator)
    found = kernel(regions)
    seen = channel.observed_count(mass)
    is_converged = found.is_converged & (width >= 0.0)
    is_good = found.is_open & is_converged
    # the probe is made with a branching ratio of 1
    log_unit = log_total_signal(regions)

    def ratio(log_limit: Float[Array, "*level"]) -> Float[Array, "*level"]:
        return jnp.where(is_good, jnp.exp(log_limit - log_unit), jnp.nan)

    return InvisibleLimit(
        branching_ratio=ratio(jnp.log(_given(found.n_up_obs))),
        expected=ratio(jnp.log(_given(found.n_up_exp))),
        n_observed=seen.n,
        signal_factor=jnp.exp(seen.log_factor),
        background=channel.background(mass),
        sensitivity=jnp.exp(channel.log_sensitivity(mass)),
        escape=jnp.exp(channel.log_invisible(mediator)[0]),
        is_sensitive=found.is_open,
        is_converged=is_converged,
    )


def _probe(mass: Float[Array, ""], width: Float[Array, ""]) -> Mediator:
    """An X that decays visibly, made with a branching ratio of 1."""
    one = jnp.ones_like(mass)
    return Mediator(mass, width, {"visible": one}, {PROCESS: one})


def _given(value: Float[Array, "*level"] | None) -> Float[Array, "*level"]:
    """A limit of one region, which its kernel always solves."""
    if value is None:
        msg = "a search of one region has a limit in events"
        raise InputError(msg)
    return value
