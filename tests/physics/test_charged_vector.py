"""Vectors with charges: the dark photon again, closed forms, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from bsmfit.catalogue.tables.physics_tables import load_hadronic_ratio
from bsmfit.core.constants import FINE_STRUCTURE, OMEGA_MASS, PION_NEUTRAL_MASS
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.charged_lepton_loop import loop_mixing_squared, vacuum_polarisation
from bsmfit.physics.charged_vector import (
    CHARGED_VECTOR_PROCESSES,
    ChargedVector,
    charged_vector_widths,
)
from bsmfit.physics.dark_photon import DarkPhoton
from bsmfit.physics.fermion_charges import CHARGED_FERMIONS, FERMIONS
from bsmfit.physics.vector_charges import VectorCharges

UNIT = math.sqrt(4.0 * math.pi * FINE_STRUCTURE)
NEUTRAL = dict.fromkeys(FERMIONS, 0.0)
ELECTRIC = NEUTRAL | CHARGED_FERMIONS
QUARKS = dict.fromkeys(("up", "down", "strange"), 1.0 / 3.0)
LEPTONS = {name: -1.0 for name in FERMIONS if name not in QUARKS}
B_MINUS_L = QUARKS | LEPTONS
MUON_TAU = NEUTRAL | {"muon": 1.0, "tau": -1.0}
MUON_TAU |= {"muon_neutrino": 1.0, "tau_neutrino": -1.0}


@pytest.fixture(scope="module")
def ratio():
    return load_hadronic_ratio()


def of_coupling(charges, **more):
    return VectorCharges.from_charges(charges, is_in_units_of_e=False, **more)


@pytest.fixture(scope="module")
def widths(ratio):
    """Widths at unit coupling; one program for all charges without loops."""

    @eqx.filter_jit
    def at(charges, mass):
        return charged_vector_widths(mass, charges.at(mass), hadronic_ratio=ratio)

    return lambda charges, mass: at(charges, jnp.asarray(mass))


@eqx.filter_jit
def compiled(function, mass, coupling):
    return function(mass, coupling)


@pytest.mark.parametrize("form_factor", ["none", "vmd"])
def test_electric_charges_make_a_dark_photon(ratio, form_factor):
    """Every width and every rate, to rounding."""
    electric = VectorCharges.from_charges(ELECTRIC, is_in_units_of_e=True)
    general = ChargedVector(electric, ratio, CHARGED_VECTOR_PROCESSES, form_factor)
    photon = DarkPhoton(CHARGED_VECTOR_PROCESSES, form_factor, ratio)
    masses = jnp.geomspace(1.1e-3, 2.0, 400)
    mixing = jnp.full_like(masses, 3e-6)

    @jax.jit
    def both(mass, coupling):
        return jax.vmap(general)(mass, coupling), jax.vmap(photon)(mass, coupling)

    one, other = both(masses, mixing)
    np.testing.assert_allclose(one.decay_width, other.decay_width, rtol=1e-12)
    for name, expected in other.branching_ratios.items():
        found = one.branching_ratios[name]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    for name, expected in other.production.items():
        np.testing.assert_allclose(one.production[name], expected, rtol=1e-12)
    assert not np.any(one.branching_ratios["invisible"])


def test_b_minus_l_in_closed_form(widths, ratio):
    """BR(nu nu) = 3/5, c tau g^2 and the traces of the production."""
    charges = of_coupling(B_MINUS_L)
    found = widths(charges, 0.1)
    total = float(sum(found.values()))
    assert float(found["invisible"]) / total == pytest.approx(0.6, rel=1e-6)
    assert 1.973269804e-16 / total == pytest.approx(2.976e-14, rel=1e-3)
    vector = ChargedVector(charges, ratio, CHARGED_VECTOR_PROCESSES)
    photon = DarkPhoton(CHARGED_VECTOR_PROCESSES, "none", ratio)
    at = jnp.array(0.11), jnp.array(1.0)
    made, of_photon = (compiled(f, *at).production for f in (vector, photon))
    factors = {
        "proton-bremsstrahlung": 1.0,
        "pi0-decay": 1.0,
        "eta-decay": 1.0 / 4.0,
        "eta-prime-decay": 1.0 / 49.0,
        "omega-decay": 0.0,
        "rho-decay": 0.0,
        "phi-decay": 1.0,
        "rho-mixing": 0.0,
        "omega-mixing": 4.0,
        "phi-mixing": 1.0,
    }
    for process, factor in factors.items():
        got = float(made[process] / of_photon[process]) * UNIT**2
        assert got == pytest.approx(factor, rel=1e-9, abs=1e-20), process


def test_traces_of_generators():
    """Charge factors of meson decays from 3 x 3 matrices, for random charges."""
    rng = np.random.default_rng(5)
    generators = {
        "pi0-decay": np.diag([1.0, -1.0, 0.0]) / 2.0,
        "eta-decay": np.diag([1.0, 1.0, -1.0]) / math.sqrt(6.0),
        "eta-prime-decay": np.diag([1.0, 1.0, 2.0]) / math.sqrt(12.0),
    }
    electric = np.diag([2.0, -1.0, -1.0]) / 3.0
    from bsmfit.physics.charged_vector import _decay_factor

    for _ in range(5):
        x = rng.normal(size=3)
        given = NEUTRAL | dict(zip(QUARKS, map(float, x), strict=True))
        at = VectorCharges.from_charges(given, is_in_units_of_e=True)
        charges = at.at(jnp.array(0.1))
        for process, generator in generators.items():
            expected = np.trace(generator @ electric @ np.diag(x))
            expected /= np.trace(generator @ electric @ electric)
            assert float(_decay_factor(process, charges)) == pytest.approx(expected)


@pytest.mark.parametrize("mass", [0.15, 0.2, 0.25, 0.35])
def test_a_baryonic_vector_decays_by_the_anomaly(widths, mass):
    r"""$\Gamma = \alpha_B\alpha m^3/(96\pi^3f_\pi^2)(1-m_\pi^2/m^2)^3|F_\omega|^2$.

    arXiv:1404.4370; f_pi = 92.2 MeV, below the threshold of three pions. The measured
    width of the omega into pi0 gamma, from which ours comes, is 12 % above the anomaly.
    """
    found = widths(of_coupling(NEUTRAL | QUARKS), mass)
    pole = 1.0 / (1.0 - (mass / OMEGA_MASS) ** 2)
    expected = FINE_STRUCTURE / (4.0 * math.pi) * mass**3 / (96.0 * math.pi**3)
    expected *= (1.0 - (PION_NEUTRAL_MASS / mass) ** 2) ** 3 * pole**2 / 0.0922**2
    assert float(found["other-hadrons"]) == pytest.approx(expected, rel=0.15)


def test_a_baryonic_vector_has_no_rho(widths):
    """Four pions are isovector; two pions come from the omega alone."""
    found = widths(of_coupling(NEUTRAL | QUARKS), 1.3)
    photon = widths(VectorCharges.from_charges(ELECTRIC, is_in_units_of_e=True), 1.3)
    assert float(found["pi+pi-2pi0"]) == 0.0
    assert float(found["pi+pi-"]) < 1e-3 * float(photon["pi+pi-"]) / UNIT**2


@pytest.mark.parametrize("t", [1e-6, 0.0999, 0.1001, 3.9, 4.1, 50.0, 3e6])
def test_the_loop_is_its_integral(t):
    def integrand(x):
        return x * (1 - x) * mpmath.log(1 - x * (1 - x) * t - 1e-30j)

    ends = [0, 0.5, 1]
    if t > 4.0:
        beta = mpmath.sqrt(1 - 4 / mpmath.mpf(t))
        ends = [0, (1 - beta) / 2, 0.5, (1 + beta) / 2, 1]
    expected: Any = mpmath.quad(integrand, ends)
    real, imaginary = vacuum_polarisation(jnp.array(t))
    assert float(real) == pytest.approx(float(expected.real), rel=1e-9)
    assert float(imaginary) == pytest.approx(float(expected.imag), abs=1e-9)


def test_loop_mixing_at_zero_and_far_above():
    r"""$e\ln(m_\tau^2/m_\mu^2)/12\pi^2 = 1/69.3$, and none where both are light."""
    charges = (0.0, 1.0 / UNIT, -1.0 / UNIT)
    at_rest = float(loop_mixing_squared(jnp.array(0.0), charges)) ** -0.5
    assert at_rest == pytest.approx(69.3, abs=0.1)
    far = float(loop_mixing_squared(jnp.array(1e4), charges)) ** 0.5
    assert far < 1e-6


def test_leptonic_vectors_are_made_by_mixing_alone(ratio):
    charges = of_coupling(MUON_TAU, has_loop_mixing=True)
    vector = ChargedVector(charges, ratio, CHARGED_VECTOR_PROCESSES, "vmd")
    photon = DarkPhoton(CHARGED_VECTOR_PROCESSES, "vmd", ratio)
    at = jnp.array(0.12), jnp.array(1.0)
    made, of_photon = (compiled(f, *at).production for f in (vector, photon))
    leptons = tuple(charges.tree[name] for name in ("electron", "muon", "tau"))
    mixing = float(loop_mixing_squared(at[0], leptons))
    for process, strength in made.items():
        assert float(strength) == pytest.approx(mixing * float(of_photon[process]))
    assert mixing == pytest.approx(69.3**-2, rel=0.5)


@pytest.mark.slow
def test_widths_are_finite_with_gradients_everywhere(ratio):
    """Across all thresholds, those of the loops too."""
    masses = jnp.concatenate(
        [jnp.geomspace(1e-3, 2.0, 300), 2.0 * jnp.array([0.10565837, 0.13957039])]
    )
    charges = of_coupling(MUON_TAU, has_loop_mixing=True)
    vector = ChargedVector(charges, ratio, CHARGED_VECTOR_PROCESSES, "vmd")
    slopes = jax.jit(jax.vmap(jax.jacfwd(vector), (0, None)))
    found = slopes(masses, jnp.array(1e-5))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize(
    ("charges", "more", "words"),
    [
        (NEUTRAL, {}, "all 0"),
        ({"up": 1.0}, {}, "lack down"),
        (NEUTRAL | {"charm": 1.0}, {}, "charm"),
        (NEUTRAL | {"muon": 1.0}, {"has_loop_mixing": True}, "add up to 0"),
        (MUON_TAU | {"up": 1.0}, {"has_loop_mixing": True}, "up has a charge"),
        (NEUTRAL | {"up": 1.0}, {"has_loop_mixing": True}, "up has a charge"),
    ],
)
def test_charges_that_make_no_vector_are_refused(charges, more, words):
    with pytest.raises(InputError, match=words):
        of_coupling(charges, **more)


def test_unknown_processes_and_form_factors_are_refused(ratio):
    charges = of_coupling(B_MINUS_L)
    with pytest.raises(UnknownNameError, match="gauge-invariant"):
        ChargedVector(charges, ratio, ("proton-bremsstrahlung-gauge-invariant",))
    with pytest.raises(UnknownNameError, match="form factor"):
        ChargedVector(charges, ratio, ("pi0-decay",), "ua")
