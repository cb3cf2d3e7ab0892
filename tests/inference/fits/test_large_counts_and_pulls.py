"""Fits and limits far from nominal and at large counts.

The limits are those of pyhf 0.7.6 with minuit and bounds that no data meet.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw
from scipy.stats import norm

from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.inference.fits.counting_fit import conditional_fit as counting_conditional
from bsmfit.inference.fits.fit import conditional_fit, free_fit
from bsmfit.inference.limits.result import Status
from bsmfit.inference.limits.upper_limit import upper_limit
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import Free, Gamma, LogNormal, TruncatedNormal


def one_region(observed, signal, background, *responses) -> Likelihood:
    region = Region(
        "a",
        observed,
        signal=[Term("s", signal)],
        background=[Term("b", background, responses)],
    )
    return Likelihood.from_regions([region])


def limits(likelihood: Likelihood) -> np.ndarray:
    found = upper_limit(likelihood, cl=0.95, method="asymptotic")
    assert np.all(found.status == Status.OK)
    return np.asarray(found.value)


def test_limits_of_two_bins_with_a_pull_of_ten():
    factors = jnp.array([[0.92], [0.90], [1.10]])
    background = jnp.array([1e4, 4e4])
    found = limits(
        one_region(
            factors * background[None],
            jnp.array([100.0, 20.0]),
            background,
            LogNormal("norm", 1.01),
        )
    )
    np.testing.assert_allclose(found, [1.1741, 1.0118, 4.5435], rtol=1e-4)


def test_limits_of_a_gaussian_background_with_a_pull_of_ten():
    observed = jnp.array([[29802.0], [32861.0]])
    found = limits(one_region(observed, 1.0, 40000.0, TruncatedNormal("norm", 0.025)))
    np.testing.assert_allclose(found, [295.5, 413.7], rtol=2e-4)


def test_limit_of_one_large_count():
    found = limits(one_region(4e6, 1.0, 4e6, LogNormal("norm", 1.025)))
    np.testing.assert_allclose(found, 189018.0, rtol=1e-5)


def test_limits_of_known_backgrounds_up_to_1e9_are_those_of_the_closed_form():
    """Without nuisances the statistics of one count are elementary."""

    def truth(n: float, b: float) -> float:
        def excess(s: float) -> float:
            best = max(n - b, 0.0)
            q = 2.0 * (s - best - n * np.log1p((s - best) / (best + b)))
            q = q if s > best else 0.0
            asimov = 2.0 * (s - b * np.log1p(s / b))
            z, z_asimov = np.sqrt(max(q, 0.0)), np.sqrt(asimov)
            inside = (norm.sf(z), norm.sf(z - z_asimov))
            outside = [norm.sf((q + k * asimov) / (2.0 * z_asimov)) for k in (1, -1)]
            upper, lower = inside if q <= asimov else outside
            return upper / lower - 0.05

        return brentq(excess, 1e-3, 10.0 * np.sqrt(b) + 2.0 * abs(n - b), xtol=1e-9)

    background = np.array([1e2, 1e5, 1e9, 1e9, 1e7])
    observed = np.array([70.0, 1e5, 1e9 + 9e4, 1e9 - 6e4, 1.2e7])
    region = Region(
        "a",
        jnp.array(observed)[:, None],
        signal=[Term("s", 1.0)],
        background=[Term("b", jnp.array(background)[:, None])],
    )
    expected = [truth(n, b) for n, b in zip(observed, background, strict=True)]
    found = limits(Likelihood.from_regions([region]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("pull", [-50.0, -7.0, 20.0, 50.0])
def test_conditional_fit_far_away_is_that_of_the_equation_of_one_nuisance(pull):
    r"""At $\theta=t$, $n = \lambda(1 + t/(k\lambda))$ makes the gradient vanish."""
    k, b = np.log(1.1), 3e6
    rate = b * np.exp(k * pull)
    n = rate + pull / k
    assert n > 0.0
    likelihood = one_region(n, 1.0, b, LogNormal("norm", 1.1))
    fit = jax.jit(conditional_fit)(likelihood.arrays(), jnp.array(0.0))
    assert bool(fit.is_converged)
    np.testing.assert_allclose(fit.parameters, [pull], rtol=1e-9)
    point = CountingPoint.from_nominal(
        jnp.array(n),
        jnp.array(1.0),
        signal_log_kappa=jnp.array(0.0),
        background=jnp.array([b]),
        background_log_kappa=jnp.array([k]),
    )
    count = jax.jit(counting_conditional)(point, jnp.array(0.0))
    assert bool(count.is_converged)
    np.testing.assert_allclose(count.theta[1], pull, rtol=1e-9)
    distance = rate / n - 1.0
    value = n * (distance - np.log1p(distance)) + 0.5 * pull**2
    np.testing.assert_allclose(count.nll, value, rtol=1e-10)


def test_nothing_seen_pulls_a_background_to_where_lambert_has_it():
    r"""$\theta = -kbe^{k\theta}$ at n = 0, that is $k\theta = -W(k^2b)$."""
    k, b = np.log(1.3), 5e4
    arrays = one_region(0, 1.0, b, LogNormal("norm", 1.3)).arrays()
    fit = jax.jit(conditional_fit)(arrays, jnp.array(0.0))
    assert bool(fit.is_converged)
    expected = -float(lambertw(k * k * b).real) / k
    np.testing.assert_allclose(fit.parameters, [expected], rtol=1e-9)


def test_a_free_factor_may_go_to_zero():
    region = Region(
        "a",
        [0.0, 1e6],
        signal=[Term("s", [0.0, 1.0])],
        background=[
            Term("b", [1e5, 0.0], [Free("b")]),
            Term("c", [0.0, 1e6], [Gamma("c", 0.01)]),
        ],
    )
    fit = jax.jit(free_fit)(Likelihood.from_regions([region]).arrays())
    assert bool(fit.is_converged)
    assert 1e5 * float(jnp.exp(fit.parameters[0])) < 1e-9


def test_a_gaussian_factor_stops_where_its_yield_vanishes():
    """Beyond -1/0.2 nothing changes but the constraint: the fit ends at that edge."""
    arrays = one_region(0, 1.0, 100.0, TruncatedNormal("norm", 0.2)).arrays()
    fit = jax.jit(conditional_fit)(arrays, jnp.array(0.0))
    truth = minimize_scalar(
        lambda t: 100.0 * max(1.0 + 0.2 * t, 0.0) + 0.5 * t * t,
        bounds=(-20.0, 0.0),
        method="bounded",
    )
    assert bool(fit.is_converged)
    np.testing.assert_allclose(fit.parameters, [-5.0], rtol=1e-11)
    np.testing.assert_allclose(truth.x, -5.0, atol=1e-4)
