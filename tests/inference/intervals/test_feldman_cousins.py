from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import poisson

from bsmfit.errors import InputError
from bsmfit.inference.intervals.feldman_cousins import (
    FeldmanCousinsBelt,
    feldman_cousins_belt,
)

# 90 % raw intervals on a grid of 0.005, for n = 0, 1, 2, 3, 5.
COUNTS = (0, 1, 2, 3, 5)
TABLE = {
    0.0: ((0, 2.435), (0.11, 4.355), (0.535, 5.91), (1.105, 7.42), (1.84, 9.985)),
    0.016: ((0, 2.415), (0.09, 4.34), (0.52, 5.89), (1.09, 7.405), (1.83, 9.97)),
    0.18: ((0, 2.255), (0, 4.175), (0.355, 5.73), (0.925, 7.24), (1.73, 9.805)),
    0.26: ((0, 2.175), (0, 4.095), (0.275, 5.65), (0.845, 7.16), (1.68, 9.725)),
    0.5: ((0, 1.935), (0, 3.855), (0.035, 5.41), (0.605, 6.92), (1.535, 9.485)),
    0.77: ((0, 1.735), (0, 3.585), (0, 5.14), (0.335, 6.65), (1.38, 9.215)),
    1.0: ((0, 1.605), (0, 3.355), (0, 4.91), (0.105, 6.42), (1.25, 8.985)),
    3.0: ((0, 0.95), (0, 1.875), (0, 3.035), (0, 4.42), (0, 6.985)),
}
# Published for b = 0 (unverified transcription).
PUBLISHED = ((0, 2.44), (0.11, 4.36), (0.53, 5.91), (1.10, 7.42))
GRID = 0.005
LARGEST_COUNT = 12


WEIGHTS = np.linspace(-1.0, 1.0, LARGEST_COUNT + 1)


class Differentiated(eqx.Module):
    """A belt with derivatives of its upper ends, all in one compiled program."""

    belt: FeldmanCousinsBelt
    forward: jax.Array
    reverse: jax.Array


@jax.jit
@jax.vmap
def belts90(background: jax.Array) -> Differentiated:
    def highs(b: jax.Array) -> tuple[jax.Array, FeldmanCousinsBelt]:
        belt = feldman_cousins_belt(b, cl=0.90, n_max=LARGEST_COUNT)
        return belt.high, belt

    _, push, belt = jax.linearize(highs, background, has_aux=True)
    forward = push(jnp.ones_like(background))
    (reverse,) = jax.linear_transpose(push, background)(jnp.asarray(WEIGHTS))
    return Differentiated(belt, forward, reverse)


SCANNED = (0.0, 0.4, 2.4, 7.3, 15.0)
SMOOTH, EPS = (0.6, 3.3), 1e-5
BESIDE = tuple(b + shift for b in SMOOTH for shift in (-EPS, EPS))
SPECIAL = (*TABLE, 2.0, 2.25, 2.5, *SCANNED, *SMOOTH, *BESIDE, 60.0)


@pytest.fixture(scope="module")
def differentiated() -> tuple[np.ndarray, Differentiated]:
    """A dense grid of backgrounds up to 20, then the special ones, in one batch."""
    backgrounds = np.concatenate([np.linspace(0.0, 20.0, 1001), SPECIAL])
    got = jax.tree.map(np.asarray, belts90(jnp.asarray(backgrounds)))
    return backgrounds, got


@pytest.fixture(scope="module")
def belts(differentiated) -> tuple[np.ndarray, FeldmanCousinsBelt]:
    backgrounds, got = differentiated
    return backgrounds, got.belt


@pytest.fixture(scope="module")
def belt(belts) -> Callable[[float], FeldmanCousinsBelt]:
    backgrounds, got = belts

    def at(background: float) -> FeldmanCousinsBelt:
        index = int(np.flatnonzero(backgrounds == background)[-1])
        return jax.tree.map(lambda array: array[index], got)

    return at


@pytest.mark.parametrize("background", TABLE)
def test_intervals_of_the_table_within_its_grid(belt, background: float) -> None:
    got = belt(background)
    low, high = np.array(TABLE[background]).T
    # the grid scan reports the accepted strengths next to the exact ends
    assert np.all(np.abs(np.asarray(got.low)[list(COUNTS)] - low) <= GRID)
    assert np.all(np.abs(np.asarray(got.high_raw)[list(COUNTS)] - high) <= GRID)


def test_published_intervals(belt) -> None:
    got = belt(0.0)
    ends = np.stack([got.low, got.high], axis=1)[: len(PUBLISHED)]
    np.testing.assert_allclose(ends, PUBLISHED, atol=0.0055)
    assert abs(float(belt(3.0).high[0]) - 1.08) < 0.005


def test_raw_ends_at_small_counts_rise_with_the_background(belt) -> None:
    # n = 0: 1.08 at b = 2.0, .961 at 2.25, 1.18 at 2.5, .953 at 3.0
    got = [float(belt(b).high_raw[0]) for b in (2.0, 2.25, 2.5, 3.0)]
    np.testing.assert_allclose(got, [1.08, 0.961, 1.18, 0.953], atol=0.001)
    assert float(belt(3.0).high[0]) == pytest.approx(1.077, abs=0.005)


