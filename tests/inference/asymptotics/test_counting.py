from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from bsmfit.inference.asymptotics.counting import (
    asymptotic_counting_bands,
    asymptotic_counting_cls,
    asymptotic_counting_discovery,
    asymptotic_counting_limit,
    in_chunks,
)
from bsmfit.inference.fits.counting_fit import CountingPoint

ONE = 1.0
SHARED = Path(__file__).parents[3].parent / "shared" / "reference" / "stats"
# n, b, s, kappa_s, kappa_b, CLs of pyhf 0.7.6 (numpy, scipy) at strength 1
PYHF = """
5 1.115657519 .8073014295 1.026280502 1.491696739 .7292311613
3 3.655384530 5.049768318 1.297208693 1.335302495 .05495673631
3 3.272621539 .5205387513 1.345813625 1.039479634 .7643315491
5 2.932139013 1.817417155 1.348007990 1.334047508 .6394322964
0 1.719614524 .7123975336 1.067227646 1.408962161 .3939698392
1 2.606398571 5.115388336 1.165797471 1.598381763 .01092814046
4 2.757890839 5.378444572 1.281609758 1.245574426 .1019071353
"""
# asymptotic 90 % limits on events, known background (n = 0, 1, 2, 3, 5, 10, 20) and
# 95 % limits (n = 0, 1, 3, 10, 20): evaluated from the formulas
KNOWN_BACKGROUND = {
    0.016: "1.380 3.036 4.450 5.810 8.426 14.602 26.275"
    " 1.947 3.818 6.829 16.124 28.268",
    0.18: "1.510 2.964 4.327 5.664 8.266 14.438 26.111 2.077 3.744 6.685 15.960 28.104",
    0.77: "1.706 2.723 3.921 5.168 7.697 13.848 25.521 2.286 3.487 6.187 15.370 27.514",
    3.0: "1.953 2.408 3.017 3.814 5.813 11.635 23.291 2.566 3.129 4.779 13.158 25.284",
}


def point_of(n, b, s, kappa_s, kappa_b) -> CountingPoint:
    arrays = [jnp.asarray(x, dtype=float) for x in (n, b, s, kappa_s, kappa_b)]
    n, b, s, kappa_s, kappa_b = arrays
    return CountingPoint.from_nominal(
        n,
        s,
        signal_log_kappa=jnp.log(kappa_s),
        background=b[..., None],
        background_log_kappa=jnp.log(kappa_b)[..., None],
    )


def take(points: CountingPoint, index: int) -> CountingPoint:
    return jax.tree.map(lambda leaf: leaf[index], points)


@jax.jit
def all_cls(points: CountingPoint) -> jax.Array:
    def cls(point: CountingPoint) -> jax.Array:
        return jnp.exp(asymptotic_counting_cls(point, jnp.array(ONE)).log_cls)

    return in_chunks(cls, points, n_chunk=8)


@jax.jit
def all_limits90(points: CountingPoint) -> tuple[jax.Array, jax.Array]:
    return in_chunks(lambda p: asymptotic_counting_limit(p, cl=0.90), points)


@jax.jit
def all_limits95(points: CountingPoint) -> tuple[jax.Array, jax.Array]:
    return in_chunks(lambda p: asymptotic_counting_limit(p, cl=0.95), points)


B1 = (3.0, 2.0, 4.0, 1.15, 1.3)


def test_cls_of_pyhf() -> None:
    table = np.array([line.split() for line in PYHF.split("\n") if line], dtype=float)
    got = all_cls(point_of(*table[:, :5].T))
    np.testing.assert_allclose(got, table[:, 5], atol=5e-5, rtol=0)


def test_sixty_models_of_pyhf() -> None:
    file = SHARED / "agree_b1.csv"
    if not file.exists():
        pytest.skip("reference files are not there")
    n, b, s, kappa_s, kappa_b, truth, _ = np.loadtxt(file, delimiter=",", skiprows=1).T
    got = all_cls(point_of(n, b, s, kappa_s, kappa_b))
    assert np.max(np.abs(got - truth)) < 5e-5


def test_reference_model_against_iminuit() -> None:
    iminuit = pytest.importorskip("iminuit")
    n, b, s, kappa_s, kappa_b = B1

    def statistic(strength: float, count: float, a: np.ndarray) -> float:
        def nll(mu: float, x: float, y: float) -> float:
            rate = mu * s * kappa_s**x + b * kappa_b**y
            return (
                rate - count * np.log(rate) + 0.5 * ((x - a[0]) ** 2 + (y - a[1]) ** 2)
            )

        values = []
        for is_fixed in (False, True):
            fit = iminuit.Minuit(nll, mu=strength, x=a[0], y=a[1])
            fit.errordef, fit.tol, fit.strategy = 0.5, 1e-6, 2
            fit.limits["mu"] = (0.0, 20.0)
            fit.fixed["mu"] = is_fixed
            fit.migrad()
            values.append((fit.fval, fit.values["mu"]))
            if strength == 0.0 and is_fixed:
                return np.array(fit.values)
        return 2.0 * (values[1][0] - values[0][0])

    mode = statistic(0.0, n, np.zeros(2))
    q_asimov = statistic(1.0, b * kappa_b ** mode[2], mode[1:])
    result = jax.jit(asymptotic_counting_cls)(point_of(*B1), jnp.array(ONE))
    np.testing.assert_allclose(result.q, statistic(1.0, n, np.zeros(2)), atol=2e-5)
    np.testing.assert_allclose(result.q_asimov, q_asimov, atol=2e-5)
    np.testing.assert_allclose(jnp.exp(result.log_cls), 0.138398, atol=1e-6)


