r"""Exact CLs for one count over a known background.

$$P(\le n;\lambda) = e^{-\lambda}\sum_{k\le n}\frac{\lambda^k}{k!},\qquad
  CL_s(s) = \frac{P(\le n; s+b)}{P(\le n; b)}$$

The upper limit solves $CL_s = 1 - cl$. Counts are traced: the sums have a static number
of terms and are masked, so one compiled program serves every count up to `n_max`.

$\ln CL_s$ is concave and decreasing in the signal, so Newton on it converges from any
start, in one sum per step. `solve_log_limit` is for what is no single sum. It works on
$\ln(-\ln CL_s)$ as a function of $\ln s$, which is a straight line of slope 1 at n = 0
and monotone with a slope between about 1 and n + 1 elsewhere: it converges from far
away. Its derivatives are those of the defining equation (implicit function
theorem), in forward and reverse mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64

__all__ = [
    "Level",
    "UpperLimit",
    "log_cls",
    "log_complement",
    "log_poisson_cdf",
    "solve_log_limit",
    "upper_limit",
]

Level: TypeAlias = float | Float[Array, ""]
"""A confidence level: an array where one compiled program is to serve several."""

_N_ITERATION, _LAST_STEP = 8, 1e-8
_TOLERANCE = 1e-9
_SMALLEST_SIGNAL = 1e-6
_SMALLEST_EXPONENT = 1e-300
# rates above it are cut off in the polynomial, so that 1e6**50 does not overflow
_LARGEST_RATE = 1e6


class UpperLimit(eqx.Module):
    """An upper limit on signal events.

    Attributes:
        n_up: The limit [events]; nan where it did not converge.
        is_converged: Whether the equation is solved, and the count within n_max.
        cl: Confidence level.
        method: How probabilities were computed.
        ensemble: What is averaged over besides the count.
    """

    n_up: Float[Array, ""]
    is_converged: Bool[Array, ""]
    cl: Level
    method: str = eqx.field(static=True, default="exact")
    ensemble: str = eqx.field(static=True, default="known-background")


def log_complement(cl: Level) -> Float[Array, ""]:
    r"""$\ln(1 - cl)$ of a confidence level.

    Args:
        cl: The level, within (0, 1).

    Returns:
        The logarithm.
    """
    return jnp.log1p(-jnp.asarray(cl, dtype=float))


def log_poisson_cdf(
    n: Int[Array, ""], expected: Float[Array, ""], *, n_max: int = 40
) -> Float[Array, ""]:
    r"""Log probability of at most n events, $\ln P(\le n;\lambda)$.

    Finite with a finite gradient at zero expected events. A sum of positive terms, so
    no digit is lost however small the probability.

    Args:
        n: Events, 0 to n_max (at most 50); nan outside.
        expected: Expected events, 0 to 1e6.
        n_max: Largest count of the compiled sum.

    Returns:
        The log probability, <= 0.

    Examples:
        >>> import jax.numpy as jnp
        >>> float(log_poisson_cdf(jnp.array(0), jnp.array(2.5)))
        -2.5
    """
    require_x64("log_poisson_cdf")
    rate = jnp.minimum(expected, _LARGEST_RATE)
    term = jnp.ones_like(rate)
    total = term
    for k in range(1, n_max + 1):
        term = term * rate / k
        total = total + jnp.where(k <= n, term, 0.0)
    is_inside = (n >= 0) & (n <= n_max)
    return jnp.where(is_inside, jnp.log(total) - expected, jnp.nan)


def log_cls(
    n: Int[Array, ""],
    signal: Float[Array, ""],
    *,
    background: Float[Array, ""],
    n_max: int = 40,
) -> Float[Array, ""]:
    r"""$\ln CL_s$ of a signal at a count, background known.

    Args:
        n: Observed events, 0 to n_max.
        signal: Expected signal [events], >= 0.
        background: Expected background [events], >= 0.
        n_max: Largest count of the compiled sum.

    Returns:
        $\ln CL_s$, 0 at zero signal, concave and decreasing in the signal.

    References:
        CLs: hep-ex/9902006 (unverified).
    """
    with_signal = log_poisson_cdf(n, signal + background, n_max=n_max)
    return with_signal - log_poisson_cdf(n, background, n_max=n_max)


def upper_limit(
    n_observed: Int[Array, ""],
    background: Float[Array, ""],
    *,
    cl: Level,
    n_max: int = 40,
) -> UpperLimit:
    r"""Exact CLs upper limit on signal events, background known.

    At $n = 0$ it is $-\ln(1 - cl)$ whatever the background. It equals the Bayesian
    limit with a prior flat in the signal. Differentiable in the background: $ds_{up}/db
    = -1 + h(b)/h(s_{up} + b)$ with $h(\lambda) = p(n;\lambda)/P(\le n;\lambda)$.

    Args:
        n_observed: Observed events, 0 to n_max.
        background: Expected background [events], >= 0.
        cl: Confidence level, for example 0.90.
        n_max: Largest count of the compiled sum.

    Returns:
        The limit and whether it converged.

    Examples:
        >>> import jax.numpy as jnp
        >>> result = upper_limit(jnp.array(1), jnp.array(0.016), cl=0.90)
        >>> round(float(result.n_up), 6)
        3.873879
    """
    require_x64("upper_limit")
    is_inside = (n_observed >= 0) & (n_observed <= n_max)
    n = jnp.clip(n_observed, 0, n_max)
    count = n.astype(background.dtype)
    level = log_complement(cl) + _log_sum(count, background, n_max=n_max)[0]

    def residual(signal: Float[Array, ""]) -> Float[Array, ""]:
        return _log_sum(count, signal + background, n_max=n_max)[0] - level

    def solve(_: object, guess: Float[Array, ""]) -> Float[Array, ""]:
        def newton(_: Int[Array, ""], signal: Float[Array, ""]) -> Float[Array, ""]:
            value, slope = _log_sum(count, signal + background, n_max=n_max)
            step = (value - level) / slope
            return jnp.maximum(signal - step, _SMALLEST_SIGNAL)

        return lax.fori_loop(0, _N_ITERATION, newton, guess)

    signal = lax.custom_root(
        residual, count + 3.0, solve, lambda g, y: y / g(jnp.ones_like(y))
    )
    is_solved = jnp.abs(residual(lax.stop_gradient(signal))) < _TOLERANCE
    is_converged = is_solved & is_inside
    n_up = jnp.where(is_converged, signal, jnp.nan)
    return UpperLimit(n_up=n_up, is_converged=is_converged, cl=cl)


def _log_sum(
    count: Float[Array, ""], expected: Float[Array, ""], *, n_max: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""$\ln P(\le n;\lambda)$ and its slope $-p(n)/P(\le n)$, by one sum."""
    rate = jnp.minimum(expected, _LARGEST_RATE)
    term = jnp.ones_like(rate)
    total, last = term, term
    for k in range(1, n_max + 1):
        term = jnp.where(k <= count, term * rate * (1.0 / k), 0.0)
        total = total + term
        last = jnp.where(k == count, term, last)
    return jnp.log(total) - expected, -last / total


