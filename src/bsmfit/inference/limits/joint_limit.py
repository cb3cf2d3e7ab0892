r"""Upper limits on the strength common to several low counts, observed and expected.

$CL_s(\mu)$ jumps where two outcomes swap order. The upper limit is the *largest*
strength with $CL_s\ge 1-cl$: the last crossing on a grid, refined inside its interval.

Where the curve crosses smoothly, the limit's derivatives are those of $\ln CL_s$: $dx =
-d\ln CL_s/(\partial\ln CL_s/\partial x)$. Where it jumps across the level, the limit is
the strength at which the outcome that causes the jump ties with the observed one, and
its derivatives are those of that equation, $Q_\mu(\vec n) = Q_\mu(\vec n^{obs})$.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.errors import InputError
from bsmfit.inference.counts.convolution import N_GRID
from bsmfit.inference.counts.enumeration import (
    ordered_outcomes,
    outcome_grid,
    outcome_statistic,
)
from bsmfit.inference.counts.joint_cls import (
    JointCLs,
    check_choices,
    expected_joint_cls,
    joint_cls,
)
from bsmfit.inference.counts.joint_counts import (
    SMALLEST_BACKGROUND,
    TIE_TOLERANCE,
    JointCounts,
)
from bsmfit.likelihood.poisson import Level, log_complement

__all__ = ["JointLimit", "expected_joint_limits", "joint_limit"]

_N_CHORD = 8
_N_REFINE = 20
_ROOT_TOLERANCE = 1e-8
# more outcomes than that are not searched for the one that makes a jump
_MOST_TIES = 50_000


class _Bracket(NamedTuple):
    """Ends of an interval in ln strength; the function is >= 0 at low, < 0 at high."""

    low: Float[Array, " limit"]
    high: Float[Array, " limit"]
    value_low: Float[Array, " limit"]
    value_high: Float[Array, " limit"]
    is_found: Bool[Array, " limit"]


class JointLimit(eqx.Module):
    """An upper limit on the common strength.

    Attributes:
        strength: The limit; nan where it did not converge.
        is_converged: Whether the last crossing is found and its CLs converged.
        is_jump: Whether CLs jumps across the level there.
        cl: Confidence level.
        ordering: What is more signal-like.
        method: How probabilities were computed.
    """

    strength: Float[Array, " *point"]
    is_converged: Bool[Array, " *point"]
    is_jump: Bool[Array, " *point"]
    cl: Level
    ordering: str = eqx.field(static=True)
    method: str = eqx.field(static=True)


def joint_limit(
    counts: JointCounts,
    *,
    cl: Level,
    ordering: str = "likelihood-ratio",
    method: str = "enumeration",
    n_search: int = 32,
    n_grid: int = N_GRID,
) -> JointLimit:
    r"""Largest strength with $CL_s\ge 1-cl$.

    CLs is computed at n_search strengths from below the limit of an outcome without
    events, which is the smallest possible, to a bound of the limit, and the
    last interval in which it crosses the level is refined. A curve that rises above
    the level again and falls back within one interval (about 5 % in strength at one
    or two events) is not seen.

    Args:
        counts: The counts.
        cl: Confidence level, for example 0.90.
        ordering: One of `ORDERINGS`.
        method: One of `METHODS`.
        n_search: Points of the search.
        n_grid: Points of the lattice of a convolution.

    Returns:
        The limit.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> counts = JointCounts.from_known(
        ...     jnp.array([1.0, 1.0]),
        ...     jnp.array([0.016, 0.18]),
        ...     n_observed=jnp.array([0, 0]),
        ... )
        >>> limit = jax.jit(lambda given: joint_limit(given, cl=0.90))(counts)
        >>> round(float(limit.strength), 6)
        1.151293
    """
    require_x64("joint_limit")
    check_choices(ordering, method)
    _check_search(cl, n_search)
    target = log_complement(cl)

    def cls_at(given: JointCounts, log_strength: Float[Array, ""]) -> JointCLs:
        mu = jnp.exp(log_strength)
        return joint_cls(given, mu, ordering=ordering, method=method, n_grid=n_grid)

    def excess(log_strength: Float[Array, " limit"]) -> Float[Array, " limit"]:
        return cls_at(fixed, log_strength[0]).log_cls[None] - target

    fixed = lax.stop_gradient(counts)
    low, high = _search_range(fixed, target, ordering)
    wide = _last_crossing(lambda x: excess(x[None]), low, high, n_search)
    bracket, roots = _refined(excess, wide)
    _, slope = jax.jvp(excess, (roots,), (jnp.ones_like(roots),))
    root = roots[0]
    at_root = cls_at(counts, root)
    is_jump = jnp.abs(lax.stop_gradient(at_root.log_cls) - target) > _ROOT_TOLERANCE
    # zero, with the derivative of the equation
    moved = at_root.log_cls - lax.stop_gradient(at_root.log_cls)
    log_limit = root - jnp.where(
        is_jump, 0.0, moved / jnp.where(is_jump, 1.0, slope[0])
    )
    n_outcome = (counts.n_max + 1) ** counts.signal.shape[0]
    if ordering != "sum" and method == "enumeration" and n_outcome <= _MOST_TIES:
        tie = _tie(counts, bracket, root, ordering)
        log_limit = jnp.where(is_jump, tie, log_limit)
    is_converged = wide.is_found[0] & at_root.is_converged
    return JointLimit(
        strength=jnp.where(is_converged, jnp.exp(log_limit), jnp.nan),
        is_converged=is_converged,
        is_jump=is_jump & is_converged,
        cl=cl,
        ordering=ordering,
        method=method,
    )


def expected_joint_limits(
    counts: JointCounts,
    *,
    cl: Level,
    n_sigma: Float[Array, " n_level"],
    ordering: str = "likelihood-ratio",
    n_search: int = 32,
) -> JointLimit:
    r"""Largest strength with expected $CL_s\ge 1-cl$, for each level.

    Defined strength by strength from `expected_joint_cls`: the level-N outcome is that
    of the ordering at the tested strength, not the quantile of the limits of all
    outcomes. For one channel both are the same. Piecewise constant in the choice of
    the outcome, so no derivatives are given.

    Args:
        counts: The counts; the observed ones are not read.
        cl: Confidence level, for example 0.90.
        n_sigma: Levels N.
        ordering: One of `ORDERINGS`.
        n_search: Points of the search.

    Returns:
        The limits.
    """
    require_x64("expected_joint_limits")
    check_choices(ordering, "enumeration")
    _check_search(cl, n_search)
    target = log_complement(cl)
    fixed = lax.stop_gradient(counts)

    def expected(log_strength: Float[Array, ""], levels: Float[Array, " n_level"]):
        return expected_joint_cls(
            fixed, jnp.exp(log_strength), n_sigma=levels, ordering=ordering
        )

    low, high = _search_range(_generous(fixed, jnp.max(n_sigma)), target, ordering)
    wide = _last_crossing(
        lambda x: expected(x, n_sigma).log_cls - target, low, high, n_search
    )
    each = jax.vmap(lambda x, level: expected(x, level[None]))
    _, root = _refined(lambda x: each(x, n_sigma).log_cls[:, 0] - target, wide)
    at_root = each(root, n_sigma)
    residual = at_root.log_cls[:, 0] - target
    is_converged = wide.is_found & at_root.is_converged
    return JointLimit(
        strength=jnp.where(is_converged, jnp.exp(root), jnp.nan),
        is_converged=is_converged,
        is_jump=(jnp.abs(residual) > _ROOT_TOLERANCE) & is_converged,
        cl=cl,
        ordering=ordering,
        method="enumeration",
    )


def _generous(counts: JointCounts, level: Float[Array, ""]) -> JointCounts:
    """Counts that bound the outcomes at a level, for the range of the search."""
    background = counts.nominal_background
    upper = background + jnp.maximum(level, 0.0) * jnp.sqrt(background)
    return eqx.tree_at(
        lambda c: c.n_observed, counts, jnp.ceil(upper + 1.0).astype(int)
    )


def _check_search(cl: Level, n_search: int) -> None:
    if isinstance(cl, float) and not 0.0 < cl < 1.0:
        msg = f"cl = {cl} is not between 0 and 1"
        raise InputError(msg)
    if n_search < 2:
        msg = f"n_search = {n_search} is less than 2"
        raise InputError(msg)


def _search_range(
    counts: JointCounts, target: Float[Array, ""], ordering: str
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Logs of strengths below and above the limit.

    No outcome has a smaller CLs than the empty one, $e^{-\mu S}$, $S=\sum_cs_c$. For
    Poisson counts no outcome of the set has a larger ratio of probabilities than
    $e^{Q_{obs}-\mu S}$, so CLs is below the level above the root of $Q_{obs}(\mu) - \mu
    S = \ln(1-cl)$. Its left side is concave: Newton from above stays above. Shared
    nuisances widen the range by their effect on S.
    """
    total = jnp.maximum(jnp.sum(counts.nominal_signal), 1e-300)
    at_nodes = jnp.maximum(jnp.sum(counts.signal, axis=0), 1e-300) / total
    log_ratio = jnp.log(at_nodes)
    mean = counts.node_weights @ log_ratio
    spread = jnp.sqrt(counts.node_weights @ (log_ratio - mean) ** 2)
    background = jnp.maximum(counts.nominal_background, SMALLEST_BACKGROUND)
    slope = counts.nominal_signal / background / total
    if ordering != "likelihood-ratio":
        slope = jnp.full_like(slope, jnp.max(slope))
    n = counts.n_observed.astype(slope.dtype)
    # in units of events: y = mu S
    start = 2.0 * jnp.sum(n)
    y = 2.0 * (n @ jnp.log1p(start * slope) - target)
    for _ in range(4):
        value = n @ jnp.log1p(y * slope) - y - target
        gradient = n @ (slope / (1.0 + y * slope)) - 1.0
        y = y - value / gradient
    # other orderings may hold outcomes of more events than the observed one
    margin = 0.05 if ordering == "likelihood-ratio" else 0.35
    low = jnp.log(-target) - jnp.log(total) - jnp.maximum(mean, 0.0) - spread - 0.05
    high = jnp.log(y) - jnp.log(total) - jnp.minimum(mean, 0.0) + 3.0 * spread
    return low, high + margin


