from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import qmc

from bsmfit.physics.bremsstrahlung import bremsstrahlung_rate, splitting_bb
from bsmfit.physics.meson_decay import MESON_DECAYS
from bsmfit.physics.production_spectrum import (
    MesonSpectrum,
    bremsstrahlung_points,
    decay_points,
    mixing_points,
)
from bsmfit.physics.vector_mixing import VECTOR_MIXINGS

POINTS = qmc.Sobol(4, rng=5).random(1024)
ONE_BIN = MesonSpectrum(
    momentum_edges=np.array([99.9, 100.1]),
    angle_edges=np.array([0.0, 1e-5]),
    counts=np.array([[50.0]]),
    n_event=100.0,
)


def rate(z, pt_squared, mass=0.3):
    return np.asarray(
        bremsstrahlung_rate(
            "proton-bremsstrahlung",
            jnp.asarray(z),
            jnp.asarray(pt_squared),
            jnp.asarray(mass),
        )
    )


def test_bremsstrahlung_points_integrate_the_rate():
    points = bremsstrahlung_points(
        rate,
        0.3,
        beam_momentum=400.0,
        fraction_range=(0.1, 0.9),
        transverse_momentum_max=1.0,
    )
    # quoted to four digits, by an independent quadrature
    assert points.weight.sum() == pytest.approx(6.058e-3, rel=3e-4)
    truth, _ = dblquad(
        lambda q, z: float(splitting_bb(*map(jnp.asarray, (z, q, 0.3)))) * z,
        *(0.1, 0.9, 0.0, 1.0),
        epsabs=1e-7,
        epsrel=1e-5,
    )
    with_ratio_removed = bremsstrahlung_points(
        lambda z, q: np.asarray(
            splitting_bb(jnp.asarray(z), jnp.asarray(q), jnp.asarray(0.3))
        ),
        0.3,
        beam_momentum=400.0,
        fraction_range=(0.1, 0.9),
        transverse_momentum_max=1.0,
    )
    energy = np.hypot(with_ratio_removed.momentum, 0.3)
    mean = (with_ratio_removed.weight * energy / 400.0).sum()
    assert mean == pytest.approx(truth, rel=1e-4)


def test_bremsstrahlung_angles_are_transverse_over_total_momentum():
    points = bremsstrahlung_points(
        rate,
        0.3,
        beam_momentum=400.0,
        fraction_range=(0.1, 0.9),
        transverse_momentum_max=1.0,
    )
    assert points.momentum.max() <= 360.0
    assert (points.momentum * np.sin(points.angle)).max() < 1.0


def test_meson_decay_is_flat_in_energy_and_normalised():
    """A two-body decay of fast mesons: energies between known ends, evenly."""
    decay = MESON_DECAYS["eta-decay"]
    points = decay_points(ONE_BIN, decay, 0.3, unit_points=POINTS)
    assert points.weight.sum() == pytest.approx(0.5)
    eta = decay.parent_mass
    gamma = np.hypot(100.0, eta) / eta
    k = (eta**2 - 0.3**2) / (2 * eta)
    star = np.hypot(k, 0.3)
    low, high = (gamma * star + s * 100.0 / eta * k for s in (-1, 1))
    energy = np.hypot(points.momentum, 0.3)
    assert low * 0.998 < energy.min() < energy.max() < high * 1.002
    mean = np.average(energy, weights=points.weight)
    assert mean == pytest.approx((low + high) / 2, rel=2e-3)
    square = np.average(energy**2, weights=points.weight)
    variance = square - mean**2
    assert variance == pytest.approx((high - low) ** 2 / 12, rel=0.01)


def test_closed_decay_is_finite():
    points = decay_points(ONE_BIN, MESON_DECAYS["pi0-decay"], 0.3, unit_points=POINTS)
    assert all(np.isfinite(values).all() for values in points)


def test_mixing_keeps_the_meson_at_its_own_mass():
    vector = VECTOR_MIXINGS["rho-mixing"]
    points = mixing_points(
        ONE_BIN, vector, vector.mass, beam_momentum=400.0, unit_points=POINTS
    )
    np.testing.assert_allclose(points.momentum, 100.0, rtol=2e-3)


def test_bins_outside_the_range_are_emptied():
    spectrum = MesonSpectrum(
        np.array([1.0, 10.0, 30.0]), np.array([0.0, 0.01, 0.1]), np.ones((2, 2)), 1.0
    )
    kept = spectrum.within(momentum_min=15.0, angle_max=0.01)
    np.testing.assert_array_equal(kept.counts, [[0, 0], [1, 0]])


def test_alignment_is_that_of_boosted_four_vectors():
    """In the rest frame of the particle, between the meson and the laboratory."""
    decay, mass = MESON_DECAYS["pi0-decay"], 0.08
    points = decay_points(ONE_BIN, decay, mass, unit_points=POINTS[:64])
    pion = decay.parent_mass
    energy = np.hypot(points.momentum, mass)
    gamma, beta = energy / mass, points.momentum / energy
    # meson momentum along and across the flight of the particle, from its invariants
    meson_energy = np.hypot(100.0, pion)
    star = (pion**2 + mass**2) / (2.0 * pion)
    along = (energy * meson_energy - star * pion) / points.momentum
    across = np.sqrt(np.maximum(100.0**2 - along**2, 0.0))
    boosted = gamma * (along - beta * meson_energy)
    cosine_squared = boosted**2 / (boosted**2 + across**2)
    np.testing.assert_allclose(points.alignment, 1.5 * cosine_squared - 0.5, atol=0.02)
    assert points.alignment.min() < 0.9


def test_bremsstrahlung_is_aligned_and_mixing_is_not():
    brems = bremsstrahlung_points(
        rate,
        0.3,
        beam_momentum=400.0,
        fraction_range=(0.1, 0.9),
        transverse_momentum_max=1.0,
    )
    np.testing.assert_array_equal(brems.alignment, 1.0)
    vector = VECTOR_MIXINGS["rho-mixing"]
    mixed = mixing_points(
        ONE_BIN, vector, 0.5, beam_momentum=400.0, unit_points=POINTS[:16]
    )
    assert mixed.alignment is None
