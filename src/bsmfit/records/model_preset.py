"""What a benchmark leaves open and a preset of its card fixes.

Every preset names production processes one by one, with the uncertainties of their
rates. A model function may ask for more: the form factor of a dark photon, the
coefficient of K+ -> pi+ S of a dark scalar. Adding two descriptions of the same
production counts it twice; the schema refuses the combinations that are known to do so:

- the bracket variants of the Bluemlein-Brunner formula, or one of them with the
  gauge-invariant form;
- mixing of a vector meson with a form factor that already has its pole ("vmd": rho and
  omega; "ua": these and the phi), or vector-meson mixing with decays of vector mesons;
- the inclusive decay of B mesons with one of its exclusive states.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field, field_validator, model_validator

from bsmfit.records.quantity import Provenance, Quantity, quantity_check
from bsmfit.records.shared_entries import NuisanceEntry, distinct_names
from bsmfit.records.strict_model import (
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = [
    "MODEL_PRESETS",
    "DarkPhotonPreset",
    "DarkScalarPreset",
    "HeavyNeutralLeptonPreset",
    "KaonDecayPreset",
    "Preset",
    "PresetNuisance",
    "ProcessName",
    "ProcessNorm",
]

ProcessName = Literal[
    "proton-bremsstrahlung",
    "proton-bremsstrahlung-alternative",
    "proton-bremsstrahlung-gauge-invariant",
    "pi0-decay",
    "eta-decay",
    "eta-prime-decay",
    "omega-decay",
    "rho-decay",
    "phi-decay",
    "rho-mixing",
    "omega-mixing",
    "phi-mixing",
    "kaon-to-pion",
    "dump-kaon-to-pion",
    "dump-kaon-long-to-pion",
    "dump-kaon-short-to-pion",
    "b-to-kaon",
    "b-to-kstar",
    "b-to-strange",
    "pi0-mixing",
    "eta-mixing",
    "eta-prime-mixing",
    "primakoff",
    "kaon-to-e-n",
    "kaon-to-mu-n",
    "pion-to-e-n",
    "kaon-to-pi-minus-e-e",
    "kaon-to-pi-minus-mu-mu",
    "kaon-to-pion-axion-pair",
    "kaon-to-pion-dark-photon-pair",
]

_KAON_TO_PION = "kaon-to-pion"
_DUMP_KAONS = (
    "dump-kaon-to-pion",
    "dump-kaon-long-to-pion",
    "dump-kaon-short-to-pion",
)
_EXCLUSIVE = ("b-to-kaon", "b-to-kstar")
_INCLUSIVE = "b-to-strange"
_OF_ELECTRONS = ("kaon-to-e-n", "pion-to-e-n", "kaon-to-pi-minus-e-e")
_OF_MUONS = ("kaon-to-mu-n", "kaon-to-pi-minus-mu-mu")
_BRACKETS = ("proton-bremsstrahlung", "proton-bremsstrahlung-alternative")
_GAUGE_INVARIANT = "proton-bremsstrahlung-gauge-invariant"
_LIGHT_DECAYS = ("pi0-decay", "eta-decay", "eta-prime-decay")
_MIXING = ("rho-mixing", "omega-mixing", "phi-mixing")
_POLES = {"none": (), "vmd": _MIXING[:2], "ua": _MIXING}
"""Mixings whose meson a form factor already has as a pole."""

_VECTOR_DECAYS = ("omega-decay", "rho-decay", "phi-decay")


class PresetNuisance(NuisanceEntry):
    """A theoretical uncertainty on the rate of some processes.

    Attributes:
        processes: Processes whose rate it multiplies.
    """

    processes: Annotated[Items[ProcessName], Field(min_length=1)]


class ProcessNorm(StrictModel):
    """A factor on the rate of one process.

    Attributes:
        value: The factor [1], >= 0.
        provenance: How far it can be trusted; "calibrated" where it was fitted.
        source: What it was fitted to, or where it comes from.
    """

    value: Annotated[float, Field(ge=0, lt=float("inf"))]
    provenance: Provenance
    source: Text


class Preset(StrictModel):
    """One choice of production processes: what the presets of all models have.

    Attributes:
        summary: What it is, in one line.
        assumption: What it assumes and when to use it.
        processes: Production processes switched on.
        norms: Factors on the rates of processes, 1 where none is given.
        nuisances: Uncertainties of the rates.
    """

    allowed_processes: ClassVar[tuple[str, ...]] = get_args(ProcessName)

    summary: Text
    assumption: Text
    processes: Annotated[
        Items[ProcessName],
        Field(min_length=1),
        distinct_names("a process is counted once"),
    ]
    norms: Annotated[dict[ProcessName, ProcessNorm], Field(default_factory=dict)]
    nuisances: Annotated[
        Items[PresetNuisance], distinct_names("one entry per parameter")
    ] = ()

    @field_validator("processes")
    @classmethod
    def _are_allowed(cls, processes: tuple[str, ...]) -> tuple[str, ...]:
        for process in processes:
            if process not in cls.allowed_processes:
                known = ", ".join(cls.allowed_processes)
                text = f"names {process!r}, no process of this model (known: {known})"
                raise invalid_value(text)
        return processes

    @model_validator(mode="after")
    def _norms_fit_the_processes(self) -> Preset:
        for process in self.norms:
            if process not in self.processes:
                has = ", ".join(self.processes)
                text = f"is no process of the preset (it has {has})"
                raise invalid_value(text, key=f"norms.{process}")
        return self

    @model_validator(mode="after")
    def _nuisances_fit_the_processes(self) -> Preset:
        for position, nuisance in enumerate(self.nuisances):
            for process in nuisance.processes:
                if process not in self.processes:
                    text = (
                        f"names {process!r}, which is not among the preset's processes "
                        f"({', '.join(self.processes)})"
                    )
                    raise invalid_value(text, key=f"nuisances.{position}.processes")
        return self


class KaonDecayPreset(Preset):
    """A preset of a particle that is made in kaon decays alone."""

    allowed_processes: ClassVar[tuple[str, ...]] = (_KAON_TO_PION,)


class DarkScalarPreset(Preset):
    """A preset of a dark scalar.

    Attributes:
        coefficient: C_K of BR(K+ -> pi+ S) = C_K (2 p_S / m_K) sin^2(theta) [1].
        beauty_coefficient: C_B of BR(B -> K S) [1]; with processes of B mesons only.
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (
        _KAON_TO_PION,
        *_DUMP_KAONS,
        *_EXCLUSIVE,
        _INCLUSIVE,
    )

    coefficient: Annotated[Quantity, quantity_check("1", above=0.0)]
    beauty_coefficient: Annotated[Quantity, quantity_check("1", above=0.0)] | None = (
        None
    )

    @model_validator(mode="after")
    def _counts_beauty_once(self) -> DarkScalarPreset:
        exclusive = [name for name in _EXCLUSIVE if name in self.processes]
        is_inclusive = _INCLUSIVE in self.processes
        if exclusive and is_inclusive:
            text = (
                f"has {_INCLUSIVE!r} and {', '.join(exclusive)}, which it contains; "
                "keep one kind"
            )
            raise invalid_value(text, key="processes")
        has_beauty = bool(exclusive) or is_inclusive
        if has_beauty != (self.beauty_coefficient is not None):
            text = (
                "and processes of B mesons "
                f"({', '.join((*_EXCLUSIVE, _INCLUSIVE))}) belong together; give both "
                "or none"
            )
            raise invalid_value(text, key="beauty_coefficient")
        return self


