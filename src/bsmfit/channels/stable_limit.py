r"""What a search saw, from its published limit on BR(K+ -> pi+ X) for stable X.

The count is the one that makes the limit, with the search's own background and
sensitivity and its own uncertainties averaged over
(`bsmfit.likelihood.effective_count`). At the level of the published limit, a limit from
this count is the published one again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from bsmfit.channels.search_region import LogResponse
from bsmfit.core.argument import level
from bsmfit.errors import InputError
from bsmfit.likelihood.effective_count import BackgroundNodes, effective_count

__all__ = ["ReconstructedCount", "StableLimit", "total_error"]

_SMALLEST_SPREAD = 1e-6


class StableLimit(eqx.Module):
    """Upper limits on BR(K+ -> pi+ X) for stable X, by mass.

    Attributes:
        masses: Nodes [GeV], increasing.
        log_limits: ln of the limits at the nodes.
        cl: Their confidence level.
    """

    masses: Float[Array, " n_mass"]
    log_limits: Float[Array, " n_mass"]
    cl: float = eqx.field(static=True)

    @classmethod
    def from_values(
        cls, masses: ArrayLike, limits: ArrayLike, *, cl: float
    ) -> StableLimit:
        """A limit of one's own, checked.

        Args:
            masses: Masses of X [GeV], increasing.
            limits: Upper limits on BR(K+ -> pi+ X), within (0, 1).
            cl: Their confidence level, within (0, 1).

        Returns:
            The curve.

        Raises:
            InputError: Masses that do not increase, or limits that are none.
        """
        nodes, values = np.asarray(masses, float), np.asarray(limits, float)
        if nodes.ndim != 1 or nodes.shape != values.shape or nodes.size < 2:
            msg = (
                "masses and limits must be lists of one length, 2 or more; their "
                f"shapes are {nodes.shape} and {values.shape}"
            )
            raise InputError(msg)
        is_rising = np.diff(nodes) > 0.0
        if not is_rising.all():
            at = int(np.argmin(is_rising))
            msg = f"masses must increase: {nodes[at + 1]:g} follows {nodes[at]:g} GeV"
            raise InputError(msg)
        is_share = (values > 0.0) & (values < 1.0)
        if not is_share.all():
            worst = values[~is_share][0]
            msg = f"limits on a branching ratio lie between 0 and 1; one is {worst:g}"
            raise InputError(msg)
        return cls(jnp.asarray(nodes), jnp.asarray(np.log(values)), level(cl))

    def __call__(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Log of the limit at a mass, linear between the nodes.

        Args:
            mass: Mass of X [GeV]; clamped to the nodes.

        Returns:
            ln of the branching ratio.
        """
        return jnp.interp(mass, self.masses, self.log_limits)


class ReconstructedCount(eqx.Module):
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

    @classmethod
    def given(cls, n: Float[Array, ""]) -> ReconstructedCount:
        """A count that was observed.

        Args:
            n: Observed events.

        Returns:
            The count, without a factor.
        """
        zero = jnp.zeros_like(n)
        return cls(n, zero, zero == 0.0)

    @classmethod
    def from_limit(
        cls,
        log_limit: Float[Array, ""],
        background: Float[Array, ""],
        *,
        error: float,
        cl: float,
    ) -> ReconstructedCount:
        """The count that makes a limit.

        Args:
            log_limit: ln of the published limit on the signal [events].
            background: Expected background [events].
            error: Standard deviation of the log of the search's own signal factor.
            cl: Confidence level of the published limit.

        Returns:
            The count.
        """
        n, log_factor, is_found = effective_count(
            log_limit,
            BackgroundNodes.known(background),
            spread=jnp.asarray(math.hypot(_SMALLEST_SPREAD, error)),
            cl=cl,
        )
        return cls(n, log_factor, is_found)


def total_error(responses: Sequence[LogResponse]) -> float:
    """Standard deviation of the log of a yield, all known responses together.

    Args:
        responses: The responses; those that depend on the point are passed over.

    Returns:
        The errors in quadrature [1].
    """
    return math.hypot(*(response.size or 0.0 for response in responses))