def _last_crossing(
    function: Callable[[Float[Array, ""]], Float[Array, " limit"]],
    low: Float[Array, ""],
    high: Float[Array, ""],
    n_search: int,
) -> _Bracket:
    """The last interval of a grid in which each function falls below 0."""
    width = (high - low) / (n_search - 1)
    shape = jax.eval_shape(function, low).shape
    value = jnp.full(shape, -jnp.inf, low.dtype)
    whole = _Bracket(
        jnp.full(shape, low),
        jnp.full(shape, high),
        value,
        value,
        jnp.zeros(shape, bool),
    )

    def step(
        i: Int[Array, ""], state: tuple[_Bracket, Float[Array, " limit"]]
    ) -> tuple[_Bracket, Float[Array, " limit"]]:
        last, before = state
        x = low + i.astype(low.dtype) * width
        now = function(x)
        here = _Bracket(
            jnp.full_like(now, x - width),
            jnp.full_like(now, x),
            before,
            now,
            jnp.ones_like(last.is_found),
        )
        is_crossing = (before >= 0.0) & (now < 0.0)
        chosen = jax.tree.map(
            lambda new, old: jnp.where(is_crossing, new, old), here, last
        )
        return chosen, now

    bracket, at_end = lax.fori_loop(0, n_search, step, (whole, value))
    return bracket._replace(is_found=bracket.is_found & (at_end < 0.0))


