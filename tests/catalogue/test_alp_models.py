"""Cards of axion-like particles, their windows of masses, and what they refuse."""

from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import bsmfit
from bsmfit.catalogue.files import locate_model
from bsmfit.cli.app import app
from bsmfit.errors import BsmfitError
from bsmfit.plot.mass_gaps import mass_gaps
from bsmfit.scan.runner import Status

CARDS = ("alp-photon", "alp-fermion", "alp-gluon")


@pytest.mark.parametrize("name", CARDS)
def test_the_scale_is_a_choice_of_the_preset(name):
    """More running from 4 pi TeV: more b -> s at the same coupling over f."""
    point = jnp.array(0.3), jnp.array(1e-5)
    near, far = (
        bsmfit.load_model(name, preset)(*point)
        for preset in ("scale-1-tev", "scale-4pi-tev")
    )
    ratio = far.production["b-to-kaon"] / near.production["b-to-kaon"]
    assert float(ratio) > 3.5


def test_rates_of_the_fermion_benchmark_grow_by_four_with_the_scale():
    """[ln(4 pi TeV / m_t) / ln(TeV / m_t)]^2 = 5.7 without running of y_t and c_tt."""
    near, far = (
        bsmfit.load_model("alp-fermion", preset)(jnp.array(0.1), jnp.array(1e-4))
        for preset in ("scale-1-tev", "scale-4pi-tev")
    )
    ratio = far.production["b-to-kaon"] / near.production["b-to-kaon"]
    assert 3.5 < float(ratio) < 5.7


@pytest.fixture(scope="module")
def gluon_map():
    return bsmfit.scan_plane(
        bsmfit.load_model("alp-gluon"),
        bsmfit.load_channel("na62-pi-invisible-run1"),
        mass=np.array([0.05, 0.1, 0.12, 0.126, 0.135, 0.144, 0.17, 0.2]),
        coupling=np.array([1e-9, 1e-6, 1e-1]),
    )


def test_masses_of_a_window_have_a_status_and_no_number(gluon_map):
    status = gluon_map["status"].values
    inside = [3, 4, 5]
    assert np.all(status[inside] == Status.EXCLUDED_MASS)
    assert np.all(np.isnan(gluon_map["cls_obs"].values[inside]))
    assert np.all(status[2] == Status.NO_SENSITIVITY)
    assert np.all(status[[0, 1, 6, 7]] == Status.OK)
    assert "excluded_mass" in gluon_map["status"].attrs["flag_meanings"]
    assert mass_gaps([gluon_map]) == [(0.1, 0.17)]


def test_a_gluon_coupled_particle_is_excluded_between_two_couplings(gluon_map):
    """Too weak, excluded, and too short-lived."""
    cls = gluon_map["cls_obs"].values[1]
    assert cls[0] > 0.5
    assert cls[1] < 0.1 < cls[2]


def test_default_masses_have_points_at_the_ends_of_windows():
    from bsmfit.scan.exclusion_map import default_axes

    model = bsmfit.load_model("alp-fermion")
    search = bsmfit.load_channel("na62-dump-mumu")
    points = default_axes(model, [search])[0].points()
    for end in (0.528, 0.568):
        assert np.min(np.abs(points / end - 1)) < 1e-8


def test_a_limit_inside_a_window_says_which():
    command = ["limit", "na62-pi0-invisible", "--model", "alp-gluon"]
    run = CliRunner().invoke(app, [*command, "--mass", "0.13", "--coupling", "1e-6"])
    assert run.exit_code != 0
    words = str(run.exception) + run.output
    assert "leaves out 0.125 to 0.145" in words


def test_a_map_inside_a_window_is_refused():
    with pytest.raises(BsmfitError, match=r"leaves out 0\.125 to 0\.145"):
        bsmfit.scan_plane(
            bsmfit.load_model("alp-gluon"),
            bsmfit.load_channel("na62-pi0-invisible"),
            mass=np.array([0.13, 0.14]),
            coupling=np.array([1e-6]),
        )


@pytest.mark.slow
def test_a_likelihood_inside_a_window_is_refused():
    model = bsmfit.load_model("alp-fermion")
    search = bsmfit.load_channel("na62-dump-mumu")
    for mass in (0.55, np.array([0.3, 0.55])):
        with pytest.raises(BsmfitError, match=r"mass = 0\.55 GeV.*leaves out"):
            bsmfit.search_likelihood(model, search, mass=mass, coupling=1e-3)
    likelihood = bsmfit.search_likelihood(model, search, mass=0.3, coupling=1e-3)
    assert bsmfit.upper_limit(likelihood, cl=0.9).value < 1.0


@pytest.mark.parametrize("name", CARDS)
def test_norms_of_mesons_are_those_of_the_dark_photon(name):
    """The same name is the same nuisance: one must be as wide as the other."""
    mesons = {
        nuisance.name: nuisance.kappa
        for nuisance in bsmfit.load_model("dark-photon", "mixing").nuisances
        if nuisance.name.startswith("meson_norm")
    }
    for preset in ("scale-1-tev", "scale-4pi-tev"):
        found = {
            nuisance.name: nuisance.kappa
            for nuisance in bsmfit.load_model(name, preset).nuisances
            if nuisance.name.startswith("meson_norm")
        }
        assert found
        assert found.items() <= mesons.items()


def test_show_states_windows_couplings_and_scale():
    shown = " ".join(CliRunner().invoke(app, ["show", "alp-gluon"]).stdout.split())
    for words in ("0.125 to 0.145", "gluon 1", "1000 GeV", "gluon_coupling"):
        assert words in shown


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("value: 1000.0", "value: 91.2", "246"),
        ("couplings: {gluon: 1}", "couplings: {gluon: 0}", "are all 0"),
        ("couplings: {gluon: 1}", "couplings: {gluons: 1}", "did you mean 'gluon'"),
        ("[0.125, 0.145]", "[0.145, 0.125]", "lower, upper"),
        ("b-to-kstar, pi0", "b-to-strange, pi0", "b-to-strange"),
        ("coupling: gluon_coupling\n    s", "coupling: f_a\n    s", "f_a"),
    ],
)
def test_a_card_that_cannot_be_is_refused(tmp_path, old, new, words):
    text = locate_model("alp-gluon").read_text()
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new).replace("name: alp-gluon", "name: mine"))
    with pytest.raises(BsmfitError, match=words):
        bsmfit.load_model(path)


def test_own_couplings_need_a_card_and_no_code(tmp_path):
    """c_GG = 1 and c_tt = -0.5 at 10 TeV, scanned in f_a."""
    text = locate_model("alp-gluon").read_text()
    text = text.replace("name: alp-gluon", "name: mine")
    text = text.replace("{gluon: 1}", "{gluon: 1, top: -0.5}")
    text = text.replace("value: 1000.0", "value: 10000.0")
    text = text.replace(
        "coupling: gluon_coupling\n    s", "coupling: decay_constant\n    s"
    )
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    model = bsmfit.load_model(path)
    assert (model.coupling, model.coupling_unit) == ("decay_constant", "GeV")
    near, far = (model(jnp.array(0.2), jnp.array(f)) for f in (1e5, 1e6))
    ratio = near.production["kaon-to-pion"] / far.production["kaon-to-pion"]
    assert float(ratio) == pytest.approx(100.0)


def test_a_result_cites_the_papers_of_the_widths(gluon_map):
    from bsmfit.catalogue.citations import bibliography

    names = json.loads(gluon_map.attrs["inputs"])
    assert "Aloni:2018vki" in bibliography(names)
