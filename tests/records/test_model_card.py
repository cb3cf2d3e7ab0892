"""Presets that count a production twice, leave part of it out or do not fit the model
of their card are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bsmfit.records.model_card import ModelCard
from bsmfit.records.model_preset import (
    MODEL_PRESETS,
    DarkPhotonPreset,
    DarkScalarPreset,
)

BB = "proton-bremsstrahlung"
INVARIANT = f"{BB}-gauge-invariant"


def preset(processes: list[str], form_factor: str, nuisances: list | None = None):
    return DarkPhotonPreset.model_validate(
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


def test_kaon_decay_of_a_dark_photon_is_a_process_like_others() -> None:
    assert preset(["kaon-to-pion"], "none").processes == ("kaon-to-pion",)
    with pytest.raises(ValidationError, match="no bremsstrahlung"):
        preset(["kaon-to-pion"], "vmd")


COEFFICIENT = {
    "value": 1.5e-3,
    "unit": "1",
    "provenance": "assumed",
    "source": "test",
}
PRESET = {"summary": "a", "assumption": "b", "processes": ["kaon-to-pion"]}


def content(model: str, **keys) -> dict:
    return {
        "name": "mine",
        "model": model,
        "summary": "a",
        "particle": "S",
        "coupling": "g",
        "mass_range": [0.001, 0.3],
        "texkeys": [],
        "default_preset": "one",
        "presets": {"one": {**PRESET, **keys}},
    }


def card(model: str, **keys) -> ModelCard:
    return ModelCard.model_validate(content(model, **keys))


def test_preset_is_that_of_the_model() -> None:
    scalar = card("dark-scalar", coefficient=COEFFICIENT).presets["one"]
    assert isinstance(scalar, DarkScalarPreset)
    assert scalar.coefficient.value == 1.5e-3
    photon = card("dark-photon", form_factor="none").presets["one"]
    assert isinstance(photon, DarkPhotonPreset)
    for model in ("flavour-violating-axion", "invisible-dark-photon"):
        assert type(card(model).presets["one"]) is MODEL_PRESETS[model]


def test_coupling_has_no_unit_and_no_symbol_unless_given() -> None:
    plain = card("invisible-dark-photon")
    assert plain.coupling_unit == "1"
    assert plain.coupling_symbol is None


RATE = {
    "processes": ["b-to-kaon"],
    "final_state": "mumu",
    "lifetime": {"value": 1e3, "low": 10.0, "high": 1e6, "points": 9},
    "rate": {"low": 1e-9, "high": 0.1, "points": 9},
}


def direction(scale=1e3, gluon=1.0):
    return {
        "processes": ["kaon-to-pion"],
        "coupling": "gluon_coupling",
        "scale": {**COEFFICIENT, "value": scale, "unit": "GeV"},
        "couplings": {"gluon": gluon},
    }


@pytest.mark.parametrize(
    ("model", "keys", "text"),
    [
        ("dark-scalr", {}, "no model function; did you mean 'dark-scalar'"),
        ("dark-scalar", {"coeficient": COEFFICIENT}, "did you mean 'coefficient'"),
        ("dark-scalar", {"form_factor": "none"}, "is no key of the presets"),
        ("invisible-dark-photon", {"form_factor": "none"}, "is no key of the presets"),
        ("dark-scalar", {}, "missing"),
        ("dark-photon", {}, "missing"),
        (
            "dark-scalar",
            {"coefficient": {**COEFFICIENT, "unit": "GeV"}},
            "is 'GeV' but must be '1'",
        ),
        (
            "dark-scalar",
            {"coefficient": {**COEFFICIENT, "value": 0.0}},
            "must be > 0",
        ),
        (
            "dark-scalar",
            {
                "coefficient": COEFFICIENT,
                "beauty_coefficient": COEFFICIENT,
                "processes": ["b-to-kaon", "b-to-strange"],
            },
            "'b-to-strange' and b-to-kaon, which it contains",
        ),
        (
            "dark-scalar",
            {"coefficient": COEFFICIENT, "processes": ["b-to-kaon"]},
            "belong together",
        ),
        (
            "dark-scalar",
            {"coefficient": COEFFICIENT, "processes": ["eta-decay"]},
            r"\(known: kaon-to-pion, dump-kaon-to-pion, .*b-to-kstar, b-to-strange\)",
        ),
        (
            "flavour-violating-axion",
            {"processes": ["eta-decay"]},
            r"no process of this model \(known: kaon-to-pion\)",
        ),
        (
            "flavour-violating-axion",
            {"nuisances": [nuisance("a", "eta-decay")]},
            "not among the preset's processes",
        ),
        ("given-rate", {**RATE, "final_state": "mumuu"}, "did you mean 'mumu'"),
        (
            "given-rate",
            {**RATE, "processes": ["b-to-kaon", "kaon-to-pion"]},
            "rates are independent",
        ),
        ("axion-like-particle", direction(scale=100.0), "must be 246 GeV or more"),
        ("axion-like-particle", direction(scale=1e20), r"must be > 0 and <= 1e\+15"),
        ("axion-like-particle", direction(gluon=0.0), "are all 0"),
    ],
)
def test_preset_that_does_not_fit_its_model_is_refused(model, keys, text) -> None:
    with pytest.raises(ValidationError, match=text):
        card(model, **keys)


@pytest.mark.parametrize(
    ("presets", "text"),
    [({}, "at least 1 item"), ([], "valid dictionary"), ({"one": 1}, "dictionary")],
)
def test_card_without_presets_is_refused(presets, text) -> None:
    with pytest.raises(ValidationError, match=text):
        ModelCard.model_validate({**content("dark-scalar"), "presets": presets})
