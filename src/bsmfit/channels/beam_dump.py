r"""A beam-dump search for a long-lived particle: from a mediator to expected events.

$$N = N_{POT}\,\eta_c\,BR_c(m) \sum_k g_k\, Y_{k,c}(m, c\tau)$$

with the production strengths $g_k$, the branching ratio and the lifetime from the
mediator, and the yields Y from the channel's table (`bsmfit.detector.yields`). One
production process is one signal term: terms are kept apart, as logarithms, until the
likelihood has let their nuisances act. Everything is a pure function, differentiable in
the mass, the coupling and every nuisance.

The observed events are those whose mass is near the mass hypothesis: the count is a
function of the mass, and the limit away from an event is that of zero events.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit.channels.channel import (
    Channel,
    ChannelNuisance,
    DefaultAxis,
    log_responses,
)
from bsmfit.channels.own_background import refuse_large_background
from bsmfit.channels.search_region import (
    LOG_CLOSED,
    BackgroundTerm,
    LargestCount,
    SearchRegion,
    SignalTerm,
    safe_log,
)
from bsmfit.core.argument import LARGEST_EXPOSURE, real_number, whole_number
from bsmfit.detector.yields import YieldTable
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator, lifetime_length

__all__ = ["BeamDumpChannel", "MassWindow"]


class MassWindow(eqx.Module):
    """Which of the observed events count at a mass hypothesis.

    Attributes:
        event_masses: Reconstructed masses of the observed events [GeV].
        masses: Nodes of the mass resolution [GeV].
        resolutions: Mass resolution at the nodes [GeV].
        half_width: Half width of the window, in units of the resolution.
        everywhere: Events that count at every mass: none in a published search.
    """

    event_masses: Float[Array, " n_event"]
    masses: Float[Array, " n_node"]
    resolutions: Float[Array, " n_node"]
    half_width: Float[Array, ""]
    everywhere: float = eqx.field(static=True, default=0.0)

    def count(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Number of observed events inside the window.

        Args:
            mass: Mass hypothesis [GeV].

        Returns:
            Events with a mass closer than `half_width` resolutions.
        """
        resolution = jnp.interp(mass, self.masses, self.resolutions)
        inside = jnp.abs(self.event_masses - mass) < self.half_width * resolution
        return jnp.sum(inside.astype(resolution.dtype)) + self.everywhere

    def edges(self) -> tuple[float, ...]:
        """Masses at which the count changes [GeV], for known numbers."""
        found = []
        nodes = np.asarray(self.masses)
        half = float(self.half_width) * np.asarray(self.resolutions)
        for event in np.asarray(self.event_masses):
            # where nodes -+ half crosses the event, linear between the nodes
            for sign in (-1.0, 1.0):
                gap = nodes + sign * half - event
                for i in np.flatnonzero(gap[:-1] * gap[1:] < 0.0):
                    share = gap[i] / (gap[i] - gap[i + 1])
                    found.append(float(nodes[i] + share * (nodes[i + 1] - nodes[i])))
        return tuple(sorted(found))


