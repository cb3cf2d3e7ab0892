from __future__ import annotations

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.inference.counts.joint_cls import JointCLs, expected_joint_cls, joint_cls
from bsmfit.inference.counts.joint_counts import JointCounts
from bsmfit.likelihood.poisson import log_cls

SETS = {
    "A": ((1.0, 1.0), (0.016, 0.18)),
    "B": ((1.0, 0.5, 2.0), (0.016, 0.18, 0.26)),
    "C": ((1.0, 1.0), (0.5, 0.5)),
    "D": ((3.0, 1.0), (1.0, 3.0)),
}
# observed counts and CLs at strength 1, ordered by the likelihood ratio
AT_ONE = [
    ("A", (0, 0), 0.135335),
    ("A", (1, 0), 0.434542),
    ("A", (0, 1), 0.250026),
    ("A", (1, 1), 0.597066),
    ("B", (0, 0, 0), 0.030197),
    ("B", (1, 0, 0), 0.134627),
    ("B", (0, 1, 0), 0.042993),
    ("B", (0, 0, 1), 0.082623),
    ("B", (1, 1, 0), 0.204149),
    ("C", (1, 0), 0.270671),
    ("C", (1, 1), 0.460140),
    ("D", (1, 3), 0.081675),
    ("D", (2, 2), 0.147696),
    ("D", (0, 4), 0.038402),
    ("D", (3, 3), 0.329378),
]


def stacked(rows: list[tuple], n_channel: int) -> list[jax.Array]:
    """Signal, background and counts; filled up with channels without signal."""
    filled = []
    for name, n, *_ in rows:
        pad = n_channel - len(n)
        signal, background = SETS[name]
        filled.append(((*signal, *pad * [0.0]), (*background, *pad * [70.0])))
    signal, background = (jnp.array(column) for column in zip(*filled, strict=True))
    counts = jnp.array([(*n, *(n_channel - len(n)) * [3]) for _, n, *_ in rows])
    return [signal, background, counts]


# 95 % limits of the same rows
AT_95 = (1.4979, 2.2842, 1.9923, 2.9218, 0.8559, 1.3715, 0.9528, 1.1733, 1.5850)
AT_95 = (*AT_95, 2.0565, 2.7050, 1.1715, 1.4316, 0.9202, 1.9038)


@partial(jax.jit, static_argnames=("ordering", "n_max"))
def solve(
    signal: jax.Array,
    background: jax.Array,
    n: jax.Array,
    strength: jax.Array,
    *,
    ordering: str = "likelihood-ratio",
    n_max: int = 30,
) -> JointCLs:
    def one(s: jax.Array, b: jax.Array, k: jax.Array, mu: jax.Array) -> JointCLs:
        counts = JointCounts.from_known(s, b, n_observed=k, n_max=n_max)
        return joint_cls(counts, mu, ordering=ordering)

    return jax.vmap(one)(signal, background, n, strength)


def test_table_at_strength_one() -> None:
    result = solve(*stacked(AT_ONE, 3), jnp.ones(len(AT_ONE)))
    truth = [row[2] for row in AT_ONE]
    np.testing.assert_allclose(jnp.exp(result.log_cls), truth, rtol=0, atol=6e-7)
    assert bool(jnp.all(result.is_converged))
    assert result.ordering == "likelihood-ratio"
    assert result.method == "enumeration"


def test_table_at_95_percent() -> None:
    """CLs passes through 0.05 within the last digit of the tabulated limit."""
    data, limit = stacked(AT_ONE, 3), jnp.array(AT_95)
    assert bool(jnp.all(jnp.exp(solve(*data, limit - 6e-5).log_cls) >= 0.05))
    assert bool(jnp.all(jnp.exp(solve(*data, limit + 6e-5).log_cls) < 0.05))


# 90 % limits by other orderings
OTHER = {
    "qtilde": [
        *(("A", (0, 0), 1.1513), ("A", (1, 0), 1.8576), ("A", (0, 1), 1.5753)),
        *(("A", (1, 1), 2.4377), ("C", (1, 0), 1.6359), ("C", (1, 1), 2.2215)),
        *(("D", (1, 3), 0.9281), ("D", (2, 2), 1.1398), ("D", (0, 4), 0.7097)),
        ("D", (3, 3), 1.5915),
    ],
    "sum": [
        *(("A", (0, 0), 1.1513), ("A", (1, 0), 1.8576), ("A", (0, 1), 1.8576)),
        *(("A", (1, 1), 2.5639), ("C", (1, 0), 1.6359), ("C", (1, 1), 2.2215)),
        *(("D", (1, 3), 1.1948), ("D", (2, 2), 1.1948), ("D", (0, 4), 1.1948)),
        ("D", (3, 3), 1.6905),
    ],
}
OTHER_OF_THREE = {
    "qtilde": [
        *(("B", (0, 0, 0), 0.6579), ("B", (1, 0, 0), 1.0098)),
        *(("B", (0, 1, 0), 0.7354), ("B", (0, 0, 1), 0.9331)),
        ("B", (1, 1, 0), 1.1527),
    ],
    "sum": [
        *(("B", (0, 0, 0), 0.6579), ("B", (1, 0, 0), 1.0098)),
        *(("B", (0, 1, 0), 1.0098), ("B", (0, 0, 1), 1.0098)),
        ("B", (1, 1, 0), 1.3951),
    ],
}


