"""Cards of vectors with charges: shipped ones, a user's own, and what they refuse."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from typer.testing import CliRunner

import bsmfit
from bsmfit.catalogue.describe import describe
from bsmfit.channels.combination import production_processes
from bsmfit.cli.app import app
from bsmfit.errors import BsmfitError, InputError

CARD = """
name: my-vector
model: charged-vector
summary: a vector of my own
particle: V
coupling: gauge_coupling
mass_range: [0.001, 2.0]
charges:
  up: 0
  down: 0
  strange: 0
  electron: 1
  muon: 0
  tau: -1
  neutrinos: 0.5
  loop_mixing: true
texkeys: [Ilten:2018crw]
default_preset: both
presets:
  both:
    summary: bremsstrahlung and kaon decays
    assumption: a test
    processes: [proton-bremsstrahlung, kaon-to-pion]
    form_factor: none
"""

MIXING = """\
  kinetic_mixing: {value: 1.0e+300, unit: "1", provenance: assumed, source: a test}
"""


def load(folder, *changes):
    text = CARD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "my-vector.yaml"
    path.write_text(text)
    return bsmfit.load_model(path)


def test_a_card_with_charges_needs_no_code(tmp_path):
    model = load(tmp_path)
    mediator = model(jnp.array(0.1), jnp.array(1e-6))
    shares = mediator.branching_ratios
    # neutrinos: 3 * (1/2)^2 / 2 = 3/8 of a pair of charged leptons
    ratio = float(shares["invisible"] / shares["ee"])
    assert ratio == pytest.approx(3.0 / 8.0, rel=1e-6)
    assert float(mediator.production["kaon-to-pion"]) > 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("  muon: 0\n", "")], "lack muon; write 0"),
        ([("  neutrinos: 0.5\n", "")], "lack neutrinos"),
        ([("  muon: 0\n", "  moun: 0\n")], "'moun', no fermion; did you mean 'muon'"),
        ([("  muon: 0\n", "  muon: 0\n  tau_neutrino: 1\n")], "keep one of both"),
        ([("  muon: 0\n", "  muon: nothing\n")], "muon"),
        (
            [
                ("electron: 1", "electron: 0"),
                ("tau: -1", "tau: 0"),
                ("neutrinos: 0.5", "neutrinos: 0"),
                ("  loop_mixing: true\n", ""),
            ],
            ": charges are all 0",
        ),
        (
            [("tau: -1", "tau: 0")],
            ": charges.loop_mixing needs charges of electron, muon and tau that add "
            "up to 0, not to 1",
        ),
        (
            [("  loop_mixing: true\n", MIXING)],
            "charges.kinetic_mixing.value is 1e+300 1 but must be >= -1000 and",
        ),
        (
            [("  up: 0\n", "  up: 1\n")],
            ": charges.loop_mixing is that of charged leptons, but up has a charge too",
        ),
        (
            [("  up: 0\n", "  up: 1\n"), ("  loop_mixing: true\n", "")],
            "proportion 2 : -1 : -1",
        ),
        ([("charged-vector", "dark-photon")], "belong together"),
        ([("form_factor: none", "form_factor: ua")], "'ua' belongs to"),
        (
            [("[proton-brems", "[proton-bremsstrahlung-gauge-invariant, proton-brems")],
            "no process of this model",
        ),
    ],
)
def test_charges_that_are_wrong_are_refused_in_words(tmp_path, changes, words):
    with pytest.raises(BsmfitError) as error:
        load(tmp_path, *changes)
    message = str(error.value)
    assert words in message
    assert "my-vector.yaml" in message


def test_a_card_without_charges_says_what_to_write(tmp_path):
    start, end = CARD.index("charges:"), CARD.index("texkeys:")
    path = tmp_path / "my-vector.yaml"
    path.write_text(CARD[:start] + CARD[end:])
    channel = ["--channel", "na62-dump-ee", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["scan", str(path), *channel])
    assert result.exit_code == 2
    assert "charges" in result.output
    assert "Traceback" not in result.output


def test_neither_kaons_nor_neutrons_are_invented():
    """K+ -> pi+ X is known for charges of quarks like the electric ones only."""
    names = ("b-minus-l", "baryon", "protophobic")
    for name in names:
        for preset in bsmfit.preset_names(name):
            made = production_processes(bsmfit.load_model(name, preset))
            assert ("kaon-to-pion" in made) is (preset == "kaon-estimate")


def test_kaons_are_not_composed_either():
    with pytest.raises(InputError, match="2 : -1 : -1"):
        bsmfit.load_model("protophobic", "mesons", processes={"kaon-to-pion": 1.0})
    twice = {"kaon-to-pion": 2.0}
    leptonic = bsmfit.load_model("l-mu-minus-l-tau", processes=twice)
    assert set(production_processes(leptonic)) == {"kaon-to-pion"}


def test_charges_are_described():
    rows = dict(describe("b-minus-l")[0][1])
    assert "up 0.333333" in rows["charges"]
    assert "by loops" in dict(describe("l-mu-minus-l-tau")[0][1])["kinetic mixing"]
