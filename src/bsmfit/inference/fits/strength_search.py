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
from jaxtyping import Array, Bool, Float

from bsmfit.core.illinois import Bracket
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.inference.asymptotics.formulae import asymptotic_log_cls
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


class _Numbers(NamedTuple):
    """Where the loop is, as numbers that one array holds."""

    stage: Float[Array, ""]
    target: Float[Array, ""]
    n_pass: Float[Array, ""]
    events: Float[Array, ""]
    width: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    value_low: Float[Array, ""]
    value_high: Float[Array, ""]
    last_side: Float[Array, ""]
    is_running: Float[Array, ""]

    def bracket(self) -> Bracket:
        """The bracket around the root."""
        side = self.last_side.astype(jnp.int32)
        return Bracket(self.low, self.high, self.value_low, self.value_high, side)

    def with_bracket(self, bracket: Bracket) -> _Numbers:
        """The same with another bracket."""
        return self._replace(
            low=bracket.low,
            high=bracket.high,
            value_low=bracket.value_low,
            value_high=bracket.value_high,
            last_side=bracket.last_side.astype(float),
        )


class _State(NamedTuple):
    """Few arrays, since each is compiled on its own.

    The record has a row for the fit at 0, for the free fit and for each target; in it,
    for each set of data: point, value, whether it converged, and the residual.
    """

    numbers: Float[Array, " n_number"]
    counts: Float[Array, "n_lane n_cell"]
    auxiliary: Float[Array, "n_lane n_parameter"]
    theta: Float[Array, "n_lane n_parameter"]
    record: Float[Array, "n_row n_lane n_column"]


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
    n_lane = 2 if is_observed else 1
    frozen = lax.stop_gradient((problem, targets))
    events, record = lax.stop_gradient(_run(*frozen, n_lane))
    is_fitted = record[:, :, -2] > 0.0
    residual = jnp.abs(record[2:, 0, -1])
    is_good = jnp.all(is_fitted[2:], axis=1) & (residual < _ROUNDING_TOLERANCE)
    # with one lane there is no free fit to fail
    is_good = is_good & is_fitted[0, 0] & (is_fitted[1, 0] | (not is_observed))
    return _at_roots(problem, targets, events, record), is_good


def _run(
    problem: FitProblem, targets: Array, n_lane: int
) -> tuple[Float[Array, " n_target"], Float[Array, "n_row n_lane n_column"]]:
    """Events of each target, and the record."""
    signal = jnp.sum(problem.terms.yields[: problem.structure.n_signal], axis=0)

    def advance(state: _State) -> _State:
        now = _Numbers(*state.numbers)
        fits = _fit_lanes(problem, state, best_start)
        best = _Best(state.record[1, 0, 0], state.record[1, 0, -3])
        statistic = _statistic(fits.value, now.events, best)
        after = jnp.stack(_after_test(now, statistic, targets))
        if n_lane == 2:
            free = jnp.stack(_after_free(now, fits, targets))
            after = jnp.where(now.stage == 1.0, free, after)
        first = jnp.stack(_after_background(now, fits.rates[0], signal))
        after = jnp.where(now.stage == 0.0, first, after)
        row = jnp.where(now.stage < n_lane, now.stage, now.target + 2.0)
        target = _entry(targets, now.target)
        entry = jnp.stack(
            [
                fits.value,
                fits.is_converged.astype(float),
                jnp.broadcast_to(target - statistic, (n_lane,)),
            ],
            axis=1,
        )
        entry = jnp.concatenate([fits.point, entry], axis=1)
        is_row = jnp.arange(state.record.shape[0]).astype(float) == row
        is_asimov = (jnp.arange(n_lane) == n_lane - 1)[:, None] & (now.stage == 0.0)
        expected = problem.expected_auxiliary(fits.point[0, 1:])
        return _State(
            after,
            jnp.where(is_asimov, fits.rates[:1], state.counts),
            jnp.where(is_asimov, expected[None], state.auxiliary),
            fits.point[:, 1:],
            jnp.where(is_row[:, None, None], entry[None], state.record),
        )

    # not from the fit at 0: where the signal makes most of the data it is no start
    best_events = best_signal(problem, problem.nominal_background())
    best_start = jnp.concatenate([best_events[None], problem.nominal()])
    begin = _begin(problem, targets, n_lane, jnp.sum(signal) > 0.0)
    end = lax.while_loop(lambda state: state.numbers[-1] > 0.0, advance, begin)
    return end.record[2:, -1, 0], end.record


