"""What a record of the K+ -> pi+ nu nubar measurement may and may not say."""

from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from bsmfit.records.pi_nunu_record import PiNunuRecord


def quantity(value, unit="1", **more):
    return {
        "value": value,
        "unit": unit,
        "provenance": "published",
        "source": "table 1",
        **more,
    }


def subset(name):
    return {
        "name": name,
        "expected_standard_model": quantity(2.0, "events", uncertainty=0.1),
        "sensitivity": quantity(4.2e-11),
        "backgrounds": [
            {"name": "upstream", "events": quantity(1.0, "events", uncertainty=0.3)}
        ],
    }


def record():
    return {
        "id": "toy",
        "experiment": "NA62",
        "reference_branching_ratio": quantity(8.4e-11, uncertainty=1e-11),
        "normalisation": {
            "branching_ratio": quantity(0.2067),
            "downscaling": quantity(400.0),
        },
        "categories": [
            {
                "name": "all",
                "n_observed": {
                    "value": 3,
                    "unit": "events",
                    "provenance": "published",
                    "source": "table 1",
                },
                "subsets": [subset("s1"), subset("s2")],
            }
        ],
        "nuisances": [
            {
                "name": "sensitivity",
                "size": 0.06,
                "distribution": "lognormal",
                "subsets": ["s1", "s2"],
                "provenance": "published",
                "source": "table 1",
            }
        ],
        "datasets": [
            {
                "id": "toy-all",
                "title": "A measurement",
                "texkey": "NA62:2021zjw",
                "arxiv": "2103.15389",
                "categories": ["all"],
            }
        ],
    }


def changed(*path, value):
    content = copy.deepcopy(record())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


def test_complete_record_is_accepted():
    assert PiNunuRecord.model_validate(record()).categories[0].subsets[1].name == "s2"


FIRST = ("categories", 0, "subsets", 0)
EVENTS = (*FIRST, "backgrounds", 0, "events")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*EVENTS, "uncertainty"), None, "needs its error"),
        ((*EVENTS, "uncertainty"), 0.0, "needs its error"),
        ((*EVENTS, "uncertainty_down"), 1.0, "below 1"),
        ((*EVENTS, "value"), -1.0, "> 0"),
        ((*FIRST, "sensitivity", "value"), 5e-11, "must agree to 2 %"),
        ((*FIRST, "name"), "s2", "'s2' twice"),
        (("nuisances", 0, "subsets"), ["s1"], "no entry for the subset 's2'"),
        (("nuisances", 0, "subsets"), ["s1", "s3"], "'s3'"),
        (("nuisances", 0, "subsets"), ["s1", "s2", "s2"], "'s2' twice"),
        (("datasets", 0, "categories"), ["al"], "did you mean 'all'"),
        (("categories", 0, "subsets"), [], "at least 1"),
        (("reference_branching_ratio", "unit"), "events", "must be '1'"),
        (("split",), {"s1": 3}, "Extra inputs"),
    ],
    ids=str,
)
def test_fault_is_named(path, value, words):
    with pytest.raises(ValidationError, match=words):
        PiNunuRecord.model_validate(changed(*path, value=value))


def test_source_of_background_is_named_once():
    content = changed(*FIRST, "backgrounds", value=2 * subset("s1")["backgrounds"])
    with pytest.raises(ValidationError, match="'upstream' twice"):
        PiNunuRecord.model_validate(content)
