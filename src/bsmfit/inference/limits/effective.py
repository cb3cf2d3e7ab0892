r"""Exact limits of likelihoods with effective counts, by the kernel of maps.

A search that is known by its published limit has a count that is no whole number. Its
distribution continues that of a Poisson count, $P(\le x) = Q(x+1,\lambda)$, and joint
outcomes with other regions are summed by `bsmfit.inference.exclusion.joint_kernel`, as
in a map. The limit is the largest strength at which $\ln CL_s$ crosses its level.

    Likelihood --regions with ln yields--> JointKernel --bisection--> ln strength
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from bsmfit.channels.search_region import (
    BackgroundTerm,
    LargestCount,
    LogResponse,
    SearchRegion,
    SearchResponse,
    ShapedResponse,
    SignalTerm,
    log_total_signal,
    safe_log,
)
from bsmfit.errors import NoExactMethodError
from bsmfit.inference.exclusion.joint_kernel import JointKernel
from bsmfit.likelihood.likelihood import Likelihood, broadcast_points
from bsmfit.likelihood.poisson import Level, log_complement
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Gamma,
    LogNormal,
    Response,
    Sideband,
    TruncatedNormal,
)

__all__ = ["EffectivePoints"]

_BATCH = 32
_N_SEARCH, _N_BISECTION = 48, 42
# ln of the strength times the signal, between which limits of few counts lie
_LOW, _HIGH = math.log(0.02), math.log(2000.0)
_SHAPES = {TruncatedNormal: "truncated-normal", Gamma: "gamma", Sideband: "sideband"}


class EffectivePoints(eqx.Module):
    """The points of a likelihood with effective counts.

    Attributes:
        regions: The regions, with one leading axis for the points.
        kernel: Sums over their joint outcomes.
    """

    regions: tuple[SearchRegion, ...]
    kernel: JointKernel

    @classmethod
    def of(cls, likelihood: Likelihood, *, ordering: str) -> EffectivePoints:
        """Prepare the sums.

        Args:
            likelihood: The likelihood, its numbers known.
            ordering: ``"likelihood-ratio"`` or ``"sum"``.

        Returns:
            The points.

        Raises:
            NoExactMethodError: Regions of several bins, correlated nuisances, or
                responses that the kernel does not know.
        """
        if likelihood.correlated:
            msg = (
                "exact limits of effective counts know no correlated nuisances; use "
                "method='asymptotic' or a posterior (bsmfit.sample_posterior)"
            )
            raise NoExactMethodError(msg)
        spread = broadcast_points(likelihood)
        regions = tuple(_search_region(region) for region in spread.regions)
        largest = [
            LargestCount(
                0.0 if region.is_effective else float(jnp.max(region.observed)),
                float(jnp.max(region.total_background)),
            )
            for region in regions
        ]
        everything = range(len(regions))
        kernel = JointKernel.of(
            regions,
            searches=[region.name for region in regions],
            members=[everything],
            largest=largest,
            cl=0.9,
            ordering=ordering,
        )
        return cls(regions, kernel)

    def limits(
        self, *, cl: Level
    ) -> tuple[Float[Array, " n_point"], Bool[Array, " n_point"]]:
        """Upper limits on the strength, and whether they are found."""
        return _limits(self, cl)

    def expected_limits(
        self, *, cl: Level
    ) -> tuple[Float[Array, "n_point 5"], Bool[Array, " n_point"]]:
        """Limits of the quantiles of the ordering without a signal."""
        return _expected_limits(self, cl)

    def test(
        self, strength: Float[Array, " n_point"]
    ) -> tuple[
        Float[Array, " n_point"], Float[Array, " n_point"], Bool[Array, " n_point"]
    ]:
        r"""$\ln CL_{s+b}$, $\ln CL_b$ and whether nothing that matters is left out."""
        return _test(self, strength)


@eqx.filter_jit
def _test(points: EffectivePoints, strength: Float[Array, " n_point"]):
    def at(regions: tuple[SearchRegion, ...], one: Float[Array, ""]):
        return points.kernel.test(_shifted(regions, safe_log(one)))

    return _mapped(at, points.regions, strength)


@eqx.filter_jit
def _limits(points: EffectivePoints, cl: Level):
    target = log_complement(cl)

    def at(regions: tuple[SearchRegion, ...]):
        def excess(x: Float[Array, ""]) -> Float[Array, " 1"]:
            above, below, _ = points.kernel.test(_shifted(regions, x))
            return (above - below - target)[None]

        log_limit, is_found = _last_crossing(excess, log_total_signal(regions))
        *_, is_complete = points.kernel.test(_shifted(regions, log_limit[0]))
        return jnp.exp(log_limit[0]), is_found[0] & is_complete

    return _mapped(at, points.regions)


@eqx.filter_jit
def _expected_limits(points: EffectivePoints, cl: Level):
    target = log_complement(cl)

    def at(regions: tuple[SearchRegion, ...]):
        log_limits, is_found = _last_crossing(
            lambda x: points.kernel.expected(_shifted(regions, x)) - target,
            log_total_signal(regions),
        )
        return jnp.exp(log_limits), jnp.all(is_found)

    return _mapped(at, points.regions)


def _mapped(function: Callable, regions: tuple[SearchRegion, ...], *arguments: Array):
    """The function at all points, some at a time."""
    arrays, rest = eqx.partition(regions, eqx.is_array)
    return lax.map(
        lambda leaves: function(eqx.combine(leaves[0], rest), *leaves[1:]),
        (arrays, *arguments),
        batch_size=_BATCH,
    )


def _last_crossing(
    excess: Callable[[Float[Array, ""]], Float[Array, " level"]],
    log_signal: Float[Array, ""],
) -> tuple[Float[Array, " level"], Bool[Array, " level"]]:
    """Largest ln strength at which each function falls below 0, by bisection."""
    grid = jnp.linspace(_LOW, _HIGH, _N_SEARCH) - log_signal
    values = lax.map(excess, grid)
    is_above = values >= 0.0
    last = jnp.max(jnp.where(is_above, jnp.arange(_N_SEARCH)[:, None], -1), axis=0)
    is_found = (last >= 0) & (last < _N_SEARCH - 1)
    start = jnp.clip(last, 0, _N_SEARCH - 2)

    def step(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        above = jax.vmap(excess)(middle)[
            jnp.arange(middle.shape[0]), jnp.arange(middle.shape[0])
        ]
        is_low = above >= 0.0
        return jnp.where(is_low, middle, low), jnp.where(is_low, high, middle)

    low, high = lax.fori_loop(0, _N_BISECTION, step, (grid[start], grid[start + 1]))
    return 0.5 * (low + high), is_found


def _shifted(
    regions: Sequence[SearchRegion], log_strength: Float[Array, ""]
) -> tuple[SearchRegion, ...]:
    """The regions with another strength of the signal."""
    return tuple(
        eqx.tree_at(
            lambda r: [term.log_events for term in r.signal],
            region,
            [term.log_events + log_strength for term in region.signal],
        )
        if region.signal
        else region
        for region in regions
    )


def _search_region(region: Region) -> SearchRegion:
    """A region of one bin as the kernel knows it, with an axis of points."""
    if region.observed.shape[-1] != 1 or region.events is not None:
        msg = (
            f"region {region.name!r} is no single count: exact limits beside effective "
            "counts are for regions of one bin; use method='asymptotic'"
        )
        raise NoExactMethodError(msg)
    certain = jnp.ones(region.observed.shape[:1], bool)
    return SearchRegion(
        name=region.name,
        observed=region.observed[:, 0],
        signal=tuple(
            SignalTerm(term.name, safe_log(term.yields[:, 0]), _responses(term))
            for term in region.signal
        ),
        background=tuple(
            BackgroundTerm(term.name, term.yields[:, 0], _responses(term))
            for term in region.background
        ),
        is_open=certain,
        is_found=certain,
        is_effective=region.is_effective,
    )


def _responses(term: Term) -> tuple[SearchResponse, ...]:
    return tuple(_response(response) for response in term.responses)


def _response(response: Response) -> SearchResponse:
    if isinstance(response, LogNormal):
        logs = np.log(np.asarray(response.kappa))
        same = bool(np.all(logs == logs[0]))
        log_kappa = float(logs[0]) if same else jnp.asarray(logs)
        return LogResponse(response.name, log_kappa)
    for kind, shape in _SHAPES.items():
        if isinstance(response, kind):
            field = "n_control" if kind is Sideband else "relative_error"
            values = np.asarray(getattr(response, field))
            if np.all(values == values[0]):
                return ShapedResponse(response.name, shape, float(values[0]))
    msg = (
        f"nuisance {response.name!r} ({type(response).__name__}): exact limits of "
        "effective counts know log-normal, truncated normal, gamma and sideband "
        "responses that are the same at all points; use method='asymptotic'"
    )
    raise NoExactMethodError(msg)
