"""Names of the final states of the shipped models and searches.

A search finds its final state by name among the branching ratios of a model. Charges
are part of the name where a search sees them: ``"pi+pi-"`` is two thirds of all pairs
of pions that a scalar decays to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bsmfit.errors import UnknownNameError, closest_name

__all__ = [
    "CHARGED_PAIR_NAMES",
    "KNOWN_FINAL_STATES",
    "OTHER_HADRONS",
    "VISIBLE",
    "check_final_states",
]

CHARGED_PAIR_NAMES: Final = ("pi+pi-", "pi+pi-pi0", "pi+pi-2pi0", "k+k-", "k+k-pi0")
"""Hadrons with two charged tracks (`bsmfit.physics.hadronic_final_states`)."""

OTHER_HADRONS: Final = "other-hadrons"
"""All hadronic decays of a dark photon that have no name of their own."""

VISIBLE: Final = "visible"
"""Decays that are seen and that no search looks for."""

KNOWN_FINAL_STATES: Final = (
    "ee",
    "mumu",
    "tautau",
    *CHARGED_PAIR_NAMES,
    "pi+pi-gamma",
    "pi+pi-eta",
    "pi0pi0",
    "3pi0",
    "k0k0bar",
    "gammagamma",
    OTHER_HADRONS,
    "multi-meson",
    "gg",
    "ss",
    "cc",
    "pi_e",
    "pi_mu",
    "nu_pi0",
    "nu_ee",
    "nu_mumu",
    "nu_e_mu",
    "invisible",
)
"""Final states by the name they have among branching ratios."""


def check_final_states(given: Iterable[str], wanted: Iterable[str]) -> None:
    """Refuse a name that looks like a final state of a search, misspelt.

    A final state that a model does not name has no rate. A name that nobody knows and
    that resembles a final state which is missing would lose its rate without a word.

    Args:
        given: Final states of the model.
        wanted: Final states of the search.

    Raises:
        UnknownNameError: A final state that nobody knows and that resembles one that
            the model does not name.

    Examples:
        >>> check_final_states(["mumu", "dark-shower"], ["pi+pi-", "k+k-"])
    """
    names = tuple(given)
    missing = [name for name in wanted if name not in names]
    for name in names:
        if name not in KNOWN_FINAL_STATES and closest_name(name, missing):
            kind = "final state of the model,"
            raise UnknownNameError.from_choices(kind, name, missing)
