from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.core.constants import (
    BEAUTY_CHARGED_LIFETIME,
    BEAUTY_CHARGED_MASS,
    HBAR,
    HIGGS_VEV,
    KAON_CHARGED_MASS,
    KSTAR_MASS,
)
from bsmfit.errors import UnknownNameError
from bsmfit.physics.beauty_to_strange import (
    BEAUTY_PROCESSES,
    beauty_scalar_branching_ratio,
    beauty_scalar_coefficient,
)

COEFFICIENT = beauty_scalar_coefficient()


def ratio(process: str, mass: float) -> float:
    return float(
        beauty_scalar_branching_ratio(
            process, jnp.asarray(mass), coefficient=COEFFICIENT
        )
    )


@pytest.mark.parametrize(
    ("process", "mass", "expected", "tolerance"),
    [
        # the same formula, evaluated elsewhere
        ("b-to-kaon", 0.0, 0.468, 2e-3),
        ("b-to-kaon", 1.0, 0.476, 2e-3),
        ("b-to-kaon", 2.0, 0.500, 2e-3),
        ("b-to-kstar", 0.0, 0.566, 2e-3),
        # other programs: FORESEE, SensCalc (K, K*), GRENDEL inclusive
        ("b-to-kaon", 0.0, 0.43, 0.10),
        ("b-to-kaon", 0.0, 0.4267, 0.10),
        ("b-to-kstar", 0.0, 0.4737, 0.20),
        ("b-to-strange", 0.5, 5.3, 0.15),
    ],
)
def test_branching_ratios_of_other_programs(process, mass, expected, tolerance):
    assert ratio(process, mass) == pytest.approx(expected, rel=tolerance)


def test_width_with_the_inputs_of_scalar_portal():
    # test_production.py: m_t = 174 GeV, Vts = 39.4e-3, Vtb = 1.019, v = 246 GeV
    coefficient = beauty_scalar_coefficient(174.0, flavour_product=39.4e-3 * 1.019)
    ours = beauty_scalar_branching_ratio(
        "b-to-kaon", jnp.asarray(0.0), coefficient=coefficient
    )
    width = float(ours) * HBAR / BEAUTY_CHARGED_LIFETIME * (HIGGS_VEV / 246.0) ** 6
    assert width == pytest.approx(1.8602870173762396e-13, rel=3e-3)


def test_width_is_that_of_the_effective_operator():
    """C (s_L bar b_R) S with C = 3 m_b g^2 V m_t^2 / (64 pi^2 m_W^2 v) and the matrix
    element (m_B^2 - m_K^2) f_0 / (2 m_b): two-body phase space p / (8 pi m_B^2)."""
    mass, top, ckm, bottom = 1.5, 172.57, 0.04106, 4.8
    weak = 4.0 / HIGGS_VEV**2  # g^2 / m_W^2
    operator = 3 * bottom * weak * ckm * top**2 / (64 * np.pi**2 * HIGGS_VEV)
    b, k = BEAUTY_CHARGED_MASS, KAON_CHARGED_MASS
    form = 0.330 / (1 - mass**2 / 37.46)
    amplitude = operator * (b**2 - k**2) * form / (2 * bottom)
    momentum = np.sqrt((b**2 - (k + mass) ** 2) * (b**2 - (k - mass) ** 2)) / (2 * b)
    width = amplitude**2 * momentum / (8 * np.pi * b**2)
    expected = width * BEAUTY_CHARGED_LIFETIME / HBAR
    assert ratio("b-to-kaon", mass) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("process", BEAUTY_PROCESSES)
def test_closed_decay_is_zero_and_gradients_are_finite(process):
    recoil = KSTAR_MASS if process == "b-to-kstar" else KAON_CHARGED_MASS
    edge = BEAUTY_CHARGED_MASS - recoil

    def rate(mass):
        return beauty_scalar_branching_ratio(process, mass, coefficient=COEFFICIENT)

    masses = jnp.asarray([0.0, edge * (1 - 1e-9), edge, edge + 0.1, 5.3, 6.2, 9.0])
    values, slopes = jax.vmap(jax.value_and_grad(rate))(masses)
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(slopes))
    np.testing.assert_array_equal(values[2:], 0.0)
    np.testing.assert_array_equal(slopes[2:], 0.0)


def test_unknown_process_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'b-to-kaon'"):
        ratio("b-to-kaom", 1.0)
