from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsmfit.core.constants import KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.detector.kaon_decays import pion_sample
from bsmfit.detector.missing_mass import linear_missing_mass_error, squared_missing_mass

MK, MP = KAON_CHARGED_MASS, PION_CHARGED_MASS
BEAM = 75.0


def momentum_at_rest(mass):
    return np.sqrt((MK**2 - (MP + mass) ** 2) * (MK**2 - (MP - mass) ** 2)) / (2 * MK)


def angle_of(mass, pion_momentum):
    """Angle at which a pion of this momentum leaves a 75 GeV kaon; nan if it cannot."""
    product = np.hypot(BEAM, MK) * np.hypot(pion_momentum, MP)
    cosine = (product - 0.5 * (MK**2 + MP**2 - mass**2)) / (BEAM * pion_momentum)
    return np.arccos(np.where(np.abs(cosine) <= 1.0, cosine, np.nan))


@settings(max_examples=40, deadline=None)
@given(
    mass=st.floats(0.0, 0.35), kaon=st.floats(1.0, 100.0), cosine=st.floats(-1.0, 1.0)
)
def test_exact_momenta_give_the_mass_of_x(mass, kaon, cosine):
    """The pion, boosted from the rest frame of the kaon by its Lorentz matrix."""
    rest = momentum_at_rest(mass)
    gamma, boost = np.hypot(kaon, MK) / MK, kaon / MK
    along = gamma * rest * cosine + boost * np.hypot(rest, MP)
    across = rest * np.sqrt(1.0 - cosine**2)
    found = squared_missing_mass(
        jnp.array(kaon),
        jnp.array(np.hypot(along, across)),
        angle=jnp.array(np.arctan2(across, along)),
    )
    # energies of 75 GeV leave 1e-16 * 75^2 of a squared mass
    assert float(found) == pytest.approx(mass**2, abs=1e-11 * max(1.0, kaon**2 / 100))


def test_pion_at_rest_in_the_kaon_frame_has_the_largest_missing_mass():
    """Equal velocities: the endpoint (m_K - m_pi)^2, and its gradient is zero."""
    at_end = jnp.array(BEAM * MP / MK)
    value, slopes = jax.value_and_grad(
        lambda p, a: squared_missing_mass(jnp.array(BEAM), p, angle=a), (0, 1)
    )(at_end, jnp.array(0.0))
    assert float(value) == pytest.approx((MK - MP) ** 2, abs=1e-10)
    assert np.abs(slopes).max() < 1e-10


def test_linear_error_is_that_of_finite_differences(tracking):
    """Of the exact formula; the linear one leaves out terms of m^2 / p^2."""
    momentum = np.linspace(16.0, 44.0, 8)
    angle = angle_of(0.1, momentum)
    kaon = np.full(8, BEAM)

    def mass_at(*shift):
        values = [
            jnp.asarray(v + s)
            for v, s in zip((kaon, momentum, angle), shift, strict=True)
        ]
        return np.asarray(squared_missing_mass(*values[:2], angle=values[2]))

    sizes = (
        0.002 * kaon,
        np.hypot(0.003, 5e-5 * momentum) * momentum,
        np.hypot(16e-6, (45 - 30 * (momentum - 10) / 40) * 1e-6),
    )
    total = np.zeros(8)
    for place, size in enumerate(sizes):
        step = [0.0, 0.0, 0.0]
        step[place] = 1e-3
        up, down = (mass_at(*(sign * s * size for s in step)) for sign in (1.0, -1.0))
        total += ((up - down) / 2e-3) ** 2
    found = linear_missing_mass_error(
        *map(jnp.asarray, (kaon, momentum)), angle=jnp.asarray(angle), errors=tracking
    )
    np.testing.assert_allclose(found, np.sqrt(total), rtol=1e-4)


@pytest.mark.parametrize(
    ("mass", "fastest", "expected"),
    [
        (0.0, 35.0, 1.22e-3),
        (0.03, 35.0, 1.21e-3),
        (0.10, 35.0, 1.16e-3),
        (0.17, 45.0, 1.02e-3),
        (0.21, 45.0, 0.92e-3),
        (0.25, 45.0, 0.79e-3),
    ],
)
def test_linear_error_averaged_over_the_momenta_of_the_regions(
    tracking, mass, fastest, expected
):
    """Mean over uniform pion momenta of 15 to 35 GeV below the pi0, 15 to 45 above.

    The numbers are from the same formula in an independent program, to three digits.
    """
    momentum = np.linspace(15.0, fastest, 2001)
    angle = angle_of(mass, momentum)
    momentum, angle = momentum[np.isfinite(angle)], angle[np.isfinite(angle)]
    error = linear_missing_mass_error(
        jnp.full(momentum.shape, BEAM),
        jnp.asarray(momentum),
        angle=jnp.asarray(angle),
        errors=tracking,
    )
    assert float(jnp.mean(error)) == pytest.approx(expected, abs=0.006e-3)


def test_linear_error_is_the_spread_of_simulated_decays(
    tracking, beam, spectrometer, points
):
    mass = 0.2
    decays = eqx.filter_jit(pion_sample)(
        jnp.array(mass),
        jnp.asarray(points),
        beam=beam,
        spectrometer=spectrometer,
        errors=tracking,
    )
    momentum = np.asarray(decays.pion_momentum)
    used = (np.asarray(decays.weight) > 0) & (momentum > 15.0) & (momentum < 45.0)
    residual = np.asarray(decays.missing_mass_squared)[used] - mass**2
    angle = angle_of(mass, momentum[used])
    angle = np.where(np.isfinite(angle), angle, 0.0)
    linear = linear_missing_mass_error(
        jnp.full(momentum[used].shape, BEAM),
        jnp.asarray(momentum[used]),
        angle=jnp.asarray(angle),
        errors=tracking,
    )
    expected = np.sqrt(np.mean(np.asarray(linear) ** 2))
    # 2000 decays: a standard deviation is known to 1.6 %
    assert residual.std() == pytest.approx(expected, rel=0.05)
    assert abs(residual.mean()) < 4.0 * expected / np.sqrt(used.sum())


def test_error_of_the_pion_angle_is_constant_beyond_its_two_momenta(tracking):
    found = tracking.angle_error(jnp.array([2.0, 10.0, 30.0, 50.0, 70.0]))
    pion = np.array([45.0, 45.0, 30.0, 15.0, 15.0]) * 1e-6
    np.testing.assert_allclose(found, np.hypot(pion, 16e-6))
