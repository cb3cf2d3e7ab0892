"""Every exception that bsmfit raises on purpose.

All derive from `BsmfitError`, so that a caller can catch the package's errors with one
clause and the command line can turn them into one message and exit code 2. Each also
derives from the built-in exception that it is a case of.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BsmfitError",
    "DataFileError",
    "InputError",
    "LowCountWarning",
    "NoExactMethodError",
    "OutputError",
    "PrecisionError",
    "UnknownNameError",
    "closest_name",
]


class BsmfitError(Exception):
    """Base class of all errors that bsmfit raises on purpose."""


class InputError(BsmfitError, ValueError):
    """A value given by the caller is outside what is allowed."""


class UnknownNameError(InputError):
    """A name (model, channel, preset, final state, key) that does not exist."""

    @classmethod
    def from_choices(
        cls, kind: str, given: str, allowed: Iterable[str]
    ) -> UnknownNameError:
        """Name what was given, what is allowed and the closest allowed name.

        Args:
            kind: What the name stands for, for example ``"channel"``.
            given: The name that was given.
            allowed: Every name that would have been accepted.

        Returns:
            The exception, to be raised by the caller.
        """
        names = sorted(allowed)
        guess = closest_name(given, names)
        hint = f"; did you mean {guess!r}?" if guess else ""
        listing = ", ".join(names) if names else "none"
        return cls(f"unknown {kind} {given!r}{hint} (known: {listing})")


class NoExactMethodError(InputError):
    """Sums over outcomes do not exist for a likelihood, or take too long."""


class LowCountWarning(UserWarning):
    """Asymptotic formulae answer although too few events are seen or expected."""


class DataFileError(BsmfitError, ValueError):
    """A data file (record, card, table) that is malformed or out of range."""


class OutputError(BsmfitError, RuntimeError):
    """A result that cannot be written where it should be."""


class PrecisionError(BsmfitError, RuntimeError):
    """float64 is needed and switched off."""


def closest_name(given: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name that resembles `given` most, or None.

    Args:
        given: A misspelt name.
        allowed: The names to choose from.

    Returns:
        The closest name, or None where nothing is close.

    Examples:
        >>> closest_name("dark-foton", ["dark-photon", "dark-scalar"])
        'dark-photon'
    """
    matches = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return matches[0] if matches else None
