"""Searches and measurements by name: each command takes one of the two."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bsmfit.channels.channel import Channel
    from bsmfit.channels.pi_nunu import PiNunuChannel

__all__ = ["load_measurement", "load_search"]


def load_search(name: str) -> Channel:
    """Load a search, and say so where the name is that of a measurement.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.

    Raises:
        UnknownNameError: No such search.
        DataFileError: Its record or a table is not valid.
    """
    from bsmfit.catalogue.channels import load_channel
    from bsmfit.catalogue.records import pi_nunu_names
    from bsmfit.errors import UnknownNameError

    if name in pi_nunu_names():
        msg = (
            f"{name!r} is a measurement of K+ -> pi+ nu nu, no search for a new "
            f"particle; use `bsmfit measure {name}` (searches: bsmfit list channels)"
        )
        raise UnknownNameError(msg)
    return load_channel(name)


def load_measurement(name: str) -> PiNunuChannel:
    """Load a measurement, and say so where the name is that of a search.

    Args:
        name: Id of a data set.

    Returns:
        The channel.

    Raises:
        UnknownNameError: No such measurement.
        DataFileError: Its record is not valid.
    """
    from bsmfit.catalogue.pi_nunu import load_pi_nunu
    from bsmfit.catalogue.records import channel_names
    from bsmfit.errors import UnknownNameError

    if name in channel_names():
        msg = (
            f"{name!r} is a search, no measurement of a branching ratio; use `bsmfit "
            f"scan` or `bsmfit limit {name}` (measurements: bsmfit list channels)"
        )
        raise UnknownNameError(msg)
    return load_pi_nunu(name)
