"""A beam-dump search for several final states of one particle, each its own region.

Every final state is a `BeamDumpChannel` with counts, background and yields of its own;
they share the protons and, by name, their nuisances. Those without background (below
`FREE_OF_BACKGROUND`), without events and with the same nuisances are counted together:
the probability of no event knows their sum only, and the exact sums over outcomes stay
short. A final state that a model does not name is a region without signal; a model that
names none of them, or misspells one, is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float

from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.channels.channel import Channel, DefaultAxis
from bsmfit.channels.override import OwnNuisance, with_nuisance
from bsmfit.channels.search_region import (
    BackgroundTerm,
    LargestCount,
    SearchRegion,
)
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.final_states import check_final_states
from bsmfit.physics.mediator import Mediator

__all__ = ["FREE_OF_BACKGROUND", "BeamDumpRegions"]

FREE_OF_BACKGROUND = 1e-6
"""Largest background of a final state that is counted with others [events]."""


class BeamDumpRegions(Channel):
    """Several final states of one search in beam-dump mode.

    Attributes:
        name: Channel id, for example ``"na62-dump-hadrons"``.
        datasets: Data that went into it.
        inputs: Digests of the data files that went into it, by file name.
        changes: What was changed by hand.
        fingerprint: Digest of the numbers of the record.
        default_plane: Mass and coupling axis of a scan that names none.
        coupling_axes: Coupling axis of other models, by name.
        shared_caveats: What a reader of any result must know.
        n_alone: How many of the final states, the first ones, are counted alone.
        searches: The final states.
    """

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)
    default_plane: tuple[DefaultAxis, DefaultAxis] = eqx.field(static=True)
    shared_caveats: tuple[str, ...] = eqx.field(static=True)
    n_alone: int = eqx.field(static=True)
    searches: tuple[BeamDumpChannel, ...]
    coupling_axes: tuple[tuple[str, DefaultAxis], ...] = eqx.field(
        static=True, default=()
    )

    @property
    def final_states(self) -> tuple[str, ...]:
        """Names of the final states."""
        return tuple(search.final_state for search in self.searches)

    @property
    def processes(self) -> tuple[str, ...]:
        """Production processes that the search has yields for."""
        return self.searches[0].processes

    @property
    def known_masses(self) -> tuple[float, float]:
        """Masses of all yield tables together [GeV]."""
        ranges = [search.mass_range for search in self.searches]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    @property
    def default_mass(self) -> DefaultAxis:
        """Mass axis of a scan that names none [GeV]."""
        return self.default_plane[0]

    def default_coupling(self, model: str) -> DefaultAxis:
        """Coupling axis of a scan that names none: its own, or that of all models."""
        name, _, _ = model.partition("/")
        return dict(self.coupling_axes).get(name, self.default_plane[1])

    @property
    def mass_nodes(self) -> tuple[float, ...]:
        """Ends of the mass windows of the observed events [GeV]."""
        found = {node for search in self.searches for node in search.mass_nodes}
        return tuple(sorted(found))

    @property
    def n_observed(self) -> int:
        """Observed events in all signal regions."""
        return sum(search.n_observed for search in self.searches)

    def select(self, processes: Sequence[str]) -> BeamDumpRegions:
        """The same search with the yields of some production processes only.

        Args:
            processes: Names of the processes to keep; those of other kinds of search
                are passed over.

        Returns:
            A channel that evaluates faster and has fewer signal terms.
        """
        return self._each(lambda search: search.select(processes))

    def only(self, final_states: Sequence[str]) -> BeamDumpRegions:
        """Some of the final states alone.

        Args:
            final_states: Names of the final states to keep.

        Returns:
            A channel that says in its name that it is none that was published.

        Raises:
            InputError: None is given.
            UnknownNameError: A final state that the search does not have.

        Examples:
            >>> import bsmfit
            >>> bsmfit.load_channel("na62-dump-hadrons").only(["k+k-"]).name
            'na62-dump-hadrons+k+k--only'
        """
        given = [final_states] if isinstance(final_states, str) else [*final_states]
        if not given:
            msg = f"give one or more final states: {', '.join(self.final_states)}"
            raise InputError(msg)
        for name in given:
            if name not in self.final_states:
                kind = f"final state of {self.name},"
                raise UnknownNameError.from_choices(kind, name, self.final_states)
        kept = tuple(s for s in self.searches if s.final_state in given)
        label = "-".join(search.final_state for search in kept)
        alone = [s.final_state for s in self.searches[: self.n_alone]]
        n_alone = sum(s.final_state in alone for s in kept)
        return self.changed(f"{label}-only", searches=kept, n_alone=n_alone)

    def covers(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether a mass is inside the table of any final state.

        Args:
            mass: Mass [GeV].

        Returns:
            True inside.
        """
        return jnp.any(jnp.stack([search.covers(mass) for search in self.searches]))

    def regions(self, mediator: Mediator) -> tuple[SearchRegion, ...]:
        """The signal regions at one point of a model.

        Args:
            mediator: The new particle.

        Returns:
            One region for each final state with background, one for all others.

        Raises:
            InputError: The model has a branching ratio into none of them.
            UnknownNameError: A final state that is none of them, misspelt.
        """
        known = mediator.branching_ratios
        if not set(self.final_states) & set(known):
            given = ", ".join(map(repr, known))
            msg = (
                f"channel {self.name} needs the branching ratio into one of "
                f"{', '.join(map(repr, self.final_states))}; the model has "
                f"{given or 'none'}"
            )
            raise InputError(msg)
        check_final_states(known, self.final_states)
        zero = jnp.zeros_like(mediator.mass)
        filled = Mediator(
            mass=mediator.mass,
            decay_width=mediator.decay_width,
            branching_ratios=dict.fromkeys(self.final_states, zero) | known,
            production=mediator.production,
        )
        return self._counted(
            tuple(one for s in self.searches for one in s.regions(filled))
        )

    def _counted(self, found: tuple[SearchRegion, ...]) -> tuple[SearchRegion, ...]:
        """The regions, those free of background as one."""
        alone, free = found[: self.n_alone], found[self.n_alone :]
        if len(free) < 2:
            return found
        signal = tuple(
            eqx.tree_at(
                lambda term: term.log_events,
                terms[0],
                logsumexp(jnp.stack([term.log_events for term in terms])),
            )
            for terms in zip(*(one.signal for one in free), strict=True)
        )
        total = sum((one.total_background for one in free), start=jnp.zeros(()))
        merged = SearchRegion(
            name=f"{self.name}-background-free",
            observed=sum((one.observed for one in free), start=jnp.zeros(())),
            signal=signal,
            background=(BackgroundTerm("background", total),),
            is_open=jnp.any(jnp.stack([one.is_open for one in free])),
            is_found=jnp.ones((), bool),
        )
        return (*alone, merged)

    def largest_counts(self) -> tuple[LargestCount, ...]:
        """Observed events and background of every region."""
        found = [one for s in self.searches for one in s.largest_counts()]
        free = found[self.n_alone :]
        if len(free) < 2:
            return tuple(found)
        background = sum(one.background for one in free)
        return (*found[: self.n_alone], LargestCount(0.0, background))

    def caveats(self, preset: str) -> tuple[str, ...]:
        """What is assumed, and what the efficiency was calibrated with.

        Args:
            preset: Production preset of the model.

        Returns:
            Sentences.
        """
        first = dataclasses.replace(self.searches[0], name=self.name)
        return (*self.shared_caveats, *first.caveats(preset))

    @property
    def unit(self) -> str:
        """Limits without a model are on events."""
        return "events"

    def check_unit(self, mass: float | None, lifetime_ns: float | None) -> None:
        """Refuse a mass outside all tables, and any lifetime.

        Args:
            mass: Mass [GeV], or None for all events of the signal regions.
            lifetime_ns: Has no meaning for a number of events.

        Raises:
            InputError: A mass outside, or a lifetime.
        """
        widest = dataclasses.replace(
            self.searches[0], name=self.name, mass_range=self.known_masses
        )
        widest.check_unit(mass, lifetime_ns)

    def unit_regions(
        self, mass: Float[Array, ""] | None, decay_width: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        """The signal regions with a signal of one event in all, in equal parts.

        Args:
            mass: Mass [GeV]; None for the whole search.
            decay_width: Does not matter.

        Returns:
            The regions.
        """
        found = self._counted(
            tuple(
                one
                for search in self.searches
                for one in search.unit_regions(mass, decay_width)
            )
        )
        share = jnp.log(1.0 / len(found))
        return tuple(
            eqx.tree_at(lambda r: [t.log_events for t in r.signal], one, [share])
            for one in found
        )

    def with_exposure(self, protons_on_target: float) -> BeamDumpRegions:
        """The same search with another number of protons: a projection.

        Args:
            protons_on_target: Protons, > 0.

        Returns:
            A channel that says in its name that it is none that was published.
        """
        return self._changed(lambda search: search.with_exposure(protons_on_target))

    def with_efficiency(self, efficiency: float) -> BeamDumpRegions:
        """The same search with another selection efficiency of all final states.

        Args:
            efficiency: Efficiency on top of the acceptance [1], within (0, 1].

        Returns:
            The changed channel.
        """
        return self._changed(lambda search: search.with_efficiency(efficiency))

    def with_background_factor(self, factor: float) -> BeamDumpRegions:
        """The same search with the backgrounds of all final states times a factor.

        Args:
            factor: The factor [1], > 0, so that at most 60 events are expected in
                each region.

        Returns:
            The changed channel.
        """
        return self._changed(lambda search: search.with_background_factor(factor))

    def with_nuisance(self, nuisance: OwnNuisance) -> BeamDumpRegions:
        """The same search with a nuisance of all final states added or changed.

        Args:
            nuisance: The nuisance.

        Returns:
            The changed channel.
        """
        return self._changed(lambda search: with_nuisance(search, nuisance))

    def _each(
        self, change: Callable[[BeamDumpChannel], BeamDumpChannel]
    ) -> BeamDumpRegions:
        return dataclasses.replace(self, searches=tuple(map(change, self.searches)))

    def _changed(
        self, change: Callable[[BeamDumpChannel], BeamDumpChannel]
    ) -> BeamDumpRegions:
        """All final states changed alike, the label taken over from them."""
        searches = tuple(map(change, self.searches))
        return self.changed(searches[0].changes[-1], searches=searches)
