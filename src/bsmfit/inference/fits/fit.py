r"""Maximum-likelihood fits of any likelihood by Newton's method.

`free_fit` finds the strength, not below zero, and the nuisances; `conditional_fit` the
nuisances at one strength. Gradient and Hessian are exact and built by hand
(`bsmfit.inference.fits.fit_problem`), Newton's method takes as many steps as it needs,
and every fit says whether it converged. From one count to published workspaces of
37 bins and 130 parameters: one method for all sizes, so none has to be chosen.

Map them over many points with `jax.lax.map(..., batch_size=128)`: blocks that stay in
the cache are fastest, and one `vmap` over a thousand points can hang on CPUs of two
cores (JAX 0.10.2).

Results differentiate with respect to everything in the likelihood: values by the
envelope theorem, parameters by the implicit function theorem.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.core.array_argument import check_range, scalar
from bsmfit.inference.fits.fit_problem import FitProblem
from bsmfit.inference.fits.newton import Minimum, minimise
from bsmfit.likelihood.arrays import LikelihoodArrays

__all__ = [
    "Fit",
    "background_and_free_minima",
    "best_signal",
    "conditional_fit",
    "conditional_minimum",
    "free_fit",
]

_N_STRENGTH_STEP = 5


class Fit(eqx.Module):
    r"""The best description of the data.

    Attributes:
        strength: Best strength, or the one that was given.
        parameters: Nuisances and log factors, as `LikelihoodArrays` takes them.
        negative_log_likelihood: $-\ln L$ there, with all constants.
        is_converged: Whether the fit converged; elsewhere the numbers mean nothing.
    """

    strength: Float[Array, ""]
    parameters: Float[Array, " n_parameter"]
    negative_log_likelihood: Float[Array, ""]
    is_converged: Bool[Array, ""]


def free_fit(arrays: LikelihoodArrays) -> Fit:
    r"""Fit the strength, not below zero, and all parameters.

    Args:
        arrays: The likelihood.

    Returns:
        The best fit; strength 0 where the data show a deficit.

    Examples:
        >>> from bsmfit.likelihood.likelihood import Likelihood
        >>> from bsmfit.likelihood.region import Region, Term
        >>> region = Region(
        ...     "a", 5, signal=[Term("s", 4.0)], background=[Term("b", 2.0)]
        ... )
        >>> fit = free_fit(Likelihood.from_regions([region]).arrays())
        >>> round(float(fit.strength), 9)
        0.75
    """
    require_x64("free_fit")
    problem = FitProblem.from_arrays(arrays)
    _, free = background_and_free_minima(problem)
    return _fit(arrays, problem, free)


def conditional_fit(arrays: LikelihoodArrays, strength: Float[Array, ""]) -> Fit:
    r"""Fit all parameters at a fixed strength.

    Args:
        arrays: The likelihood.
        strength: Signal strength, >= 0.

    Returns:
        The best fit at this strength.

    Raises:
        InputError: A strength that is no number, or below 0.
    """
    require_x64("conditional_fit")
    problem = FitProblem.from_arrays(arrays)
    strength = scalar("strength", strength)
    check_range("strength", strength, low=0.0)
    events = strength * problem.signal_events
    minimum = conditional_minimum(problem, events, problem.nominal())
    return _fit(arrays, problem, minimum)


def background_and_free_minima(problem: FitProblem) -> tuple[Minimum, Minimum]:
    """Minimum at strength 0 and overall, each started at the nominal nuisances.

    The fit at strength 0 is no start for the other: where the signal makes most of the
    data, it ends far from any nuisance that was ever meant.

    Args:
        problem: What to minimise.

    Returns:
        Both minima. One loop for both: it is compiled once.
    """
    nominal = lax.stop_gradient(problem.nominal())
    is_first = jnp.arange(problem.n_parameter + 1) == 0
    best = best_signal(problem, problem.nominal_background())

    def stage(is_free: Bool[Array, ""]) -> Minimum:
        start = jnp.concatenate([jnp.where(is_free, best, 0.0)[None], nominal])
        return minimise(problem, start, is_fixed=is_first & ~is_free)

    both = lax.map(stage, jnp.array([False, True]))
    background, free = (jax.tree.map(lambda x, i=i: x[i], both) for i in (0, 1))
    return background, free


def conditional_minimum(
    problem: FitProblem,
    signal_events: Float[Array, ""],
    theta: Float[Array, " n_parameter"],
) -> Minimum:
    """Minimum at a fixed signal.

    Args:
        problem: What to minimise.
        signal_events: Signal [events].
        theta: Nuisances to start at.

    Returns:
        The minimum.
    """
    start = jnp.concatenate([signal_events[None], theta])
    is_fixed = jnp.arange(start.shape[0]) == 0
    return minimise(problem, start, is_fixed=is_fixed)


def best_signal(
    problem: FitProblem, background: Float[Array, " n_cell"]
) -> Float[Array, ""]:
    r"""Best signal of nominal shape on a known background, to start a fit.

    With $g(m) = \sum_k c_ks_k/(ms_k+b_k)$ and $\sum_k\epsilon_ks_k = S$ it solves
    $1/g(m) = 1/S$; the left side is a straight line for one cell and nearly one for
    several, so a few Newton steps suffice at any signal-to-background ratio.

    Args:
        problem: The problem.
        background: Expected background in the cells.

    Returns:
        Signal events, >= 0.
    """
    problem, background = lax.stop_gradient((problem, background))
    signal = jnp.sum(problem.terms.yields[: problem.structure.n_signal], axis=0)
    total = jnp.sum(problem.terms.extents * signal)

    def step(_: Int[Array, ""], events: Float[Array, ""]) -> Float[Array, ""]:
        share = signal / jnp.maximum(events * signal + background, 1e-10)
        slope = jnp.sum(problem.counts * share)
        bend = jnp.sum(problem.counts * share * share)
        # 1/g has the derivative bend/slope^2
        step = (1.0 / total - 1.0 / jnp.maximum(slope, 1e-300)) * slope**2
        step = step / jnp.maximum(bend, 1e-300)
        return jnp.where(slope > 0.0, jnp.maximum(events + step, 0.0), 0.0)

    return lax.fori_loop(0, _N_STRENGTH_STEP, step, jnp.zeros_like(total))


def _fit(arrays: LikelihoodArrays, problem: FitProblem, minimum: Minimum) -> Fit:
    strength = minimum.point[0] / problem.signal_events
    parameters = problem.independent(minimum.point[1:])
    return Fit(
        strength=strength,
        parameters=parameters,
        negative_log_likelihood=arrays.negative_log_likelihood(strength, parameters),
        is_converged=minimum.is_converged,
    )
