"""Bins without signal: whatever they say about nuisances, and nothing else.

Truths are integrals over the posterior of the nuisances by equidistant sums in numpy,
and negative binomials, all independent of the nodes of the library.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import xlogy

from bsmfit.errors import LowCountWarning, NoExactMethodError
from bsmfit.inference.limits.result import Status
from bsmfit.inference.limits.upper_limit import (
    cls_test,
    exact_plan,
    expected_upper_limits,
    upper_limit,
)
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Free,
    Gamma,
    LogNormal,
    Sideband,
    TruncatedNormal,
)


def signal_region(n, background, responses=(), signal_responses=()):
    return Region(
        "SR",
        n,
        [Term("s", 1.0, signal_responses)],
        [Term("b", background, responses)],
    )


def control(n, background, *responses, name="CR"):
    return Region(name, n, [], [Term("b", background, responses)])


def column(values):
    return np.asarray(values, dtype=float)[:, None]


def limit_of_pmf(pmf, n, cl=0.95):
    """CLs limit for a distribution of the background count."""
    below = np.cumsum(pmf)

    def cls(signal):
        k = np.arange(n + 1)
        return stats.poisson.pmf(k, signal) @ below[n - k] / below[n]

    return optimize.brentq(lambda s: cls(s) - (1.0 - cl), 1e-3, 200.0, xtol=1e-11)


def limit_of_average(log_density, signal, background, n, cl=0.95):
    """CLs limit for a density on equidistant nodes, and the yields there."""
    weights = np.exp(log_density - log_density.max())
    kept = weights > 1e-16 * weights.sum()
    weights, background = weights[kept], background[kept]
    signal = np.broadcast_to(signal, kept.shape)[kept]

    def below(strength):
        return weights @ stats.poisson.cdf(n, strength * signal + background)

    ratio = below(0.0) * (1.0 - cl)
    return optimize.brentq(lambda s: below(s) - ratio, 1e-3, 200.0, xtol=1e-11)


def log_gamma_nodes(shape):
    """Nodes and weights for a gamma variable of unit scale, equidistant in its log."""
    width = 1.0 / np.sqrt(shape)
    t = np.linspace(-30.0 * width - 3.0, min(8.0 * width + 2.0, 6.0), 1200)
    log_weight = stats.gamma.logpdf(shape * np.exp(t), shape) + t
    weight = np.exp(log_weight - log_weight.max())
    kept = weight > 1e-14
    return shape * np.exp(t[kept]), weight[kept] / weight.sum()


def abcd_limit(a, b, c, d, *, offset=1.0):
    """A = B C / D with independent gamma posteriors of the three; B analytically."""
    rate_c, weight_c = log_gamma_nodes(c + offset)
    rate_d, weight_d = log_gamma_nodes(d + offset)
    ratio = rate_c[:, None] / rate_d[None]
    weight = weight_c[:, None] * weight_d[None]
    pmf = [
        np.sum(weight * stats.nbinom.pmf(k, b + offset, 1.0 / (1.0 + ratio)))
        for k in range(a + 1)
    ]
    return limit_of_pmf(np.array(pmf), a)


def abcd(a, b, c, d):
    """By free factors: D = k, B = k u, C = k v, A = k u v."""
    k, u, v = Free("k"), Free("u"), Free("v")
    return Likelihood.from_regions(
        [
            signal_region(a, 1.0, [k, u, v]),
            control(b, 1.0, k, u, name="B"),
            control(c, 1.0, k, v, name="C"),
            control(d, 1.0, k, name="D"),
        ]
    )


@pytest.mark.slow
def test_abcd_by_free_factors_is_flat_in_the_control_regions():
    # 5.512 and 4.125: abcd of (3, 30, 20, 200) and (1, 10, 5, 50), marginal. The other
    # points are poor regions, one of them empty.
    points = np.array(
        [(3, 30, 20, 200), (1, 10, 5, 50), (2, 0, 7, 30), (2, 0, 1, 0), (0, 4, 3, 9)]
    )
    a, b, c, d = (column(x) for x in points.T)
    limit = upper_limit(abcd(a, b, c, d), cl=0.95)
    np.testing.assert_allclose(limit.value[:2], [5.512, 4.125], atol=5e-4)
    truth = [abcd_limit(*point) for point in points.tolist()]
    np.testing.assert_allclose(limit.value, truth, rtol=1e-7)
    assert (limit.method, limit.ensemble) == ("exact", "conditioned-flat")
    assert "flat in their expected counts" in limit.reason


def test_abcd_of_two_sidebands():
    # the same regions: B and C as sidebands, D an error of 1/sqrt(D) on their product
    def likelihood(n, b, c, d):
        parts = [Sideband("B", b), Sideband("C", c), LogNormal("D", 1.0 + d**-0.5)]
        return Likelihood.from_regions([signal_region(n, 1.0 / d, parts)])

    for counts, truth in [((3, 30, 20, 200), 5.5085), ((1, 10, 5, 50), 4.1215)]:
        limit = upper_limit(likelihood(*counts), cl=0.95)
        np.testing.assert_allclose(limit.value, truth, atol=6e-5)


@pytest.mark.slow
def test_abcd_does_not_depend_on_how_factors_are_chosen():
    # B, C and D free themselves would need a ratio; double ratios are another choice
    k, u, v = Free("k"), Free("u"), Free("v")
    likelihood = Likelihood.from_regions(
        [
            signal_region(3, 3.0, [u, v, k]),
            control(30, 30.0, u, k, name="B"),
            control(20, 2.0, v, k, name="C"),
            control(200, 50.0, k, name="D"),
        ]
    )
    # 3 / (30 * 2 / 50): transfer factor 2.5
    found = upper_limit(likelihood, cl=0.95).value
    rate_c, weight_c = log_gamma_nodes(21.0)
    rate_d, weight_d = log_gamma_nodes(201.0)
    ratio = 2.5 * rate_c[:, None] / rate_d[None]
    weight = weight_c[:, None] * weight_d[None]
    pmf = [
        np.sum(weight * stats.nbinom.pmf(k, 31.0, 1.0 / (1.0 + ratio)))
        for k in range(4)
    ]
    np.testing.assert_allclose(found, limit_of_pmf(np.array(pmf), 3), rtol=1e-7)


def one_factor(n, n_control, scale=0.1):
    k = Free("k")
    return Likelihood.from_regions(
        [signal_region(n, scale, [k]), control(n_control, 1.0, k)]
    )


def test_one_factor_and_one_control_bin_are_a_sideband():
    n, n_control = column([0, 2, 2, 3, 1]), column([9, 9, 0, 40, 3])
    free = upper_limit(one_factor(n, n_control), cl=0.95)
    region = signal_region(n, 0.1, [Sideband("k", n_control[:, 0])])
    sideband = upper_limit(Likelihood.from_regions([region]), cl=0.95)
    np.testing.assert_allclose(free.value, sideband.value, rtol=2e-5)
    truth = [
        limit_of_pmf(stats.nbinom.pmf(np.arange(int(k) + 1), m + 1.0, 10 / 11), int(k))
        for k, m in zip(n[:, 0], n_control[:, 0], strict=True)
    ]
    np.testing.assert_allclose(free.value, truth, rtol=1e-7)


@pytest.mark.slow
def test_jeffreys_prior_is_half_a_count_less():
    n_control = column([0, 1, 9])
    found = upper_limit(one_factor(2, n_control), cl=0.95, free_prior="jeffreys")
    truth = [
        limit_of_pmf(stats.nbinom.pmf(np.arange(3), m + 0.5, 10 / 11), 2)
        for m in n_control[:, 0]
    ]
    np.testing.assert_allclose(found.value, truth, rtol=2e-7)
    assert found.ensemble == "conditioned-jeffreys"
    assert "Jeffreys" in found.reason


@pytest.mark.slow
def test_control_counts_may_be_as_large_as_they_like():
    n_control = np.array([1e2, 1e4, 1e6, 1e9])
    region = signal_region(2, (1.5 / n_control)[:, None], [Free("k")])
    bins = control(column(n_control), 1.0, Free("k"))
    found = upper_limit(Likelihood.from_regions([region, bins]), cl=0.95)
    assert found.method == "exact"
    truth = [
        limit_of_pmf(stats.nbinom.pmf(np.arange(3), m + 1.0, m / (m + 1.5)), 2)
        for m in n_control
    ]
    np.testing.assert_allclose(found.value, truth, rtol=1e-7)


T = np.linspace(-9.0, 9.0, 40_001)


def one_nuisance(n_control, expected, *, kappa=1.3, signal_kappa=1.0):
    x = LogNormal("x", kappa)
    return Likelihood.from_regions(
        [
            signal_region(2, 1.5, [x], [LogNormal("x", signal_kappa)]),
            control(n_control, expected, x),
        ]
    )


def one_nuisance_truth(n_control, expected, *, kappa=1.3, signal_kappa=1.0):
    # far from the prior the posterior is narrow: nodes around its mode
    rate = expected * kappa**T
    centre = T[np.argmax(-0.5 * T**2 + xlogy(n_control, rate) - rate)]
    width = 1.0 / np.sqrt(1.0 + np.log(kappa) ** 2 * max(n_control, 1.0))
    t = centre + np.linspace(-15.0, 15.0, 20_001) * width
    rate = expected * kappa**t
    return limit_of_average(
        -0.5 * t**2 + xlogy(n_control, rate) - rate,
        signal_kappa**t,
        1.5 * kappa**t,
        2,
    )


def test_a_shared_normalisation_is_conditioned_by_the_control_bin():
    # fewer, as many, more than expected; 1.2e6 where 1e6 were expected; a fraction
    cases = [(35.0, 40.0), (61.0, 61.0), (0.0, 6.0), (1.2e6, 1.0e6), (413.2, 400.0)]
    n_control, expected = (column(x) for x in zip(*cases, strict=True))
    found = upper_limit(one_nuisance(n_control, expected), cl=0.95)
    truth = [one_nuisance_truth(*case) for case in cases]
    np.testing.assert_allclose(found.value, truth, rtol=1e-7)
    assert found.ensemble == "conditioned"


def test_a_control_bin_conditions_the_signal_too():
    cases = [(100.0, 80.0), (4000.0, 5000.0)]
    n_control, expected = (column(x) for x in zip(*cases, strict=True))
    found = upper_limit(one_nuisance(n_control, expected, signal_kappa=1.2), cl=0.95)
    truth = [one_nuisance_truth(*case, signal_kappa=1.2) for case in cases]
    np.testing.assert_allclose(found.value, truth, rtol=1e-7)


def test_no_event_is_no_event_whatever_the_control_bins_say():
    # 2.9957 = -ln 0.05; norm of 20 % shared, 61 events where 61 are expected
    x = LogNormal("x", 1.2)
    likelihood = Likelihood.from_regions(
        [signal_region(0, 0.5, [x]), control(61, 61.0, x)]
    )
    found = upper_limit(likelihood, cl=0.95)
    np.testing.assert_allclose(found.value, -np.log(0.05), rtol=1e-10)


def test_gamma_factors_are_conditioned():
    g = Gamma("g", 0.25)
    found = upper_limit(
        Likelihood.from_regions([signal_region(2, 2.0, [g]), control(22, 15.0, g)]),
        cl=0.95,
    )
    # gamma of shape 16 times Pois(22 | 15 g): gamma of shape 38 and rate 31
    truth = limit_of_pmf(stats.nbinom.pmf(np.arange(3), 38.0, 31.0 / 33.0), 2)
    np.testing.assert_allclose(found.value, truth, rtol=1e-7)


def test_gaussian_factors_are_conditioned():
    g = TruncatedNormal("g", 0.2)
    found = upper_limit(
        Likelihood.from_regions([signal_region(2, 2.0, [g]), control(22, 15.0, g)]),
        cl=0.95,
    )
    t = np.linspace(-4.999, 9.0, 200_001)
    factor = 1.0 + 0.2 * t
    density = -0.5 * t**2 + xlogy(22, 15.0 * factor) - 15.0 * factor
    truth = limit_of_average(density, 1.0, 2.0 * factor, 2)
    np.testing.assert_allclose(found.value, truth, rtol=1e-7)


@pytest.mark.slow
def test_a_chain_of_control_bins_is_followed():
    x, y = LogNormal("x", 1.3), LogNormal("y", 1.2)
    likelihood = Likelihood.from_regions(
        [
            signal_region(3, 2.0, [x]),
            control(70, 50.0, x, y, name="C"),
            control(1000, 900.0, y, name="D"),
        ]
    )
    t = np.linspace(-8.0, 8.0, 1601)
    x, y = (axis.reshape(-1) for axis in np.meshgrid(t, t, indexing="ij"))
    first, second = 50.0 * 1.3**x * 1.2**y, 900.0 * 1.2**y
    density = -0.5 * (x**2 + y**2)
    density = density + xlogy(70, first) - first + xlogy(1000, second) - second
    truth = limit_of_average(density, 1.0, 2.0 * 1.3**x, 3)
    found = upper_limit(likelihood, cl=0.95)
    np.testing.assert_allclose(found.value, truth, rtol=1e-7)


def test_several_signal_bins_share_what_a_control_bin_says():
    # two bins with one fitted norm; CLs by listing outcomes at nodes of its posterior
    k = Free("k")
    second = Region("S2", 0, [Term("s", 0.5)], [Term("b", 0.2, [k])])
    likelihood = Likelihood.from_regions(
        [signal_region(1, 0.1, [k]), second, control(9, 1.0, k)]
    )
    strength = 2.0
    # the order is that of the mode of the log of the factor, 10 for 9 events
    weight = np.log1p(strength * np.array([1.0, 0.5]) / (10.0 * np.array([0.1, 0.2])))
    norm, node_weight = log_gamma_nodes(10.0)
    n = np.arange(60)
    outcome = n[:, None] * weight[0] + n[None, :] * weight[1] <= weight[0] + 1e-9

    def below(mu):
        rates = (mu * 1.0 + 0.1 * norm, mu * 0.5 + 0.2 * norm)
        one, two = (stats.poisson.pmf(n[:, None], rate[None]) for rate in rates)
        return np.einsum("ab,aj,bj,j->", outcome, one, two, node_weight)

    test = cls_test(likelihood, strength)
    np.testing.assert_allclose(test.value, below(strength) / below(0.0), rtol=1e-6)
    assert test.ensemble == "conditioned-flat"


@pytest.mark.slow
def test_many_nuisances_take_a_lattice_whose_error_is_stated():
    rng = np.random.default_rng(3)
    n_nuisance, expected = 6, np.array([200.0, 90.0, 60.0, 40.0, 25.0, 30.0])
    response = rng.normal(0.0, 0.08, (expected.size, n_nuisance))
    of_background = rng.normal(0.0, 0.15, n_nuisance)
    n_control = np.array([183.0, 97.0, 71.0, 31.0, 25.0, 24.0])

    def log_normals(row):
        return [LogNormal(f"x{i}", np.exp(size)) for i, size in enumerate(row)]

    likelihood = Likelihood.from_regions(
        [signal_region(3, 1.8, log_normals(of_background))]
        + [
            control(n, b, *log_normals(row), name=f"C{i}")
            for i, (n, b, row) in enumerate(
                zip(n_control, expected, response, strict=True)
            )
        ]
    )
    found = upper_limit(likelihood, cl=0.95)
    assert "ln CLs to" in found.reason

    def log_density(t):
        rate = expected * np.exp(t @ response.T)
        inside = np.sum(xlogy(n_control, rate) - rate, axis=-1)
        return inside - 0.5 * np.sum(t**2, axis=-1)

    # importance sampling from the Laplace approximation: 1e-4 of CLs with 4e5 points
    mode = optimize.minimize(lambda t: -log_density(t), np.zeros(n_nuisance)).x
    rate = expected * np.exp(response @ mode)
    hessian = np.eye(n_nuisance) + response.T @ (rate[:, None] * response)
    spread = np.linalg.cholesky(np.linalg.inv(hessian))
    unit = rng.normal(size=(400_000, n_nuisance))
    t = mode + unit @ spread.T
    density = log_density(t) + 0.5 * np.sum(unit**2, axis=-1)
    truth = limit_of_average(density, 1.0, 1.8 * np.exp(t @ of_background), 3)
    np.testing.assert_allclose(found.value, truth, rtol=5e-4)


@pytest.mark.slow
def test_expected_limits_are_conditioned():
    # negative binomial without signal; quantiles of the limits of its counts
    found = expected_upper_limits(one_factor(7, 19.0), cl=0.95)
    pmf = stats.nbinom.pmf(np.arange(40), 20.0, 10 / 11)
    counts = np.searchsorted(np.cumsum(pmf), stats.norm.cdf([-2, -1, 0, 1, 2]))
    truth = [limit_of_pmf(pmf, int(n)) for n in counts]
    np.testing.assert_allclose(found.value, truth, rtol=1e-6)


def test_derivatives_through_the_posterior_are_those_of_finite_differences():
    plan = exact_plan(one_factor(2, 9.0))

    @jax.jit
    def limit(parameters):
        likelihood = one_factor(2, parameters[0], scale=parameters[1])
        return upper_limit(likelihood, cl=0.95, method="exact", plan=plan).value

    centre = jnp.array([9.0, 0.1])
    slopes = jax.jacfwd(limit)(centre)

    def truth(n_control, scale):
        success = 1.0 / (1.0 + scale)
        return limit_of_pmf(stats.nbinom.pmf(np.arange(3), n_control + 1, success), 2)

    steps = (1e-3, 1e-5)
    finite = [
        (truth(9.0 + steps[0], 0.1) - truth(9.0 - steps[0], 0.1)) / (2 * steps[0]),
        (truth(9.0, 0.1 + steps[1]) - truth(9.0, 0.1 - steps[1])) / (2 * steps[1]),
    ]
    np.testing.assert_allclose(slopes, finite, rtol=1e-5)
    # the same plan for other data: nodes follow the posterior
    np.testing.assert_allclose(
        limit(jnp.array([40.0, 0.1])), truth(40.0, 0.1), rtol=1e-6
    )


def test_a_factor_that_no_bin_fixes_has_asymptotic_limits_with_a_word():
    likelihood = Likelihood.from_regions([signal_region(1, 0.1, [Free("norm")])])
    with pytest.raises(NoExactMethodError, match="'norm' has no constraint") as error:
        upper_limit(likelihood, cl=0.95, method="exact")
    assert "method='asymptotic'" in str(error.value)
    with pytest.warns(LowCountWarning, match="'norm' has no constraint"):
        limit = upper_limit(likelihood, cl=0.95)
    assert (limit.method, int(limit.status)) == ("asymptotic", Status.OK)
    with pytest.warns(LowCountWarning):
        upper_limit(likelihood, cl=0.95, method="asymptotic")


def test_two_factors_in_one_control_bin_are_not_fixed():
    k, u = Free("k"), Free("u")
    likelihood = Likelihood.from_regions(
        [signal_region(1, 0.1, [k]), control(30, 1.0, k, u)]
    )
    with pytest.raises(NoExactMethodError, match="do not fix k, u well enough"):
        exact_plan(likelihood)


def cls_of_two_bins(n_control, strength):
    """Two bins that both have signal and share a factor, by listing outcomes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    first, second = np.arange(80)[:, None], np.arange(500)[None, :]
    ratio = np.log1p(strength / 0.5), np.log1p(0.5 * strength / n_control)
    statistic = first * ratio[0] + second * ratio[1]
    is_in = statistic <= ratio[0] + n_control * ratio[1] + 1e-9

    def probability(mu):
        return sum(
            weight
            * np.sum(
                stats.poisson.pmf(first, mu + 0.5 * factor)
                * stats.poisson.pmf(second, 0.5 * mu + n_control * factor)
                * is_in
            )
            for weight, factor in zip(weights, 1.2**nodes, strict=True)
            if weight > 1e-14
        )

    return probability(strength) / probability(0.0)


@pytest.mark.parametrize("n_control", [20, 50])
def test_a_large_bin_with_signal_is_listed_beside_a_small_one(n_control):
    shared = LogNormal("n", 1.2)
    large = Region(
        "CR", n_control, [Term("s", 0.5)], [Term("b", float(n_control), [shared])]
    )
    small = signal_region(1, 0.5, [shared])
    limit = upper_limit(Likelihood.from_regions([small, large]), cl=0.95)
    assert limit.method == "exact"
    assert cls_of_two_bins(n_control, float(limit.value)) == pytest.approx(0.05, 1e-6)
