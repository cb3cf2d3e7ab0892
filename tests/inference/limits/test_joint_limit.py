from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bsmfit.errors import InputError
from bsmfit.inference.counts.joint_counts import (
    JointCounts,
    merge_equal_channels,
    negative_binomial_pmf,
)
from bsmfit.inference.limits.joint_limit import (
    JointLimit,
    expected_joint_limits,
    joint_limit,
)
from bsmfit.likelihood.poisson import upper_limit

SETS = {
    "A": ((1.0, 1.0), (0.016, 0.18)),
    "B": ((1.0, 0.5, 2.0), (0.016, 0.18, 0.26)),
    "C": ((1.0, 1.0), (0.5, 0.5)),
    "D": ((3.0, 1.0), (1.0, 3.0)),
}
# observed counts, ln kappa of a shared signal nuisance, 90 % limit
TABLE = [
    *(("A", (0, 0), 0.0, 1.1513), ("A", (1, 0), 0.0, 1.8576)),
    *(("A", (0, 1), 0.0, 1.5753), ("A", (1, 1), 0.0, 2.4377)),
    *(("B", (0, 0, 0), 0.0, 0.6579), ("B", (1, 0, 0), 0.0, 1.1153)),
    *(("B", (0, 1, 0), 0.0, 0.7354), ("B", (0, 0, 1), 0.0, 0.9331)),
    *(("B", (1, 1, 0), 0.0, 1.3060), ("C", (1, 0), 0.0, 1.6359)),
    *(("C", (1, 1), 0.0, 2.2215), ("D", (1, 3), 0.0, 0.9281)),
    *(("D", (2, 2), 0.0, 1.1599), ("D", (0, 4), 0.0, 0.7097)),
    *(("D", (3, 3), 0.0, 1.6143), ("A", (0, 0), 1.2, 1.17636)),
    *(("A", (1, 0), 1.2, 1.91211), ("A", (0, 1), 1.2, 1.61352)),
    *(("D", (0, 0), 1.2, 0.588182), ("D", (1, 3), 1.2, 0.950566)),
    ("D", (2, 2), 1.2, 1.191509),
]
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(12)


def make(
    signal: jax.Array, background: jax.Array, n: jax.Array, log_kappa: jax.Array
) -> JointCounts:
    """Counts with a signal nuisance that all channels share."""
    n_channel = signal.shape[0]
    return JointCounts.from_log_kappa(
        signal,
        background,
        n_observed=n,
        signal_log_kappa=jnp.broadcast_to(log_kappa, (n_channel, 1)),
        background_log_kappa=jnp.zeros((n_channel, 1)),
        nodes=jnp.asarray(NODES)[:, None],
        node_weights=jnp.asarray(NODE_WEIGHTS / NODE_WEIGHTS.sum()),
        n_max=30,
    )


@jax.jit
def solve(*data: jax.Array) -> JointLimit:
    return jax.vmap(lambda *x: joint_limit(make(*x), cl=0.9))(*data)


def stacked(rows: list[tuple]) -> list[jax.Array]:
    filled = []
    for name, n, kappa, *_ in rows:
        pad = 3 - len(n)
        signal, background = SETS[name]
        log_kappa = np.log(kappa) if kappa else 0.0
        filled.append(
            (
                *((*signal, *pad * [0.0]), (*background, *pad * [9.0])),
                *((*n, *pad * [4]), log_kappa),
            )
        )
    return [jnp.array(column) for column in zip(*filled, strict=True)]


def test_tables_of_limits_known_and_shared() -> None:
    result = solve(*stacked(TABLE))
    truth = np.array([row[3] for row in TABLE])
    np.testing.assert_allclose(result.strength[:15], truth[:15], rtol=0, atol=5.1e-5)
    np.testing.assert_allclose(result.strength[15:], truth[15:], rtol=0, atol=5.1e-6)
    assert bool(jnp.all(result.is_converged))
    assert not bool(jnp.any(result.is_jump))
    assert (result.ordering, result.method) == ("likelihood-ratio", "enumeration")
    assert bool(jnp.all(result.cl == 0.9))


