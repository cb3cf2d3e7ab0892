from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import UnknownNameError
from bsmfit.physics.alp_mixing import (
    MIXING_MESONS,
    meson_mixing_angle,
    regular_inverse,
)


@pytest.mark.parametrize("mass", [0.05, 0.1, 0.2, 0.5])
def test_mixing_with_the_pion_is_the_textbook_angle(mass):
    """f_pi (m_d - m_u)/(m_d + m_u) m^2/(m^2 - m_pi^2), f_pi = 92.2 MeV."""
    expected = -0.0922 * 0.53 / 1.47 * mass**2 / (mass**2 - 0.1349768**2)
    found = meson_mixing_angle("pi0", jnp.array(mass))
    assert float(found) == pytest.approx(expected, rel=0.02)


def test_angles_are_those_of_the_formula_far_from_the_poles():
    for meson, mass, slope, constant, pole in (
        ("eta", 0.3, -0.3596, 0.0021, 0.547862),
        ("eta-prime", 0.3, -0.3362, 0.0092, 0.95778),
    ):
        g = 1.0 / (2.0 * np.pi**2)
        expected = 3.671 * g * (slope * mass**2 + constant) / (mass**2 - pole**2)
        found = meson_mixing_angle(meson, jnp.array(mass))
        assert float(found) == pytest.approx(expected, rel=1e-3)


def test_angles_change_sign_and_stay_finite_at_the_poles():
    for meson, (pole, *_) in MIXING_MESONS.items():
        masses = pole * (1.0 + jnp.array([-0.02, -1e-4, 0.0, 1e-4, 0.02]))

        def angle(mass, name=meson):
            return meson_mixing_angle(name, mass)

        values, slopes = jax.vmap(jax.value_and_grad(angle))(masses)
        assert np.isfinite(values).all()
        assert np.isfinite(slopes).all()
        assert float(values[0]) > 0.0 > float(values[-1])


def test_cut_of_the_pole_does_not_reach_out_of_the_window():
    square = jnp.array([0.125**2, 0.145**2])
    exact = 1.0 / (np.asarray(square) - 0.1349768**2)
    np.testing.assert_allclose(regular_inverse(square, 0.1349768), exact, rtol=3e-3)


def test_a_misspelt_meson_is_named():
    with pytest.raises(UnknownNameError, match="eta-prime"):
        meson_mixing_angle("etaprime", jnp.array(0.1))
