"""A quantity without unit, provenance or source does not exist."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from bsmfit.records.quantity import Count, Quantity, quantity_check

GOOD = {"value": 1.0, "unit": "GeV", "provenance": "published", "source": "table 1"}
POINT = {
    "mass": 0.3,
    "coupling": 4e-7,
    "edge": "lower",
    "preset": "bremsstrahlung",
    "source": "figure 14",
}


@pytest.mark.parametrize("key", sorted(GOOD))
def test_every_key_is_needed(key) -> None:
    content = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(ValidationError, match=key):
        Quantity.model_validate(content)


@pytest.mark.parametrize(
    "change",
    [
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": "1"},
        {"value": True},
        {"value": None},
        {"unit": ""},
        {"source": "  "},
        {"provenance": "guessed"},
        {"uncertainty": -0.1},
        {"uncertainty": float("nan")},
        {"uncertainty_down": 0.1},
        {"uncertainty_cl": 1.0},
        {"error": 0.1},
        {"provenance": "calibrated"},
        {"calibrated_at": POINT},
        {"provenance": "calibrated", "calibrated_at": POINT | {"mass": 0.0}},
        {"provenance": "calibrated", "calibrated_at": POINT | {"edge": "both"}},
    ],
    ids=str,
)
def test_malformed_quantity_is_refused(change) -> None:
    with pytest.raises(ValidationError):
        Quantity.model_validate(GOOD | change)


def test_calibrated_quantity_names_its_point() -> None:
    content = GOOD | {"provenance": "calibrated", "calibrated_at": POINT}
    point = Quantity.model_validate(content).calibrated_at
    assert point is not None
    assert point.edge == "lower"


def test_quantity_is_frozen() -> None:
    quantity = Quantity.model_validate(GOOD)
    with pytest.raises(ValidationError):
        quantity.value = 2.0


@pytest.mark.parametrize(
    ("bounds", "value", "is_allowed"),
    [
        ({"above": 0.0}, 0.0, False),
        ({"above": 0.0}, 1e-9, True),
        ({"minimum": 0.0}, 0.0, True),
        ({"minimum": 0.0}, -1e-9, False),
        ({"maximum": 1.0}, 1.0, True),
        ({"maximum": 1.0}, 1.1, False),
        ({}, -5.0, True),
    ],
)
def test_range_is_enforced(bounds, value, is_allowed) -> None:
    adapter = TypeAdapter(Annotated[Quantity, quantity_check("GeV", **bounds)])
    content = GOOD | {"value": value}
    if is_allowed:
        assert adapter.validate_python(content).value == value
    else:
        with pytest.raises(ValidationError, match="but must be"):
            adapter.validate_python(content)


def test_unit_is_enforced() -> None:
    adapter = TypeAdapter(Annotated[Quantity, quantity_check("m")])
    with pytest.raises(ValidationError, match="is 'GeV' but must be 'm'"):
        adapter.validate_python(GOOD)


@pytest.mark.parametrize("value", [-1, 0.5, "1", True, None])
def test_count_is_a_whole_number(value) -> None:
    content = {"unit": "events", "provenance": "published", "source": "abstract"}
    with pytest.raises(ValidationError):
        Count.model_validate(content | {"value": value})
