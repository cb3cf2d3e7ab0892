"""Bluemlein-Brunner rates against quadrature and quoted integrals."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from bsmfit.errors import UnknownNameError
from bsmfit.physics.bremsstrahlung import (
    BLUEMLEIN_BRUNNER_PROCESSES,
    MOMENTUM_FRACTION_MAX,
    MOMENTUM_FRACTION_MIN,
    TRANSVERSE_MOMENTUM_MAX,
    bremsstrahlung_rate,
    splitting_bb,
    splitting_bb_integrated,
)

# Integrals over 0.1 < z < 0.9, pT < 1 GeV with the cross-section ratio, per interacting
# proton and mixing squared, deterministic quadrature [computed for the project's
# physics notes by other code].
MASSES = (0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0, 1.5)
INTEGRALS = {
    "proton-bremsstrahlung": (
        *(7.685e-3, 7.451e-3, 6.794e-3, 6.058e-3, 5.699e-3),
        *(5.356e-3, 4.728e-3, 3.703e-3, 2.637e-3, 1.618e-3),
    ),
    "proton-bremsstrahlung-alternative": (
        *(7.772e-3, 7.655e-3, 7.078e-3, 6.332e-3, 5.960e-3),
        *(5.603e-3, 4.945e-3, 3.869e-3, 2.747e-3, 1.676e-3),
    ),
}


def integrate(
    function: Callable[..., jax.Array],
    *,
    z_range: tuple[float, float] = (MOMENTUM_FRACTION_MIN, MOMENTUM_FRACTION_MAX),
    pt_max: float = TRANSVERSE_MOMENTUM_MAX,
) -> float:
    """Integrate over ln z and pT with Gauss-Legendre nodes (relative error < 1e-8)."""
    x, weight = np.polynomial.legendre.leggauss(48)
    low, high = np.log(z_range)
    z = np.exp(0.5 * (high - low) * (x + 1.0) + low)
    z_weight = 0.5 * (high - low) * weight * z
    pt = 0.5 * pt_max * (x + 1.0)
    pt_weight = 0.5 * pt_max * weight * 2.0 * pt
    values = function(jnp.asarray(z[:, None]), jnp.asarray(pt[None, :] ** 2))
    return float(z_weight @ np.asarray(values) @ pt_weight)


@pytest.mark.parametrize("process", INTEGRALS)
@pytest.mark.parametrize("index", range(10))
def test_integrated_bluemlein_brunner_rate(process: str, index: int) -> None:
    mass = jnp.array(MASSES[index])
    found = integrate(lambda z, pt2: bremsstrahlung_rate(process, z, pt2, mass))
    assert found == pytest.approx(INTEGRALS[process][index], rel=1e-3)


@pytest.mark.parametrize(
    ("z_range", "pt_max", "expected"),
    [
        ((0.1, 0.9), 0.5, 2.611e-3),
        ((0.1, 0.9), 1.5, 8.086e-3),
        ((0.1, 0.9), 2.0, 9.955e-3),
        ((0.1, 0.95), 1.0, 5.747e-3),
        ((0.2, 0.9), 1.0, 2.896e-3),
    ],
)
def test_integration_ranges_at_350_mev(
    z_range: tuple[float, float], pt_max: float, expected: float
) -> None:
    found = integrate(
        lambda z, pt2: bremsstrahlung_rate(
            "proton-bremsstrahlung", z, pt2, jnp.array(0.35)
        ),
        z_range=z_range,
        pt_max=pt_max,
    )
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("bracket", ["default", "alternative"])
@pytest.mark.parametrize(("z", "mass"), [(0.1, 0.05), (0.3, 0.35), (0.9, 1.5)])
def test_closed_form_is_the_integral_over_transverse_momentum(
    bracket: str, z: float, mass: float
) -> None:
    def integrand(pt: float) -> float:
        value = splitting_bb(
            jnp.array(z), jnp.array(pt**2), jnp.array(mass), bracket=bracket
        )
        return 2.0 * pt * float(value)

    expected, _ = quad(integrand, 0.0, 1.2, epsrel=1e-10)
    found = splitting_bb_integrated(
        jnp.array(z), jnp.array(mass), transverse_momentum_max=1.2, bracket=bracket
    )
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_closed_form_anchor() -> None:
    found = splitting_bb_integrated(jnp.array(0.3), jnp.array(0.35))
    assert float(found) == pytest.approx(8.5608e-3, rel=1e-4)


def test_rates_are_positive_and_broadcast() -> None:
    z = jnp.linspace(0.05, 0.95, 19)[:, None, None]
    pt_squared = jnp.linspace(0.0, 4.0, 17)[None, :, None]
    mass = jnp.array([0.01, 0.1, 0.3, 0.7, 1.2, 2.0])[None, None, :]
    for process in BLUEMLEIN_BRUNNER_PROCESSES:
        rate = bremsstrahlung_rate(process, z, pt_squared, mass)
        assert rate.shape == (19, 17, 6)
        assert float(jnp.min(rate)) > 0.0


@pytest.mark.parametrize("process", BLUEMLEIN_BRUNNER_PROCESSES)
def test_rates_are_differentiable(process: str) -> None:
    def rate(z: jax.Array, pt_squared: jax.Array, mass: jax.Array) -> jax.Array:
        return bremsstrahlung_rate(process, z, pt_squared, mass)

    check_grads(
        jax.jit(rate),
        (jnp.array(0.3), jnp.array(0.2), jnp.array(0.4)),
        order=1,
        modes=("fwd", "rev"),
    )
    slope = jax.grad(rate, argnums=2)(jnp.array(0.3), jnp.array(0.0), jnp.array(0.0))
    assert float(slope) == 0.0


def test_unknown_names_are_refused() -> None:
    one = jnp.array(0.5)
    with pytest.raises(UnknownNameError, match="proton-bremsstrahlung"):
        bremsstrahlung_rate("proton-bremstrahlung", one, one, one)
