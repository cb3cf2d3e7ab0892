"""Presets of models with several couplings, of which one is scanned.

A preset names the scanned coupling and fixes the others; every coupling of the model is
one or the other. A model of two particles has one mass on its axis, and the preset says
what the other is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from bsmfit.records.model_preset import Preset
from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.strict_model import CouplingName, Items, Text, invalid_value

__all__ = [
    "PAIR_PRESETS",
    "AxionPairPreset",
    "AxionPairRatePreset",
    "CascadePreset",
    "CascadeRatePreset",
    "SeveralCouplingsPreset",
]

_AXION_PAIR = "kaon-to-pion-axion-pair"
_CASCADE = "kaon-to-pion-dark-photon-pair"
_COEFFICIENT = quantity_check("1", above=0.0)
_Positive = Annotated[float, Field(gt=0)]


class SeveralCouplingsPreset(Preset):
    """One coupling is scanned, the others are fixed.

    Attributes:
        coupling: The scanned coupling, the second coordinate of a map.
        fixed: Values of the other couplings.
        particle: Symbol of the particle of the mass axis; that of the card where None.
        mass_range: Masses of the axis at which the preset is valid [GeV]; those of the
            card where None.
    """

    units: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})
    """Unit and symbol of each coupling of the model."""

    coupling: CouplingName
    fixed: Annotated[dict[CouplingName, _Positive], Field(default_factory=dict)]
    particle: Text | None = None
    mass_range: (
        Annotated[Items[_Positive], Field(min_length=2, max_length=2)] | None
    ) = None

    @model_validator(mode="after")
    def _every_coupling_is_scanned_or_fixed(self) -> SeveralCouplingsPreset:
        known = ", ".join(self.units)
        for key, names in (("coupling", [self.coupling]), ("fixed", self.fixed)):
            for name in names:
                if name not in self.units:
                    text = f"names {name!r}, no coupling of this model (known: {known})"
                    raise invalid_value(text, key=key)
        if self.coupling in self.fixed:
            text = f"fixes {self.coupling!r}, which is scanned; leave one of them out"
            raise invalid_value(text, key="fixed")
        missing = [n for n in self.needed() if n not in (self.coupling, *self.fixed)]
        if missing:
            text = f"lacks {', '.join(missing)}: every coupling is scanned or fixed"
            raise invalid_value(text, key="fixed")
        if self.mass_range is not None and self.mass_range[1] <= self.mass_range[0]:
            text = f"is {list(self.mass_range)} GeV but must be [lower, upper]"
            raise invalid_value(text, key="mass_range")
        return self

    def needed(self) -> tuple[str, ...]:
        """Couplings that must be scanned or fixed."""
        return tuple(self.units)

    def in_words(self) -> list[tuple[str, str]]:
        """Rows that describe the preset."""
        fixed = ", ".join(f"{name} = {value:g}" for name, value in self.fixed.items())
        words = f"{fixed or 'nothing'}  [assumed] a choice of the preset"
        return [("scanned", self.coupling), ("fixed", words)]


class AxionPairPreset(SeveralCouplingsPreset):
    """A preset of a piophobic axion.

    Attributes:
        octet_coupling: g_8 of K+ -> pi+ a a [1].
        is_mass_relation: Whether the decay constant follows from the mass.
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (_AXION_PAIR,)
    units: ClassVar[Mapping[str, tuple[str, str]]] = {
        "electron_charge": ("1", "Q_e"),
        "decay_constant": ("GeV", "f_a"),
    }

    octet_coupling: Annotated[Quantity, _COEFFICIENT]
    is_mass_relation: bool = False

    @model_validator(mode="after")
    def _has_one_decay_constant(self) -> AxionPairPreset:
        given = "decay_constant" in (self.coupling, *self.fixed)
        if self.is_mass_relation and given:
            text = "is true, and decay_constant is scanned or fixed; leave one out"
            raise invalid_value(text, key="is_mass_relation")
        return self

    def needed(self) -> tuple[str, ...]:
        """Couplings that must be scanned or fixed."""
        return ("electron_charge",) if self.is_mass_relation else tuple(self.units)

    def in_words(self) -> list[tuple[str, str]]:
        """Rows that describe the preset."""
        relation = "follows from the mass" if self.is_mass_relation else "free"
        octet = self.octet_coupling
        words = f"{octet.value:g}  [{octet.provenance}] {octet.source}"
        return [*super().in_words(), ("decay constant", relation), ("g_8", words)]


