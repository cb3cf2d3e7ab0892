"""Omega and phi: peaks, areas, interference, thresholds."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.core.constants import FINE_STRUCTURE
from bsmfit.physics.narrow_resonances import (
    OMEGA,
    PHI,
    NarrowResonances,
    VectorMeson,
)
from bsmfit.physics.three_pion_phase_space import (
    THREE_PION_THRESHOLD,
    three_pion_phase_space,
)


@pytest.fixture(scope="module")
def both() -> NarrowResonances:
    return NarrowResonances.from_mesons()


def _alone(meson: VectorMeson) -> NarrowResonances:
    return NarrowResonances.from_mesons((meson,))


@pytest.mark.parametrize("meson", [OMEGA, PHI])
def test_peak_is_the_product_of_branching_ratios(meson: VectorMeson) -> None:
    ratios = _alone(meson)(jnp.array(meson.mass))
    fractions = dict(meson.branching_ratios)
    for name in set(fractions) - {"pion_pair"}:
        expected = 9 * meson.electron_branching_ratio * fractions[name]
        np.testing.assert_allclose(
            float(ratios[name]), expected / FINE_STRUCTURE**2, rtol=1e-9
        )


def test_peak_of_the_omega_survives_the_interference(both: NarrowResonances) -> None:
    peak = float(both(jnp.array(OMEGA.mass))["three_pion"])
    assert peak == pytest.approx(9 * 7.38e-5 * 0.892 / FINE_STRUCTURE**2, rel=0.03)


@pytest.mark.parametrize("meson", [OMEGA, PHI])
def test_area_of_a_resonance_is_its_electron_width(meson: VectorMeson) -> None:
    # Narrow width: the integral of R over the mass is 9 pi Gamma_ee B_f / (2 alpha^2),
    # less a fraction 1 / (10 pi) outside five widths on either side.
    mass = jnp.linspace(-5, 5, 2001) * meson.width + meson.mass
    ratio = jax.vmap(_alone(meson))(mass)["three_pion"]
    area = np.trapezoid(np.asarray(ratio), np.asarray(mass))
    electron = meson.electron_branching_ratio * meson.width
    fraction = dict(meson.branching_ratios)["three_pion"]
    expected = 4.5 * np.pi * electron * fraction / FINE_STRUCTURE**2
    window = 2 / np.pi * np.arctan(10.0)
    assert area == pytest.approx(expected * window, rel=0.05)


@pytest.mark.parametrize("meson", [OMEGA, PHI])
def test_width_at_the_pole_is_the_measured_one(
    both: NarrowResonances, meson: VectorMeson
) -> None:
    widths = both.total_widths(jnp.array(meson.mass))
    width = widths[both.mesons.index(meson)]
    np.testing.assert_allclose(float(width), meson.width, rtol=1e-12)


def test_omega_and_phi_interfere_destructively_above_the_phi(
    both: NarrowResonances,
) -> None:
    # The measured cross section has its minimum near 1.05 GeV; it would have none with
    # the opposite sign.
    mass = jnp.linspace(1.03, 1.3, 271)
    ratio = np.asarray(jax.vmap(both)(mass)["three_pion"])
    minimum = float(mass[int(np.argmin(ratio))])
    assert 1.03 < minimum < 1.08
    same_sign = NarrowResonances.from_mesons(
        (OMEGA, dataclasses.replace(PHI, sign=1.0))
    )
    assert np.all(np.diff(np.asarray(jax.vmap(same_sign)(mass)["three_pion"])) < 0.0)


def test_interference_is_constructive_between_the_resonances(
    both: NarrowResonances,
) -> None:
    mass = jnp.array(0.9)
    single = [float(_alone(meson)(mass)["three_pion"]) for meson in (OMEGA, PHI)]
    assert float(both(mass)["three_pion"]) > sum(single)


@pytest.mark.parametrize(
    ("final_state", "threshold", "power"),
    [
        ("charged_kaon_pair", 2 * 0.493677, 1.5),
        ("neutral_kaon_pair", 2 * 0.497611, 1.5),
        ("pion_pair", 2 * 0.13957039, 1.5),
        ("neutral_pion_photon", 0.1349768, 3.0),
        ("eta_photon", 0.547862, 3.0),
        ("three_pion", THREE_PION_THRESHOLD, 4.0),
    ],
)
def test_phase_space_has_its_power_of_the_energy_release(
    both: NarrowResonances, final_state: str, threshold: float, power: float
) -> None:
    near, far = (
        float(both.phase_space(jnp.array(threshold * (1 + x)), final_state))
        for x in (1e-5, 2e-5)
    )
    assert far / near == pytest.approx(2.0**power, rel=1e-3)
    above = jnp.nextafter(jnp.array(threshold), jnp.array(3.0))
    points = jnp.array([0.5 * threshold, threshold, float(above)])
    function = jax.value_and_grad(lambda mass: both.phase_space(mass, final_state))
    values, gradients = jax.jit(jax.vmap(function))(points)
    assert np.all(np.asarray(values)[:2] == 0.0)
    assert np.all(np.asarray(gradients)[:2] == 0.0)
    assert np.isfinite(float(gradients[2]))


def test_interpolated_three_pion_phase_space_matches_the_integral(
    both: NarrowResonances,
) -> None:
    mass = np.linspace(0.4142, 2.0, 41)
    value = jax.vmap(lambda m: both.phase_space(m, "three_pion"))(jnp.asarray(mass))
    np.testing.assert_allclose(
        np.asarray(value), three_pion_phase_space(mass, n_node=160), rtol=5e-4
    )


def test_gradient_agrees_with_finite_differences(both: NarrowResonances) -> None:
    def total(mass: jax.Array) -> jax.Array:
        return sum(both(mass).values(), start=jnp.zeros_like(mass))

    check_grads(
        jax.jit(jax.vmap(total)),
        (jnp.array([0.2, 0.43, 0.6, 0.78, 0.95, 1.02, 1.5]),),
        order=1,
        modes=("fwd", "rev"),
        rtol=1e-4,
        eps=1e-7,
    )
