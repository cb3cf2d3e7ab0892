from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError
from bsmfit.inference.counts.convolution import convolved_probability, lattice_range
from bsmfit.inference.counts.joint_cls import joint_cls
from bsmfit.inference.counts.joint_counts import JointCounts, event_weights

SHAPE = np.array([0.02, 0.08, 0.2, 0.4, 0.2, 0.08, 0.02])
SET_E = JointCounts.from_known(
    jnp.asarray(4.0 * SHAPE),
    jnp.full(7, 0.3),
    n_observed=jnp.array([1, 0, 0, 1, 0, 1, 0]),
)
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)


def make(n_observed: tuple[int, int, int], *, is_averaged: bool) -> JointCounts:
    background = jnp.array([0.16, 0.31, 0.26])
    terms = None
    if is_averaged:
        pmf = np.cumprod(np.concatenate([[0.7], 0.3 * np.ones(20)]))
        assert abs(pmf.sum() - 1.0) < 1e-10
        terms = jnp.asarray(np.broadcast_to(pmf[None, :, None], (3, 21, 7)))
    return JointCounts.from_log_kappa(
        jnp.array([1.0, 0.47, 2.03]),
        background,
        n_observed=jnp.array(n_observed),
        signal_log_kappa=jnp.log(jnp.array([[1.2], [1.2], [1.3]])),
        background_log_kappa=jnp.log(jnp.array([[1.0], [1.1], [1.2]])),
        nodes=jnp.asarray(NODES)[:, None],
        node_weights=jnp.asarray(NODE_WEIGHTS / NODE_WEIGHTS.sum()),
        background_terms=terms,
        n_max=20,
    )


@partial(jax.jit, static_argnames="method")
def both(counts: JointCounts, method: str) -> jax.Array:
    result = joint_cls(counts, jnp.array(0.77), method=method)
    is_converged = result.is_converged.astype(float)
    return jnp.stack([result.log_clsb, result.log_clb, is_converged])


@pytest.mark.parametrize("is_averaged", [False, True])
def test_convolution_is_the_enumeration_where_nothing_ties(is_averaged: bool) -> None:
    for n_observed in ((1, 1, 0), (0, 2, 1)):
        counts = make(n_observed, is_averaged=is_averaged)
        got, truth = both(counts, "convolution"), both(counts, "enumeration")
        np.testing.assert_allclose(got, truth, rtol=0, atol=1e-10)
        assert bool(got[2])


def test_seven_bins() -> None:
    """Set E, confirmed by 4e6 toys: CLs(1) = .08863952."""
    result = jax.jit(lambda mu: joint_cls(SET_E, mu, method="convolution"))(
        jnp.array(1.0)
    )
    np.testing.assert_allclose(jnp.exp(result.log_clsb), 0.06704689, atol=6e-9)
    np.testing.assert_allclose(jnp.exp(result.log_clb), 0.75639944, atol=6e-9)
    np.testing.assert_allclose(jnp.exp(result.log_cls), 0.08863952, atol=6e-9)
    assert bool(result.is_converged)


def test_lattice_that_is_too_coarse_is_flagged() -> None:
    result = jax.jit(lambda mu: joint_cls(SET_E, mu, method="convolution", n_grid=128))(
        jnp.array(1.0)
    )
    assert abs(float(jnp.exp(result.log_cls)) - 0.08863952) > 1e-5
    assert not bool(result.is_converged)


def test_all_probability_lies_on_the_lattice() -> None:
    counts = JointCounts.from_known(
        SET_E.nominal_signal, SET_E.nominal_background, n_observed=jnp.full(7, 9)
    )
    strength = jnp.array(1.0)
    weights = event_weights(counts, strength, ordering="likelihood-ratio")
    q_max = lattice_range(counts, strength, event_weights=weights)
    probability = convolved_probability(
        counts, strength, event_weights=weights, q_max=q_max, n_grid=2048
    )
    np.testing.assert_allclose(probability, 1.0, rtol=0, atol=1e-12)


def test_odd_lattice_is_refused() -> None:
    with pytest.raises(InputError, match="n_grid = 33"):
        joint_cls(SET_E, jnp.array(1.0), method="convolution", n_grid=33)
