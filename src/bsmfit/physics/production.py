"""Names of all production processes that the package knows, whatever search uses them.

A model may have processes of several kinds of search: one theory serves kaons and
beam dump, and each search takes what it knows.
"""

from __future__ import annotations

from bsmfit.physics.axion_pair import AXION_PAIR
from bsmfit.physics.dark_cascade import CASCADE
from bsmfit.physics.dark_photon import DARK_PHOTON_PROCESSES
from bsmfit.physics.kaon_to_pion import KAON_TO_PION

__all__ = ["KNOWN_PROCESSES"]

KNOWN_PROCESSES = (*DARK_PHOTON_PROCESSES, KAON_TO_PION, AXION_PAIR, CASCADE)
"""Production processes of the shipped models, by name."""
