"""Coverage of limits by exact sums, and the committed tables of it.

The sums are made here again, independently of benchmarks/coverage.py.
"""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, poisson

from bsmfit.inference.asymptotics.counting import asymptotic_counting_limit
from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.likelihood.poisson import upper_limit

FOLDER = Path(__file__).parents[3] / "benchmarks" / "coverage"
N_MAX = 40
N = np.arange(N_MAX + 1)


BACKGROUNDS = np.array([0.0, 0.016, 0.3, 3.0])
# an auxiliary on a grid of equal probability, for errors of 10 %
FACTORS = 1.1 ** norm.ppf((np.arange(400) + 0.5) / 400)


@pytest.fixture(scope="module")
def exact_limits() -> np.ndarray:
    """Exact limits by background, BACKGROUNDS and then 3 FACTORS, and by count."""

    def limit(n: jax.Array, background: jax.Array) -> jax.Array:
        return upper_limit(n, background, cl=0.90, n_max=N_MAX).n_up

    by_count = jax.vmap(limit, in_axes=(0, None))
    by_background = jax.jit(jax.vmap(by_count, in_axes=(None, 0)))
    backgrounds = np.concatenate([BACKGROUNDS, 3.0 * FACTORS])
    return np.asarray(by_background(jnp.asarray(N), jnp.asarray(backgrounds)))


@jax.jit
@jax.vmap
def asymptotic_limits(n: jax.Array) -> jax.Array:
    point = CountingPoint.from_nominal(
        n,
        jnp.array(1.0),
        signal_log_kappa=jnp.array(0.0),
        background=jnp.array([0.016]),
        background_log_kappa=jnp.array([0.0]),
    )
    return asymptotic_counting_limit(point, cl=0.90)[0]


def coverage(limits: np.ndarray, signal: float, background: float) -> float:
    """Probability of the counts whose limit is not below the signal."""
    excluding = N[limits < signal]
    return 1.0 - float(poisson.pmf(excluding, signal + background).sum())


@pytest.fixture(scope="module")
def exact(exact_limits) -> np.ndarray:
    return exact_limits[1]


@pytest.fixture(scope="module")
def asymptotic() -> np.ndarray:
    return np.asarray(asymptotic_limits(jnp.asarray(N, dtype=float)))


@pytest.mark.parametrize(
    ("signal", "truth"),
    [
        *[(2.30, 1.0), (2.31, 0.902), (3.0, 0.951), (3.87, 0.980), (3.88, 0.9005)],
        *[(5.0, 0.960), (10.0, 0.934)],
    ],
)
def test_coverage_of_exact_limits(exact, signal: float, truth: float) -> None:
    assert coverage(exact, signal, 0.016) == pytest.approx(truth, abs=6e-4)


@pytest.mark.parametrize(
    ("signal", "truth"),
    [
        *[(1.39, 0.755), (2.0, 0.867), (3.0, 0.951), (3.05, 0.811), (5.0, 0.877)],
        (10.0, 0.871),
    ],
)
def test_coverage_of_asymptotic_limits(asymptotic, signal: float, truth: float) -> None:
    assert coverage(asymptotic, signal, 0.016) == pytest.approx(truth, abs=6e-4)


def test_exact_limits_never_cover_less_than_their_level(exact_limits) -> None:
    for background, limits in zip(BACKGROUNDS, exact_limits[:4], strict=True):
        # the coverage falls while no further count excludes: least beside a limit
        for signal in limits[limits < 20.0] * (1.0 + 1e-9):
            assert coverage(limits, signal, background) >= 0.90 - 1e-8


def rows(name: str) -> list[dict[str, str]]:
    lines = (FOLDER / name).read_text().splitlines()
    header, *body = [line.split(",") for line in lines if not line.startswith("#")]
    return [dict(zip(header, line, strict=True)) for line in body]


@pytest.fixture(scope="module")
def table() -> list[dict[str, str]]:
    return rows("coverage.csv")


def test_table_of_a_known_background(table, exact, asymptotic) -> None:
    selected = [
        r for r in table if r["background"] == "0.016" and r["truth"] == "known"
    ]
    assert len(selected) > 50
    for row in selected[::7]:
        signal = float(row["signal"])
        for name, limits in (("exact", exact), ("asymptotic", asymptotic)):
            truth = coverage(limits, signal, 0.016)
            assert float(row[name]) == pytest.approx(truth, abs=2e-6)
        assert float(row["feldman_cousins"]) >= 0.90 - 1e-6


def test_table_with_fluctuating_auxiliaries(table, exact_limits) -> None:
    # both auxiliaries on the grid, the limit cut sharply
    limits = exact_limits[4:]
    selected = [
        r
        for r in table
        if (r["background"], r["uncertainty"], r["truth"]) == ("3", "0.1", "auxiliary")
    ]
    for row in selected[20::40]:
        signal = float(row["signal"])
        inside = limits[:, :, None] >= signal * FACTORS
        truth = float(inside.mean(axis=(0, 2)) @ poisson.pmf(N, signal + 3.0))
        truth += float(poisson.sf(N_MAX, signal + 3.0))
        assert float(row["exact"]) == pytest.approx(truth, abs=3e-4)


def test_guarantees_that_the_table_states() -> None:
    smallest = {
        (r["background"], r["uncertainty"], r["truth"], r["method"]): float(
            r["minimum"]
        )
        for r in rows("minimum.csv")
    }
    for (_, _, truth, method), value in smallest.items():
        if truth == "known" and method in ("exact", "feldman_cousins"):
            assert value >= 0.90 - 1e-6
        if truth == "prior" and method == "marginal":
            assert value >= 0.90 - 1e-6
