"""Validation of the dark photon's lifetime against public codes.

Our hadronic width has parameters of its own; the published values are those of DarkCast
(1801.04847), computed by running it. Within 25 MeV of the omega and 15 MeV of the phi
the tables of different codes differ by more than the tolerance: no point lies there.
"""

from __future__ import annotations

import jax.numpy as jnp

from bsmfit.catalogue.tables.physics_tables import load_hadronic_ratio
from bsmfit.core.constants import HBAR_C, PION_CHARGED_MASS
from bsmfit.physics.dark_photon_width import branching_ratios, total_width
from bsmfit.validation.targets import ValidationRow

__all__ = ["dark_photon_width_rows"]

_SOURCE = "DarkCast (1801.04847), computed by running the code"

_LIFETIMES = {
    0.01: 8.1126e-12,
    0.25: 1.8809e-13,
    0.5: 6.510e-14,
    0.7: 1.674e-14,
    0.9: 2.356e-14,
    1.5: 1.276e-14,
}
"""Proper decay length times the squared mixing [m] by mass [GeV]."""

_MUON_FRACTIONS = {0.25: 0.4204, 0.5: 0.3961, 0.7: 0.1440, 0.9: 0.2611, 1.5: 0.2358}
"""Branching ratio into muons by mass [GeV]."""


_SHARED_ANCESTORS = 1.08
"""Mass [GeV] above which our table and DarkCast's come from the same digitised data."""


def _tolerance(mass: float) -> float:
    if mass < 2.0 * PION_CHARGED_MASS:
        return 1.0e-3  # leptons only
    return 0.05 if mass <= 0.9 else 0.15


def dark_photon_width_rows() -> list[ValidationRow]:
    """Lifetimes and muon branching ratios.

    Returns:
        One row by number.
    """
    ratio = load_hadronic_ratio()
    rows = []
    for mass, published in _LIFETIMES.items():
        width = total_width(jnp.asarray(mass), jnp.asarray(1.0), hadronic_ratio=ratio)
        rows.append(
            ValidationRow(
                target="dark-photon lifetime",
                quantity=f"c tau epsilon^2 at {mass} GeV [m]",
                published=published,
                ours=HBAR_C / float(width),
                tolerance=_tolerance(mass),
                is_independent=mass < _SHARED_ANCESTORS,
                source=_SOURCE,
            )
        )
    for mass, published in _MUON_FRACTIONS.items():
        fractions = branching_ratios(jnp.asarray(mass), hadronic_ratio=ratio)
        rows.append(
            ValidationRow(
                target="dark-photon branching ratio",
                quantity=f"BR(mu mu) at {mass} GeV",
                published=published,
                ours=float(fractions["mumu"]),
                tolerance=_tolerance(mass),
                is_independent=False,
                source=_SOURCE,
                note="the same R(m) as the lifetime",
            )
        )
    return rows
