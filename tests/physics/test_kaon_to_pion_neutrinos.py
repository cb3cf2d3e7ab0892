"""The spectrum of the neutrino pair, against closed forms and scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from bsmfit.core.constants import KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.physics.kaon_to_pion_neutrinos import (
    FORM_FACTOR_SLOPE,
    LARGEST_SQUARED_MASS,
    neutrino_pair_fraction,
    neutrino_pair_spectrum,
)

K2, P2 = KAON_CHARGED_MASS**2, PION_CHARGED_MASS**2


def rate(q2, slope):
    """Textbook form with the Kallen function written out."""
    kallen = K2**2 + P2**2 + q2**2 - 2.0 * (K2 * P2 + K2 * q2 + P2 * q2)
    return max(kallen, 0.0) ** 1.5 * (1.0 + slope * q2 / P2) ** 2


@pytest.mark.parametrize("slope", [0.0, FORM_FACTOR_SLOPE, 0.1])
def test_density_is_the_rate_over_its_scipy_integral(slope):
    total = quad(rate, 0.0, LARGEST_SQUARED_MASS, (slope,), epsabs=0, epsrel=1e-12)[0]
    points = np.array([0.0, 0.005, 0.03, 0.06, 0.1, 0.125])
    ours = neutrino_pair_spectrum(jnp.asarray(points), slope=slope)
    expected = [rate(q2, slope) / total for q2 in points]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    x, w = np.polynomial.legendre.leggauss(300)
    inside = jnp.asarray(0.5 * LARGEST_SQUARED_MASS * (x + 1.0))
    whole = w @ neutrino_pair_spectrum(inside, slope=slope)
    assert 0.5 * LARGEST_SQUARED_MASS * whole == pytest.approx(1.0, rel=1e-8)


def test_norm_without_form_factor_is_the_closed_form_of_massless_leptons():
    # int lambda^(3/2) ds over m_K^8 is (1 - 8x + 8x^3 - x^4 - 12 x^2 ln x)/4
    x = P2 / K2
    norm = K2**4 * (1 - 8 * x + 8 * x**3 - x**4 - 12 * x**2 * np.log(x)) / 4
    at_zero = neutrino_pair_spectrum(jnp.array(0.0), slope=0.0)
    # collinear neutrinos: lambda is (m_K^2 - m_pi^2)^2
    np.testing.assert_allclose(at_zero, (K2 - P2) ** 3 / norm, rtol=1e-12)


def test_spectrum_closes_like_the_cube_of_the_pion_momentum():
    gap = 1e-6 * LARGEST_SQUARED_MASS
    values = [
        float(neutrino_pair_spectrum(jnp.asarray(LARGEST_SQUARED_MASS - n * gap)))
        for n in (1.0, 4.0)
    ]
    assert values[1] / values[0] == pytest.approx(8.0, rel=1e-4)


@pytest.mark.parametrize("q2", [-0.01, LARGEST_SQUARED_MASS, 0.3])
def test_outside_value_and_gradient_are_zero(q2):
    value, slope = jax.value_and_grad(neutrino_pair_spectrum)(jnp.asarray(q2))
    assert float(value) == 0.0
    assert float(slope) == 0.0


def test_fraction_is_the_integral_of_the_density():
    def integral(low, high):
        exact = {"epsabs": 0, "epsrel": 1e-12}
        return quad(rate, low, high, (FORM_FACTOR_SLOPE,), **exact)[0]

    for low, high in ((0.0, 0.010), (0.026, 0.068), (0.1, 0.2)):
        part = integral(low, min(high, LARGEST_SQUARED_MASS))
        ours = neutrino_pair_fraction(jnp.asarray(low), jnp.asarray(high))
        expected = part / integral(0.0, LARGEST_SQUARED_MASS)
        np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_gradients():
    def density(q2, slope):
        return neutrino_pair_spectrum(q2, slope=slope)

    def share(low, high, slope):
        return neutrino_pair_fraction(low, high, slope=slope)

    numbers = jnp.array(0.03), jnp.array(0.03)
    check_grads(jax.jit(density), numbers, order=1, modes=("fwd", "rev"))
    numbers = jnp.array(0.01), jnp.array(0.06), jnp.array(0.03)
    check_grads(jax.jit(share), numbers, order=1, modes=("fwd", "rev"))
