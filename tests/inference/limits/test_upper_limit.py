"""The front door: methods, grids, statuses, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bsmfit.errors import (
    InputError,
    LowCountWarning,
    NoExactMethodError,
    UnknownNameError,
)
from bsmfit.inference.limits.result import Status
from bsmfit.inference.limits.upper_limit import (
    cls_test,
    exact_plan,
    expected_upper_limits,
    upper_limit,
)
from bsmfit.inference.toys.limits import Toys
from bsmfit.likelihood.likelihood import Likelihood, combine
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    Free,
    Gamma,
    LogNormal,
    Sideband,
)


def count(n, background, *, signal=1.0, signal_kappa=None, responses=()):
    protons = [] if signal_kappa is None else [LogNormal("protons", signal_kappa)]
    region = Region(
        "r", n, [Term("s", signal, protons)], [Term("b", background, responses)]
    )
    return Likelihood.from_regions([region])


def channel(name, n, signal, background, kappa=None):
    protons = [] if kappa is None else [LogNormal("protons", kappa)]
    region = Region(name, n, [Term("s", signal, protons)], [Term("b", background)])
    return Likelihood.from_regions([region])


def column(values):
    return np.asarray(values, dtype=float)[:, None]


def test_known_background_limits_are_the_table():
    # statistics.md section 3, 90 %: rows b, columns n = 0, 1, 2, 3, 5
    table = {
        0.016: [2.3026, 3.8739, 5.3063, 6.6648, 9.2587],
        0.77: [2.3026, 3.3683, 4.6161, 5.9236, 8.5050],
        3.0: [2.3026, 2.8389, 3.5228, 4.3624, 6.4371],
    }
    n = column([0, 1, 2, 3, 5])
    background = np.array(list(table))[:, None, None]
    limit = upper_limit(count(n, background), cl=0.90)
    np.testing.assert_allclose(limit.value, list(table.values()), atol=6e-5)
    assert np.all(limit.status == Status.OK)
    assert (limit.method, limit.ensemble) == ("exact", "known-background")
    assert "fewer than 10" in limit.reason


def test_marginal_limits_are_the_table():
    # statistics.md section 3: (kappa_s, kappa_b), b and n = 0 to 3
    rows = [
        (1.1, 1.125, 0.016, [2.3162, 3.9068, 5.3618, 6.7453]),
        (1.2, 1.5, 0.016, [2.3527, 3.9934, 5.5075, 6.9557]),
        (1.2, 1.5, 0.18, [2.3527, 3.8302, 5.3183, 6.7619]),
    ]
    kappa, fakes, background, table = (np.array(x) for x in zip(*rows, strict=True))
    likelihood = count(
        column([0, 1, 2, 3]),
        background[:, None, None],
        signal=2.0,
        signal_kappa=kappa[:, None],
        responses=[LogNormal("fakes", fakes[:, None])],
    )
    limit = upper_limit(likelihood, cl=0.90)
    np.testing.assert_allclose(2.0 * limit.value, table, atol=6e-5)
    assert limit.ensemble == "marginal"


def test_gamma_background_is_the_negative_binomial():
    # statistics.md section 3: b = 0.91 +- 0.41, n = 0, 1, 2
    responses = [Gamma("fakes", 0.41 / 0.91)]
    limit = upper_limit(count(column([0, 1, 2]), 0.91, responses=responses), cl=0.90)
    np.testing.assert_allclose(limit.value, [2.3026, 3.3692, 4.5805], atol=6e-5)


def test_sideband_has_a_flat_prior():
    background = [Term("b", 0.1, [Sideband("control", 9)])]
    region = Region("r", 2, [Term("s", 1.0)], background)
    limit = upper_limit(Likelihood.from_regions([region]), cl=0.90)
    # P(<= n) of signal and a negative binomial of r = 10, tau = 10

    def probability(signal):
        k = np.arange(3)
        below = stats.nbinom.cdf(2 - k, 10, 10 / 11)
        return stats.poisson.pmf(k, signal) @ below

    ratio = probability(float(limit.value)) / probability(0.0)
    np.testing.assert_allclose(ratio, 0.10, atol=1e-7)


# statistics.md section 10, sets A, B and D: likelihood-ratio ordering, 90 %
JOINT = [
    ([(1, 0.016), (1, 0.18)], (1, 0), None, 1.8576),
    ([(1, 0.016), (1, 0.18)], (0, 1), 1.2, 1.61352),
    ([(1, 0.016), (0.5, 0.18), (2, 0.26)], (1, 0, 0), None, 1.1153),
    ([(3, 1.0), (1, 3.0)], (1, 3), 1.2, 0.950566),
]


@pytest.mark.parametrize(("rates", "n", "kappa", "expected"), JOINT)
def test_several_counts_are_ordered_by_the_likelihood_ratio(rates, n, kappa, expected):
    parts = [
        channel(f"c{i}", n[i], signal, background, kappa)
        for i, (signal, background) in enumerate(rates)
    ]
    limit = upper_limit(combine(parts), cl=0.90)
    np.testing.assert_allclose(limit.value, expected, atol=6e-5)
    assert limit.ordering == "likelihood-ratio"


def test_shape_of_few_events_is_a_combination_of_its_bins():
    # statistics.md section 10, set E, without toys
    signal = 4.0 * np.array([0.02, 0.08, 0.2, 0.4, 0.2, 0.08, 0.02])
    region = Region(
        "shape",
        [1, 0, 0, 1, 0, 1, 0],
        [Term("s", signal)],
        [Term("b", np.full(7, 0.3))],
    )
    likelihood = Likelihood.from_regions([region])
    test = cls_test(likelihood)
    np.testing.assert_allclose(test.value, 0.08863952, atol=1e-6)
    np.testing.assert_allclose(np.exp(test.log_clb), 0.75639944, atol=1e-6)


def test_many_events_take_the_asymptotic_formulae():
    # statistics.md section 5: n = 20, b = 17.03: 10.151 (exact 10.6777)
    likelihood = count(20, 17.03)
    limit = upper_limit(likelihood, cl=0.90)
    np.testing.assert_allclose(limit.value, 10.151, atol=6e-4)
    assert (limit.method, limit.ordering) == ("asymptotic", "qtilde")
    exact = upper_limit(likelihood, cl=0.90, method="exact")
    np.testing.assert_allclose(exact.value, 10.6777, atol=6e-5)


def test_more_events_than_the_sums_reach_take_the_asymptotic_formulae():
    limit = upper_limit(count(100, 0.016), cl=0.90)
    assert limit.method == "asymptotic"
    assert "beyond the exact sums" in limit.reason
    # 90 % of a large count: n + 1.28 sqrt(n) to a few percent
    np.testing.assert_allclose(limit.value, 100.0 + 12.8, rtol=0.03)


def test_forcing_asymptotic_formulae_at_few_events_warns():
    with pytest.warns(LowCountWarning, match="fewer|below 10"):
        limit = upper_limit(count(0, 0.016), cl=0.90, method="asymptotic")
    np.testing.assert_allclose(limit.value, 1.380, atol=6e-4)
    assert "although" in limit.reason


@pytest.mark.slow
def test_general_fits_agree_with_the_counting_fits():
    likelihood = count(12, 10.0, signal_kappa=1.1, responses=[LogNormal("f", 1.2)])
    # an asymmetric response of reciprocal factors is no separable count
    other = count(
        12, 10.0, signal_kappa=1.1, responses=[Asymmetric("f", 1.2, 1.0 / 1.2, "code1")]
    )
    for function in (upper_limit, expected_upper_limits):
        values = [function(x, cl=0.90).value for x in (likelihood, other)]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-6)


def test_expected_limits_of_one_count():
    # statistics.md section 7, b = 3: n = 0, 1, 3, 5, 7
    expected = expected_upper_limits(count(3, 3.0), cl=0.90)
    table = [2.3026, 2.8389, 4.3624, 6.4371, 8.796]
    np.testing.assert_allclose(expected.value, table, atol=6e-4)


def test_expected_limits_of_two_equal_searches_are_those_of_the_sum():
    parts = [channel(name, 0, 1.0, 1.5) for name in "ab"]
    both = expected_upper_limits(combine(parts), cl=0.90)
    one = expected_upper_limits(count(0, 3.0, signal=2.0), cl=0.90)
    np.testing.assert_allclose(both.value, one.value, rtol=1e-6)


def test_toys_of_the_marginal_ensemble_agree_with_the_sums():
    likelihood = count(1, 0.3, signal_kappa=1.1, responses=[LogNormal("f", 1.3)])
    toys = Toys(jax.random.key(3), n_toy=20_000, ensemble="marginal")
    exact = cls_test(likelihood, 2.0)
    thrown = cls_test(likelihood, 2.0, method="toys", toys=toys)
    pull = (thrown.value - exact.value) / thrown.monte_carlo_error
    assert abs(float(pull)) < 4.0
    assert thrown.ensemble == "marginal"


def test_gradients_through_the_front_door():
    def of(parameters, plan=None):
        likelihood = combine(
            [
                channel("a", 1, parameters[0], 0.3, parameters[2]),
                channel("b", 0, 1.0, parameters[1], parameters[2]),
            ]
        )
        if plan is None:
            return exact_plan(likelihood)
        return upper_limit(likelihood, cl=0.90, method="exact", plan=plan).value

    centre = jnp.array([2.0, 0.5, 1.2])
    plan = of(centre)
    value = jax.jit(lambda x: of(x, plan))
    slopes = jax.jacfwd(value)(centre)
    h = 1e-4
    finite = [
        (value(centre + h * unit) - value(centre - h * unit)) / (2.0 * h)
        for unit in jnp.eye(3)
    ]
    np.testing.assert_allclose(slopes, finite, rtol=1e-5)


def test_bad_points_have_a_status_and_leave_others_alone():
    signal = jnp.array([1.0, -1.0, jnp.nan, 0.0, 1.0])[:, None]

    @jax.jit
    def limits(signal):
        found = upper_limit(
            count(1, 0.016, signal=signal), cl=0.90, method="exact", plan=plan
        )
        return found.value, found.status

    plan = exact_plan(count(1, 0.016))
    value, status = limits(signal)
    invalid = Status.INVALID_INPUT
    assert status.tolist() == [0, invalid, invalid, Status.NO_SIGNAL, 0]
    clean, _ = limits(jnp.ones((5, 1)))
    assert value[0] == value[4] == clean[0]
    np.testing.assert_array_equal(value[1:4], [np.nan, np.nan, np.inf])


def test_other_data_need_no_other_program():
    n_trace = 0
    plan = exact_plan(count(3, 0.5, signal_kappa=1.1))

    @jax.jit
    def limits(n, background):
        nonlocal n_trace
        n_trace += 1
        likelihood = count(n, background, signal_kappa=1.1)
        return upper_limit(likelihood, cl=0.90, method="exact", plan=plan).value

    found = [limits(jnp.array(n), jnp.array(b)) for n, b in ((0.0, 0.5), (2.0, 0.7))]
    assert n_trace == 1
    alone = upper_limit(count(2, 0.7, signal_kappa=1.1), cl=0.90).value
    np.testing.assert_allclose(found[1], alone, rtol=1e-6)


def test_strengths_spread_over_the_grid():
    likelihood = count(column([0, 1]), 0.016)
    test = cls_test(likelihood, np.array([[1.0], [2.0], [3.0]]).repeat(2, 1)[0])
    np.testing.assert_allclose(test.value[0], np.exp(-1.0), rtol=1e-9)
    with pytest.raises(InputError, match="does not broadcast to the grid"):
        cls_test(likelihood, np.ones(3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: upper_limit(x, cl=90.0), InputError, "did you mean 0.9"),
        (lambda x: upper_limit(x, cl=0.0), InputError, "not between 0 and 1"),
        (
            lambda x: upper_limit(x, cl=0.9, method="exakt"),
            UnknownNameError,
            "did you mean 'exact'",
        ),
        (
            lambda x: upper_limit(
                combine([x, channel("q", 0, 1.0, 0.1)]), cl=0.9, ordering="best"
            ),
            UnknownNameError,
            "ordering",
        ),
        (lambda x: upper_limit(x, cl=0.9, method="toys"), InputError, "needs toys="),
        (
            lambda x: upper_limit(
                count(1, 0.1, responses=[Free("norm")]), cl=0.9, method="exact"
            ),
            NoExactMethodError,
            "'norm' has no constraint",
        ),
        (
            lambda x: upper_limit(
                Likelihood.from_regions([Region("r", 0, [], [Term("b", 0.1)])]), cl=0.9
            ),
            InputError,
            "no region has a signal term",
        ),
        (
            lambda x: upper_limit(
                Likelihood.from_regions(
                    [
                        Region(
                            "r",
                            1,
                            [Term("s", 1.0)],
                            [Term("b", 0.1)],
                            EventDensities([[1.0]], [[1.0]]),
                        )
                    ]
                ),
                cl=0.9,
                method="exact",
            ),
            NoExactMethodError,
            "lists its events one by one",
        ),
        (
            lambda x: Toys(jax.random.key(1), ensemble="hybrid"),
            UnknownNameError,
            "ensemble 'hybrid'",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(count(1, 0.016))
