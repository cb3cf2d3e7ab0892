"""What a search is to everything above it: the one protocol of a channel.

Generic code (maps, combinations, limits, the command line) asks a channel these
questions and knows no kind of search. A new kind is a subclass.

    model(mass, coupling) --> Mediator --channel.regions--> SearchRegion, ...
"""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit.channels.search_region import LargestCount, LogResponse, SearchRegion
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["Channel", "ChannelNuisance", "DefaultAxis", "Fact", "log_responses"]


_Search = TypeVar("_Search", bound="Channel")


@dataclass(frozen=True)
class ChannelNuisance:
    """A log-normal uncertainty of a channel's signal or of its background.

    Attributes:
        name: Name; channels that use the same name share the parameter.
        kappa: Factor of one standard deviation, > 1.
        affects: ``"signal"`` or ``"background"``.
    """

    name: str
    kappa: float
    affects: str


@dataclass(frozen=True)
class DefaultAxis:
    """An axis of a scan that names none.

    Attributes:
        low: First point, > 0 (masses: GeV).
        high: Last point.
        n_points: Number of points.
        spacing: ``"log"`` or ``"lin"``.
    """

    low: float
    high: float
    n_points: int
    spacing: str = "log"


class Fact(NamedTuple):
    """One number that a search says about a particle, for reports.

    Attributes:
        key: Its name in JSON, with the unit as suffix where there is one.
        label: Its name for people.
        value: The number.
        words: What follows the number: unit and meaning.
    """

    key: str
    label: str
    value: Float[Array, ""]
    words: str


