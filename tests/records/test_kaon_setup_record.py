"""What a record of beam, tracking and veto may and may not say."""

from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from bsmfit.records.kaon_setup_record import KaonSetupRecord


def quantity(value, unit):
    return {"value": value, "unit": unit, "provenance": "assumed", "source": "a guess"}


def setup():
    point = {
        "mass": 0.2,
        "lifetime_ns": 0.5,
        "ratio": 20.0,
        "channel": "toy",
        "source": "figure 8",
    }
    return {
        "id": "toy",
        "experiment": "NA62",
        "texkeys": ["NA62:2017rwk"],
        "geometry": "NA62_dump",
        "beam": {
            "momentum": quantity(75.0, "GeV"),
            "momentum_spread": quantity(0.01, "1"),
        },
        "decay_volume": {"start": quantity(105.0, "m"), "end": quantity(165.0, "m")},
        "detectors": ["straw", "lkr"],
        "tracking": {
            "kaon_momentum": quantity(0.002, "1"),
            "kaon_angle": quantity(16e-6, "rad"),
            "pion_momentum": quantity(0.003, "1"),
            "pion_momentum_slope": quantity(5e-5, "1/GeV"),
            "pion_angle_low": quantity(45e-6, "rad"),
            "pion_angle_high": quantity(15e-6, "rad"),
            "momentum_low": quantity(10.0, "GeV"),
            "momentum_high": quantity(50.0, "GeV"),
        },
        "veto_end": {
            "value": 252.0,
            "unit": "m",
            "uncertainty": 5.0,
            "provenance": "calibrated",
            "source": "fitted",
            "calibrated_at": point,
        },
    }


def changed(*path, value):
    content = copy.deepcopy(setup())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


def test_complete_setup_is_accepted():
    found = KaonSetupRecord.model_validate(setup()).veto_end
    assert found.calibrated_at is not None
    assert found.calibrated_at.ratio == 20.0


TRACKING = "tracking"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("veto_end", "calibrated_at"), None, "'calibrated_at' .* go together"),
        (("veto_end", "provenance"), "assumed", "'calibrated_at' .* go together"),
        (("veto_end", "calibrated_at", "ratio"), 0.9, "greater than 1"),
        (("veto_end", "value"), 160.0, "must lie beyond the decay volume, 165 m"),
        (("veto_end", "unit"), "mm", "'m'"),
        (("veto_end", "uncertainty"), -1.0, "greater than or equal to 0"),
        (("detectors",), ["straw", "straw"], "'straw' twice"),
        (("detectors",), ["gigatracker"], "'straw'"),
        (("detectors",), [], "at least 1"),
        ((TRACKING, "momentum_high", "value"), 8.0, "above momentum_low = 10 GeV"),
        ((TRACKING, "pion_angle_low", "unit"), "mrad", "must be 'rad'"),
        ((TRACKING, "kaon_momentum", "value"), -0.1, ">= 0"),
        (("beam", "momentum", "value"), 0.0, "> 0"),
        (("beam", "divergence"), 1e-5, "Extra inputs"),
    ],
    ids=str,
)
def test_fault_is_named(path, value, words):
    with pytest.raises(ValidationError, match=words):
        KaonSetupRecord.model_validate(changed(*path, value=value))
