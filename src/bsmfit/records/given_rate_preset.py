"""Presets of a particle whose rate and lifetime are given, without a theory."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from bsmfit.errors import closest_name
from bsmfit.physics.final_states import KNOWN_FINAL_STATES, VISIBLE
from bsmfit.records.model_preset import Preset
from bsmfit.records.strict_model import StrictModel, Text, invalid_value

__all__ = ["GivenRatePreset", "LifetimeEntry", "RateEntry"]

_Positive = Annotated[float, Field(gt=0, lt=float("inf"))]
_Points = Annotated[int, Field(ge=2, le=100_000)]
_BEAUTY = ("b-to-kaon", "b-to-kstar", "b-to-strange")
_KAONS = ("kaon-to-pion", "dump-kaon-to-pion")


class RateEntry(StrictModel):
    """The usual axis of the product of branching ratios.

    Attributes:
        low: First point, > 0.
        high: Last point, at most 1.
        points: Number of points, in equal ratios.
    """

    low: Annotated[float, Field(gt=0, lt=1)]
    high: Annotated[float, Field(gt=0, le=1)]
    points: _Points

    @model_validator(mode="after")
    def _ascends(self) -> RateEntry:
        if self.high <= self.low:
            text = f"is from {self.low:g} to {self.high:g}, which must ascend"
            raise invalid_value(text)
        return self

    def axis(self) -> tuple[float, float, int]:
        """Low, high, number of points."""
        return self.low, self.high, self.points


class LifetimeEntry(StrictModel):
    """The lifetime: its value, and its usual axis.

    Attributes:
        value: Lifetime of a plane of masses [ps].
        low: First point [ps], > 0.
        high: Last point [ps].
        points: Number of points, in equal ratios.
    """

    value: _Positive
    low: _Positive
    high: _Positive
    points: _Points

    @model_validator(mode="after")
    def _ascends(self) -> LifetimeEntry:
        if self.high <= self.low:
            text = f"is from {self.low:g} to {self.high:g} ps, which must ascend"
            raise invalid_value(text)
        return self

    def axis(self) -> tuple[float, float, int]:
        """Low, high, number of points."""
        return self.low, self.high, self.points


class GivenRatePreset(Preset):
    """A preset of a particle made at a given rate.

    Attributes:
        final_state: What it decays to; "visible" for decays that are seen and that no
            search looks for.
        lifetime: Its lifetime.
        rate: Axis of the rate.
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (*_BEAUTY, *_KAONS)

    final_state: Text
    lifetime: LifetimeEntry
    rate: RateEntry

    @model_validator(mode="after")
    def _is_one_rate(self) -> GivenRatePreset:
        states = (VISIBLE, *KNOWN_FINAL_STATES)
        if self.final_state not in states:
            guess, known = closest_name(self.final_state, states), ", ".join(states)
            hint = f"; did you mean {guess!r}?" if guess else ""
            text = f"is {self.final_state!r}, no final state{hint} (known: {known})"
            raise invalid_value(text, key="final_state")
        kinds = [any(p in kind for p in self.processes) for kind in (_BEAUTY, _KAONS)]
        if all(kinds):
            text = "names decays of B mesons and of kaons, whose rates are independent"
            raise invalid_value(text, key="processes")
        if "b-to-strange" in self.processes and len(self.processes) > 1:
            text = "names 'b-to-strange', which contains the others; keep one kind"
            raise invalid_value(text, key="processes")
        return self

    def in_words(self) -> list[tuple[str, str]]:
        """Rows that describe the preset."""
        life = self.lifetime
        words = f"{life.value:g} ps; axis {life.low:g} to {life.high:g} ps"
        return [
            ("decay", self.final_state),
            ("lifetime", f"{words}  [assumed] a choice of the preset"),
        ]
