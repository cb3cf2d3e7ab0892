r"""Asymptotic CLs, upper limits and expected limits of any likelihood.

$$\tilde q_\mu = 2\,[\mathrm{NLL}(\mu,\hat{\hat\theta}_\mu)
  - \mathrm{NLL}(\hat\mu,\hat\theta)]\ \text{for}\ \hat\mu\le\mu,\ \text{else}\ 0,
  \qquad \hat\mu\ge0$$

The Asimov set is what the fit at strength 0 expects, counts and auxiliary measurements
(as in pyhf and RooStats); its own best fit is perfect, so a test of one strength takes
two fits beside those at strength 0 and at the best strength, which serve all strengths.
Limits are found by `bsmfit.inference.fits.strength_search`, in signal *events*.
Derivatives of all results are implicit ones.

Not to be used below about ten events: see `bsmfit.inference.asymptotics.formulae`.
Events with densities have no Asimov set; `bsmfit.inference.intervals.profile_interval`
serves them.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64
from bsmfit.errors import InputError
from bsmfit.inference.asymptotics.counting import BAND_N_SIGMA, AsymptoticCls
from bsmfit.inference.asymptotics.formulae import (
    asymptotic_log_probabilities,
    expected_root,
)
from bsmfit.inference.fits.fit import background_and_free_minima, conditional_minimum
from bsmfit.inference.fits.fit_problem import FitProblem
from bsmfit.inference.fits.newton import Minimum
from bsmfit.inference.fits.strength_search import strengths_at
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.poisson import Level

__all__ = ["most_signal_events", "profile_bands", "profile_cls", "profile_limit"]


class _Prepared(eqx.Module):
    """All that does not depend on the tested strength."""

    problem: FitProblem
    asimov: FitProblem
    background: Minimum
    free: Minimum

    @classmethod
    def from_arrays(cls, arrays: LikelihoodArrays, caller: str) -> _Prepared:
        problem = _problem(arrays, caller)
        background, free = background_and_free_minima(problem)
        asimov = problem.with_expected_data(background.point)
        return cls(problem, asimov, background, free)

    @property
    def is_converged(self) -> Bool[Array, ""]:
        return self.background.is_converged & self.free.is_converged


def _problem(arrays: LikelihoodArrays, caller: str) -> FitProblem:
    """The fit problem, for data that have an Asimov set and a strength to test."""
    require_x64(caller)
    if arrays.structure.event_bins:
        msg = (
            f"{caller}: a region has densities for its events, for which no Asimov "
            "set is defined; use method='toys', or profile_interval and discovery, "
            "which need none"
        )
        raise InputError(msg)
    if arrays.structure.n_signal == 0:
        msg = f"{caller}: there is no signal term whose strength could be tested"
        raise InputError(msg)
    return FitProblem.from_arrays(arrays)


def profile_cls(arrays: LikelihoodArrays, strength: Float[Array, ""]) -> AsymptoticCls:
    r"""Asymptotic CLs of a signal strength.

    Args:
        arrays: The likelihood of one point.
        strength: Signal strength, >= 0.

    Returns:
        CLs with its parts; $CL_s = 1$ at strength or signal zero.

    Raises:
        InputError: There is no signal term, or a region has densities for its events.

    References:
        arXiv:1007.1727.

    Examples:
        >>> from bsmfit.likelihood.likelihood import Likelihood
        >>> from bsmfit.likelihood.region import Region, Term
        >>> from bsmfit.likelihood.response import LogNormal
        >>> region = Region(
        ...     "a",
        ...     3,
        ...     signal=[Term("s", 4.0, [LogNormal("efficiency", 1.15)])],
        ...     background=[Term("b", 2.0, [LogNormal("background", 1.3)])],
        ... )
        >>> arrays = Likelihood.from_regions([region]).arrays()
        >>> round(float(jnp.exp(profile_cls(arrays, jnp.array(1.0)).log_cls)), 6)
        0.138398
    """
    prepared = _Prepared.from_arrays(arrays, "profile_cls")
    return _cls(prepared, strength * prepared.problem.signal_events)


def profile_limit(
    arrays: LikelihoodArrays, *, cl: Level
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    r"""Asymptotic CLs upper limit on the signal strength.

    Args:
        arrays: The likelihood of one point.
        cl: Confidence level, for example 0.90.

    Returns:
        The limit, and whether it converged; nan where it did not.

    Raises:
        InputError: There is no signal term, or a region has densities for its events.
    """
    problem = _problem(arrays, "profile_limit")
    target = jnp.sqrt(-2.0 * jnp.log1p(-jnp.asarray(cl)))
    events, is_found = strengths_at(problem, target[None], is_observed=True)
    return _strength(problem, events[0], is_found[0])


def profile_bands(
    arrays: LikelihoodArrays, *, cl: Level
) -> tuple[Float[Array, " n_band"], Bool[Array, " n_band"]]:
    r"""Asymptotic limits expected without signal, at -2, -1, 0, 1 and 2 sigma.

    The limit N standard deviations of excess away is where
    $\sqrt{q_A} = N + \Phi^{-1}[1-(1-cl)\Phi(N)]$; N = +2 is the weakest.

    Args:
        arrays: The likelihood of one point.
        cl: Confidence level, for example 0.90.

    Returns:
        Limits on the strength in the order of `BAND_N_SIGMA`, and whether each
        converged.

    Raises:
        InputError: There is no signal term, or a region has densities for its events.
    """
    problem = _problem(arrays, "profile_bands")
    roots = expected_root(jnp.asarray(BAND_N_SIGMA), cl=cl)
    return _strength(problem, *strengths_at(problem, roots, is_observed=False))


def most_signal_events(
    arrays: LikelihoodArrays, problem: FitProblem
) -> Float[Array, ""]:
    """Signal events beyond any limit at up to two sigma of excess.

    Args:
        arrays: The likelihood.
        problem: Its fit problem.

    Returns:
        Six standard deviations of all events, more for uncertain signals.
    """
    _, background = arrays.expected(arrays.nominal_parameters())
    n = jnp.maximum(jnp.sum(arrays.observed), jnp.sum(background))
    n = lax.stop_gradient(n)
    n_signal = arrays.structure.n_signal
    responses = [jnp.sum(arrays.log_response[:n_signal] ** 2, axis=1, initial=0.0)]
    linear = jnp.max(arrays.linear_response[:, :n_signal], axis=2, initial=0.0)
    responses.append(jnp.sum(linear**2, axis=0, initial=0.0))
    is_signal = np.array(
        [term < n_signal for term, *_ in arrays.structure.asymmetric], dtype=bool
    )
    logs = jnp.max(jnp.abs(jnp.log(arrays.asymmetric)), axis=1, initial=0.0)
    total = jnp.sum(jnp.where(is_signal, logs**2, 0.0))
    error = jnp.sqrt(jnp.max(responses[0] + responses[1], initial=0.0) + total)
    error = jnp.minimum(lax.stop_gradient(error), 3.0)
    return (n + 6.0 * jnp.sqrt(n + 1.0) + 12.0) * (1.0 + 4.0 * error)


def _cls(prepared: _Prepared, signal_events: Float[Array, ""]) -> AsymptoticCls:
    fit, asimov_fit = _both_minima(prepared, signal_events)
    is_above = signal_events > prepared.free.point[0]
    q = jnp.where(is_above, 2.0 * (fit.value - prepared.free.value), 0.0)
    q = jnp.maximum(q, 0.0)
    # the Asimov set is described perfectly at strength 0: its smallest value is 0
    q_asimov = jnp.maximum(2.0 * asimov_fit.value, 0.0)
    log_clsb, log_clb = asymptotic_log_probabilities(q, q_asimov)
    is_converged = fit.is_converged & asimov_fit.is_converged & prepared.is_converged
    return AsymptoticCls(
        log_clsb=log_clsb,
        log_clb=log_clb,
        log_cls=log_clsb - log_clb,
        q=q,
        q_asimov=q_asimov,
        is_converged=is_converged,
    )


def _both_minima(
    prepared: _Prepared, signal_events: Float[Array, ""]
) -> tuple[Minimum, Minimum]:
    """Fits of the data and of the Asimov set, as one vectorised fit."""
    problem, asimov = prepared.problem, prepared.asimov

    def fit(counts: Array, auxiliary: Array, theta: Array) -> Minimum:
        with_data = problem.with_data(counts, auxiliary)
        return conditional_minimum(with_data, signal_events, theta)

    both = jax.vmap(fit)(
        jnp.stack([problem.counts, asimov.counts]),
        jnp.stack([problem.auxiliary, asimov.auxiliary]),
        jnp.stack([prepared.free.point[1:], prepared.background.point[1:]]),
    )
    return tuple(jax.tree.map(lambda x, i=i: x[i], both) for i in (0, 1))


def _strength(
    problem: FitProblem,
    events: Float[Array, " *band"],
    is_found: Bool[Array, " *band"],
) -> tuple[Float[Array, " *band"], Bool[Array, " *band"]]:
    strength = events / problem.signal_events
    return jnp.where(is_found, strength, jnp.nan), is_found