def _begin(
    problem: FitProblem, targets: Array, n_lane: int, has_signal: Bool[Array, ""]
) -> _State:
    nominal = problem.nominal()
    zero = jnp.zeros_like(targets[0])
    bracket = Bracket.above(zero, targets[0])
    numbers = _Numbers(*([zero] * 11)).with_bracket(bracket)
    numbers = numbers._replace(is_running=has_signal.astype(float))
    shape = (2 + targets.shape[0], n_lane, nominal.shape[0] + 4)
    return _State(
        numbers=jnp.stack(numbers),
        counts=jnp.tile(problem.counts, (n_lane, 1)),
        auxiliary=jnp.tile(problem.auxiliary, (n_lane, 1)),
        theta=jnp.tile(nominal, (n_lane, 1)),
        record=jnp.zeros(shape),
    )


def _fit_lanes(problem: FitProblem, state: _State, best_start: Array) -> Minimum:
    """Fit all lanes: at 0, then the first one freely, then at what is to be tested."""
    n_lane, n_parameter = state.theta.shape
    now = _Numbers(*state.numbers)
    is_free = (jnp.arange(n_lane) == 0) & (n_lane == 2) & (now.stage == 1.0)
    is_first = jnp.arange(n_parameter + 1) == 0

    def fit(counts: Array, auxiliary: Array, start: Array, free: Array) -> Minimum:
        return search(problem.with_data(counts, auxiliary), start, is_first & ~free)

    events = jnp.broadcast_to(now.events, (n_lane, 1))
    starts = jnp.concatenate([events, state.theta], axis=1)
    starts = jnp.where(is_free[:, None], best_start[None], starts)
    return jax.vmap(fit)(state.counts, state.auxiliary, starts, is_free)


def _after_background(
    now: _Numbers, rates: Float[Array, " n_cell"], signal: Float[Array, " n_cell"]
) -> _Numbers:
    """Choose a first trial, from the rates of the Asimov set."""
    information = jnp.sum(signal**2 / (rates + 1.0))
    trial = 1.0 + 2.0 / jnp.sqrt(jnp.maximum(information, 1e-300))
    return now._replace(stage=now.stage + 1.0, events=trial, width=trial)


def _after_free(now: _Numbers, fits: Minimum, targets: Array) -> _Numbers:
    """Guess the limit from the best strength and the width of the Asimov statistic."""
    width = now.events / jnp.maximum(safe_sqrt(2.0 * fits.value[1]), 1e-3)
    events = fits.point[0, 0] + _GUESS * targets[0] * width
    return now._replace(stage=now.stage + 1.0, events=events, width=width)


def _after_test(
    now: _Numbers, statistic: Float[Array, ""], targets: Float[Array, " n_target"]
) -> _Numbers:
    """Narrow the bracket, or go on to the next target."""
    residual = _entry(targets, now.target) - statistic
    bracket = now.bracket().replaced(now.events, residual)
    is_narrow = bracket.high - bracket.low <= _EPSILON * now.events
    n_pass = now.n_pass + 1.0
    is_lost = (n_pass >= _N_PASS) | ~jnp.isfinite(residual)
    is_done = (jnp.abs(residual) < _TOLERANCE) | is_narrow | is_lost
    is_last = now.target + 1.0 >= targets.shape[0]
    searching = now.with_bracket(bracket)._replace(
        stage=now.stage + 1.0,
        n_pass=n_pass,
        events=_next_trial(now, bracket, residual),
        width=jnp.where(bracket.is_open, 2.0 * now.width, now.width),
        is_running=(~(is_done & (is_last | is_lost))).astype(float),
    )
    following = _entry(targets, now.target + 1.0)
    above = Bracket.above(now.events, following - statistic)
    onwards = searching.with_bracket(above)._replace(
        n_pass=jnp.zeros_like(n_pass),
        target=now.target + 1.0,
        events=now.events * following / jnp.maximum(statistic, 1e-3),
        width=now.width,
    )
    return _Numbers(
        *(jnp.where(is_done, a, b) for a, b in zip(onwards, searching, strict=True))
    )


