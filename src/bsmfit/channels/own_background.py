"""How much background the sums over outcomes of a search hold.

changed search --largest_counts--> refused, or as it is
"""

from __future__ import annotations

from typing import TypeVar

from bsmfit.channels.channel import Channel
from bsmfit.errors import InputError
from bsmfit.likelihood.effective_count import LARGEST_EFFECTIVE_COUNT

__all__ = ["refuse_large_background"]

_Search = TypeVar("_Search", bound=Channel)


def refuse_large_background(
    search: _Search, given: str, *, highest: float = LARGEST_EFFECTIVE_COUNT
) -> _Search:
    """Refuse a search whose background is beyond the counts that it can have.

    Args:
        search: The changed search.
        given: What was given, for the message: ``"background = 100"``.
        highest: Most events in one region.

    Returns:
        The same search.

    Raises:
        InputError: A region has more background.
    """
    largest = max((one.background for one in search.largest_counts()), default=0.0)
    if not largest <= highest:
        name = search.name.rpartition("+")[0]
        msg = (
            f"{given} gives {name} up to {largest:.4g} events of background in one "
            f"region; at most {highest:g} are summed exactly"
        )
        raise InputError(msg)
    return search
