"""Names of all production processes that the package knows, whatever search uses them.

A model may have processes of several kinds of search: one theory serves kaons and
beam dump, and each search takes what it knows.
"""

from __future__ import annotations

from bsmfit.physics.alp_dump_production import ALP_DUMP_PROCESSES
from bsmfit.physics.axion_pair import AXION_PAIR
from bsmfit.physics.beauty_to_strange import BEAUTY_PROCESSES
from bsmfit.physics.dark_cascade import CASCADE
from bsmfit.physics.dark_photon import DARK_PHOTON_PROCESSES
from bsmfit.physics.dump_kaons import DUMP_KAON_PROCESSES
from bsmfit.physics.heavy_neutral_lepton import HEAVY_NEUTRAL_LEPTON_PROCESSES
from bsmfit.physics.kaon_to_pion import KAON_TO_PION

__all__ = ["KNOWN_PROCESSES", "RARE_DECAYS"]

RARE_DECAYS = (
    "kaon-to-mu-minus-nu-e-e",
    "kaon-to-pi-minus-e-e",
    "kaon-to-pi-minus-mu-e",
    "kaon-to-pi-minus-mu-mu",
    "kaon-to-pi-minus-pi0-e-e",
    "kaon-to-pi-plus-mu-minus-e-plus",
    "kaon-to-pi0-pi-minus-mu-e",
    "kaon-to-pi0-pi-plus-mu-minus-e-plus",
    "kaon-to-pi0-pi-plus-mu-plus-e-minus",
    "pion-to-mu-minus-e-plus",
)
"""Decays of K+ and pi0 that violate lepton number or flavour, by name; the strength is
their branching ratio."""

KNOWN_PROCESSES = tuple(
    dict.fromkeys(
        (
            *DARK_PHOTON_PROCESSES,
            KAON_TO_PION,
            *DUMP_KAON_PROCESSES,
            *BEAUTY_PROCESSES,
            *ALP_DUMP_PROCESSES,
            AXION_PAIR,
            CASCADE,
            *HEAVY_NEUTRAL_LEPTON_PROCESSES,
            *RARE_DECAYS,
        )
    )
)
"""Production processes of the shipped models and searches, by name."""