class HeavyNeutralLeptonPreset(Preset):
    """A preset of a heavy neutral lepton that mixes with one flavour.

    Attributes:
        flavour: Flavour of the neutrino that it mixes with.
        nature: "majorana", or "dirac" for one that conserves lepton number.
        setup: Setup record of the kaon beam, by folder name or path.
        vertex_length: Flight within which its decay passes for one at the vertex of
            the kaon [m].
    """

    allowed_processes: ClassVar[tuple[str, ...]] = _OF_ELECTRONS + _OF_MUONS

    flavour: Literal["electron", "muon"]
    nature: Literal["majorana", "dirac"]
    setup: Text
    vertex_length: Annotated[Quantity, quantity_check("m", above=0.0)]

    @model_validator(mode="after")
    def _processes_fit(self) -> HeavyNeutralLeptonPreset:
        own = _OF_ELECTRONS if self.flavour == "electron" else _OF_MUONS
        for process in self.processes:
            if process not in own:
                text = f"names {process!r}, which is not of the {self.flavour}"
                raise invalid_value(text, key="processes")
            if self.nature == "dirac" and "pi-minus" in process:
                text = (
                    f"names {process!r}, which conserves no lepton number; a 'dirac' "
                    "particle does not make it"
                )
                raise invalid_value(text, key="processes")
        return self


