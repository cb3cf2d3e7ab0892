r"""Two-sided intervals and discovery significance from the profile likelihood.

$$\tilde t_\mu = 2\,[\mathrm{NLL}(\mu,\hat{\hat\theta}_\mu)
  - \mathrm{NLL}(\hat\mu,\hat\theta)],\qquad q_0 = \tilde t_0,\qquad \hat\mu\ge0$$

The interval holds all strengths with $\tilde t_\mu \le z^2$, where
$z = \Phi^{-1}[(1+cl)/2]$ (the MINOS interval). For a best strength above zero
$\tilde t_\mu$ is $t_\mu$. Both need only fits of the data, so regions with densities
for their events are welcome. The threshold is asymptotic: below about ten events use a
Feldman-Cousins belt.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64
from bsmfit.core.illinois import illinois_root
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.inference.asymptotics.formulae import discovery_significance
from bsmfit.inference.fits.fit import background_and_free_minima, conditional_minimum
from bsmfit.inference.fits.fit_problem import FitProblem
from bsmfit.inference.fits.profile import most_signal_events
from bsmfit.likelihood.arrays import LikelihoodArrays

__all__ = ["Discovery", "Interval", "discovery", "profile_interval"]

_N_STEP = 11


class Interval(eqx.Module):
    """Strengths that the data allow, with both ends.

    Attributes:
        low: Lower end; 0 where the interval reaches down to no signal.
        high: Upper end.
        strength: Best strength, >= 0.
        is_low_at_zero: Whether strength 0 is inside: the lower end is the boundary.
        is_converged: Whether fits and ends converged; elsewhere the ends are nan.
    """

    low: Float[Array, ""]
    high: Float[Array, ""]
    strength: Float[Array, ""]
    is_low_at_zero: Bool[Array, ""]
    is_converged: Bool[Array, ""]


class Discovery(eqx.Module):
    r"""Asymptotic significance of an excess, in both conventions.

    Attributes:
        q0: The statistic $q_0$.
        p_value: $p_0 = 1 - \Phi(\sqrt{q_0})$, 1 where the best strength is 0.
        z_one_sided: $\sqrt{q_0}$; 0 for a deficit.
        z_two_sided: $\Phi^{-1}(1 - p_0/2)$.
        strength: Best strength, >= 0.
        is_converged: Whether both fits converged.
    """

    q0: Float[Array, ""]
    p_value: Float[Array, ""]
    z_one_sided: Float[Array, ""]
    z_two_sided: Float[Array, ""]
    strength: Float[Array, ""]
    is_converged: Bool[Array, ""]


def profile_interval(
    arrays: LikelihoodArrays, *, cl: float, n_step: int = _N_STEP
) -> Interval:
    r"""Two-sided interval of the strength, bounded at 0.

    Args:
        arrays: The likelihood of one point.
        cl: Confidence level, for example 0.6827 for one standard deviation.
        n_step: Steps of the root finder.

    Returns:
        Both ends. No interval without signal events: not converged.

    References:
        arXiv:1007.1727.
    """
    require_x64("profile_interval")
    problem = FitProblem.from_arrays(arrays)
    background, free = background_and_free_minima(problem)
    best = free.point[0]
    z = ndtri(jnp.asarray(0.5 + 0.5 * cl))

    def residual(events: Float[Array, " end"]) -> Float[Array, " end"]:
        fits = jax.vmap(lambda m: conditional_minimum(problem, m, free.point[1:]))
        return safe_sqrt(2.0 * (fits(events).value - free.value)) - z

    is_low_at_zero = safe_sqrt(2.0 * (background.value - free.value)) <= z
    high = best + most_signal_events(arrays, problem)
    # without a lower end, that search repeats the upper one and is left out
    first = jnp.stack([jnp.where(is_low_at_zero, best, 0.0), best])
    last = jnp.stack([jnp.where(is_low_at_zero, high, best), high])
    ends, is_solved = illinois_root(residual, first, last, n_step=n_step)
    has_signal = jnp.sum(arrays.yields[: arrays.structure.n_signal]) > 0.0
    is_converged = background.is_converged & free.is_converged & jnp.all(is_solved)
    is_converged = is_converged & has_signal
    low, high = jnp.where(is_converged, ends / problem.signal_events, jnp.nan)
    return Interval(
        low=jnp.where(is_converged & is_low_at_zero, 0.0, low),
        high=high,
        strength=best / problem.signal_events,
        is_low_at_zero=is_low_at_zero,
        is_converged=is_converged,
    )


def discovery(arrays: LikelihoodArrays) -> Discovery:
    r"""Asymptotic significance of an excess over background alone.

    Args:
        arrays: The likelihood of one point; the scale of its signal does not matter.

    Returns:
        $q_0$ and its significance, one-sided and two-sided.

    References:
        arXiv:1007.1727.

    Examples:
        >>> from bsmfit.likelihood.likelihood import Likelihood
        >>> from bsmfit.likelihood.region import Region, Term
        >>> region = Region(
        ...     "a", 20, signal=[Term("s", 1.0)], background=[Term("b", 7.03)]
        ... )
        >>> found = discovery(Likelihood.from_regions([region]).arrays())
        >>> round(float(found.z_one_sided), 3)
        3.985
    """
    require_x64("discovery")
    problem = FitProblem.from_arrays(arrays)
    background, free = background_and_free_minima(problem)
    excess = 2.0 * (background.value - free.value)
    q0 = jnp.where(free.point[0] > 0.0, jnp.maximum(excess, 0.0), 0.0)
    z = discovery_significance(q0)
    p_value = jnp.where(q0 > 0.0, ndtr(-z), 1.0)
    return Discovery(
        q0=q0,
        p_value=p_value,
        z_one_sided=z,
        z_two_sided=-ndtri(0.5 * jnp.maximum(p_value, 1e-300)),
        strength=free.point[0] / problem.signal_events,
        is_converged=background.is_converged & free.is_converged,
    )
