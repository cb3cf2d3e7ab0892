from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bsmfit.errors import UnknownNameError
from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.inference.toys.counting import (
    CountingToys,
    poisson_quantile,
    toy_counting_bands,
    toy_counting_cls,
    toy_counting_limit,
)

N_TOY = 20_000


def point_of(n: float, b: float, s: float, kappa_s: float, kappa_b: float):
    return CountingPoint.from_nominal(
        jnp.array(n),
        jnp.array(s),
        signal_log_kappa=jnp.log(jnp.array(kappa_s)),
        background=jnp.array([b]),
        background_log_kappa=jnp.log(jnp.array([kappa_b])),
    )


@pytest.fixture(scope="module")
def toys() -> CountingToys:
    return CountingToys.from_key(jax.random.key(3), N_TOY, n_nuisance=2)


def test_quantile_inverts_the_distribution() -> None:
    rng = np.random.default_rng(0)
    expected = np.concatenate([[0.0, 1e-3], np.exp(rng.uniform(-4, 7, 400))])
    uniform = rng.uniform(size=402)
    uniform[:4] = [0.0, 1 - 1e-12, 1 - 1e-16, 1e-12]
    got = jax.jit(jax.vmap(poisson_quantile))(jnp.array(uniform), jnp.array(expected))
    n = np.asarray(got)
    near = stats.poisson.cdf(n, expected), stats.poisson.cdf(n - 1, expected)
    assert np.all(near[0] >= uniform - 1e-12)
    assert np.all(near[1] <= uniform + 1e-12)


# B1 at strength 1 (4e5 toys; marginal exact): CLs; 0.016 background, 2.303 signal
@pytest.mark.parametrize(
    ("ensemble", "truth"),
    [
        ("unconditional", 0.1533),
        pytest.param("conditional", 0.2113, marks=pytest.mark.slow),
        pytest.param("marginal", 0.1855, marks=pytest.mark.slow),
    ],
)
def test_cls_in_three_ensembles(toys: CountingToys, ensemble, truth: float) -> None:
    function = jax.jit(
        lambda p, mu, t: toy_counting_cls(p, mu, toys=t, ensemble=ensemble)
    )
    result = function(point_of(3.0, 2.0, 4.0, 1.15, 1.3), jnp.array(1.0), toys)
    assert abs(float(result.value) - truth) < 4 * float(result.error) + 5e-4
    assert 0.0 < float(result.error) < 0.006
    assert float(result.fraction_converged) > 0.999
    assert result.ensemble == ensemble
    if ensemble == "unconditional":
        # 10 % efficiency and 12.5 % background error
        for n, s, value in (
            (0.0, 2.303, 0.097),
            (1.0, 2.303, 0.215),
            (1.0, 3.89, 0.058),
        ):
            other = function(point_of(n, 0.016, s, 1.1, 1.125), jnp.array(1.0), toys)
            assert abs(float(other.value) - value) < 4 * float(other.error) + 5e-4


@pytest.mark.parametrize(
    ("ensemble", "truth"),
    [("unconditional", (2.161, 3.197)), ("marginal", (2.316, 3.907))],
)
def test_limits(toys: CountingToys, ensemble, truth: tuple[float, float]) -> None:
    function = jax.jit(
        lambda p, t: toy_counting_limit(p, cl=0.9, toys=t, ensemble=ensemble)
    )
    for n, expected in zip((0.0, 1.0), truth, strict=True):
        limit, is_converged = function(point_of(n, 0.016, 1.0, 1.1, 1.125), toys)
        assert bool(is_converged)
        # 4 standard deviations of CLs over its slope, 0.07 per event
        np.testing.assert_allclose(limit, expected, atol=4 * 0.0033 / 0.07)


def test_bands_of_known_nuisances_are_those_of_the_count(toys: CountingToys) -> None:
    function = jax.jit(
        lambda p, mu, t: toy_counting_bands(p, mu, toys=t, ensemble="marginal")
    )
    got = function(point_of(0.0, 3.0, 5.0, 1.0, 1.0), jnp.array(1.0), toys)
    n = np.array([0, 1, 3, 5, 7])
    truth = stats.poisson.cdf(n, 8.0) / stats.poisson.cdf(n, 3.0)
    error = np.sqrt(truth / stats.poisson.cdf(n, 3.0) / N_TOY)
    assert np.all(np.abs(got - truth) < 4 * error)


def test_unknown_ensemble_is_refused(toys: CountingToys) -> None:
    with pytest.raises((UnknownNameError, TypeError)):
        toy_counting_cls(
            point_of(1.0, 1.0, 1.0, 1.1, 1.1),
            jnp.array(1.0),
            toys=toys,
            ensemble="hybrid",  # type: ignore[arg-type]
        )
