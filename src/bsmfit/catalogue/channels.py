"""Build channels, ready to be evaluated, from records and tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bsmfit.catalogue.kinds.registry import kind_of
from bsmfit.catalogue.overrides import overridden
from bsmfit.channels.channel import Channel
from bsmfit.channels.override import Override

__all__ = ["load_channel"]


def load_channel(
    name: str | Path, *, overrides: Mapping[str, Any] | Override | str | Path = ""
) -> Channel:
    """Build a channel from its record and its tables.

    Args:
        name: Channel id, or path of a record.
        overrides: Own numbers in place of those of the record, by name, or the name of
            a shipped projection, or the path of a card; none where empty.

    Returns:
        The channel; with own numbers one that says so in its name and in results.

    Raises:
        UnknownNameError: No such channel, own number or projection.
        InputError: An own number that cannot be, or that the search lacks.
        DataFileError: The record or a table is not valid, or there is no table.

    Examples:
        >>> load_channel("na62-dump-mumu").name
        'na62-dump-mumu'
        >>> load_channel("na62-dump-mumu", overrides={"protons": 1e18}).name
        'na62-dump-mumu+1e+18-protons'
    """
    channel = kind_of(name).load_channel(name)
    if overrides is None or (not overrides and isinstance(overrides, str | Mapping)):
        return channel
    return overridden(channel, overrides)
