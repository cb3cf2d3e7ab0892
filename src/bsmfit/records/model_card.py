"""A benchmark: a model, its range of validity and its named production presets.

A card names a model function and fixes what the theory leaves open: which production
processes are switched on, with which form factor, and how uncertain their rates are.
Each such set is a preset. Processes are named one by one, since adding two descriptions
of the same production counts it twice; the schema refuses the combinations that are
known to do so:

- the bracket variants of the Bluemlein-Brunner formula, or one of them with the
  gauge-invariant form;
- vector-meson mixing with a form factor that already has the vector-meson poles, or
  with the decays of the same vector mesons.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bsmfit.errors import closest_name
from bsmfit.records.quantity import Provenance
from bsmfit.records.strict_model import (
    CouplingName,
    Identifier,
    Items,
    NuisanceName,
    StrictModel,
    Text,
    first_duplicate,
    invalid_value,
)

__all__ = ["ModelCard", "Preset", "PresetNuisance", "ProcessName"]

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
]

_BRACKETS = ("proton-bremsstrahlung", "proton-bremsstrahlung-alternative")
_GAUGE_INVARIANT = "proton-bremsstrahlung-gauge-invariant"
_MIXING = ("rho-mixing", "omega-mixing", "phi-mixing")
_VECTOR_DECAYS = ("omega-decay", "rho-decay", "phi-decay")


class PresetNuisance(StrictModel):
    """A theoretical uncertainty on the rate of some processes.

    Attributes:
        name: Name of the parameter, shared by all channels.
        size: Relative size; the response is (1 + size)**theta.
        distribution: Always "lognormal".
        processes: Processes whose rate it multiplies.
        provenance: How far the size can be trusted.
        source: Texkey with table; or words.
    """

    name: NuisanceName
    size: Annotated[float, Field(gt=0)]
    distribution: Literal["lognormal"]
    processes: Annotated[Items[ProcessName], Field(min_length=1)]
    provenance: Provenance
    source: Text


class Preset(StrictModel):
    """One choice of production processes.

    Attributes:
        summary: What it is, in one line.
        assumption: What it assumes and when to use it.
        processes: Production processes switched on.
        form_factor: Time-like proton form factor of the bremsstrahlung: none, "vmd"
            (vector-meson dominance) or "ua" (unitary and analytic, Dirac and Pauli).
        nuisances: Uncertainties of the rates.
    """

    summary: Text
    assumption: Text
    processes: Annotated[Items[ProcessName], Field(min_length=1)]
    form_factor: Literal["none", "vmd", "ua"]
    nuisances: Items[PresetNuisance] = ()

    @field_validator("processes")
    @classmethod
    def _differ(cls, processes: tuple[str, ...]) -> tuple[str, ...]:
        twice = first_duplicate(processes)
        if twice is not None:
            text = f"names {twice!r} twice; a process is counted once"
            raise invalid_value(text)
        return processes

    @model_validator(mode="after")
    def _counts_bremsstrahlung_once(self) -> Preset:
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
    def _counts_vector_mesons_once(self) -> Preset:
        mixing = [name for name in _MIXING if name in self.processes]
        decays = [name for name in _VECTOR_DECAYS if name in self.processes]
        if mixing and self.form_factor != "none":
            text = (
                f"is {self.form_factor!r} but the preset has vector-meson mixing "
                f"({', '.join(mixing)}); the form factor has the same poles, so use "
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

    @model_validator(mode="after")
    def _nuisances_fit_the_processes(self) -> Preset:
        twice = first_duplicate([nuisance.name for nuisance in self.nuisances])
        if twice is not None:
            text = f"names {twice!r} twice; one entry per parameter"
            raise invalid_value(text, key="nuisances")
        for position, nuisance in enumerate(self.nuisances):
            for process in nuisance.processes:
                if process not in self.processes:
                    text = (
                        f"names {process!r}, which is not among the preset's processes "
                        f"({', '.join(self.processes)})"
                    )
                    raise invalid_value(text, key=f"nuisances.{position}.processes")
        return self


class ModelCard(StrictModel):
    """A benchmark model.

    Attributes:
        name: Name of the benchmark, equal to the stem of a shipped file.
        pbc: Physics Beyond Colliders benchmark, for example "BC1", or None.
        model: Name of the model function.
        summary: What it is, in one line.
        particle: Symbol of the particle, TeX without dollars.
        coupling: Name of the coupling, the second coordinate of a scan.
        mass_range: Range of masses in which the model is valid [GeV].
        texkeys: Publications to cite.
        default_preset: Preset used where none is named.
        presets: Presets by name.
    """

    name: Identifier
    pbc: Annotated[str, Field(pattern=r"^BC([1-9]|1[01])$")] | None = None
    model: Identifier
    summary: Text
    particle: Text
    coupling: CouplingName
    mass_range: Annotated[
        Items[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)
    ]
    texkeys: Items[Text]
    default_preset: Identifier
    presets: Annotated[dict[Identifier, Preset], Field(min_length=1)]

    @field_validator("mass_range")
    @classmethod
    def _is_ordered(cls, mass_range: tuple[float, ...]) -> tuple[float, ...]:
        low, high = mass_range
        if high <= low:
            text = f"is [{low:g}, {high:g}] GeV but must be [lower, upper]"
            raise invalid_value(text)
        return mass_range

    @model_validator(mode="after")
    def _default_exists(self) -> ModelCard:
        if self.default_preset not in self.presets:
            guess = closest_name(self.default_preset, self.presets)
            hint = f"; did you mean {guess!r}?" if guess else ""
            known = ", ".join(sorted(self.presets))
            text = f"is {self.default_preset!r}, no preset{hint} (known: {known})"
            raise invalid_value(text, key="default_preset")
        return self
