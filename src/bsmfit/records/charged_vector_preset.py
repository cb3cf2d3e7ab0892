"""Charges of a vector on a card, and the presets of its production."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from bsmfit.errors import InputError, closest_name
from bsmfit.physics.fermion_charges import FERMIONS, KaonAmplitude, check_charges
from bsmfit.records.model_preset import DarkPhotonPreset
from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.strict_model import StrictModel, invalid_value

__all__ = ["ChargedVectorPreset", "ChargesEntry"]

_LARGEST = 1e3
_Charge = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
_Mixing = Annotated[Quantity, quantity_check("1", minimum=-_LARGEST, maximum=_LARGEST)]
_Number = float | int
_NEUTRINOS = tuple(name for name in FERMIONS if name.endswith("_neutrino"))
_NAMES = (*(name for name in FERMIONS if name not in _NEUTRINOS), "neutrinos")
_OTHER_KEYS = ("unit", "kinetic_mixing", "loop_mixing")


class ChargesEntry(StrictModel):
    r"""Charges of all fermions under a vector, in units of the coupling of the card.

    Attributes:
        unit: ``"g"`` for a gauge coupling, ``"e"`` for a coupling in units of e.
        up: Charge of up and charm [1].
        down: Charge of down [1].
        strange: Charge of strange [1].
        electron: Charge of the electron [1].
        muon: Charge of the muon [1].
        tau: Charge of the tau [1].
        neutrinos: Charge of all three left-handed neutrinos [1], or
        electron_neutrino: that of the electron neutrino,
        muon_neutrino: of the muon neutrino,
        tau_neutrino: and of the tau neutrino.
        kinetic_mixing: Kinetic mixing $\epsilon$ over the coupling, added to the
            charges.
        loop_mixing: Whether to add the mixing by loops of charged leptons.
    """

    unit: Literal["g", "e"] = "g"
    up: _Charge
    down: _Charge
    strange: _Charge
    electron: _Charge
    muon: _Charge
    tau: _Charge
    neutrinos: _Charge | None = None
    electron_neutrino: _Charge | None = None
    muon_neutrino: _Charge | None = None
    tau_neutrino: _Charge | None = None
    kinetic_mixing: _Mixing | None = None
    loop_mixing: bool = False

    @model_validator(mode="before")
    @classmethod
    def _names_every_fermion(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            text = f"must give a number for each of {', '.join(_NAMES)}"
            raise invalid_value(text)
        for name in given:
            known = (*FERMIONS, "neutrinos", *_OTHER_KEYS)
            if name not in known:
                guess = closest_name(str(name), known)
                hint = f"; did you mean {guess!r}?" if guess else ""
                text = f"names {name!r}, no fermion{hint} (known: {', '.join(known)})"
                raise invalid_value(text)
        missing = [n for n in _NAMES if n not in given]
        if all(name in given for name in _NEUTRINOS):
            missing = [name for name in missing if name != "neutrinos"]
        if missing:
            text = f"lack {', '.join(missing)}; write 0 for what has no charge"
            raise invalid_value(text)
        if "neutrinos" in given and any(name in given for name in _NEUTRINOS):
            text = "give neutrinos together and one by one; keep one of both"
            raise invalid_value(text)
        # a charge of 1 is written without a point
        return {
            name: float(value)
            if isinstance(value, _Number) and not isinstance(value, bool)
            else value
            for name, value in given.items()
        }

    @model_validator(mode="after")
    def _make_a_vector(self) -> ChargesEntry:
        mixing = self.kinetic_mixing
        try:
            check_charges(
                self.by_fermion(),
                kinetic_mixing=0.0 if mixing is None else mixing.value,
                has_loop_mixing=self.loop_mixing,
            )
        except InputError as error:
            # the path of the key stands before the text, and names its subject
            loops, text = "loop mixing ", str(error).removeprefix("charges ")
            key = "loop_mixing" if text.startswith(loops) else None
            raise invalid_value(text.removeprefix(loops), key=key) from None
        return self

    def by_fermion(self) -> dict[str, float]:
        """Charge of each of `FERMIONS`."""
        found: dict[str, float] = {}
        for name in FERMIONS:
            value = getattr(self, name)
            found[name] = value if value is not None else (self.neutrinos or 0.0)
        return found

    @property
    def is_like_the_photon(self) -> bool:
        """Whether the charges of quarks are in the proportion of the electric ones."""
        scale = max(abs(self.up), abs(self.down), abs(self.strange), 1e-300)
        off = (self.up + 2.0 * self.down, self.down - self.strange)
        return max(map(abs, off)) <= 1e-9 * scale

    def in_words(self) -> list[tuple[str, str]]:
        """Rows that describe the charges."""
        unit = "e times the coupling" if self.unit == "e" else "the coupling"
        given = ", ".join(f"{n} {value:g}" for n, value in self.by_fermion().items())
        rows = [("charges", f"{given}, in units of {unit}")]
        mixing = self.kinetic_mixing
        if mixing is not None:
            words = f"{mixing.value:g} [{mixing.provenance}] {mixing.source}"
            rows.append(("kinetic mixing per coupling", words))
        if self.loop_mixing:
            rows.append(("kinetic mixing", "by loops of charged leptons"))
        return rows


class ChargedVectorPreset(DarkPhotonPreset):
    """A preset of a vector with charges.

    Attributes:
        kaon_amplitude: Amplitude of K+ -> pi+ X: "electromagnetic", for charges of
            quarks that are proportional to the electric ones, or "up-quark", an
            estimate by the charge of the up quark in the loop.
    """

    allowed_processes: ClassVar[tuple[str, ...]] = (
        "proton-bremsstrahlung",
        "proton-bremsstrahlung-alternative",
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
    )

    kaon_amplitude: KaonAmplitude = "electromagnetic"
