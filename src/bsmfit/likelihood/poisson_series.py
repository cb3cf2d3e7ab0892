r"""Poisson terms $\lambda^k/k!$ one after the other, for few and for many counts.

Each term is the one before times $\lambda/k$. Up to a dozen terms are written out, and
the compiler fuses them into one pass over memory; more of them are a loop, since a
program of sixty terms within a solver takes half a minute to compile.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

__all__ = ["averaged_terms", "weighted_sum"]

_FEW_TERMS = 12


def averaged_terms(
    first: Float[Array, "*rate"],
    rate: Float[Array, "*rate"],
    average: Callable[[Float[Array, "*rate"]], Float[Array, "*average"]],
    *,
    n_max: int,
) -> Float[Array, " n_count *average"]:
    r"""Averages of $t_0\lambda^k/k!$ for k = 0 to n_max.

    Args:
        first: $t_0$, $e^{-\lambda}$ times anything.
        rate: $\lambda$ [events].
        average: Linear map of the terms, for example onto the shared nodes.
        n_max: Largest count.

    Returns:
        The averages, one row per count.

    Examples:
        >>> terms = averaged_terms(jnp.ones(1), jnp.array([2.0]), jnp.sum, n_max=3)
        >>> [round(float(term), 6) for term in terms]
        [1.0, 2.0, 2.0, 1.333333]
    """
    if n_max <= _FEW_TERMS:
        term, rows = first, [average(first)]
        for k in range(1, n_max + 1):
            term = term * rate / k
            rows.append(average(term))
        return jnp.stack(rows)

    def step(
        term: Float[Array, "*rate"], k: Float[Array, ""]
    ) -> tuple[Float[Array, "*rate"], Float[Array, "*average"]]:
        term = term * rate / k
        return term, average(term)

    counts = jnp.arange(1, n_max + 1, dtype=first.dtype)
    _, rows = lax.scan(step, first, counts)
    return jnp.concatenate([average(first)[None], rows])


@jax.custom_jvp
def weighted_sum(
    rate: Float[Array, "*rate"], weights: Float[Array, " n_count *rate"]
) -> Float[Array, "*rate"]:
    r"""$e^{-\lambda}\sum_k w_k\lambda^k/k!$, element by element.

    Its slope in the rate, $e^{-\lambda}\sum_k(w_{k+1}-w_k)\lambda^k/k!$, is a sum over
    the same terms, so that the two together take one exponential.

    Args:
        rate: $\lambda$ [events], at most 1e4.
        weights: $w_k$ for k = 0 to 60 at most.

    Returns:
        The sums.

    Examples:
        >>> at_most_one = weighted_sum(jnp.array(2.0), jnp.ones(2))
        >>> bool(abs(at_most_one - 3.0 * jnp.exp(-2.0)) < 1e-15)
        True
    """
    return _weighted_sums(rate, (weights,))[0]


def _weighted_sum_jvp(primals: tuple, tangents: tuple) -> tuple:
    (rate, weights), (rate_dot, weights_dot) = primals, tangents
    rows, result = [weights], jnp.zeros_like(rate)
    if not isinstance(rate_dot, SymbolicZero):
        rows.append(jnp.concatenate([weights[1:] - weights[:-1], -weights[-1:]]))
    if not isinstance(weights_dot, SymbolicZero):
        rows.append(weights_dot)
    value, *sums = _weighted_sums(rate, tuple(rows))
    if not isinstance(rate_dot, SymbolicZero):
        result = result + sums[0] * rate_dot
    if not isinstance(weights_dot, SymbolicZero):
        result = result + sums[-1]
    return value, result


weighted_sum.defjvp(_weighted_sum_jvp, symbolic_zeros=True)


def _weighted_sums(
    rate: Float[Array, "*rate"], weights: tuple[Float[Array, " n_count *rate"], ...]
) -> tuple[Float[Array, "*rate"], ...]:
    """Sums of the same terms with several weights."""
    term = jnp.exp(-rate)
    totals = tuple(term * rows[0] for rows in weights)
    n_max = weights[0].shape[0] - 1
    if n_max <= _FEW_TERMS:
        for k in range(1, n_max + 1):
            term = term * rate / k
            totals = tuple(
                total + term * rows[k]
                for total, rows in zip(totals, weights, strict=True)
            )
        return totals

    def step(
        carry: tuple[Float[Array, "*rate"], tuple[Float[Array, "*rate"], ...]],
        row: tuple[Float[Array, ""], tuple[Float[Array, "*rate"], ...]],
    ) -> tuple[tuple[Float[Array, "*rate"], tuple[Float[Array, "*rate"], ...]], None]:
        (term, totals), (k, some) = carry, row
        term = term * rate / k
        added = tuple(
            total + term * weight for total, weight in zip(totals, some, strict=True)
        )
        return (term, added), None

    counts = jnp.arange(1, n_max + 1, dtype=term.dtype)
    rest = tuple(rows[1:] for rows in weights)
    (_, totals), _ = lax.scan(step, (term, totals), (counts, rest))
    return totals
