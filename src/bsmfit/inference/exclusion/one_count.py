r"""One region with a whole count: limits solved once per count, CLs at every point.

The limits are solved once for each count of a mass, not once per point, where all
signal terms respond alike to the nuisances (`bsmfit.inference.counts.marginal`), and
once per composition of the signal elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.channels.search_region import (
    LOG_CLOSED,
    LargestCount,
    LogResponse,
    SearchRegion,
)
from bsmfit.inference.counts.expected import (
    TAIL_TOLERANCE,
    count_ceiling,
    count_quantiles,
    expected_limits,
    mean_limit,
)
from bsmfit.inference.counts.marginal import (
    count_probabilities,
    marginal_cls,
    marginal_counts,
    marginal_log_limits,
)
from bsmfit.inference.exclusion.result import Exclusion
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.poisson import Level
from bsmfit.likelihood.quadrature import NuisanceQuadrature

__all__ = ["CountKernel", "exclusion"]

# the largest log of a signal whose products with responses stay finite
_LARGEST_LOG_SIGNAL = 690.0


class CountKernel(eqx.Module):
    """Limits and CLs of one whole count, its responses the same at all points.

    Attributes:
        counting: Responses of signal and background; its background is not read.
        quadrature: Nodes for the nuisances.
        cl: Confidence level.
        n_max: Largest count that is treated.
    """

    counting: CountingModel
    quadrature: NuisanceQuadrature
    cl: Level
    n_max: int = eqx.field(static=True)

    @classmethod
    def of(
        cls, region: SearchRegion, *, largest: LargestCount, cl: Level
    ) -> CountKernel:
        """Plan for a region of known structure.

        Args:
            region: The region; only its responses are read.
            largest: Its largest counts.
            cl: Confidence level.

        Returns:
            The kernel.
        """
        terms = [*region.signal, *region.background]
        every = [response.name for term in terms for response in term.responses]
        names = tuple(dict.fromkeys(every))
        rows = np.zeros((len(terms), len(names)))
        for row, term in enumerate(terms):
            for response in term.responses:
                if isinstance(response, LogResponse):
                    rows[row, names.index(response.name)] = response.log_kappa
        n_signal = len(region.signal)
        counting = CountingModel(
            signal_log_kappa=jnp.asarray(rows[:n_signal]),
            background=jnp.full(len(region.background), largest.background),
            background_log_kappa=jnp.asarray(rows[n_signal:]),
            nuisance_names=names,
        )
        quadrature = NuisanceQuadrature.from_model(counting)
        n_observed = int(largest.observed)
        return cls(
            counting=counting,
            quadrature=quadrature,
            cl=cl,
            n_max=count_ceiling(counting, quadrature, n_observed=n_observed),
        )

    @property
    def n_value(self) -> int:
        """Doubles that the temporaries of one point take, about."""
        return 4 * self.quadrature.signal_weights.shape[0]

    def __call__(self, regions: Sequence[SearchRegion]) -> Exclusion:
        """Limits of the tested signal.

        Args:
            regions: The one region at a point.

        Returns:
            Limits and CLs.
        """
        (region,) = regions
        logs = jnp.stack([term.log_events for term in region.signal])
        found = exclusion(
            jnp.where(region.is_open, logs, LOG_CLOSED),
            eqx.tree_at(
                lambda model: model.background,
                self.counting,
                jnp.stack([term.events for term in region.background]),
            ),
            quadrature=self.quadrature,
            n_observed=region.observed.astype(int),
            cl=self.cl,
            n_max=self.n_max,
        )
        return eqx.tree_at(
            lambda result: (result.is_open, result.is_converged),
            found,
            (region.is_open, found.is_converged & region.is_found),
        )


def exclusion(
    log_signal: Float[Array, " n_signal"],
    model: CountingModel,
    *,
    quadrature: NuisanceQuadrature,
    n_observed: Int[Array, ""],
    cl: Level,
    n_max: int,
) -> Exclusion:
    """Limits and CLs of one signal hypothesis.

    Args:
        log_signal: ln of the expected signal events at nominal nuisances, per term;
            -1e8 or so for a closed term.
        model: Background, responses, nuisances.
        quadrature: Nodes for this model (`NuisanceQuadrature.from_model`).
        n_observed: Observed events.
        cl: Confidence level, for example 0.90.
        n_max: Largest count that is treated
            (`bsmfit.inference.counts.expected.count_ceiling`).

    Returns:
        The limits; nan where one is not to be had: the observed ones with is_converged
        False, the expected ones where more than n_max events are to be expected.

    Examples:
        >>> import jax.numpy as jnp
        >>> model = CountingModel.from_terms([[]], [(jnp.array(0.016), [])])
        >>> result = exclusion(
        ...     jnp.log(jnp.array([3.0])),
        ...     model,
        ...     quadrature=NuisanceQuadrature.from_model(model),
        ...     n_observed=jnp.array(1),
        ...     cl=0.90,
        ...     n_max=3,
        ... )
        >>> round(float(result.n_up_obs), 4), round(float(result.cls_obs), 4)
        (3.8739, 0.1968)
    """
    require_x64("exclusion")
    counts = marginal_counts(log_signal, model, quadrature=quadrature, n_max=n_max)
    log_limits, is_solved = marginal_log_limits(counts, cl=cl)
    probabilities = count_probabilities(counts)
    is_inside = (n_observed >= 0) & (n_observed <= n_max)
    is_converged = is_solved[jnp.clip(n_observed, 0, n_max)] & is_inside
    # a background that may give more events than the sums hold
    is_covered = 1.0 - jnp.sum(probabilities) < TAIL_TOLERANCE
    is_expected = jnp.all(is_solved) & is_covered

    log_total = jax.nn.logsumexp(log_signal)
    signal = jnp.exp(jnp.minimum(log_total, _LARGEST_LOG_SIGNAL))
    log_limit = log_limits[jnp.clip(n_observed, 0, n_max)]
    n_median = count_quantiles(probabilities)[2]

    def where(
        is_found: Bool[Array, ""], value: Float[Array, " *field"]
    ) -> Float[Array, " *field"]:
        return jnp.where(is_found, value, jnp.nan)

    return Exclusion(
        n_signal=signal,
        n_observed=n_observed.astype(signal.dtype),
        is_open=jnp.ones((), bool),
        n_up_obs=where(is_converged, jnp.exp(log_limit)),
        n_up_exp=where(is_expected, expected_limits(counts, log_limits)),
        n_up_mean=where(is_expected, mean_limit(counts, log_limits)),
        cls_obs=where(is_converged, marginal_cls(counts, n_observed, signal=signal)),
        cls_exp=where(is_expected, marginal_cls(counts, n_median, signal=signal)),
        log_strength_limit=where(is_converged, log_limit - log_total),
        is_converged=is_converged,
        cl=cl,
    )
