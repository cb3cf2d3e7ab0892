"""The shipped searches for rare decays, against the table they were taken from."""

from __future__ import annotations

import math
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.catalogue.describe import describe
from bsmfit.catalogue.kinds.rare_decay import rare_decay_names, read_rare_decay_record
from bsmfit.catalogue.yaml_file import load_yaml
from bsmfit.channels.combination import as_channels
from bsmfit.errors import DataFileError, InputError
from bsmfit.physics.production import RARE_DECAYS

NAMES = rare_decay_names()
REFERENCE = (
    Path(__file__).parents[2].parent
    / "shared"
    / "reference"
    / "kaon"
    / "channels_counting.yaml"
)
THEIR_NAMES = {
    "na62-pi-minus-mu-mu": "pi-mu+mu+_2017",
    "na62-pi-minus-e-e-2017": "pi-e+e+_2017",
    "na62-pi-minus-mu-e": "pi-mu+e+",
    "na62-pi-plus-mu-minus-e-plus": "pi+mu-e+",
    "na62-pi0-mu-minus-e-plus": "pi0->mu-e+",
    "na62-mu-minus-nu-e-e": "mu-nue+e+",
    "na62-pi-minus-pi0-e-e": "pi-pi0e+e+_run1",
    "na62-pi0-pi-minus-mu-e": "pi0pi-mu+e+",
    "na62-pi0-pi-plus-mu-minus-e-plus": "pi0pi+mu-e+",
    "na62-pi0-pi-plus-mu-plus-e-minus": "pi0pi+mu+e-",
}


@pytest.fixture(scope="module")
def channels():
    return {name: bsmfit.load_channel(name) for name in NAMES}


def test_every_decay_of_the_table_is_there(channels):
    assert len(NAMES) == 11
    assert {c.process for c in channels.values()} == set(RARE_DECAYS)
    assert all(c.is_published for c in channels.values())


@pytest.mark.parametrize("name", THEIR_NAMES)
def test_numbers_are_those_of_the_reference(name, channels):
    if not REFERENCE.is_file():
        pytest.skip("the reference files are not on this machine")
    theirs = load_yaml(REFERENCE).content["lfv"][THEIR_NAMES[name]]
    record, count = read_rare_decay_record(name), channels[name].signal_count()
    assert float(record.arxiv) == theirs["arxiv"]  # there a number, without quotes
    assert record.published_limit.value.value == theirs["UL90"]
    assert float(count.sensitivity) == pytest.approx(theirs["SES"])
    if "SES_err" in theirs:
        relative = math.expm1(count.sensitivity_log_kappa)
        assert relative == pytest.approx(theirs["SES_err"] / theirs["SES"])
    if "b" in theirs:
        assert float(count.n_observed) == theirs["n"]
        assert float(count.background) == pytest.approx(theirs["b"])
        relative = math.expm1(count.background_log_kappa)
        assert relative == pytest.approx(theirs["sb"] / theirs["b"], rel=0.03)
    else:
        assert not record.is_count_known


def test_same_data_are_refused_together_and_others_are_not(channels):
    for pair in (
        ("na62-pi-minus-e-e", "na62-pi-minus-e-e-2017"),
        ("na62-pi-plus-mu-minus-e-plus", "na62-pi0-mu-minus-e-plus"),
    ):
        with pytest.raises(InputError, match="share data"):
            as_channels([channels[name] for name in pair])
    apart = ("na62-pi-minus-mu-mu", "na62-pi-minus-e-e", "na62-pi-minus-mu-e")
    assert len(as_channels([channels[name] for name in apart])) == 3


def test_sidebands_have_no_signal_and_stand_in_the_likelihood(channels):
    regions = channels["na62-mu-minus-nu-e-e"].unit_regions(None, jnp.zeros(()))
    assert [bool(region.signal) for region in regions] == [False, True, False]
    assert [float(region.observed) for region in regions] == [0.0, 0.0, 2271.0]
    # the published totals, which are rounded
    totals = [float(region.total_background) for region in regions]
    assert totals == pytest.approx([0.04, 0.26, 2280.71], abs=1e-9)


