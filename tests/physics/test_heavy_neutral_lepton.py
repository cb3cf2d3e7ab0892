"""Production of a heavy neutral lepton, and the model of it."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from bsmfit.core.constants import (
    ELECTRON_MASS,
    HBAR_C,
    KAON_CHARGED_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.physics.flight import decay_within, lab_spectrum
from bsmfit.physics.heavy_neutral_lepton import (
    SAME_SIGN_PROCESSES,
    DisplacedVertex,
    HeavyNeutralLepton,
)
from bsmfit.physics.heavy_neutral_lepton_production import (
    LEPTONIC_DECAYS,
    mass_enhancement,
    unit_branching_ratio,
)
from bsmfit.physics.mediator import is_physical

SHARED = Path(__file__).parents[2].parent / "shared/reference/theory/hnl_rho.csv"
VERTEX = DisplacedVertex(3.0, 75.0)
MAJORANA = HeavyNeutralLepton(
    ("kaon-to-mu-n", "kaon-to-pi-minus-mu-mu"), "muon", True, VERTEX
)
DIRAC = HeavyNeutralLepton(("kaon-to-mu-n",), "muon", False, VERTEX)


def enhancement(mass, lepton_mass, parent_mass=KAON_CHARGED_MASS):
    return mass_enhancement(
        jnp.asarray(mass), parent_mass=parent_mass, lepton_mass=lepton_mass
    )


@pytest.mark.parametrize("process", LEPTONIC_DECAYS)
def test_a_massless_particle_is_a_neutrino(process):
    found = unit_branching_ratio(process, jnp.array(0.0))
    assert float(found) == pytest.approx(LEPTONIC_DECAYS[process].branching_ratio)


def test_the_enhancement_has_its_known_maxima():
    # 4.13 at 263 MeV in the literature; 1.383e5 at 285 MeV
    masses = jnp.linspace(0.2, 0.35, 1501)
    for lepton, at, largest in (
        (MUON_MASS, 0.263, 4.126),
        (ELECTRON_MASS, 0.285, 1.383e5),
    ):
        values = enhancement(masses, lepton)
        assert float(jnp.max(values)) == pytest.approx(largest, rel=5e-4)
        assert float(masses[jnp.argmax(values)]) == pytest.approx(at, abs=1e-3)


def test_without_the_mass_of_the_electron_the_helicity_factor_is_that_of_n():
    # Gamma ~ y (1 - y)^2 over x for x -> 0
    y = (0.3 / KAON_CHARGED_MASS) ** 2
    x = (1e-6 / KAON_CHARGED_MASS) ** 2
    found = enhancement(0.3, 1e-6)
    assert float(found) == pytest.approx(y * (1.0 - y) ** 2 / x, rel=1e-6)


def test_the_enhancement_and_its_slope_are_zero_where_closed_and_finite_elsewhere():
    end = KAON_CHARGED_MASS - MUON_MASS
    masses = end * jnp.array([1 - 1e-9, 1.0, 1 + 1e-9, 1.5])
    values, slopes = jax.vmap(jax.value_and_grad(lambda m: enhancement(m, MUON_MASS)))(
        masses
    )
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(slopes))
    assert float(values[0]) > 0.0
    assert not np.any(values[1:])
    assert not np.any(slopes[1:])


@pytest.mark.skipif(not SHARED.exists(), reason="the reference table is not shipped")
def test_the_enhancement_is_that_of_the_reference_table():
    table = np.loadtxt(SHARED, delimiter=",", skiprows=2)
    for column, lepton in ((1, ELECTRON_MASS), (2, MUON_MASS)):
        np.testing.assert_allclose(
            enhancement(table[:, 0], lepton), table[:, column], 1e-5
        )


def test_a_flight_is_an_average_over_directions():
    mass, width = 0.3, 1e-16
    spectrum = lab_spectrum(
        jnp.array(mass),
        parent_mass=KAON_CHARGED_MASS,
        recoil_mass=MUON_MASS,
        parent_momentum=75.0,
    )
    q = (
        0.5
        / KAON_CHARGED_MASS
        * np.sqrt(
            (KAON_CHARGED_MASS**2 - (mass + MUON_MASS) ** 2)
            * (KAON_CHARGED_MASS**2 - (mass - MUON_MASS) ** 2)
        )
    )
    gamma = np.hypot(1.0, 75.0 / KAON_CHARGED_MASS)
    for length in (3.0, 300.0):

        def decayed(cosine, length=length):
            beta = 75.0 / KAON_CHARGED_MASS / gamma
            momentum = gamma * (q * cosine + beta * np.hypot(q, mass))
            return 0.5 * -np.expm1(-length * mass * width / (momentum * HBAR_C))

        found = decay_within(
            length,
            mass=jnp.array(mass),
            decay_width=jnp.array(width),
            spectrum=spectrum,
        )
        expected = integrate.quad(decayed, -1.0, 1.0)[0]
        assert float(found) == pytest.approx(expected, rel=1e-9)


def test_a_majorana_particle_lives_half_as_long_and_changes_lepton_number():
    point = jnp.array(0.3), jnp.array(1e-7)
    one, two = DIRAC(*point), MAJORANA(*point)
    assert float(two.decay_width / one.decay_width) == pytest.approx(2.0)
    assert one.production["kaon-to-mu-n"] == two.production["kaon-to-mu-n"]
    assert set(one.production) == {"kaon-to-mu-n"}
    assert float(two.production["kaon-to-pi-minus-mu-mu"]) > 0.0
    shares = sum(float(share) for share in two.branching_ratios.values())
    assert shares == pytest.approx(1.0)
    assert bool(is_physical(one))
    assert bool(is_physical(two))


def test_the_same_sign_rate_is_quartic_in_the_mixing_and_knows_the_width_to_pions():
    """BR(K -> mu N) BR P -> BR(K -> mu N) Gamma(N -> pi- mu+) L m <1/p> / hbar c."""
    mass, mixing = jnp.array(0.3), jnp.array(1e-8)
    found = MAJORANA(mass, mixing).production["kaon-to-pi-minus-mu-mu"]
    twice = MAJORANA(mass, 2.0 * mixing).production["kaon-to-pi-minus-mu-mu"]
    assert float(twice / found) == pytest.approx(4.0, rel=1e-5)
    # one charge of a Dirac particle's width, 130.2 MeV and 0.97367 spelled out
    pion, muon = (PION_CHARGED_MASS / 0.3) ** 2, (MUON_MASS / 0.3) ** 2
    bracket = (1.0 - muon) ** 2 - pion * (1.0 + muon)
    root = np.sqrt((1.0 - pion - muon) ** 2 - 4.0 * pion * muon)
    width = 1e-8 * (1.1663788e-5 * 0.1302 * 0.97367) ** 2 * 0.027 / (16.0 * np.pi)
    spectrum = lab_spectrum(
        mass,
        parent_mass=KAON_CHARGED_MASS,
        recoil_mass=MUON_MASS,
        parent_momentum=75.0,
    )
    inverse = float(spectrum.weight @ (1.0 / spectrum.momentum))
    passes = 3.0 * 0.3 * width * bracket * root * inverse / HBAR_C
    made = 0.6356e-8 * float(enhancement(0.3, MUON_MASS))
    assert float(found) == pytest.approx(made * passes, rel=1e-4)


@pytest.mark.parametrize("flavour", SAME_SIGN_PROCESSES)
def test_it_is_smooth_in_the_mass_and_vanishes_with_the_mixing(flavour):
    processes = [p for p, d in LEPTONIC_DECAYS.items() if d.flavour == flavour]
    model = HeavyNeutralLepton(
        (*processes, SAME_SIGN_PROCESSES[flavour]), flavour, True, VERTEX
    )
    lepton = {"electron": ELECTRON_MASS, "muon": MUON_MASS}[flavour]
    ends = [
        KAON_CHARGED_MASS - lepton,
        PION_CHARGED_MASS - lepton,
        PION_CHARGED_MASS + lepton,
    ]
    masses = np.outer(ends, [1 - 1e-9, 1.0, 1 + 1e-9]).ravel()
    slope = jax.vmap(jax.jacfwd(model, (0, 1)), (0, None))
    for mixing in (1e-8, 0.0):
        slopes = jax.jit(slope)(jnp.array(masses), jnp.array(mixing))
        for leaf in jax.tree.leaves(slopes):
            assert np.all(np.isfinite(leaf))
    nothing = model(jnp.array(0.3), jnp.array(0.0))
    assert not any(float(value) for value in nothing.production.values())
