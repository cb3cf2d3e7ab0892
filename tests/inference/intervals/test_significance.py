from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bsmfit.inference.intervals.significance import Significance, significance
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.likelihood.quadrature import NuisanceQuadrature


def evaluate(n: int, background: float, kappa: float = 1.0) -> Significance:
    model = CountingModel.from_terms(
        [[]], [(jnp.array(background), [Nuisance("fakes", jnp.array(kappa))])]
    )
    quadrature = NuisanceQuadrature.from_model(model)
    return significance(jnp.array(n), model, quadrature=quadrature)


@pytest.mark.parametrize(
    ("n", "background", "p_value", "one", "two"),
    [
        (1, 0.016, 0.015873, 2.148, 2.412),
        (20, 7.03, 4.70e-5, 3.905, 4.070),
        (17, 5.42, 5.31e-5, 3.876, 4.042),
        (51, 18.0, 1.56e-10, 6.293, 6.399),
    ],
)
def test_known_background_of_the_table(
    n: int, background: float, p_value: float, one: float, two: float
) -> None:
    result = evaluate(n, background)
    np.testing.assert_allclose(result.p_value, stats.poisson.sf(n - 1, background))
    np.testing.assert_allclose(result.p_value, p_value, rtol=3e-3)
    np.testing.assert_allclose(result.z_one_sided, one, atol=5.1e-4)
    np.testing.assert_allclose(result.z_two_sided, two, atol=5.1e-4)
    assert (result.method, result.ensemble) == ("exact", "marginal")


def test_background_error_lowers_the_significance() -> None:
    x = np.linspace(-9, 9, 4001)
    weight = stats.norm.pdf(x) * (x[1] - x[0])
    truth = weight @ stats.poisson.sf(19, 7.03 * 1.15**x)
    result = evaluate(20, 7.03, 1.15)
    np.testing.assert_allclose(result.p_value, truth, rtol=1e-4)
    assert result.z_one_sided < evaluate(20, 7.03).z_one_sided


def test_no_event_and_deficit_are_no_significance() -> None:
    for n in (0, 1):
        result = evaluate(n, 8.0)
        assert result.z_one_sided == 0.0
        assert 0.0 <= result.z_two_sided < 1e-3
    assert evaluate(0, 8.0).p_value == 1.0


def test_gradient_is_finite_with_and_without_events() -> None:
    model = CountingModel.from_terms([[]], [(jnp.array(0.016), [])])
    quadrature = NuisanceQuadrature.from_model(model)

    def z(background: jax.Array, n: int) -> jax.Array:
        moved = CountingModel(
            model.signal_log_kappa,
            background[None],
            model.background_log_kappa,
            model.nuisance_names,
        )
        return significance(jnp.array(n), moved, quadrature=quadrature).z_one_sided

    b = 0.016
    slope = jax.grad(z)(jnp.array(b), 1)
    # p0 = 1 - exp(-b), so dZ/db = -exp(-b)/phi(Z)
    truth = -np.exp(-b) / stats.norm.pdf(stats.norm.isf(-np.expm1(-b)))
    np.testing.assert_allclose(slope, truth, rtol=1e-9)
    assert np.isfinite(jax.grad(z)(jnp.array(b), 0))
