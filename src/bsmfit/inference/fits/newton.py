r"""Newton's method for fits: bounds, negative curvature, a fixed number of steps.

A parameter at a bound that the gradient pushes outwards is frozen. The step solves
$Hd = g$ by elimination; a pivot that is not positive is replaced by its modulus, so
that the step goes downhill whatever the curvature. Of several fractions of the step
the best is taken, or none.

Derivatives of the minimum are those of the equation $g = 0$ that it solves,
$dz = -H^{-1}\,\partial g$, in forward and reverse mode; nothing is computed for them
unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bsmfit.inference.fits.fit_problem import FitProblem

__all__ = ["Minimum", "minimise", "positive_solve"]

_STEPS = (1.0, 0.5, 0.2, 0.05)
# for parameters whose best value may be far away or at infinity
_LONG_STEPS = (1.0, 4.0, 0.5, 0.2, 0.05)
_SMALLEST_PIVOT = 1e-12
_WORSE = 1e-13
_LARGEST_STEP = 2.0
_DECREMENT_TOLERANCE = 1e-6


class Minimum(eqx.Module):
    r"""Where a fit ended.

    Attributes:
        point: Signal events, then nuisances.
        value: $f$ there.
        is_converged: Whether the last step promised no gain that matters, by the
            gradient projected on the bounds in the metric of the Hessian.
    """

    point: Float[Array, " n_free"]
    value: Float[Array, ""]
    is_converged: Bool[Array, ""]


@partial(jax.jit, static_argnames="n_iteration")
def minimise(
    problem: FitProblem,
    start: Float[Array, " n_free"],
    *,
    is_fixed: Bool[Array, " n_free"],
    n_iteration: int,
) -> Minimum:
    """Minimise from a start, within the bounds of the problem.

    Args:
        problem: What to minimise.
        start: Signal events and nuisances to start at.
        is_fixed: Parameters that keep their value, with its derivatives.
        n_iteration: Newton steps before the last one.

    Returns:
        The minimum.
    """
    frozen = lax.stop_gradient(problem)
    lower, upper = frozen.bounds()
    has_long = any(kind != "normal" for kind in problem.structure.constraints)
    fractions = jnp.array(_LONG_STEPS if has_long else _STEPS)

    def step(_: Int[Array, ""], now: tuple[Array, Array]) -> tuple[Array, Array]:
        point, _ = now
        value, gradient, hessian = frozen.derivatives(point)
        mask = is_fixed | _is_pushed_out(point, gradient, lower, upper)
        direction = _direction(hessian, gradient, mask)
        decrement = jnp.abs(jnp.sum(jnp.where(mask, 0.0, gradient * direction)))
        tried = point[None] - fractions[:, None] * direction[None]
        tried = jnp.clip(tried, lower[None], upper[None])
        tried = jnp.where(is_fixed[None], point[None], tried)
        values = jax.vmap(frozen.value)(tried)
        values = jnp.where(jnp.isnan(values), jnp.inf, values)
        chosen = jnp.arange(values.shape[0]) == jnp.argmin(values)
        is_better = jnp.min(values) <= value + _WORSE * (1.0 + jnp.abs(value))
        best = jnp.sum(jnp.where(chosen[:, None], tried, 0.0), axis=0)
        return jnp.where(is_better, best, point), decrement

    def solve(_: object, begin: Array) -> tuple[Array, Array]:
        inside = jnp.where(is_fixed, begin, jnp.clip(begin, lower, upper))
        never = jnp.full((), jnp.inf)
        return lax.fori_loop(0, n_iteration, step, (inside, never))

    def equations(point: Array) -> Array:
        gradient = problem.derivatives(point).gradient
        pushed = _is_pushed_out(point, gradient, lower, upper)
        held = jnp.where(is_fixed, start, lax.stop_gradient(point))
        return jnp.where(is_fixed | pushed, point - held, gradient)

    def tangent_solve(tangent: Callable[[Array], Array], right: Array) -> Array:
        matrix = jax.vmap(tangent, out_axes=1)(jnp.eye(right.shape[0]))
        return jnp.linalg.solve(matrix, right)

    point, decrement = lax.custom_root(
        equations, lax.stop_gradient(start), solve, tangent_solve, has_aux=True
    )
    value = problem.value(point)
    is_converged = (decrement < _DECREMENT_TOLERANCE) & jnp.isfinite(value)
    return Minimum(point, value, is_converged)


def positive_solve(
    matrix: Float[Array, "n n"], right: Float[Array, "n m"]
) -> Float[Array, "n m"]:
    """Solve by elimination without pivoting, pivots made positive.

    Exact for a positive definite matrix; otherwise the solution of a positive definite
    one close to it in spirit, so that a step is always downhill. No LAPACK: small
    systems, elementwise over a batch.

    Args:
        matrix: Symmetric.
        right: Right-hand sides.

    Returns:
        The solution.
    """
    n, n_right = right.shape
    order = jnp.arange(n)

    def eliminate(j: Int[Array, ""], rows: Array) -> Array:
        # the column in work is always the first; it goes to the end when done
        is_row = (order == j)[:, None]
        row = jnp.sum(jnp.where(is_row, rows, 0.0), axis=0)
        row = row / jnp.maximum(jnp.abs(row[0]), _SMALLEST_PIVOT)
        rows = jnp.where(is_row, row[None, :], rows - rows[:, :1] * row[None, :])
        return jnp.concatenate([rows[:, 1:], rows[:, :1]], axis=1)

    rows = jnp.concatenate([matrix, right], axis=1)
    return lax.fori_loop(0, n, eliminate, rows)[:, :n_right]


def _direction(
    hessian: Float[Array, "n n"], gradient: Float[Array, " n"], mask: Bool[Array, " n"]
) -> Float[Array, " n"]:
    is_out = mask[:, None] | mask[None, :]
    unit = jnp.eye(gradient.shape[0])
    matrix = jnp.where(is_out, unit, hessian)
    right = jnp.where(mask, 0.0, gradient)
    direction = positive_solve(matrix, right[:, None])[:, 0]
    # where the curvature is small or negative the step may be far too long
    longest = jnp.max(jnp.abs(direction[1:]), initial=0.0)
    return direction / jnp.maximum(1.0, longest / _LARGEST_STEP)


def _is_pushed_out(
    point: Float[Array, " n"],
    gradient: Float[Array, " n"],
    lower: Float[Array, " n"],
    upper: Float[Array, " n"],
) -> Bool[Array, " n"]:
    at_lower = (point <= lower) & (gradient > 0.0)
    return at_lower | ((point >= upper) & (gradient < 0.0))
