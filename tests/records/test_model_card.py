"""Presets that would count a production twice, or leave part of it out, are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bsmfit.records.model_card import Preset

BB = "proton-bremsstrahlung"
INVARIANT = f"{BB}-gauge-invariant"


def preset(processes: list[str], form_factor: str, nuisances: list | None = None):
    return Preset.model_validate(
        {
            "summary": "a",
            "assumption": "b",
            "processes": processes,
            "form_factor": form_factor,
            "nuisances": nuisances or [],
        }
    )


@pytest.mark.parametrize(
    ("processes", "form_factor"),
    [
        ([BB], "none"),
        ([BB], "vmd"),
        (["pi0-decay"], "none"),
        ([INVARIANT], "ua"),
        ([BB, "pi0-decay", "rho-mixing", "phi-mixing"], "none"),
        ([BB, "omega-decay", "rho-decay"], "vmd"),
    ],
)
def test_consistent_preset_is_accepted(processes, form_factor) -> None:
    assert preset(processes, form_factor).processes == tuple(processes)


@pytest.mark.parametrize(
    ("processes", "form_factor", "text"),
    [
        ([BB, BB], "none", "twice"),
        ([BB, f"{BB}-alternative"], "none", "more than once"),
        ([BB, INVARIANT], "ua", "more than once"),
        ([INVARIANT], "none", "'ua' belongs to"),
        ([BB], "ua", "'ua' belongs to"),
        (["pi0-decay"], "vmd", "no bremsstrahlung"),
        ([BB, "rho-mixing"], "vmd", "same poles"),
        ([INVARIANT, "rho-mixing"], "ua", "same poles"),
        ([BB, "rho-mixing", "omega-decay"], "none", "counts them twice"),
    ],
)
def test_double_or_partial_counting_is_refused(processes, form_factor, text) -> None:
    with pytest.raises(ValidationError, match=text):
        preset(processes, form_factor)


def nuisance(name: str, process: str) -> dict:
    return {
        "name": name,
        "size": 0.4,
        "distribution": "lognormal",
        "processes": [process],
        "provenance": "assumed",
        "source": "test",
    }


def test_nuisance_must_act_on_a_process_of_its_preset() -> None:
    assert preset([BB], "none", [nuisance("brems_norm", BB)]).nuisances[0].size == 0.4
    with pytest.raises(ValidationError, match="not among the preset's processes"):
        preset([BB], "none", [nuisance("eta_norm", "eta-decay")])


def test_nuisance_names_differ() -> None:
    with pytest.raises(ValidationError, match="'a' twice"):
        preset([BB], "none", [nuisance("a", BB), nuisance("a", BB)])
