r"""CLs of one count by toys, in three ensembles that answer three questions.

| ensemble | count drawn from | auxiliary of the toy | statistic |
| --- | --- | --- | --- |
| `unconditional` | nuisances profiled on data | drawn around them | $\tilde q_\mu$ |
| `conditional` | nuisances profiled on data | as observed | $\tilde q_\mu$ |
| `marginal` | nuisances drawn around the auxiliary | as observed | count |

Profiling is done at the tested strength for $CL_{s+b}$ and at strength zero for $CL_b$.
The choice moves a limit at one event by 20 %: it is part of the answer. `marginal` is
a cross-check here, since `bsmfit.inference.counts.marginal` computes it exactly.

One set of uniform and normal random numbers serves all strengths: counts are the
inverse of the Poisson distribution at the uniforms. So CLs is a smooth function of the
strength up to steps of one toy, and its root can be searched. No
derivatives: a fraction of toys has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln, ndtr, ndtri, xlogy
from jaxtyping import Array, Bool, Float, Key

from bsmfit._x64 import require_x64
from bsmfit.core.argument import MOST_TOYS, choice, level, whole_number
from bsmfit.core.array_argument import random_key
from bsmfit.core.illinois import illinois_root
from bsmfit.inference.asymptotics.counting import BAND_N_SIGMA, in_chunks
from bsmfit.inference.fits.counting_fit import (
    ConditionalFit,
    CountingPoint,
    background_fit,
    conditional_fit,
    free_fit,
)

__all__ = [
    "ENSEMBLES",
    "CountingToys",
    "ToyCls",
    "poisson_quantile",
    "profile_statistic",
    "toy_counting_bands",
    "toy_counting_cls",
    "toy_counting_limit",
    "toy_counting_limit_bands",
]

Ensemble = Literal["unconditional", "conditional", "marginal"]
ENSEMBLES = ("unconditional", "conditional", "marginal")
# auxiliaries drawn four standard deviations away need two steps more than data
N_ITERATION = 8
# toys within it of the observed statistic are ties
_TIE = 1e-9
_CHUNK = 4096
# residual of a toy limit, in standard deviations times the root of the number of toys
_TOLERANCE = 3.0


class CountingToys(eqx.Module):
    """Random numbers for toys of one count, common to all strengths.

    Attributes:
        uniform_signal: Quantiles of the counts drawn with signal, in [0, 1).
        normal_signal: Unit normals of their nuisances.
        uniform_background: Quantiles of the counts drawn without signal.
        normal_background: Unit normals of their nuisances.
    """

    uniform_signal: Float[Array, " n_toy"]
    normal_signal: Float[Array, " n_toy n_nuisance"]
    uniform_background: Float[Array, " n_toy"]
    normal_background: Float[Array, " n_toy n_nuisance"]

    @classmethod
    def from_key(
        cls, key: Key[Array, ""], n_toy: int, *, n_nuisance: int
    ) -> CountingToys:
        """Draw the numbers.

        Args:
            key: Random key, from `jax.random.key`.
            n_toy: Toys of each hypothesis.
            n_nuisance: Nuisances, one more than background terms.
        """
        require_x64("CountingToys.from_key")
        n_toy = whole_number("n_toy", n_toy, low=1, high=MOST_TOYS)
        keys = jax.random.split(random_key("key", key), 4)
        return cls(
            uniform_signal=jax.random.uniform(keys[0], (n_toy,)),
            normal_signal=jax.random.normal(keys[1], (n_toy, n_nuisance)),
            uniform_background=jax.random.uniform(keys[2], (n_toy,)),
            normal_background=jax.random.normal(keys[3], (n_toy, n_nuisance)),
        )


class ToyCls(eqx.Module):
    r"""CLs estimated by toys.

    Attributes:
        value: $CL_s$; not below half a toy, so that its logarithm is finite.
        clsb: $CL_{s+b}$.
        clb: $CL_b$.
        error: Standard error of $CL_s$ by the finite number of toys.
        fraction_converged: Toys whose fits converged.
        ensemble: Where counts and auxiliaries of a toy are drawn from.
    """

    value: Float[Array, ""]
    clsb: Float[Array, ""]
    clb: Float[Array, ""]
    error: Float[Array, ""]
    fraction_converged: Float[Array, ""]
    ensemble: str = eqx.field(static=True)


class _Sample(eqx.Module):
    """Statistics, large where background-like, of the data and of the toys."""

    observed: Float[Array, ""]
    signal: Float[Array, " n_toy"]
    background: Float[Array, " n_toy"]
    fraction_converged: Float[Array, ""]


def poisson_quantile(
    probability: Float[Array, ""], expected: Float[Array, ""]
) -> Float[Array, ""]:
    r"""Smallest count n with $P(\le n;\lambda) \ge u$: the inverse Poisson CDF.

    Summed upwards from ten standard deviations below the mean, where less than 1e-20
    is left out; lanes of a batch wait for the largest.

    Args:
        probability: u, in [0, 1).
        expected: Expected events, 0 to 1e4.

    Returns:
        The count, as a float; at most 12 standard deviations and 40 above the mean.

    Examples:
        >>> float(poisson_quantile(jnp.array(0.95), jnp.array(2.0)))
        5.0
    """
    width = jnp.sqrt(expected)
    first = jnp.maximum(jnp.floor(expected - 10.0 * width - 10.0), 0.0)
    last = jnp.ceil(expected + 12.0 * width + 40.0)
    term = jnp.exp(xlogy(first, expected) - expected - gammaln(first + 1.0))

    def is_short(state: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        count, _, total = state
        return (total < probability) & (count < last)

    def add(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, term, total = state
        term = term * expected / (count + 1.0)
        return count + 1.0, term, total + term

    count, _, _ = lax.while_loop(is_short, add, (first, term, term))
    return count


def profile_statistic(
    point: CountingPoint, strength: Float[Array, ""], *, n_iteration: int = N_ITERATION
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    r"""$\tilde q_\mu$ of one count, and whether its two fits converged.

    Args:
        point: One count, observed or a toy.
        strength: Tested strength, >= 0.
        n_iteration: Newton steps of each fit.

    Returns:
        The statistic, 0 where the best strength is above the tested one.
    """
    background = background_fit(point, n_iteration=n_iteration)
    free = free_fit(point, background_only=background)
    fit = conditional_fit(point, strength, n_iteration=n_iteration)
    q = jnp.where(strength > free.strength, 2.0 * (fit.nll - free.nll), 0.0)
    return jnp.maximum(q, 0.0), fit.is_converged & background.is_converged


def toy_counting_cls(
    point: CountingPoint,
    strength: Float[Array, ""],
    *,
    toys: CountingToys,
    ensemble: Ensemble,
    n_iteration: int = N_ITERATION,
) -> ToyCls:
    r"""CLs of a signal strength by toys.

    $$\sigma(CL_s) = CL_s\sqrt{\frac{1-p_{sb}}{N p_{sb}}+\frac{1-p_b}{N p_b}}$$

    Args:
        point: One count.
        strength: Signal strength, > 0.
        toys: Random numbers.
        ensemble: One of `ENSEMBLES`.
        n_iteration: Newton steps of each fit.

    Returns:
        CLs with its statistical error.
    """
    require_x64("toy_counting_cls")
    sample = _sample(point, strength, toys, ensemble, n_iteration)
    return _estimate(sample, sample.observed, ensemble)


def toy_counting_limit(
    point: CountingPoint,
    *,
    cl: float,
    toys: CountingToys,
    ensemble: Ensemble,
    n_iteration: int = N_ITERATION,
    n_step: int = 12,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """CLs upper limit on the strength by toys, the same random numbers at each step.

    Args:
        point: One count.
        cl: Confidence level, for example 0.90.
        toys: Random numbers.
        ensemble: One of `ENSEMBLES`.
        n_iteration: Newton steps of each fit.
        n_step: Steps of the root finder.

    Returns:
        The limit, and whether CLs there is the level within the resolution of the
        toys; nan where it is not. Not differentiable.
    """
    require_x64("toy_counting_limit")
    cl = level(cl)

    def estimate(strength: Float[Array, ""]) -> Float[Array, ""]:
        sample = _sample(point, strength, toys, ensemble, n_iteration)
        return _estimate(sample, sample.observed, ensemble).value

    return _limit(estimate, point, cl=cl, n_step=n_step, n_toy=_n_toy(toys))


def toy_counting_bands(
    point: CountingPoint,
    strength: Float[Array, ""],
    *,
    toys: CountingToys,
    ensemble: Ensemble,
    n_iteration: int = N_ITERATION,
) -> Float[Array, " n_band"]:
    r"""CLs expected without signal, at the quantiles of the background toys.

    Band N is the CLs of the statistic with $P(\tilde q \ge q_N|0) \ge \Phi(N)$: for a
    plain count, that of the smallest n with $P(\le n|b)\ge\Phi(N)$.

    Args:
        point: One count; its nuisances at strength 0 are the hypothesis.
        strength: Signal strength, > 0.
        toys: Random numbers.
        ensemble: One of `ENSEMBLES`.
        n_iteration: Newton steps of each fit.

    Returns:
        CLs in the order of `BAND_N_SIGMA`, rising.
    """
    require_x64("toy_counting_bands")
    sample = _sample(point, strength, toys, ensemble, n_iteration)
    edges = [_band_edge(sample, n_sigma) for n_sigma in BAND_N_SIGMA]
    return jnp.stack([_estimate(sample, edge, ensemble).value for edge in edges])


def toy_counting_limit_bands(
    point: CountingPoint,
    *,
    cl: float,
    toys: CountingToys,
    ensemble: Ensemble,
    n_iteration: int = N_ITERATION,
    n_step: int = 12,
) -> tuple[Float[Array, " n_band"], Bool[Array, " n_band"]]:
    """Limits on the strength expected without signal, by toys.

    Args:
        point: One count; its nuisances at strength 0 are the hypothesis.
        cl: Confidence level, for example 0.90.
        toys: Random numbers.
        ensemble: One of `ENSEMBLES`.
        n_iteration: Newton steps of each fit.
        n_step: Steps of the root finder.

    Returns:
        Limits in the order of `BAND_N_SIGMA`, and whether each converged.
    """
    require_x64("toy_counting_limit_bands")
    cl = level(cl)

    def limit(band: Array) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        def estimate(strength: Float[Array, ""]) -> Float[Array, ""]:
            sample = _sample(point, strength, toys, ensemble, n_iteration)
            edges = jnp.stack([_band_edge(sample, n) for n in BAND_N_SIGMA])
            return _estimate(sample, edges[band], ensemble).value

        return _limit(estimate, point, cl=cl, n_step=n_step, n_toy=_n_toy(toys))

    return lax.map(limit, jnp.arange(len(BAND_N_SIGMA)))


def _n_toy(toys: CountingToys) -> int:
    return toys.uniform_signal.shape[0]


def _limit(
    estimate: Callable[[Float[Array, ""]], Float[Array, ""]],
    point: CountingPoint,
    *,
    cl: float,
    n_step: int,
    n_toy: int,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    target = ndtri(jnp.asarray(1.0 - cl, dtype=point.signal.dtype))
    has_signal = point.signal > 0.0
    signal = jnp.where(has_signal, point.signal, 1.0)

    def residual(events: Float[Array, ""]) -> Float[Array, ""]:
        cls = estimate(events / signal)
        return ndtri(jnp.clip(cls, 0.5 / n_toy, 1.0 - 0.5 / n_toy)) - target

    n = point.n_observed
    high = (n + 6.0 * jnp.sqrt(n + 1.0) + 12.0) * (1.0 + 4.0 * point.signal_log_kappa)
    events, is_solved = illinois_root(
        residual,
        jnp.full_like(high, 0.05),
        high,
        n_step=n_step,
        tolerance=_TOLERANCE / math.sqrt(n_toy),
    )
    is_converged = is_solved & has_signal
    return jnp.where(is_converged, events / signal, jnp.nan), is_converged


def _sample(
    point: CountingPoint,
    strength: Float[Array, ""],
    toys: CountingToys,
    ensemble: Ensemble,
    n_iteration: int,
) -> _Sample:
    choice("ensemble", ensemble, ENSEMBLES)
    fits = (
        conditional_fit(point, strength, n_iteration=n_iteration),
        background_fit(point, n_iteration=n_iteration),
    )
    numbers = (
        (toys.uniform_signal, toys.normal_signal),
        (toys.uniform_background, toys.normal_background),
    )
    samples = []
    for fit, drawn, truth in zip(
        fits, numbers, (strength, jnp.zeros_like(strength)), strict=True
    ):

        def statistic(
            uniform: Float[Array, ""],
            normal: Float[Array, " n_nuisance"],
            fit: ConditionalFit = fit,
            truth: Float[Array, ""] = truth,
        ) -> tuple[Float[Array, ""], Bool[Array, ""]]:
            if ensemble == "marginal":
                expected = _expected(point, truth, point.auxiliary + normal)
                return -poisson_quantile(uniform, expected), jnp.ones((), dtype=bool)
            toy = CountingPoint(
                n_observed=poisson_quantile(uniform, fit.expected),
                signal=point.signal,
                signal_log_kappa=point.signal_log_kappa,
                background=point.background,
                background_log_kappa=point.background_log_kappa,
                auxiliary=point.auxiliary
                if ensemble == "conditional"
                else fit.theta + normal,
            )
            return profile_statistic(toy, strength, n_iteration=n_iteration)

        samples.append(in_chunks(statistic, *drawn, n_chunk=_CHUNK))
    if ensemble == "marginal":
        observed = -point.n_observed
    else:
        observed, _ = profile_statistic(point, strength, n_iteration=n_iteration)
    (signal, is_signal), (background, is_background) = samples
    fraction = 0.5 * (_fraction(is_signal) + _fraction(is_background))
    return _Sample(observed, signal, background, fraction)


def _fraction(is_counted: Bool[Array, " n_toy"]) -> Float[Array, ""]:
    # the mean of flags is a 32-bit float unless told otherwise
    return jnp.mean(is_counted, dtype=jnp.float64)


def _expected(
    point: CountingPoint,
    strength: Float[Array, ""],
    theta: Float[Array, " n_nuisance"],
) -> Float[Array, ""]:
    signal = strength * point.signal * jnp.exp(point.signal_log_kappa * theta[0])
    background = point.background * jnp.exp(point.background_log_kappa * theta[1:])
    return signal + jnp.sum(background)


def _band_edge(sample: _Sample, n_sigma: float) -> Float[Array, ""]:
    """Largest statistic that a fraction Phi(N) of the background toys reaches."""
    n_toy = sample.background.shape[0]
    rank = jnp.ceil(ndtr(jnp.asarray(n_sigma, dtype=sample.background.dtype)) * n_toy)
    return jnp.sort(sample.background)[n_toy - rank.astype(int)]


def _estimate(sample: _Sample, statistic: Float[Array, ""], ensemble: str) -> ToyCls:
    n_toy = sample.signal.shape[0]
    floor = 0.5 / n_toy
    clsb = _fraction(sample.signal >= statistic - _TIE)
    clb = _fraction(sample.background >= statistic - _TIE)
    signal, background = jnp.maximum(clsb, floor), jnp.maximum(clb, floor)
    cls = jnp.minimum(signal / background, 1.0)
    variance = (1.0 - signal) / signal + (1.0 - background) / background
    return ToyCls(
        value=cls,
        clsb=clsb,
        clb=clb,
        error=cls * jnp.sqrt(variance / n_toy),
        fraction_converged=sample.fraction_converged,
        ensemble=ensemble,
    )
