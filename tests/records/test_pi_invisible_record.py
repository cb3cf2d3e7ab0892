"""What a record of a search for K+ -> pi+ X may and may not say."""

from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from bsmfit.records.pi_invisible_record import PiInvisibleRecord


def quantity(value, unit="1", **more):
    source = {"provenance": "published", "source": "table 1"}
    return {"value": value, "unit": unit, **source, **more}


def window(low, high, unit):
    source = {"provenance": "published", "source": "sec. 4"}
    return {"low": low, "high": high, "unit": unit, **source}


def region(low, high):
    return {
        "missing_mass_squared": window(low, high, "GeV^2"),
        "momentum": window(15.0, 35.0, "GeV"),
    }


def sample(name):
    return {
        "name": name,
        "expected_events": quantity(2.0, "events"),
        "regions": [region(0.0, 0.01), region(0.026, 0.068)],
    }


def record():
    axis = {"low": 1e-9, "high": 1e-3, "n_points": 10}
    return {
        "id": "toy-search",
        "kind": "pi-invisible",
        "experiment": "NA62",
        "texkey": "NA62:2021zjw",
        "arxiv": "2103.15389",
        "title": "A search",
        "setup": "toy",
        "datasets": ["toy"],
        "samples": [sample("a"), sample("b")],
        "single_event_sensitivity": quantity(1e-11),
        "neutrino_events": quantity(4.0, "events"),
        "background": quantity(3.0, "events"),
        "published_limit": {
            "file": "limit.csv",
            "confidence_level": quantity(0.9),
            "method": "CLs",
            "source": "figure 7",
        },
        "background_shape": "information",
        "segments": [{"low": 0.0, "high": 0.11}, {"low": 0.15, "high": 0.26}],
        "default_mass": {"low": 0.01, "high": 0.25, "n_points": 10},
        "default_coupling": {"dark-scalar": axis},
        "nuisances": [
            {
                "name": "acceptance",
                "size": 0.1,
                "distribution": "lognormal",
                "affects": "signal",
                "provenance": "assumed",
                "source": "a guess",
            }
        ],
        "veto_nuisance": "veto_end",
    }


def changed(*path, value):
    content = copy.deepcopy(record())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


def test_complete_record_is_accepted():
    found = PiInvisibleRecord.model_validate(record())
    assert found.samples[1].regions[1].missing_mass_squared.high == 0.068


COUNT = quantity(3, "events")
FIRST = ("samples", 0, "regions", 0)
SECOND = ("samples", 1, "regions", 0)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*FIRST, "missing_mass_squared", "high"), -0.1, "must lie above low = 0"),
        ((*FIRST, "missing_mass_squared", "unit"), "GeV", "must be 'GeV\\^2'"),
        ((*FIRST, "momentum", "unit"), "GeV^2", "must be 'GeV'"),
        ((*FIRST, "momentum", "low"), -1.0, "must be >= 0"),
        ((*SECOND, "missing_mass_squared", "high"), 0.011, "'b' has other regions"),
        (("segments", 1, "low"), 0.11, "ascend without overlap"),
        (("segments", 1, "high"), 0.12, "must lie above low = 0.15"),
        (("n_observed",), COUNT, "one of 'published_limit' and 'n_observed'"),
        (("published_limit",), None, "one of 'published_limit' and 'n_observed'"),
        (("published_limit", "file"), "../limit.csv", "relative path of a .csv"),
        (("published_limit", "file"), "limit.txt", "relative path of a .csv"),
        (("published_limit", "confidence_level", "value"), 1.5, "<= 1"),
        (("published_limit", "method"), "guess", "'CLs'"),
        (("single_event_sensitivity", "unit"), "events", "must be '1'"),
        (("single_event_sensitivity", "value"), 0.0, "> 0"),
        (("background", "unit"), "1", "must be 'events'"),
        (("background", "provenance"), "calibrated", "needs the key 'calibrated_at'"),
        (("neutrino_events", "value"), 5.0, "but the samples expect 4 events"),
        (("background_shape",), "flat", "'information'"),
        (("samples",), [], "at least 1"),
        (("datasets",), [], "at least 1"),
        (("kind",), "beam-dump", "'pi-invisible'"),
        (("veto",), 3.0, "Extra inputs"),
    ],
    ids=str,
)
def test_fault_is_named(path, value, words):
    with pytest.raises(ValidationError, match=words):
        PiInvisibleRecord.model_validate(changed(*path, value=value))


def test_nuisance_is_named_once():
    content = changed("nuisances", value=2 * record()["nuisances"])
    with pytest.raises(ValidationError, match="'acceptance' twice"):
        PiInvisibleRecord.model_validate(content)


def test_sensitivity_at_a_mass_needs_no_sum_of_neutrino_events():
    content = changed("neutrino_events", "value", value=0.0) | {"reference_mass": 0.135}
    assert PiInvisibleRecord.model_validate(content).reference_mass == 0.135


def test_count_in_place_of_the_limit_is_accepted():
    content = record() | {"published_limit": None, "n_observed": COUNT}
    found = PiInvisibleRecord.model_validate(content).n_observed
    assert found is not None
    assert found.value == 3
