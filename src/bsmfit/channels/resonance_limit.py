r"""A search known by its limit curve: a peak at the mass of one particle.

$$N = \frac{BR(P\to\ell X)}{SES(m)} \times \begin{cases}
  B_{inv} + (1-B_{inv})\,P(m,\tau) & \text{X leaves no trace}\\
  \sum_f B_f\,P(m,\tau) & \text{X decays to final states $f$ that are seen}
\end{cases}$$

P is the probability that X leaves undecayed, or that its decay is seen: from a beam and
a geometry (`bsmfit.detector.in_flight_escape`), or from limits that are published for
several lifetimes (`bsmfit.detector.flight_time_table`).

Published is the upper limit on the branching ratio against the mass; counts, background
and sensitivity are not. Three statements replace them, each in the record:

- a *background* b, the same at all masses [assumed];
- the *expected* limit, the geometric mean of the published limits nearby [assumed],
  which makes the sensitivity: $SES = UL_{exp}/s_{up}(n=b,b)$;
- then the *count* is the one that makes the published limit
  (`bsmfit.channels.stable_limit`).

A limit at the level of the publication is the published one whatever b is. For n = b
the 95 % limit is 1.2 times that at 90 % for many events and 1.3 times for none.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.channels.channel import (
    ChannelNuisance,
    DefaultAxis,
    Fact,
    log_responses,
)
from bsmfit.channels.mass_search import MassSearch
from bsmfit.channels.search_region import (
    LOG_CLOSED,
    BackgroundTerm,
    LargestCount,
    SearchRegion,
    SignalTerm,
    safe_log,
)
from bsmfit.channels.stable_limit import (
    ReconstructedCount,
    StableLimit,
    total_error,
)
from bsmfit.detector.flight_time_table import FlightTimeTable
from bsmfit.detector.in_flight_escape import InFlightEscape
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["ResonanceLimitChannel"]


class ResonanceLimitChannel(MassSearch):
    """One search, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-k-mu-n"``.
        datasets: Data that went into it; searches of the same data are not independent.
        process: The production process; its strength is its branching ratio.
        final_states: Decays of the particle that are seen; none where it must leave
            no trace.
        segments: Masses at which the search says something, (low, high) [GeV].
        mass_axis: Mass axis of a scan that names none [GeV].
        coupling_axes: Coupling axis of a scan that names none, by model.
        nuisances: Log-normal uncertainties of the signal and of the background.
        inputs: Digests of the data files that went into it, by file name.
        changes: What was changed by hand.
        fingerprint: Digest of the numbers of the record.
        published: Published limit on the branching ratio.
        log_sensitivity: ln of the branching ratio of one event, at the masses of
            `published`.
        background: Expected background [events].
        flight: Where the particle must not decay, or must; None where its lifetime does
            not matter.
    """

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    process: str = eqx.field(static=True)
    final_states: tuple[str, ...] = eqx.field(static=True)
    segments: tuple[tuple[float, float], ...] = eqx.field(static=True)
    mass_axis: DefaultAxis = eqx.field(static=True)
    coupling_axes: tuple[tuple[str, DefaultAxis], ...] = eqx.field(static=True)
    nuisances: tuple[ChannelNuisance, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    published: StableLimit
    log_sensitivity: Float[Array, " n_mass"]
    background: Float[Array, ""]
    flight: InFlightEscape | FlightTimeTable | None
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)

    @property
    def processes(self) -> tuple[str, ...]:
        """The one production process of the search."""
        return (self.process,)

    @property
    def knows_lifetimes(self) -> bool:
        """Whether a lifetime has a meaning for the search."""
        return self.flight is not None

    @property
    def is_prompt_without_lifetime(self) -> bool:
        """A particle whose decay is seen decays at once if not told otherwise."""
        return bool(self.final_states)

    @property
    def unit_final_state(self) -> str:
        """The first final state that is seen; else what a veto sees."""
        return self.final_states[0] if self.final_states else "visible"

    def log_share(self, mediator: Mediator) -> Float[Array, ""]:
        """Log of the share of the particles that the search sees as its signal.

        Args:
            mediator: The new particle.

        Returns:
            ln of the share, <= 0: of those that leave no trace, or that decay to the
            final states of the search where it sees that.

        Raises:
            InputError: The model spells a final state of the search in another way.
        """
        zero = jnp.zeros_like(mediator.mass)
        if self.final_states:
            self._check_final_states(mediator)
            shares = [
                mediator.branching_ratios.get(state, zero)
                for state in self.final_states
            ]
            return safe_log(sum(shares, start=zero)) + self._log_flight(mediator)
        if self.flight is None:
            return zero
        invisible = mediator.branching_ratios.get("invisible", zero)
        log_escape = safe_log(1.0 - invisible) + self._log_flight(mediator)
        return jnp.logaddexp(safe_log(invisible), log_escape)

    def _log_flight(self, mediator: Mediator) -> Float[Array, ""]:
        if self.flight is None:
            return jnp.zeros_like(mediator.mass)
        return self.flight.log_probability(mediator.mass, mediator.decay_width)

    def _check_final_states(self, mediator: Mediator) -> None:
        """Refuse other spellings; a model may have no final state of the search."""

        def letters(name: str) -> str:
            return "".join(filter(str.isalpha, name.lower()))

        plain = {letters(state): state for state in self.final_states}
        for name in mediator.branching_ratios:
            meant = plain.get(letters(name), name)
            if meant != name:
                msg = (
                    f"channel {self.name} sees the final state {meant!r}; the model "
                    f"has {name!r}: call it {meant!r}"
                )
                raise InputError(msg)

    def log_sensitivity_at(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Log of the branching ratio of one event.

        Args:
            mass: Mass of the particle [GeV].

        Returns:
            Logarithm, linear between the published masses.
        """
        return jnp.interp(mass, self.published.masses, self.log_sensitivity)

    def observed_count(self, mass: Float[Array, ""]) -> ReconstructedCount:
        """The count that makes the published limit.

        Args:
            mass: Mass of the particle [GeV].

        Returns:
            The count.
        """
        return ReconstructedCount.from_limit(
            self.published(mass) - self.log_sensitivity_at(mass),
            self.background,
            error=total_error(log_responses(self.nuisances, "signal")),
            cl=self.published.cl,
        )

    def regions(self, mediator: Mediator) -> tuple[SearchRegion, ...]:
        """The count of the search at one point of a model.

        Args:
            mediator: The new particle.

        Returns:
            One region, with one signal term.
        """
        mass, zero = mediator.mass, jnp.zeros_like(mediator.mass)
        seen, is_open = self.observed_count(mass), self.covers(mass)
        log_made = safe_log(mediator.production.get(self.process, zero))
        log_events = log_made - self.log_sensitivity_at(mass) + seen.log_factor
        log_share = self.log_share(mediator)
        log_events = jnp.maximum(log_events + log_share, LOG_CLOSED)
        # safe_log marks what is closed; what is added to it is not events
        is_made = is_open & (log_made > LOG_CLOSED) & (log_share > LOG_CLOSED)
        signal = SignalTerm(
            self.process,
            jnp.where(is_made, log_events, LOG_CLOSED),
            log_responses(self.nuisances, "signal"),
        )
        responses = log_responses(self.nuisances, "background")
        background = BackgroundTerm("background", zero + self.background, responses)
        only = SearchRegion(
            name=self.name,
            observed=seen.n,
            signal=(signal,),
            background=(background,),
            is_open=is_open,
            is_found=seen.is_found | ~is_open,
            is_effective=True,
        )
        return (only,)

    @property
    def unit(self) -> str:
        """Limits without a model are on the branching ratio, or on a product."""
        if not self.final_states:
            return f"BR({self.process})"
        return f"BR({self.process}) BR({' or '.join(self.final_states)})"

    def facts(self, mediator: Mediator) -> tuple[Fact, ...]:
        """Sensitivity, share that counts and branching ratio.

        Args:
            mediator: The new particle.

        Returns:
            The numbers.
        """
        mass, zero = mediator.mass, jnp.zeros_like(mediator.mass)
        return (
            Fact(
                "single_event_sensitivity",
                "sensitivity",
                jnp.exp(self.log_sensitivity_at(mass)),
                "for one event, with the assumed background",
            ),
            Fact(
                "seen_probability" if self.final_states else "unseen_probability",
                "decays seen" if self.final_states else "leaves no trace",
                jnp.exp(self.log_share(mediator)),
                "of the particles",
            ),
            Fact(
                "branching_ratio",
                "made with",
                mediator.production.get(self.process, zero),
                f"BR({self.process})",
            ),
        )

    def with_observed(self, n_observed: int) -> ResonanceLimitChannel:
        """Refuse a count: the search is known by its limit."""
        msg = (
            f"an observed count has no meaning for {self.name}: its counts are "
            f"reconstructed from the published limit; leave out {n_observed!r} events"
        )
        raise InputError(msg)

    @property
    def count_words(self) -> str:
        """Where the count comes from."""
        return "reconstructed from the published limit"

    def largest_counts(self) -> tuple[LargestCount, ...]:
        """No whole count, and the background, the same at all masses."""
        return (LargestCount(0.0, float(self.background)),)

    def caveats(self, preset: str) -> tuple[str, ...]:
        """What is assumed.

        Args:
            preset: Production preset of the model, which does not matter here.

        Returns:
            Sentences.
        """
        del preset
        return (
            f"the counts of {self.name} are reconstructed from its published limit "
            f"with an assumed background of {float(self.background):g} events; the "
            "expected limits are local means of the observed ones, not published; "
            "other levels, lifetimes, models and combinations are ours",
        )
