"""Derivatives by hand are those of the likelihood, for every kind of response."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.inference.fits.fit_problem import FitProblem
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    Gamma,
    LogNormal,
    Morph,
    Sideband,
    TruncatedNormal,
)


@pytest.fixture(scope="module")
def everything() -> LikelihoodArrays:
    """Every response, two of them on one shape, correlations and single events."""
    shape = Region(
        "shape",
        [3, 0, 5, 2],
        signal=[
            Term(
                "s",
                [2.0, 1.0, 3.0, 0.5],
                [
                    LogNormal("protons", 1.2),
                    Asymmetric("efficiency", 1.3, 0.8),
                    Morph("scale", [2.2, 1.3, 2.8, 0.4], [1.9, 0.8, 3.3, 0.6]),
                    TruncatedNormal("width", 0.2),
                ],
            )
        ],
        background=[
            Term(
                "b1",
                [1.0, 2.0, 1.5, 0.7],
                [
                    LogNormal("protons", 1.2),
                    TruncatedNormal("width", 0.3),
                    TruncatedNormal("other", 0.4),
                    Morph("scale", [1.2, 1.9, 1.4, 0.9], [0.9, 2.2, 1.5, 0.6]),
                    Morph("tilt", [1.1, 2.1, 1.4, 0.6], [0.9, 1.8, 1.7, 0.8]),
                    BinFactors("statistics", [0.3, 0.2, 0.4, 0.1]),
                ],
            ),
            Term(
                "b2",
                [0.5, 0.5, 0.5, 0.5],
                [
                    Gamma("gamma", 0.3),
                    Asymmetric("efficiency", 1.1, 0.95),
                    BinFactors("statistics", [0.3, 0.2, 0.4, 0.1]),
                    BinFactors("private", [0.1, 0.2, 0.3, 0.4], "normal"),
                ],
            ),
            Term("b3", [0.1, 0.1, 0.2, 0.2], [Free("factor")]),
        ],
    )
    events = Region(
        "events",
        2,
        signal=[Term("s", 2.0, [LogNormal("protons", 1.2)])],
        background=[Term("b", 0.1, [Sideband("control", 5)])],
        events=EventDensities([[0.5, 2.0]], [[1.0, 1.0]]),
    )
    return Likelihood.from_regions(
        [shape, events], {("protons", "scale"): 0.5, ("width", "scale"): -0.3}
    ).arrays()


def test_value_and_derivatives_are_those_of_the_likelihood(everything):
    problem = FitProblem.from_arrays(everything)
    z = 0.4 * jax.random.normal(jax.random.key(1), (2, problem.n_parameter))
    points = jnp.concatenate([jnp.array([[3.0], [0.5]]), z], axis=1)

    def likelihood(point):
        strength = point[0] / problem.signal_events
        return everything.negative_log_likelihood(
            strength, problem.independent(point[1:])
        )

    step = 1e-5
    moved = step * jnp.eye(problem.n_parameter + 1)
    moved = jnp.concatenate([jnp.zeros((1, moved.shape[0])), moved, -moved])
    batch = (points[:, None] + moved[None]).reshape(-1, points.shape[1])
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(likelihood)))(batch)
    value = values.reshape(2, -1)[:, 0]
    gradient, *around = jnp.split(
        gradients.reshape(2, -1, points.shape[1]), [1, points.shape[1] + 1], axis=1
    )
    hessian = (around[0] - around[1]) / (2.0 * step)
    found = jax.jit(jax.vmap(problem.derivatives))(points)
    np.testing.assert_allclose(found.gradient, gradient[:, 0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-6, atol=1e-7)
    # the constants differ by the same amount everywhere
    np.testing.assert_allclose(np.diff(found.value), np.diff(value), rtol=1e-11)


def test_expected_data_are_described_perfectly(everything):
    without_events = Likelihood.from_regions(
        [
            Region(
                "a",
                [3, 0],
                signal=[Term("s", [1.0, 2.0])],
                background=[Term("b", [0.2, 0.3], [Sideband("control", 5)])],
            )
        ]
    ).arrays()
    problem = FitProblem.from_arrays(without_events)
    point = jnp.array([1.0, 1.3])
    value, gradient, *_ = problem.with_expected_data(point).derivatives(point)
    np.testing.assert_allclose(value, 0.0, atol=1e-14)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-14)
