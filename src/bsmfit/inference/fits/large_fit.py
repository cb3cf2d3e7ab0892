r"""Fits of likelihoods with many parameters, by L-BFGS.

The same interface and result as `bsmfit.inference.fits.fit`, with none of its
derivatives by hand: gradients are automatic, the optimiser is optax's L-BFGS with a
fixed number of iterations, and two Newton steps with the automatic Hessian finish. For
hundreds of parameters, and to check the other fit.

The strength is fitted at 0 first; where the likelihood does not rise there, 0 is the
best strength, else its logarithm is a parameter, so that no bound is needed.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.inference.fits.fit import Fit
from bsmfit.likelihood.arrays import LikelihoodArrays

__all__ = ["large_conditional_fit", "large_free_fit"]

N_ITERATION = 60
_N_NEWTON_STEP = 2
_GRADIENT_TOLERANCE = 1e-6

_Vector = Float[Array, " n"]


def large_conditional_fit(
    arrays: LikelihoodArrays,
    strength: Float[Array, ""],
    *,
    n_iteration: int = N_ITERATION,
) -> Fit:
    """Fit all parameters at a fixed strength.

    Args:
        arrays: The likelihood of one point.
        strength: Signal strength, >= 0.
        n_iteration: Iterations of L-BFGS.

    Returns:
        The best fit.
    """
    require_x64("large_conditional_fit")
    frozen = lax.stop_gradient(strength)

    def function(live: LikelihoodArrays, value: Array, x: _Vector) -> Array:
        return live.negative_log_likelihood(value, x)

    x, is_converged = _minimise(
        lambda x: function(lax.stop_gradient(arrays), frozen, x),
        lambda x: function(arrays, strength, x),
        lax.stop_gradient(arrays.nominal_parameters()),
        n_iteration,
    )
    value = arrays.negative_log_likelihood(strength, x)
    return Fit(strength, x, value, is_converged & jnp.isfinite(value))


def large_free_fit(arrays: LikelihoodArrays, *, n_iteration: int = N_ITERATION) -> Fit:
    """Fit the strength, not below zero, and all parameters.

    Args:
        arrays: The likelihood of one point.
        n_iteration: Iterations of L-BFGS.

    Returns:
        The best fit; strength 0 where the data show a deficit.
    """
    require_x64("large_free_fit")
    zero = jnp.zeros(())
    background = large_conditional_fit(arrays, zero, n_iteration=n_iteration)
    frozen = lax.stop_gradient(arrays)
    signal, _ = frozen.expected(frozen.nominal_parameters())
    total = jnp.sum(signal)
    events = jnp.where(total > 0.0, total, 1.0)
    slope = jax.grad(frozen.negative_log_likelihood)(
        zero, lax.stop_gradient(background.parameters)
    )
    is_excess = slope < 0.0

    def function(live: LikelihoodArrays, x: _Vector) -> Array:
        return live.negative_log_likelihood(jnp.exp(x[0]) / events, x[1:])

    start = jnp.concatenate([jnp.zeros(1), lax.stop_gradient(background.parameters)])
    x, is_converged = _minimise(
        lambda x: function(frozen, x), lambda x: function(arrays, x), start, n_iteration
    )
    strength = jnp.where(is_excess, jnp.exp(x[0]) / events, 0.0)
    parameters = jnp.where(is_excess, x[1:], background.parameters)
    value = arrays.negative_log_likelihood(strength, parameters)
    good = jnp.where(is_excess, is_converged, background.is_converged)
    return Fit(strength, parameters, value, good & jnp.isfinite(value))


def _minimise(
    frozen: Callable[[_Vector], Array],
    live: Callable[[_Vector], Array],
    start: _Vector,
    n_iteration: int,
) -> tuple[_Vector, Bool[Array, ""]]:
    """Minimum of a function; its derivatives are implicit ones of the last step."""
    solver = optax.lbfgs()
    value_and_gradient = optax.value_and_grad_from_state(frozen)

    def step(_: Int[Array, ""], now: tuple) -> tuple:
        x, state = now
        value, gradient = value_and_gradient(x, state=state)
        updates, state = solver.update(
            gradient, state, x, value=value, grad=gradient, value_fn=frozen
        )
        moved = x + updates
        return jnp.where(jnp.isfinite(moved), moved, x), state

    begin = (start, solver.init(start))
    # optax mixes integers of 32 and 64 bits, which a user may have forbidden
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        end = lax.fori_loop(0, n_iteration, step, begin)
    x = lax.stop_gradient(end[0])
    decrement = jnp.full((), jnp.inf)
    for _ in range(_N_NEWTON_STEP):
        hessian = lax.stop_gradient(jax.hessian(frozen)(x))
        gradient = jax.grad(live)(lax.stop_gradient(x))
        direction = jnp.linalg.solve(hessian, gradient)
        decrement = jnp.abs(gradient @ direction)
        x = lax.stop_gradient(x) - direction
    return x, decrement < _GRADIENT_TOLERANCE
