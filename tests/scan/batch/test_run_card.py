from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from bsmfit.errors import DataFileError
from bsmfit.scan.batch.run_card import (
    AxisCard,
    ParameterAxisCard,
    RunCard,
    card_schema,
    read_run_card,
)

CARD = """\
card_version: 1
model: dark-photon
channels: [na62-dump-mumu, ./mine/record.yaml]
axes:
  mass: {low: 0.22, high: 0.6, points: 40}
  coupling: {values: [1.0e-7, 1.0e-6]}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "card.yaml"
        path.write_text(text)
        return path

    return write


def test_card_is_read_and_its_paths_are_those_beside_it(write, tmp_path):
    card = read_run_card(write(CARD))
    assert card.channels == ("na62-dump-mumu", str(tmp_path / "mine/record.yaml"))
    assert card.axes.coupling == AxisCard(values=(1e-7, 1e-6))
    assert (card.cl, card.method, card.ordering) == (0.9, "exact", "likelihood-ratio")


def test_card_comes_back_from_its_json(write):
    card = read_run_card(write(CARD))
    assert RunCard.model_validate_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("channels:", "chanels:", "did you mean 'channels'"),
        ("  mass:", "  mas:", "unknown key 'mas' in axes; did you mean 'mass'"),
        ("  mass:", "  lifetime:", r"unknown key 'lifetime' in axes.*coupling, mass"),
        ("points: 40", "points: 0", "line 5: axes.mass.points = 0 must be >= 1"),
        ("[1.0e-7, 1.0e-6]", "[]", "axes.coupling.values.*at least 1 entries"),
        ("[1.0e-7, 1.0e-6]", "[1.0e-6, 1.0e-7]", "must be strictly ascending"),
        (", points: 40", "", "axes.mass needs low, high and points, or values"),
        ("{values", "{low: 1.0e-8, values", "has values, and so neither low"),
        ("low: 0.22", "low: -0.22", "must be > 0"),
        ("card_version: 1", "card_version: 7", "is 7, and this version .* version 1"),
        ("card_version: 1", "cl: 1.5", "cl = 1.5 must be <= 0.999999"),
        ("card_version: 1", "method: toys", "method = 'toys' must be 'exact'"),
        ("card_version: 1", "ordering: sums", "did you mean 'sum'"),
        ("card_version: 1", "block_points: 0", "block_points = 0 must be >= 1"),
        ("card_version: 1", "processes: {pi0-decay: -1.0}", "must be >= 0"),
        ("card_version: 1", "model: dark-scalar", "model"),
        ("card_version: 1", "own_numbers: {proton: 1.0}", "did you mean 'protons'"),
        ("card_version: 1", "own_numbers: {efficiency: 2.0}", "must be <= 1"),
        (
            "  mass:",
            "  parameters: {a: {low: 1.0}}\n  mass:",
            "axes.parameters.a needs",
        ),
        (
            "  mass:",
            "  parameters: {a: {low: -1.0, high: 1.0, points: 3}}\n  mass:",
            "axes.parameters.a.low is -1 in equal ratios; write spacing: lin",
        ),
    ],
)
def test_fault_is_named_with_what_is_allowed(write, old, new, message):
    with pytest.raises(DataFileError, match=message):
        read_run_card(write(CARD.replace(old, new)))


def test_object_is_checked_as_the_file_is():
    with pytest.raises(ValidationError, match="chanels"):
        RunCard.model_validate({"model": "a", "channels": ["b"], "chanels": ["c"]})


def test_parameter_is_fixed_or_an_axis(write):
    axis = "axes:\n  parameters: {a: {values: [-1.0, 0.0]}}"
    card = read_run_card(
        write(CARD.replace("axes:", f"parameters: {{b: 2.0}}\n{axis}"))
    )
    assert card.axes.parameters["a"] == ParameterAxisCard(values=(-1.0, 0.0))
    assert RunCard.model_validate_json(card.to_json()) == card
    with pytest.raises(DataFileError, match="parameters fixes 'a', which is an axis"):
        read_run_card(write(CARD.replace("axes:", f"parameters: {{a: 2.0}}\n{axis}")))


def test_difference_names_the_key():
    one = RunCard(model="a", channels=("b",))
    other = one.model_copy(update={"cl": 0.95})
    assert one.differences(other) == ["cl: 0.95 there, 0.9 now"]
    assert one.differences(one) == []


def test_schema_names_every_key():
    schema = json.loads(card_schema())
    assert set(schema["properties"]) == set(RunCard.model_fields)
    assert schema["additionalProperties"] is False
