"""Form factors: quoted values, the static limit, and the rate of 2409.09123."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from jaxtyping import TypeCheckError

from bsmfit.core.constants import PION_CHARGED_MASS
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.gauge_invariant_bremsstrahlung import (
    gauge_invariant_rate,
    splitting_dirac,
    splitting_interference,
    splitting_pauli,
)
from bsmfit.physics.proton_form_factor import (
    VMD_POLES,
    FormFactorValue,
    TabulatedFormFactor,
    vmd_form_factor,
    vmd_form_factor_squared,
)

REPOSITORY = Path(__file__).parents[2]
TABLE = REPOSITORY / "data" / "proton_form_factor" / "central.csv"
REFERENCE = REPOSITORY.parent / "shared/reference/dump/dp_senscalc_proton_FF_UA.txt"


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    lines = [line for line in TABLE.read_text().splitlines() if line[0] != "#"]
    return np.array([[float(cell) for cell in line.split(",")] for line in lines[1:]])


@pytest.fixture(scope="module")
def form_factor(table: np.ndarray) -> TabulatedFormFactor:
    mass, *values = (jnp.asarray(column) for column in table.T)
    return TabulatedFormFactor.from_table(
        mass, FormFactorValue(*values[:2]), FormFactorValue(*values[2:])
    )


@pytest.mark.parametrize(
    ("mass", "expected"),
    [
        *((0.01, 0.985), (0.1, 1.031), (0.2, 1.189), (0.3, 1.526), (0.4, 2.232)),
        *((0.5, 3.903), (0.6, 9.04), (0.7, 37.4), (1.0, 13.0)),
    ],
)
def test_fixed_width_dominance_matches_public_codes(
    mass: float, expected: float
) -> None:
    found = vmd_form_factor_squared(jnp.array(mass), width="fixed")
    assert float(found) == pytest.approx(expected, rel=4e-3)


def test_energy_dependent_widths_restore_the_static_limit() -> None:
    value = vmd_form_factor(jnp.array(0.0))
    total = sum(pole.strength for pole in VMD_POLES)
    assert float(value.real) == pytest.approx(total, rel=1e-14)
    assert total == pytest.approx(1.0, abs=1.5e-3)
    assert float(value.imaginary) == 0.0


def test_energy_dependent_width_follows_the_momentum_cubed() -> None:
    # Isovector part alone below the three-pion threshold: check Im F1 directly.
    m = 0.40
    expected = 0.0
    for pole in VMD_POLES[:3]:
        p, p0 = (np.sqrt(x**2 / 4 - PION_CHARGED_MASS**2) for x in (m, pole.mass))
        gamma = pole.width * (p / p0) ** 3 * pole.mass / m
        propagator = pole.mass**2 - m**2 - 1j * pole.mass * gamma
        expected += (pole.strength * pole.mass**2 / propagator).imag
    found = vmd_form_factor(jnp.array(m)).imaginary
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_both_width_choices_agree_on_the_rho() -> None:
    mass = jnp.array([0.70, 0.74, 0.77526])
    running = vmd_form_factor_squared(mass)
    fixed = vmd_form_factor_squared(mass, width="fixed")
    np.testing.assert_allclose(running, fixed, rtol=0.15)


@pytest.mark.parametrize("n_pion", [2, 3])
def test_gradient_is_finite_on_both_sides_of_a_threshold(n_pion: int) -> None:
    threshold = n_pion * PION_CHARGED_MASS
    for shift in (-1e-3, 0.0, 1e-3):
        mass = jnp.array(threshold + shift)
        slope = jax.jit(jax.grad(vmd_form_factor_squared))(mass)
        assert np.isfinite(float(slope))
        if shift:
            check_grads(jax.jit(vmd_form_factor_squared), (mass,), order=1)


def test_unknown_width_is_refused() -> None:
    # The run-time type check of the tests speaks first, the package's own otherwise.
    with pytest.raises((UnknownNameError, TypeCheckError)):
        vmd_form_factor(jnp.array(0.1), width="running")  # pyright: ignore


def test_table_begins_at_charge_and_anomalous_moment(
    form_factor: TabulatedFormFactor,
) -> None:
    dirac, pauli = form_factor(jnp.array(0.0))
    assert float(dirac.real) == pytest.approx(1.0, abs=1e-12)
    # PDG: mu_p / mu_N - 1 = 1.792847
    assert float(pauli.real) == pytest.approx(1.792847, abs=1e-6)
    slope = jax.jacfwd(lambda m: form_factor(m)[1].real)(jnp.array(0.0))
    assert float(slope) == pytest.approx(0.0, abs=1e-10)


def test_interpolation_passes_through_the_table(
    form_factor: TabulatedFormFactor, table: np.ndarray
) -> None:
    dirac, pauli = form_factor(jnp.asarray(table[:, 0]))
    found = np.stack([*dirac, *pauli], axis=1)
    np.testing.assert_allclose(found, table[:, 1:], rtol=1e-9, atol=1e-9)


@pytest.mark.skipif(not REFERENCE.exists(), reason="reference table not here")
def test_interpolation_between_nodes_against_the_finer_source(
    form_factor: TabulatedFormFactor,
) -> None:
    lines = REFERENCE.read_text().replace("+-", "-").splitlines()
    rows = [line.split() for line in lines if line.strip() and line[0] != "#"]
    mass = np.array([float(row[0]) for row in rows])
    for column, value in zip((1, 2), form_factor(jnp.asarray(mass)), strict=True):
        source = np.array([complex(row[column].strip("()")) for row in rows])
        found = np.asarray(value.real) + 1j * np.asarray(value.imaginary)
        error = np.abs(found / source - 1.0)
        assert np.max(error[mass < 0.74]) < 1e-3
        assert np.max(error) < 5e-3


def test_tabulated_gradient(form_factor: TabulatedFormFactor) -> None:
    def squared(mass: jax.Array) -> jax.Array:
        dirac, pauli = form_factor(mass)
        return dirac.real**2 + dirac.imaginary**2 + pauli.real**2

    for mass in (0.013, 0.283, 0.52, 0.7789, 1.021):
        check_grads(jax.jit(squared), (jnp.array(mass),), order=1, eps=1e-7, rtol=1e-3)


def test_table_must_rise_from_zero(table: np.ndarray) -> None:
    mass = jnp.asarray(table[1:, 0])
    value = FormFactorValue(jnp.ones_like(mass), jnp.zeros_like(mass))
    with pytest.raises(InputError, match="begin with 0"):
        TabulatedFormFactor.from_table(mass, value, value)


def integrated_rate(
    form_factor: TabulatedFormFactor, mass: float, *, cutoff: float = 1.5
) -> float:
    x, weight = np.polynomial.legendre.leggauss(40)
    z = 0.4 * x + 0.5
    pt = 0.5 * (x + 1.0)
    grid_z, grid_pt2 = jnp.asarray(z[:, None]), jnp.asarray(pt[None, :] ** 2)
    dirac, pauli = form_factor(jnp.array(mass))
    rate = gauge_invariant_rate(
        grid_z, grid_pt2, jnp.array(mass), dirac=dirac, pauli=pauli, cutoff=cutoff
    )
    strength = float(dirac.real**2 + dirac.imaginary**2)
    return strength * (0.4 * weight) @ np.asarray(rate) @ (0.5 * weight * 2.0 * pt)


@pytest.mark.parametrize(
    ("mass", "expected"),
    [
        *((0.1, 6.15e-3), (0.2, 6.35e-3), (0.3, 7.62e-3), (0.4, 9.23e-3)),
        *((0.5, 1.36e-2), (0.7, 1.02e-1)),
    ],
)
def test_rate_with_dirac_and_pauli_form_factors(
    form_factor: TabulatedFormFactor, mass: float, expected: float
) -> None:
    # Quoted values: full 5 MeV table and an independent integration.
    assert integrated_rate(form_factor, mass) == pytest.approx(expected, rel=0.006)


@pytest.mark.parametrize(
    ("cutoff", "expected"), [(1.0, 2.4e-3), (1.5, 8.2e-3), (2.0, 1.3e-2)]
)
def test_rate_against_the_off_shell_cutoff(
    form_factor: TabulatedFormFactor, cutoff: float, expected: float
) -> None:
    found = integrated_rate(form_factor, 0.35, cutoff=cutoff)
    assert found == pytest.approx(expected, rel=0.03)


def test_gauge_invariant_rate_is_positive(form_factor: TabulatedFormFactor) -> None:
    mass = jnp.linspace(0.005, 1.995, 120)[:, None, None]
    z = jnp.linspace(0.1, 0.9, 9)[None, :, None]
    pt_squared = jnp.linspace(0.0, 1.0, 6)[None, None, :]
    dirac, pauli = form_factor(mass)
    rate = gauge_invariant_rate(z, pt_squared, mass, dirac=dirac, pauli=pauli)
    assert float(jnp.min(rate)) > 0.0


def test_splitting_quadratic_form_is_positive() -> None:
    mass = jnp.linspace(0.01, 2.0, 40)[:, None, None]
    z = jnp.linspace(0.02, 0.98, 25)[None, :, None]
    pt_squared = jnp.linspace(0.0, 4.0, 21)[None, None, :]
    w1, w2, w12 = (
        function(z, pt_squared, mass)
        for function in (splitting_dirac, splitting_pauli, splitting_interference)
    )
    assert float(jnp.min(w1)) > 0.0
    assert float(jnp.min(4.0 * w1 * w2 - w12**2)) >= 0.0
