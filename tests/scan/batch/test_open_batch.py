"""What a run card is made into: models with parameters, searches with own numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bsmfit
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.scan.batch.batch_run import merge_batch, run_share
from bsmfit.scan.batch.open_batch import plan_card
from bsmfit.scan.batch.run_card import RunCard
from bsmfit.scan.further_axes import planes_of

CARD = {
    "model": "axion-pair-rate",
    "channels": ["na62-pi4e"],
    "axes": {
        "mass": {"values": [0.05, 0.1]},
        "coupling": {"low": 1e-9, "high": 1e-7, "points": 5},
        "parameters": {"decay_length": {"low": 1e-3, "high": 10.0, "points": 3}},
    },
    "block_points": 10,
}
DUMP = {
    "model": "dark-photon",
    "channels": ["na62-dump-mumu", "na62-dump-ee"],
    "own_numbers": {
        "protons": 1e18,
        "channels": {"na62-dump-ee": {"protons": 2e18, "observed": 3}},
    },
}


def card(content: dict, **changes) -> RunCard:
    return RunCard.model_validate_json(json.dumps(content | changes))


def test_third_axis_is_merged_with_all_others(tmp_path):
    for number in (1, 2, 3):
        outcome = run_share(card(CARD), tmp_path, (number, 3))
        assert (outcome.n_block, outcome.n_computed) == (1, 1)
    whole = merge_batch(tmp_path)
    assert whole["cls_obs"].dims == ("decay_length", "mass", "branching_ratio")
    np.testing.assert_allclose(whole["decay_length"], [1e-3, 0.1, 10.0], rtol=1e-12)
    assert "parameters" not in whole.attrs
    model = bsmfit.load_model("axion-pair-rate").with_parameters(decay_length=0.1)
    plane = bsmfit.scan_plane(
        model,
        bsmfit.load_channel("na62-pi4e"),
        mass=[0.05, 0.1],
        coupling=(1e-9, 1e-7, 5),
    )
    values, middle = list(planes_of(whole))[1]
    assert values["decay_length"] == pytest.approx(0.1, rel=1e-12)
    np.testing.assert_allclose(middle["n_signal"], plane["n_signal"], rtol=1e-10)
    np.testing.assert_allclose(middle["cls_obs"], plane["cls_obs"], rtol=1e-8)
    # the longer it lives, the fewer decay inside
    signal = whole["n_signal"].isel(mass=1, branching_ratio=-1)
    assert (np.diff(signal) < 0.0).all()


def test_fixed_parameter_is_in_the_plan():
    fixed = {"axes": {}, "parameters": {"decay_length": 0.2}}
    planned, manifest = plan_card(card(CARD, **fixed))
    assert float(planned.model.parameters["decay_length"]) == 0.2
    other, _ = plan_card(card(CARD, axes={}, parameters={"decay_length": 0.3}))
    assert other.plan.identity() != manifest.plan_hash


def test_own_numbers_are_those_of_the_search_before_those_of_all():
    planned, _ = plan_card(card(DUMP))
    changes = {c.name.partition("+")[0]: c.changes for c in planned.channels}
    assert set(changes) == {"na62-dump-mumu", "na62-dump-ee"}
    assert "1e+18" in " ".join(changes["na62-dump-mumu"])
    assert "2e+18" in " ".join(changes["na62-dump-ee"])
    assert len(changes["na62-dump-ee"]) == 2
    assert not any(channel.is_published for channel in planned.channels)
    plain, _ = plan_card(card(DUMP, own_numbers={}))
    assert plain.plan.identity() != planned.plan.identity()
    assert all(channel.is_published for channel in plain.channels)


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (
            DUMP,
            {"own_numbers": {"channels": {"na62-dump-mu": {"protons": 1.0}}}},
            "unknown channel in own_numbers, 'na62-dump-mu'; did you mean",
        ),
        (DUMP, {"override": "no-such-card"}, "no-such-card"),
        (DUMP, {"parameters": {"lifetime": 1.0}}, r"unknown parameter .*known: none"),
        (CARD, {"parameters": {"decay_lenght": 1.0}}, "did you mean 'decay_length'"),
        (
            CARD,
            {"axes": {"parameters": {"length": {"values": [1.0]}}}},
            "unknown parameter of model 'axion-pair-rate', 'length'",
        ),
    ],
)
def test_unknown_names_are_refused_with_those_that_are_known(content, changes, message):
    with pytest.raises(UnknownNameError, match=message):
        plan_card(card(content, **changes))


def test_empty_further_axis_is_refused():
    axis = {"low": 1.0, "high": 0.5, "points": 3}
    with pytest.raises(InputError, match=r"from 1 to 0\.5 is empty or reversed"):
        plan_card(card(CARD, axes={"parameters": {"decay_length": axis}}))
