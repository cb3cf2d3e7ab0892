"""Presets of an axion-like particle: a direction of couplings at a scale.

The coupling of a map is the length of the vector; its name says in what unit
(`bsmfit.physics.alp_couplings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from bsmfit.errors import closest_name
from bsmfit.physics.alp_couplings_at_scale import (
    COUPLINGS,
    ELECTROWEAK_SCALE,
    LARGEST_SCALE,
    SCANNED_COUPLINGS,
)
from bsmfit.records.pair_preset import SeveralCouplingsPreset
from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.strict_model import CouplingName, invalid_value

__all__ = ["AlpPreset"]

_Coefficient = Annotated[float, Field(ge=-1e6, le=1e6)]


class AlpPreset(SeveralCouplingsPreset):
    r"""A preset of an axion-like particle.

    Attributes:
        scale: Scale of new physics, at which the couplings are given [GeV].
        couplings: Couplings there by name: ``gluon``, ``weak``, ``hypercharge`` and
            the nine fermions; 0 where not named.
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (
        "kaon-to-pion",
        "b-to-kaon",
        "b-to-kstar",
        "pi0-mixing",
        "eta-mixing",
        "eta-prime-mixing",
        "primakoff",
    )
    units: ClassVar[Mapping[str, tuple[str, str]]] = SCANNED_COUPLINGS

    scale: Annotated[Quantity, quantity_check("GeV", above=0.0, maximum=LARGEST_SCALE)]
    couplings: dict[CouplingName, _Coefficient]

    @field_validator("scale")
    @classmethod
    def _is_above_the_weak_scale(cls, scale: Quantity) -> Quantity:
        if scale.value < ELECTROWEAK_SCALE:
            text = (
                f"is {scale.value:g} GeV but must be {ELECTROWEAK_SCALE:g} GeV or "
                "more: couplings to W and B bosons and the top quark are given there"
            )
            raise invalid_value(text)
        return scale

    @field_validator("couplings")
    @classmethod
    def _are_some(cls, couplings: dict[str, float]) -> dict[str, float]:
        for name in couplings:
            if name not in COUPLINGS:
                guess = closest_name(name, COUPLINGS)
                hint = f"; did you mean {guess!r}?" if guess else ""
                known = ", ".join(COUPLINGS)
                text = f"names {name!r}, no coupling{hint} (known: {known})"
                raise invalid_value(text)
        if not any(couplings.values()):
            text = "are all 0; such a particle is never made and never decays"
            raise invalid_value(text)
        return couplings

    def needed(self) -> tuple[str, ...]:
        """Nothing but the scanned coupling."""
        return ()

    def in_words(self) -> list[tuple[str, str]]:
        """Rows that describe the preset."""
        given = ", ".join(f"{name} {value:g}" for name, value in self.couplings.items())
        scale = self.scale
        words = f"{scale.value:g} GeV  [{scale.provenance}] {scale.source}"
        return [
            ("scanned", self.coupling),
            ("couplings", f"{given}, in units of the scanned one"),
            ("scale", words),
        ]
