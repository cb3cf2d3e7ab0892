r"""A search for one rare decay: a count over background, and what one event means.

$$N = \frac{BR}{SES}\,\kappa_s^{\theta_s},\qquad
  \lambda_r = N\,[r\ \mathrm{has\ signal}]
  + \sum_b B_{rb}\,\kappa_{rb}^{\theta_{rb}}\prod_j\kappa_j^{\theta_j}$$

SES is the single-event sensitivity. A region without signal is a sideband: it says how
many events there are of the sources of background that it shares with the signal
region.

The mass of a new particle does not enter: a model says with which branching ratio the
decay happens (`process`), and answers itself for the acceptance being that of the
publication, uniform phase space in these searches.
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
    BackgroundTerm,
    LargestCount,
    SearchRegion,
    SignalTerm,
    safe_log,
)
from bsmfit.core.argument import LARGEST_EXPOSURE, real_number, whole_number
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["RareDecayChannel", "RareDecayRegion", "SignalCount"]

_LARGEST_COUNT = 10**6


class RareDecayRegion(eqx.Module):
    """One region of a search for a rare decay.

    Attributes:
        name: The region, unique among all searches.
        has_signal: Whether the decay is looked for here.
        n_observed: Observed events.
        background: Background terms by source, with their responses.
    """

    name: str = eqx.field(static=True)
    has_signal: bool = eqx.field(static=True)
    n_observed: Float[Array, ""]
    background: tuple[BackgroundTerm, ...]


class SignalCount(eqx.Module):
    """The signal region as one count.

    Attributes:
        n_observed: Observed events.
        background: Expected background, all sources [events].
        background_log_kappa: ln of the factor of one standard deviation of it; 0 where
            no uncertainty is known.
        sensitivity: Branching ratio of one expected event [1].
        sensitivity_log_kappa: ln of the factor of one standard deviation of it.
    """

    n_observed: Float[Array, ""]
    background: Float[Array, ""]
    background_log_kappa: float
    sensitivity: Float[Array, ""]
    sensitivity_log_kappa: float


class RareDecayChannel(Channel):
    """One search, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-pi-minus-mu-mu"``.
        decay: The decay, for example ``"K+ -> pi- mu+ mu+"``.
        process: Its name as a production process.
        datasets: Data that went into it; searches of the same data are not independent.
        nuisances: Log-normal uncertainties of the sensitivity.
        notes: What a user of the numbers must know.
        is_count_known: Whether the count and the background are known, or assumed.
        is_independent: Whether nothing of the sensitivity was inferred from the
            published limit.
        inputs: Digests of the data files that went into it, by file name.
        changes: What was changed by hand.
        fingerprint: Digest of the numbers of the record.
        single_event_sensitivity: Branching ratio of one expected event [1].
        counts: The regions; exactly one has signal.
    """

    name: str = eqx.field(static=True)
    decay: str = eqx.field(static=True)
    process: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    nuisances: tuple[ChannelNuisance, ...] = eqx.field(static=True)
    notes: tuple[str, ...] = eqx.field(static=True)
    is_count_known: bool = eqx.field(static=True)
    is_independent: bool = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)
    single_event_sensitivity: Float[Array, ""]
    counts: tuple[RareDecayRegion, ...]

    def __check_init__(self) -> None:
        n_signal = sum(region.has_signal for region in self.counts)
        if n_signal != 1:
            msg = (
                f"channel {self.name}: {n_signal} regions have signal; exactly one "
                "must, whose sensitivity is given"
            )
            raise InputError(msg)

    @property
    def processes(self) -> tuple[str, ...]:
        """The decay itself; its strength is the branching ratio."""
        return (self.process,)

    @property
    def known_masses(self) -> tuple[float, float]:
        """Any mass: none enters."""
        return 0.0, math.inf

    @property
    def default_mass(self) -> DefaultAxis:
        """Masses of a particle that is made in kaon decays and decays again [GeV]."""
        return DefaultAxis(0.15, 0.35, 101, spacing="lin")

    def default_coupling(self, model: str) -> DefaultAxis | None:
        """None: no shipped model has these decays."""
        del model
        return None

    def select(self, processes: Sequence[str]) -> RareDecayChannel:
        """The search itself, which knows one process."""
        del processes
        return self

    def covers(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """True: the search says something whatever the mass is."""
        return jnp.ones_like(mass, dtype=bool)

    @property
    def signal_region(self) -> RareDecayRegion:
        """The region that the decay is looked for in."""
        return next(region for region in self.counts if region.has_signal)

    def signal_count(self) -> SignalCount:
        r"""The signal region as one count, all sources of background added.

        The uncertainty of the sum is that of its sources in quadrature, sources that
        share a nuisance linearly for that nuisance. What sidebands say is left out.

        Returns:
            The count.
        """
        terms = self.signal_region.background
        total = sum((term.events for term in terms), start=jnp.zeros(()))
        errors: dict[str, float] = {}
        for term in terms:
            for response in term.responses:
                size = math.expm1(abs(float(response.size or 0.0)))
                shift = size * float(term.events)
                errors[response.name] = errors.get(response.name, 0.0) + shift
        relative = math.hypot(*errors.values()) / float(total) if errors else 0.0
        scale = sum(math.log(entry.kappa) ** 2 for entry in self.nuisances)
        return SignalCount(
            n_observed=self.signal_region.n_observed,
            background=total,
            background_log_kappa=math.log1p(relative),
            sensitivity=self.single_event_sensitivity,
            sensitivity_log_kappa=math.sqrt(scale),
        )

    def regions(self, mediator: Mediator) -> tuple[SearchRegion, ...]:
        """The counts of the search at one point of a model.

        Args:
            mediator: What the model predicts; the strength of `process` is the
                branching ratio of the decay.

        Returns:
            One region for each count.
        """
        zero = jnp.zeros_like(mediator.mass)
        return self._with_branching_ratio(mediator.production.get(self.process, zero))

    @property
    def unit(self) -> str:
        """Limits without a model are on the branching ratio."""
        return f"BR({self.decay})"

    def check_unit(self, mass: float | None, lifetime_ns: float | None) -> None:
        """Refuse a lifetime, which has no meaning.

        Args:
            mass: Mass [GeV] of a model, or None.
            lifetime_ns: Must be None.

        Raises:
            InputError: There is a lifetime.
        """
        del mass
        if lifetime_ns is not None:
            msg = (
                f"--lifetime-ns has no meaning for {self.name}, a search for "
                f"{self.decay}"
            )
            raise InputError(msg)

    def unit_regions(
        self, mass: Float[Array, ""] | None, decay_width: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        """The counts with the signal of a branching ratio of 1.

        Args:
            mass: Must be None: no mass enters.
            decay_width: Has no meaning.

        Returns:
            One region for each count.

        Raises:
            InputError: There is a mass.
        """
        if mass is not None:
            msg = (
                f"--mass has no effect on {self.name}: {self.unit} is limited whatever "
                "the mass of a particle between is; leave it out, or name a --model"
            )
            raise InputError(msg)
        return self._with_branching_ratio(jnp.ones_like(decay_width))

    def facts(self, mediator: Mediator) -> tuple[Fact, ...]:
        """Sensitivity and branching ratio.

        Args:
            mediator: What the model predicts.

        Returns:
            The numbers.
        """
        zero = jnp.zeros_like(mediator.mass)
        return (
            Fact(
                "single_event_sensitivity",
                "sensitivity",
                self.single_event_sensitivity,
                "for one event",
            ),
            Fact(
                "branching_ratio",
                "happens with",
                mediator.production.get(self.process, zero),
                self.unit,
            ),
        )

    @property
    def count_words(self) -> str:
        """Whether the count was observed or assumed."""
        if self.is_count_known:
            return "observed"
        return "assumed; neither count nor background is known"

    @property
    def is_background_known(self) -> bool:
        """Whether the background was published: where the count was, it was too."""
        return self.is_count_known

    def with_observed(self, n_observed: int) -> RareDecayChannel:
        """The same search with another observed count of its signal region.

        Args:
            n_observed: Observed events.

        Returns:
            The changed channel.

        Raises:
            InputError: No such count.
        """
        count = whole_number("n_observed", n_observed, low=0, high=_LARGEST_COUNT)
        seen = jnp.asarray(float(count))
        counts = tuple(
            dataclasses.replace(region, n_observed=seen)
            if region.has_signal
            else region
            for region in self.counts
        )
        return self.changed(f"{count}-observed", counts=counts)

    def with_sensitivity(self, single_event_sensitivity: float) -> RareDecayChannel:
        """The same search with another single-event sensitivity: a projection.

        Args:
            single_event_sensitivity: Branching ratio of one expected event [1], 1e-24
                to 1; the backgrounds stay as they are.

        Returns:
            The changed channel.
        """
        value = real_number(
            "sensitivity",
            single_event_sensitivity,
            low=1.0 / LARGEST_EXPOSURE,
            high=1.0,
        )
        return self.changed(
            f"ses-{value:g}", single_event_sensitivity=jnp.asarray(value)
        )

    def with_background_factor(self, factor: float) -> RareDecayChannel:
        """The same search with the backgrounds of its signal region times a factor.

        Args:
            factor: The factor [1], > 0, so that at most 1e6 events are expected.

        Returns:
            The changed channel.
        """
        value = real_number("background_factor", factor, low=0.0, is_low_open=True)
        counts = tuple(
            eqx.tree_at(
                lambda one: [term.events for term in one.background],
                region,
                [term.events * value for term in region.background],
            )
            if region.has_signal
            else region
            for region in self.counts
        )
        changed = self.changed(f"background-x{value:g}", counts=counts)
        return refuse_large_background(
            changed, f"background_factor = {value:g}", highest=float(_LARGEST_COUNT)
        )

    def largest_counts(self) -> tuple[LargestCount, ...]:
        """Observed count and background of each region."""
        return tuple(
            LargestCount(
                float(region.n_observed),
                float(sum(float(term.events) for term in region.background)),
            )
            for region in self.counts
        )

    def caveats(self, preset: str) -> tuple[str, ...]:
        """What a user of the numbers must know.

        Args:
            preset: Production preset of the model, which does not matter here.

        Returns:
            Sentences.
        """
        del preset
        return self.notes

    def _with_branching_ratio(
        self, branching_ratio: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        log_events = safe_log(branching_ratio) - jnp.log(self.single_event_sensitivity)
        own = log_responses(self.nuisances, "signal")
        always = jnp.ones_like(branching_ratio, dtype=bool)
        return tuple(
            SearchRegion(
                name=region.name,
                observed=region.n_observed,
                signal=(SignalTerm(self.process, log_events, own),)
                if region.has_signal
                else (),
                background=region.background,
                is_open=always,
                is_found=always,
            )
            for region in self.counts
        )
