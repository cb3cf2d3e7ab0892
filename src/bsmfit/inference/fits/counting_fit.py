r"""Fits of one count with separable log-normal nuisances.

$$\lambda(\mu,\theta) = \mu s\,e^{\theta_0\ln\kappa_s}
  + \sum_{j\ge1} b_j\,e^{\theta_j\ln\kappa_j},\qquad
  \mathrm{NLL} = \lambda - n\ln\lambda + \tfrac12\sum_j(\theta_j-a_j)^2$$

Each nuisance acts on one term, so the Hessian is a diagonal plus one outer product and
a Newton step costs a few multiplications per term (Sherman and Morrison). All steps are
elementwise: after `vmap` each point of a grid is one lane of an array per term. The
terms are unrolled by a Python loop, and so are the steps that nearly all points need;
more follow where a gain is still in sight. NLLs are relative to a perfect description,
so that counts of 1e9 lose no digits.

Derivatives are those of the fit, not of the iteration: it runs on frozen inputs, and
the last Newton step on live ones, whose derivative is $d\hat\theta =
-H^{-1}\partial_\phi g$, in forward and reverse mode. First derivatives of
everything and second derivatives of the NLL are right.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64

__all__ = [
    "ConditionalFit",
    "CountingPoint",
    "FreeFit",
    "background_fit",
    "conditional_fit",
    "free_fit",
]

N_ITERATION = 6
# largest change of the log of a term by a step, and by the first one
_LARGEST_STEP = 1.5
_LARGEST_FIRST_STEP = 3.0
# steps beyond the usual ones, for pulls that change a yield by orders of magnitude
_N_EXTRA = 60
_SMALLEST_RATE = 1e-10
# curvature along one nuisance: where the Hessian is positive without help, and else
_SMALLEST_CURVATURE = 1e-3
_FORCED_CURVATURE = 0.3
# gain in the NLL that the last step may have promised: it leaves about its square
_TOLERANCE = 1e-7

_Terms = tuple[Float[Array, ""], ...]


class CountingPoint(eqx.Module):
    r"""One count, its expectation and its nuisances, or a batch of them.

    Every array is a leaf that may carry leading axes of a grid; the functions of this
    module take one point and are mapped over the grid by `vmap`.

    Attributes:
        n_observed: Observed events; a float, so that Asimov counts fit.
        signal: Expected signal at strength 1 [events].
        signal_log_kappa: Log response of the signal to its nuisance. Several nuisances
            that act on nothing else add in quadrature.
        background: Expected background of each term [events].
        background_log_kappa: Log response of each background to its nuisance.
        auxiliary: Auxiliary measurements $a_j$, signal first; 0 at nominal.
    """

    n_observed: Float[Array, " *point"]
    signal: Float[Array, " *point"]
    signal_log_kappa: Float[Array, " *point"]
    background: Float[Array, " *point n_background"]
    background_log_kappa: Float[Array, " *point n_background"]
    auxiliary: Float[Array, " *point n_background+1"]

    @classmethod
    def from_nominal(
        cls,
        n_observed: Float[Array, " *point"],
        signal: Float[Array, " *point"],
        *,
        signal_log_kappa: Float[Array, " *point"],
        background: Float[Array, " *point n_background"],
        background_log_kappa: Float[Array, " *point n_background"],
    ) -> CountingPoint:
        """Point whose auxiliary measurements are all at their nominal value, 0."""
        shape = (*background.shape[:-1], background.shape[-1] + 1)
        return cls(
            n_observed=n_observed,
            signal=signal,
            signal_log_kappa=signal_log_kappa,
            background=background,
            background_log_kappa=background_log_kappa,
            auxiliary=jnp.zeros(shape, dtype=background.dtype),
        )

    def asimov(self, fit: ConditionalFit) -> CountingPoint:
        """The same point with the count and auxiliaries that a fit expects."""
        return CountingPoint(
            n_observed=fit.expected,
            signal=self.signal,
            signal_log_kappa=self.signal_log_kappa,
            background=self.background,
            background_log_kappa=self.background_log_kappa,
            auxiliary=fit.theta,
        )


class ConditionalFit(eqx.Module):
    r"""Nuisances profiled at a fixed strength.

    Attributes:
        theta: Profiled nuisances, signal first.
        nll: $\lambda - n - n\ln(\lambda/n) + \sum_j(\theta_j-a_j)^2/2$ there.
        expected: $\lambda$ there [events].
        is_converged: Whether the last step promised no gain that matters.
    """

    theta: Float[Array, " *point n_nuisance"]
    nll: Float[Array, " *point"]
    expected: Float[Array, " *point"]
    is_converged: Bool[Array, " *point"]


class FreeFit(eqx.Module):
    r"""Best strength, not below zero, and nuisances.

    Attributes:
        strength: Best strength, >= 0.
        theta: Nuisances there, signal first.
        nll: Smallest NLL.
    """

    strength: Float[Array, " *point"]
    theta: Float[Array, " *point n_nuisance"]
    nll: Float[Array, " *point"]


def conditional_fit(
    point: CountingPoint,
    strength: Float[Array, ""],
    *,
    n_iteration: int = N_ITERATION,
) -> ConditionalFit:
    r"""Fit the nuisances at a fixed signal strength.

    Starts at the fit of responses linear in $\theta$, which is closed form, and takes
    Newton steps that change no term by more than a factor 4.5. Six steps leave an error
    of CLs below 1e-9 at all of 2e5 random points with $\kappa < 1.5$, $b > 0.1$ and
    counts of mean up to 30.

    Args:
        point: One count.
        strength: Signal strength, >= 0.
        n_iteration: Newton steps before more are taken where they are needed.

    Returns:
        The profiled nuisances.

    Examples:
        >>> point = CountingPoint.from_nominal(
        ...     jnp.array(3.0),
        ...     jnp.array(4.0),
        ...     signal_log_kappa=jnp.log(1.15),
        ...     background=jnp.array([2.0]),
        ...     background_log_kappa=jnp.log(jnp.array([1.3])),
        ... )
        >>> fit = conditional_fit(point, jnp.array(1.0))
        >>> round(float(fit.expected), 4), bool(fit.is_converged)
        (5.7389, True)
    """
    require_x64("conditional_fit")
    rates = (strength * point.signal, *_along_last(point.background))
    log_kappas = (point.signal_log_kappa, *_along_last(point.background_log_kappa))
    auxiliary = _along_last(point.auxiliary)
    theta, nll, expected, is_converged = _minimise(
        point.n_observed, rates, log_kappas, auxiliary, n_iteration
    )
    return ConditionalFit(jnp.stack(theta), nll, expected, is_converged)


def background_fit(
    point: CountingPoint, *, n_iteration: int = N_ITERATION
) -> ConditionalFit:
    r"""Fit the nuisances at strength zero, where that of the signal is free of data.

    Args:
        point: One count.
        n_iteration: Newton steps, at least 1.

    Returns:
        The same as `conditional_fit` at strength 0, for less work.
    """
    require_x64("background_fit")
    signal_auxiliary, *auxiliary = _along_last(point.auxiliary)
    theta, nll, expected, is_converged = _minimise(
        point.n_observed,
        _along_last(point.background),
        _along_last(point.background_log_kappa),
        tuple(auxiliary),
        n_iteration,
    )
    return ConditionalFit(
        jnp.stack([signal_auxiliary, *theta]), nll, expected, is_converged
    )


def free_fit(
    point: CountingPoint, *, background_only: ConditionalFit | None = None
) -> FreeFit:
    r"""Fit strength and nuisances; the strength is not below zero.

    One count cannot pull the nuisances while the strength is free: above the nominal
    background $B = \sum_j b_je^{a_j\ln\kappa_j}$ the fit is $\hat\theta = a$,
    $\hat\mu = (n-B)/(s\,e^{a_0\ln\kappa_s})$. At or below it the strength is 0. The
    choice is made by the sign of the derivative in the strength at zero.

    Args:
        point: One count.
        background_only: The fit at strength 0, if already done.

    Returns:
        The best fit; strength 0 where there is no signal to fit.
    """
    require_x64("free_fit")
    if background_only is None:
        background_only = background_fit(point)
    auxiliary = _along_last(point.auxiliary)
    signal = point.signal * jnp.exp(point.signal_log_kappa * auxiliary[0])
    nominal = jnp.zeros_like(point.n_observed)
    for rate, log_kappa, a in zip(
        _along_last(point.background),
        _along_last(point.background_log_kappa),
        auxiliary[1:],
        strict=True,
    ):
        nominal = nominal + rate * jnp.exp(log_kappa * a)
    n = point.n_observed
    is_excess = (n > nominal) & (signal > 0.0)
    strength = (n - nominal) / jnp.where(is_excess, signal, 1.0)
    return FreeFit(
        strength=jnp.where(is_excess, strength, 0.0),
        theta=jnp.where(is_excess, point.auxiliary, background_only.theta),
        nll=jnp.where(is_excess, 0.0, background_only.nll),
    )


def _along_last(array: Float[Array, " n_term"]) -> _Terms:
    return tuple(array[i] for i in range(array.shape[0]))


def _minimise(
    n: Float[Array, ""],
    rates: _Terms,
    log_kappas: _Terms,
    auxiliary: _Terms,
    n_iteration: int,
) -> tuple[_Terms, Float[Array, ""], Float[Array, ""], Bool[Array, ""]]:
    """Profiled nuisances, NLL, expected events and whether the gradient vanishes."""
    live = (n, rates, log_kappas, auxiliary)
    frozen = lax.stop_gradient(live)
    theta = _linear_fit(*frozen)
    gain = jnp.full_like(frozen[0], jnp.inf)
    # unrolled: twice as fast as a loop in XLA
    for _ in range(n_iteration - 1):
        theta, gain = _newton_step(theta, *frozen)

    def is_far(now: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        _, gain, count = now
        return (gain > _TOLERANCE) & (count < _N_EXTRA)

    def again(now: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        stepped, gain = _newton_step(tuple(now[0]), *frozen)
        return jnp.stack(stepped), gain, now[2] + 1

    begin = (jnp.stack(theta), gain, jnp.zeros((), dtype=int))
    stacked, _, _ = lax.while_loop(is_far, again, begin)
    theta, gain = _newton_step(tuple(lax.stop_gradient(stacked)), *live)
    expected, _, _ = _gradient(theta, *live)
    penalty = sum((t - a) * (t - a) for t, a in zip(theta, auxiliary, strict=True))
    nll = _poisson_excess(n, expected) + 0.5 * penalty
    is_converged = lax.stop_gradient(gain) < _TOLERANCE
    return theta, nll, expected, is_converged


def _poisson_excess(n: Float[Array, ""], expected: Float[Array, ""]) -> Array:
    r"""$\lambda - n - n\ln(\lambda/n)$, without cancellation near $\lambda = n$."""
    has_counts = n > 0.0
    known = jnp.where(has_counts, n, 1.0)
    distance = expected / known - 1.0
    is_close = jnp.abs(distance) < 0.5
    close = jnp.log1p(jnp.where(is_close, distance, 0.0))
    far = jnp.log(jnp.where(is_close, 1.0, expected / known))
    excess = known * (distance - jnp.where(is_close, close, far))
    return jnp.where(has_counts, excess, expected)


def _linear_fit(
    n: Float[Array, ""], rates: _Terms, log_kappas: _Terms, auxiliary: _Terms
) -> _Terms:
    r"""Fit with $\lambda$ linear in $\theta$ around a: a quadratic equation.

    $\theta = a - (1-n/\lambda)v$ gives $\lambda^2 - (\lambda_0-V)\lambda - nV = 0$,
    $V = \sum_j v_j^2$.
    """
    terms = [
        rate * jnp.exp(k * a)
        for rate, k, a in zip(rates, log_kappas, auxiliary, strict=True)
    ]
    slopes = [k * term for k, term in zip(log_kappas, terms, strict=True)]
    variance = sum(v * v for v in slopes)
    half = 0.5 * (sum(terms) - variance)
    expected = half + jnp.sqrt(half * half + n * variance)
    pull = 1.0 - n / jnp.maximum(expected, _SMALLEST_RATE)
    changes = tuple(k * pull * v for k, v in zip(log_kappas, slopes, strict=True))
    shrink = pull / jnp.maximum(1.0, _largest(changes) / _LARGEST_FIRST_STEP)
    return tuple(a - shrink * v for a, v in zip(auxiliary, slopes, strict=True))


def _gradient(
    theta: _Terms,
    n: Float[Array, ""],
    rates: _Terms,
    log_kappas: _Terms,
    auxiliary: _Terms,
) -> tuple[Float[Array, ""], _Terms, _Terms]:
    r"""Expected events, $v_j = \partial\lambda/\partial\theta_j$, NLL gradient."""
    terms = [
        rate * jnp.exp(k * t)
        for rate, k, t in zip(rates, log_kappas, theta, strict=True)
    ]
    expected = jnp.maximum(sum(terms), _SMALLEST_RATE)
    slopes = tuple(k * term for k, term in zip(log_kappas, terms, strict=True))
    excess = 1.0 - n / expected
    gradient = tuple(
        excess * v + (t - a) for v, t, a in zip(slopes, theta, auxiliary, strict=True)
    )
    return expected, slopes, gradient


def _newton_step(
    theta: _Terms,
    n: Float[Array, ""],
    rates: _Terms,
    log_kappas: _Terms,
    auxiliary: _Terms,
) -> tuple[_Terms, Float[Array, ""]]:
    r"""One step and the gain that it promises.

    $H = \mathrm{diag}(D) + c\,vv^T$ is made positive where it is not. With one negative
    $D_j$ the whole is still positive if $1 + c\sum_j v_j^2/D_j < 0$.
    """
    expected, slopes, gradient = _gradient(theta, n, rates, log_kappas, auxiliary)
    ratio = n / expected
    outer = ratio / expected
    curvatures = [
        1.0 + (1.0 - ratio) * k * v for k, v in zip(log_kappas, slopes, strict=True)
    ]
    exact = [_away_from_zero(d) for d in curvatures]
    n_negative = sum((d < 0.0).astype(jnp.int32) for d in curvatures)
    capacity = 1.0 + outer * sum(v * v / d for v, d in zip(slopes, exact, strict=True))
    is_convex = (n_negative == 0) | ((n_negative == 1) & (capacity < 0.0))
    diagonal = [
        jnp.where(is_convex, d, jnp.maximum(d, _FORCED_CURVATURE)) for d in exact
    ]
    steps = _solve(diagonal, slopes, gradient, outer)
    changes = tuple(k * step for k, step in zip(log_kappas, steps, strict=True))
    shrink = 1.0 / jnp.maximum(1.0, _largest(changes) / _LARGEST_STEP)
    gain = 0.5 * sum(g * step for g, step in zip(gradient, steps, strict=True))
    theta = tuple(t - shrink * step for t, step in zip(theta, steps, strict=True))
    return theta, jnp.abs(gain)


def _solve(
    diagonal: list[Float[Array, ""]],
    slopes: _Terms,
    gradient: _Terms,
    outer: Float[Array, ""],
) -> _Terms:
    r"""$(\mathrm{diag}(D) + c\,vv^T)^{-1}g$ by the formula of Sherman and Morrison."""
    inverse = [1.0 / d for d in diagonal]
    scaled = [v * i for v, i in zip(slopes, inverse, strict=True)]
    along = sum(w * g for w, g in zip(scaled, gradient, strict=True))
    capacity = 1.0 + outer * sum(v * w for v, w in zip(slopes, scaled, strict=True))
    factor = outer * along / capacity
    return tuple(
        g * i - w * factor for g, i, w in zip(gradient, inverse, scaled, strict=True)
    )


def _away_from_zero(curvature: Float[Array, ""]) -> Float[Array, ""]:
    is_close = jnp.abs(curvature) < _SMALLEST_CURVATURE
    edge = jnp.where(curvature < 0.0, -_SMALLEST_CURVATURE, _SMALLEST_CURVATURE)
    return jnp.where(is_close, edge, curvature)


def _largest(terms: _Terms) -> Float[Array, ""]:
    largest = jnp.abs(terms[0])
    for term in terms[1:]:
        largest = jnp.maximum(largest, jnp.abs(term))
    return largest
