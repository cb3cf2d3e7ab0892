"""Build channels, ready to be evaluated, from records and tables."""

from __future__ import annotations

from pathlib import Path

from bsmfit.catalogue.kinds.registry import kind_of
from bsmfit.channels.channel import Channel

__all__ = ["load_channel"]


def load_channel(name: str | Path) -> Channel:
    """Build a channel from its record and its tables.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: The record or a table is not valid, or there is no table.

    Examples:
        >>> load_channel("na62-dump-mumu").name
        'na62-dump-mumu'
    """
    return kind_of(name).load_channel(name)
