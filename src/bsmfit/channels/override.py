"""Own numbers in place of those of a shipped search: what-ifs and projections.

    {"protons": 1e18, "observed": 0} --Override--> channel --apply--> changed channel

An override names quantities; a search has a method for each one that it knows, which
checks the value. The changed search says in its name and in `changes` what was changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from bsmfit.channels.channel import Channel, ChannelNuisance
from bsmfit.core.argument import choice, instance, instances, real_number, text
from bsmfit.errors import InputError, UnknownNameError

__all__ = ["EXPECTED", "Override", "OwnNuisance", "with_nuisance"]

_Search = TypeVar("_Search", bound=Channel)

EXPECTED: Literal["expected"] = "expected"
"""What ``observed`` may be in place of a count: as many events as expected."""

_LARGEST_SIZE = 10.0
_METHODS = {
    "protons": ("with_exposure", "number of protons"),
    "kaons": ("with_kaons", "number of kaon decays"),
    "efficiency": ("with_efficiency", "efficiency of its own"),
    "sensitivity": ("with_sensitivity", "single-event sensitivity"),
    "background": ("with_background", "background as one number of events"),
    "background_factor": ("with_background_factor", "background that can be scaled"),
    "observed": ("with_observed", "observed count"),
}


@dataclass(frozen=True)
class OwnNuisance:
    """A nuisance that is added to a search, or has another size there.

    Attributes:
        name: Name; searches that use the same name share the parameter.
        size: Relative size of one standard deviation, 0 to 10; 0 takes the nuisance
            out.
        affects: ``"signal"`` or ``"background"``; needed for a new name only, where
            None is the signal.
    """

    name: str
    size: float
    affects: str | None = None

    def __post_init__(self) -> None:
        text("name of a nuisance", self.name)
        size = real_number(
            f"size of nuisance {self.name!r}",
            self.size,
            low=0.0,
            high=_LARGEST_SIZE,
            hint="write 0.2 for 20 %, 0 to take it out",
        )
        object.__setattr__(self, "size", size)
        if self.affects is not None:
            choice("affects of a nuisance,", self.affects, ("signal", "background"))


@dataclass(frozen=True)
class Override:
    """Own numbers of a search; None leaves what the record says.

    Attributes:
        protons: Protons on target, > 0.
        kaons: Kaon decays, > 0.
        efficiency: Efficiency on top of the acceptance, within (0, 1].
        sensitivity: Single-event sensitivity, within (0, 1).
        background: Expected background [events], >= 0.
        background_factor: Factor on the published background, > 0.
        observed: Observed events, or `EXPECTED`.
        nuisances: Nuisances that are added or changed.
    """

    protons: float | None = None
    kaons: float | None = None
    efficiency: float | None = None
    sensitivity: float | None = None
    background: float | None = None
    background_factor: float | None = None
    observed: int | str | None = None
    nuisances: tuple[OwnNuisance, ...] = ()

    def __post_init__(self) -> None:
        if self.background is not None and self.background_factor is not None:
            msg = "give background (events) or background_factor, not both"
            raise InputError(msg)

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Override:
        """Own numbers by name.

        Args:
            given: Values by name: the attributes; nuisances are mappings of name, size
                and affects.

        Returns:
            The override.

        Raises:
            UnknownNameError: A name that is none.
            InputError: A nuisance that is none.

        Examples:
            >>> Override.from_mapping({"protons": 1e18}).protons
            1e+18
        """
        hint = 'write {"protons": 1e18, "observed": 0}'
        instance("overrides", given, Mapping, hint=hint)
        known = [field.name for field in dataclasses.fields(cls)]
        for key in given:
            if key not in known:
                kind = "override"
                raise UnknownNameError.from_choices(kind, key, known)
        return cls(**{**given, "nuisances": _nuisances(given.get("nuisances", ()))})

    def apply(self, channel: Channel) -> Channel:
        """The search with these numbers.

        Args:
            channel: The search.

        Returns:
            The changed search; the same where nothing is given.

        Raises:
            InputError: A value that cannot be, or a quantity that the search lacks.
        """
        for key, (method, words) in _METHODS.items():
            value = getattr(self, key)
            if value is None:
                continue
            is_expected = (
                key == "observed" and isinstance(value, str) and value == EXPECTED
            )
            if is_expected:
                method, words = "with_expected_count", "count that can be set to this"
            change = getattr(channel, method, None)
            if change is None:
                known = [
                    k for k, (name, _) in _METHODS.items() if hasattr(channel, name)
                ]
                msg = (
                    f"{channel.name} has no {words}, so that {key} = {value!r} has no "
                    f"meaning there; it has {', '.join([*known, 'nuisances'])}"
                )
                raise InputError(msg)
            channel = change() if is_expected else change(value)
        for entry in self.nuisances:
            own = getattr(channel, "with_nuisance", None)
            channel = with_nuisance(channel, entry) if own is None else own(entry)
        return channel


def with_nuisance(channel: _Search, nuisance: OwnNuisance) -> _Search:
    """The same search with a nuisance added, changed or taken out.

    Args:
        channel: A search with nuisances of its own.
        nuisance: The nuisance.

    Returns:
        The changed search.

    Raises:
        InputError: The search has no list of nuisances, or it is none.
        UnknownNameError: A nuisance that is to be taken out and is not there.
    """
    instance("nuisance", nuisance, OwnNuisance, hint="write OwnNuisance(name, size)")
    own: Sequence[ChannelNuisance] | None = getattr(channel, "nuisances", None)
    if own is None:
        msg = f"{channel.name} has no nuisances of its own that could be changed"
        raise InputError(msg)
    affected = {one.affects for one in own if one.name == nuisance.name}
    if nuisance.affects is not None:
        affected = {nuisance.affects}
    if not affected:
        affected = {"signal"}
    kept = [
        one for one in own if one.name != nuisance.name or one.affects not in affected
    ]
    if nuisance.size == 0.0 and len(kept) == len(own):
        kind = f"nuisance of {channel.name}"
        raise UnknownNameError.from_choices(kind, nuisance.name, {o.name for o in own})
    if nuisance.size > 0.0:
        kept += [
            ChannelNuisance(nuisance.name, 1.0 + nuisance.size, affects)
            for affects in sorted(affected)
        ]
    label = f"{nuisance.name}-{nuisance.size:g}"
    return channel.changed(label, nuisances=tuple(kept))


def _nuisances(given: object) -> tuple[OwnNuisance, ...]:
    """Nuisances from mappings of name, size and affects."""
    hint = 'write [{"name": "trigger", "size": 0.1}]'
    found = []
    for entry in instances("nuisances", given, object, hint=hint):
        if isinstance(entry, OwnNuisance):
            found.append(entry)
            continue
        fields: dict[str, Any] = dict(
            instance("a nuisance", entry, Mapping, hint=hint)  # pyright: ignore[reportArgumentType] of any keys
        )
        known = [field.name for field in dataclasses.fields(OwnNuisance)]
        for key in fields:
            if key not in known:
                kind = "key of a nuisance"
                raise UnknownNameError.from_choices(kind, key, known)
        for key in ("name", "size"):
            if key not in fields:
                msg = f"a nuisance lacks its {key}; {hint}"
                raise InputError(msg)
        found.append(OwnNuisance(**fields))
    return tuple(found)
