from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from bsmfit.errors import InputError
from bsmfit.inference.posteriors.credible import (
    CREDIBLE_LABEL,
    credible_limits,
    credible_map,
)
from bsmfit.inference.posteriors.priors import (
    FlatStrength,
    JeffreysStrength,
    LogFlatCoupling,
)
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.nodes import factorised_nodes
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import LogNormal, Sideband


def limits_of(arrays, prior, cl=0.90):
    nodes = factorised_nodes(arrays)
    solve = jax.jit(lambda a: credible_limits(a, prior=prior, nodes=nodes, cl=cl))
    return solve(arrays)


def count(observed, signal, background):
    column = (jnp.asarray(v, dtype=float)[..., None] for v in (signal, background))
    signal, background = column
    region = Region(
        "search",
        jnp.asarray(observed, dtype=float)[..., None],
        signal=[Term("signal", signal)],
        background=[Term("background", background)],
    )
    return Likelihood.from_regions([region])


# exact CLs of known background, 90 %, for n, b (closed forms and tables)
KNOWN = [
    (0, 0.016, 2.302585),
    (1, 0.016, 3.873879),
    (1, 0.77, 3.368335),
    (2, 0.77, 4.6161),
    (3, 3.0, 4.3624),
    (10, 1e-9, 15.4066),
    (20, 17.03, 10.6777),
]


@pytest.fixture(scope="module")
def known():
    n, b, _ = np.array(KNOWN).T
    scale = np.geomspace(1e-9, 1e9, n.size)
    # one point more, without any signal
    likelihood = count(np.append(n, 1), np.append(scale, 0.0), np.append(b, 1.0))
    return scale, credible_map(likelihood, prior=FlatStrength(), cl=0.90)


def test_flat_prior_and_known_background_are_exact_cls(known):
    scale, found = known
    assert np.all(np.asarray(found.is_converged[:-1]))
    events = np.asarray(found.upper_limit[:-1]) * scale
    np.testing.assert_allclose(events, [row[2] for row in KNOWN], rtol=2e-5)
    np.testing.assert_allclose(events[0], -np.log(0.1), rtol=1e-10)
    assert found.label == CREDIBLE_LABEL
    assert found.prior.startswith("flat in the signal strength")


def test_central_interval_and_mean_without_background_are_those_of_gamma(known):
    scale, found = known
    index = 5
    posterior = stats.gamma(11)
    interval = np.array([found.lower[index], found.upper[index], found.mean[index]])
    expected = [*posterior.ppf([0.05, 0.95]), posterior.mean()]
    np.testing.assert_allclose(interval * scale[index], expected, rtol=1e-9)


def test_a_point_without_signal_is_not_converged_and_spoils_nothing(known):
    _, found = known
    assert not bool(found.is_converged[-1])
    assert np.all(np.isfinite(np.asarray(found.upper_limit)))


def test_benchmark_with_two_log_normal_errors():
    region = Region(
        "search",
        3,
        signal=[Term("signal", 4.0, [LogNormal("efficiency", 1.15)])],
        background=[Term("background", 2.0, [LogNormal("fakes", 1.3)])],
    )
    arrays = Likelihood.from_regions([region]).arrays()
    found = limits_of(arrays, FlatStrength(20.0))
    assert bool(found.is_converged)
    np.testing.assert_allclose(float(found.upper_limit), 1.292, atol=5e-4)

    def probability(mu):
        x, w = np.polynomial.hermite_e.hermegauss(40)
        w = w / w.sum()
        rate = mu * 4.0 * 1.15 ** x[:, None] + 2.0 * 1.3**x
        return w @ stats.poisson.pmf(3, rate) @ w

    limit = float(found.upper_limit)
    total = integrate.quad(probability, 0.0, 20.0, points=[1.0, 3.0])[0]
    below = integrate.quad(probability, 0.0, limit)[0]
    np.testing.assert_allclose(below / total, 0.90, rtol=1e-7)


@pytest.mark.parametrize("n", [0, 4])
def test_jeffreys_without_background_is_a_gamma_posterior(n):
    arrays = count(n, 2.0, 1e-14).arrays()
    found = limits_of(arrays, JeffreysStrength(), cl=0.95)
    assert bool(found.is_converged)
    expected = stats.gamma(n + 0.5).ppf([0.95, 0.025, 0.975]) / 2.0
    limits = [found.upper_limit, found.lower, found.upper]
    np.testing.assert_allclose(limits, expected, rtol=1e-6)


