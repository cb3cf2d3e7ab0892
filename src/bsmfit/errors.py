"""Every exception that bsmfit raises on purpose.

All derive from `BsmfitError`, so that a caller can catch the package's errors with one
clause and the command line can turn them into one message and exit code 2. Each also
derives from the built-in exception that it is a case of.
"""

from __future__ import annotations

import difflib
import itertools
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

# characters of a name in a message
_LONGEST = 60


class BsmfitError(Exception):
    """Base class of all errors that bsmfit raises on purpose."""


class InputError(BsmfitError, ValueError):
    """A value given by the caller is outside what is allowed."""


class UnknownNameError(InputError):
    """A name (model, channel, preset, final state, key) that does not exist."""

    @classmethod
    def from_choices(
        cls, kind: str, given: object, allowed: Iterable[str]
    ) -> UnknownNameError:
        """Name what was given, what is allowed and the closest allowed name.

        Args:
            kind: What the name stands for, for example ``"channel"``.
            given: The name that was given, or whatever stood in its place.
            allowed: Every name that would have been accepted.

        Returns:
            The exception, to be raised by the caller.
        """
        names = sorted(allowed)
        listing = ", ".join(names) if names else "none"
        if not isinstance(given, str):
            word = type(given).__name__
            return cls(f"unknown {kind}: a name is text, not {word} (known: {listing})")
        shown = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}..."
        guess = closest_name(shown, names)
        hint = f"; did you mean {guess!r}?" if guess else ""
        return cls(f"unknown {kind} {shown!r}{hint} (known: {listing})")


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
        allowed: The names to choose from, of which the first 1000 are looked at.

    Returns:
        The closest name, or None where nothing is close or `given` is longer than a
        name (100 letters).

    Examples:
        >>> closest_name("dark-foton", ["dark-photon", "dark-scalar"])
        'dark-photon'
    """
    if len(given) > 100:
        return None
    choices = list(itertools.islice(allowed, 1000))
    matches = difflib.get_close_matches(given, choices, n=1, cutoff=0.5)
    return matches[0] if matches else None