def _entry(array: Float[Array, " n"], index: Float[Array, ""]) -> Float[Array, ""]:
    """One entry, 0 outside."""
    return jnp.sum(
        jnp.where(jnp.arange(array.shape[0]).astype(float) == index, array, 0.0)
    )


class _Best(NamedTuple):
    """The free fit."""

    events: Float[Array, ""]
    value: Float[Array, ""]


def _statistic(
    values: Float[Array, " n_lane"], events: Float[Array, ""], best: _Best
) -> Float[Array, ""]:
    r"""$\sqrt{-2\ln CL_s}$ with data and Asimov set, $\sqrt{q_A}$ with it alone."""
    # the Asimov set is described perfectly at strength 0: its smallest value is 0
    q_asimov = jnp.maximum(2.0 * values[-1], 0.0)
    if values.shape[0] == 1:
        return safe_sqrt(q_asimov)
    q = jnp.where(events > best.events, 2.0 * (values[0] - best.value), 0.0)
    return safe_sqrt(-2.0 * asymptotic_log_cls(jnp.maximum(q, 0.0), q_asimov))


def _next_trial(
    now: _Numbers, bracket: Bracket, residual: Float[Array, ""]
) -> Float[Array, ""]:
    """Along the straight line until trials lie on both sides, then by the chord."""
    line = now.events + _OVERSHOOT * residual * now.width
    has_both = ~bracket.is_open & (bracket.low > 0.0)
    is_outside = (line <= bracket.low) | (line >= bracket.high)
    return jnp.where(has_both | is_outside, bracket.chord(), line)


@jax.custom_jvp
def _at_roots(
    problem: FitProblem, targets: Array, events: Array, record: Array
) -> Array:
    del problem, targets, record
    return events


@_at_roots.defjvp
def _at_roots_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    problem, targets, events, record = primals
    problem_dot, targets_dot, *_ = tangents
    events = _at_roots(problem, targets, events, record)

    def slope(row: int) -> Array:
        def statistic(live: FitProblem, at: Array) -> Array:
            return _live_statistic(live, at, record[row + 2], record)

        zero, one = jnp.zeros_like(events[row]), jnp.ones_like(events[row])
        still = jax.tree.map(jnp.zeros_like, problem)
        here = (problem, events[row])
        _, moved = jax.jvp(statistic, here, (problem_dot, zero))
        _, along = jax.jvp(statistic, here, (still, one))
        return (targets_dot[row] - moved) / along

    return events, jnp.stack([slope(row) for row in range(targets.shape[0])])


def _live_statistic(
    problem: FitProblem, events: Array, entry: Array, record: Array
) -> Array:
    """The statistic at known minima, as a function of problem and events."""
    n_free = problem.n_parameter + 1
    is_first = jnp.arange(n_free) == 0
    held = jnp.where(is_first, events, 0.0)
    nothing, none = jnp.zeros(n_free), jnp.zeros(n_free, dtype=bool)

    def known(live: FitProblem, at: Array, fixed: Array, row: Array) -> tuple:
        return at_minimum(live, at, fixed, row[:n_free], row[n_free])

    background, _ = known(problem, nothing, is_first, record[0, 0])
    asimov = problem.with_expected_data(background)
    _, value = known(asimov, held, is_first, entry[-1])
    point, least = known(problem, nothing, none, record[1, 0])
    best = _Best(point[0], least)
    if entry.shape[0] == 1:
        return _statistic(value[None], events, best)
    _, first = known(problem, held, is_first, entry[0])
    return _statistic(jnp.stack([first, value]), events, best)
