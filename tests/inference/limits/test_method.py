"""The method that answers: by the bins that carry signal."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from bsmfit.errors import InputError, LowCountWarning, NoExactMethodError
from bsmfit.inference.intervals.confidence_interval import discovery_significance
from bsmfit.inference.limits.carriers import Carriers
from bsmfit.inference.limits.points import Points
from bsmfit.inference.limits.result import Status
from bsmfit.inference.limits.upper_limit import (
    cls_test,
    expected_upper_limits,
    upper_limit,
)
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal

NO_EVENT = -np.log(0.05)


def signal_region(n, background, signal=1.0, name="SR"):
    return Region(name, n, [Term("s", signal)], [Term("b", background)])


def control(n, background, *responses, name="CR"):
    return Region(name, n, [], [Term("b", background, responses)])


def likelihood(*regions):
    return Likelihood.from_regions(regions)


def known_limit(n, background, cl=0.95):
    """CLs limit of one count over a known background."""

    def cls(signal):
        below = stats.poisson.cdf(n, signal + background)
        return below / stats.poisson.cdf(n, background)

    return optimize.brentq(lambda s: cls(s) - (1.0 - cl), 1e-3, 300.0, xtol=1e-11)


@pytest.mark.parametrize("n_control", [20, 61, 500, 1_000_000])
@pytest.mark.parametrize(
    ("n", "background", "expected"), [(0, 0.5, NO_EVENT), (1, 0.016, 4.728018)]
)
def test_a_bin_that_shares_nothing_changes_nothing(n, background, expected, n_control):
    beside = likelihood(
        signal_region(n, background),
        control(n_control, float(n_control), LogNormal("x", 1.2)),
    )
    limit = upper_limit(beside, cl=0.95)
    alone = upper_limit(likelihood(signal_region(n, background)), cl=0.95)
    np.testing.assert_allclose(limit.value, expected, rtol=2e-7)
    np.testing.assert_allclose(limit.value, alone.value, rtol=1e-12)
    assert (limit.method, limit.reason) == ("exact", alone.reason)


def test_a_bin_that_shares_nothing_changes_no_asymptotic_limit():
    large = signal_region(50, 45.0)
    beside = likelihood(large, control(7, 900.0, LogNormal("x", 1.2)))
    values = [upper_limit(one, cl=0.95) for one in (beside, likelihood(large))]
    np.testing.assert_allclose(values[0].value, values[1].value, rtol=1e-10)
    assert values[0].method == values[1].method == "asymptotic"


def two_bin_limit(n, background, signal, cl=0.95):
    """Likelihood-ratio ordered CLs of two counts, outcomes listed."""
    n, background, signal = (np.asarray(x, float) for x in (n, background, signal))
    first = np.arange(60)

    def cls(strength):
        weight = np.log1p(strength * signal / background)
        left = n @ weight + 1e-9 - first * weight[0]
        rows = first[left >= 0.0]
        last = np.floor(left[left >= 0.0] / weight[1])

        def below(rates):
            inside = stats.poisson.cdf(last, rates[1])
            return stats.poisson.pmf(rows, rates[0]) @ inside

        return below(strength * signal + background) / below(background)

    strengths = np.geomspace(0.3, 20.0, 4000)
    values = np.array([cls(strength) for strength in strengths])
    index = np.flatnonzero(values >= 1.0 - cl).max()
    low, high = strengths[index], strengths[index + 1]
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if cls(middle) >= 1.0 - cl else (low, middle)
    return low


@pytest.mark.slow
def test_large_bins_with_signal_are_counted_beside_small_ones():
    cases = [
        ((0, 100), (0.5, 100.0), (1.0, 1.0)),
        ((3, 80), (2.0, 75.0), (1.0, 3.0)),
        ((1, 30), (0.4, 33.0), (1.0, 2.0)),
    ]
    for n, background, signal in cases:
        regions = [
            signal_region(n[i], background[i], signal[i], name=f"R{i}") for i in (0, 1)
        ]
        limit = upper_limit(likelihood(*regions), cl=0.95)
        assert limit.method == "exact"
        np.testing.assert_allclose(
            limit.value, two_bin_limit(n, background, signal), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("n", "background", "signal"),
    [(3, 0.5, 0.0), (3, 0.5, 1e-7), (40, 38.0, 1e-7), (5000, 5000.0, 1e-3)],
)
def test_a_bin_with_next_to_no_signal_does_not_weaken_the_others(n, background, signal):
    for n_other, b_other in ((0, 0.5), (2, 0.5)):
        both = likelihood(
            signal_region(n_other, b_other),
            signal_region(n, background, signal, name="closed"),
        )
        limit = upper_limit(both, cl=0.95)
        assert limit.method == "exact"
        np.testing.assert_allclose(
            limit.value, known_limit(n_other, b_other), rtol=1e-9
        )


def test_few_events_never_have_asymptotic_limits_without_a_word():
    # too large a bin for the lattice of the exact sums
    both = likelihood(
        signal_region(0, 0.5), signal_region(5000, 5000.0, 20.0, name="large")
    )
    with pytest.warns(LowCountWarning, match="exact sums do not converge"):
        limit = upper_limit(both, cl=0.95)
    assert limit.method == "asymptotic"
    assert "events stand behind" in limit.reason
    with pytest.warns(LowCountWarning, match="too long a list"):
        expected = expected_upper_limits(both, cl=0.95)
    assert "method" not in expected.reason


def test_many_events_in_every_bin_with_signal_are_asymptotic_without_a_warning():
    many = likelihood(
        signal_region(40, 38.0), signal_region(3, 900.0, 1e-4, name="tail")
    )
    limit = upper_limit(many, cl=0.95)
    assert limit.method == "asymptotic"
    assert "10 events or more" in limit.reason


def test_shares_and_effective_events_are_their_formulae():
    regions = [
        signal_region(4, 2.0, 1.5, name="a"),
        signal_region(30, 25.0, 2.0, name="b"),
    ]
    points = Points.from_likelihood(likelihood(*regions), "test")
    found = Carriers.of(points, strength=jnp.array([2.0]))
    excess, background, n = np.array([3.0, 4.0]), np.array([2.0, 25.0]), [4.0, 30.0]
    weight = np.log1p(excess / background)
    information = excess - background * weight
    np.testing.assert_allclose(found.share[0], information / information.sum())
    effective = [
        (rate @ weight**2) ** 3 / (rate @ weight**3) ** 2
        for rate in (np.array(n), background + excess)
    ]
    np.testing.assert_allclose(found.n_effective, min(effective))
    assert found.n_smallest == 2.0
    alone = Points.from_likelihood(likelihood(regions[0]), "test")
    np.testing.assert_allclose(Carriers.of(alone).n_effective, 4.0)


def test_a_hair_from_a_whole_number_is_that_number():
    for n in (1e-8, 3.0 - 1e-8, 1.0 + 5e-7):
        limit = upper_limit(likelihood(signal_region(n, 0.7)), cl=0.95)
        assert limit.method == "exact"
        np.testing.assert_allclose(limit.value, known_limit(round(n), 0.7), rtol=1e-7)


def test_fractional_counts_are_asymptotic_with_a_word():
    blinded = likelihood(
        Region(
            "SR",
            [413.2, 287.5],
            [Term("s", [5.0, 3.0])],
            [Term("b", [413.0, 287.0], [LogNormal("x", 1.1)])],
        )
    )
    assert upper_limit(blinded, cl=0.95).method == "asymptotic"
    few = likelihood(signal_region(2.5, 2.5))
    with pytest.warns(LowCountWarning, match=r"2\.5 observed events"):
        limit = upper_limit(few, cl=0.95)
    assert (limit.method, int(limit.status)) == ("asymptotic", Status.OK)


def test_expected_limits_do_not_look_at_the_observed_count():
    values = [
        expected_upper_limits(likelihood(signal_region(n, 3.0)), cl=0.90)
        for n in (2.5, 3.0)
    ]
    # statistics.md section 7, b = 3: n = 0, 1, 3, 5, 7
    table = [2.3026, 2.8389, 4.3624, 6.4371, 8.796]
    for value in values:
        assert value.method == "exact"
        np.testing.assert_allclose(value.value, table, atol=6e-4)


def test_refusals_of_exact_sums_name_remedies_that_work():
    few = likelihood(signal_region(2.5, 2.5))
    with pytest.raises(NoExactMethodError) as error:
        upper_limit(few, cl=0.95, method="exact")
    assert "method='asymptotic'" in str(error.value)
    assert "expected_upper_limits" in str(error.value)
    with pytest.warns(LowCountWarning) as caught:
        limit = upper_limit(few, cl=0.95, method="asymptotic")
    assert np.isfinite(limit.value)
    # there is no exact method to send back to
    assert not any("method='exact'" in str(one.message) for one in caught)
    assert np.all(np.isfinite(expected_upper_limits(few, cl=0.95).value))
    many = likelihood(signal_region(100, 90.0))
    with pytest.raises(NoExactMethodError, match="beyond the exact sums") as error:
        upper_limit(many, cl=0.95, method="exact")
    assert np.isfinite(upper_limit(many, cl=0.95, method="asymptotic").value)


def test_events_without_background_have_limits():
    # statistics.md section 3, b = 0
    n = np.array([0.0, 1, 2, 3, 5, 10])[:, None]
    table = [2.3026, 3.8897, 5.3223, 6.6808, 9.2747, 15.4066]
    for background in ([Term("b", 0.0)], []):
        region = Region("SR", n, [Term("s", 1.0)], background)
        limit = upper_limit(Likelihood.from_regions([region]), cl=0.90)
        np.testing.assert_allclose(limit.value, table, atol=6e-5)
    # a second bin without background and without events
    both = likelihood(signal_region(2, 0.0), signal_region(0, 0.0, 1.0, name="other"))
    np.testing.assert_allclose(
        upper_limit(both, cl=0.90).value, known_limit(2, 0.0, 0.90) / 2.0, rtol=1e-6
    )


def test_events_without_background_have_no_significance():
    with pytest.raises(InputError, match="significance does not exist") as error:
        discovery_significance(likelihood(signal_region(2, 0.0)))
    assert "upper_limit" in str(error.value)


def test_the_tested_strength_decides_what_carries_signal():
    one = likelihood(signal_region(0, 0.5), control(61, 61.0))
    test = cls_test(one, 2.0)
    np.testing.assert_allclose(test.value, np.exp(-2.0), rtol=1e-9)
    assert test.method == "exact"
