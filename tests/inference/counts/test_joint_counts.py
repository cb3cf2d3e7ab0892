from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate, stats

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.inference.counts.joint_counts import (
    JointCounts,
    averaged_poisson_pmf,
    count_probabilities_at,
    count_terms,
    event_weights,
    largest_rate,
    merge_equal_channels,
    negative_binomial_pmf,
)

SIGNAL = jnp.array([1.0, 0.5, 2.0])
BACKGROUND = jnp.array([0.016, 0.18, 0.26])
COUNTS = JointCounts.from_known(
    SIGNAL, BACKGROUND, n_observed=jnp.array([1, 0, 0]), n_max=9
)


def test_probabilities_are_poisson_where_the_background_is_known() -> None:
    got = count_probabilities_at(COUNTS, jnp.array(1.7))[:, :, 0]
    truth = stats.poisson.pmf(
        np.arange(10), np.array(1.7 * SIGNAL + BACKGROUND)[:, None]
    )
    np.testing.assert_allclose(got, truth, rtol=1e-12)


def test_poisson_background_terms_are_the_same_as_a_poisson_background() -> None:
    terms = stats.poisson.pmf(np.arange(10), np.array(BACKGROUND)[:, None])
    counts = JointCounts(
        n_observed=COUNTS.n_observed,
        nominal_signal=SIGNAL,
        nominal_background=BACKGROUND,
        node_weights=COUNTS.node_weights,
        signal=COUNTS.signal,
        background=COUNTS.background,
        background_terms=jnp.asarray(terms)[:, :, None],
        n_max=9,
    )
    got = count_probabilities_at(counts, jnp.array(1.7))
    truth = count_probabilities_at(COUNTS, jnp.array(1.7))
    np.testing.assert_allclose(got, truth, rtol=1e-12)


def test_terms_are_finite_for_any_rate_and_right_up_to_the_largest() -> None:
    assert bool(jnp.all(jnp.isfinite(count_terms(COUNTS, jnp.array(1e200)).terms)))
    assert largest_rate(4, n_max=60) >= 75.0
    gradient = jax.grad(lambda mu: count_terms(COUNTS, mu).terms.sum())(jnp.array(1e9))
    assert bool(jnp.isfinite(gradient))


@pytest.mark.parametrize(("r", "tau"), [(1.0, 0.5), (10.0, 11.0), (0.3, 2.0)])
def test_negative_binomial_is_that_of_scipy(r: float, tau: float) -> None:
    got = negative_binomial_pmf(jnp.array(r), jnp.array(tau), n_max=12)
    truth = stats.nbinom.pmf(np.arange(13), r, tau / (1.0 + tau))
    np.testing.assert_allclose(got, truth, rtol=1e-12)
    check_grads(
        jax.jit(lambda x, y: negative_binomial_pmf(x, y, n_max=4)),
        (jnp.array(r), jnp.array(tau)),
        order=1,
        modes=("fwd", "rev"),
    )


def test_negative_binomial_is_an_average_of_poissons_over_a_gamma_density() -> None:
    got = negative_binomial_pmf(jnp.array(9.0), jnp.array(50.0), n_max=2)
    truth, _ = integrate.quad(
        lambda b: stats.poisson.pmf(2, b) * stats.gamma.pdf(b, 9.0, scale=1 / 50.0),
        *(0.0, 2.0),
        epsabs=1e-14,
    )
    np.testing.assert_allclose(got[2], truth, rtol=1e-9)


def test_averaged_poisson_is_an_integral_over_the_nuisance() -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    rates = jnp.asarray(0.9 * 1.4**nodes)[:, None]
    weights = jnp.asarray(weights / weights.sum())
    got = averaged_poisson_pmf(rates, weights, n_max=3)[:, 0]
    for k in range(4):
        truth, _ = integrate.quad(
            lambda x, k=k: stats.poisson.pmf(k, 0.9 * 1.4**x) * stats.norm.pdf(x),
            *(-9.0, 9.0),
            epsabs=1e-13,
        )
        np.testing.assert_allclose(got[k], truth, rtol=1e-9)


