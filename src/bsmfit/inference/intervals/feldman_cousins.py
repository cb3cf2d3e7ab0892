r"""Feldman-Cousins intervals for one count over a known background, without a grid.

At each strength $\mu$ (signal events) counts enter the acceptance set in decreasing

$$R(n) = \frac{P(n|\mu + b)}{P(n|\mu_\mathrm{best} + b)},\qquad
  \mu_\mathrm{best} = \max(0, n - b)$$

until their probability reaches the confidence level. The interval of an observed count
is the range of strengths whose set holds it.

With $\lambda = \mu + b$, $B_n = \max(n, b)$ and $g(n) = n\ln B_n - B_n$, $\ln R(n)$ is
$n\ln\lambda - \lambda - g(n)$. Since $g$ is convex, $R$ has one peak in $n$, and
$R(n) = R(m)$ at a $\lambda$ that is known in closed form,

$$\Lambda_{nm} = \exp\frac{g(m) - g(n)}{m - n}.$$

So for $\lambda\ge B_n$ the counts that come before $n$ are $n+1,\dots,m$ as long as
$\Lambda_{nm} < \lambda\le\Lambda_{n,m+1}$, and $n$ is accepted where $P(n < N\le
m|\lambda) < cl$. That probability has one peak in $\lambda$. The upper end of the
interval is therefore found among the ends of these segments and, in the last segment
that holds an accepted strength, the one root of $P = cl$; the lower end likewise. The
ends are exact, and no scan over strengths can miss a narrow piece of the set.

As a function of the background the upper end jumps upwards where a segment becomes
accepted, at a background $b^*_{nm}$ that again solves one equation. The published fix
against an upper limit that rises with the background, $U(b) = \max_{b'\ge
b}U_\mathrm{raw}(b')$, needs no scan either: between its jumps the raw end falls.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.core.argument import level, whole_number
from bsmfit.core.illinois import illinois_root

__all__ = ["FeldmanCousinsBelt", "feldman_cousins_belt"]

_N_STEP = 16
# beyond it the jumps of the published fix are lost in rounding: at 0.99999 the upper
# end for no event over 0.5 is 13.27, and the largest raw end of all backgrounds 11.09
_HIGHEST_LEVEL = 0.999


class FeldmanCousinsBelt(eqx.Module):
    """Intervals on the signal for all counts 0 to n_max at one background.

    Attributes:
        low: Lower ends [events], by count.
        high: Upper ends [events], made to fall with the background as published.
        high_raw: Upper ends [events] of the acceptance sets themselves.
        is_converged: Whether the sums reach far enough for this count; the ends are nan
            where it is False.
        cl: Confidence level.
        method: How probabilities were computed and outcomes ordered.
        ensemble: What is averaged over besides the count.
    """

    low: Float[Array, " n_count"]
    high: Float[Array, " n_count"]
    high_raw: Float[Array, " n_count"]
    is_converged: Bool[Array, " n_count"]
    cl: float = eqx.field(static=True)
    method: str = eqx.field(static=True, default="feldman-cousins")
    ensemble: str = eqx.field(static=True, default="known-background")


def feldman_cousins_belt(
    background: Float[Array, ""], *, cl: float, n_max: int = 40
) -> FeldmanCousinsBelt:
    r"""Feldman-Cousins intervals for every count up to n_max.

    Differentiable in the background where the raw end does not jump. Under `vmap` over
    backgrounds what the published fix needs is computed once.

    Args:
        background: Expected background [events], 0 to about n_max + 10.
        cl: Confidence level, 0.5 to 0.999.
        n_max: Largest count.

    Returns:
        The intervals, exact to rounding.

    Raises:
        InputError: The confidence level is outside 0.5 to 0.999.

    References:
        Feldman and Cousins, physics/9711021, secs. IV B and IV C (section numbers
        unverified).

    Examples:
        >>> import jax
        >>> belt_of = jax.jit(lambda b: feldman_cousins_belt(b, cl=0.90))
        >>> belt = belt_of(jnp.array(0.0))
        >>> [round(float(end), 2) for end in (belt.low[1], belt.high[1])]
        [0.11, 4.36]
    """
    require_x64("feldman_cousins_belt")
    cl = level(cl, low=0.5, high=_HIGHEST_LEVEL)
    n_max = whole_number("n_max", n_max, low=0, high=100_000)
    n_segment = _segment_count(n_max, cl)
    n = jnp.arange(n_max + 1, dtype=background.dtype)
    m = jnp.arange(n_segment, dtype=background.dtype)
    (rate_high, rate_low), is_covered = _end_rates(n, m, background, cl)
    high_raw = rate_high - background
    low = jnp.where(n > background, rate_low - background, 0.0)
    jump_at, jump_to = _upward_jumps(n, m, cl)
    is_later = jump_at >= background
    later = jnp.max(jnp.where(is_later, jump_to, -jnp.inf), axis=1)
    is_converged = is_covered & jnp.any(is_later, axis=1)
    return FeldmanCousinsBelt(
        low=jnp.where(is_converged, jnp.maximum(low, 0.0), jnp.nan),
        high=jnp.where(is_converged, jnp.maximum(high_raw, later), jnp.nan),
        high_raw=jnp.where(is_converged, high_raw, jnp.nan),
        is_converged=is_converged,
        cl=cl,
    )


def _segment_count(n_max: int, cl: float) -> int:
    """Counts to sum over so that the upper end for n_max is inside."""
    width = NormalDist().inv_cdf(0.5 * (1.0 + cl)) + 1.0
    rate = n_max + width * math.sqrt(n_max) + width**2
    return math.ceil(rate + width * math.sqrt(rate) + width**2) + 1


def _log_best(
    n: Float[Array, " *#shape"], background: Float[Array, " *#shape"]
) -> Float[Array, " *#shape"]:
    """g(n), the log probability at the best strength without the factorial."""
    best = jnp.maximum(n, background)
    is_positive = best > 0.0
    return n * jnp.log(jnp.where(is_positive, best, 1.0)) - best


def _swap_rate(
    n: Float[Array, " *#shape"],
    m: Float[Array, " *#shape"],
    background: Float[Array, " *#shape"],
) -> Float[Array, " *#shape"]:
    """The rate at which n and m swap their order; the best rate of n where m = n."""
    is_pair = n != m
    difference = jnp.where(is_pair, m - n, 1.0)
    slope = (_log_best(m, background) - _log_best(n, background)) / difference
    rate = jnp.exp(jnp.where(is_pair, slope, 0.0))
    return jnp.maximum(jnp.where(is_pair, rate, n), background)


def _probability_between(
    rate: Float[Array, " *#shape"],
    above: Float[Array, " *#shape"],
    upto: Float[Array, " *#shape"],
    n_term: int,
) -> Float[Array, " *shape"]:
    """P(above < N <= upto) of a Poisson count N below n_term, element by element."""

    def add(
        k: Int[Array, ""],
        carry: tuple[Float[Array, " *shape"], Float[Array, " *shape"]],
    ) -> tuple[Float[Array, " *shape"], Float[Array, " *shape"]]:
        term, total = carry
        count = k.astype(rate.dtype)
        term = term * rate / count
        return term, total + jnp.where((count > above) & (count <= upto), term, 0.0)

    first = jnp.exp(-rate)
    start = jnp.where((above < 0.0) & (upto >= 0.0), first, 0.0)
    return lax.fori_loop(1, n_term, add, (first, start))[1]


def _end_rates(
    n: Float[Array, " n_count"],
    m: Float[Array, " n_segment"],
    background: Float[Array, ""],
    cl: float,
) -> tuple[Float[Array, "2 n_count"], Bool[Array, " n_count"]]:
    """Largest and smallest accepted rates, and whether the sums reach beyond them.

    Segment m of count n holds the rates where n + 1 to m come before n (the upper side)
    or where m to n - 1 do (the lower side). Its outer end is the one away from the best
    rate of n.
    """
    count, other = jnp.broadcast_arrays(n[:, None], m[None, :])
    after = _swap_rate(count, other + 1.0, background)
    at = _swap_rate(count, other, background)
    before = _swap_rate(count, other - 1.0, background)
    outer = jnp.stack([after, jnp.where(other > 0.0, before, background)])
    inner = jnp.stack([at, at])
    above = jnp.stack([count, other - 1.0])
    upto = jnp.stack([other, count - 1.0])
    both = lax.stop_gradient(jnp.stack([outer, inner]))
    is_inside = _probability_between(both, above[None], upto[None], m.size) < cl
    is_segment = jnp.stack([other >= count, other <= count])
    is_accepted = is_segment & (is_inside[0] | is_inside[1])
    last = m.size - 1 - jnp.argmax(is_accepted[0, :, ::-1], axis=1)
    chosen = jnp.stack([last, jnp.argmax(is_accepted[1], axis=1)])[:, :, None]

    def at_chosen(values: Array) -> Array:
        return jnp.take_along_axis(values, chosen, axis=2)[:, :, 0]

    above, upto = at_chosen(above), at_chosen(upto)
    bracket = at_chosen(both[0]), at_chosen(both[1])
    root, _ = illinois_root(
        lambda rate: _probability_between(rate, above, upto, m.size) - cl,
        jnp.minimum(*bracket),
        jnp.maximum(*bracket),
        n_step=_N_STEP,
    )
    rates = jnp.where(at_chosen(is_inside[0]), at_chosen(outer), root)
    return rates, last < m.size - 1


def _upward_jumps(
    n: Float[Array, " n_count"], m: Float[Array, " n_segment"], cl: float
) -> tuple[Float[Array, "n_count n_segment"], Float[Array, "n_count n_segment"]]:
    r"""Backgrounds at which the raw upper end jumps upwards, and where it jumps to.

    Segment m of count n is accepted at its end where $\Lambda_{n,m+1}(b)$ exceeds the
    rate at which $P(n < N\le m)$ has fallen to cl. $\Lambda$ grows with the background
    from b = n on, up to m + 1. Without a jump both are -inf.
    """
    n_term = m.size
    count, last = jnp.broadcast_arrays(n[:, None], m[None, :])
    is_pair = last > count
    size = jnp.where(is_pair, last - count, 1.0)
    peak = jnp.exp((gammaln(last + 1.0) - gammaln(count + 1.0)) / size)
    peak = jnp.where(is_pair, peak, 0.5 * last)
    is_blocked = is_pair & (_probability_between(peak, count, last, n_term) >= cl)
    rate, _ = illinois_root(
        lambda rate: _probability_between(rate, count, last, n_term) - cl,
        peak,
        last + 1.0,
        n_step=_N_STEP,
    )
    jump_at, _ = illinois_root(
        lambda background: _swap_rate(count, last + 1.0, background) - rate,
        count,
        last + 1.0,
        n_step=_N_STEP,
    )
    is_jump = is_blocked & (_swap_rate(count, last + 1.0, count) < rate)
    return (
        jnp.where(is_jump, jump_at, -jnp.inf),
        jnp.where(is_jump, rate - jump_at, -jnp.inf),
    )
