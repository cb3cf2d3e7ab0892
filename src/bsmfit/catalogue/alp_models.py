"""Functions of axion-like particles, from their presets."""

from __future__ import annotations

from pathlib import Path

from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.tables.physics_tables import (
    ALP_FERMION_FILE,
    ALP_GLUON_FILE,
    load_alp_widths,
)
from bsmfit.physics.axion_like_particle import AxionLikeParticle
from bsmfit.records.alp_preset import AlpPreset

__all__ = ["alp_function"]


def alp_function(choice: AlpPreset) -> tuple[AxionLikeParticle, list[Path]]:
    """The function of a preset, and the tables that it uses.

    Args:
        choice: The preset.

    Returns:
        Function of mass and scanned coupling, and files.
    """
    function = AxionLikeParticle.from_scale(
        choice.couplings,
        load_alp_widths(),
        scale=choice.scale.value,
        scanned=choice.coupling,
        processes=choice.processes,
    )
    return function, [data_root() / f for f in (ALP_GLUON_FILE, ALP_FERMION_FILE)]
