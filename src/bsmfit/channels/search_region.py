r"""What a search says at one point of a model: its counting regions.

    Mediator --Channel.regions--> (SearchRegion, ...) --> likelihood | map kernel

A region has an observed count, background terms, and signal terms as *logarithms* of
events, since signals span tens of decades over a plane. Every term names its responses
to nuisances; the name is the correlation, across regions and kinds of search. Numbers
may depend on the point (the share of X that outlives the veto does, the protons on
target do not): a response that is the same everywhere is a Python float, one that
depends on the point an array. Nodes for averages are chosen from the former.

A search that says nothing at a point is closed there (`is_open`): no signal, and
neither its background nor its count matters.

A count may be *effective*: reconstructed from a published limit, in general no whole
number (`bsmfit.likelihood.effective_count`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from bsmfit.likelihood.gamma_quantile import log_gamma_quantile
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Gamma,
    LogNormal,
    Response,
    Sideband,
    TruncatedNormal,
)

__all__ = [
    "LARGEST_SPREAD",
    "LOG_CLOSED",
    "BackgroundTerm",
    "LargestCount",
    "LogResponse",
    "SearchRegion",
    "SearchResponse",
    "ShapedResponse",
    "SignalTerm",
    "likelihood_of_regions",
    "log_total_signal",
    "safe_log",
]

LOG_CLOSED = -1.0e5
"""Log of the expected events of a closed process or decay: zero, without infinities."""

LARGEST_SPREAD = 0.7
"""Largest standard deviation of the log of a signal where it depends on the point: a
factor 2. Larger ones, where next to no signal is left, are cut down to it."""

_LARGEST_LOG_SIGNAL = 690.0


class LogResponse(eqx.Module):
    r"""A factor $e^{K\theta}$ with a unit normal $\theta$.

    Attributes:
        name: The nuisance; the same name is the same parameter everywhere.
        log_kappa: K, the log of the factor of one standard deviation [1]: a float where
            it is the same at all points, else an array. Negative for an anticorrelated
            response.
    """

    name: str = eqx.field(static=True)
    log_kappa: float | Float[Array, " *point"]

    @property
    def size(self) -> float | None:
        """Size of the response [1]; None where it depends on the point."""
        return abs(self.log_kappa) if isinstance(self.log_kappa, float) else None

    def log_factor(self, theta: Float[Array, " node"]) -> Float[Array, " node"]:
        """Log of the factor at values of the nuisance.

        Args:
            theta: Values, unit normal.

        Returns:
            Logarithms.
        """
        return jnp.asarray(self.log_kappa) * theta

    def for_likelihood(self) -> Response:
        """The same response in a likelihood, at most `LARGEST_SPREAD` if unknown."""
        logs = jnp.asarray(self.log_kappa)
        if self.size is None:
            logs = jnp.clip(logs, -LARGEST_SPREAD, LARGEST_SPREAD)
        return LogNormal(self.name, jnp.exp(logs))


class ShapedResponse(eqx.Module):
    r"""A factor of another distribution, the same at all points.

    | shape | factor at $\theta$ |
    |---|---|
    | ``"truncated-normal"`` | $\max(1 + \delta\theta, 0)$ |
    | ``"gamma"`` | gamma distributed, mean 1, relative error $\delta$ |
    | ``"sideband"`` | gamma distributed with shape $m+1$, m control events |

    Attributes:
        name: The nuisance.
        shape: One of the names above.
        value: The relative error $\delta$, or the number of control events m.
    """

    name: str = eqx.field(static=True)
    shape: str = eqx.field(static=True)
    value: float = eqx.field(static=True)

    @property
    def size(self) -> float:
        """Relative size of the response [1]."""
        if self.shape == "sideband":
            return 1.0 / math.sqrt(self.value + 1.0)
        return self.value

    def log_factor(self, theta: Float[Array, " node"]) -> Float[Array, " node"]:
        """Log of the factor at values of the nuisance.

        Args:
            theta: Values, unit normal.

        Returns:
            Logarithms, `LOG_CLOSED` for a factor of 0.
        """
        if self.shape == "truncated-normal":
            return safe_log(1.0 + self.value * theta)
        is_sideband = self.shape == "sideband"
        shape = self.value + 1.0 if is_sideband else self.value**-2
        quantile = jax.vmap(lambda z: log_gamma_quantile(jnp.asarray(shape), z))(theta)
        return quantile if is_sideband else quantile - math.log(shape)

    def for_likelihood(self) -> Response:
        """The same response in a likelihood."""
        kinds = {"truncated-normal": TruncatedNormal, "gamma": Gamma}
        return kinds.get(self.shape, Sideband)(self.name, self.value)


SearchResponse: TypeAlias = LogResponse | ShapedResponse


class SignalTerm(eqx.Module):
    """One production process in one region.

    Attributes:
        process: The process, for example ``"proton-bremsstrahlung"``.
        log_events: ln of the expected events at nominal nuisances; `LOG_CLOSED` where
            there are none.
        responses: How they respond to nuisances.
    """

    process: str = eqx.field(static=True)
    log_events: Float[Array, " *point"]
    responses: tuple[SearchResponse, ...] = ()


class BackgroundTerm(eqx.Module):
    """One background in one region.

    Attributes:
        name: The background.
        events: Expected events at nominal nuisances, >= 0.
        responses: How they respond to nuisances.
    """

    name: str = eqx.field(static=True)
    events: Float[Array, " *point"]
    responses: tuple[SearchResponse, ...] = ()


class SearchRegion(eqx.Module):
    """A counting region of a search, at one point of a model.

    Attributes:
        name: The region, unique among all searches.
        observed: Observed events, or an effective count.
        signal: Signal terms; none in a control region.
        background: Background terms.
        is_open: Whether the search says anything at this point.
        is_found: Whether the count exists (a reconstruction can fail).
        is_effective: Whether the count is an effective one.
    """

    name: str = eqx.field(static=True)
    observed: Float[Array, " *point"]
    signal: tuple[SignalTerm, ...]
    background: tuple[BackgroundTerm, ...]
    is_open: Bool[Array, " *point"]
    is_found: Bool[Array, " *point"]
    is_effective: bool = eqx.field(static=True, default=False)

    @property
    def total_background(self) -> Float[Array, " *point"]:
        """Expected background at nominal nuisances [events]."""
        zero = jnp.zeros_like(self.observed)
        return sum((term.events for term in self.background), start=zero)


class LargestCount(eqx.Module):
    """The largest numbers that a region can have at any point: concrete, for planning.

    Attributes:
        observed: Largest observed count.
        background: Largest expected background [events].
    """

    observed: float = eqx.field(static=True)
    background: float = eqx.field(static=True)


def log_total_signal(regions: Iterable[SearchRegion]) -> Float[Array, ""]:
    """Log of the expected signal of all regions that are open.

    Args:
        regions: The regions.

    Returns:
        ln of the events at nominal nuisances; about `LOG_CLOSED` for none.
    """
    logs = [
        jnp.where(region.is_open, term.log_events, LOG_CLOSED)
        for region in regions
        for term in region.signal
    ]
    return jax.nn.logsumexp(jnp.stack(logs))


def likelihood_of_regions(regions: Sequence[SearchRegion]) -> Likelihood:
    r"""The regions as a likelihood; the strength multiplies the signal.

    Closed regions are left out where it is known which those are; where that is traced,
    they have no signal.

    Args:
        regions: The regions.

    Returns:
        The likelihood: of effective counts, $L\propto\lambda^ne^{-\lambda}$.
    """
    kept = [region for region in regions if not _is_known_closed(region)]
    return Likelihood.from_regions([_as_region(region) for region in kept or regions])


def safe_log(value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Logarithm of a positive number, `LOG_CLOSED` with zero gradient of any other.

    Args:
        value: Any numbers.

    Returns:
        Finite logarithms.
    """
    is_positive = value > 0.0
    return jnp.where(
        is_positive, jnp.log(jnp.where(is_positive, value, 1.0)), LOG_CLOSED
    )


def _is_known_closed(region: SearchRegion) -> bool:
    is_known = not isinstance(region.is_open, Tracer)
    return is_known and not np.any(np.asarray(region.is_open))


def _as_region(region: SearchRegion) -> Region:
    """One bin, after the axes of a grid if there are any."""

    def events(log_events: Float[Array, "*point"]) -> Float[Array, "*point 1"]:
        shown = jnp.where(region.is_open, log_events, LOG_CLOSED)
        return jnp.exp(jnp.minimum(shown, _LARGEST_LOG_SIGNAL))[..., None]

    return Region(
        region.name,
        region.observed[..., None],
        [
            Term(term.process, events(term.log_events), _responses(term.responses))
            for term in region.signal
        ],
        [
            Term(term.name, term.events[..., None], _responses(term.responses))
            for term in region.background
        ],
        is_effective=region.is_effective,
    )


def _responses(responses: Sequence[SearchResponse]) -> list[Response]:
    return [response.for_likelihood() for response in responses]
