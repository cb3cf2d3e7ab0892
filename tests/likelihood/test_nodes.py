from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from bsmfit.errors import InputError
from bsmfit.likelihood.likelihood import Likelihood, broadcast_points
from bsmfit.likelihood.nodes import (
    FactorisedNodes,
    NormalAxis,
    factorised_nodes,
    normal_nodes,
    product_nodes,
    response_sizes,
)
from bsmfit.likelihood.quadrature import LATTICE_NODES
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    Gamma,
    LogNormal,
    Sideband,
    TruncatedNormal,
)


def one_region(observed, signal, background, *, name="search", events=2.0):
    return Region(
        name,
        observed,
        signal=[Term("signal", 4.0, signal)],
        background=[Term("background", events, background)],
    )


def arrays_of(*regions, **keywords):
    return Likelihood.from_regions(list(regions), **keywords).arrays()


def expected(arrays, nodes):
    function = jax.jit(
        jax.vmap(lambda z: arrays.expected(arrays.parameters_from_normal(z)))
    )
    return [np.asarray(found) for found in function(jnp.asarray(nodes))]


@pytest.mark.parametrize("kappa", [1.05, 1.2, 1.5, 2.0, 4.0])
def test_log_normal_averages_of_zero_and_many_events(kappa):
    for n, rate in ((0, 2.3), (3, 3.0), (20, 20.0), (100, 100.0)):
        size = np.log(kappa)
        z, weights = product_nodes([NormalAxis(size, max(n, 1) * size**2)])
        found = weights @ stats.poisson.pmf(n, rate * kappa ** z[:, 0])
        reference, _ = integrate.quad(
            lambda z: stats.norm.pdf(z) * stats.poisson.pmf(n, rate * kappa**z),  # noqa: B023
            -9.0,
            9.0,
            points=np.linspace(-6, 6, 13),
            epsabs=0.0,
            epsrel=1e-12,
            limit=500,
        )
        np.testing.assert_allclose(found, reference, rtol=1e-6)


@pytest.mark.parametrize("n_control", [0, 1, 9])
def test_sideband_is_negative_binomial(n_control):
    tau = 10.0
    arrays = arrays_of(
        one_region(2, [], [Sideband("control", n_control)], events=1 / tau)
    )
    nodes, weights = normal_nodes(arrays)
    background = expected(arrays, nodes)[1][:, 0]
    counts = stats.nbinom(n_control + 1, tau / (1 + tau))
    for n in range(4):
        signal = stats.poisson.pmf(np.arange(n + 1), 2.3)
        reference = signal @ counts.cdf(n - np.arange(n + 1))
        found = weights @ stats.poisson.cdf(n, background + 2.3)
        np.testing.assert_allclose(found, reference, rtol=1e-6)
        found = weights @ stats.poisson.pmf(n, background)
        np.testing.assert_allclose(found, counts.pmf(n), rtol=1e-6)


def test_truncated_gaussian_and_asymmetric_factors():
    arrays = arrays_of(one_region(3, [], [TruncatedNormal("fakes", 0.5)]))
    nodes, weights = normal_nodes(arrays)
    found = weights @ stats.poisson.cdf(3, expected(arrays, nodes)[1][:, 0] + 2.3)
    reference, _ = integrate.quad(
        lambda z: stats.norm.pdf(z) * stats.poisson.cdf(3, 2 + z + 2.3), -2, 9
    )
    np.testing.assert_allclose(found, reference / stats.norm.cdf(2), rtol=1e-6)
    arrays = arrays_of(one_region(3, [], [Asymmetric("fakes", 1.1, 0.87)]))
    nodes, weights = normal_nodes(arrays)
    found = weights @ stats.poisson.cdf(3, expected(arrays, nodes)[1][:, 0] + 2.3)
    x, w = (np.ravel(a) for a in _pieces())
    background = expected(arrays, x[:, None])[1][:, 0]
    reference = w @ (stats.norm.pdf(x) * stats.poisson.cdf(3, background + 2.3))
    np.testing.assert_allclose(found, reference, rtol=1e-4)


def _pieces():
    x, w = np.polynomial.legendre.leggauss(60)
    edges = np.array([-9.0, -4.0, -1.0, 1.0, 4.0, 9.0])
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return middle + half * x, half * w


def test_common_nuisances_are_one_axis_and_idle_ones_have_one_node():
    common = [LogNormal("protons", 1.2), LogNormal("efficiency", 1.1)]
    arrays = arrays_of(one_region(0, [*common, LogNormal("idle", 1.0)], []))
    nodes, weights = normal_nodes(arrays)
    size = np.hypot(np.log(1.2), np.log(1.1))
    assert weights.size <= NormalAxis(size, size**2).rule()[0].size
    np.testing.assert_allclose(nodes[:, 2], 0.0)
    signal = expected(arrays, nodes)[0][:, 0] / 4.0
    # moments of a log-normal distribution
    np.testing.assert_allclose(weights @ signal, np.exp(size**2 / 2), rtol=1e-10)
    np.testing.assert_allclose(weights @ signal**2, np.exp(2 * size**2), rtol=1e-8)