def _refined(
    function: Callable[[Float[Array, " limit"]], Float[Array, " limit"]],
    bracket: _Bracket,
) -> tuple[_Bracket, Float[Array, " limit"]]:
    """A smaller bracket, and the root: its better end, or the lower one of a jump.

    Illinois steps, which end a smooth curve; what is not solved then is a jump, and
    halved.
    """

    def step(
        i: Int[Array, ""], state: tuple[_Bracket, Float[Array, " limit"], Array, Array]
    ) -> tuple[_Bracket, Float[Array, " limit"], Array, Array]:
        given, side, memory_low, memory_high = state
        difference = memory_low - memory_high
        chord = given.low + (given.high - given.low) * memory_low / jnp.where(
            difference > 0.0, difference, 1.0
        )
        middle = 0.5 * (given.low + given.high)
        is_inside = (chord > given.low) & (chord < given.high) & (i < _N_CHORD)
        x = jnp.where(is_inside, chord, middle)
        value = function(x)
        is_done = _is_solved(given)
        is_low = (value >= 0.0) & ~is_done
        is_high = (value < 0.0) & ~is_done
        now = given._replace(
            low=jnp.where(is_low, x, given.low),
            high=jnp.where(is_high, x, given.high),
            value_low=jnp.where(is_low, value, given.value_low),
            value_high=jnp.where(is_high, value, given.value_high),
        )
        halve_high = jnp.where(side > 0.0, 0.5, 1.0)
        halve_low = jnp.where(side < 0.0, 0.5, 1.0)
        memory_low = jnp.where(is_low, value, memory_low * halve_low)
        memory_high = jnp.where(is_high, value, memory_high * halve_high)
        return now, jnp.where(is_low, 1.0, -1.0), memory_low, memory_high

    start = (
        bracket,
        jnp.zeros_like(bracket.low),
        bracket.value_low,
        bracket.value_high,
    )
    result, *_ = lax.fori_loop(0, _N_REFINE, step, start)
    is_high = jnp.abs(result.value_high) < jnp.minimum(
        jnp.abs(result.value_low), _ROOT_TOLERANCE
    )
    return result, jnp.where(is_high, result.high, result.low)


