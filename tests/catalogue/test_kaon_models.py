"""The shipped cards of the kaon modes: what they build, show and refuse."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from bsmfit.catalogue.describe import describe
from bsmfit.catalogue.files import model_root
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.records import model_names, preset_names, read_model_card
from bsmfit.core.constants import KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.errors import DataFileError
from bsmfit.physics.kaon_to_pion import TOP_MASS_MSBAR, scalar_coefficient
from bsmfit.records.model_preset import DarkScalarPreset

KAON_PRESETS = [
    (model, preset)
    for model in model_names()
    for preset in preset_names(model)
    if read_model_card(model).presets[preset].processes == ("kaon-to-pion",)
]
CARD = (model_root() / "dark-scalar.yaml").read_text()


def test_all_kaon_models_are_there():
    assert {model for model, _ in KAON_PRESETS} == {
        "b-minus-l",
        "dark-photon",
        "dark-photon-invisible",
        "dark-scalar",
        "fv-axion",
        "k-to-pi-a",
        "k-to-pi-a-to-gammagamma",
        "k-to-pi-a-to-mumu",
        "l-e-minus-l-mu",
        "l-mu-minus-l-tau",
    }


@pytest.mark.parametrize(("model", "preset"), KAON_PRESETS)
def test_preset_makes_a_model_of_the_kaon_decay(model, preset):
    built = load_model(model, preset)
    scale = 1e12 if built.coupling == "decay_constant" else 1e-8
    particle = built(jnp.array(0.2), jnp.array(scale))
    assert set(particle.production) == {"kaon-to-pion"}
    assert 0.0 < float(particle.production["kaon-to-pion"]) < 1.0
    shares = sum(float(share) for share in particle.branching_ratios.values())
    assert shares == pytest.approx(1.0, abs=1e-12)
    assert all(nuisance.kappa > 1.0 for nuisance in built.nuisances)


@pytest.mark.parametrize("model", ["dark-photon-invisible", "fv-axion"])
def test_invisible_particles_end_with_phase_space(model):
    low, high = load_model(model).mass_range
    end = KAON_CHARGED_MASS - PION_CHARGED_MASS
    assert 0.0 < low < 0.01
    assert high == pytest.approx(end, rel=1e-3)
    assert high < end


def test_axis_of_the_coupling_has_unit_and_symbol():
    axion, scalar = load_model("fv-axion"), load_model("dark-scalar")
    assert (axion.coupling_unit, axion.coupling_symbol) == ("GeV", "F_V")
    assert (scalar.coupling_unit, scalar.coupling_symbol) == ("1", r"\sin^2\theta")
    assert scalar.coupling == "sin_theta_squared"


@pytest.mark.parametrize(
    ("preset", "expected", "provenance"),
    [
        ("pole-mass", scalar_coefficient(), "computed"),
        ("msbar-mass", scalar_coefficient(TOP_MASS_MSBAR), "computed"),
        ("na62-run1", 1.51e-3, "reconstructed"),
    ],
)
def test_coefficient_of_the_preset_is_that_of_its_formula(preset, expected, provenance):
    choice = read_model_card("dark-scalar").presets[preset]
    assert isinstance(choice, DarkScalarPreset)
    assert choice.coefficient.value == pytest.approx(expected, rel=5e-4)
    assert choice.coefficient.provenance == provenance


def test_nuisances_of_the_scalar():
    for preset in ("pole-mass", "msbar-mass"):
        nuisances = load_model("dark-scalar", preset).nuisances
        assert {entry.name: entry.kappa for entry in nuisances} == {
            "kaon_pion_scalar_rate": pytest.approx(1.2),
            "dump_kaon_yield": pytest.approx(1.37),
            "beauty_cross_section": pytest.approx(1.29),
            "b_strange_scalar_rate": pytest.approx(1.2),
        }
    assert load_model("dark-scalar", "na62-run1").nuisances == ()
    assert load_model("dark-scalar").preset == "pole-mass"


def test_visible_and_invisible_dark_photons_share_the_uncertainty():
    visible = load_model("dark-photon", "kaon-decay").nuisances
    assert visible == load_model("dark-photon-invisible").nuisances


def test_description_shows_the_coefficient_and_the_unit():
    assert "0.001596" in str(describe("dark-scalar"))
    assert "[reconstructed]" in str(describe("dark-scalar"))
    assert "form factor" not in str(describe("fv-axion")).replace("form factor f_", "")
    assert "decay_constant [GeV]" in str(describe("fv-axion"))


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        (
            "model: dark-scalar",
            "model: dark-scalr",
            ["model is 'dark-scalr'", "line 7"],
        ),
        (
            "    coefficient:",
            "    coeficient:",
            ["presets.pole-mass.coeficient is no key", "did you mean 'coefficient'?"],
        ),
        (
            'unit: "1"',
            "unit: GeV",
            ["presets.pole-mass.coefficient.unit is 'GeV' but must be '1'"],
        ),
        (
            "value: 1.596e-3",
            "value: many",
            ["presets.pole-mass.coefficient.value = 'many' must be a number"],
        ),
        (
            "processes: [kaon-to-pion]\n    coefficient",
            "processes: [kaon-to-pio]\n    coefficient",
            ["processes[0] = 'kaon-to-pio'", "did you mean 'kaon-to-pion'?"],
        ),
        ("  msbar-mass:", "  msbar mass:", ["the key presets.msbar mass must match"]),
        (
            "default_preset: pole-mass",
            "default_preset: pole-mas",
            ["default_preset is 'pole-mas'", "did you mean 'pole-mass'?"],
        ),
    ],
)
def test_fault_in_the_card_is_named(tmp_path, old, new, parts):
    assert old in CARD
    path = tmp_path / "mine.yaml"
    path.write_text(CARD.replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        read_model_card(path)
    message = str(caught.value)
    for part in ("mine.yaml, line", *parts):
        assert part in message
    assert "\n" not in message
