import jax
import numpy as np
import pytest
from scipy import optimize, stats

from bsmfit.errors import InputError, LowCountWarning, UnknownNameError
from bsmfit.inference.intervals.confidence_interval import (
    confidence_interval,
    discovery_significance,
)
from bsmfit.inference.toys.limits import Toys
from bsmfit.likelihood.likelihood import Likelihood, combine
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal


def count(n, background, *, name="r", signal=1.0, kappa=None):
    fakes = [] if kappa is None else [LogNormal("fakes", kappa)]
    region = Region(name, n, [Term("s", signal)], [Term("b", background, fakes)])
    return Likelihood.from_regions([region])


def test_feldman_cousins_intervals_are_the_table():
    # statistics.md section 6 (0.005 grid), b = 0.5 and n = 0, 1, 2, 3, 5
    n = np.array([0.0, 1.0, 2.0, 3.0, 5.0])[:, None]
    found = confidence_interval(count(n, 0.5, signal=2.0), cl=0.90)
    assert (found.method, found.ensemble) == ("feldman-cousins", "known-background")
    # the published monotone fix may raise the upper end above the raw one
    table = np.array([1.935, 3.855, 5.41, 6.92, 9.485])
    assert np.all(2.0 * found.high > table - 0.006)
    np.testing.assert_allclose(2.0 * found.high[1:], table[1:], atol=0.006)
    lower = [0.0, 0.0, 0.035, 0.605, 1.535]
    np.testing.assert_allclose(2.0 * found.low, lower, atol=0.006)


def test_profile_interval_is_where_the_likelihood_ratio_says():
    found = confidence_interval(count(30, 12.0), cl=0.6827)
    assert found.method == "profile"

    def ratio(mu):
        best = stats.poisson.logpmf(30, 30.0)
        quantile = stats.chi2.ppf(0.6827, 1)
        return 2.0 * (best - stats.poisson.logpmf(30, mu + 12.0)) - quantile

    ends = [optimize.brentq(ratio, *x) for x in ((0.1, 18.0), (18.0, 60.0))]
    np.testing.assert_allclose([found.low, found.high], ends, rtol=1e-6)


def test_profiled_belts_of_small_errors_are_the_belt():
    toys = Toys(jax.random.key(2), n_toy=500, ensemble="conditional")
    found = confidence_interval(count(3, 0.5, kappa=1.001), cl=0.90, toys=toys)
    plain = confidence_interval(count(3, 0.5), cl=0.90)
    np.testing.assert_allclose(found.high, plain.high, atol=0.1)
    assert found.ensemble == "conditional"


@pytest.mark.parametrize(
    ("n", "background", "one_sided", "two_sided"),
    # statistics.md section 9
    [(1, 0.016, 2.148, 2.412), (20, 7.03, 3.905, 4.070), (51, 18.0, 6.293, 6.399)],
)
def test_exact_significances_are_the_table(n, background, one_sided, two_sided):
    found = discovery_significance(count(n, background), method="exact")
    np.testing.assert_allclose(found.z_one_sided, one_sided, atol=6e-4)
    np.testing.assert_allclose(found.z_two_sided, two_sided, atol=6e-4)


def test_averaged_p_value_is_the_integral():
    found = discovery_significance(count(4, 1.0, kappa=1.4))
    z, w = np.polynomial.hermite_e.hermegauss(80)
    exact = w @ stats.poisson.sf(3, 1.4**z) / w.sum()
    np.testing.assert_allclose(found.p_value, exact, rtol=1e-6)
    assert found.ensemble == "marginal"


def test_asymptotic_significance_is_the_closed_form():
    found = discovery_significance(count(51, 18.0))
    np.testing.assert_allclose(found.z_one_sided, 6.343, atol=6e-4)
    assert found.method == "asymptotic"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: confidence_interval(count(1, 0.5, kappa=1.1), cl=0.9),
            InputError,
            "need toys=Toys",
        ),
        (
            lambda: confidence_interval(
                combine([count(1, 0.5), count(0, 0.2, name="q")]), cl=0.9
            ),
            InputError,
            "use method='profile'",
        ),
        (
            lambda: discovery_significance(
                combine([count(1, 0.5), count(0, 0.2, name="q")])
            ),
            InputError,
            "one count, not of 2 bins",
        ),
        (
            lambda: confidence_interval(count(1, 0.5), cl=0.9, method="minos"),
            UnknownNameError,
            "unknown method 'minos'",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.slow
def test_profile_at_few_events_warns():
    with pytest.warns(LowCountWarning, match="asymptotic formulae do not hold"):
        confidence_interval(count(1, 0.5), cl=0.9, method="profile")