def solve_log_limit(
    log_cls_of: Callable[[Float[Array, " *limit"]], Float[Array, " *limit"]],
    start: Float[Array, " *limit"],
    *,
    cl: Level,
) -> tuple[Float[Array, " *limit"], Bool[Array, " *limit"]]:
    r"""Solve $CL_s = 1 - cl$ for the log of the signal, element by element.

    Newton on $\ln(-\ln CL_s) - \ln(-\ln(1 - cl))$ with steps cut at 1. They square the
    error, so that one of 1e-8 is the last that is needed; at most 8 are taken.

    Args:
        log_cls_of: $\ln CL_s$ as a function of the log of the signal. Element i of the
            result may depend on element i of the argument only.
        start: First guess of ln signal.
        cl: Confidence level.

    Returns:
        ln of the limit, and whether the equation holds there to 1e-9.
    """
    target = jnp.log(-log_complement(cl))

    def residual(log_signal: Float[Array, " *limit"]) -> Float[Array, " *limit"]:
        exponent = jnp.maximum(-log_cls_of(log_signal), _SMALLEST_EXPONENT)
        return jnp.log(exponent) - target

    def solve(
        function: Callable[[Float[Array, " *limit"]], Float[Array, " *limit"]],
        guess: Float[Array, " *limit"],
    ) -> Float[Array, " *limit"]:
        def is_unfinished(state: _LimitState) -> Bool[Array, ""]:
            return (state.n_done < _N_ITERATION) & jnp.any(state.step > _LAST_STEP)

        def newton(state: _LimitState) -> _LimitState:
            point = state.point
            value, slope = jax.jvp(function, (point,), (jnp.ones_like(point),))
            step = jnp.clip(value / slope, -1.0, 1.0)
            return _LimitState(state.n_done + 1, point - step, jnp.abs(step))

        start = _LimitState(jnp.zeros((), int), guess, jnp.full_like(guess, jnp.inf))
        return lax.while_loop(is_unfinished, newton, start).point

    solution = lax.custom_root(
        residual, start, solve, lambda g, y: y / g(jnp.ones_like(y))
    )
    is_converged = jnp.abs(residual(lax.stop_gradient(solution))) < _TOLERANCE
    return solution, is_converged


class _LimitState(NamedTuple):
    n_done: Int[Array, ""]
    point: Float[Array, " *limit"]
    step: Float[Array, " *limit"]
