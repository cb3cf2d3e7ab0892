"""Couplings of an axion-like particle at the scale of new physics, by name.

Names alone, which cards are read with; what they mean is in `alp_running` and
`alp_couplings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "COUPLINGS",
    "DOWN_TYPE",
    "ELECTROWEAK_SCALE",
    "FERMIONS",
    "LARGEST_SCALE",
    "LEPTONS",
    "SCANNED_COUPLINGS",
    "UP_TYPE",
]

UP_TYPE: Final = ("up", "charm", "top")
DOWN_TYPE: Final = ("down", "strange", "bottom")
LEPTONS: Final = ("electron", "muon", "tau")

FERMIONS: Final = (*UP_TYPE, *DOWN_TYPE, *LEPTONS)
"""Fermions, by name of their axial coupling."""

COUPLINGS: Final = ("gluon", "weak", "hypercharge", *FERMIONS)
"""Couplings at the scale of new physics: c_GG, c_WW, c_BB and the nine c_ff."""

ELECTROWEAK_SCALE: Final = 246.0
"""Lowest scale of new physics [GeV]: below it W bosons and top quark do not run."""

LARGEST_SCALE: Final = 1e15
"""Largest scale of new physics [GeV]."""

SCANNED_COUPLINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "decay_constant": ("GeV", "f_a"),
        "photon_coupling": ("GeV^-1", r"g_{a\gamma\gamma}"),
        "yukawa_coupling": ("1", "g_Y"),
        "gluon_coupling": ("GeV^-1", "1/f_G"),
    }
)
"""Unit and symbol of the coupling that a plane is scanned in, by name."""
