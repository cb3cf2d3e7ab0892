"""Every validation row there is."""

from __future__ import annotations

from bsmfit.validation.axion_like import axion_like_rows
from bsmfit.validation.beauty import beauty_rows
from bsmfit.validation.charged_vectors import charged_vector_rows
from bsmfit.validation.dark_photon_width import dark_photon_width_rows
from bsmfit.validation.dark_scalar import dark_scalar_rows
from bsmfit.validation.dump_ee import dump_ee_rows
from bsmfit.validation.dump_mumu import dump_mumu_rows
from bsmfit.validation.four_electron import four_electron_rows
from bsmfit.validation.heavy_neutral_lepton import heavy_neutral_lepton_rows
from bsmfit.validation.other_dumps import other_dump_rows
from bsmfit.validation.pi_invisible import pi_invisible_rows
from bsmfit.validation.pi_nunu import pi_nunu_rows
from bsmfit.validation.rare_decays import rare_decay_rows
from bsmfit.validation.scalar_edge import scalar_edge_rows
from bsmfit.validation.targets import ValidationRow
from bsmfit.validation.visible_kaon_decays import visible_kaon_decay_rows

__all__ = ["validation_rows"]


def validation_rows() -> list[ValidationRow]:
    """Compute all validation rows.

    Returns:
        Rows, group by group.
    """
    groups = (
        dark_photon_width_rows,
        dump_mumu_rows,
        dump_ee_rows,
        dark_scalar_rows,
        beauty_rows,
        pi_nunu_rows,
        pi_invisible_rows,
        rare_decay_rows,
        scalar_edge_rows,
        four_electron_rows,
        heavy_neutral_lepton_rows,
        other_dump_rows,
        visible_kaon_decay_rows,
        axion_like_rows,
        charged_vector_rows,
    )
    return [row for group in groups for row in group()]
