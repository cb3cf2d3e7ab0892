"""Physical constants, in GeV, m and s (natural units: hbar = c = 1 in GeV).

Masses, lifetimes and branching fractions are PDG averages [published]: Review of
Particle Physics (Navas:2024vhm and its 2026 update). CODATA 2022 for the rest.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BEAUTY_CHARGED_LIFETIME",
    "BEAUTY_CHARGED_MASS",
    "BEAUTY_NEUTRAL_LIFETIME",
    "ELECTRON_MASS",
    "ETA_MASS",
    "ETA_PRIME_MASS",
    "FERMI_CONSTANT",
    "FINE_STRUCTURE",
    "HBAR",
    "HBAR_C",
    "HIGGS_VEV",
    "KAON_CHARGED_LIFETIME",
    "KAON_CHARGED_MASS",
    "KAON_LONG_LIFETIME",
    "KAON_NEUTRAL_MASS",
    "KAON_SHORT_LIFETIME",
    "KSTAR_MASS",
    "MUON_MASS",
    "OMEGA_MASS",
    "PHI_MASS",
    "PION_CHARGED_LIFETIME",
    "PION_CHARGED_MASS",
    "PION_NEUTRAL_MASS",
    "PROTON_MASS",
    "RHO_MASS",
    "TAU_MASS",
]

HBAR_C: Final = 1.973269804e-16
"""Conversion constant hbar c [GeV m], exact to the digits given (CODATA)."""

HBAR: Final = 6.582119569e-25
"""Reduced Planck constant [GeV s], exact to the digits given (CODATA)."""

FINE_STRUCTURE: Final = 1.0 / 137.035999
"""Fine-structure constant at zero momentum transfer (CODATA)."""

FERMI_CONSTANT: Final = 1.1663788e-5
"""Fermi constant [GeV^-2] (PDG, from the lifetime of the muon)."""

HIGGS_VEV: Final = (2.0**0.5 * FERMI_CONSTANT) ** -0.5
"""Vacuum expectation value of the Higgs field [GeV], 246.2196."""

ELECTRON_MASS: Final = 0.51099895e-3
MUON_MASS: Final = 0.1056583755
TAU_MASS: Final = 1.77693
PROTON_MASS: Final = 0.93827208816
PION_CHARGED_MASS: Final = 0.13957039
PION_NEUTRAL_MASS: Final = 0.1349768
KAON_CHARGED_MASS: Final = 0.493677
KAON_NEUTRAL_MASS: Final = 0.497611
ETA_MASS: Final = 0.547862
ETA_PRIME_MASS: Final = 0.95778
RHO_MASS: Final = 0.77526
OMEGA_MASS: Final = 0.78266
PHI_MASS: Final = 1.019461
KSTAR_MASS: Final = 0.89167
BEAUTY_CHARGED_MASS: Final = 5.27941
"""Masses [GeV]."""

KAON_CHARGED_LIFETIME: Final = 1.2380e-8
"""Lifetime of the charged kaon [s] (PDG)."""

KAON_LONG_LIFETIME: Final = 5.116e-8
KAON_SHORT_LIFETIME: Final = 8.954e-11
"""Lifetimes of the neutral kaons [s] (PDG)."""

PION_CHARGED_LIFETIME: Final = 2.6033e-8
"""Lifetime of the charged pion [s] (PDG)."""

BEAUTY_CHARGED_LIFETIME: Final = 1.638e-12
BEAUTY_NEUTRAL_LIFETIME: Final = 1.517e-12
"""Lifetimes of the charged and of the neutral B meson [s] (PDG)."""
