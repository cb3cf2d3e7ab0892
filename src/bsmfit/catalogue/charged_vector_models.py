"""Functions of vectors with charges, from their cards."""

from __future__ import annotations

from pathlib import Path

from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.tables.physics_tables import (
    HADRONIC_RATIO_FILE,
    load_hadronic_ratio,
)
from bsmfit.physics.charged_vector import ChargedVector
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
    """
    function = ChargedVector(
        charges=charges.vector(),
        hadronic_ratio=load_hadronic_ratio(),
        processes=choice.processes,
        form_factor=choice.form_factor,
        kaon_amplitude=choice.kaon_amplitude,
    )
    return function, [data_root() / HADRONIC_RATIO_FILE]
