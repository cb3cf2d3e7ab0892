"""Joint CLs of mixed regions: against direct sums, toys, and each search alone."""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaincc
from scipy.stats import norm, poisson

from bsmfit.channels.search_region import (
    LOG_CLOSED,
    BackgroundTerm,
    LargestCount,
    LogResponse,
    SearchRegion,
    ShapedResponse,
    SignalTerm,
)
from bsmfit.errors import UnknownNameError
from bsmfit.inference.exclusion.joint_kernel import JointKernel
from bsmfit.inference.exclusion.nuisance_sort import NuisanceSort


def region(name, n, s, b, *, signal=(), background=(), effective=False, is_open=True):
    """A region of one signal and one background term."""
    log_events = math.log(s) if s else LOG_CLOSED
    terms = (SignalTerm("made", jnp.asarray(log_events), tuple(signal)),)
    return SearchRegion(
        name=name,
        observed=jnp.asarray(float(n)),
        signal=terms if s is not None else (),
        background=(BackgroundTerm("fakes", jnp.asarray(float(b)), tuple(background)),),
        is_open=jnp.asarray(is_open),
        is_found=jnp.asarray(True),
        is_effective=effective,
    )


def kernel_of(regions, ordering="likelihood-ratio"):
    return JointKernel.of(
        regions,
        searches=[r.name for r in regions],
        members=[[i] for i in range(len(regions))],
        largest=[
            LargestCount(float(r.observed), float(r.total_background)) for r in regions
        ],
        cl=0.9,
        ordering=ordering,
    )


def evaluate(regions, ordering="likelihood-ratio"):
    return eqx.filter_jit(kernel_of(regions, ordering))(tuple(regions))


SHARED = LogResponse("protons", math.log(1.2))


def test_one_region_is_the_exact_limit():
    """Known background: CLs of n events is P(<= n; s + b) / P(<= n; b)."""
    for n in (0, 1, 3):
        found = evaluate([region("a", n, 2.5, 0.77)])
        expected = poisson.cdf(n, 3.27) / poisson.cdf(n, 0.77)
        assert float(found.cls_obs) == pytest.approx(expected, rel=1e-12)
        assert bool(found.is_converged)
        assert found.ensemble == "known-background"


def test_two_regions_against_the_sum_over_outcomes_and_nuisances():
    """Direct sums over 25 x 25 counts, Gauss-Hermite over three nuisances."""
    s, b, n = (1.5, 0.9), (0.4, 1.1), (1, 1)
    k_shared, k_signal, k_fakes = math.log(1.2), math.log(1.15), math.log(1.3)
    own = LogResponse("eff", k_signal)
    found = evaluate(
        [
            region("a", n[0], s[0], b[0], signal=[SHARED, own]),
            region(
                "b",
                n[1],
                s[1],
                b[1],
                signal=[SHARED],
                background=[LogResponse("fakes", k_fakes)],
            ),
        ]
    )
    x, w = np.polynomial.hermite_e.hermegauss(24)
    w = w / w.sum()
    counts = np.arange(25)
    weights = np.log1p(np.array(s) / np.array(b))
    statistic = weights[0] * counts[:, None] + weights[1] * counts[None, :]
    is_in = statistic <= weights @ np.array(n) + 1e-9

    def probability(mu):
        total = 0.0
        for z, wz in zip(x, w, strict=True):
            rate_a = mu * s[0] * np.exp(k_shared * z + k_signal * x) + b[0]
            rate_b = mu * s[1] * np.exp(k_shared * z) + b[1] * np.exp(k_fakes * x)
            of_a = w @ poisson.pmf(counts[None, :], rate_a[:, None])
            of_b = w @ poisson.pmf(counts[None, :], rate_b[:, None])
            total += wz * np.sum(is_in * of_a[:, None] * of_b[None, :])
        return total

    expected = probability(1.0) / probability(0.0)
    assert float(found.cls_obs) == pytest.approx(expected, rel=1e-7)
    assert found.ensemble == "marginal"


def mixed_points():
    """Ten points of mixed kinds: whole, effective, shared and private nuisances."""
    rng = np.random.default_rng(5)
    for i in range(10):
        s = rng.uniform(0.2, 4.0, 3)
        end = LogResponse("end", jnp.array(0.2))
        yield [
            region("a", i % 3, s[0], 0.016, signal=[SHARED, LogResponse("eff_a", 0.1)]),
            region(
                "b",
                (i + 1) % 2,
                s[1],
                0.7,
                signal=[SHARED],
                background=[LogResponse("fakes", 0.25)],
            ),
            region(
                "c",
                rng.uniform(0.0, 4.0),
                s[2],
                rng.uniform(0.5, 3.0),
                signal=[LogResponse("theory", 0.12), end],
                effective=True,
            ),
        ]


