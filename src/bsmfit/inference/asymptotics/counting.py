r"""Asymptotic CLs, limits and bands of one count, and the same over a grid.

The chain of one point: fit at strength zero (`background_fit`); the Asimov set is its
expectation, counts and auxiliary measurements; fits of the data and of the Asimov set
at the tested strength give $\tilde q_\mu$ and $q_A$;
`bsmfit.inference.asymptotics.formulae` turns them into $CL_s$. The free fits are closed
form, so one CLs is three Newton fits.

The limit solves $\sqrt{-2\ln CL_s} = \sqrt{-2\ln(1 - cl)}$, nearly a straight line in
the strength, from a guess in signal *events*. Its derivatives are implicit.

`in_chunks` maps any of these functions over a grid of a million points in blocks that
stay in the cache: memory beside inputs and results does not grow with the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree

from bsmfit._x64 import require_x64
from bsmfit.core.illinois import illinois_root
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.inference.asymptotics.formulae import (
    asymptotic_log_probabilities,
    discovery_significance,
    expected_root,
)
from bsmfit.inference.fits.counting_fit import (
    N_ITERATION,
    ConditionalFit,
    CountingPoint,
    FreeFit,
    background_fit,
    conditional_fit,
    free_fit,
)
from bsmfit.likelihood.poisson import Level

__all__ = [
    "BAND_N_SIGMA",
    "AsymptoticCls",
    "asymptotic_counting_bands",
    "asymptotic_counting_cls",
    "asymptotic_counting_discovery",
    "asymptotic_counting_limit",
    "in_chunks",
]

BAND_N_SIGMA = (-2.0, -1.0, 0.0, 1.0, 2.0)
# most steps; 5 to 8 are usual
_N_STEP = 40

_Result = TypeVar("_Result")


class AsymptoticCls(eqx.Module):
    r"""CLs of one strength.

    Attributes:
        log_clsb: $\ln CL_{s+b}$.
        log_clb: $\ln CL_b$.
        log_cls: $\ln CL_s$.
        q: Observed $\tilde q_\mu$.
        q_asimov: $\tilde q_\mu$ of the Asimov set.
        is_converged: Whether the three fits converged.
    """

    log_clsb: Float[Array, " *point"]
    log_clb: Float[Array, " *point"]
    log_cls: Float[Array, " *point"]
    q: Float[Array, " *point"]
    q_asimov: Float[Array, " *point"]
    is_converged: Bool[Array, " *point"]


class _Prepared(eqx.Module):
    """All that does not depend on the tested strength."""

    point: CountingPoint
    asimov: CountingPoint
    background: ConditionalFit
    free: FreeFit

    @classmethod
    def from_point(cls, point: CountingPoint, n_iteration: int) -> _Prepared:
        background = background_fit(point, n_iteration=n_iteration)
        return cls(
            point=point,
            asimov=point.asimov(background),
            background=background,
            free=free_fit(point, background_only=background),
        )


def asymptotic_counting_cls(
    point: CountingPoint,
    strength: Float[Array, ""],
    *,
    n_iteration: int = N_ITERATION,
) -> AsymptoticCls:
    r"""Asymptotic CLs of a signal strength, statistic $\tilde q_\mu$.

    Not to be used below about ten events: see `bsmfit.inference.asymptotics.formulae`.

    Args:
        point: One count.
        strength: Signal strength, >= 0.
        n_iteration: Newton steps of each fit.

    Returns:
        CLs with its parts; $CL_s = 1$ at strength or signal zero.

    References:
        arXiv:1007.1727; Asimov set profiled on the data at strength 0, as in pyhf.

    Examples:
        >>> point = CountingPoint.from_nominal(
        ...     jnp.array(3.0),
        ...     jnp.array(4.0),
        ...     signal_log_kappa=jnp.log(1.15),
        ...     background=jnp.array([2.0]),
        ...     background_log_kappa=jnp.log(jnp.array([1.3])),
        ... )
        >>> result = asymptotic_counting_cls(point, jnp.array(1.0))
        >>> round(float(jnp.exp(result.log_cls)), 6)
        0.138398
    """
    require_x64("asymptotic_counting_cls")
    return _cls(_Prepared.from_point(point, n_iteration), strength, n_iteration)


def asymptotic_counting_limit(
    point: CountingPoint,
    *,
    cl: Level,
    n_iteration: int = N_ITERATION,
    n_step: int = _N_STEP,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    r"""Asymptotic CLs upper limit on the signal strength, statistic $\tilde q_\mu$.

    Differentiable in every input of the point. Not to be used below about ten events.

    Args:
        point: One count.
        cl: Confidence level, for example 0.90.
        n_iteration: Newton steps of each fit.
        n_step: Most steps of the root finder.

    Returns:
        The limit, and whether it converged; nan where it did not.
    """
    require_x64("asymptotic_counting_limit")
    prepared = _Prepared.from_point(point, n_iteration)
    target = jnp.sqrt(-2.0 * jnp.log1p(-jnp.asarray(cl, dtype=point.signal.dtype)))
    has_signal = point.signal > 0.0
    signal = jnp.where(has_signal, point.signal, 1.0)

    def residual(events: Float[Array, ""]) -> Float[Array, ""]:
        log_cls = _cls(prepared, events / signal, n_iteration).log_cls
        return target - safe_sqrt(-2.0 * log_cls)

    first = _first_guess(prepared, signal)
    events, is_solved = illinois_root(
        residual, jnp.zeros_like(first), first, n_step=n_step, is_growing=True
    )
    is_converged = is_solved & has_signal & prepared.background.is_converged
    return jnp.where(is_converged, events / signal, jnp.nan), is_converged


def asymptotic_counting_bands(
    point: CountingPoint,
    *,
    cl: Level,
    n_iteration: int = N_ITERATION,
    n_step: int = _N_STEP,
) -> tuple[Float[Array, " n_band"], Bool[Array, " n_band"]]:
    r"""Asymptotic limits expected without signal, at -2, -1, 0, 1 and 2 sigma.

    The Asimov set is profiled on the data at strength 0, so the expectation depends on
    the count (as in pyhf). The limit N standard deviations of excess away is where
    $\sqrt{q_A} = N + \Phi^{-1}[1-(1-cl)\Phi(N)]$.

    Args:
        point: One count.
        cl: Confidence level, for example 0.90.
        n_iteration: Newton steps of each fit.
        n_step: Most steps of the root finder.

    Returns:
        Limits on the strength in the order of `BAND_N_SIGMA`, and whether each
        converged.
    """
    require_x64("asymptotic_counting_bands")
    prepared = _Prepared.from_point(point, n_iteration)
    has_signal = point.signal > 0.0
    signal = jnp.where(has_signal, point.signal, 1.0)
    first = _first_guess(prepared, signal)
    n_sigma = jnp.asarray(BAND_N_SIGMA, dtype=point.signal.dtype)

    def limit(root: Float[Array, ""]) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        def residual(events: Float[Array, ""]) -> Float[Array, ""]:
            q_asimov, _ = _asimov_statistic(prepared, events / signal, n_iteration)
            return safe_sqrt(q_asimov) - root

        return illinois_root(
            residual, jnp.zeros_like(first), first, n_step=n_step, is_growing=True
        )

    events, is_solved = jax.vmap(limit)(expected_root(n_sigma, cl=cl))
    is_converged = is_solved & has_signal & prepared.background.is_converged
    return jnp.where(is_converged, events / signal, jnp.nan), is_converged


def asymptotic_counting_discovery(
    point: CountingPoint, *, n_iteration: int = N_ITERATION
) -> Float[Array, ""]:
    r"""Asymptotic one-sided significance of an excess, $Z = \sqrt{q_0}$.

    Args:
        point: One count; its signal matters only by being positive.
        n_iteration: Newton steps of the fit.

    Returns:
        Standard deviations; 0 for a deficit.
    """
    require_x64("asymptotic_counting_discovery")
    background = background_fit(point, n_iteration=n_iteration)
    free = free_fit(point, background_only=background)
    return discovery_significance(2.0 * (background.nll - free.nll))


def in_chunks(
    function: Callable[..., _Result], *arguments: PyTree, n_chunk: int = 4096
) -> _Result:
    """Map a function of one point over a grid, a block of points at a time.

    Args:
        function: Takes one point of each argument and returns any pytree of arrays.
        *arguments: Pytrees of arrays with one common leading axis.
        n_chunk: Points per block: small enough for intermediate arrays to stay in the
            cache, large enough to hide the cost of a step of the loop.

    Returns:
        The results, with the leading axis of the arguments.

    Examples:
        >>> in_chunks(lambda x, y: x * y, jnp.arange(3.0), jnp.arange(3.0), n_chunk=2)
        Array([0., 1., 4.], dtype=float64)
    """
    n_point = jax.tree.leaves(arguments)[0].shape[0]
    size = min(n_chunk, n_point)
    n_block = -(-n_point // size)
    n_pad = n_block * size - n_point

    def blocks(array: Array) -> Array:
        filled = jnp.concatenate([array, array[:n_pad]]) if n_pad else array
        blocked = filled.reshape(n_block, size, *array.shape[1:])
        # the points of a block are contiguous: one lane each in vector registers
        return jnp.moveaxis(blocked, 1, -1)

    result = lax.map(
        lambda block: jax.vmap(function, in_axes=-1)(*block),
        jax.tree.map(blocks, arguments),
    )
    return jax.tree.map(
        lambda array: array.reshape(n_block * size, *array.shape[2:])[:n_point], result
    )


def _cls(
    prepared: _Prepared, strength: Float[Array, ""], n_iteration: int
) -> AsymptoticCls:
    fit = conditional_fit(prepared.point, strength, n_iteration=n_iteration)
    is_above = strength > prepared.free.strength
    q = jnp.where(is_above, 2.0 * (fit.nll - prepared.free.nll), 0.0)
    q = jnp.maximum(q, 0.0)
    q_asimov, is_asimov_converged = _asimov_statistic(prepared, strength, n_iteration)
    log_clsb, log_clb = asymptotic_log_probabilities(q, q_asimov)
    is_converged = (
        fit.is_converged & is_asimov_converged & prepared.background.is_converged
    )
    return AsymptoticCls(
        log_clsb=log_clsb,
        log_clb=log_clb,
        log_cls=log_clsb - log_clb,
        q=q,
        q_asimov=q_asimov,
        is_converged=is_converged,
    )


def _asimov_statistic(
    prepared: _Prepared, strength: Float[Array, ""], n_iteration: int
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    fit = conditional_fit(prepared.asimov, strength, n_iteration=n_iteration)
    return jnp.maximum(2.0 * fit.nll, 0.0), fit.is_converged


def _first_guess(prepared: _Prepared, signal: Float[Array, ""]) -> Float[Array, ""]:
    """Signal events a little above most limits, in the Gaussian approximation."""
    expected = prepared.background.expected
    responses = prepared.point.background_log_kappa
    yields = prepared.point.background * jnp.exp(
        responses * prepared.background.theta[1:]
    )
    variance = expected + jnp.sum((responses * yields) ** 2, axis=-1)
    best = prepared.free.strength * signal
    return lax.stop_gradient(best + 2.5 * jnp.sqrt(variance + best) + 3.0)