def test_log_flat_prior_depends_on_its_cut_as_the_exponential_integral_says():
    arrays = count(0, 2.0, 0.3).arrays()
    limits = []
    for cut in (0.3, 0.03):
        found = limits_of(arrays, LogFlatCoupling(cut, 3.0, 4.0))
        assert bool(found.is_converged)
        limit = float(found.upper_limit)
        first, last, here = special.exp1(2.0 * np.array([cut**4, 3.0**4, limit]))
        np.testing.assert_allclose((first - here) / (first - last), 0.90, rtol=1e-7)
        limits.append(limit)
    assert limits[1] < 0.7 * limits[0]


def test_combination_that_shares_a_nuisance():
    protons = LogNormal("protons", 1.3)
    regions = [
        Region(
            "a",
            1,
            signal=[Term("signal", 2.0, [protons])],
            background=[Term("background", 0.1, [Sideband("control", 4)])],
        ),
        Region(
            "b",
            0,
            signal=[Term("signal", 1.0, [protons])],
            background=[Term("background", 0.5)],
        ),
    ]
    arrays = Likelihood.from_regions(regions).arrays()
    found = limits_of(arrays, FlatStrength())
    z, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()

    # signal and background counts convolved; the control region is negative binomial
    sideband = stats.nbinom(5, 10.0 / 11.0).pmf([0, 1])

    def probability(mu):
        signal = mu * 1.3**z
        first = sideband[1] * np.exp(-2 * signal)
        first += sideband[0] * stats.poisson.pmf(1, 2 * signal)
        return w @ (first * np.exp(-signal))

    limit = float(found.upper_limit)
    total = integrate.quad(probability, 0.0, 60.0, points=[1.0, 5.0])[0]
    below = integrate.quad(probability, 0.0, limit)[0]
    np.testing.assert_allclose(below / total, 0.90, rtol=1e-6)


def test_events_with_densities_enter_as_their_mixture():
    events = EventDensities(signal=[[3.0, 0.2]], background=[[1.0, 1.0]])
    region = Region(
        "mass",
        2,
        signal=[Term("signal", 1.0)],
        background=[Term("background", 0.5)],
        events=events,
    )
    arrays = Likelihood.from_regions([region]).arrays()
    found = limits_of(arrays, FlatStrength())

    def probability(mu):
        return np.exp(-mu) * (3.0 * mu + 0.5) * (0.2 * mu + 0.5)

    limit = optimize.brentq(
        lambda x: (
            integrate.quad(probability, 0, x)[0]
            - 0.9 * integrate.quad(probability, 0, 60, points=[3.0])[0]
        ),
        0.1,
        20.0,
        xtol=1e-10,
    )
    np.testing.assert_allclose(float(found.upper_limit), limit, rtol=1e-7)


def test_derivatives_are_those_of_the_defining_equation():
    nodes = factorised_nodes(count(1, 1.0, 0.77).arrays())
    likelihood = count(1, 1.0, 0.77)

    def limit(signal, background):
        arrays = count_with(likelihood, signal, background).arrays()
        prior = FlatStrength()
        return credible_limits(arrays, prior=prior, nodes=nodes, cl=0.90).upper_limit

    inputs = jnp.array(1.0), jnp.array(0.77)
    slopes = jax.jit(jax.grad(limit, argnums=(0, 1)))(*inputs)
    # -1 + h(b) / h(s + b), h the hazard of the Poisson distribution (closed form)
    np.testing.assert_allclose(slopes[1], -0.4598502, rtol=1e-6)
    np.testing.assert_allclose(slopes[0], -3.368335, rtol=1e-6)
    forward = jax.jit(lambda *x: jax.jvp(limit, x, (jnp.array(0.3), jnp.array(2.0))))
    combined = 0.3 * slopes[0] + 2.0 * slopes[1]
    np.testing.assert_allclose(forward(*inputs)[1], combined, rtol=1e-9)


def count_with(likelihood, signal, background):
    region = likelihood.regions[0]
    made = Region(
        region.name,
        region.observed,
        signal=[Term("signal", signal)],
        background=[Term("background", background)],
    )
    return Likelihood((made,), (), jnp.zeros(0))


def test_a_level_outside_0_and_1_is_refused():
    arrays = count(0, 1.0, 0.1).arrays()
    with pytest.raises(InputError, match=r"cl = 1\.5"):
        credible_limits(
            arrays, prior=FlatStrength(), nodes=factorised_nodes(arrays), cl=1.5
        )