def test_sizes_are_those_of_the_largest_response_of_a_grid():
    kappa = jnp.array([1.1, 1.4, 1.2])
    likelihood = Likelihood.from_regions(
        [one_region(4, [LogNormal("efficiency", kappa)], [Gamma("fakes", 0.1)])]
    )
    batch = jax.vmap(lambda point: point.arrays())(broadcast_points(likelihood))
    sizes, information = response_sizes(batch, np.eye(2))
    np.testing.assert_allclose(sizes[0], np.log(1.4), rtol=2e-3)
    np.testing.assert_allclose(information[0], 4 * np.log(1.4) ** 2, rtol=4e-3)
    assert 0.09 < sizes[1] < 0.11


def test_many_axes_use_the_lattice():
    axes = [NormalAxis(0.1)] * 7
    nodes, weights = product_nodes(axes)
    assert weights.size == LATTICE_NODES
    nodes = np.exp(0.1 * nodes.sum(axis=1))
    np.testing.assert_allclose(weights @ nodes, np.exp(7 * 0.01 / 2), rtol=1e-4)


def test_factorised_average_is_the_product_average():
    protons = LogNormal("protons", 1.2)
    arrays = arrays_of(
        one_region(1, [protons, LogNormal("e1", 1.1)], [Gamma("sb", 0.3)], name="a"),
        one_region(2, [protons], [LogNormal("b2", 1.3)], name="b"),
    )
    nodes, weights = normal_nodes(arrays, max_tensor=10**6)
    total = np.stack(expected(arrays, nodes)).sum(axis=0)
    product = stats.poisson.pmf([1, 2], total).prod(axis=1)
    parts = factorised_nodes(arrays)
    assert parts.shared_weights.size * parts.private_weights.shape[0] < weights.size / 5
    np.testing.assert_allclose(
        factorised(arrays, parts, [1, 2]), weights @ product, rtol=1e-7
    )


def factorised(arrays, parts: FactorisedNodes, observed):
    both = parts.shared[:, None] + parts.private[None]
    total = np.stack(expected(arrays, both.reshape(-1, both.shape[-1]))).sum(axis=0)
    pmf = stats.poisson.pmf(observed, total.reshape(*both.shape[:2], -1))
    by_bin = np.einsum("jmi,mi->ji", pmf, parts.private_weights)
    return parts.shared_weights @ by_bin.prod(axis=1)


def test_simulation_statistics_of_many_bins_need_few_nodes():
    errors = np.array([0.3, 0.2, 0.0, 0.5])
    background = np.array([2.0, 1.0, 3.0, 0.5])
    observed = np.array([3, 0, 4, 1])
    region = Region(
        "shape",
        observed,
        signal=[Term("signal", np.ones(4))],
        background=[Term("fakes", background, [BinFactors("mc", errors)])],
    )
    arrays = arrays_of(region)
    parts = factorised_nodes(arrays)
    assert parts.shared.shape == (1, 4)
    found = factorised(arrays, parts, observed)
    background, errors = background[errors > 0], errors[errors > 0]
    # the likelihood at signal 1 on top, by numerical integrals bin by bin
    reference = stats.poisson.pmf(4, 4.0)
    for n, b, error in zip([3, 0, 1], background, errors, strict=True):
        gamma = stats.gamma(error**-2, scale=error**2)
        reference *= integrate.quad(
            lambda g: gamma.pdf(g) * stats.poisson.pmf(n, 1 + b * g),  # noqa: B023
            0.0,
            8.0,
            epsabs=0.0,
            epsrel=1e-10,
            limit=200,
        )[0]
    np.testing.assert_allclose(found, reference, rtol=1e-6)


def test_correlated_nuisances_are_shared():
    arrays = arrays_of(
        one_region(1, [LogNormal("a", 1.2)], [], name="first"),
        one_region(1, [LogNormal("b", 1.3)], [], name="second"),
        correlations={("a", "b"): 0.5},
    )
    parts = factorised_nodes(arrays)
    assert parts.private.shape[0] == 1
    signal = expected(arrays, parts.shared)[0] / 4.0
    found = parts.shared_weights @ (signal[:, 0] * signal[:, 1])
    a, b = np.log(1.2), np.log(1.3)
    np.testing.assert_allclose(found, np.exp((a**2 + b**2 + a * b) / 2), rtol=1e-8)


def test_a_free_factor_cannot_be_averaged_over():
    arrays = arrays_of(one_region(1, [], [Free("scale")]))
    with pytest.raises(InputError, match="free factor 'scale'"):
        normal_nodes(arrays)
