r"""Exclusion at one mass of a plane, for effective counts and an uncertain signal.

At one mass the count, the background and therefore the limit are common to all
couplings, but for one number: the standard deviation K of the log of the signal's
factor, to which the end of the veto contributes more the shorter X lives. The limits
are solved on a few values of K (`LimitsBySpread`, once per mass), the first of which is
that of a stable X, and interpolated by the polynomial through them: exact for a stable
X, elsewhere to 1e-3 (observed; 3e-3 at the largest K) and 4e-3 (expected). CLs is
computed at every point.

    mass --> count, background --> limits at the nodes of K
    coupling --> signal, K --> limits, CLs
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from bsmfit.channels.search_region import LARGEST_SPREAD
from bsmfit.inference.counts.expected import count_quantiles, expected_limits
from bsmfit.inference.counts.marginal import (
    MarginalCounts,
    count_probabilities,
    marginal_cls,
    marginal_log_limits,
)
from bsmfit.likelihood.effective_count import (
    N_HERMITE,
    BackgroundNodes,
    effective_cls,
    effective_log_limit,
)
from bsmfit.likelihood.poisson import Level
from bsmfit.likelihood.poisson_series import averaged_terms

__all__ = ["LimitsBySpread", "SpreadLimits"]

_N_NODE = 5
_FEW_COUNTS, _N_HERMITE_MANY = 25, 32  # nodes for more counts than few
_LARGEST_LOG_SIGNAL = 690.0
# Chebyshev points with both ends, on [0, 1], and their barycentric weights
_NODES = 0.5 * (1.0 - np.cos(np.pi * np.arange(_N_NODE) / (_N_NODE - 1)))
_WEIGHTS = (-1.0) ** np.arange(_N_NODE) * np.where(
    (np.arange(_N_NODE) % (_N_NODE - 1)) == 0, 0.5, 1.0
)


class SpreadLimits(eqx.Module):
    """Limits at one point of a plane.

    Attributes:
        log_up_obs: ln of the observed limit on the signal [events].
        log_up_exp: ln of the expected limits at the levels of
            `bsmfit.inference.counts.expected.QUANTILE_LEVELS`.
        cls_obs: Observed CLs.
        cls_exp: CLs at the median count.
    """

    log_up_obs: Float[Array, ""]
    log_up_exp: Float[Array, " 5"]
    cls_obs: Float[Array, ""]
    cls_exp: Float[Array, ""]


class LimitsBySpread(eqx.Module):
    """Limits at one mass, as functions of the spread of the signal.

    Attributes:
        n: Effective count.
        background: Expected background.
        n_median: Median count without signal.
        smallest_spread: Spread of the first node.
        log_up_obs: ln of the observed limit at the nodes of the spread.
        log_up_exp: ln of the expected limits there.
        is_converged: Whether all of them are solved.
        n_max: Largest count that is expected without signal.
    """

    n: Float[Array, ""]
    background: BackgroundNodes
    n_median: Int[Array, ""]
    smallest_spread: Float[Array, ""]
    log_up_obs: Float[Array, " n_node"]
    log_up_exp: Float[Array, "n_node 5"]
    is_converged: Bool[Array, ""]
    n_max: int = eqx.field(static=True)

    @classmethod
    def solve(
        cls,
        n: Float[Array, ""],
        background: BackgroundNodes,
        *,
        smallest_spread: Float[Array, ""],
        cl: Level,
        n_max: int,
    ) -> LimitsBySpread:
        """Solve the limits at the nodes.

        Args:
            n: Effective count.
            background: Expected background.
            smallest_spread: Spread of a stable X, below `LARGEST_SPREAD`.
            cl: Confidence level.
            n_max: Largest count that is expected without signal.

        Returns:
            The limits.
        """
        smallest = jnp.minimum(smallest_spread, 0.9 * LARGEST_SPREAD)
        spreads = smallest + (LARGEST_SPREAD - smallest) * jnp.asarray(_NODES)
        log_up_obs, is_observed = jax.vmap(
            lambda spread: effective_log_limit(
                n, background, spread=spread, cl=cl, n_node=_nodes_for(n_max)
            )
        )(spreads)
        log_up_exp, n_median, is_expected = jax.vmap(
            lambda spread: _expected(background, spread, cl=cl, n_max=n_max)
        )(spreads)
        return cls(
            n=n,
            background=background,
            n_median=n_median[0],
            smallest_spread=smallest,
            log_up_obs=log_up_obs,
            log_up_exp=log_up_exp,
            is_converged=jnp.all(is_observed) & jnp.all(is_expected),
            n_max=n_max,
        )

    def __call__(
        self, log_signal: Float[Array, ""], spread: Float[Array, ""]
    ) -> SpreadLimits:
        """Limits and CLs of a signal.

        Args:
            log_signal: ln of the expected signal [events].
            spread: Standard deviation of the log of its factor [1].

        Returns:
            Limits on the signal at the median of its factor.
        """
        spread = jnp.clip(spread, self.smallest_spread, LARGEST_SPREAD)
        columns = jnp.concatenate([self.log_up_obs[:, None], self.log_up_exp], axis=1)
        reach = LARGEST_SPREAD - self.smallest_spread
        limits = _through_nodes((spread - self.smallest_spread) / reach, columns)

        return SpreadLimits(
            log_up_obs=limits[0],
            log_up_exp=limits[1:],
            cls_obs=effective_cls(
                self.n,
                self.background,
                log_signal=log_signal,
                spread=spread,
                n_node=_nodes_for(self.n_max),
            ),
            cls_exp=marginal_cls(
                _marginal_counts(self.background, spread, n_max=self.n_max),
                self.n_median,
                signal=jnp.exp(jnp.minimum(log_signal, _LARGEST_LOG_SIGNAL)),
            ),
        )


def _through_nodes(
    x: Float[Array, ""], values: Float[Array, "n_node n_value"]
) -> Float[Array, " n_value"]:
    """Polynomial through the nodes, by the barycentric formula."""
    gap = x - jnp.asarray(_NODES)
    weights = jnp.asarray(_WEIGHTS) / jnp.where(jnp.abs(gap) < 1e-14, 1e-14, gap)
    return (weights @ values) / jnp.sum(weights)


def _expected(
    background: BackgroundNodes, spread: Float[Array, ""], *, cl: Level, n_max: int
) -> tuple[Float[Array, " 5"], Int[Array, ""], Bool[Array, ""]]:
    """Log of the expected limits, the median count, and whether all is solved."""
    counts = _marginal_counts(background, spread, n_max=n_max)
    log_limits, is_solved = marginal_log_limits(counts, cl=cl)
    median = count_quantiles(count_probabilities(counts))[2]
    return jnp.log(expected_limits(counts, log_limits)), median, jnp.all(is_solved)


def _marginal_counts(
    background: BackgroundNodes, spread: Float[Array, ""], *, n_max: int
) -> MarginalCounts:
    """Whole counts with one log-normal factor on the signal."""
    n_node = _nodes_for(n_max)
    theta, weights = np.polynomial.hermite_e.hermegauss(n_node)
    terms = averaged_terms(
        jnp.exp(-background.values),
        background.values,
        lambda term: term @ background.weights,
        n_max=n_max,
    )
    by_count = jnp.broadcast_to(terms[:, None], (n_max + 1, n_node))
    return MarginalCounts(
        weights=jnp.asarray(weights / weights.sum()),
        response=jnp.exp(spread * jnp.asarray(theta)),
        background_terms=by_count,
        log_scale=jnp.zeros_like(spread),
    )


def _nodes_for(n_max: int) -> int:
    """Nodes of the signal's factor: the steps of a count must overlap."""
    return N_HERMITE if n_max <= _FEW_COUNTS else _N_HERMITE_MANY