def test_no_events_at_all() -> None:
    """-ln(1 - cl) / sum of s; with a shared nuisance the one-channel marginal value."""
    rows = [("A", (0, 0), 0.0), ("B", (0, 0, 0), 0.0), ("B", (0, 0, 0), 1.2)]
    # pads without signal hold events, which must not matter
    got = solve(*[jnp.tile(x, (7,) + (1,) * (x.ndim - 1)) for x in stacked(rows)])
    truth = [-np.log(0.1) / 2.0, -np.log(0.1) / 3.5, 2.35273 / 3.5]
    np.testing.assert_allclose(got.strength[:2], truth[:2], rtol=1e-12)
    np.testing.assert_allclose(got.strength[2], truth[2], atol=2e-6)


def test_equal_ratios_are_as_one_channel() -> None:
    merged = merge_equal_channels(
        np.array([1.0, 1.0]), np.array([0.5, 0.5]), n_observed=np.array([1, 1])
    )
    one = upper_limit(
        jnp.array(int(merged.n_observed[0])), jnp.array(merged.background[0]), cl=0.9
    )
    separate = solve(*stacked([("C", (1, 1), 0.0)] * 21)).strength[0]
    np.testing.assert_allclose(separate, one.n_up / merged.signal[0], rtol=1e-10)


# b, sigma, n, 90 % limit with a gamma background
GAMMA = [
    *((0.18, 0.06, 0, 2.3026), (0.18, 0.06, 1, 3.7308), (0.18, 0.06, 2, 5.1450)),
    *((0.91, 0.41, 0, 2.3026), (0.91, 0.41, 1, 3.3692), (0.91, 0.41, 2, 4.5805)),
    *((0.92, 0.34, 1, 3.3470), (0.92, 0.34, 2, 4.5519)),
]


@jax.jit
def solve_gamma(b: jax.Array, sigma: jax.Array, n: jax.Array) -> JointLimit:
    def one(b: jax.Array, sigma: jax.Array, n: jax.Array) -> JointLimit:
        pmf = negative_binomial_pmf((b / sigma) ** 2, b / sigma**2, n_max=12)
        counts = JointCounts.from_log_kappa(
            jnp.ones(1),
            b[None],
            n_observed=n[None],
            signal_log_kappa=jnp.zeros((1, 1)),
            background_log_kappa=jnp.zeros((1, 1)),
            nodes=jnp.zeros((1, 1)),
            node_weights=jnp.ones(1),
            background_terms=pmf[None, :, None],
            n_max=12,
        )
        return joint_limit(counts, cl=0.9)

    return jax.vmap(one)(b, sigma, n)


def test_sideband_averaged_inside_one_channel() -> None:
    b, sigma, n, truth = (np.array(x) for x in zip(*GAMMA, strict=True))
    result = solve_gamma(jnp.asarray(b), jnp.asarray(sigma), jnp.asarray(n))
    np.testing.assert_allclose(result.strength, truth, rtol=0, atol=5.1e-5)
    assert bool(jnp.all(result.is_converged))


