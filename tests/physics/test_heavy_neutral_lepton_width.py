"""Widths of a heavy neutral lepton against traces, integrals and the muon."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from bsmfit.core.constants import (
    ELECTRON_MASS,
    FERMI_CONSTANT,
    HBAR,
    MUON_MASS,
    PION_CHARGED_LIFETIME,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.physics import heavy_neutral_lepton_width as widths

MASSLESS = 1e-9
COUPLING = FERMI_CONSTANT * 0.1302 * 0.97367


def gamma_matrices():
    pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    time = np.diag([1, 1, -1, -1]).astype(complex)
    zero = np.zeros((2, 2))
    space = [np.block([[zero, s], [-s, zero]]) for s in pauli]
    return [time, *space]


def slash(momentum):
    signs = (1, -1, -1, -1)
    matrices = zip(signs, momentum, gamma_matrices(), strict=True)
    return sum(sign * p * matrix for sign, p, matrix in matrices)


def squared_amplitude(pion, lepton, neutral, *, lepton_mass, mass):
    """Spin sum of (G f V / sqrt 2) lbar pslash (1 - gamma5) N, by numeric traces."""
    time, *space = gamma_matrices()
    gamma5 = 1j * functools.reduce(np.matmul, [time, *space])
    one = np.eye(4)
    vertex = slash(pion) @ (one - gamma5)
    barred = time @ vertex.conj().T @ time
    spins = slash(lepton) + lepton_mass * one, slash(neutral) + mass * one
    trace = np.trace(spins[0] @ vertex @ spins[1] @ barred)
    return 0.5 * COUPLING**2 * trace.real


def two_body(parent, first, second):
    """Four-momenta at rest and the momentum of the daughters."""
    q = np.sqrt(
        (parent**2 - (first + second) ** 2) * (parent**2 - (first - second) ** 2)
    ) / (2.0 * parent)
    ahead = np.array([np.hypot(q, first), 0.0, 0.0, q])
    back = np.array([np.hypot(q, second), 0.0, 0.0, -q])
    return np.array([parent, 0.0, 0.0, 0.0]), ahead, back, q


@pytest.mark.parametrize("lepton_mass", [ELECTRON_MASS, MUON_MASS])
@pytest.mark.parametrize("mass", [0.26, 0.4])
def test_width_to_a_charged_pion_is_the_trace_over_spins(mass, lepton_mass):
    rest, pion, lepton, q = two_body(mass, PION_CHARGED_MASS, lepton_mass)
    total = squared_amplitude(pion, lepton, rest, lepton_mass=lepton_mass, mass=mass)
    expected = 0.5 * total * q / (8.0 * np.pi * mass**2)
    found = widths.charged_pion_width(jnp.array(mass), lepton_mass=lepton_mass)
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_the_same_amplitude_gives_the_lifetime_of_the_pion():
    rest, lepton, neutral, q = two_body(PION_CHARGED_MASS, MUON_MASS, 0.0)
    # both spins are those of final particles; the neutrino of the pion is massless
    total = squared_amplitude(rest, lepton, neutral, lepton_mass=-MUON_MASS, mass=0.0)
    width = total * q / (8.0 * np.pi * PION_CHARGED_MASS**2)
    # radiative corrections of 1.8 %; a decay constant of lattices, not of this decay
    assert HBAR / width == pytest.approx(PION_CHARGED_LIFETIME, rel=0.03)


def test_width_to_a_neutral_pion_is_half_that_to_a_charged_one_without_masses():
    mass = jnp.array(1e3)
    charged = widths.charged_pion_width(mass, lepton_mass=ELECTRON_MASS) / 0.97367**2
    neutral = widths.neutral_pion_width(mass)
    assert float(neutral / charged) == pytest.approx(0.5, rel=1e-6)


def test_charged_current_is_that_of_the_muon():
    found = widths.charged_current_width(
        jnp.array(MUON_MASS), masses=(ELECTRON_MASS, MASSLESS)
    )
    x = (ELECTRON_MASS / MUON_MASS) ** 2
    shape = 1.0 - 8.0 * x + 8.0 * x**3 - x**4 - 12.0 * x**2 * np.log(x)
    expected = FERMI_CONSTANT**2 * MUON_MASS**5 * shape / (192.0 * np.pi**3)
    assert float(found) == pytest.approx(expected, rel=1e-9)
    # radiative corrections lengthen the lifetime by 0.4 %
    assert HBAR / float(found) == pytest.approx(2.1969811e-6, rel=0.005)


def charged_current_integral(mass, first, second):
    """Over s = (l1 + nu)^2, of 64 G^2 (N l2)(l1 nu) and flat three-body phase space."""

    def density(s):
        one = s - first**2
        two = (mass**2 - (np.sqrt(s) + second) ** 2) * (
            mass**2 - (np.sqrt(s) - second) ** 2
        )
        span = one * np.sqrt(max(two, 0.0)) / s
        matrix = 64.0 * FERMI_CONSTANT**2 * 0.25 * (mass**2 + second**2 - s) * one
        return matrix * span

    ends = (first**2, (mass - second) ** 2)
    return integrate.quad(density, *ends, epsrel=1e-11)[0] / (
        256.0 * np.pi**3 * mass**3
    )


@pytest.mark.parametrize("mass", [0.107, 0.2, 0.49])
def test_charged_current_is_a_phase_space_integral(mass):
    expected = charged_current_integral(mass, MUON_MASS, ELECTRON_MASS)
    for masses in itertools.permutations((MUON_MASS, ELECTRON_MASS)):
        found = widths.charged_current_width(jnp.array(mass), masses=masses)
        assert float(found) == pytest.approx(expected, rel=1e-7)


def lepton_pair_integral(mass, lepton, left, right):
    """Over s = (l+ + l-)^2 and the angle of l-, of the crossed nu e amplitude."""

    def density(cosine, s):
        velocity = np.sqrt(1.0 - 4.0 * lepton**2 / s)
        # frame of the pair: N = nu + pair, the neutrino along z
        neutrino = (mass**2 - s) / (2.0 * np.sqrt(s))
        half = 0.5 * np.sqrt(s)
        ahead = half * neutrino * (1.0 - velocity * cosine)  # k . l-
        back = half * neutrino * (1.0 + velocity * cosine)  # k . l+
        pair = 0.5 * s  # q . l
        same = left**2 * (back + pair) * ahead + right**2 * (ahead + pair) * back
        mixed = left * right * lepton**2 * 0.5 * (mass**2 - s)
        matrix = 64.0 * FERMI_CONSTANT**2 * (same + mixed)
        return matrix * velocity * (mass**2 - s)

    ends = (4.0 * lepton**2, mass**2)
    total = integrate.dblquad(density, *ends, -1.0, 1.0, epsrel=1e-9)[0]
    return total / (2.0 * 256.0 * np.pi**3 * mass**3)


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("mass", [0.22, 0.45])
def test_width_to_a_lepton_pair_is_a_phase_space_integral(mass, is_own):
    weak = 0.23122
    expected = lepton_pair_integral(mass, MUON_MASS, weak + is_own - 0.5, weak)
    found = widths.lepton_pair_width(
        jnp.array(mass), lepton_mass=MUON_MASS, is_own_flavour=is_own
    )
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_neutrinos_are_lepton_pairs_without_charge():
    """g_L = 1/2, g_R = 0 for two flavours; twice that rate with identical neutrinos."""
    mass = 0.3
    one = lepton_pair_integral(mass, 0.0, 0.5, 0.0)
    found = widths.three_neutrino_width(jnp.array(mass))
    assert float(found) == pytest.approx((2.0 + 1.0 + 1.0) * one, rel=1e-8)


@pytest.mark.parametrize("flavour", ["electron", "muon"])
def test_widths_are_zero_below_and_finite_with_their_slopes_everywhere(flavour):
    lepton = {"electron": ELECTRON_MASS, "muon": MUON_MASS}[flavour]
    thresholds = {
        "pi_e" if flavour == "electron" else "pi_mu": PION_CHARGED_MASS + lepton,
        "nu_pi0": PION_NEUTRAL_MASS,
        "nu_ee": 2 * ELECTRON_MASS,
        "nu_mumu": 2 * MUON_MASS,
        "nu_e_mu": MUON_MASS + ELECTRON_MASS,
    }
    masses = np.outer([*thresholds.values()], [1 - 1e-9, 1.0, 1 + 1e-9, 1.2])

    def both(mass):
        call = functools.partial(widths.unit_widths, flavour=flavour)
        return jax.jvp(call, (mass,), (jnp.ones_like(mass),))

    values, slopes = jax.jit(jax.vmap(jax.vmap(both)))(jnp.array(masses))
    for row, state in enumerate(thresholds):
        assert np.all(values[state][row, :2] == 0.0)
        assert np.all(slopes[state][row, :2] == 0.0)
        assert float(values[state][row, 3]) > 0.0
    for leaf in jax.tree.leaves((values, slopes)):
        assert np.all(np.isfinite(leaf))
    for state in values:
        assert np.all(values[state] >= 0.0)
