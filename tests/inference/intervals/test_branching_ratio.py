"""A measurement of one count with known background has closed forms."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import gammaincc

from bsmfit.errors import InputError
from bsmfit.inference.intervals.branching_ratio import (
    ONE_SIGMA,
    measure_branching_ratio,
)
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term

UNIT = 1e-11
PER_UNIT = 0.8  # signal events at strength 1
N_FEW, B_FEW = 3, 1.5
N_MANY, B_MANY = 31, 11.0


def likelihood(n, b):
    region = Region("r", n, [Term("s", PER_UNIT)], [Term("b", b)])
    return Likelihood.from_regions([region])


@pytest.fixture(scope="module")
def few():
    return measure_branching_ratio(
        likelihood(N_FEW, B_FEW), unit=UNIT, limit_levels=(0.90,)
    )


@pytest.fixture(scope="module")
def many():
    return measure_branching_ratio(
        likelihood(N_MANY, B_MANY), unit=UNIT, limit_levels=()
    )


def events(branching_ratio):
    return float(branching_ratio) / UNIT * PER_UNIT


def test_best_value_and_ends_solve_the_likelihood_ratio(many):
    def excess(s):
        rate = s + B_MANY
        return 2.0 * (rate - N_MANY - N_MANY * np.log(rate / N_MANY)) - 1.0

    best = N_MANY - B_MANY
    low = optimize.brentq(excess, 1.0, best)
    high = optimize.brentq(excess, best, 60.0)
    assert events(many.value) == pytest.approx(best, rel=1e-7)
    # 0.6827 is one standard deviation to five digits
    assert events(many.low) == pytest.approx(low, rel=1e-4)
    assert events(many.high) == pytest.approx(high, rel=1e-4)
    assert events(many.error_up) == pytest.approx(high - best, rel=1e-3)
    assert events(many.error_down) == pytest.approx(best - low, rel=1e-3)
    assert bool(many.is_converged)
    assert not bool(many.is_low_at_zero)
    assert (many.method, many.reason) == ("profile", "10 events or more")


def test_many_events_have_the_asymptotic_significance(many):
    z = np.sqrt(2.0 * (N_MANY * np.log(N_MANY / B_MANY) - N_MANY + B_MANY))
    assert float(many.significance.z_one_sided) == pytest.approx(z, rel=1e-7)
    assert many.significance.method == "asymptotic"
    assert many.limits == ()


def test_one_low_count_has_the_exact_significance(few):
    p_value = stats.poisson.sf(N_FEW - 1, B_FEW)
    assert float(few.significance.p_value) == pytest.approx(p_value, rel=1e-9)
    assert few.significance.method == "exact"
    assert "fewer than 10" in few.reason


def test_limit_and_posterior_of_known_background_are_incomplete_gamma_functions(few):
    def survival(s):
        return gammaincc(N_FEW + 1, s + B_FEW) / gammaincc(N_FEW + 1, B_FEW)

    def quantile(tail):
        return optimize.brentq(lambda s: survival(s) - tail, 0.0, 50.0, xtol=1e-12)

    (limit,) = few.limits
    assert events(limit.value) == pytest.approx(quantile(0.10), rel=1e-6)
    assert (limit.cl, limit.method) == (0.90, "exact")
    ends = [events(few.posterior.lower), events(few.posterior.upper)]
    tails = [0.5 * (1.0 + ONE_SIGMA), 0.5 * (1.0 - ONE_SIGMA)]
    np.testing.assert_allclose(ends, [quantile(tail) for tail in tails], rtol=1e-6)
    assert few.posterior.prior.startswith("flat")


@pytest.mark.parametrize(
    ("unit", "cl", "words"), [(0.0, 0.9, "unit = 0"), (UNIT, 90.0, "did you mean 0.9")]
)
def test_bad_units_and_levels_are_refused(unit, cl, words):
    with pytest.raises(InputError, match=words):
        measure_branching_ratio(likelihood(3, 1.0), unit=unit, cl=cl)


def test_grid_of_points_is_refused():
    with pytest.raises(InputError, match="one point"):
        measure_branching_ratio(likelihood(jnp.array([[1.0], [2.0]]), 1.0), unit=UNIT)