class DarkPhotonPreset(Preset):
    """A preset of a dark photon that decays to standard-model particles.

    Attributes:
        form_factor: Time-like proton form factor of the bremsstrahlung: none, "vmd"
            (vector-meson dominance) or "ua" (unitary and analytic, Dirac and Pauli).
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (
        *_BRACKETS,
        _GAUGE_INVARIANT,
        *_LIGHT_DECAYS,
        *_VECTOR_DECAYS,
        *_MIXING,
        _KAON_TO_PION,
    )

    form_factor: Literal["none", "vmd", "ua"]

    @model_validator(mode="after")
    def _counts_bremsstrahlung_once(self) -> DarkPhotonPreset:
        brackets = [name for name in _BRACKETS if name in self.processes]
        is_invariant = _GAUGE_INVARIANT in self.processes
        if len(brackets) + is_invariant > 1:
            both = ", ".join([*brackets, *[_GAUGE_INVARIANT] * is_invariant])
            text = (
                f"counts proton bremsstrahlung more than once ({both}); keep one form"
            )
            raise invalid_value(text, key="processes")
        if (self.form_factor == "ua") != is_invariant:
            text = (
                f"is {self.form_factor!r}; 'ua' belongs to the process "
                f"{_GAUGE_INVARIANT!r}, and it to 'ua'"
            )
            raise invalid_value(text, key="form_factor")
        if self.form_factor == "vmd" and not brackets:
            text = (
                "is 'vmd' but there is no bremsstrahlung to apply it to; add "
                f"{_BRACKETS[0]!r} to processes or use 'none'"
            )
            raise invalid_value(text, key="form_factor")
        return self

    @model_validator(mode="after")
    def _counts_vector_mesons_once(self) -> DarkPhotonPreset:
        mixing = [name for name in _MIXING if name in self.processes]
        decays = [name for name in _VECTOR_DECAYS if name in self.processes]
        twice = [name for name in mixing if name in _POLES[self.form_factor]]
        if twice:
            text = (
                f"is {self.form_factor!r} but the preset has vector-meson mixing "
                f"({', '.join(twice)}); the form factor has the same poles, so use "
                "'none' or leave the mixing out"
            )
            raise invalid_value(text, key="form_factor")
        if mixing and decays:
            text = (
                f"has mixing ({', '.join(mixing)}) and decays ({', '.join(decays)}) of "
                "vector mesons, which counts them twice; keep one kind"
            )
            raise invalid_value(text, key="processes")
        return self


MODEL_PRESETS: Final[Mapping[str, type[Preset]]] = {
    "dark-photon": DarkPhotonPreset,
    "dark-scalar": DarkScalarPreset,
    "flavour-violating-axion": KaonDecayPreset,
    "heavy-neutral-lepton": HeavyNeutralLeptonPreset,
    "invisible-dark-photon": KaonDecayPreset,
}
"""What a preset is, by model function."""
