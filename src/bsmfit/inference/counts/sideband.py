r"""A background measured by counting in a control region: exact.

The control region sees $m\sim\mathrm{Pois}(\tau b)$ events. Two treatments of the
unknown $b$:

*Averaged.* With a prior flat in $b$ the background is gamma distributed with shape $r =
m + 1$ and rate $\tau$; a background quoted as $b\pm\sigma$ is described by $r =
(b/\sigma)^2$, $\tau = b/\sigma^2$. Its count is negative binomial, and

$$P(N\le n|s) = \sum_{k\le n}\mathrm{Pois}(k|s)\,
  F_{NB}\big(n-k;\, r, \tfrac{\tau}{1+\tau}\big).$$

`GammaBackground.counts` puts it in the form of `bsmfit.inference.counts.marginal`,
whose CLs, limits and expected limits then apply, with an efficiency error if there is
one.

*Profiled.* The best $b$ at fixed signal solves a quadratic equation, so the
profile likelihood ratio needs no fit: `onoff_background` and `onoff_statistic`.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.inference.counts.marginal import MarginalCounts, marginal_log_limits
from bsmfit.likelihood.poisson import Level
from bsmfit.likelihood.quadrature import axis_rule

__all__ = [
    "GammaBackground",
    "onoff_background",
    "onoff_statistic",
    "sideband_upper_limits",
]


class GammaBackground(eqx.Module):
    """A background with a gamma distribution.

    Attributes:
        shape: Shape r of the distribution [1], > 0.
        rate: Its rate tau [1/events], > 0; the exposure of the control region over
            that of the signal region.
    """

    shape: Float[Array, ""]
    rate: Float[Array, ""]

    @classmethod
    def from_control_count(
        cls, n_control: Float[Array, ""], ratio: Float[Array, ""]
    ) -> GammaBackground:
        r"""Background after a count in a control region, prior flat in $b$.

        Its mean is $(m+1)/\tau$, one count above the best value.

        Args:
            n_control: Events m in the control region, >= 0.
            ratio: Exposure tau of the control region over that of the signal region.

        Returns:
            The distribution.
        """
        return cls(shape=n_control + 1.0, rate=ratio)

    @classmethod
    def from_moments(
        cls, mean: Float[Array, ""], standard_deviation: Float[Array, ""]
    ) -> GammaBackground:
        """Background with a given mean and standard deviation.

        Args:
            mean: Expected background [events], > 0.
            standard_deviation: Its uncertainty [events], > 0.

        Returns:
            The distribution.
        """
        variance = standard_deviation**2
        return cls(shape=mean**2 / variance, rate=mean / variance)

    def count_probabilities(self, *, n_max: int) -> Float[Array, " n_count"]:
        r"""Probability of 0 to n_max background events: negative binomial.

        $$P(k) = \frac{\Gamma(r+k)}{\Gamma(r)\,k!}\Big(\frac{\tau}{1+\tau}\Big)^r
          (1+\tau)^{-k}$$

        Args:
            n_max: Largest count.

        Returns:
            The probabilities.

        Examples:
            >>> background = GammaBackground(shape=jnp.array(1.0), rate=jnp.array(1.0))
            >>> background.count_probabilities(n_max=2).round(6).tolist()
            [0.5, 0.25, 0.125]
        """
        require_x64("GammaBackground.count_probabilities")
        k = jnp.arange(n_max + 1, dtype=self.shape.dtype)
        # ratios of neighbours: no digit is lost where shape and rate are huge
        ratio = (self.shape + k[1:] - 1.0) / (k[1:] * (1.0 + self.rate))
        log_zero = -self.shape * jnp.log1p(1.0 / self.rate)
        steps = jnp.concatenate([log_zero[None], jnp.log(ratio)])
        return jnp.exp(jnp.cumsum(steps))

    def counts(
        self, *, n_max: int, efficiency_log_kappa: float = 0.0
    ) -> MarginalCounts:
        r"""What CLs and limits of `bsmfit.inference.counts.marginal` are computed from.

        Args:
            n_max: Largest count, at most 60.
            efficiency_log_kappa: Log-normal response of the signal, a plain number; 0
                where the efficiency is known.

        Returns:
            The prepared probabilities.
        """
        response_nodes, weights = axis_rule(efficiency_log_kappa)
        terms = self.count_probabilities(n_max=n_max)
        return MarginalCounts(
            weights=jnp.asarray(weights),
            response=jnp.exp(efficiency_log_kappa * jnp.asarray(response_nodes)),
            background_terms=jnp.broadcast_to(
                terms[:, None], (terms.size, weights.size)
            ),
            log_scale=jnp.zeros_like(self.shape),
        )


def sideband_upper_limits(
    background: GammaBackground,
    *,
    cl: Level,
    n_max: int = 20,
    efficiency_log_kappa: float = 0.0,
) -> tuple[Float[Array, " n_count"], Bool[Array, " n_count"]]:
    r"""CLs upper limits on signal events for all counts 0 to n_max.

    $-\ln(1-cl)$ at $n = 0$ whatever the background, if the efficiency is known.
    Differentiable in the shape and the rate.

    Args:
        background: Distribution of the background.
        cl: Confidence level, for example 0.90.
        n_max: Largest count, at most 60.
        efficiency_log_kappa: Log-normal response of the signal, a plain number.

    Returns:
        Limits on the signal at nominal efficiency [events], and whether each equation
        is solved; nan where it is not.

    Examples:
        >>> background = GammaBackground.from_moments(jnp.array(0.18), jnp.array(0.06))
        >>> limits, _ = sideband_upper_limits(background, cl=0.90)
        >>> [round(float(limit), 4) for limit in limits[:3]]
        [2.3026, 3.7308, 5.145]
    """
    require_x64("sideband_upper_limits")
    counts = background.counts(n_max=n_max, efficiency_log_kappa=efficiency_log_kappa)
    log_limits, is_converged = marginal_log_limits(counts, cl=cl)
    return jnp.where(is_converged, jnp.exp(log_limits), jnp.nan), is_converged


def onoff_background(
    n_observed: Float[Array, ""],
    n_control: Float[Array, ""],
    *,
    signal: Float[Array, ""],
    ratio: Float[Array, ""],
) -> Float[Array, ""]:
    r"""Best background at fixed signal, control region fitted along.

    $$\hat{\hat b} = \frac{-B+\sqrt{B^2+4(1+\tau)mS}}{2(1+\tau)},\qquad
      B = (1+\tau)S-(n+m)$$

    Args:
        n_observed: Events n in the signal region.
        n_control: Events m in the control region.
        signal: Signal S [events], >= 0.
        ratio: Exposure tau of the control region over that of the signal region.

    Returns:
        Background in the signal region [events], >= 0.

    Examples:
        >>> one = jnp.array(1.0)
        >>> best = onoff_background(one, 9 * one, signal=2.3 * one, ratio=10 * one)
        >>> round(float(best), 6)
        0.842556
    """
    total = 1.0 + ratio
    linear = total * signal - (n_observed + n_control)
    discriminant = linear**2 + 4.0 * total * n_control * signal
    root = safe_sqrt(discriminant)
    # the form without the difference of two large numbers, for either sign
    is_rising = linear > 0.0
    divisor = jnp.where(is_rising, linear + root, 1.0)
    falling = (root - linear) / (2.0 * total)
    return jnp.where(is_rising, 2.0 * n_control * signal / divisor, falling)


def onoff_statistic(
    n_observed: Float[Array, ""],
    n_control: Float[Array, ""],
    *,
    signal: Float[Array, ""],
    ratio: Float[Array, ""],
) -> Float[Array, ""]:
    r"""The statistic $\tilde q_S$ of a count with a control region.

    Twice the difference of the negative log likelihoods at the signal and at the best
    signal not below zero; 0 where the best signal is larger.

    Args:
        n_observed: Events n in the signal region.
        n_control: Events m in the control region.
        signal: Tested signal S [events], >= 0.
        ratio: Exposure tau of the control region over that of the signal region.

    Returns:
        The statistic, >= 0.

    References:
        arXiv:1007.1727 (statistic); arXiv:physics/0702156 (on/off; unverified).
    """
    require_x64("onoff_statistic")
    estimate = n_control / ratio
    best = jnp.maximum(n_observed - estimate, 0.0)

    def deviance(at: Float[Array, ""]) -> Float[Array, ""]:
        background = onoff_background(n_observed, n_control, signal=at, ratio=ratio)
        return _deviance(n_observed, at + background) + _deviance(
            n_control, ratio * background
        )

    difference = deviance(signal) - deviance(best)
    return jnp.where(signal > best, jnp.maximum(difference, 0.0), 0.0)


def _deviance(count: Float[Array, ""], expected: Float[Array, ""]) -> Float[Array, ""]:
    is_positive = expected > 0.0
    return 2.0 * (expected - xlogy(count, jnp.where(is_positive, expected, 1.0)))