class Channel(eqx.Module):
    """A search, ready to be evaluated: subclasses are the kinds of search.

    Attributes:
        name: Channel id, for example ``"na62-dump-mumu"``.
        datasets: Data that went into it; searches of the same data are not independent
            and are refused together.
        inputs: Digests of the data files that went into it, by file name.
        changes: What was changed by hand, in words; nothing in a published search.
        fingerprint: Digest of all numbers and names as they were loaded from a record.
    """

    name: eqx.AbstractVar[str]
    datasets: eqx.AbstractVar[tuple[str, ...]]
    inputs: eqx.AbstractVar[tuple[tuple[str, str], ...]]
    changes: eqx.AbstractVar[tuple[str, ...]]
    fingerprint: eqx.AbstractVar[str]

    @property
    @abc.abstractmethod
    def processes(self) -> tuple[str, ...]:
        """Production processes that the search knows."""

    @property
    @abc.abstractmethod
    def known_masses(self) -> tuple[float, float]:
        """Lowest and highest mass that the search can be asked about [GeV]."""

    @property
    @abc.abstractmethod
    def default_mass(self) -> DefaultAxis:
        """Mass axis of a scan that names none [GeV]."""

    @abc.abstractmethod
    def default_coupling(self, model: str) -> DefaultAxis | None:
        """Coupling axis of a scan that names none, for a model by name."""

    @abc.abstractmethod
    def select(self, processes: Sequence[str]) -> Channel:
        """The same search for some of its production processes only."""

    @abc.abstractmethod
    def covers(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether the search says anything at a mass [GeV]."""

    @abc.abstractmethod
    def regions(self, mediator: Mediator) -> tuple[SearchRegion, ...]:
        """What the search says at one point of a model.

        Args:
            mediator: The new particle.

        Returns:
            Its counting regions, always the same number in the same order.

        Raises:
            InputError: The model lacks a branching ratio that the search needs.
        """

    @abc.abstractmethod
    def largest_counts(self) -> tuple[LargestCount, ...]:
        """Largest observed count and background of each region, at any mass."""

    @abc.abstractmethod
    def caveats(self, preset: str) -> tuple[str, ...]:
        """What a reader of a result must know, for a production preset."""

    @property
    @abc.abstractmethod
    def unit(self) -> str:
        """What a limit without a model is on: strength 1 of `unit_regions`."""

    @abc.abstractmethod
    def unit_regions(
        self, mass: Float[Array, ""] | None, decay_width: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        """The regions with a signal of one `unit`, whatever model makes it.

        Args:
            mass: Mass [GeV], or None for the whole search where it allows that.
            decay_width: Total width of the particle [GeV]; 0 for a stable one.

        Returns:
            The regions.
        """

    def unit_particle(
        self, mass: Float[Array, ""], decay_width: Float[Array, ""]
    ) -> Mediator:
        """The particle whose signal is one `unit`, for reports.

        Args:
            mass: Mass [GeV].
            decay_width: Total width [GeV]; 0 where no lifetime is given.

        Returns:
            The particle; with a width of its own where it decays at once if no lifetime
            is given.
        """
        one = jnp.ones_like(mass)
        made = dict.fromkeys(self.processes, one)
        return Mediator(mass, decay_width, {"visible": one}, made)

    @abc.abstractmethod
    def check_unit(self, mass: float | None, lifetime_ns: float | None) -> None:
        """Refuse what `unit_regions` has no meaning for.

        Args:
            mass: Mass [GeV], or None.
            lifetime_ns: Proper lifetime [ns], or None for a stable particle.

        Raises:
            InputError: A mass that is needed or unknown, or a lifetime without meaning.
        """

    def check_model_mass(self, mass: float) -> None:
        """Refuse a mass at which the search has nothing to say about any model.

        Args:
            mass: Mass of the model's particle [GeV].

        Raises:
            InputError: A mass that is unknown; as for `check_unit` unless overridden.
        """
        self.check_unit(mass, None)

    def facts(self, mediator: Mediator) -> tuple[Fact, ...]:
        """Numbers that a report on one point shows besides the limit."""
        del mediator
        return ()

    def with_observed(self, n_observed: int) -> Channel:
        """The same search with another observed count."""
        msg = (
            f"{self.name} has several counts or none; --observed (with_observed) is "
            f"for searches with one, not {n_observed!r} events"
        )
        raise InputError(msg)

    @property
    def count_words(self) -> str:
        """Where the observed count comes from."""
        return "observed"

    @property
    def is_background_known(self) -> bool:
        """Whether what is expected without signal is known; else no limit is."""
        return True

    @property
    def mass_nodes(self) -> tuple[float, ...]:
        """Masses at which the answer jumps: a map has points on both sides of each."""
        return ()

    @property
    def is_published(self) -> bool:
        """Whether all numbers are those of a record, for known numbers."""
        return not self.changes and self.fingerprint == self._digest()

    def as_published(self: _Search) -> _Search:
        """The same search, taken for what its record says: for the loaders of records.

        Returns:
            The channel with the digest of its numbers.
        """
        return dataclasses.replace(self, fingerprint=self._digest())

    def _digest(self) -> str:
        plain = dataclasses.replace(self, fingerprint="")
        leaves, structure = jax.tree.flatten(plain)
        sha = hashlib.sha256(str(structure).encode())
        for leaf in leaves:
            # seven digits: the last bits of what is computed differ between machines
            array = np.asarray(leaf, dtype=np.float32)
            sha.update(f"{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    def changed(self: _Search, label: str, **fields: object) -> _Search:
        """A copy with other numbers, a name that says so, and no claim to be published.

        Args:
            label: What was changed, in a word or two, for example ``"10x-protons"``.
            **fields: New values of attributes.

        Returns:
            The channel.
        """
        return dataclasses.replace(
            self,
            name=f"{self.name}+{label}",
            changes=(*self.changes, label),
            **fields,
        )


def log_responses(
    nuisances: Sequence[ChannelNuisance], affects: str
) -> tuple[LogResponse, ...]:
    """Responses of the signal or of the background to a channel's own nuisances.

    Args:
        nuisances: The nuisances of the channel.
        affects: ``"signal"`` or ``"background"``.

    Returns:
        The responses.
    """
    return tuple(
        LogResponse(entry.name, math.log(entry.kappa))
        for entry in nuisances
        if entry.affects == affects
    )
