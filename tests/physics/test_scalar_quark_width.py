from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.physics_tables import load_scalar_widths
from bsmfit.core.constants import HBAR_C, HIGGS_VEV
from bsmfit.physics.scalar_quark_width import (
    partonic_widths,
    quark_share,
    quark_width,
)


def test_share_is_a_smooth_step():
    masses = jnp.asarray([0.5, 2.0, 2.1, 2.2, 4.0])
    np.testing.assert_allclose(quark_share(masses), [0, 0, 0.5, 1, 1], atol=1e-12)
    slopes = jax.vmap(jax.grad(quark_share))(masses)
    np.testing.assert_allclose(slopes, [0, 0, 7.5, 0, 0], atol=1e-9)


def test_strange_quarks_at_two_gev():
    """3 m_s^2 m beta^3 (1 + 5.67 alpha_s / pi) / (8 pi v^2), m_s = 93.5 MeV."""
    beta = np.sqrt(1 - (2 * 0.493677 / 2.0) ** 2)
    leading = 3 * 0.0935**2 * 2.0 * beta**3 / (8 * np.pi * HIGGS_VEV**2)
    found = quark_width(
        jnp.asarray(2.0), running_mass=(0.0935, 2.0), threshold=2 * 0.493677
    )
    # alpha_s(2 GeV) = 0.30
    assert float(found) / leading == pytest.approx(1 + 5.67 * 0.30 / np.pi, rel=0.01)


def test_light_scalars_have_no_quarks_and_finite_gradients():
    masses = jnp.asarray([0.01, 0.5, 2.0, 3.7393, 3.73932, 3.5538, 4.0])
    values = jax.jit(jax.vmap(partonic_widths))(masses)
    slopes = jax.jit(jax.vmap(jax.jacfwd(partonic_widths)))(masses)
    for name in ("gg", "ss", "cc"):
        np.testing.assert_array_equal(values[name][:3], 0.0)
        assert np.all(np.isfinite(slopes[name]))
    assert float(values["cc"][3]) == 0.0
    assert float(values["cc"][6]) > 0.0


@pytest.mark.parametrize(
    ("mass", "event_calc"),
    # c tau sin^2(theta) [m] of EventCalc (BSD-3), the same formulae
    [(2.2, 8.19e-10), (2.5, 6.366e-10), (3.0, 4.05e-10), (3.5, 2.655e-10)],
)
def test_lifetime_above_two_gev_is_that_of_a_public_code(mass, event_calc):
    ours = HBAR_C / float(load_scalar_widths()(jnp.asarray(mass)))
    assert ours == pytest.approx(event_calc, rel=0.20)
