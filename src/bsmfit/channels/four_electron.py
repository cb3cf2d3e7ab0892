r"""A search for $K^+\to\pi^+e^+e^-e^+e^-$: from a mediator to expected events.

$$N = N_K\,\eta\,A\,BR(K^+\to\pi^+X\!X)\,B(X\to e^+e^-)^2$$

for two axions, or two dark photons from a scalar (`bsmfit.physics.dark_cascade`). A is
the acceptance by masses and lifetime, and the efficiency $\eta$ one number. The
signal region is one count. Control regions have no signal and hold the branching
ratios of the backgrounds, which sources share by name; `with_controls` puts them into
the likelihood.

Where a scalar of the chain does not decay at once the table has no answer: the search
is closed there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.channels.channel import (
    Channel,
    ChannelNuisance,
    DefaultAxis,
    Fact,
    log_responses,
)
from bsmfit.channels.own_background import refuse_large_background
from bsmfit.channels.search_region import (
    LOG_CLOSED,
    BackgroundTerm,
    LargestCount,
    LogResponse,
    SearchRegion,
    SignalTerm,
    safe_log,
)
from bsmfit.core.argument import LARGEST_EXPOSURE, real_number, whole_number
from bsmfit.core.constants import HBAR_C, KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.detector.pair_acceptance import LIGHTEST, PairAcceptance, PairShare
from bsmfit.errors import InputError
from bsmfit.physics.axion_pair import AXION_PAIR
from bsmfit.physics.dark_cascade import CASCADE, CascadeMediator
from bsmfit.physics.mediator import Mediator

PROCESSES = (AXION_PAIR, CASCADE)
"""Production processes of these searches."""

__all__ = ["PROCESSES", "CountedEvents", "FourElectronChannel", "SourceEvents"]

_PROMPT_WIDTH = 1.0  # GeV: as good as at once
_LONGEST = 1e5  # m: no decay volume is longer
_PROMPT_SHARE = 0.1  # of the vertex length, that a scalar may fly


class SourceEvents(eqx.Module):
    """One background in one region.

    Attributes:
        name: The background.
        events: Expected events.
        log_kappas: Nuisances of its branching ratios, and the log of their factors.
    """

    name: str = eqx.field(static=True)
    events: Float[Array, ""]
    log_kappas: tuple[tuple[str, float], ...] = eqx.field(static=True)


class CountedEvents(eqx.Module):
    """A region that shares no event with any other.

    Attributes:
        name: Its name; the first region has the signal.
        observed: Observed events.
        sources: Its backgrounds.
        simulation: Nuisance of the simulated events: all sources together, and the
            relative error of their sum.
    """

    name: str = eqx.field(static=True)
    observed: Float[Array, ""]
    sources: tuple[SourceEvents, ...]
    simulation: tuple[str, float] = eqx.field(static=True)


class FourElectronChannel(Channel):
    r"""The search, ready to be evaluated.

    Attributes:
        name: Channel id.
        datasets: Data that went into it.
        axion_masses: Lowest and highest mass of a [GeV].
        scalar_segments: Masses of S at which the chain is seen [GeV].
        mass_axis: Mass axis of a scan that names none [GeV].
        coupling_axes: Coupling axis by model.
        nuisances: Log-normal uncertainties of the signal.
        vertex_nuisance: Name and relative size of the uncertainty of the length within
            which displaced pairs are kept.
        close_tracks: Name of the uncertainty of the distance of close tracks.
        notes: What a reader must know.
        inputs: Digests of the data files that went into it.
        kaon_decays: $N_K$.
        efficiency: $\eta$.
        vertex_length: Length within which a displaced pair is kept [m].
        beam_momentum: Mean momentum of the kaons [GeV].
        acceptance: The tables.
        counted: The regions, the one of the signal first.
        kept: Production processes, out of those of the two decays.
        has_controls: Whether the control regions are part of the likelihood.
        changes: What was changed by hand.
        fingerprint: Digest of the numbers of the record.
    """

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    axion_masses: tuple[float, float] = eqx.field(static=True)
    scalar_segments: tuple[tuple[float, float], ...] = eqx.field(static=True)
    mass_axis: DefaultAxis = eqx.field(static=True)
    coupling_axes: tuple[tuple[str, DefaultAxis], ...] = eqx.field(static=True)
    nuisances: tuple[ChannelNuisance, ...] = eqx.field(static=True)
    vertex_nuisance: tuple[str, float] = eqx.field(static=True)
    close_tracks: str = eqx.field(static=True)
    notes: tuple[str, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    kaon_decays: Float[Array, ""]
    efficiency: Float[Array, ""]
    vertex_length: Float[Array, ""]
    beam_momentum: Float[Array, ""]
    acceptance: PairAcceptance
    counted: tuple[CountedEvents, ...]
    kept: tuple[str, ...] = eqx.field(static=True)
    has_controls: bool = eqx.field(static=True)
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)

    @property
    def processes(self) -> tuple[str, ...]:
        """Production processes that the search knows."""
        return self.kept

    @property
    def known_masses(self) -> tuple[float, float]:
        """Any mass: where the search says nothing, it is closed."""
        return 0.0, math.inf

    @property
    def default_mass(self) -> DefaultAxis:
        """Mass axis of a scan that names none [GeV]."""
        return self.mass_axis

    def default_coupling(self, model: str) -> DefaultAxis | None:
        """Coupling axis of a scan that names none, for a model by name."""
        return dict(self.coupling_axes).get(model)

    def select(self, processes: Sequence[str]) -> FourElectronChannel:
        """The search for the processes of a model."""
        kept = tuple(process for process in self.kept if process in processes)
        return dataclasses.replace(self, kept=kept)

    def covers(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether the search says anything at a mass of an axion [GeV]."""
        low, high = self.axion_masses
        return (mass >= low) & (mass <= high)

    def regions(self, mediator: Mediator) -> tuple[SearchRegion, ...]:
        """Signal region, and control regions if wanted, at one point of a model.

        Args:
            mediator: The new particle.

        Returns:
            The regions, the one of the signal first.

        Raises:
            InputError: A model of the chain that does not say both masses, or one
                without a branching ratio into electrons.
        """
        terms, opened = [], []
        for process in self.processes:
            term, is_open = self._signal(process, mediator)
            terms.append(term)
            opened.append(is_open)
        is_open = jnp.any(jnp.stack(opened))
        found = jnp.ones((), bool)
        return tuple(
            SearchRegion(
                name=self.name if place == 0 else f"{self.name}-{region.name}",
                observed=region.observed,
                signal=tuple(terms) if place == 0 else (),
                background=_backgrounds(region),
                is_open=is_open,
                is_found=found,
            )
            for place, region in enumerate(self._regions_in_use)
        )

    def with_controls(self) -> FourElectronChannel:
        """The same search with its control regions in the likelihood.

        They have no signal and hold the branching ratios of the backgrounds. Observed
        limits do not change, no event being seen; expected ones by less than 1e-3. It
        takes several times as long, so that it is not the default.

        Returns:
            The search with all regions.
        """
        whole = dataclasses.replace(self, has_controls=True)
        return whole.as_published() if self.is_published else whole

    @property
    def _regions_in_use(self) -> tuple[CountedEvents, ...]:
        return self.counted if self.has_controls else self.counted[:1]

    def log_sensitivity(self, share: PairShare) -> Float[Array, ""]:
        """Log of the branching ratio of one expected event.

        Args:
            share: The acceptance at a point.

        Returns:
            ln of the single-event sensitivity.
        """
        return -jnp.log(self.kaon_decays * self.efficiency) - share.log_acceptance

    def share(self, process: str, mediator: Mediator) -> PairShare:
        """Acceptance at a point of a model.

        Args:
            process: A process of the search.
            mediator: The new particle.

        Returns:
            The acceptance, that of the nearest tabulated masses outside the table.

        Raises:
            InputError: The chain without its masses.
        """
        if process == AXION_PAIR:
            return self.acceptance.of_axions(
                mediator.mass, mediator.decay_width, length=self.vertex_length
            )
        chain = self._chain(mediator)
        return self.acceptance.of_cascade(
            chain.scalar_mass,
            chain.photon_mass,
            chain.photon_width,
            length=self.vertex_length,
        )

    def is_seen(self, process: str, mediator: Mediator) -> Bool[Array, ""]:
        """Whether the tables have an answer at a point.

        Args:
            process: A process of the search.
            mediator: The new particle.

        Returns:
            True for masses inside the tables and, in the chain, a scalar that flies
            less than a tenth of the length within which displaced pairs are kept.
        """
        if process == AXION_PAIR:
            return self.covers(mediator.mass)
        chain = self._chain(mediator)
        at = chain.scalar_mass
        inside = [(at >= low) & (at <= high) for low, high in self.scalar_segments]
        fits = (chain.photon_mass >= LIGHTEST) & (2.0 * chain.photon_mass < at)
        energy = (KAON_CHARGED_MASS**2 + at**2 - PION_CHARGED_MASS**2) / (
            2.0 * KAON_CHARGED_MASS**2
        )
        # mean flight p c tau / m of the scalar, against the length
        flight = self.beam_momentum * energy * HBAR_C
        allowed = _PROMPT_SHARE * self.vertex_length * at * chain.scalar_width
        return jnp.any(jnp.stack(inside)) & fits & (flight < allowed)

    def _chain(self, mediator: Mediator) -> CascadeMediator:
        if isinstance(mediator, CascadeMediator):
            return mediator
        msg = (
            f"{self.name}: a model with the process {CASCADE!r} must return a "
            "CascadeMediator (bsmfit.physics.dark_cascade), which says the masses and "
            "widths of the scalar and of the dark photon"
        )
        raise InputError(msg)

    def _signal(
        self, process: str, mediator: Mediator
    ) -> tuple[SignalTerm, Bool[Array, ""]]:
        """The signal term of one process, and whether there is an answer."""
        if process == CASCADE:
            electrons = self._chain(mediator).electron_share
        elif "ee" in mediator.branching_ratios:
            electrons = mediator.branching_ratios["ee"]
        else:
            known = ", ".join(map(repr, mediator.branching_ratios)) or "none"
            msg = (
                f"channel {self.name} needs the branching ratio into 'ee'; the model "
                f"has {known}"
            )
            raise InputError(msg)
        share, is_open = self.share(process, mediator), self.is_seen(process, mediator)
        strength = mediator.production.get(process, jnp.zeros_like(mediator.mass))
        rate = safe_log(strength) + 2.0 * safe_log(electrons)
        log_events = jnp.maximum(rate - self.log_sensitivity(share), LOG_CLOSED)
        log_events = jnp.where(is_open, log_events, LOG_CLOSED)
        name, size = self.vertex_nuisance
        zero = jnp.zeros_like(share.log_close)
        responses = (
            *log_responses(self.nuisances, "signal"),
            LogResponse(name, math.log1p(size) * share.log_length),
            LogResponse(self.close_tracks, jnp.where(is_open, share.log_close, zero)),
        )
        return SignalTerm(process, log_events, responses), is_open

    @property
    def unit(self) -> str:
        """Limits without a model are on the branching ratio of two axions."""
        return "BR(K+ -> pi+ a a), a -> e+ e-"

    def check_unit(self, mass: float | None, lifetime_ns: float | None) -> None:
        """Refuse a mass outside the table, and no lifetime.

        Args:
            mass: Mass of a [GeV].
            lifetime_ns: Its proper lifetime [ns]; it decays at once where None.

        Raises:
            InputError: No mass, one outside the table or beyond phase space, or a
                lifetime that is not above 0.
        """
        low, high = self.axion_masses
        known = f"{low:g} to {high:g} GeV"
        if mass is None:
            msg = f"{self.name} needs --mass [GeV], that of a: {known}"
            raise InputError(msg)
        if not low <= mass <= high:
            end = 0.5 * (KAON_CHARGED_MASS - PION_CHARGED_MASS)
            why = (
                f"K+ -> pi+ a a is closed above {end:.4f} GeV"
                if mass > end
                else f"{self.name} says nothing there"
            )
            msg = f"mass = {mass:g} GeV: {why}; choose a mass of a from {known}"
            raise InputError(msg)
        if lifetime_ns is not None and not 0.0 < lifetime_ns < math.inf:
            msg = f"lifetime = {lifetime_ns:g} ns must be above 0 and finite"
            raise InputError(msg)

    def check_model_mass(self, mass: float) -> None:
        """Allow any mass: the axis of a model may be that of a, S or A'."""
        del mass

    def unit_regions(
        self, mass: Float[Array, ""] | None, decay_width: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        """The regions with the signal of BR(K+ -> pi+ a a) = 1.

        Args:
            mass: Mass of a [GeV].
            decay_width: Its width [GeV]; 0 for a decay at once.

        Returns:
            The regions.
        """
        if mass is None:
            self.check_unit(None, None)
        one = jnp.ones_like(decay_width)
        width = jnp.where(decay_width > 0.0, decay_width, _PROMPT_WIDTH)
        at = one if mass is None else mass
        only = dataclasses.replace(self, kept=(AXION_PAIR,))
        return only.regions(Mediator(at, width, {"ee": one}, {AXION_PAIR: one}))

    def facts(self, mediator: Mediator) -> tuple[Fact, ...]:
        """Sensitivity, prompt share and branching ratio, for a model.

        Args:
            mediator: The new particle.

        Returns:
            The numbers; none for a particle that is not said to make electrons.
        """
        process = CASCADE if isinstance(mediator, CascadeMediator) else AXION_PAIR
        if process not in mediator.production or (
            process == AXION_PAIR and "ee" not in mediator.branching_ratios
        ):
            return ()
        share = self.share(process, mediator)
        return (
            Fact(
                "single_event_sensitivity",
                "sensitivity",
                jnp.exp(jnp.minimum(self.log_sensitivity(share), 690.0)),
                "for one event, its lifetime included",
            ),
            Fact(
                "lifetime_slope",
                "lost by flight",
                share.log_length,
                "d ln A / d ln(length): 0 where all pairs decay at once, 2 far away",
            ),
            Fact(
                "branching_ratio",
                "made with",
                mediator.production[process],
                "BR of two such particles",
            ),
        )

    def largest_counts(self) -> tuple[LargestCount, ...]:
        """Counts and backgrounds, the same at all points."""
        return tuple(
            LargestCount(
                float(region.observed),
                float(sum(float(source.events) for source in region.sources)),
            )
            for region in self._regions_in_use
        )

    def caveats(self, preset: str) -> tuple[str, ...]:
        """What a reader of a result must know."""
        del preset
        return self.notes

    def with_observed(self, n_observed: int) -> FourElectronChannel:
        """The same search with another count in the signal region.

        Args:
            n_observed: Observed events, 0 to 60.

        Returns:
            The changed channel.
        """
        count = whole_number("n_observed", n_observed, low=0, high=60)
        first, *others = self.counted
        first = dataclasses.replace(first, observed=jnp.asarray(float(count)))
        return self.changed(f"{count}-observed", counted=(first, *others))

    def with_efficiency(self, efficiency: float) -> FourElectronChannel:
        """The same search with another efficiency on top of the acceptance.

        Args:
            efficiency: The efficiency [1], within (0, 1].

        Returns:
            The changed channel.
        """
        value = real_number(
            "efficiency", efficiency, low=0.0, high=1.0, is_low_open=True
        )
        return self.changed(f"efficiency-{value:g}", efficiency=jnp.asarray(value))

    def with_kaons(self, kaon_decays: float) -> FourElectronChannel:
        """The same search with another number of kaon decays: a projection.

        Args:
            kaon_decays: Kaon decays, > 0; the backgrounds stay as they are.

        Returns:
            The changed channel.
        """
        value = real_number(
            "kaons", kaon_decays, low=0.0, high=LARGEST_EXPOSURE, is_low_open=True
        )
        return self.changed(f"{value:g}-kaons", kaon_decays=jnp.asarray(value))

    def with_background_factor(self, factor: float) -> FourElectronChannel:
        """The same search with all backgrounds of all regions times a factor.

        Args:
            factor: The factor [1], > 0, so that at most 60 events are expected in
                each region.

        Returns:
            The changed channel.
        """
        value = real_number("background_factor", factor, low=0.0, is_low_open=True)
        counted = tuple(
            eqx.tree_at(
                lambda one: [source.events for source in one.sources],
                region,
                [source.events * value for source in region.sources],
            )
            for region in self.counted
        )
        changed = self.changed(f"background-x{value:g}", counted=counted)
        return refuse_large_background(changed, f"background_factor = {value:g}")

    def with_vertex_length(self, length: float) -> FourElectronChannel:
        """The same search with another length within which pairs are kept.

        Args:
            length: The length [m], > 0 and at most 1e5.

        Returns:
            The changed channel.
        """
        value = real_number("length", length, low=0.0, high=_LONGEST, is_low_open=True)
        return self.changed(f"vertex-{value:g}m", vertex_length=jnp.asarray(value))


def _backgrounds(region: CountedEvents) -> tuple[BackgroundTerm, ...]:
    simulation = LogResponse(region.simulation[0], math.log1p(region.simulation[1]))
    return tuple(
        BackgroundTerm(
            source.name,
            source.events,
            (
                simulation,
                *(LogResponse(name, size) for name, size in source.log_kappas),
            ),
        )
        for source in region.sources
    )
