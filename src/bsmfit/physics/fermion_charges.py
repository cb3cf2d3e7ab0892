"""Fermions with a charge under a new vector, and which charges make one.

Names and checks alone, which cards are read with; the physics is in `vector_charges`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from bsmfit.errors import InputError, UnknownNameError

__all__ = [
    "CHARGED_FERMIONS",
    "CHARGED_LEPTONS",
    "FERMIONS",
    "KaonAmplitude",
    "check_charges",
]

KaonAmplitude = Literal["electromagnetic", "up-quark"]
"""Amplitude of K+ -> pi+ X: that of the photon, for quark charges proportional to the
electric ones; or an estimate by the charge of the up quark in the loop."""

CHARGED_LEPTONS: Final = ("electron", "muon", "tau")

CHARGED_FERMIONS: Final = {
    "up": 2.0 / 3.0,
    "down": -1.0 / 3.0,
    "strange": -1.0 / 3.0,
    "electron": -1.0,
    "muon": -1.0,
    "tau": -1.0,
}
"""Electric charges by name."""

FERMIONS: Final = (
    *CHARGED_FERMIONS,
    "electron_neutrino",
    "muon_neutrino",
    "tau_neutrino",
)
"""Fermions that have a charge, by name."""


def check_charges(
    charges: Mapping[str, float],
    *,
    kinetic_mixing: float = 0.0,
    has_loop_mixing: bool = False,
) -> None:
    """Refuse charges that make no vector.

    Args:
        charges: Charge of every fermion of `FERMIONS` [1].
        kinetic_mixing: Mixing with the photon over the coupling.
        has_loop_mixing: Whether loops of charged leptons mix it with the photon.

    Raises:
        UnknownNameError: A charge of no fermion.
        InputError: A fermion without charge, charges that are all zero, or loops that
            are not finite or not all.
    """
    for name in charges:
        if name not in FERMIONS:
            kind = "fermion with a charge"
            raise UnknownNameError.from_choices(kind, name, FERMIONS)
    missing = [name for name in FERMIONS if name not in charges]
    if missing:
        msg = f"charges lack {', '.join(missing)}; write 0 for a neutral fermion"
        raise InputError(msg)
    if not any(charges.values()) and kinetic_mixing == 0.0:
        msg = "charges are all 0; such a vector is never made and never decays"
        raise InputError(msg)
    if has_loop_mixing:
        _check_loops(charges)


def _check_loops(charges: Mapping[str, float]) -> None:
    """Refuse loops that diverge, or of quarks, which no formula here has."""
    total = sum(charges[name] for name in CHARGED_LEPTONS)
    if abs(total) > 1e-9:
        msg = (
            "loop mixing needs charges of electron, muon and tau that add up to 0, not "
            f"to {total:g}: its size is free otherwise; give a kinetic mixing instead"
        )
        raise InputError(msg)
    quarks = [name for name in ("up", "down", "strange") if charges[name]]
    if quarks:
        msg = (
            f"loop mixing is that of charged leptons, but {', '.join(quarks)} has a "
            "charge too; give a kinetic mixing instead"
        )
        raise InputError(msg)
    if not any(charges[name] for name in CHARGED_LEPTONS):
        msg = "loop mixing needs a charge of electron, muon or tau; all are 0"
        raise InputError(msg)
