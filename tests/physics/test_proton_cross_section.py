"""Cross sections: quoted values, and the two traps of the squared energy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.core.constants import PROTON_MASS
from bsmfit.physics.proton_cross_section import (
    BEAM_MOMENTUM,
    cross_section_ratio,
    non_single_diffractive_cross_section_mb,
    non_single_diffractive_ratio,
    squared_energy,
    total_cross_section_mb,
)


def test_squared_energy_is_the_invariant_of_a_beam_and_a_proton_at_rest() -> None:
    z = np.array([0.0, 0.3, 0.9])
    energy = BEAM_MOMENTUM * (1.0 - z)
    momentum = np.sqrt(energy**2 - PROTON_MASS**2)
    invariant = (energy + PROTON_MASS) ** 2 - momentum**2
    np.testing.assert_allclose(squared_energy(jnp.asarray(z)), invariant, rtol=1e-13)


def test_cross_sections_at_400_gev_are_the_quoted_ones() -> None:
    s = squared_energy(jnp.array(0.0))
    assert float(total_cross_section_mb(s)) == pytest.approx(39.86, abs=0.005)
    assert float(non_single_diffractive_cross_section_mb(s)) == pytest.approx(
        30.64, abs=0.005
    )


def test_ratio_is_one_without_emission_and_falls_gently() -> None:
    # The wrong pairing of definitions would start at 1.4 (and depend on the mass).
    z = jnp.linspace(0.0, 0.9, 91)
    ratio = cross_section_ratio(z)
    assert float(ratio[0]) == pytest.approx(1.0, rel=1e-14)
    assert float(jnp.max(ratio)) <= 1.0
    assert float(jnp.min(ratio)) > 0.9


def test_non_single_diffractive_ratio_starts_at_the_ratio_of_cross_sections() -> None:
    ratio = non_single_diffractive_ratio(jnp.array(0.0))
    assert float(ratio) == pytest.approx(30.64 / 39.86, rel=3e-4)


def test_gradients() -> None:
    for function in (cross_section_ratio, non_single_diffractive_ratio):
        check_grads(jax.jit(function), (jnp.array(0.4),), order=1)
