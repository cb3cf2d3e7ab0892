"""The simulated table of a search against a Monte Carlo in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from bsmfit.core.constants import (
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)

MK, MP = KAON_CHARGED_MASS, PION_CHARGED_MASS
N_DECAY = 300_000
REGIONS = ((0.0, 0.01), (0.026, 0.068))
CHAMBERS = ((183.5, 0.10), (194.0, 0.11), (204.5, 0.09), (218.9, 0.05))
BEAM_SLOPE = (0.11 - 0.10) / (194.0 - 183.5)


class Decays:
    """Random decays with the pion's path through the detector, written out."""

    def __init__(self, mass, rng):
        n = np.size(mass)
        kaon = 75.0 * (1.0 + 0.01 * rng.standard_normal(n))
        length = kaon / MK * KAON_CHARGED_LIFETIME * 299792458.0
        self.weight = 1.0 - np.exp(-60.0 / length)
        z = 105.0 - length * np.log(1.0 - rng.random(n) * self.weight)
        rest = np.sqrt((MK**2 - (MP + mass) ** 2) * (MK**2 - (MP - mass) ** 2))
        rest /= 2.0 * MK
        cosine, azimuth = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
        energy, gamma = np.hypot(rest, MP), np.hypot(kaon, MK) / MK
        along = gamma * rest * cosine + kaon / MK * energy
        across = rest * np.sqrt(1.0 - cosine**2)
        self.momentum = np.hypot(along, across)
        slope_x = BEAM_SLOPE + across * np.cos(azimuth) / along
        slope_y = across * np.sin(azimuth) / along
        x0 = BEAM_SLOPE * (z - 183.5) + 0.10
        is_good = self.momentum > 10.0
        for plane, hole in CHAMBERS:
            x, y = self.at(plane, x0, z, slope_x, slope_y)
            is_good &= np.hypot(x - hole, y) > 0.1
            is_good &= np.hypot(x, y) < 1.0
        x, y = self.at(246.85, x0, z, slope_x, slope_y)
        is_good &= (np.hypot(x, y) > 0.11) & (np.abs(x) < 1.32) & (np.abs(y) < 1.32)
        self.weight *= is_good
        normal = rng.standard_normal((3, n))
        self.measured = self.momentum * (
            1.0 + np.hypot(0.003, 5e-5 * self.momentum) * normal[0]
        )
        pion_angle = np.interp(self.momentum, [10.0, 50.0], [45e-6, 15e-6])
        angle = np.arctan2(across, along) + np.hypot(pion_angle, 16e-6) * normal[1]
        kaon = kaon * (1.0 + 0.002 * normal[2])
        product = np.hypot(kaon, MK) * np.hypot(self.measured, MP)
        product -= kaon * self.measured * np.cos(angle)
        self.squared_mass = MK**2 + MP**2 - 2.0 * product

    def at(self, plane, x0, z, slope_x, slope_y):
        """Straight to the magnet at 197 m, then bent to negative x by 0.27 GeV."""
        bend = np.clip(plane - 197.0, 0.0, None) * 0.27 / self.momentum
        return x0 + slope_x * (plane - z) - bend, slope_y * (plane - z)

    def accepted(self, fastest):
        """Mean weight in each region, and its statistical error."""
        values = []
        for (low, high), limit in zip(REGIONS, (35.0, fastest), strict=True):
            here = (self.squared_mass > low) & (self.squared_mass < high)
            here &= (self.measured > 15.0) & (self.measured < limit)
            values.append(self.weight * here)
        each = np.array(values)
        return each.mean(axis=1), each.sum(axis=0).std() / np.sqrt(each.shape[1])


@pytest.fixture(scope="module")
def neutrinos(neutrino_density):
    """Decays with squared masses of the pair drawn from the density."""
    rng = np.random.default_rng(11)
    edges = np.linspace(0.0, (MK - MP) ** 2, 4001)
    cumulative = np.concatenate(
        [[0.0], np.cumsum(neutrino_density(0.5 * (edges[1:] + edges[:-1])))]
    )
    squared = np.interp(rng.random(N_DECAY), cumulative / cumulative[-1], edges)
    return Decays(np.sqrt(squared), rng)


