r"""One region whose signal is uncertain by a number that depends on the point.

$$K^2 = \sum_j\Big(\sum_t f_t K_{tj}\Big)^2$$

over nuisances j, with the shares $f_t$ of the terms in the signal: exact for one term,
to first order in the uncertainties for several. The limits at one mass are functions of
K alone (`bsmfit.inference.exclusion.limits_by_spread`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from scipy.special import pdtrc

from bsmfit._x64 import require_x64
from bsmfit.channels.search_region import (
    LargestCount,
    LogResponse,
    SearchRegion,
    log_total_signal,
)
from bsmfit.inference.counts.expected import TAIL_TOLERANCE
from bsmfit.inference.counts.marginal import LARGEST_COUNT
from bsmfit.inference.exclusion.limits_by_spread import LimitsBySpread
from bsmfit.inference.exclusion.nuisance_sort import hermite_rule
from bsmfit.inference.exclusion.result import Exclusion
from bsmfit.likelihood.effective_count import BackgroundNodes
from bsmfit.likelihood.poisson import Level

__all__ = ["SpreadKernel"]

_N_BACKGROUND_NODE = 5
_SMALLEST_VARIANCE = 1e-12
_LARGEST_LOG_SIGNAL = 690.0


class SpreadKernel(eqx.Module):
    """Limits and CLs of one count, whole or effective.

    Attributes:
        cl: Confidence level.
        n_max: Largest count that is expected without signal.
        smallest_spread: Spread of the signal where nothing that depends on the point
            adds to it.
        background_spread: Standard deviation of the log of the background.
    """

    cl: Level
    n_max: int = eqx.field(static=True)
    smallest_spread: float = eqx.field(static=True)
    background_spread: float = eqx.field(static=True)

    @classmethod
    def of(
        cls, region: SearchRegion, *, largest: LargestCount, cl: Level
    ) -> SpreadKernel:
        """Plan for a region of known structure.

        Args:
            region: The region; only its responses are read.
            largest: Its largest counts.
            cl: Confidence level.

        Returns:
            The kernel.
        """
        smallest = min(
            math.hypot(
                math.sqrt(_SMALLEST_VARIANCE),
                *(response.size or 0.0 for response in term.responses),
            )
            for term in region.signal
        )
        background = math.hypot(
            *(r.size or 0.0 for term in region.background for r in term.responses)
        )
        return cls(
            cl=cl,
            n_max=_expected_ceiling(largest.background * math.exp(3.0 * background)),
            smallest_spread=smallest,
            background_spread=background,
        )

    @property
    def n_value(self) -> int:
        """Doubles that the temporaries of one point take, about."""
        return 100

    def __call__(self, regions: Sequence[SearchRegion]) -> Exclusion:
        """Limits of the tested signal.

        Args:
            regions: The one region at a point.

        Returns:
            Limits and CLs.
        """
        require_x64("SpreadKernel")
        (region,) = regions
        n = jnp.where(region.is_open, region.observed, 0.0)
        limits = LimitsBySpread.solve(
            n,
            self._background(region),
            smallest_spread=jnp.asarray(self.smallest_spread),
            cl=self.cl,
            n_max=self.n_max,
        )
        log_signal = log_total_signal([region])
        found = limits(log_signal, _spread(region))
        return Exclusion(
            n_signal=jnp.exp(jnp.minimum(log_signal, _LARGEST_LOG_SIGNAL)),
            n_observed=n,
            cls_obs=found.cls_obs,
            cls_exp=found.cls_exp,
            is_open=region.is_open,
            is_converged=limits.is_converged & region.is_found,
            n_up_obs=jnp.exp(found.log_up_obs),
            n_up_exp=jnp.exp(found.log_up_exp),
            log_strength_limit=found.log_up_obs - log_signal,
            cl=self.cl,
        )

    def _background(self, region: SearchRegion) -> BackgroundNodes:
        """The background at nodes of its uncertainty."""
        total = jnp.where(region.is_open, region.total_background, 0.0)
        total = jnp.maximum(total, _SMALLEST_BACKGROUND)
        if self.background_spread == 0.0:
            return BackgroundNodes.known(total)
        theta, weights = map(jnp.asarray, hermite_rule(_N_BACKGROUND_NODE))
        variance = jnp.zeros_like(total)
        for term in region.background:
            size = math.hypot(*(r.size or 0.0 for r in term.responses))
            variance = variance + (term.events * size) ** 2
        spread = jnp.sqrt(variance) / total
        return BackgroundNodes(total * jnp.exp(spread * theta), weights)


_SMALLEST_BACKGROUND = 1e-3


def _spread(region: SearchRegion) -> Float[Array, ""]:
    """Standard deviation of the log of the signal."""
    logs = jnp.stack([term.log_events for term in region.signal])
    shares = jax.nn.softmax(logs)
    responses: dict[str, Float[Array, ""]] = {}
    for share, term in zip(shares, region.signal, strict=True):
        for response in term.responses:
            if isinstance(response, LogResponse):
                before = responses.get(response.name, jnp.zeros(()))
                responses[response.name] = before + share * response.log_kappa
    variance = jnp.asarray(_SMALLEST_VARIANCE)
    for response in responses.values():
        variance = variance + response**2
    return jnp.sqrt(variance)


def _expected_ceiling(background: float) -> int:
    """Count above which less than a tenth of the tolerated tail lies."""
    n_max = 1
    while n_max < LARGEST_COUNT and (pdtrc(n_max, background) >= 0.1 * TAIL_TOLERANCE):
        n_max += 1
    return n_max