def drawn(rng, rate):
    """An effective count, from its continuous distribution Q(x + 1, rate)."""
    x = np.linspace(-1.0, 40.0, 20_001)
    mean = np.mean(rate)
    assert np.allclose(rate, mean)
    return np.interp(
        rng.random(rate.size), gammaincc(np.maximum(x + 1.0, 1e-12), mean), x
    )


@pytest.mark.slow
@pytest.mark.parametrize("point", list(mixed_points()))
def test_joint_toys_of_mixed_kinds(point):
    """1e5 toys of each hypothesis, fixed key, within four of their errors."""
    found = evaluate(point)
    rng = np.random.default_rng(11)
    s = [float(jnp.exp(r.signal[0].log_events)) for r in point]
    background = [float(r.total_background) for r in point]
    weights = np.log1p(np.array(s) / np.array(background))
    observed = weights @ np.array([float(r.observed) for r in point])
    n_toy, n_node = 100_000, 50
    # the effective count by quantiles of its own nuisances, toys within each
    spread = math.hypot(0.12, 0.2)
    theta = norm.ppf((np.arange(n_node) + 0.5) / n_node)
    p = []
    for mu in (1.0, 0.0):
        shared, own, fakes = rng.standard_normal((3, n_toy))
        flux = np.exp(math.log(1.2) * shared)
        n_a = rng.poisson(mu * s[0] * flux * np.exp(0.1 * own) + 0.016)
        n_b = rng.poisson(mu * s[1] * flux + 0.7 * np.exp(0.25 * fakes))
        rates = mu * s[2] * np.exp(spread * theta) + background[2]
        x_c = np.concatenate(
            [drawn(rng, np.full(n_toy // n_node, rate)) for rate in rates]
        )
        total = weights[0] * n_a + weights[1] * n_b + weights[2] * x_c
        p.append(np.mean(total <= observed + 1e-9))
    error = math.sqrt(sum((1.0 - q) / (q * n_toy) for q in p))
    cls = p[0] / p[1]
    assert abs(float(found.cls_obs) - cls) < 4.0 * cls * error + 0.003
    assert bool(found.is_converged)


@pytest.mark.parametrize(
    ("s", "b", "n"),
    [
        ((2.0, 1.2), (1.5, 0.8), (1.3, 0.6)),
        # an event of the first weighs a thousandth of one of the second
        ((4e-3, 4.0), (3.0, 0.8), (2.0, 0.6)),
    ],
)
def test_two_effective_counts_against_a_double_integral(s, b, n):
    found = evaluate(
        [
            region("a", n[0], s[0], b[0], effective=True),
            region("b", n[1], s[1], b[1], effective=True),
        ]
    )
    w = np.log1p(np.array(s) / np.array(b))
    q = float(w @ np.array(n))

    def probability(mu):
        """Integral of the distribution of b over that of a, by 1e5 slices."""
        x = np.linspace(-1.0 + 1e-12, (q + w[1]) / w[0], 100_001)
        cdf = gammaincc(x + 1.0, mu * s[0] + b[0])
        middle = 0.5 * (x[1:] + x[:-1])
        left = np.maximum((q - w[0] * middle) / w[1], -1.0 + 1e-12)
        return np.sum(np.diff(cdf) * gammaincc(left + 1.0, mu * s[1] + b[1]))

    expected = probability(1.0) / probability(0.0)
    assert float(found.cls_obs) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("effective", [False, True])
def test_a_closed_or_insensitive_search_weakens_nothing(effective):
    """Adding it leaves the CLs of the other, however many events it has seen."""
    strong = region("a", 1, 3.0, 0.016, signal=[SHARED])
    alone = float(evaluate([strong]).cls_obs)
    for s, is_open in ((2.0, False), (0.0, True), (1e-12, True)):
        other = region(
            "b", 7.0, s, 5.0, signal=[SHARED], effective=effective, is_open=is_open
        )
        found = evaluate([strong, other])
        assert float(found.cls_obs) == pytest.approx(alone, abs=1e-9)
        assert float(found.cls_obs_single[0]) == pytest.approx(alone, abs=1e-12)
        assert bool(found.is_converged)


def test_the_sum_of_counts_is_another_ordering():
    """By the sum, a dirty search dilutes a clean one; the result says which it is."""
    regions = [region("clean", 0, 2.0, 0.01), region("dirty", 9, 0.5, 8.0)]
    by_ratio, by_sum = (evaluate(regions, o) for o in ("likelihood-ratio", "sum"))
    assert by_ratio.ordering == "likelihood-ratio"
    assert by_sum.ordering == "sum"
    s, b = 2.5, 8.01
    expected = poisson.cdf(9, s + b) / poisson.cdf(9, b)
    assert float(by_sum.cls_obs) == pytest.approx(expected, rel=1e-9)
    assert float(by_ratio.cls_obs) < 0.25 * float(by_sum.cls_obs)
    with pytest.raises(UnknownNameError, match="likelihood-ratio"):
        kernel_of(regions, "likelihood ratio")


def test_a_control_region_constrains_a_shared_nuisance():
    """Posterior-predictive average, by 400 trapezoidal nodes of the nuisance."""
    norm_error = LogResponse("norm", math.log(1.5))
    control = region("control", 14, None, 9.0, background=[norm_error])
    signal = region("signal", 2, 3.0, 1.2, background=[norm_error])
    kernel = JointKernel.of(
        [signal, control],
        searches=["search"],
        members=[[0, 1]],
        largest=[LargestCount(2.0, 1.2), LargestCount(14.0, 9.0)],
        cl=0.9,
        ordering="likelihood-ratio",
    )
    found = kernel((signal, control))
    z = np.linspace(-8.0, 8.0, 400)
    weight = norm.pdf(z) * poisson.pmf(14, 9.0 * 1.5**z)
    weight = weight / weight.sum()

    def at_most(s):
        return weight @ poisson.cdf(2, s + 1.2 * 1.5**z)

    expected = at_most(3.0) / at_most(0.0)
    assert float(found.cls_obs) == pytest.approx(expected, rel=1e-6)
    free = float(evaluate([signal]).cls_obs)
    assert abs(free - expected) > 1e-3


def test_a_sideband_is_a_gamma_distributed_background():
    """P(n) is negative binomial; m control events, transfer factor 1 / tau."""
    tau, m, n, s = 5.0, 4, 1, 2.0
    side = ShapedResponse("side", "sideband", float(m))
    found = evaluate([region("a", n, s, 1.0 / tau, background=[side])])
    from scipy.stats import nbinom

    def at_most(signal):
        return sum(
            poisson.pmf(k, signal) * nbinom.cdf(n - k, m + 1, tau / (1.0 + tau))
            for k in range(n + 1)
        )

    assert float(found.cls_obs) == pytest.approx(at_most(s) / at_most(0.0), rel=1e-5)


def test_expected_levels_are_quantiles_of_the_ordering():
    s, b = (2.0, 1.0), (0.3, 1.4)
    regions = [region("a", 0, s[0], b[0]), region("b", 0, s[1], b[1])]
    found = evaluate(regions)
    w = np.log1p(np.array(s) / np.array(b))
    counts = np.arange(30)
    q = (w[0] * counts[:, None] + w[1] * counts[None, :]).ravel()
    order = np.argsort(q)

    def cumulative(mu):
        of = [poisson.pmf(counts, mu * s[c] + b[c]) for c in range(2)]
        return np.cumsum((of[0][:, None] * of[1][None, :]).ravel()[order])

    without, with_signal = cumulative(0.0), cumulative(1.0)
    levels = norm.cdf([-2.0, -1.0, 0.0, 1.0, 2.0])
    at = np.searchsorted(without, levels)
    expected = with_signal[at] / without[at]
    np.testing.assert_allclose(found.cls_exp_quantiles, expected, rtol=1e-5)
    assert np.all(np.diff(np.asarray(found.cls_exp_quantiles)) >= 0.0)
    assert float(found.cls_exp) == float(found.cls_exp_quantiles[2])


@pytest.mark.slow
def test_gradient_of_the_joint_cls():
    """Against central differences, in the signal of each region."""

    regions = [
        region("a", 1, 1.0, 0.016, signal=[SHARED]),
        region("b", 1.7, 1.0, 1.3, signal=[SHARED], effective=True),
    ]
    kernel = kernel_of(regions)

    def log_cls(logs):
        moved = [
            dataclasses.replace(
                r, signal=(dataclasses.replace(r.signal[0], log_events=logs[i]),)
            )
            for i, r in enumerate(regions)
        ]
        return kernel(tuple(moved)).log_cls

    at = jnp.array([0.3, 0.1])
    slope = jax.jit(jax.grad(log_cls))(at)
    for i in range(2):
        step = 1e-5 * jnp.eye(2)[i]
        difference = (log_cls(at + step) - log_cls(at - step)) / 2e-5
        assert float(slope[i]) == pytest.approx(float(difference), rel=1e-6)


def test_nuisances_are_sorted_by_where_they_act():
    pot, eff, fake = SHARED, LogResponse("eff", 0.1), LogResponse("fake", 0.3)
    sort = NuisanceSort.of(
        [
            region("a", 0, 1.0, 1.0, signal=[pot, eff], background=[fake]),
            region("b", 0, 1.0, 1.0, signal=[pot]),
        ]
    )
    assert sort.shared == ("protons",)
    assert sort.private_signal == (("eff",), ())
    assert sort.private_background == (("fake",), ())
    both = NuisanceSort.of([region("a", 0, 1.0, 1.0, signal=[pot], background=[pot])])
    assert both.shared == ("protons",)
