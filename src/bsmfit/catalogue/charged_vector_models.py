"""Functions of vectors with charges, from their cards."""

from __future__ import annotations

from pathlib import Path

from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.tables.physics_tables import (
    HADRONIC_RATIO_FILE,
    load_hadronic_ratio,
)
from bsmfit.errors import InputError
from bsmfit.physics.charged_vector import ChargedVector
from bsmfit.physics.kaon_to_pion import KAON_TO_PION
from bsmfit.physics.vector_charges import VectorCharges
from bsmfit.records.charged_vector_preset import ChargedVectorPreset, ChargesEntry

__all__ = ["charged_vector_function"]


def charged_vector_function(
    charges: ChargesEntry, choice: ChargedVectorPreset
) -> tuple[ChargedVector, list[Path]]:
    """The function of a preset, and the tables that it uses.

    Args:
        charges: Charges of the card.
        choice: The preset.

    Returns:
        Function of mass and coupling, and files.

    Raises:
        InputError: Kaon decays whose amplitude is not known, where a user composes the
            production; a card that asks for them is refused when it is read.
    """
    is_estimate = choice.kaon_amplitude == "up-quark"
    is_known = charges.is_like_the_photon or is_estimate
    if KAON_TO_PION in choice.processes and not is_known:
        msg = (
            f"the amplitude of {KAON_TO_PION!r} is known for charges of quarks in the "
            "proportion 2 : -1 : -1 (or none) only; leave the process out, or take a "
            "preset with kaon_amplitude: up-quark for an estimate"
        )
        raise InputError(msg)
    function = ChargedVector(
        charges=_vector(charges),
        hadronic_ratio=load_hadronic_ratio(),
        processes=choice.processes,
        form_factor=choice.form_factor,
        kaon_amplitude=choice.kaon_amplitude,
    )
    return function, [data_root() / HADRONIC_RATIO_FILE]


def _vector(charges: ChargesEntry) -> VectorCharges:
    """The charges of a card as the physics takes them."""
    mixing = charges.kinetic_mixing
    return VectorCharges.from_charges(
        charges.by_fermion(),
        is_in_units_of_e=charges.unit == "e",
        kinetic_mixing=0.0 if mixing is None else mixing.value,
        has_loop_mixing=charges.loop_mixing,
    )
