"""The kinds of search: the one place that lists them.

A kind is a module. What the rest of the package asks of it:

| function | answers |
|---|---|
| `load_channel(name)` | the `bsmfit.channels.channel.Channel` of a record |
| `describe(name)` | the record in words, section by section |
| `published_limit(name)` | the published limit on a coupling, or None; may be missing |
| `build_tables(name, folder, *, report)` | makes the tables again; may be missing |
| `build_yields(name, folder, *, report)` | only the quick part of it; may be missing |

A record says its kind in the key `kind`. To add a search of a new kind: a folder in
`data/`, a module with these functions, and a line here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from bsmfit.catalogue.files import display_path
from bsmfit.catalogue.quantity_words import Section
from bsmfit.catalogue.records import channel_names, locate_channel
from bsmfit.catalogue.yaml_file import top_level_text
from bsmfit.errors import DataFileError, closest_name

if TYPE_CHECKING:
    from bsmfit.channels.channel import Channel

__all__ = ["DEFAULT_KIND", "KINDS", "SearchKind", "kind_of", "names_with"]

DEFAULT_KIND = "beam-dump"
"""The kind of a record that states none."""

KINDS = {
    "beam-dump": "bsmfit.catalogue.kinds.beam_dump",
    "four-electron": "bsmfit.catalogue.kinds.four_electron",
    "pi-invisible": "bsmfit.catalogue.kinds.pi_invisible",
    "resonance-limit": "bsmfit.catalogue.kinds.resonance_limit",
    "rare-decay": "bsmfit.catalogue.kinds.rare_decay",
}
"""Module of each kind of search."""


@runtime_checkable
class SearchKind(Protocol):
    """What every kind answers; see the table above for what it may."""

    load_channel: Callable[[str | Path], Channel]
    describe: Callable[[str | Path], list[Section]]


def kind_of(name: str | Path) -> SearchKind:
    """The kind of a search.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        Its module.

    Raises:
        UnknownNameError: There is no shipped search of that name.
        DataFileError: The record states a kind that does not exist.
    """
    path = locate_channel(name)
    kind = top_level_text(path, "kind") or DEFAULT_KIND
    if kind not in KINDS:
        guess = closest_name(kind, KINDS)
        hint = f"; did you mean {guess!r}?" if guess else ""
        msg = (
            f"{display_path(path)}: kind is {kind!r} but must be one of "
            f"{', '.join(KINDS)}{hint}"
        )
        raise DataFileError(msg)
    return cast(SearchKind, importlib.import_module(KINDS[kind]))


def names_with(function: str) -> tuple[str, ...]:
    """Ids of the shipped searches whose kind has a function.

    Args:
        function: Name of the function, for example ``"build_yields"``.

    Returns:
        Ids, sorted.

    Examples:
        >>> "na62-dump-ee" in names_with("build_yields")
        True
    """
    return tuple(name for name in channel_names() if hasattr(kind_of(name), function))