@jax.jit
def gradient(
    signal: jax.Array, background: jax.Array, log_kappa: jax.Array, n: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    def limit(s: jax.Array, b: jax.Array, k: jax.Array) -> jax.Array:
        return joint_limit(make(s, b, n, k), cl=0.9).strength

    return jax.value_and_grad(limit, argnums=(0, 1, 2))(signal, background, log_kappa)


@pytest.mark.slow
def test_derivatives_are_those_of_finite_differences() -> None:
    signal, background = (jnp.array(x) for x in SETS["B"])
    log_kappa, n = jnp.log(jnp.array(1.2)), jnp.array([1, 0, 1])
    _, slopes = gradient(signal, background, log_kappa, n)
    step = 1e-5
    rows = []
    for sign in (1.0, -1.0):
        for i in range(3):
            moved = step * sign * jnp.eye(3)[i]
            rows.append((signal * (1.0 + moved), background, log_kappa))
            rows.append((signal, background * (1.0 + moved), log_kappa))
        rows.append((signal, background, log_kappa + sign * step))
        rows.append((signal * (1.0 + sign * step), background, log_kappa))
    rows += rows[:5]
    data = [jnp.stack(column) for column in zip(*rows, strict=True)]
    values = solve(data[0], data[1], jnp.tile(n, (21, 1)), data[2]).strength
    difference = (values[:8] - values[8:16]) / (2.0 * step)
    scale = float(values[0])
    np.testing.assert_allclose(slopes[0] * signal, difference[0:6:2], atol=1e-5 * scale)
    np.testing.assert_allclose(
        slopes[1] * background, difference[1:6:2], atol=1e-5 * scale
    )
    np.testing.assert_allclose(slopes[2], difference[6], atol=1e-5 * scale)
    # the exposure, which scales all signals
    np.testing.assert_allclose(slopes[0] @ signal, difference[7], atol=1e-5 * scale)


def test_limit_at_a_jump_is_the_swap_and_has_its_derivatives() -> None:
    """Two events in channel 3 overtake one in channel 1 while CLs crosses 0.1."""
    signal, background = jnp.array(SETS["B"][0]), jnp.array([0.0118, 0.18, 0.26])

    def swap(s: jax.Array, b: jax.Array) -> jax.Array:
        return (s[0] / b[0] - 2.0 * s[2] / b[2]) / (s[2] / b[2]) ** 2

    n = jnp.array([1, 0, 0])
    value, slopes = gradient(signal, background, jnp.array(0.0), n)
    np.testing.assert_allclose(value, swap(signal, background), rtol=1e-9)
    truth = jax.grad(swap, argnums=(0, 1))(signal, background)
    np.testing.assert_allclose(slopes[0], truth[0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(slopes[1], truth[1], rtol=1e-6, atol=1e-7)


def test_point_that_cannot_be_solved_is_flagged_and_leaves_its_neighbours() -> None:
    data = stacked(TABLE)
    dead = [data[0].at[3].set(0.0), *data[1:]]
    got, truth = solve(*dead), solve(*data)
    assert not bool(got.is_converged[3])
    assert bool(jnp.isnan(got.strength[3]))
    np.testing.assert_array_equal(
        np.delete(np.array(got.strength), 3), np.delete(np.array(truth.strength), 3)
    )


def test_seven_bins_by_convolution() -> None:
    """Set E: .957695."""
    shape = jnp.array([0.02, 0.08, 0.2, 0.4, 0.2, 0.08, 0.02])
    counts = JointCounts.from_known(
        4.0 * shape, jnp.full(7, 0.3), n_observed=jnp.array([1, 0, 0, 1, 0, 1, 0])
    )
    solve_bins = jax.jit(lambda c: joint_limit(c, cl=0.9, method="convolution"))
    result = solve_bins(counts)
    np.testing.assert_allclose(result.strength, 0.957695, rtol=0, atol=6e-7)
    assert bool(result.is_converged)


def test_expected_limits_are_the_last_crossings_of_the_expected_curves() -> None:
    signal, background = np.array([1.0, 0.7]), np.array([0.3, 0.6])
    levels = np.array([-1.0, 0.0, 1.0, 2.0])
    n_max = 12
    counts = JointCounts.from_known(
        jnp.asarray(signal),
        jnp.asarray(background),
        n_observed=jnp.array([0, 0]),
        n_max=n_max,
    )
    result = jax.jit(
        lambda c: expected_joint_limits(c, cl=0.9, n_sigma=jnp.asarray(levels))
    )(counts)
    assert bool(jnp.all(result.is_converged))
    grid = np.array(list(product(range(n_max + 1), repeat=2)))
    p_b = stats.poisson.pmf(grid, background).prod(axis=1)

    def curve(strength: float, level: float) -> float:
        q = grid @ np.log1p(strength * signal / background)
        order = np.argsort(q)
        i = np.searchsorted(np.cumsum(p_b[order]), stats.norm.cdf(level))
        kept = q <= q[order][i] + 1e-9
        p = stats.poisson.pmf(grid, strength * signal + background).prod(axis=1)
        return p[kept].sum() / p_b[kept].sum()

    for limit, level in zip(np.array(result.strength), levels, strict=True):
        assert curve(limit * (1.0 - 1e-5), level) >= 0.1
        assert curve(limit * (1.0 + 1e-5), level) < 0.1
        assert all(curve(x, level) < 0.1 for x in np.linspace(1.0001, 2.0, 60) * limit)


def test_bad_choices_are_refused() -> None:
    counts = JointCounts.from_known(
        jnp.ones(2), jnp.ones(2), n_observed=jnp.array([0, 0])
    )
    with pytest.raises(InputError, match="cl = 90"):
        joint_limit(counts, cl=90.0)
    with pytest.raises(InputError, match="n_search"):
        joint_limit(counts, cl=0.9, n_search=1)