def test_shared_nuisances_move_the_rates_log_normally() -> None:
    counts = JointCounts.from_log_kappa(
        SIGNAL,
        BACKGROUND,
        n_observed=jnp.array([0, 0, 0]),
        signal_log_kappa=jnp.log(jnp.array([[1.2, 1.0], [1.2, 1.0], [1.2, 1.1]])),
        background_log_kappa=jnp.log(jnp.array([[1.0, 1.5]] * 3)),
        nodes=jnp.array([[0.0, 0.0], [1.0, 2.0]]),
        node_weights=jnp.array([0.5, 0.5]),
    )
    np.testing.assert_allclose(counts.signal[:, 0], SIGNAL)
    np.testing.assert_allclose(counts.signal[2, 1], 2.0 * 1.2 * 1.1**2, rtol=1e-14)
    np.testing.assert_allclose(counts.background[:, 1], BACKGROUND * 1.5**2, rtol=1e-14)


def test_weights_are_those_of_the_likelihood_ratio() -> None:
    got = event_weights(COUNTS, jnp.array(2.0), ordering="likelihood-ratio")
    np.testing.assert_allclose(got, np.log(1.0 + 2.0 * SIGNAL / BACKGROUND))
    np.testing.assert_array_equal(
        event_weights(COUNTS, jnp.array(2.0), ordering="sum"), np.ones(3)
    )
    with pytest.raises(UnknownNameError, match="likelihood-ratio"):
        event_weights(COUNTS, jnp.array(2.0), ordering="likelyhood-ratio")


def test_no_background_has_a_finite_weight() -> None:
    counts = JointCounts.from_known(
        SIGNAL, jnp.zeros(3), n_observed=jnp.array([0, 0, 0])
    )
    weights = event_weights(counts, jnp.array(1.0), ordering="likelihood-ratio")
    assert bool(jnp.all(jnp.isfinite(weights) & (weights > 20.0)))


def test_channels_of_equal_ratio_are_merged() -> None:
    merged = merge_equal_channels(
        np.array([1.0, 0.2, 3.0, 0.4]),
        np.array([0.5, 0.3, 1.5, 0.6]),
        n_observed=np.array([1, 0, 2, 1]),
    )
    assert merged.groups == ((0, 2), (1, 3))
    np.testing.assert_allclose(merged.signal, [4.0, 0.6])
    np.testing.assert_allclose(merged.background, [2.0, 0.9])
    np.testing.assert_array_equal(merged.n_observed, [3, 1])


def test_channels_of_other_responses_are_not_merged() -> None:
    merged = merge_equal_channels(
        np.ones(2),
        np.ones(2),
        n_observed=np.zeros(2, int),
        log_kappa=np.array([[0.1], [0.2]]),
    )
    assert merged.groups == ((0,), (1,))


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="must be > 0"):
        merge_equal_channels(np.ones(2), np.zeros(2), n_observed=np.zeros(2, int))
    with pytest.raises(InputError, match="one length"):
        merge_equal_channels(np.ones(2), np.ones(3), n_observed=np.zeros(2, int))
    with pytest.raises(InputError, match="n_max = 301"):
        JointCounts.from_known(
            SIGNAL, BACKGROUND, n_observed=jnp.array([0, 0, 0]), n_max=301
        )
    with pytest.raises(InputError, match="has 4 counts"):
        JointCounts.from_log_kappa(
            SIGNAL,
            BACKGROUND,
            n_observed=jnp.array([0, 0, 0]),
            signal_log_kappa=jnp.zeros((3, 1)),
            background_log_kappa=jnp.zeros((3, 1)),
            nodes=jnp.zeros((1, 1)),
            node_weights=jnp.ones(1),
            background_terms=jnp.ones((3, 4, 1)),
            n_max=9,
        )
