r"""Strengths at which CLs, or the Asimov statistic, takes a given value.

Both are found in one loop: the fit at strength 0, the free fit, and fits at the
strengths that a bracketing search tries, of the data and of the Asimov set side by
side. Each pass starts from the nuisances of the one before, and the fit is compiled
once for all of them. What is solved is nearly a straight line:

$$\sqrt{-2\ln(1-cl)} - \sqrt{-2\ln CL_s(m)} = 0\quad\text{(observed)},\qquad
  r - \sqrt{q_A(m)} = 0\quad\text{(expected)}$$

with m in signal events. The first trial comes from the curvature of the Asimov
statistic; no bracket has to be known, and none is too narrow. Derivatives of the
strengths are those of the equation.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bsmfit.core.illinois import Bracket
from bsmfit.inference.asymptotics.formulae import asymptotic_log_cls, safe_sqrt
from bsmfit.inference.fits.fit import best_signal
from bsmfit.inference.fits.fit_problem import FitProblem
from bsmfit.inference.fits.newton import Minimum, at_minimum, search

__all__ = ["strengths_at"]

# most passes of the loop for one strength; 5 to 8 are usual
_N_PASS = 60
_TOLERANCE = 1e-10
# where rounding keeps the residual above the tolerance
_ROUNDING_TOLERANCE = 1e-6
_EPSILON = 4e-16
# a trial goes this much beyond the straight line, to have the root between two trials
_OVERSHOOT = 1.2
# first guess of the observed limit over the one of a parabola at its minimum
_GUESS = 0.8


class _Found(NamedTuple):
    """All that derivatives need: roots, and fits of each set of data there."""

    events: Float[Array, " n_target"]
    points: Float[Array, "n_target n_lane n_free"]
    values: Float[Array, "n_target n_lane"]
    background: Minimum
    free: Minimum


class _State(NamedTuple):
    """Where the loop is."""

    stage: Int[Array, ""]
    n_pass: Int[Array, ""]
    target: Int[Array, ""]
    events: Float[Array, ""]
    width: Float[Array, ""]
    bracket: Bracket
    counts: Float[Array, "n_lane n_cell"]
    auxiliary: Float[Array, "n_lane n_parameter"]
    theta: Float[Array, "n_lane n_parameter"]
    found: _Found
    is_good: Bool[Array, " n_target"]
    is_running: Bool[Array, ""]


def strengths_at(
    problem: FitProblem, targets: Float[Array, " n_target"], *, is_observed: bool
) -> tuple[Float[Array, " n_target"], Bool[Array, " n_target"]]:
    r"""Signal events at which the statistic takes given values.

    Args:
        problem: What is fitted.
        targets: Values of $\sqrt{-2\ln CL_s}$ of the data (observed), or of
            $\sqrt{q_A}$ in rising order, > 0.
        is_observed: Which of the two.

    Returns:
        Signal events for each target, and whether they and all fits converged.
    """
    frozen = lax.stop_gradient((problem, targets))
    found, is_good = lax.stop_gradient(_run(*frozen, 2 if is_observed else 1))
    return _at_roots(problem, targets, found), is_good


def _run(
    problem: FitProblem, targets: Array, n_lane: int
) -> tuple[_Found, Bool[Array, " n_target"]]:
    signal = jnp.sum(problem.terms.yields[: problem.structure.n_signal], axis=0)

    def advance(state: _State) -> _State:
        fits = _fit_lanes(problem, state)
        after = _after_test(state, fits, targets)
        if n_lane == 2:
            is_free = state.stage == 1
            after = _select(is_free, _after_free(state, fits, targets), after)
        first = _after_background(problem, state, fits, signal)
        after = _select(state.stage == 0, first, after)
        return after._replace(stage=state.stage + 1)

    has_signal = jnp.sum(signal) > 0.0
    begin = _begin(problem, targets, n_lane)._replace(is_running=has_signal)
    end = lax.while_loop(lambda state: state.is_running, advance, begin)
    fits = end.found.background.is_converged & end.found.free.is_converged
    return end.found, end.is_good & fits


def _begin(problem: FitProblem, targets: Array, n_lane: int) -> _State:
    nominal = problem.nominal()
    n_target, n_free = targets.shape[0], nominal.shape[0] + 1
    zero, no = jnp.zeros_like(targets[0]), jnp.zeros((), dtype=bool)
    whole = jnp.zeros((), dtype=int)
    # with one lane there is no free fit to fail
    minimum = Minimum(jnp.zeros(n_free), zero, no | (n_lane == 1))
    found = _Found(
        events=jnp.zeros(n_target),
        points=jnp.zeros((n_target, n_lane, n_free)),
        values=jnp.zeros((n_target, n_lane)),
        background=minimum,
        free=minimum,
    )
    return _State(
        *(whole, whole, whole, zero, zero),
        bracket=Bracket.above(zero, targets[0]),
        counts=jnp.tile(problem.counts, (n_lane, 1)),
        auxiliary=jnp.tile(problem.auxiliary, (n_lane, 1)),
        theta=jnp.tile(nominal, (n_lane, 1)),
        found=found,
        is_good=jnp.zeros(n_target, dtype=bool),
        is_running=no,
    )


def _fit_lanes(problem: FitProblem, state: _State) -> Minimum:
    """Fit all lanes: at 0, then the first one freely, then at what is to be tested."""
    n_lane, n_parameter = state.theta.shape
    is_free = (jnp.arange(n_lane) == 0) & (n_lane == 2) & (state.stage == 1)
    best = best_signal(problem, state.counts[-1])
    events = jnp.where(is_free, best, state.events)
    is_first = jnp.arange(n_parameter + 1) == 0

    def fit(counts: Array, auxiliary: Array, start: Array, free: Array) -> Minimum:
        return search(problem.with_data(counts, auxiliary), start, is_first & ~free)

    starts = jnp.concatenate([events[:, None], state.theta], axis=1)
    return jax.vmap(fit)(state.counts, state.auxiliary, starts, is_free)


def _after_background(
    problem: FitProblem, state: _State, fits: Minimum, signal: Array
) -> _State:
    """Make the Asimov set and choose a first trial."""
    background = jax.tree.map(lambda x: x[0], fits)
    asimov = problem.with_expected_data(background.point)
    rates = jnp.maximum(asimov.counts, 1e-10) * problem.terms.extents
    information = jnp.sum(jnp.where(rates > 0.0, signal**2 / (rates + 1.0), 0.0))
    trial = 1.0 + 2.0 / jnp.sqrt(jnp.maximum(information, 1e-300))
    return state._replace(
        counts=state.counts.at[-1].set(asimov.counts),
        auxiliary=state.auxiliary.at[-1].set(asimov.auxiliary),
        theta=fits.point[:, 1:],
        events=trial,
        width=trial,
        found=state.found._replace(background=background),
    )


def _after_free(state: _State, fits: Minimum, targets: Array) -> _State:
    """Guess the limit from the best strength and the width of the Asimov statistic."""
    free = jax.tree.map(lambda x: x[0], fits)
    root = safe_sqrt(2.0 * fits.value[1])
    width = state.events / jnp.maximum(root, 1e-3)
    return state._replace(
        theta=fits.point[:, 1:],
        events=free.point[0] + _GUESS * targets[0] * width,
        width=width,
        found=state.found._replace(free=free),
    )


def _after_test(state: _State, fits: Minimum, targets: Array) -> _State:
    """Narrow the bracket, or go on to the next target."""
    found, index = state.found, state.target
    target = jnp.sum(jnp.where(jnp.arange(targets.shape[0]) == index, targets, 0.0))
    statistic = _statistic(fits.value, state.events, found.free)
    residual = target - statistic
    bracket = state.bracket.replaced(state.events, residual)
    is_narrow = bracket.high - bracket.low <= _EPSILON * state.events
    n_pass = state.n_pass + 1
    is_lost = (n_pass >= _N_PASS) | ~jnp.isfinite(residual)
    is_done = (jnp.abs(residual) < _TOLERANCE) | is_narrow | is_lost
    is_good = jnp.all(fits.is_converged) & (jnp.abs(residual) < _ROUNDING_TOLERANCE)
    is_last = index + 1 >= targets.shape[0]
    row = jnp.arange(targets.shape[0]) == index
    searching = state._replace(
        n_pass=n_pass,
        events=_next_trial(state, bracket, residual),
        width=jnp.where(bracket.is_open, 2.0 * state.width, state.width),
        bracket=bracket,
        theta=fits.point[:, 1:],
        found=found._replace(
            events=jnp.where(row, state.events, found.events),
            points=jnp.where(row[:, None, None], fits.point[None], found.points),
            values=jnp.where(row[:, None], fits.value[None], found.values),
        ),
        is_good=jnp.where(row, is_good, state.is_good),
        is_running=~(is_done & (is_last | ~is_good)),
    )
    following = jnp.max(
        jnp.where(jnp.arange(targets.shape[0]) == index + 1, targets, 0)
    )
    onwards = searching._replace(
        n_pass=jnp.zeros_like(n_pass),
        target=index + 1,
        events=state.events * following / jnp.maximum(statistic, 1e-3),
        bracket=Bracket.above(state.events, following - statistic),
        width=state.width,
    )
    return _select(is_done, onwards, searching)


def _statistic(
    values: Float[Array, " n_lane"], events: Float[Array, ""], free: Minimum
) -> Float[Array, ""]:
    r"""$\sqrt{-2\ln CL_s}$ with data and Asimov set, $\sqrt{q_A}$ with it alone."""
    # the Asimov set is described perfectly at strength 0: its smallest value is 0
    q_asimov = jnp.maximum(2.0 * values[-1], 0.0)
    if values.shape[0] == 1:
        return safe_sqrt(q_asimov)
    is_above = events > free.point[0]
    q = jnp.where(is_above, 2.0 * (values[0] - free.value), 0.0)
    return safe_sqrt(-2.0 * asymptotic_log_cls(jnp.maximum(q, 0.0), q_asimov))


def _next_trial(
    state: _State, bracket: Bracket, residual: Float[Array, ""]
) -> Float[Array, ""]:
    """Along the straight line until trials lie on both sides, then by the chord."""
    line = state.events + _OVERSHOOT * residual * state.width
    has_both = ~bracket.is_open & (bracket.low > 0.0)
    is_outside = (line <= bracket.low) | (line >= bracket.high)
    return jnp.where(has_both | is_outside, bracket.chord(), line)


def _select(condition: Bool[Array, ""], first: _State, second: _State) -> _State:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)


@jax.custom_jvp
def _at_roots(problem: FitProblem, targets: Array, found: _Found) -> Array:
    del problem, targets
    return found.events


@_at_roots.defjvp
def _at_roots_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    problem, targets, found = primals
    problem_dot, targets_dot, _ = tangents
    all_events = _at_roots(problem, targets, found)

    def slope(index: int) -> Array:
        events = all_events[index]
        points, values = found.points[index], found.values[index]

        def statistic(live: FitProblem, at: Array) -> Array:
            return _live_statistic(live, at, points, values, found)

        zero, one = jnp.zeros_like(events), jnp.ones_like(events)
        still = jax.tree.map(jnp.zeros_like, problem)
        _, moved = jax.jvp(statistic, (problem, events), (problem_dot, zero))
        _, along = jax.jvp(statistic, (problem, events), (still, one))
        return (targets_dot[index] - moved) / along

    return all_events, jnp.stack([slope(i) for i in range(targets.shape[0])])


def _live_statistic(
    problem: FitProblem, events: Array, points: Array, values: Array, found: _Found
) -> Array:
    """The statistic at known minima, as a function of problem and events."""
    n_free = points.shape[-1]
    is_first = jnp.arange(n_free) == 0
    held = jnp.where(is_first, events, 0.0)
    nothing, none = jnp.zeros(n_free), jnp.zeros(n_free, dtype=bool)
    background, free = found.background, found.free
    background_point, _ = at_minimum(
        problem, nothing, is_first, background.point, background.value
    )
    asimov = problem.with_expected_data(background_point)
    _, value = at_minimum(asimov, held, is_first, points[-1], values[-1])
    if points.shape[0] == 1:
        return _statistic(value[None], events, free)
    _, first = at_minimum(problem, held, is_first, points[0], values[0])
    point, least = at_minimum(problem, nothing, none, free.point, free.value)
    best = Minimum(point, least, free.is_converged)
    return _statistic(jnp.stack([first, value]), events, best)