class BeamDumpChannel(Channel):
    """One search in beam-dump mode, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-dump-mumu"``.
        datasets: Data that went into it.
        inputs: Digests of the data files that went into it, by file name.
        changes: What was changed by hand.
        fingerprint: Digest of the numbers of the record.
        final_state: Name of the visible final state, for example ``"mumu"``.
        mass_range: Masses covered by the yield table, lowest and highest [GeV].
        default_plane: Mass and coupling axis of a scan that names none.
        coupling_axes: Coupling axis of other models, by name.
        efficiency_preset: Production preset that the efficiency was calibrated with;
            empty where it was not calibrated.
        nuisances: Uncertainties of the channel's own inputs.
        protons_on_target: Protons on target.
        efficiency: Selection and trigger efficiency on top of the acceptance.
        background: Expected background events in the signal region.
        yields: Accepted decays per proton of every production process.
        window: Which events count at which mass.
        consistent_presets: Other presets whose norms were fixed with this efficiency.
        production_note: What to say with every other preset.
    """

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    final_state: str = eqx.field(static=True)
    mass_range: tuple[float, float] = eqx.field(static=True)
    default_plane: tuple[DefaultAxis, DefaultAxis] = eqx.field(static=True)
    efficiency_preset: str = eqx.field(static=True)
    nuisances: tuple[ChannelNuisance, ...] = eqx.field(static=True)
    protons_on_target: Float[Array, ""]
    efficiency: Float[Array, ""]
    background: Float[Array, ""]
    yields: YieldTable
    window: MassWindow
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)
    coupling_axes: tuple[tuple[str, DefaultAxis], ...] = eqx.field(
        static=True, default=()
    )
    consistent_presets: tuple[str, ...] = eqx.field(static=True, default=())
    production_note: str = eqx.field(static=True, default="")

    @property
    def processes(self) -> tuple[str, ...]:
        """Production processes that the search has a yield for."""
        return self.yields.processes

    @property
    def known_masses(self) -> tuple[float, float]:
        """Masses of the yield table [GeV]."""
        return self.mass_range

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
        return self.window.edges()

    @property
    def n_observed(self) -> int:
        """Observed events in the whole signal region."""
        return self.window.event_masses.shape[0] + int(self.window.everywhere)

    def select(self, processes: Sequence[str]) -> BeamDumpChannel:
        """The same search with the yields of some production processes only.

        Args:
            processes: Names of the processes to keep; those of other kinds of search
                are passed over.

        Returns:
            A channel that evaluates faster and has fewer signal terms.
        """
        kept = [process for process in processes if process in self.processes]
        return dataclasses.replace(self, yields=self.yields.select(kept))

    def covers(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether a mass is inside the table.

        Args:
            mass: Mass [GeV].

        Returns:
            True inside.
        """
        low, high = self.mass_range
        return (mass >= low) & (mass <= high)

    def log_signal(self, mediator: Mediator) -> Float[Array, " n_process"]:
        """Log of the expected signal events by production process.

        Args:
            mediator: The new particle; its branching ratios must name the final state.

        Returns:
            One logarithm for every process of the channel's table; `LOG_CLOSED` for a
            process that the mediator does not have, for closed ones and outside the
            masses of the table.

        Raises:
            InputError: The model has no branching ratio into the final state.
        """
        if self.final_state not in mediator.branching_ratios:
            known = ", ".join(map(repr, mediator.branching_ratios))
            msg = (
                f"channel {self.name} needs the branching ratio into "
                f"{self.final_state!r}; the model has {known or 'none'}"
            )
            raise InputError(msg)
        zero = jnp.zeros_like(mediator.mass)
        strengths = jnp.stack(
            [mediator.production.get(process, zero) for process in self.processes]
        )
        is_unstable = mediator.decay_width > 0.0
        width = jnp.where(is_unstable, mediator.decay_width, 1.0)
        lasting = eqx.tree_at(lambda m: m.decay_width, mediator, width)
        log_yield = self.yields(mediator.mass, lifetime_length(lasting))
        log_rate = safe_log(
            self.protons_on_target
            * self.efficiency
            * mediator.branching_ratios[self.final_state]
        )
        is_open = (strengths > 0.0) & (log_rate > LOG_CLOSED)
        is_open = is_open & self.covers(mediator.mass) & is_unstable
        log_signal = safe_log(strengths) + log_yield + log_rate
        return jnp.where(is_open, log_signal, LOG_CLOSED)

    def regions(self, mediator: Mediator) -> tuple[SearchRegion, ...]:
        """The signal region at one point of a model.

        Args:
            mediator: The new particle.

        Returns:
            One region, with one signal term for each production process.

        Raises:
            InputError: The model has no branching ratio into the final state.
        """
        own = log_responses(self.nuisances, "signal")
        logs = self.log_signal(mediator)
        fakes = log_responses(self.nuisances, "background")
        region = SearchRegion(
            name=self.name,
            observed=self.observed_count(mediator.mass),
            signal=tuple(
                SignalTerm(process, logs[row], own)
                for row, process in enumerate(self.processes)
            ),
            background=(BackgroundTerm("background", self.background, fakes),),
            is_open=self.covers(mediator.mass),
            is_found=jnp.ones((), bool),
        )
        return (region,)

    @property
    def unit(self) -> str:
        """Limits without a model are on events."""
        return "events"

    def check_unit(self, mass: float | None, lifetime_ns: float | None) -> None:
        """Refuse a mass outside the table, and any lifetime.

        Args:
            mass: Mass [GeV], or None for all events of the signal region.
            lifetime_ns: Has no meaning for a number of events.

        Raises:
            InputError: A mass outside, or a lifetime.
        """
        if lifetime_ns is not None:
            msg = (
                f"--lifetime-ns has no meaning for {self.name}: a limit in events has "
                "no lifetime; give --model with --mass and --coupling"
            )
            raise InputError(msg)
        low, high = self.mass_range
        if mass is not None and not low <= mass <= high:
            msg = (
                f"mass = {mass:g} GeV lies outside the table of {self.name} "
                f"({low:g} to {high:g} GeV)"
            )
            raise InputError(msg)

    def unit_regions(
        self, mass: Float[Array, ""] | None, decay_width: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        """The signal region with a signal of one event.

        Args:
            mass: Mass [GeV]: only events in its window count; all where None.
            decay_width: Does not matter.

        Returns:
            One region.
        """
        del decay_width
        everything = jnp.asarray(float(self.n_observed))
        region = SearchRegion(
            name=self.name,
            observed=everything if mass is None else self.observed_count(mass),
            signal=(
                SignalTerm(
                    "signal", jnp.zeros(()), log_responses(self.nuisances, "signal")
                ),
            ),
            background=(
                BackgroundTerm(
                    "background",
                    self.background,
                    log_responses(self.nuisances, "background"),
                ),
            ),
            is_open=jnp.ones((), bool),
            is_found=jnp.ones((), bool),
        )
        return (region,)

    def observed_count(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Observed events at a mass hypothesis.

        Args:
            mass: Mass [GeV].

        Returns:
            Number of events inside the mass window.
        """
        return self.window.count(mass)

    def largest_counts(self) -> tuple[LargestCount, ...]:
        """All observed events, and the background."""
        return (LargestCount(float(self.n_observed), float(self.background)),)

    def caveats(self, preset: str) -> tuple[str, ...]:
        """What the efficiency was calibrated with.

        Args:
            preset: Production preset of the model.

        Returns:
            Sentences.
        """
        if preset in (self.efficiency_preset, *self.consistent_presets):
            return ()
        note = (self.production_note,) if self.production_note else ()
        if not self.efficiency_preset:
            return note
        return (
            *note,
            f"the selection efficiency of {self.name} was calibrated with the preset "
            f"{self.efficiency_preset!r}, the model has {preset!r}: where its "
            "production in the dump is another, the limit is off by as much",
        )

    def with_exposure(self, protons_on_target: float) -> BeamDumpChannel:
        """The same search with another number of protons: a projection.

        Args:
            protons_on_target: Protons, > 0 and at most 1e24.

        Returns:
            A channel that says in its name that it is none that was published.

        Examples:
            >>> import bsmfit
            >>> bsmfit.load_channel("na62-dump-mumu").with_exposure(1e18).name
            'na62-dump-mumu+1e+18-protons'
        """
        value = real_number(
            "protons_on_target",
            protons_on_target,
            low=0.0,
            high=LARGEST_EXPOSURE,
            is_low_open=True,
        )
        return self.changed(f"{value:g}-protons", protons_on_target=jnp.asarray(value))

    def with_efficiency(self, efficiency: float) -> BeamDumpChannel:
        """The same search with another selection efficiency.

        Args:
            efficiency: Efficiency on top of the acceptance [1], within (0, 1].

        Returns:
            The changed channel.
        """
        value = real_number(
            "efficiency", efficiency, low=0.0, high=1.0, is_low_open=True
        )
        return self.changed(f"efficiency-{value:g}", efficiency=jnp.asarray(value))

    def with_background(self, background: float) -> BeamDumpChannel:
        """The same search with another expected background.

        Args:
            background: Expected events in the signal region, 0 to 60.

        Returns:
            The changed channel.
        """
        value = real_number("background", background, low=0.0)
        changed = self.changed(f"background-{value:g}", background=jnp.asarray(value))
        return refuse_large_background(changed, f"background = {value:g}")

    def with_background_factor(self, factor: float) -> BeamDumpChannel:
        """The same search with its background times a factor.

        Args:
            factor: The factor [1], > 0, so that at most 60 events are expected.

        Returns:
            The changed channel.
        """
        value = real_number("background_factor", factor, low=0.0, is_low_open=True)
        scaled = self.background * value
        changed = self.changed(f"background-x{value:g}", background=scaled)
        return refuse_large_background(changed, f"background_factor = {value:g}")

    def with_observed(
        self, n_observed: int | None = None, *, event_masses: Sequence[float] = ()
    ) -> BeamDumpChannel:
        """The same search with another observation: a projection, or a what-if.

        Args:
            n_observed: Events that count at every mass, 0 to 60.
            event_masses: Masses of observed events instead [GeV], which count within
                the mass window.

        Returns:
            The changed channel.

        Raises:
            InputError: Neither or both are given, or a mass outside the search.
        """
        if (n_observed is None) == (len(event_masses) == 0):
            msg = (
                "with_observed takes a number of events that count at every mass, or "
                "event_masses=[...] in GeV; give one of the two (0 for no event)"
            )
            raise InputError(msg)
        if n_observed is not None:
            count = whole_number("n_observed", n_observed, low=0, high=60)
            window = dataclasses.replace(
                self.window, event_masses=jnp.zeros(0), everywhere=float(count)
            )
            return self.changed(f"{count}-observed", window=window)
        low, high = self.mass_range
        masses = [
            real_number("event mass", mass, low=low, high=high) for mass in event_masses
        ]
        window = dataclasses.replace(
            self.window, event_masses=jnp.asarray(masses), everywhere=0.0
        )
        return self.changed(f"{len(masses)}-events", window=window)
