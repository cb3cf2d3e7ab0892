from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import qmc

from bsmfit.core.constants import BEAUTY_CHARGED_MASS, KAON_CHARGED_MASS
from bsmfit.physics.beauty_production import (
    PAIRS_PER_PROTON,
    beauty_decay_points,
    parent_spectrum,
)
from bsmfit.physics.production_spectrum import MesonSpectrum

MASS, MOMENTUM = 0.5, 100.0
POINTS = qmc.Sobol(4, rng=5).random(4096)
ONE_BIN = MesonSpectrum(
    momentum_edges=np.array([99.9, 100.1]),
    angle_edges=np.array([0.0, 1e-6]),
    counts=np.array([[50.0]]),
    n_event=100.0,
)


def points(momentum_min: float = 0.0, angle_max: float = np.inf):
    return beauty_decay_points(
        ONE_BIN,
        KAON_CHARGED_MASS,
        MASS,
        unit_points=POINTS,
        momentum_min=momentum_min,
        angle_max=angle_max,
    )


def boosted(cos_theta: float) -> tuple[float, float]:
    """Momentum and angle of the scalar, from one decay angle."""
    b, k = BEAUTY_CHARGED_MASS, KAON_CHARGED_MASS
    energy_star = (b**2 + MASS**2 - k**2) / (2 * b)
    q = np.sqrt(energy_star**2 - MASS**2)
    gamma, boost = np.hypot(MOMENTUM, b) / b, MOMENTUM / b
    along = gamma * q * cos_theta + boost * energy_star
    across = q * np.sqrt(1 - cos_theta**2)
    return float(np.hypot(along, across)), float(np.arctan2(across, along))


def test_norm_and_kinematic_limits():
    found = points()
    assert found.weight.sum() == pytest.approx(0.5)
    low, high = boosted(-1.0)[0], boosted(1.0)[0]
    assert low * 0.99 < found.momentum.min() < found.momentum.max() < high * 1.002


def test_share_in_a_cone_is_the_integral_over_decay_angles():
    reach = 9e-3
    kept = points(momentum_min=20.0, angle_max=reach).weight.sum() / 0.5

    def inside(cos_theta: float) -> float:
        momentum, angle = boosted(cos_theta)
        return 0.5 * float(momentum > 20.0 and angle < reach)

    edges = np.linspace(-1, 1, 20001)
    is_in = np.array([inside(c) > 0 for c in edges])
    (last,) = np.flatnonzero(np.diff(is_in))[-1:]
    truth, _ = quad(inside, edges[last] - 1e-4, 1.0, limit=200, points=[edges[last]])
    assert kept == pytest.approx(truth, rel=0.02)


def test_neutral_mesons_count_with_the_ratio_of_lifetimes():
    both = parent_spectrum({"b-charged": ONE_BIN, "b-neutral": ONE_BIN})
    per_proton = both.counts.sum() / both.n_event
    expected = 0.5 * PAIRS_PER_PROTON * (1.0 + 1.517 / 1.638)
    assert per_proton == pytest.approx(expected, rel=1e-12)


def test_pairs_per_proton():
    # A sigma_bb / sigma_inel in copper; a third convention, A^(1/3) sigma_bb / sigma_pp
    assert pytest.approx(2.17e-7, rel=2e-3) == PAIRS_PER_PROTON
    assert pytest.approx(63.546 ** (1 / 3) * 2.63e-6 / 39.85, rel=0.25) == (
        PAIRS_PER_PROTON
    )
