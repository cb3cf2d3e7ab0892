r"""Limit of one search on BR(K+ -> pi+ X), for a mass and a lifetime of X.

$$BR_{up}(m,\tau) = SES_{\pi X}(m)\,\frac{S_{up}}{P_{esc}(m,\tau)}$$

with the limit $S_{up}$ on the signal of the count that the search saw, averaged over
the uncertainties of acceptance and of the end of the veto. For stable X and at the
published level it is the published limit.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from bsmfit.channels.pi_invisible import PROCESS, PiInvisibleChannel
from bsmfit.core.argument import (
    check_range,
    instance,
    level,
    scalar,
    whole_number,
)
from bsmfit.inference.counts.effective_exclusion import LimitsBySpread
from bsmfit.inference.counts.observed_count import (
    largest_expected_count,
    observed_count,
    total_error,
)
from bsmfit.likelihood.effective_count import BackgroundNodes
from bsmfit.physics.mediator import Mediator

__all__ = ["InvisibleLimit", "background_nodes", "invisible_limit"]

_N_NODE = 5


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
    hint = "map over several with jax.vmap"
    mass = scalar("mass", mass, hint=hint)
    width = scalar("decay_width", decay_width, hint=hint)
    check_range("mass", mass, low=0.0)
    check_range("decay_width", width, low=0.0, hint="0 is a stable particle")
    if n_max is not None:
        n_max = whole_number("n_max", n_max, low=1, high=10_000)
    most = largest_expected_count([channel]) if n_max is None else n_max
    return _limit(channel, mass, width, cl, most)


@eqx.filter_jit
def _limit(
    channel: PiInvisibleChannel,
    mass: Float[Array, ""],
    width: Float[Array, ""],
    cl: float,
    n_max: int,
) -> InvisibleLimit:
    """The limit, compiled once for each search and level."""
    one = jnp.ones_like(mass)
    mediator = Mediator(mass, width, {"visible": one}, {PROCESS: one})
    log_unit, veto = channel.log_signal(mediator)
    seen = observed_count(channel, mass)
    own = total_error(channel, "signal")
    limits = LimitsBySpread.solve(
        seen.n,
        background_nodes(channel, mass),
        smallest_spread=jnp.asarray(own),
        cl=cl,
        n_max=n_max,
    )
    found = limits(jnp.zeros_like(mass), jnp.hypot(jnp.asarray(own), veto))
    is_sensitive = channel.is_sensitive(mass)
    is_converged = limits.is_converged & seen.is_found & (width >= 0.0)
    log_scale = log_unit + seen.log_factor
    is_good = is_sensitive & is_converged
    return InvisibleLimit(
        branching_ratio=jnp.where(
            is_good, jnp.exp(found.log_up_obs - log_scale), jnp.nan
        ),
        expected=jnp.where(is_good, jnp.exp(found.log_up_exp - log_scale), jnp.nan),
        n_observed=seen.n,
        signal_factor=jnp.exp(seen.log_factor),
        background=channel.background(mass),
        sensitivity=jnp.exp(channel.log_sensitivity(mass)),
        escape=jnp.exp(channel.log_invisible(mediator)[0]),
        is_sensitive=is_sensitive,
        is_converged=is_converged,
    )


def background_nodes(
    channel: PiInvisibleChannel, mass: Float[Array, ""]
) -> BackgroundNodes:
    """The background of a search at a mass, at nodes of its uncertainty.

    Args:
        channel: The search.
        mass: Mass of X [GeV].

    Returns:
        The nodes; one where the record states no uncertainty, as for reconstructed
        counts.
    """
    value = channel.background(mass)
    error = total_error(channel, "background")
    if error == 0.0:
        return BackgroundNodes.known(value)
    theta, weights = np.polynomial.hermite_e.hermegauss(_N_NODE)
    return BackgroundNodes(
        value * jnp.exp(error * jnp.asarray(theta)),
        jnp.asarray(weights / weights.sum()),
    )
