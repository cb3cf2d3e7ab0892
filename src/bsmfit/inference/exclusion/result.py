"""What is known about one point of a map."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Bool, Float

from bsmfit.likelihood.poisson import Level

__all__ = ["Exclusion"]


class Exclusion(eqx.Module):
    """Limits and CLs at one point of a grid.

    One region has limits on its signal, which are solved; several have CLs of the
    tested signal, since their ordering changes with its strength. The point is excluded
    where `cls_obs` is below 1 - cl, which for one region is where `n_signal` exceeds
    `n_up_obs`.

    Attributes:
        n_signal: Expected signal at nominal nuisances [events].
        n_observed: Observed events of the regions that are open.
        cls_obs: CLs of the signal at the observed counts.
        cls_exp: CLs of the signal at the median outcome without signal.
        is_open: Whether any search says anything.
        is_converged: Whether all equations are solved and no count that matters is
            left out.
        n_up_obs: Upper limit on the signal [events]; None for several regions.
        n_up_exp: Expected limits at the levels of
            `bsmfit.inference.counts.expected.QUANTILE_LEVELS`, counts and nuisances
            drawn.
        n_up_mean: Mean limit over counts [events]; None for several regions and
            effective counts.
        log_strength_limit: ln(n_up_obs / n_signal): below 0 is excluded. Finite, and
            differentiable, where no signal is left.
        cls_exp_quantiles: CLs at the quantiles of the ordering without signal, the
            strongest first; of several regions.
        cls_obs_single: Observed CLs of each search alone; of several regions.
        log_cls: ln of `cls_obs`; of several regions.
        cl: Confidence level.
        method: How probabilities were computed.
        ensemble: What is averaged over besides the counts.
        ordering: What is more signal-like: ``"count"`` for one region.
    """

    n_signal: Float[Array, ""]
    n_observed: Float[Array, ""]
    cls_obs: Float[Array, ""]
    cls_exp: Float[Array, ""]
    is_open: Bool[Array, ""]
    is_converged: Bool[Array, ""]
    n_up_obs: Float[Array, ""] | None = None
    n_up_exp: Float[Array, " 5"] | None = None
    n_up_mean: Float[Array, ""] | None = None
    log_strength_limit: Float[Array, ""] | None = None
    cls_exp_quantiles: Float[Array, " 5"] | None = None
    cls_obs_single: Float[Array, " n_search"] | None = None
    log_cls: Float[Array, ""] | None = None
    cl: Level = 0.9
    method: str = eqx.field(static=True, default="exact")
    ensemble: str = eqx.field(static=True, default="marginal")
    ordering: str = eqx.field(static=True, default="count")