def test_acceptance_of_neutrinos_is_that_of_the_monte_carlo(table, neutrinos):
    for found, fastest in zip(table.neutrino_acceptance, (35.0, 45.0), strict=True):
        regions, error = neutrinos.accepted(fastest)
        # 2^12 points and 24 nodes of q^2: 1 % beside the error of the Monte Carlo
        tolerance = 4.0 * np.hypot(error, 0.01 * regions.sum())
        assert found == pytest.approx(regions.sum(), abs=tolerance)


def test_share_of_the_first_region(table, neutrinos):
    shares = [neutrinos.accepted(fastest)[0] for fastest in (35.0, 45.0)]
    first = [share[0] / share.sum() for share in shares]
    expected = 0.3 * first[0] + 0.7 * first[1]
    assert table.first_region_share == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("index", [3, 9, 19], ids=["64 MeV", "172 MeV", "200 MeV"])
def test_acceptance_ratio_is_that_of_the_monte_carlo(table, neutrinos, index):
    decays = Decays(np.full(N_DECAY, table.masses[index]), np.random.default_rng(index))
    ratio, variance = 0.0, 0.0
    for fraction, fastest in ((0.3, 35.0), (0.7, 45.0)):
        above, above_error = decays.accepted(fastest)
        below, below_error = neutrinos.accepted(fastest)
        part = fraction * above.sum() / below.sum()
        ratio += part
        variance += (part * above_error / above.sum()) ** 2
        variance += (part * below_error / below.sum()) ** 2
    error = np.sqrt(variance + table.acceptance_error[index] ** 2)
    assert error < 0.03 * ratio
    assert table.acceptance_ratio[index] == pytest.approx(ratio, abs=4.0 * error)


@pytest.mark.parametrize("index", [14, 19], ids=["257 MeV", "200 MeV"])
def test_resolution_is_the_spread_of_the_monte_carlo(table, index):
    mass = table.masses[index]
    decays = Decays(np.full(N_DECAY, mass), np.random.default_rng(40 + index))
    used = (decays.weight > 0) & (decays.measured > 15.0) & (decays.measured < 45.0)
    spread = np.sqrt(np.mean((decays.squared_mass[used] - mass**2) ** 2))
    assert table.resolution[index] == pytest.approx(spread, rel=0.04)


def test_escape_is_that_of_the_selected_decays(table, search):
    """Momenta of X lie between 75 - 45 and 75 - 15 GeV: bounds on every exponent."""
    rate = np.exp(table.log_rates)
    minus_log = np.exp(table.escape[19, :, 0])
    slope = np.exp(table.escape[19, :, 1])
    assert np.all(minus_log > rate * (252.0 - 165.0) / 61.5)
    assert np.all(minus_log < rate * (252.0 - 105.0) / 28.5)
    assert np.all((slope > rate / 61.5) & (slope < rate / 28.5))
    assert np.all(np.diff(minus_log) > 0)


def test_density_of_neutrinos_sums_to_one_event(table):
    """Gauss sums over both regions; what is lost at negative squared masses is known.

    Without smearing the sum would be the selected share; at the other edges as much
    enters as leaves, but for the slope of the density.
    """
    total = 0.0
    for (low, high), nodes in zip(REGIONS, (slice(0, 8), slice(8, 16)), strict=True):
        weight = np.polynomial.legendre.leggauss(8)[1]
        total += 0.5 * (high - low) * weight @ table.neutrino_density[nodes]
    at_zero = table.neutrino_density[0] * table.resolution[0] / np.sqrt(2.0 * np.pi)
    assert total - at_zero == pytest.approx(1.0, abs=0.015)


def test_masses_outside_the_windows_have_no_acceptance(table):
    assert np.all(table.acceptance_ratio[:16] > 0.0)
    outside = table.masses == 0.133
    assert table.acceptance_ratio[outside] == 0.0
    assert table.neutrino_density[outside] == 0.0
    assert np.isfinite(table.escape).all()
    assert np.all(table.resolution > 0.0)
