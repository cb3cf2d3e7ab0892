"""Options with own numbers in place of those of a search.

``--protons 1e18`` is for every search of a command, ``--protons CHANNEL=1e18`` for one;
``--override`` takes a card with several numbers. Other options come on top of the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bsmfit.channels.channel import Channel

__all__ = [
    "BackgroundOption",
    "EfficiencyOption",
    "ObservedOption",
    "OverrideOption",
    "ProtonsOption",
    "with_own_numbers",
]


def with_own_numbers(
    channels: Sequence[Channel],
    *,
    override: str | None = None,
    numbers: Mapping[str, Sequence[str] | None],
) -> list[Channel]:
    """Searches with the numbers of a card and of options.

    Args:
        channels: The searches.
        override: Name or path of a card, or None.
        numbers: What was given by option, ``VALUE`` or ``CHANNEL=VALUE``, by the name
            of the number.

    Returns:
        The searches; as they were where nothing is given.

    Raises:
        InputError: A number that cannot be, that a search lacks, or given twice.
        UnknownNameError: A channel that is not among the searches, or no such card.
        DataFileError: The card is not valid.
    """
    from bsmfit.catalogue.overrides import all_overridden, overridden

    ids = [channel.name for channel in channels]
    found = list(channels if override is None else all_overridden(channels, override))
    for key, texts in numbers.items():
        for name, value in _by_channel(key, texts or (), ids).items():
            place = ids.index(name)
            found[place] = overridden(found[place], {key: value})
    return found


def _by_channel(
    key: str, texts: Sequence[str], ids: Sequence[str]
) -> dict[str, float | int]:
    """The value of one option for each search that it is for."""
    from bsmfit.errors import InputError, UnknownNameError

    values: dict[str, float | int] = {}
    for text in texts:
        name, sign, number = (part.strip() for part in text.rpartition("="))
        if sign and name not in ids:
            kind = f"channel of --{key},"
            raise UnknownNameError.from_choices(kind, name, ids)
        for one in [name] if sign else ids:
            if one in values:
                msg = f"--{key} {text}: a value for {one} is given already"
                raise InputError(msg)
            values[one] = _number(key, number)
    return values


def _number(key: str, text: str) -> float | int:
    """A count, or any other number."""
    from bsmfit.core.written_number import written_float, written_int
    from bsmfit.errors import InputError

    is_count = key == "observed"
    try:
        return written_int(text) if is_count else written_float(text)
    except ValueError:
        pass
    example = {"observed": "0", "protons": "1e18", "efficiency": "0.5"}.get(key, "0.1")
    what = "no whole number" if is_count else "no number"
    msg = f"--{key} {text!r} is {what}; write --{key} {example}"
    raise InputError(msg)


ProtonsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--protons",
        metavar="[CHANNEL=]NUMBER",
        help="Protons on target, instead of the published ones; backgrounds stay.",
    ),
]
EfficiencyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--efficiency",
        metavar="[CHANNEL=]NUMBER",
        help="Efficiency on top of the acceptance, instead of that of the record.",
    ),
]
BackgroundOption = Annotated[
    list[str] | None,
    typer.Option(
        "--background",
        metavar="[CHANNEL=]EVENTS",
        help="Expected background, instead of the published one, whose relative error "
        "it keeps; a card of --override sets another.",
    ),
]
ObservedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--observed",
        metavar="[CHANNEL=]EVENTS",
        help="Observed events, instead of the published ones.",
    ),
]
OverrideOption = Annotated[
    str | None,
    typer.Option(
        "--override",
        metavar="CARD",
        help="Own numbers from a card: path of a YAML file, or a shipped projection "
        "(see: bsmfit list projections).",
    ),
]
