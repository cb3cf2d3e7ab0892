from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from bsmfit.errors import InputError
from bsmfit.inference.counts.enumeration import (
    drop_uninformative,
    enumerated_node_probabilities,
    enumerated_probability,
    flagged_node_probabilities,
    ordered_outcomes,
    outcome_grid,
    outcome_node_terms,
    outcome_statistic,
    relative_truncation,
)
from bsmfit.inference.counts.joint_counts import (
    JointCounts,
    count_probabilities_at,
    count_terms,
)

SIGNAL = np.array([1.0, 0.5, 2.0])
BACKGROUND = np.array([0.016, 0.18, 0.26])


def make(n_max: int, n_observed: tuple[int, ...] = (1, 1, 0)) -> JointCounts:
    return JointCounts.from_log_kappa(
        jnp.asarray(SIGNAL),
        jnp.asarray(BACKGROUND),
        n_observed=jnp.array(n_observed),
        signal_log_kappa=jnp.log(jnp.array([[1.2], [1.3], [1.1]])),
        background_log_kappa=jnp.log(jnp.array([[1.5], [1.0], [1.1]])),
        nodes=jnp.array([[-1.0], [0.0], [2.0]]),
        node_weights=jnp.array([0.3, 0.5, 0.2]),
        n_max=n_max,
    )


def listed(pmf: np.ndarray, weights: np.ndarray, q_observed: float) -> np.ndarray:
    """The same sums by a plain loop."""
    total = np.zeros(pmf.shape[2])
    for n in product(range(pmf.shape[1]), repeat=pmf.shape[0]):
        if np.dot(n, weights) <= q_observed + 1e-9:
            total += np.prod([pmf[c, k] for c, k in enumerate(n)], axis=0)
    return total


@jax.jit
def summed(
    pmf: jax.Array, node_weights: jax.Array, w: jax.Array, q: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return (
        enumerated_node_probabilities(pmf, event_weights=w, q_observed=q),
        enumerated_probability(pmf, node_weights, event_weights=w, q_observed=q),
    )


@pytest.mark.parametrize("weights", [(4.1, 1.3, 2.2), (0.7, 0.7, 1.4), (1.0, 2.0, 0.0)])
def test_sums_are_those_of_a_plain_loop(weights: tuple[float, ...]) -> None:
    counts = make(6)
    pmf = count_probabilities_at(counts, jnp.array(0.8))
    w = jnp.array(weights)
    q = w @ jnp.array([1.0, 1.0, 0.0])
    truth = listed(np.array(pmf), np.array(weights), float(q))
    got, averaged = summed(pmf, counts.node_weights, w, q)
    np.testing.assert_allclose(got, truth, rtol=1e-13)
    np.testing.assert_allclose(averaged, truth @ [0.3, 0.5, 0.2], rtol=1e-13)
    grid = outcome_grid(3, n_max=6)
    flags = jnp.asarray(grid @ np.array(weights) <= float(q) + 1e-9)
    np.testing.assert_allclose(
        flagged_node_probabilities(pmf, flags), truth, rtol=1e-13
    )
    np.testing.assert_allclose(
        flags.astype(float) @ outcome_node_terms(pmf), truth, rtol=1e-13
    )


def test_qtilde_is_minus_twice_the_log_likelihood_ratio() -> None:
    rows = outcome_grid(3, n_max=3)
    strength = 0.9
    got = -outcome_statistic(
        make(3), jnp.array(strength), jnp.asarray(rows, float), ordering="qtilde"
    )

    def nll(mu: float, n: np.ndarray) -> float:
        return -stats.poisson.logpmf(n, mu * SIGNAL + BACKGROUND).sum()

    for row, value in zip(rows, np.array(got), strict=True):

        def slope(mu: float, row: np.ndarray = row) -> float:
            return float(np.sum(SIGNAL * (row / (mu * SIGNAL + BACKGROUND) - 1.0)))

        best = optimize.brentq(slope, 0.0, 99.0, xtol=1e-13) if slope(0.0) > 0 else 0.0
        truth = 2.0 * (nll(strength, row) - nll(best, row)) if best < strength else 0.0
        np.testing.assert_allclose(value, truth, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("ordering", ["likelihood-ratio", "qtilde", "sum"])
def test_every_ordering_grows_with_every_count(ordering: str) -> None:
    outcomes = ordered_outcomes(make(4), jnp.array(0.8), ordering=ordering)
    statistic = np.array(outcomes.statistic).reshape(5, 5, 5)
    for axis in range(3):
        assert np.all(np.diff(statistic, axis=axis) >= -1e-12)


@jax.jit
def truncated() -> tuple[jax.Array, ...]:
    weights, q = jnp.array([4.0, 0.1, 4.0]), jnp.array(4.2)
    short, long = (count_terms(make(n), jnp.array(1.0)) for n in (5, 40))
    few, many = (
        enumerated_node_probabilities(x.terms, event_weights=weights, q_observed=q)
        for x in (short, long)
    )
    kept = few * jnp.exp(-jnp.sum(short.rate, axis=0))
    is_reachable = weights * 6.0 <= q
    return (
        many / few - 1.0,
        relative_truncation(short, kept, is_reachable=is_reachable),
        relative_truncation(short, kept, is_reachable=~jnp.ones(3, bool)),
    )


def test_bound_of_the_truncation_holds_and_is_close() -> None:
    missing, bound, none = (np.array(x) for x in truncated())
    assert np.all(missing > 0.0)
    assert np.all(bound >= missing)
    assert np.all(bound < 30.0 * missing)
    np.testing.assert_array_equal(none, np.zeros(3))


def test_uninformative_channel_drops_out() -> None:
    counts = count_terms(make(4), jnp.array(1.0))
    dropped = drop_uninformative(counts, jnp.array([1.0, 1e-12, 1.0]))
    np.testing.assert_array_equal(dropped.terms[1, :, 0], [1.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(dropped.rate[1], np.zeros(3))
    np.testing.assert_array_equal(dropped.terms[0], counts.terms[0])


def test_too_many_outcomes_are_refused_with_advice() -> None:
    with pytest.raises(InputError, match="convolution"):
        outcome_grid(9, n_max=12)
