r"""Probability of joint outcomes of several regions, whole and effective counts mixed.

$$P(T\le T_{obs}\,|\,\mu) = \sum_j w_j\sum_{\vec n} \prod_c P_c(n_c\,|\,j)\,
  F_e\Big(\frac{T_{obs}-\sum_c n_cw_c}{w_e}\,\Big|\,j\Big),\qquad
  T = \sum_c n_cw_c + x_ew_e$$

Whole counts are listed, all but the last, which enters by its cumulative distribution.
An effective count takes the place of the last one, by its continuous distribution F;
each further one costs a quadrature over its density,

$$\int_{-1}^{x_{max}}dx\,F'_{e'}(x)\,F_e\Big(\frac{T_{left}-w_{e'}x}{w_e}\Big),
  \qquad x_{max} = \min[(T_{left}+w_e)/w_{e'},\,n_{max}],$$

by Gauss-Legendre nodes. A region whose events weigh nothing is certain to have none:
its sum is 1, so it cannot weaken the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.channels.search_region import SearchRegion
from bsmfit.inference.counts.joint_counts import TIE_TOLERANCE
from bsmfit.inference.exclusion.count_tables import (
    FEW_EFFECTIVE,
    RegionRates,
    effective_cdf,
    whole_table,
)

__all__ = ["JointProbability"]

_N_LEGENDRE = 32
_LEGENDRE = np.polynomial.legendre.leggauss(_N_LEGENDRE)


class JointProbability(eqx.Module):
    """Regions at one point, ready for sums over their joint outcomes.

    Attributes:
        regions: The regions.
        rates: Their rates at the nodes.
        node_weights: Weights of the shared nodes, of sum 1.
        event_weights: Weight $w_c$ of one event of each region in the ordering.
        n_max: Largest count that is listed, by region.
    """

    regions: tuple[SearchRegion, ...]
    rates: tuple[RegionRates, ...]
    node_weights: Float[Array, " n_shared"]
    event_weights: Float[Array, " n_region"]
    n_max: tuple[int, ...] = eqx.field(static=True)

    def observed(self) -> Float[Array, ""]:
        """Ordering statistic $T_{obs}$ of the observed counts."""
        return sum(
            (
                self.weight(i) * jnp.where(region.is_open, region.observed, 0.0)
                for i, region in enumerate(self.regions)
            ),
            start=jnp.zeros(()),
        )

    def weight(self, index: int) -> Float[Array, ""]:
        """Weight of one event of a region; 0 where it cannot be told from none."""
        weight = jnp.where(self.regions[index].is_open, self.event_weights[index], 0.0)
        listed = 1.0 if self.regions[index].is_effective else self.n_max[index] + 1.0
        return jnp.where(weight * listed <= TIE_TOLERANCE, 0.0, weight)

    def at_most(
        self, statistic: Float[Array, ""], strength: Float[Array, ""] | float
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Probability of outcomes up to a value of the ordering statistic.

        Args:
            statistic: The value; outcomes up to 1e-9 above count as tied.
            strength: Strength of the signal.

        Returns:
            The probability, and a bound of what lies above the listed counts.
        """
        whole = [i for i, r in enumerate(self.regions) if not r.is_effective]
        effective = [i for i, r in enumerate(self.regions) if r.is_effective]
        whole.sort(key=lambda i: self.n_max[i])
        tables = {i: self._table(i, strength) for i in whole}
        listed = whole if effective else whole[:-1]
        left = jnp.reshape(statistic + TIE_TOLERANCE, (1,))
        for i in listed:
            n = jnp.arange(self.n_max[i] + 1.0)
            left = (left[:, None] - self.weight(i) * n[None, :]).reshape(-1)
        if effective:
            partial = self._effective_at_most(left, effective, strength)
        else:
            partial = _cumulative_at(tables[whole[-1]], left, self.weight(whole[-1]))
        for i in listed[::-1]:
            table = tables[i]
            partial = partial.reshape(-1, table.shape[0], partial.shape[-1])
            partial = jnp.sum(partial * table[None], axis=1)
        probability = self._average(partial.reshape(-1))
        missing = jnp.zeros(())
        for i in whole:
            first = self.weight(i) * (self.n_max[i] + 1.0)
            is_reached = (first > 0.0) & (first <= statistic + TIE_TOLERANCE)
            tail = jnp.maximum(1.0 - jnp.sum(tables[i], axis=0), 0.0)
            if effective:
                # of which the effective counts must leave that much
                beyond = jnp.reshape(statistic + TIE_TOLERANCE - first, (1,))
                beyond = self._effective_at_most(beyond, effective, strength)
                tail = tail * beyond[0]
            missing = missing + jnp.where(is_reached, self._average(tail), 0.0)
        return probability, missing

    def outcomes(
        self, strength: Float[Array, ""] | float, *, n_max: Sequence[int]
    ) -> Float[Array, " n_outcome"]:
        """Probability of every joint outcome of whole counts.

        Effective counts are whole here: what data without a signal would give is.

        Args:
            strength: Strength of the signal.
            n_max: Largest count by region.

        Returns:
            Probabilities, in the order of `statistics`.
        """
        felt, rest = jnp.ones((1, 1)), jnp.ones(1)
        for i in self._listing_order():
            table = self._certain(
                i,
                whole_table(self.regions[i], self.rates[i], strength, n_max=n_max[i]),
            )
            if self._feels_nodes(i):
                product = felt[:, None, :] * table[None, :, :]
                felt = product.reshape(felt.shape[0] * table.shape[0], -1)
            else:
                rest = (rest[:, None] * table[None, :, 0]).reshape(-1)
        return (self._average(felt)[:, None] * rest[None, :]).reshape(-1)

    def statistics(self, *, n_max: Sequence[int]) -> Float[Array, " n_outcome"]:
        """Ordering statistic of every joint outcome of whole counts.

        Args:
            n_max: Largest count by region.

        Returns:
            Values, in the order of `outcomes`.
        """
        total = jnp.zeros(1)
        for i in self._listing_order():
            n = jnp.arange(n_max[i] + 1.0)
            total = (total[:, None] + self.weight(i) * n[None, :]).reshape(-1)
        return total

    def _feels_nodes(self, index: int) -> bool:
        """Whether a region's rates differ between the shared nodes."""
        rates = self.rates[index]
        return max(rates.signal.shape[0], rates.background.shape[0]) > 1

    def _listing_order(self) -> list[int]:
        """Regions that feel the shared nodes first: the others need no average."""
        return sorted(range(len(self.regions)), key=lambda i: not self._feels_nodes(i))

    def _table(self, index: int, strength: Float[Array, ""] | float) -> Array:
        table = whole_table(
            self.regions[index], self.rates[index], strength, n_max=self.n_max[index]
        )
        return self._certain(index, table)

    def _certain(
        self, index: int, table: Float[Array, "n_count n_shared"]
    ) -> Float[Array, "n_count n_shared"]:
        """Certainty of no event where events weigh nothing: their sum is 1."""
        no_event = jnp.zeros_like(table).at[0].set(1.0)
        return jnp.where(self.weight(index) > 0.0, table, no_event)

    def _average(
        self, values: Float[Array, "*outcome n_shared"]
    ) -> Float[Array, " *outcome"]:
        """Average over the shared nodes; values that do not feel them have one."""
        if values.shape[-1] == 1:
            return values[..., 0]
        return values @ self.node_weights

    def _effective_at_most(
        self,
        left: Float[Array, " n_left"],
        effective: Sequence[int],
        strength: Float[Array, ""] | float,
    ) -> Float[Array, "n_left n_shared"]:
        """Distribution of the sum of the effective counts at what is left."""
        first, *others = effective
        weight = self.weight(first)
        is_used = weight > 0.0
        safe = jnp.where(is_used, weight, 1.0)
        region, rates = self.regions[first], self.rates[first]
        if not others:
            count = jnp.maximum(left / safe, -1.0)
            inside = effective_cdf(
                region, rates, strength, count=count, n_max=self.n_max[first]
            )
            without = (left[:, None] >= 0.0).astype(left.dtype)
            return jnp.where(is_used, inside, without)
        rest = self._effective_at_most(left, others, strength)
        # the smallest sum of the others is that of all at -1
        lowest = sum((self.weight(i) for i in others), start=jnp.zeros(()))
        # above the largest count that matters its density is zero, and where an event
        # weighs little the nodes would all lie there
        largest = float(max(self.n_max[first], FEW_EFFECTIVE))
        half = 0.5 * jnp.clip((left + lowest) / safe + 1.0, 0.0, largest + 1.0)
        nodes, node_weights = map(jnp.asarray, _LEGENDRE)
        count = -1.0 + half[:, None] * (1.0 + nodes[None, :])

        def cdf(x: Float[Array, " n_value"]) -> Float[Array, "n_value n_shared"]:
            return effective_cdf(
                region, rates, strength, count=x, n_max=self.n_max[first]
            )

        flat = count.reshape(-1)
        _, density = jax.jvp(cdf, (flat,), (jnp.ones_like(flat),))
        below = self._effective_at_most(
            (left[:, None] - weight * count).reshape(-1), others, strength
        )
        product = density * below
        product = product.reshape(left.shape[0], _N_LEGENDRE, product.shape[-1])
        joint = jnp.einsum("lnj,n,l->lj", product, node_weights, half)
        return jnp.where(is_used, joint, rest)


def _cumulative_at(
    table: Float[Array, "n_count n_shared"],
    left: Float[Array, " n_left"],
    weight: Float[Array, ""],
) -> Float[Array, "n_left n_shared"]:
    """Probability of at most left / weight events."""
    n_count = table.shape[0]
    safe = jnp.where(weight > 0.0, weight, 1.0)
    largest = jnp.where(weight > 0.0, jnp.floor(left / safe), n_count - 1.0)
    largest = jnp.where(left >= 0.0, jnp.clip(largest, 0.0, n_count - 1.0), -1.0)
    cumulative = jnp.pad(jnp.cumsum(table, axis=0), ((1, 0), (0, 0)))
    return cumulative[largest.astype(int) + 1]
