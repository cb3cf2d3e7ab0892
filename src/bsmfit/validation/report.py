"""Every validation row there is."""

from __future__ import annotations

from bsmfit.validation.dark_photon_width import dark_photon_width_rows
from bsmfit.validation.dump_mumu import dump_mumu_rows
from bsmfit.validation.targets import ValidationRow

__all__ = ["validation_rows"]


def validation_rows() -> list[ValidationRow]:
    """Compute all validation rows.

    Returns:
        Rows, group by group.
    """
    return dark_photon_width_rows() + dump_mumu_rows()