class _TwoMasses(SeveralCouplingsPreset):
    """A preset of a scalar and dark photons.

    Attributes:
        axis: Whose mass is the axis: "scalar" or "dark-photon".
        other_mass: Mass of the other [GeV], or None.
        mass_ratio: m_A' / m_S, or None.
    """

    axis: Literal["scalar", "dark-photon"]
    other_mass: _Positive | None = None
    mass_ratio: Annotated[float, Field(gt=0, lt=0.5)] | None = None

    @model_validator(mode="after")
    def _has_one_other_mass(self) -> _TwoMasses:
        if (self.other_mass is None) == (self.mass_ratio is None):
            text = "and mass_ratio: give one of the two"
            raise invalid_value(text, key="other_mass")
        return self

    def in_words(self) -> list[tuple[str, str]]:
        """Rows that describe the preset."""
        other = (
            f"m_A' / m_S = {self.mass_ratio:g}"
            if self.other_mass is None
            else f"{self.other_mass:g} GeV"
        )
        return [*super().in_words(), ("mass axis", self.axis), ("other mass", other)]


class CascadePreset(_TwoMasses):
    """A preset of K+ -> pi+ S, S -> A' A'.

    Attributes:
        coefficient: C_K of BR(K+ -> pi+ S) = C_K (2 p_S / m_K) sin^2(theta) [1].
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (
        _CASCADE,
        "kaon-to-pion",
        "proton-bremsstrahlung",
        "pi0-decay",
        "eta-decay",
    )
    units: ClassVar[Mapping[str, tuple[str, str]]] = {
        "sin_theta_squared": ("1", r"\sin^2\theta"),
        "epsilon": ("1", r"\varepsilon"),
        "dark_coupling": ("1", "g_D"),
    }

    coefficient: Annotated[Quantity, _COEFFICIENT]

    @model_validator(mode="after")
    def _makes_the_particle_of_the_axis(self) -> CascadePreset:
        if _CASCADE not in self.processes:
            text = f"must name {_CASCADE!r}; for a scalar alone take dark-scalar"
            raise invalid_value(text, key="processes")
        extra = set(self.processes) - {_CASCADE, "kaon-to-pion"}
        if self.axis == "scalar" and extra:
            text = (
                f"names {', '.join(sorted(extra))}, which make dark photons; the "
                "axis is that of the scalar"
            )
            raise invalid_value(text, key="processes")
        return self


class AxionPairRatePreset(SeveralCouplingsPreset):
    """A preset of two particles made at a given rate.

    Attributes:
        decay_length: Proper decay length [m].
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (_AXION_PAIR,)
    units: ClassVar[Mapping[str, tuple[str, str]]] = {
        "branching_ratio": ("1", r"\mathcal{B}")
    }

    decay_length: _Positive


class CascadeRatePreset(_TwoMasses):
    """A preset of the chain at a given rate.

    Attributes:
        decay_length: Proper decay length of the dark photon [m].
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (_CASCADE,)
    units: ClassVar[Mapping[str, tuple[str, str]]] = AxionPairRatePreset.units

    decay_length: _Positive


PAIR_PRESETS: Final[Mapping[str, type[Preset]]] = {
    "dark-axion-pair": AxionPairPreset,
    "dark-cascade": CascadePreset,
    "axion-pair-rate": AxionPairRatePreset,
    "cascade-rate": CascadeRatePreset,
}
"""What a preset is, by model function."""