@pytest.mark.parametrize(("cl", "limits"), [(0.9, all_limits90), (0.95, all_limits95)])
def test_limits_for_known_background(cl: float, limits) -> None:
    counts = [0, 1, 2, 3, 5, 10, 20] if cl == 0.9 else [0, 1, 3, 10, 20]
    n, b = np.meshgrid(counts, list(KNOWN_BACKGROUND))
    numbers = np.array([row.split() for row in KNOWN_BACKGROUND.values()], dtype=float)
    truth = numbers[:, :7] if cl == 0.9 else numbers[:, 7:]
    one = np.ones(n.size)
    got, is_converged = limits(point_of(n.ravel(), b.ravel(), one, one, one))
    assert np.all(is_converged)
    np.testing.assert_allclose(got, truth.ravel(), atol=6e-4)


def test_limit_of_the_reference_model_in_any_unit_of_signal() -> None:
    # 90 %: 1.130121; 95 %: 1.398832 (pyhf)
    n, b, s, kappa_s, kappa_b = B1
    scale = np.array([1e-12, 1.0, 1e9])
    same = [np.full(3, x) for x in (n, b, kappa_s, kappa_b)]
    points = point_of(same[0], same[1], s * scale, same[2], same[3])
    for limits, truth in ((all_limits90, 1.130121), (all_limits95, 1.398832)):
        got, is_converged = limits(points)
        assert np.all(is_converged)
        np.testing.assert_allclose(got * scale, truth, rtol=2e-5)


def test_expected_limits_of_pyhf() -> None:
    bands = jax.jit(lambda p: asymptotic_counting_bands(p, cl=0.90))
    got, is_converged = bands(point_of(*B1))
    assert np.all(is_converged)
    truth = [0.38313, 0.55838, 0.88255, 1.47079, 2.42106]
    np.testing.assert_allclose(got, truth, rtol=2e-4)


@pytest.mark.slow
def test_gradient_of_the_limit_against_finite_differences() -> None:
    def limit(inputs: jax.Array) -> jax.Array:
        s, b, sigma_b, exposure = inputs
        n, one = jnp.array([0.0, 1.0, 4.0]), jnp.ones(3)
        points = CountingPoint.from_nominal(
            n,
            one * s * exposure,
            signal_log_kappa=one * 0.14,
            background=(one * b * exposure)[:, None],
            background_log_kappa=(one * jnp.log1p(sigma_b / b))[:, None],
        )
        return jax.vmap(lambda p: asymptotic_counting_limit(p, cl=0.9)[0])(points)

    inputs = np.array([4.0, 2.0, 0.6, 1.0])
    values = jax.jit(limit)
    jacobian = jax.jit(jax.jacrev(limit))(jnp.array(inputs))
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-4
        shifted = [values(jnp.array(inputs + m * step)) for m in (-2, -1, 1, 2)]
        truth = (shifted[0] - 8 * shifted[1] + 8 * shifted[2] - shifted[3]) / 12e-4
        np.testing.assert_allclose(jacobian[:, k], truth, rtol=1e-6, atol=1e-8)


def test_limit_is_where_cls_crosses() -> None:
    cls = jax.jit(lambda p, mu: asymptotic_counting_cls(p, mu).log_cls)
    point = point_of(12.0, 9.0, 3.0, 1.3, 1.2)
    truth = brentq(lambda mu: float(cls(point, jnp.array(mu))) - np.log(0.1), 0.1, 20)
    points = jax.tree.map(lambda leaf: leaf[None], point)
    np.testing.assert_allclose(all_limits90(points)[0], truth, rtol=1e-9)


def test_lanes_are_independent_and_chunks_make_no_difference() -> None:
    n, b = np.arange(7.0), np.linspace(0.1, 3.0, 7)
    points = point_of(n, b, n + 1, 1 + 0.05 * n, 1 + 0.1 * b)
    whole = all_cls(points)
    dead = point_of(n, b, np.where(n == 2, 0.0, n + 1), 1 + 0.05 * n, 1 + 0.1 * b)
    limits, is_converged = all_limits90(points)
    with_dead, is_alive = all_limits90(dead)
    others = n != 2
    assert list(is_alive) == list(others)
    assert np.all(is_converged)
    assert np.isnan(with_dead[2])
    assert np.all(limits[others] == with_dead[others])
    assert float(all_cls(dead)[2]) == 1.0
    nine = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[:2]]), points)
    np.testing.assert_allclose(all_cls(nine)[:7], whole, rtol=1e-13)


def test_discovery_with_known_background() -> None:
    n, b = np.array([1.0, 20.0, 51.0, 2.0]), np.array([0.016, 7.03, 18.0, 3.0])
    one = np.ones(4)
    got = jax.jit(jax.vmap(asymptotic_counting_discovery))(
        point_of(n, b, one, one, one)
    )
    np.testing.assert_allclose(got, [2.510, 3.985, 6.343, 0.0], atol=5e-4)
