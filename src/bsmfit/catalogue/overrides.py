"""Searches with own numbers, from cards of projections and what-ifs.

    card.yaml --read_override--> OverrideCard --overridden--> changed channel

The changed search is called after the card, which is among its inputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bsmfit.catalogue.files import display_path, sha256_of
from bsmfit.catalogue.projections import locate_override
from bsmfit.catalogue.records import channel_names
from bsmfit.catalogue.yaml_file import read_yaml
from bsmfit.channels.channel import Channel
from bsmfit.channels.override import Override
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.records.override_card import OverrideCard, OwnNumbers

__all__ = [
    "all_overridden",
    "overridden",
    "read_override",
]

_NUMBERS = tuple(OwnNumbers.model_fields)


def read_override(name: str | Path) -> OverrideCard:
    """Read a card.

    Args:
        name: Name of a shipped card, or path of a card.

    Returns:
        The card.

    Raises:
        UnknownNameError: No such shipped card, or a search in it that does not exist.
        DataFileError: The card is not valid.
    """
    path = locate_override(name)
    card = read_yaml(path, OverrideCard)
    for channel in card.channels:
        if channel not in channel_names():
            kind = f"channel in {display_path(path)},"
            raise UnknownNameError.from_choices(kind, channel, channel_names())
    return card


def overridden(
    channel: Channel, overrides: Mapping[str, Any] | Override | str | Path
) -> Channel:
    """A search with own numbers.

    Args:
        channel: The search.
        overrides: Numbers by name (`bsmfit.channels.override.Override`), or the name of
            a shipped card, or the path of a card.

    Returns:
        The changed search, which says so in its name, its caveats and its inputs.

    Raises:
        InputError: A number that cannot be, that the search lacks, or a card that says
            nothing about the search.
        UnknownNameError: An unknown number or card.
        DataFileError: The card is not valid.
    """
    if isinstance(overrides, Override):
        return overrides.apply(channel)
    if not isinstance(overrides, str | Path):
        return Override.from_mapping(overrides).apply(channel)
    numbers = _numbers(read_override(overrides), channel)
    if not numbers:
        path = locate_override(overrides)
        known = ", ".join(read_override(overrides).channels) or "none"
        msg = (
            f"{display_path(path)} changes nothing of {channel.name} (it has numbers "
            f"of {known}); add `channels: {{{channel.name}: {{...}}}}`"
        )
        raise InputError(msg)
    return _from_card(channel, numbers, locate_override(overrides))


def all_overridden(
    channels: Sequence[Channel], overrides: str | Path
) -> tuple[Channel, ...]:
    """Several searches, those that a card is about with its numbers.

    Args:
        channels: The searches.
        overrides: Name of a shipped card, or path of a card.

    Returns:
        The searches; those that the card does not name as they were.

    Raises:
        InputError: The card names none of them.
    """
    card = read_override(overrides)
    if not any(_numbers(card, channel) for channel in channels):
        return (overridden(channels[0], overrides),)  # which says what is missing
    return tuple(
        overridden(one, overrides) if _numbers(card, one) else one for one in channels
    )


def _numbers(card: OverrideCard, channel: Channel) -> dict[str, Any]:
    """What a card says about a search: its own numbers, else those for all."""
    base = channel.name.partition("+")[0]
    found = card.model_dump(include=set(_NUMBERS), exclude_defaults=True)
    own = card.channels.get(base)
    if own is not None:
        found |= own.model_dump(exclude_defaults=True)
    return found


def _from_card(channel: Channel, numbers: dict[str, Any], path: Path) -> Channel:
    """The changed search, called after the card."""
    changed = Override.from_mapping(numbers).apply(channel)
    return dataclasses.replace(
        changed,
        name=f"{channel.name}+{path.stem}",
        inputs=(*changed.inputs, (f"{path.parent.name}/{path.name}", sha256_of(path))),
    )
