r"""Newton's method for fits: bounds, negative curvature, as many steps as are needed.

A step solves $Hd = g$ by elimination. Where a pivot is not positive, the Hessian
without second derivatives of the rates takes its place, until the promised gain is
small. One evaluation serves both to judge a step and to find the next one. A step that
does not lower the function as its slope promises is shortened; one after which the
promised gain hardly fell, on the way to a minimum at infinity, is followed by longer
ones. A parameter at its lower bound that the gradient pushes outwards is frozen.

The fit has converged when the next step promises a gain of less than 1e-10 in the log
likelihood, $\tfrac12g^TH^{-1}g$: the same whatever the units, counts and pulls. That
step is then taken, so that the distance that is left is of the order of its square.

Derivatives of the minimum are those of the equation $g = 0$ that it solves,
$dz = -H^{-1}\,\partial g$, and of the value by the envelope theorem, in forward and
reverse mode; nothing is traced for them unless they are asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bsmfit.inference.fits.fit_problem import Derivatives, FitProblem

__all__ = ["Minimum", "at_minimum", "minimise", "positive_solve", "search"]

# most evaluations: a pull of 50 takes 10 to 20, a way to minus infinity 30
N_ITERATION = 200
_TOLERANCE = 1e-10
# where rounding hides the gain of a step, what it may still have promised
_ROUNDING_TOLERANCE = 1e-6
# a gain is real beyond this share of the value: some hundred roundings of a double
_ROUNDING = 1e-13
# a step must bring this share of what its slope promises (Armijo)
_SUFFICIENT = 1e-4
_SHORTEST, _LONGEST = 0.1, 0.5
# promised gain below which the exact Hessian is tried again
_SMALL_GAIN = 0.5
# promised gain after a step over that before it: above, steps grow
_SLOW = 0.1
_LARGEST_FACTOR = 8.0
# largest change in the log of a yield by the step of one parameter
_LARGEST_LOG_STEP = 2.0
# pivot over its diagonal element below which two parameters are one to rounding
_SMALLEST_PIVOT = 1e-13


class Minimum(eqx.Module):
    r"""Where a fit ended.

    Attributes:
        point: Signal events, then nuisances.
        value: $f$ there.
        rates: Rates there, to second order in the last step.
        is_converged: Whether a further step promises no gain that matters.
    """

    point: Float[Array, " n_free"]
    value: Float[Array, ""]
    rates: Float[Array, " n_cell"]
    is_converged: Bool[Array, ""]


class _State(NamedTuple):
    """Best point so far, its Newton step, and how much of it is to be tried."""

    n_done: Int[Array, ""]
    point: Float[Array, " n_free"]
    value: Float[Array, ""]
    gradient: Float[Array, " n_free"]
    step: Float[Array, " n_free"]
    ahead: Float[Array, " n_cell"]
    gain: Float[Array, ""]
    fraction: Float[Array, ""]
    is_exact: Bool[Array, ""]
    is_running: Bool[Array, ""]


@jax.jit
def minimise(
    problem: FitProblem,
    start: Float[Array, " n_free"],
    *,
    is_fixed: Bool[Array, " n_free"],
) -> Minimum:
    """Minimise from a start, within the bounds of the problem.

    Args:
        problem: What to minimise.
        start: Signal events and nuisances to start at.
        is_fixed: Parameters that keep their value, with its derivatives.

    Returns:
        The minimum.
    """
    found = lax.stop_gradient(search(*lax.stop_gradient((problem, start)), is_fixed))
    point, value = at_minimum(problem, start, is_fixed, found.point, found.value)
    return Minimum(point, value, found.rates, found.is_converged)


@jax.custom_jvp
def at_minimum(
    problem: FitProblem,
    held: Float[Array, " n_free"],
    is_fixed: Bool[Array, " n_free"],
    point: Float[Array, " n_free"],
    value: Float[Array, ""],
) -> tuple[Float[Array, " n_free"], Float[Array, ""]]:
    """Give a known minimum the derivatives that it has.

    Args:
        problem: What was minimised.
        held: Parameters whose fixed ones kept their value; others do not matter.
        is_fixed: Which those are.
        point: The minimum.
        value: The function there.

    Returns:
        Point and value, as functions of the problem and of what was held.
    """
    del problem, held, is_fixed
    return point, value


@at_minimum.defjvp
def _at_minimum_jvp(primals: tuple, tangents: tuple) -> tuple[tuple, tuple]:
    problem, held, is_fixed, point, value = primals
    problem_dot, held_dot, *_ = tangents
    # through the primitive again, so that higher derivatives see the implicit point
    point, value = at_minimum(problem, held, is_fixed, point, value)

    def both(live: FitProblem) -> tuple[Array, Array]:
        derivatives = live.derivatives(point)
        return derivatives.gradient, derivatives.value

    here = problem.derivatives(point)
    _, (gradient_dot, value_dot) = jax.jvp(both, (problem,), (problem_dot,))
    is_bound = (point <= problem.lower_bounds()) & (here.gradient > 0.0)
    is_held = is_fixed | is_bound
    fixed_dot = jnp.where(is_fixed, held_dot, 0.0)
    right = jnp.where(is_held, 0.0, gradient_dot + here.hessian @ fixed_dot)
    moved = jnp.linalg.solve(_masked(here.hessian, is_held), right)
    return (point, value), (fixed_dot - moved, value_dot + here.gradient @ fixed_dot)


def search(
    problem: FitProblem,
    start: Float[Array, " n_free"],
    is_fixed: Bool[Array, " n_free"],
) -> Minimum:
    """Minimum of a problem, without derivatives.

    Args:
        problem: What to minimise.
        start: Signal events and nuisances to start at.
        is_fixed: Parameters that keep their value.

    Returns:
        The minimum.
    """
    lower = problem.lower_bounds()
    steepness = problem.steepness()
    inside = jnp.where(is_fixed, start, jnp.maximum(start, lower))

    def keep_going(state: _State) -> Bool[Array, ""]:
        return state.is_running & (state.n_done < N_ITERATION)

    def evaluate(state: _State) -> _State:
        trial = state.point - state.fraction * state.step
        trial = jnp.where(is_fixed, state.point, jnp.maximum(trial, lower))
        found = problem.derivatives(trial, is_exact=state.is_exact)
        mask = is_fixed | ((trial <= lower) & (found.gradient > 0.0))
        step, is_positive = _newton_step(found, mask, steepness)
        return _judge(state, trial, found, step, is_positive)

    # a nan among the counts must not keep its neighbours waiting
    zero = jnp.zeros_like(inside)
    infinite = jnp.full((), jnp.inf, dtype=inside.dtype)
    one = jnp.ones_like(infinite)
    begin = _State(
        *(jnp.zeros((), dtype=int), inside, infinite, zero, zero),
        jnp.zeros_like(problem.counts),
        *(infinite, one),
        is_exact=jnp.ones((), dtype=bool),
        is_running=jnp.all(jnp.isfinite(inside)),
    )
    end = lax.while_loop(keep_going, evaluate, begin)
    is_small = end.gain < _TOLERANCE
    is_rounded = end.gain < _ROUNDING_TOLERANCE * (1.0 + _ROUNDING * jnp.abs(end.value))
    is_converged = is_small | (is_rounded & (end.n_done < N_ITERATION))
    last = jnp.maximum(end.point - end.step, lower)
    point = jnp.where(is_small & ~is_fixed, last, end.point)
    value = jnp.where(is_small, end.value - end.gain, end.value)
    rates = jnp.maximum(end.ahead, 0.0)
    return Minimum(point, value, rates, is_converged & jnp.isfinite(value))


def _judge(
    state: _State, trial: Array, found: Derivatives, step: Array, is_positive: Array
) -> _State:
    """Take the trial point if it is good enough, else shorten the step."""
    ahead = found.rates - step @ found.jacobian
    # the gain that a step promises: half of it where the function is a parabola
    gain = 0.5 * jnp.sum(found.gradient * step)
    is_first = state.n_done == 0
    promised = jnp.where(is_first, 0.0, jnp.sum(state.gradient * (trial - state.point)))
    slack = _ROUNDING * (1.0 + jnp.abs(found.value))
    limit = state.value + _SUFFICIENT * promised + slack
    is_valid = jnp.isfinite(found.value) & jnp.isfinite(gain)
    is_taken = is_valid & (found.value <= limit)
    # minimum of the parabola through both values with the slope at the first
    excess = jnp.where(is_valid, found.value - state.value - promised, jnp.inf)
    shorter = jnp.clip(-0.5 * promised / excess, _SHORTEST, _LONGEST)
    is_slow = (state.fraction >= 1.0) & (gain > _SLOW * state.gain) & ~is_first
    longer = jnp.where(is_slow, jnp.minimum(2.0 * state.fraction, _LARGEST_FACTOR), 1.0)
    is_lost = ~is_taken & (is_first | (jnp.abs(promised) < slack))
    # the same point once more, with the other Hessian
    is_again = is_taken & state.is_exact & ~is_positive
    is_done = is_taken & ~is_again & (gain < _TOLERANCE) & state.is_exact
    is_exact = is_positive & (state.is_exact | (gain < _SMALL_GAIN))
    return _State(
        n_done=state.n_done + 1,
        point=jnp.where(is_taken, trial, state.point),
        value=jnp.where(is_taken, found.value, state.value),
        gradient=jnp.where(is_taken, found.gradient, state.gradient),
        step=jnp.where(is_taken, step, state.step),
        ahead=jnp.where(is_taken, ahead, state.ahead),
        gain=jnp.where(is_taken, gain, state.gain),
        fraction=jnp.where(
            is_taken, jnp.where(is_again, 0.0, longer), state.fraction * shorter
        ),
        is_exact=jnp.where(is_taken, is_exact, state.is_exact),
        is_running=~(is_done | is_lost),
    )


def positive_solve(
    matrix: Float[Array, "n n"], right: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Bool[Array, ""]]:
    """Solve by elimination without pivoting, and say whether the matrix is positive.

    No LAPACK: small systems, elementwise over a batch. Where a pivot vanishes beside
    its diagonal element, two parameters do the same to the function, and the later one
    is 0 in the solution. A negative pivot counts as its modulus.

    Args:
        matrix: Symmetric.
        right: Right-hand side.

    Returns:
        The solution, and whether no pivot was negative.
    """
    n = right.shape[0]
    order = jnp.arange(n)
    diagonal = jnp.abs(jnp.diagonal(matrix))

    def eliminate(j: Int[Array, ""], now: tuple[Array, Array]) -> tuple[Array, Array]:
        # the column in work is always the first; it goes to the end when done
        rows, is_positive = now
        is_row = (order == j)[:, None]
        row = jnp.sum(jnp.where(is_row, rows, 0.0), axis=0)
        smallest = _SMALLEST_PIVOT * jnp.sum(jnp.where(order == j, diagonal, 0.0))
        pivot = jnp.abs(row[0])
        is_lost = pivot <= smallest
        is_positive = is_positive & (row[0] >= -smallest)
        row = jnp.where(is_lost, 0.0, row / jnp.where(is_lost, 1.0, pivot))
        rows = jnp.where(is_row, row[None, :], rows - rows[:, :1] * row[None, :])
        return jnp.concatenate([rows[:, 1:], rows[:, :1]], axis=1), is_positive

    rows = jnp.concatenate([matrix, right[:, None]], axis=1)
    begin = (rows, jnp.all(diagonal >= 0.0))
    rows, is_positive = lax.fori_loop(0, n, eliminate, begin)
    return rows[:, 0], is_positive


def _masked(
    hessian: Float[Array, "n n"], mask: Bool[Array, " n"]
) -> Float[Array, "n n"]:
    is_out = mask[:, None] | mask[None, :]
    return jnp.where(is_out, jnp.eye(mask.shape[0]), hessian)


def _newton_step(
    found: Derivatives, mask: Bool[Array, " n"], steepness: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Bool[Array, ""]]:
    right = jnp.where(mask, 0.0, found.gradient)
    step, is_positive = positive_solve(_masked(found.hessian, mask), right)
    # where the curvature is small or negative the step may be far too long
    longest = jnp.max(jnp.abs(step) * steepness)
    return step / jnp.maximum(1.0, longest / _LARGEST_LOG_STEP), is_positive