def is_accepted(strengths: np.ndarray, background: float, cl: float) -> np.ndarray:
    """The definition: counts join by decreasing ratio until their sum reaches cl."""
    counts = np.arange(60)
    pmf = poisson.pmf(counts, strengths[:, None] + background)
    ratio = pmf / poisson.pmf(counts, np.maximum(counts, background))
    order = np.argsort(-ratio, axis=1, kind="stable")
    ordered = np.take_along_axis(pmf, order, 1)
    before = np.cumsum(ordered, axis=1) - ordered
    accepted = np.zeros(pmf.shape, dtype=bool)
    np.put_along_axis(accepted, order, before < cl, 1)
    return accepted


@pytest.fixture(scope="module")
def belts68() -> FeldmanCousinsBelt:
    one = lambda b: feldman_cousins_belt(b, cl=0.68, n_max=LARGEST_COUNT)  # noqa: E731
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(jnp.array(SCANNED)))


@pytest.mark.parametrize("background", SCANNED)
@pytest.mark.parametrize("cl", [0.90, 0.68])
def test_ends_against_a_scan_of_the_definition(
    belt, belts68, background: float, cl: float
) -> None:
    index = SCANNED.index(background)
    other = jax.tree.map(lambda array: array[index], belts68)
    got = belt(background) if cl == 0.90 else other
    step = 0.02
    strengths = np.arange(0.0, 22.0, step) + 1e-9
    accepted = is_accepted(strengths, background, cl)
    just_inside = np.concatenate([got.low + 1e-7, got.high_raw - 1e-7])
    counts = np.arange(LARGEST_COUNT + 1)
    ends = is_accepted(just_inside, background, cl)
    assert ends[np.arange(just_inside.size), np.tile(counts, 2)].all()
    for n in counts:
        scanned = strengths[accepted[:, n]]
        assert got.low[n] <= scanned.min() + 1e-8
        assert got.high_raw[n] >= scanned.max() - 1e-8


def test_fixed_end_is_the_largest_raw_end_of_all_higher_backgrounds(belts) -> None:
    backgrounds, got = belts[0][:1001], jax.tree.map(lambda x: x[:1001], belts[1])
    scanned = np.maximum.accumulate(got.high_raw[::-1], axis=0)[::-1]
    excess = (got.high - scanned)[backgrounds < 12.0]
    assert excess.min() >= -1e-12
    assert excess.max() <= backgrounds[1]
    assert np.diff(got.high, axis=0).max() <= 1e-12


def test_every_signal_is_covered_at_the_confidence_level(belts) -> None:
    backgrounds, got = belts
    n = np.arange(LARGEST_COUNT + 1)
    for i in range(0, 250, 50):  # b up to 4
        low, high = np.asarray(got.low[i]), np.asarray(got.high_raw[i])
        edges = np.concatenate([low, high])
        signals = np.concatenate([edges * (1 - 1e-9), edges * (1 + 1e-9)])
        signals = signals[signals < low[-1]]  # where all that counts is n <= n_max
        pmf = poisson.pmf(n, signals[:, None] + float(backgrounds[i]))
        inside = (low <= signals[:, None]) & (signals[:, None] <= high)
        assert (pmf * inside).sum(axis=1).min() >= 0.90 - 1e-12


def test_interval_holds_the_best_strength_and_rises_with_the_count(belts) -> None:
    backgrounds, got = belts
    n = np.arange(LARGEST_COUNT + 1)
    inside = np.flatnonzero(backgrounds <= 20.0)
    got = jax.tree.map(lambda array: array[inside], got)
    best = np.maximum(n - backgrounds[inside][:, None], 0.0)
    assert np.all((got.low <= best + 1e-12) & (best <= got.high_raw + 1e-12))
    assert np.diff(got.low, axis=1).min() >= -1e-12
    assert np.diff(got.high, axis=1).min() > 0.0


def test_derivatives_against_differences_between_jumps(differentiated, belt) -> None:
    backgrounds, got = differentiated
    inside = backgrounds <= 20.0
    assert np.isfinite(got.forward[inside]).all()
    expected = got.forward[inside] @ WEIGHTS
    np.testing.assert_allclose(got.reverse[inside], expected, atol=1e-12)
    for b in SMOOTH:
        difference = (belt(b + EPS).high - belt(b - EPS).high) / (2.0 * EPS)
        slope = got.forward[np.flatnonzero(backgrounds == b)[-1]]
        np.testing.assert_allclose(slope, difference, atol=1e-6)


def test_background_beyond_the_sums_is_reported(belt) -> None:
    got = belt(60.0)
    assert not got.is_converged.any()
    assert np.isnan(got.high).all()


def test_level_outside_its_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"cl = 0\.3"):
        feldman_cousins_belt(jnp.array(1.0), cl=0.3)
