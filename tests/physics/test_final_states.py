from __future__ import annotations

import jax.numpy as jnp
import pytest

import bsmfit
from bsmfit.errors import UnknownNameError
from bsmfit.physics.alp_widths import ALP_FINAL_STATES
from bsmfit.physics.final_states import KNOWN_FINAL_STATES, check_final_states
from bsmfit.physics.heavy_neutral_lepton_width import unit_widths

WANTED = ("pi+pi-", "pi+pi-pi0", "k+k-")


@pytest.mark.parametrize(
    "name", ["dark-photon", "dark-scalar", "dark-photon-invisible"]
)
def test_shipped_models_name_only_known_final_states(name):
    point = bsmfit.load_model(name)(jnp.array(0.3), jnp.array(1e-6))
    assert set(point.branching_ratios) <= set(KNOWN_FINAL_STATES)


def test_axion_like_particles_name_only_known_final_states():
    assert set(ALP_FINAL_STATES) <= set(KNOWN_FINAL_STATES)


def test_the_heavy_neutral_lepton_names_only_known_final_states():
    for flavour in ("electron", "muon"):
        assert set(unit_widths(jnp.array(0.3), flavour=flavour)) <= {
            *KNOWN_FINAL_STATES
        }


@pytest.mark.parametrize(
    ("given", "meant"),
    [("pipi", r"pi\+pi-"), ("K+K-", r"k\+k-"), ("pi+ pi- pi0", r"pi\+pi-pi0")],
)
def test_a_misspelt_final_state_is_answered_with_the_one_that_is_meant(given, meant):
    with pytest.raises(UnknownNameError, match=f"did you mean '{meant}'"):
        check_final_states([given, "mumu"], WANTED)


def test_names_that_are_known_or_resemble_nothing_pass():
    check_final_states(["pi+pi-eta", "pi+pi-gamma", "dark-shower"], WANTED)
    check_final_states([*WANTED, "pi+pi-pio"], WANTED)
