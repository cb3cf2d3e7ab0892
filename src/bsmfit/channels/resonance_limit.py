r"""A search known by its limit curve: a peak in the mass of an unseen particle.

$$N = \frac{BR(P\to\ell N)}{SES(m)}\,\big[B_{inv} + (1-B_{inv})\,P_{esc}\big]$$

Published is the upper limit on the branching ratio against the mass; counts, background
and sensitivity are not. Three statements replace them, each in the record:

- a *background* b, the same at all masses [assumed];
- the *expected* limit, the geometric mean of the published limits nearby [assumed],
  which makes the sensitivity: $SES = UL_{exp}/s_{up}(n=b,b)$;
- then the *count* is the one that makes the published limit
  (`bsmfit.channels.stable_limit`).

A limit at the level of the publication is the published one whatever b is. Others
depend on b: for n = b the 95 % limit is 1.2 times that at 90 % for many events and 1.3
times for none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit.channels.channel import (
    Channel,
    ChannelNuisance,
    DefaultAxis,
    Fact,
    log_responses,
)
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
from bsmfit.detector.in_flight_escape import InFlightEscape
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["ResonanceLimitChannel"]


class ResonanceLimitChannel(Channel):
    """One search, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-k-mu-n"``.
        datasets: Data that went into it; searches of the same data are not independent.
        process: The production process; its strength is its branching ratio.
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
        escape: Where the particle must not decay; None where it may.
    """

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    process: str = eqx.field(static=True)
    mass_axis: DefaultAxis = eqx.field(static=True)
    coupling_axes: tuple[tuple[str, DefaultAxis], ...] = eqx.field(static=True)
    nuisances: tuple[ChannelNuisance, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    published: StableLimit
    log_sensitivity: Float[Array, " n_mass"]
    background: Float[Array, ""]
    escape: InFlightEscape | None
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)

    @property
    def processes(self) -> tuple[str, ...]:
        """The one production process of the search."""
        return (self.process,)

    @property
    def mass_range(self) -> tuple[float, float]:
        """First and last mass of the published limit [GeV]."""
        masses = np.asarray(self.published.masses)
        return float(masses[0]), float(masses[-1])

    @property
    def known_masses(self) -> tuple[float, float]:
        """Any mass: where the search says nothing, it is closed."""
        return 0.0, math.inf

    @property
    def default_mass(self) -> DefaultAxis:
        """Mass axis of a scan that names none [GeV]."""
        return self.mass_axis

    @property
    def mass_nodes(self) -> tuple[float, ...]:
        """Ends of the published limit [GeV]."""
        return self.mass_range

    def default_coupling(self, model: str) -> DefaultAxis | None:
        """Coupling axis of a scan that names none, for a model by name."""
        return dict(self.coupling_axes).get(model)

    def select(self, processes: Sequence[str]) -> ResonanceLimitChannel:
        """The search itself, which knows one process."""
        del processes
        return self

    def covers(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether a limit is published around a mass.

        Args:
            mass: Mass of the particle [GeV].

        Returns:
            True from the first to the last published mass.
        """
        nodes = self.published.masses
        return (mass >= nodes[0]) & (mass <= nodes[-1])

    def log_unseen(self, mediator: Mediator) -> Float[Array, ""]:
        """Log of the share of particles that leave no trace.

        Args:
            mediator: The new particle.

        Returns:
            ln of the share, <= 0.
        """
        zero = jnp.zeros_like(mediator.mass)
        if self.escape is None:
            return zero
        log_escape = self.escape.log_probability(mediator.mass, mediator.decay_width)
        invisible = mediator.branching_ratios.get("invisible", zero)
        return jnp.logaddexp(
            safe_log(invisible), safe_log(1.0 - invisible) + log_escape
        )

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
        log_events = jnp.maximum(log_events + self.log_unseen(mediator), LOG_CLOSED)
        # safe_log marks a closed process; what is added to it is not events
        is_made = is_open & (log_made > LOG_CLOSED)
        signal = SignalTerm(
            self.process,
            jnp.where(is_made, log_events, LOG_CLOSED),
            log_responses(self.nuisances, "signal"),
        )
        background = BackgroundTerm(
            "background",
            zero + self.background,
            log_responses(self.nuisances, "background"),
        )
        region = SearchRegion(
            name=self.name,
            observed=seen.n,
            signal=(signal,),
            background=(background,),
            is_open=is_open,
            is_found=seen.is_found | ~is_open,
            is_effective=True,
        )
        return (region,)

    @property
    def unit(self) -> str:
        """Limits without a model are on the branching ratio."""
        return f"BR({self.process})"

    def check_unit(self, mass: float | None, lifetime_ns: float | None) -> None:
        """Refuse a mass without a published limit, and no lifetime.

        Args:
            mass: Mass of the particle [GeV].
            lifetime_ns: Its proper lifetime [ns]; stable where None.

        Raises:
            InputError: No mass, one at which the search says nothing, or a lifetime
                that is not above 0, or has no meaning.
        """
        low, high = self.mass_range
        known = f"{low:g} to {high:g} GeV"
        if mass is None:
            msg = f"{self.name} needs --mass [GeV], within {known}"
            raise InputError(msg)
        if not low <= mass <= high:
            msg = (
                f"mass = {mass:g} GeV: {self.name} says nothing there, only at {known}"
            )
            raise InputError(msg)
        if lifetime_ns is not None and self.escape is None:
            msg = f"a lifetime has no meaning for {self.name}; leave it out"
            raise InputError(msg)
        if lifetime_ns is not None and not 0.0 < lifetime_ns < math.inf:
            msg = f"lifetime = {lifetime_ns:g} ns must be above 0 and finite"
            raise InputError(msg)

    def unit_regions(
        self, mass: Float[Array, ""] | None, decay_width: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        """The count with the signal of a branching ratio of 1.

        Args:
            mass: Mass of the particle [GeV].
            decay_width: Its total width [GeV]; it decays visibly.

        Returns:
            One region.
        """
        if mass is None:
            self.check_unit(None, None)
        one = jnp.ones_like(decay_width)
        at = one if mass is None else mass
        made = {self.process: one}
        return self.regions(Mediator(at, decay_width, {"visible": one}, made))

    def facts(self, mediator: Mediator) -> tuple[Fact, ...]:
        """Sensitivity, escape probability and branching ratio.

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
                "unseen_probability",
                "leaves no trace",
                jnp.exp(self.log_unseen(mediator)),
                "of the particles",
            ),
            Fact(
                "branching_ratio",
                "made with",
                mediator.production.get(self.process, zero),
                self.unit,
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