def _is_solved(bracket: _Bracket) -> Bool[Array, " limit"]:
    smaller = jnp.minimum(jnp.abs(bracket.value_low), jnp.abs(bracket.value_high))
    return smaller < 1e-13


def _tie(
    counts: JointCounts,
    bracket: _Bracket,
    root: Float[Array, ""],
    ordering: str,
) -> Float[Array, ""]:
    """Where the outcome that makes the jump in a bracket ties with the observed one."""
    fixed = lax.stop_gradient(counts)
    ends = jnp.exp(jnp.concatenate([bracket.low, bracket.high]))
    at_ends = jax.vmap(
        lambda strength: ordered_outcomes(fixed, strength, ordering=ordering)
    )(ends)
    is_below = at_ends.statistic <= at_ends.observed[:, None] + TIE_TOLERANCE
    is_swapped = is_below[0] != is_below[1]
    grid = jnp.asarray(outcome_grid(fixed.signal.shape[0], n_max=fixed.n_max))
    # the likeliest of those that swap, by its probability at the limit
    rows = grid.astype(root.dtype)
    mean = jnp.exp(root) * fixed.nominal_signal + fixed.nominal_background
    log_probability = rows @ jnp.log(jnp.maximum(mean, SMALLEST_BACKGROUND))
    log_probability = log_probability - jnp.sum(gammaln(rows + 1.0), axis=1)
    culprit = jnp.argmax(jnp.where(is_swapped, log_probability, -jnp.inf))
    pair = jnp.stack([rows[culprit], fixed.n_observed.astype(root.dtype)])

    def gap(given: JointCounts, x: Float[Array, ""]) -> Float[Array, ""]:
        at = outcome_statistic(given, jnp.exp(x), pair, ordering=ordering)
        return at[0] - at[1]

    def newton(_: Array, x: Float[Array, ""]) -> Float[Array, ""]:
        value, slope = jax.jvp(lambda y: gap(fixed, y), (x,), (jnp.ones_like(x),))
        x = x - value / jnp.where(slope == 0.0, 1.0, slope)
        return jnp.clip(x, bracket.low[0], bracket.high[0])

    x = lax.stop_gradient(lax.fori_loop(0, 3, newton, root))
    _, slope = jax.jvp(lambda y: gap(fixed, y), (x,), (jnp.ones_like(x),))
    moved = gap(counts, x)
    moved = moved - lax.stop_gradient(moved)
    return x - moved / jnp.where(slope == 0.0, 1.0, slope)
