"""Exact limits of likelihoods with effective counts: the same as in maps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

import bsmfit
from bsmfit.errors import NoExactMethodError
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import Asymmetric, LogNormal


def effective(n, b, responses=(), signal=1.0):
    return Region(
        "search",
        n,
        [Term("s", signal, responses)],
        [Term("b", b)],
        is_effective=True,
    )


def test_one_effective_count_has_the_limit_of_an_integral():
    """Q(n + 1, s + b) over Q(n + 1, b), the signal averaged over 60 nodes."""
    n, b, kappa = 1.7, 0.9, 1.2
    likelihood = bsmfit.Likelihood.from_regions(
        [effective(n, b, [LogNormal("norm", kappa)])]
    )
    limit = bsmfit.upper_limit(likelihood, cl=0.9)
    theta, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()

    def cls(s):
        above = special.gammaincc(n + 1.0, s * kappa**theta + b)
        return weight @ above / special.gammaincc(n + 1.0, b)

    expected = optimize.brentq(lambda s: cls(s) - 0.1, 0.1, 30.0, xtol=1e-13)
    assert float(limit.value) == pytest.approx(expected, rel=1e-6)
    assert (limit.method, limit.ordering, limit.ensemble) == (
        "exact",
        "count",
        "marginal",
    )
    tested = bsmfit.cls_test(likelihood, expected)
    assert float(tested.value) == pytest.approx(0.1, rel=1e-6)


def test_a_whole_effective_count_is_the_count():
    """n = 1, b = 0.77 at 90 %: 3.368335, statistics of known background."""
    likelihood = bsmfit.Likelihood.from_regions([effective(1.0, 0.77)])
    limit = bsmfit.upper_limit(likelihood, cl=0.9, method="exact")
    assert float(limit.value) == pytest.approx(3.368335, abs=2e-6)
    assert limit.ensemble == "known-background"


@pytest.fixture(scope="module")
def mixed():
    """Ten points of a dump and a kaon search of one model."""
    model = bsmfit.load_model("dark-photon", "bremsstrahlung-and-kaons")
    searches = [
        bsmfit.load_channel("na62-dump-mumu"),
        bsmfit.load_channel("na62-pi-invisible-run1"),
    ]
    masses = np.array([0.22, 0.25, 0.25, 0.24, 0.23, 0.255, 0.22, 0.245, 0.25, 0.235])
    couplings = np.array([4e-7, 4e-7, 5e-6, 3e-7, 6e-6, 5e-7, 7e-6, 3.5e-7, 4e-6, 5e-7])
    likelihood = bsmfit.search_likelihood(
        model, searches, mass=masses, coupling=couplings
    )
    point = bsmfit.ExclusionPoint.from_model(model, searches)
    grid = jnp.asarray(masses), jnp.asarray(couplings)
    return likelihood, jax.jit(jax.vmap(point.exclusion))(*grid)


@pytest.mark.slow
def test_cls_of_mixed_kinds_are_those_of_the_map(mixed):
    likelihood, mapped = mixed
    tested = bsmfit.cls_test(likelihood, 1.0)
    np.testing.assert_allclose(tested.value, mapped.cls_obs, atol=1e-6)
    assert tested.ordering == mapped.ordering == "likelihood-ratio"


@pytest.mark.slow
def test_limits_of_mixed_kinds_solve_their_equation(mixed):
    likelihood, mapped = mixed
    limit = bsmfit.upper_limit(likelihood, cl=0.9)
    assert np.all(np.asarray(limit.status) == 0)
    np.testing.assert_array_equal(limit.value < 1.0, mapped.cls_obs < 0.1)
    at_limit = bsmfit.cls_test(likelihood, limit.value)
    np.testing.assert_allclose(at_limit.value, 0.1, atol=1e-6)
    expected = bsmfit.expected_upper_limits(likelihood, cl=0.9)
    assert np.all(np.diff(np.asarray(expected.value), axis=-1) >= -1e-9)


def test_what_the_sums_do_not_know_is_named():
    odd = effective(1.5, 0.5, [Asymmetric("shape", 1.2, 0.7)])
    likelihood = bsmfit.Likelihood.from_regions([odd])
    with pytest.raises(NoExactMethodError, match=r"shape.*method='asymptotic'"):
        bsmfit.upper_limit(likelihood, cl=0.9)
    with pytest.warns(bsmfit.errors.LowCountWarning):
        limit = bsmfit.upper_limit(likelihood, cl=0.9, method="asymptotic")
    assert 0.0 < float(limit.value) < 10.0