@pytest.mark.parametrize("ordering", ["qtilde", "sum"])
def test_tables_of_the_other_orderings(ordering: str) -> None:
    """CLs passes through 0.1 within the last digit of the tabulated limit."""
    for rows, n_channel, n_max in (
        (OTHER[ordering], 2, 30),
        (OTHER_OF_THREE[ordering], 3, 12),
    ):
        limit = jnp.array([row[2] for row in rows])
        data = [jnp.concatenate([x, x]) for x in stacked(rows, n_channel)]
        around = jnp.concatenate([limit - 6e-5, limit + 6e-5])
        result = solve(*data, around, ordering=ordering, n_max=n_max)
        below, above = jnp.split(jnp.exp(result.log_cls), 2)
        assert bool(jnp.all((below >= 0.1) & (above < 0.1)))
        assert bool(jnp.all(result.is_converged))
        assert result.ordering == ordering


def test_curve_jumps_where_outcomes_swap() -> None:
    """Set B (1,0,0): two events in channel 3 overtake one in channel 1."""
    data = [jnp.tile(x, (4, 1)) for x in stacked([("B", (1, 0, 0))], 3)]
    # (1 + 2 mu / .26)^2 = 1 + mu / .016
    swap = (1.0 / 0.016 - 4.0 / 0.26) / (4.0 / 0.26**2)
    result = solve(*data, jnp.array([0.795, swap - 1e-6, swap + 1e-6, 0.8]))
    cls = np.exp(result.log_cls)
    np.testing.assert_allclose(cls[[0, 3]], [0.2874, 0.2215], atol=5.1e-5, rtol=0)
    assert cls[1] - cls[2] > 0.06


def test_one_channel_is_the_exact_poisson_cls() -> None:
    n = jnp.array([0, 1, 3, 5])
    background = jnp.array([0.016, 0.77, 0.18, 3.0])
    signal = jnp.array([2.3, 1.0, 4.0, 0.3])
    result = solve(signal[:, None], background[:, None], n[:, None], jnp.ones(4))
    truth = jax.vmap(lambda k, s, b: log_cls(k, s, background=b))(n, signal, background)
    np.testing.assert_allclose(result.log_cls, truth, rtol=1e-12, atol=1e-13)


def test_toys_agree() -> None:
    signal, background = np.array(SETS["B"])
    n, strength, n_toy = np.array([1, 1, 0]), 0.9, 400_000
    weights = np.log1p(strength * signal / background)
    generator = np.random.default_rng(3)
    for mu, field in ((strength, "log_clsb"), (0.0, "log_clb")):
        toys = generator.poisson(mu * signal + background, (n_toy, 3))
        hits = np.mean(toys @ weights <= n @ weights + 1e-9)
        data = stacked([("B", tuple(n))], 3)
        exact = np.exp(getattr(solve(*data, jnp.array([strength])), field)[0])
        assert abs(hits - exact) < 4.0 * np.sqrt(exact * (1.0 - exact) / n_toy)


def test_too_few_counts_are_flagged() -> None:
    data = stacked([("D", (1, 3))], 2)
    result = solve(*data, jnp.ones(1), n_max=4)
    assert not bool(result.is_converged[0])


def test_signal_beyond_all_bounds_is_excluded() -> None:
    data = stacked([("B", (1, 0, 0)), ("B", (0, 0, 0))], 3)
    result = solve(*data, jnp.array([1e9, 1e9]))
    assert bool(jnp.all(result.log_cls < -1e8))
    result = solve(*data, jnp.zeros(2))
    np.testing.assert_allclose(result.log_cls, 0.0, atol=1e-14)


N_SIGMA = (-2.0, -1.0, 0.0, 1.0, 2.0)


@partial(jax.jit, static_argnames="ordering")
def expect(counts: JointCounts, mu: jax.Array, ordering: str) -> jax.Array:
    result = expected_joint_cls(
        counts, mu, n_sigma=jnp.array(N_SIGMA), ordering=ordering
    )
    return jnp.where(result.is_converged, jnp.exp(result.log_cls), jnp.nan)


def test_expected_cls_is_that_of_a_plain_sort() -> None:
    signal, background = np.array([1.0, 0.7]), np.array([0.9, 1.6])
    counts = JointCounts.from_known(
        jnp.asarray(signal),
        jnp.asarray(background),
        n_observed=jnp.array([9, 9]),
        n_max=25,
    )
    strength = 1.3
    weights = np.log1p(strength * signal / background)
    grid = np.array(list(product(range(26), repeat=2)))
    q = grid @ weights
    p_b = stats.poisson.pmf(grid, background).prod(axis=1)
    p_sb = stats.poisson.pmf(grid, strength * signal + background).prod(axis=1)
    truth = []
    for level in N_SIGMA:
        quantile = min(
            x for x in q if p_b[q <= x + 1e-9].sum() >= stats.norm.cdf(level)
        )
        kept = q <= quantile + 1e-9
        truth.append(p_sb[kept].sum() / p_b[kept].sum())
    got = expect(counts, jnp.array(strength), "likelihood-ratio")
    np.testing.assert_allclose(got, truth, rtol=1e-11)
    assert bool(jnp.all(jnp.diff(expect(counts, jnp.array(strength), "qtilde")) >= 0.0))


def test_unknown_choices_are_refused() -> None:
    counts = JointCounts.from_known(
        jnp.ones(2), jnp.ones(2), n_observed=jnp.array([0, 0])
    )
    with pytest.raises(UnknownNameError, match="did you mean 'qtilde'"):
        joint_cls(counts, jnp.array(1.0), ordering="qtild")
    with pytest.raises(UnknownNameError, match="method"):
        joint_cls(counts, jnp.array(1.0), method="toys")
    with pytest.raises(InputError, match="cannot be convolved"):
        joint_cls(counts, jnp.array(1.0), ordering="qtilde", method="convolution")
