from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaincc

from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.likelihood.quadrature import (
    LATTICE_NODES,
    NuisanceQuadrature,
    axis_rule,
    lattice_rule,
)


def nuisance(name: str, kappa: float) -> Nuisance:
    return Nuisance(name, jnp.array(kappa))


def test_same_responses_are_one_axis() -> None:
    shared = [nuisance("protons", 1.2), nuisance("efficiency", 1.1)]
    model = CountingModel.from_terms([shared, shared], [(jnp.array(0.1), [])])
    quadrature = NuisanceQuadrature.from_model(model)
    assert quadrature.is_common_signal
    nodes = np.asarray(quadrature.signal_nodes)
    assert np.linalg.matrix_rank(nodes, tol=1e-10) == 1
    response = nodes @ np.log([1.2, 1.1])
    weights = np.asarray(quadrature.signal_weights)
    size_squared = np.sum(np.log([1.2, 1.1]) ** 2)
    np.testing.assert_allclose(weights @ response**2, size_squared, rtol=1e-6)
    np.testing.assert_allclose(
        weights @ np.exp(response), np.exp(size_squared / 2), rtol=1e-6
    )
    assert quadrature.background_nodes.shape[0] == 1


def test_no_nuisance_is_one_node() -> None:
    model = CountingModel.from_terms([[]], [(jnp.array(0.1), [])])
    quadrature = NuisanceQuadrature.from_model(model)
    assert quadrature.signal_nodes.shape == (1, 0)
    assert quadrature.background_weights.shape == (1,)


def test_shared_background_moves_with_the_signal_and_keeps_its_variance() -> None:
    luminosity = nuisance("luminosity", 1.3)
    model = CountingModel.from_terms(
        [[luminosity]], [(jnp.array(0.1), [luminosity, nuisance("fakes", 1.4)])]
    )
    quadrature = NuisanceQuadrature.from_model(model)
    inner = np.asarray(quadrature.background_nodes)
    np.testing.assert_allclose(inner[:, 0], 0.0, atol=1e-12)
    np.testing.assert_allclose(
        np.asarray(quadrature.background_weights) @ inner[:, 1] ** 2, 1.0, rtol=1e-6
    )


@pytest.mark.parametrize("size", [0.01, 0.1, 0.25, 0.4, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("n", [0, 1, 10])
def test_axis_rule_against_a_fine_grid(size: float, n: int) -> None:
    fine = np.linspace(-9.0, 9.0, 4001)
    weight = np.exp(-(fine**2) / 2.0)
    weight /= weight.sum()
    nodes, weights = axis_rule(size)
    signal = n + 3.0
    got = weights @ gammaincc(n + 1, signal * np.exp(size * nodes))
    truth = weight @ gammaincc(n + 1, signal * np.exp(size * fine))
    np.testing.assert_allclose(got, truth, rtol=1e-6 if size < 0.5 else 1e-5)


def test_lattice_against_a_closed_form_in_six_dimensions() -> None:
    sizes = np.array([0.5, 0.4, 0.3, 0.25, 0.2, 0.1])
    nodes, weights = lattice_rule(sizes, 4093)
    np.testing.assert_allclose(nodes.T @ (weights[:, None] * nodes), np.eye(6), 0, 1e-9)
    np.testing.assert_allclose(weights @ nodes**3, 0.0, atol=1e-9)
    # the sum of responses is one normal of known size: integrate that finely
    size = np.sqrt(np.sum(sizes**2))
    axis, axis_weights = axis_rule(float(size))
    truth = axis_weights @ np.exp(-2.3 * np.exp(size * axis))
    got = weights @ np.exp(-2.3 * np.exp(nodes @ sizes))
    np.testing.assert_allclose(got, truth, rtol=2e-3)


def test_many_axes_use_the_lattice() -> None:
    sizes = (1.6, 1.5, 1.4, 1.3, 1.2)
    signal = [[nuisance(f"norm {k}", kappa)] for k, kappa in enumerate(sizes)]
    model = CountingModel.from_terms(signal, [(jnp.array(0.016), [])])
    quadrature = NuisanceQuadrature.from_model(model)
    assert quadrature.signal_nodes.shape == (LATTICE_NODES, 5)
    assert not quadrature.is_common_signal
