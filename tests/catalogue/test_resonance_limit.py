"""Records of searches known by their limit curve: what is shipped, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.describe import describe
from bsmfit.catalogue.files import data_root, model_root
from bsmfit.catalogue.kinds.resonance_limit_channel import (
    expected_limit,
    upper_limit_in_events,
)
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.published import load_published_limit
from bsmfit.errors import DataFileError

SHARED = Path(__file__).parents[2].parent / "shared/reference/kaon"
FILES = {
    "na62-k-mu-n": "hnlimits_NA62_2101.12304_Umu4sq_UL_90.dat",
    "na62-k-e-n": "hepdata_95927_t1_NA62_2005.09575_Ue4sq_UL_90.csv",
    "na62-pi-e-n": "hnlimits_NA62_2507.07345_Ue4sq_UL_90_digitised.dat",
}
# published, mass [GeV] and |U|^2: the first and last masses, and some between
LIMITS = {
    "na62-k-mu-n": {0.2: 2.692e-8, 0.25: 7.480e-9, 0.3: 9.054e-9, 0.384: 3.937e-8},
    "na62-k-e-n": {0.144: 2.202e-9, 0.3003: 5.536e-10, 0.462: 4.112e-7},
    "na62-pi-e-n": {0.1073821: 7.795e-9},
}


@pytest.mark.parametrize("name", LIMITS)
def test_published_limits_are_shipped(name):
    published = load_published_limit(name)
    assert published.model == "heavy-neutral-lepton"
    for mass, limit in LIMITS[name].items():
        at = int(np.argmin(abs(published.mass - mass)))
        assert published.mass[at] == pytest.approx(mass, abs=1e-6)
        assert published.lower[at] == pytest.approx(limit, rel=5e-4)


@pytest.mark.skipif(not SHARED.exists(), reason="the reference tables are not shipped")
@pytest.mark.parametrize("name", FILES)
def test_every_row_is_that_of_the_reference_table(name):
    lines = (SHARED / FILES[name]).read_text().splitlines()
    rows = [line.replace(",", " ").split() for line in lines if line[:1].isdigit()]
    table = np.array(rows, dtype=float)
    published = load_published_limit(name)
    np.testing.assert_allclose(1e3 * published.mass, table[:, 0], rtol=1e-7)
    np.testing.assert_allclose(published.lower, table[:, 1], rtol=1e-7)


def test_limits_for_no_event_and_for_many_are_known():
    assert upper_limit_in_events(0.0, cl=0.9) == pytest.approx(-np.log(0.1))
    # many events: CLs = 0.1 with p_b = 1/2 is 1.645 standard deviations
    found = upper_limit_in_events(1e4, cl=0.9) / 100.0
    assert found == pytest.approx(stats.norm.isf(0.05), rel=0.02)
    assert upper_limit_in_events(3.0, cl=0.9, spread=0.3) > upper_limit_in_events(
        3.0, cl=0.9
    )


def test_expected_limits_are_local_means():
    masses = np.linspace(0.2, 0.3, 101)
    line = np.exp(40.0 * masses)
    # a mean of what is straight in the logarithm is what it was, to the very ends
    np.testing.assert_allclose(expected_limit(masses, line, window=0.01), line)
    spike = np.where(masses == masses[50], np.e**21, 1.0)
    found = expected_limit(masses, spike, window=0.01)
    assert found[50] == pytest.approx(np.e)
    assert found[30] == pytest.approx(1.0)


def copied(tmp_path) -> Path:
    folder = tmp_path / "search"
    shutil.copytree(data_root() / "NA62_2507.07345", folder)
    return folder / "record.yaml"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("value: 10.0", "value: 0.0", ["background.value", "> 0 and <= 25"]),
        ("recoil: e+", "recoil: tau+", ["flight.recoil", "'e+', 'mu+' or 'pi+'"]),
        (
            'process: "pion-to-e-n"',
            'process: "pi+ -> e+ X"',
            ["mixing-squared", "kaon-to-e-n"],
        ),
        ("parent: pi+", "parent: K+", ["flight", "must begin with 'kaon-to-e'"]),
        ("quantity: mixing-squared", "quantity: branching-ratio", ["plotted_for"]),
        ("quantity: mixing-squared", "quantity: mixing", ["published_limit.quantity"]),
        ("background:", "backgrund:", ["unknown key 'backgrund'"]),
    ],
)
def test_a_wrong_record_is_refused_with_file_key_and_what_is_allowed(
    tmp_path, old, new, words
):
    path = copied(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        load_channel(path)
    for word in ("record.yaml", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0.1,1e-8,published\n0.1,1e-8,published", ["rising"]),
        ("0.1,1e-8,published\n0.11,2.0,published", ["is 2 at 0.11 GeV", "0 and 1"]),
        ("0.1,1e-8,published\n0.2,1e-8,published", ["0.2 GeV", "is closed"]),
        ("0.1,x,published", ["limit_by_mass.csv"]),
    ],
)
def test_a_wrong_curve_is_refused(tmp_path, rows, words):
    path = copied(tmp_path)
    head = "mass_gev,limit,provenance\n"
    (path.parent / "limit_by_mass.csv").write_text(f"{head}{rows}\n")
    with pytest.raises(DataFileError) as caught:
        load_channel(path)
    for word in words:
        assert word in str(caught.value)


def test_a_limit_on_a_branching_ratio_needs_no_formula(tmp_path):
    path = copied(tmp_path)
    text = path.read_text().replace(
        "quantity: mixing-squared", "quantity: branching-ratio"
    )
    text = text.replace("  plotted_for: heavy-neutral-lepton\n", "")
    text = text.replace('process: "pion-to-e-n"', "process: kaon-to-pion")
    text = text.replace("parent: pi+, recoil: e+", "parent: K+, recoil: pi+")
    path.write_text(text)
    channel = load_channel(path)
    assert channel.unit == "BR(kaon-to-pion)"
    np.testing.assert_allclose(np.exp(channel.published.log_limits[0]), 1.62502022e-8)
    assert load_published_limit(path) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "final_states: [mumu]",
            "final_states: [mumu, invisible]",
            ["final_states", "leaves no trace"],
        ),
        (
            "final_states: [mumu]",
            "final_states: [mumu]\nflight: {setup: NA62_kaon, parent: K+, recoil: pi+}",
            ["flight", "by published_limit.by_lifetime"],
        ),
        (
            "final_states: [mumu]",
            "flight: {setup: NA62_kaon, parent: K+, recoil: pi+}",
            ["flight", "drop one"],
        ),
        (
            "quantity: branching-ratio",
            "quantity: mixing-squared",
            ["by_lifetime", "on a branching ratio only"],
        ),
        ("final_states: [mumu]\n", "segments: [{low: 0.1, high: 0.3}]\n", ["0.1 to"]),
        (
            "by_lifetime: limit_by_lifetime.csv",
            "by_lifetime: ../other.csv",
            ["by_lifetime", "in the record's folder"],
        ),
    ],
)
def test_a_wrong_record_of_lifetimes_is_refused(tmp_path, old, new, words):
    folder = tmp_path / "search"
    shutil.copytree(data_root() / "NA62_2507.17286_pi_mu_mu", folder)
    path = folder / "record.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        load_channel(path)
    for word in ("record.yaml", *words):
        assert word in str(caught.value)


CARD = (model_root() / "heavy-neutral-lepton.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("nature: majorana", "nature: dirac", ["conserves no lepton number"]),
        ("flavour: muon", "flavour: electron", ["not of the electron"]),
        ("flavour: muon", "flavour: tau", ["muon.flavour", "'electron' or 'muon'"]),
        ("value: 3.0", "value: 0.0", ["vertex_length.value", "> 0"]),
    ],
)
def test_a_wrong_card_is_refused(tmp_path, old, new, words):
    path = tmp_path / "card.yaml"
    path.write_text(CARD.replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        load_model(path)
    for word in words:
        assert word in str(caught.value)


def test_a_dirac_particle_is_a_card_without_the_same_sign_decay(tmp_path):
    text = CARD.replace(
        '["kaon-to-mu-n", "kaon-to-pi-minus-mu-mu"]', '["kaon-to-mu-n"]'
    )
    text = text.replace("nature: majorana", "nature: dirac", 1)
    start, end = text.index("    nuisances:\n"), text.index("  electron:\n")
    path = tmp_path / "card.yaml"
    path.write_text(text[:start] + "\n" + text[end:])
    model = load_model(path, "muon")
    assert not model.function.is_majorana
    assert model.nuisances == ()


def test_descriptions_say_what_is_assumed():
    text = str(describe("na62-k-mu-n"))
    assert "[assumed]" in text
    assert "expected within" in text
    text = str(describe("e949-pi-invisible"))
    assert "0.151111 to 0.254444 GeV" in text
    assert "100, 200, 500, 1000, 2000, 5000 ps" in text
    assert "('sees', 'mumu')" in str(describe("na62-pi-mumu"))
    text = str(describe("heavy-neutral-lepton"))
    assert "majorana" in text
    assert "3 m  [assumed]" in text