def test_what_was_inferred_or_assumed_is_said(channels):
    assumed = {name for name, c in channels.items() if not c.is_count_known}
    assert {read_rare_decay_record(name).arxiv for name in assumed} == {"2409.12981"}
    independent = {name for name, c in channels.items() if c.is_independent}
    assert independent == {
        "na62-mu-minus-nu-e-e",
        "na62-pi-minus-e-e-2017",
        "na62-pi-minus-mu-mu",
    }
    for name, channel in channels.items():
        words = " ".join(channel.caveats(""))
        assert ("proves nothing" in words) == (name not in independent)
        assert ("zero events over no background are assumed" in words) == (
            name in assumed
        )
    assert "superseded by na62-pi-minus-e-e" in " ".join(
        channels["na62-pi-minus-e-e-2017"].caveats("")
    )


def test_a_record_is_shown_with_every_source():
    sections = dict(describe("na62-pi0-mu-minus-e-plus"))
    sensitivity = dict(sections["sensitivity"])
    assert sensitivity["other efficiency"].startswith("0.84  [derived]")
    # 1 / (1.33e12 0.0311 0.84 0.2067)
    assert sensitivity["from its factors"] == "1.392e-10"
    assert "[unverified]" in dict(sections["limits"])["before it"]
    shown = describe("na62-mu-minus-nu-e-e")
    assert [title for title, _ in shown if title.startswith("region")] == [
        "region lower",
        "region signal",
        "region upper",
    ]


def test_a_model_of_ones_own_is_excluded_by_them(channels):
    """BR = g^2: excluded above the limit on BR, whatever the mass is."""
    process = channels["na62-pi-minus-mu-mu"].process

    def decays(mass, coupling):
        return bsmfit.Mediator(
            mass=mass,
            decay_width=jnp.ones_like(mass),
            branching_ratios={"visible": jnp.ones_like(mass)},
            production={process: coupling**2 * jnp.ones_like(mass)},
        )

    model = bsmfit.Model(decays, name="own", coupling="g")
    point = bsmfit.ExclusionPoint.from_model(model, channels["na62-pi-minus-mu-mu"])
    found = eqx.filter_jit(point)(jnp.array(0.3), jnp.array(1e-5))
    # 1e-10 is 7.8 events, and the limit 4.26e-11
    assert float(found.n_signal) == pytest.approx(1e-10 / 1.28e-11)
    limit = 1e-10 * float(found.n_up_obs) / float(found.n_signal)
    assert limit == pytest.approx(4.264e-11, rel=2e-3)
    assert np.all(np.asarray(found.cls_obs) < 0.1)


def test_shared_sources_move_together(tmp_path):
    """A normalisation of a source is one nuisance in all regions."""
    from bsmfit.catalogue.records import locate_channel

    text = locate_channel("na62-mu-minus-nu-e-e").read_text()
    shared = (
        "nuisances: [{name: norm, size: 0.2, distribution: lognormal, sources: "
        "[pi_pi_e_nu], provenance: assumed, source: a test}]\n"
    )
    path = tmp_path / "record.yaml"
    path.write_text(text + shared)
    regions = bsmfit.load_channel(path).unit_regions(None, jnp.zeros(()))
    holders = [
        (region.name.rpartition("-")[2], term.name)
        for region in regions
        for term in region.background
        if any(response.name == "norm" for response in term.responses)
    ]
    assert holders == [(r, "pi_pi_e_nu") for r in ("lower", "signal", "upper")]
    path.write_text(text + shared.replace("[pi_pi_e_nu]", "[pipi]"))
    with pytest.raises(DataFileError, match="'pipi', which no region has"):
        bsmfit.load_channel(path)
