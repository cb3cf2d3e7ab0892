from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.physics_tables import load_alp_widths
from bsmfit.core.constants import ELECTRON_MASS, HBAR_C, HIGGS_VEV, MUON_MASS
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_running import LOW_COUPLINGS
from bsmfit.physics.alp_widths import (
    ALP_FINAL_STATES,
    AlpWidths,
    alp_leptonic_width,
)

GLUON_UNIT = (16.0 * math.pi**2 / 1e3) ** 2
"""Square of c_GG/f [1/GeV^2] at which the digitised widths are given."""


@pytest.fixture(scope="module")
def widths() -> AlpWidths:
    return load_alp_widths()


@pytest.fixture(scope="module")
def by_state(widths):
    return jax.jit(lambda mass, couplings: widths.by_final_state(mass, couplings))


def only(**couplings: float) -> LowEnergyCouplings:
    return LowEnergyCouplings(
        jnp.asarray([couplings.get(name, 0.0) for name in LOW_COUPLINGS])
    )


@pytest.mark.parametrize(
    ("mass", "width"), [(0.25, 9.79e-18), (0.3, 1.56e-17), (0.5, 3.32e-17)]
)
def test_width_into_muons(mass, width):
    """Computed elsewhere for g_Y = 1e-4."""
    found = alp_leptonic_width(jnp.array(mass), lepton_mass=MUON_MASS)
    assert float(found) * (1e-4 / HIGGS_VEV) ** 2 == pytest.approx(width, rel=0.005)
    closed = alp_leptonic_width(jnp.array(0.01), lepton_mass=ELECTRON_MASS)
    assert float(closed) * (1e-4 / HIGGS_VEV) ** 2 == pytest.approx(1.70e-23, rel=0.005)


def test_gluon_widths_are_those_of_the_figure(by_state):
    """arXiv:1811.03474 as digitised; eV at c_GG/(16 pi^2 f) = 1/TeV."""
    for mass, state, width in (
        (0.07982, "gammagamma", 1.466e-3),
        (0.18216, "gammagamma", 6.813e-3),
        (0.4941, "pi+pi-pi0", 0.869),
        (0.4929, "3pi0", 1.29),
        (1.2179, "pi+pi-gamma", 783.0),
        (1.3896, "other-hadrons", 2.03e5),
    ):
        found = by_state(jnp.array(mass), only(gluon=1.0))[state] * GLUON_UNIT
        assert 1e9 * float(found) == pytest.approx(width, rel=0.12), (mass, state)


def test_gluon_width_meets_the_closed_form(by_state):
    """1.92^2 e^4 m^3 / (4 pi) for g_GG = 1/TeV, and with mixing with the pion."""
    e4 = (4 * math.pi / 137.035999) ** 2
    unit = e4 * 0.08**3 / (4 * math.pi) * 1e-6
    assert 1e9 * 1.92**2 * unit == pytest.approx(1.26e-3, rel=0.005)
    mixed = 1.92 + 0.53 / 1.47 * 0.08**2 / (0.1349768**2 - 0.08**2)
    found = by_state(jnp.array(0.08), only(gluon=1.0))["gammagamma"] * GLUON_UNIT
    assert float(found) == pytest.approx(mixed**2 * unit, rel=0.05)


def test_lifetime_of_a_light_gluon_coupled_particle(by_state):
    """FORESEE: 4.77e-6 m at 10 MeV for g = 1/GeV, c_GG/f = 2 pi^2 g."""
    total = sum(by_state(jnp.array(0.01), only(gluon=1.0)).values())
    length = HBAR_C / float(total) / (2 * math.pi**2) ** 2
    assert length == pytest.approx(4.77e-6, rel=0.10)


def test_closed_decays_are_exactly_zero(by_state):
    found = by_state(jnp.array(0.2), only(gluon=1.0, up=1.0, muon=1.0))
    assert set(found) == set(ALP_FINAL_STATES)
    for state in ("mumu", "tautau", "pi+pi-pi0", "3pi0", "pi+pi-gamma"):
        assert float(found[state]) == 0.0
    assert float(found["gammagamma"]) > 0.0


def test_two_photons_are_continuous_where_the_table_begins(by_state):
    values = [
        float(by_state(jnp.array(m), only(gluon=1.0))["gammagamma"]) / m**3
        for m in (0.060, 0.065, 0.071)
    ]
    assert values == sorted(values)
    assert values[2] / values[0] < 1.1


def test_a_table_that_is_none_is_refused():
    rows = {"final_state": ["other-hadrons"] * 2, "mass": [1.0, 2.0]}
    good = {**rows, "width": [1.0, 2.0]}
    with pytest.raises(UnknownNameError, match="final state"):
        AlpWidths.from_tables({**good, "final_state": ["pipi"] * 2}, good)
    with pytest.raises(InputError, match="two rows or more"):
        AlpWidths.from_tables(good, good)
    gluon = {
        "final_state": np.repeat(
            ["gammagamma", "pi+pi-pi0", "3pi0", "pi+pi-gamma", "other-hadrons"], 2
        ),
        "mass": np.array([0.1, 0.2, 0.5, 0.6, 0.5, 0.6, 0.2, 0.5, 1.0, 2.0]),
        "width": np.ones(10),
    }
    with pytest.raises(InputError, match="above threshold"):
        AlpWidths.from_tables(gluon, good)
