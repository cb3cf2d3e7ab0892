"""Leptonic width: closed forms, threshold and gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.core.constants import ELECTRON_MASS, FINE_STRUCTURE, MUON_MASS
from bsmfit.physics.leptonic_width import leptonic_width, massless_lepton_width


def _scalar(value: float) -> jax.Array:
    return jnp.array(value, dtype=float)


def _muon_width(mass: jax.Array) -> jax.Array:
    return leptonic_width(mass, _scalar(1.0), lepton_mass=MUON_MASS)


def test_heavy_dark_photon_has_the_massless_width() -> None:
    width = leptonic_width(_scalar(2.0), _scalar(1e-3), lepton_mass=ELECTRON_MASS)
    massless = FINE_STRUCTURE * 1e-6 * 2.0 / 3.0
    # The first mass correction is of order (m_l / m)^4.
    np.testing.assert_allclose(float(width), massless, rtol=1e-12)
    np.testing.assert_allclose(
        float(massless_lepton_width(_scalar(2.0), _scalar(1e-3))), massless, rtol=1e-14
    )


def test_published_electron_width_at_100_mev() -> None:
    # DarkCast formula, arXiv:1801.04847 eq. (2.13), evaluated by its authors' code.
    width = leptonic_width(_scalar(0.1), _scalar(1.0), lepton_mass=ELECTRON_MASS)
    np.testing.assert_allclose(float(width), 2.4324e-4, rtol=1e-4)


@pytest.mark.parametrize("ratio", [2.001, 2.5, 4.0])
def test_width_matches_the_formula(ratio: float) -> None:
    x = 1.0 / ratio**2
    mass = ratio * MUON_MASS
    expected = FINE_STRUCTURE * mass / 3 * np.sqrt(1 - 4 * x) * (1 + 2 * x)
    np.testing.assert_allclose(float(_muon_width(_scalar(mass))), expected, rtol=1e-12)


@pytest.mark.parametrize("mass", [0.01, 0.2, 2.0 * MUON_MASS])
def test_closed_channel_has_zero_width_and_zero_gradient(mass: float) -> None:
    for mode in (jax.jacfwd, jax.jacrev):
        assert float(mode(_muon_width)(_scalar(mass))) == 0.0
    assert float(_muon_width(_scalar(mass))) == 0.0


def test_gradient_is_finite_in_the_last_place_above_threshold() -> None:
    mass = jnp.nextafter(_scalar(2.0 * MUON_MASS), _scalar(1.0))
    value, gradient = jax.value_and_grad(_muon_width)(mass)
    assert 0.0 < float(value) < 1e-8
    assert np.isfinite(float(gradient))
    assert float(gradient) > 0.0


@pytest.mark.parametrize("mass", [0.15, 0.22, 0.5])
def test_gradient_agrees_with_finite_differences(mass: float) -> None:
    def width(mass: jax.Array, mixing: jax.Array) -> jax.Array:
        return leptonic_width(mass, mixing, lepton_mass=MUON_MASS)

    check_grads(
        jax.jit(width),
        (_scalar(mass), _scalar(0.7)),
        order=1,
        modes=("fwd", "rev"),
        rtol=1e-5,
    )


def test_width_accepts_an_array_of_masses() -> None:
    mass = jnp.array([0.1, 0.3, 0.5])
    together = leptonic_width(mass, jnp.ones(3), lepton_mass=MUON_MASS)
    single = [float(_muon_width(one)) for one in mass]
    np.testing.assert_allclose(np.asarray(together), single, rtol=1e-14)
