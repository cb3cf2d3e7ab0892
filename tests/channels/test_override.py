"""Own numbers in place of those of a search."""

import jax.numpy as jnp
import pytest

import bsmfit
from bsmfit.channels.override import Override, OwnNuisance, with_nuisance
from bsmfit.errors import InputError, UnknownNameError


@pytest.fixture(scope="module")
def muons():
    return bsmfit.load_channel("na62-dump-mumu")


@pytest.fixture(scope="module")
def hadrons():
    return bsmfit.load_channel("na62-dump-hadrons")


def test_numbers_arrive_and_are_declared(muons):
    own = {"protons": 1e18, "efficiency": 0.5, "background": 0.2, "observed": 2}
    changed = Override.from_mapping(own).apply(muons)
    assert float(changed.protons_on_target) == 1e18
    assert float(changed.efficiency) == 0.5
    assert float(changed.background) == 0.2
    assert float(changed.observed_count(jnp.array(0.3))) == 2.0
    assert len(changed.changes) == 4
    assert not changed.is_published


def test_nothing_changes_nothing(muons):
    assert Override().apply(muons) is muons


def test_backgrounds_scale(muons, hadrons):
    for search in (
        muons,
        hadrons,
        *map(bsmfit.load_channel, ("na62-pi4e", "na62-pi-minus-mu-mu")),
        bsmfit.load_channel("na62-pi-invisible-2016-2022"),
    ):
        changed = Override(background_factor=3.0).apply(search)
        for one, other in zip(
            changed.largest_counts(), search.largest_counts(), strict=True
        ):
            is_signal = one.background != other.background
            if is_signal:
                assert one.background == pytest.approx(3.0 * other.background)
        assert changed.changes == ("background-x3",)


def test_nuisances_are_added_changed_and_taken_out(muons, hadrons):
    sizes = {n.name: n.kappa for n in muons.nuisances}
    more = with_nuisance(muons, OwnNuisance("my_trigger", 0.3))
    assert {n.name: n.kappa for n in more.nuisances} == sizes | {"my_trigger": 1.3}
    less = with_nuisance(muons, OwnNuisance("na62_dump_pot", 0.0))
    assert "na62_dump_pot" not in {n.name for n in less.nuisances}
    back = with_nuisance(muons, OwnNuisance("na62_dump_mumu_background", 0.5))
    (entry,) = [n for n in back.nuisances if n.name == "na62_dump_mumu_background"]
    assert (entry.kappa, entry.affects) == (1.5, "background")
    every = Override(nuisances=(OwnNuisance("na62_dump_pot", 0.1),)).apply(hadrons)
    assert every.changes == ("na62_dump_pot-0.1",)
    assert all(
        {n.name: n.kappa for n in s.nuisances}["na62_dump_pot"] == 1.1
        for s in every.searches
    )


def test_an_expected_count_is_the_background_at_the_mass():
    search = bsmfit.load_channel("na62-pi-invisible-2016-2022")
    changed = Override(observed="expected").apply(search)
    mass = jnp.array(0.05)
    assert float(changed.observed_count(mass).n) == float(search.background(mass))
    assert "as many events as expected" in changed.caveats("any")[0]
    assert changed.count_words == "as many as expected"


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"protons": -1.0}, "protons_on_target = -1"),
        ({"protons": float("nan")}, "protons_on_target"),
        ({"efficiency": 1.5}, "efficiency = 1.5"),
        ({"background": -0.1}, "background = -0.1"),
        ({"observed": -1}, "n_observed = -1"),
        ({"observed": "expected"}, "no count that can be set"),
        ({"sensitivity": 1e-12}, "no single-event sensitivity"),
        ({"kaons": 1e13}, "no number of kaon decays"),
        ({"background": 1.0, "background_factor": 2.0}, "not both"),
        ({"nuisances": [{"name": "a"}]}, "lacks its size"),
        ({"nuisances": [{"name": "a", "size": -0.1}]}, "size of nuisance 'a'"),
        ({"nuisances": [{"name": "a", "size": 0.1, "affects": "both"}]}, "affects"),
    ],
)
def test_numbers_that_cannot_be_are_refused(muons, own, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        Override.from_mapping(own).apply(muons)


def test_names_that_are_none_are_corrected(muons):
    with pytest.raises(UnknownNameError, match="did you mean 'protons'"):
        Override.from_mapping({"proton": 1e18})
    with pytest.raises(UnknownNameError, match="did you mean 'size'"):
        Override.from_mapping({"nuisances": [{"name": "a", "sizes": 0.1}]})
    with pytest.raises(UnknownNameError, match="did you mean 'na62_dump_pot'"):
        with_nuisance(muons, OwnNuisance("na62_dump_pots", 0.0))


def test_what_is_reconstructed_has_no_count_of_its_own():
    search = bsmfit.load_channel("na62-k-mu-n")
    with pytest.raises(InputError, match="no meaning"):
        Override(observed=3).apply(search)
    with pytest.raises(InputError, match="no background as one number"):
        Override(background=3.0).apply(search)


def test_more_background_than_the_sums_reach_is_refused():
    search = bsmfit.load_channel("na62-pi-invisible-2016-2022-count")
    with pytest.raises(InputError, match="at most 60"):
        Override(background_factor=2.0).apply(search)
