"""What a record of a search for a rare decay may and may not say."""

from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from bsmfit.records.rare_decay_record import RareDecayRecord


def quantity(value, unit="1", **more):
    return {
        "value": value,
        "unit": unit,
        "provenance": "published",
        "source": "table 1",
        **more,
    }


def record():
    return {
        "id": "toy",
        "kind": "rare-decay",
        "experiment": "NA62",
        "texkey": "Toy:2025abc",
        "arxiv": "2501.00001",
        "title": "A toy",
        "decay": "K+ -> pi- mu+ mu+",
        "process": "kaon-to-pi-minus-mu-mu",
        "violates": "lepton number by 2",
        "sample": "data of 2025",
        "datasets": ["toy-2025"],
        "sensitivity": {
            "value": quantity(1e-11, uncertainty=1e-12),
            "n_kaon_decays": quantity(1e12, "events"),
            "acceptance": quantity(0.2),
            "efficiency": quantity(0.5),
        },
        "regions": [
            {
                "name": "signal",
                "selection": "all",
                "has_signal": True,
                "n_observed": quantity(1, "events"),
                "backgrounds": [
                    {"name": "fakes", "events": quantity(0.5, "events")},
                    {"name": "decays", "events": quantity(0.3, "events")},
                ],
                "total_background": quantity(0.8, "events"),
            }
        ],
        "published_limit": {
            "value": quantity(4e-11),
            "confidence_level": quantity(0.9),
            "method": "CLs",
        },
    }


def test_a_complete_record_is_valid():
    valid = RareDecayRecord.model_validate(record())
    assert valid.sensitivity.from_factors == pytest.approx(1e-11)
    assert valid.is_count_known
    assert valid.sensitivity.inferred_from_limit is None


def set_at(keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


SHARED = {
    "name": "norm",
    "size": 0.1,
    "distribution": "lognormal",
    "provenance": "assumed",
    "source": "a guess",
}
SIGNAL = ("regions", 0)
BACKGROUND = (*SIGNAL, "backgrounds")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_at(("sensitivity", "acceptance", "value"), 0.3), "the factors make"),
        (set_at(("sensitivity", "acceptance", "value"), 1.3), "> 0 and <= 1"),
        (set_at(("sensitivity", "value", "value"), 0.0), "> 0"),
        (set_at(("sensitivity", "value", "uncertainty_down"), 2e-12), "up and down"),
        (set_at((*SIGNAL, "has_signal"), False), "exactly 1"),
        (set_at((*SIGNAL, "total_background", "value"), 0.9), "add up to 0.8"),
        (set_at((*BACKGROUND, 1, "name"), "fakes"), "twice"),
        (set_at((*BACKGROUND, 1, "events"), quantity(-1.0, "events")), ">= 0"),
        (
            set_at(
                (*BACKGROUND, 0, "events"), quantity(0.0, "events", uncertainty=1.0)
            ),
            "leave it out",
        ),
        (
            set_at(
                (*BACKGROUND, 0, "events"),
                quantity(0.5, "events", uncertainty=0.1, uncertainty_down=0.2),
            ),
            "up and down",
        ),
        (set_at((*SIGNAL, "n_observed"), quantity(0.5, "events")), "integer"),
        (set_at(("nuisances",), [SHARED | {"sources": ["muons"]}]), "no region has"),
        (set_at(("nuisances",), [SHARED | {"sources": ["fakes"] * 2}]), "twice"),
        (set_at(("datasets",), []), "at least 1"),
        (set_at(("process",), "K to pi"), "pattern"),
        (set_at(("published_limit", "value", "value"), 2.0), "<= 1"),
    ],
)
def test_what_makes_no_sense_is_refused(change, words):
    content = copy.deepcopy(record())
    change(content)
    with pytest.raises(ValidationError, match=words):
        RareDecayRecord.model_validate(content)
