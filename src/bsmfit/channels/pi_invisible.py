r"""A search for $K^+\to\pi^+X$ with X invisible: from a mediator to expected events.

$$N = \frac{BR(K^+\to\pi^+X)}{SES_{\pi X}(m)}
  \big[B_{inv} + (1-B_{inv})\,P_{esc}(m,\tau)\big],\qquad
  SES_{\pi X}(m) = \frac{SES_{\pi\nu\bar\nu}}{r(m)}$$

An X that decays into anything visible before the end of the veto is lost; one that
decays behind it, or into nothing visible, counts. The limit in the coupling is
therefore two-sided where the lifetime follows from the coupling.

What the search saw comes in one of two forms:

- a *published limit* curve for stable X, from which the count that makes it is
  reconstructed at each mass (`bsmfit.channels.stable_limit`);
- an *observed count* in the whole signal region.

Where the search says nothing (the $\pi^0$ band, outside the published masses, above
$m_K-m_\pi$) it is closed: no signal, and the map marks the point.
"""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from bsmfit.channels.channel import (
    ChannelNuisance,
    DefaultAxis,
    Fact,
    log_responses,
)
from bsmfit.channels.mass_search import MassSearch
from bsmfit.channels.own_background import refuse_large_background
from bsmfit.channels.search_region import (
    LOG_CLOSED,
    BackgroundTerm,
    LargestCount,
    LogResponse,
    SearchRegion,
    SignalTerm,
)
from bsmfit.channels.stable_limit import (
    ReconstructedCount,
    StableLimit,
    total_error,
)
from bsmfit.core.argument import LARGEST_EXPOSURE, real_number, whole_number
from bsmfit.core.interpolation import CubicCurve
from bsmfit.detector.escape import EscapeTable
from bsmfit.errors import InputError
from bsmfit.likelihood.effective_count import LARGEST_EFFECTIVE_COUNT
from bsmfit.physics.mediator import Mediator

__all__ = ["OWN_LIMIT", "PROCESS", "PiInvisibleChannel"]

PROCESS = "kaon-to-pion"
"""The production process of these searches; its strength is BR(K+ -> pi+ X)."""

OWN_LIMIT = "own-limit"
"""What a search is called whose counts come from a limit of the user's."""

_SMALLEST_SHARE = 1e-12


class PiInvisibleChannel(MassSearch):
    """One search, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-pi-invisible-run1"``.
        datasets: Data that went into it; searches of the same data are not independent.
        segments: Masses at which the search says something, (low, high) [GeV].
        windows: Windows of the squared missing mass, (low, high) [GeV^2].
        mass_axis: Mass axis of a scan that names none [GeV].
        coupling_axes: Coupling axis of a scan that names none, by model.
        nuisances: Log-normal uncertainties of the signal and of the background.
        veto_nuisance: Name of the uncertainty of the end of the veto.
        inputs: Digests of the data files that went into it, by file name.
        changes: What was changed by hand.
        fingerprint: Digest of the numbers of the record.
        single_event_sensitivity: Branching ratio of pi nu nu for one event.
        veto_end_error: Uncertainty of the end of the veto [m].
        log_acceptance_ratio: ln r(m).
        resolution: Standard deviation of the squared missing mass [GeV^2].
        log_background: ln of the expected background [events] by mass: that of a count
            with the same information as the shape (`published`), or of the whole
            signal region (`n_observed`).
        escape: Escape probability by mass and lifetime.
        published: Published limit for stable X, or None.
        n_observed: Observed events of the whole signal region, or None.
        is_count_expected: Whether the background stands for the observed count.
    """

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    segments: tuple[tuple[float, float], ...] = eqx.field(static=True)
    windows: tuple[tuple[float, float], ...] = eqx.field(static=True)
    mass_axis: DefaultAxis = eqx.field(static=True)
    coupling_axes: tuple[tuple[str, DefaultAxis], ...] = eqx.field(static=True)
    nuisances: tuple[ChannelNuisance, ...] = eqx.field(static=True)
    veto_nuisance: str = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    single_event_sensitivity: Float[Array, ""]
    veto_end_error: Float[Array, ""]
    log_acceptance_ratio: CubicCurve
    resolution: CubicCurve
    log_background: CubicCurve
    escape: EscapeTable
    published: StableLimit | None
    n_observed: Float[Array, ""] | None
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)
    is_count_expected: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if (self.published is None) == (self.n_observed is None):
            msg = (
                f"channel {self.name}: give either a published limit or an observed "
                "count, not both and not neither"
            )
            raise InputError(msg)

    def with_limit(
        self,
        masses: ArrayLike,
        limits: ArrayLike,
        *,
        cl: float,
        segments: tuple[tuple[float, float], ...] | None = None,
    ) -> PiInvisibleChannel:
        """The same search with the counts of another limit for stable X.

        For limits of your own: of a HEPData table, or made from a spectrum. The name
        says so, and the published curve is no longer among the inputs.

        Args:
            masses: Masses of X [GeV], increasing.
            limits: Upper limits on BR(K+ -> pi+ X), within (0, 1).
            cl: Their confidence level, within (0, 1).
            segments: Masses at which they hold, (low, high) [GeV]; all between the
                first and the last where None. What is kept lies in the channel's own
                segments, too.

        Returns:
            The channel.

        Raises:
            InputError: Masses that do not increase, limits that are not positive, no
                mass inside the segments, or a channel that has a count of its own.
        """
        if self.n_observed is not None:
            msg = (
                f"{self.name} has a count of its own; give the limit to a search that "
                "reconstructs its counts, such as na62-pi-invisible-run1"
            )
            raise InputError(msg)
        curve = StableLimit.from_values(masses, limits, cl=cl)
        ends = (float(curve.masses[0]), float(curve.masses[-1]))
        kept = tuple(
            (max(low, first, ends[0]), min(high, last, ends[1]))
            for low, high in self.segments
            for first, last in segments or (ends,)
            if max(low, first, ends[0]) < min(high, last, ends[1])
        )
        if not kept:
            own = ", ".join(f"{low:g} to {high:g}" for low, high in self.segments)
            msg = (
                f"the limit covers {ends[0]:g} to {ends[1]:g} GeV, outside the masses "
                f"of {self.name}, {own} GeV (is the unit GeV?)"
            )
            raise InputError(msg)
        inputs = [pair for pair in self.inputs if "limit_stable.csv" not in pair[0]]
        base = self.name.partition("+")[0]
        return dataclasses.replace(
            self,
            name=f"{base}+{OWN_LIMIT}",
            changes=(OWN_LIMIT,),
            segments=kept,
            published=curve,
            inputs=tuple(inputs),
        )

    def with_observed(self, n_observed: int) -> PiInvisibleChannel:
        """The same search with another observed count of the whole signal region.

        Args:
            n_observed: Observed events, 0 to 60.

        Returns:
            The changed channel.

        Raises:
            InputError: No such count, or a search whose counts are reconstructed.
        """
        if self.n_observed is None:
            msg = (
                f"an observed count has no meaning for {self.name}: its counts are "
                "reconstructed from the published limit; take the search that ends in "
                "-count, or give another limit with with_limit"
            )
            raise InputError(msg)
        count = whole_number(
            "n_observed", n_observed, low=0, high=int(LARGEST_EFFECTIVE_COUNT)
        )
        return self.changed(f"{count}-observed", n_observed=jnp.asarray(float(count)))

    def with_sensitivity(self, single_event_sensitivity: float) -> PiInvisibleChannel:
        """The same search with another single-event sensitivity: a projection.

        The background grows with the exposure too: see `with_background_factor`; and
        the published limit stays: see `with_expected_count`.

        Args:
            single_event_sensitivity: Branching ratio of pi nu nu for one event [1],
                1e-24 to 1.

        Returns:
            The changed channel.
        """
        value = real_number(
            "single_event_sensitivity",
            single_event_sensitivity,
            low=1.0 / LARGEST_EXPOSURE,
            high=1.0,
        )
        return self.changed(
            f"ses-{value:g}", single_event_sensitivity=jnp.asarray(value)
        )

    def with_background_factor(self, factor: float) -> PiInvisibleChannel:
        """The same search with its background times a factor, at every mass.

        Args:
            factor: The factor [1], > 0.

        Returns:
            The changed channel.

        Raises:
            InputError: No such factor, or more than 60 events of background at a mass,
                which the sums over outcomes do not reach.
        """
        value = real_number("background_factor", factor, low=0.0, is_low_open=True)
        curve = self.log_background
        moved = eqx.tree_at(lambda c: c.values, curve, curve.values + math.log(value))
        changed = self.changed(f"background-x{value:g}", log_background=moved)
        return refuse_large_background(changed, f"background_factor = {value:g}")

    def with_expected_count(self) -> PiInvisibleChannel:
        """The same search with as many events as expected, at every mass: a projection.

        The count is the background at the mass, in general no whole number, instead of
        the one that is reconstructed from the published limit.

        Returns:
            The changed channel.

        Raises:
            InputError: The search has one count, which is a whole number.
        """
        if self.n_observed is not None:
            msg = (
                f"observed = 'expected' has no meaning for {self.name}, which has one "
                "whole count; give a number of events"
            )
            raise InputError(msg)
        return self.changed("expected-count", is_count_expected=True)

    @property
    def processes(self) -> tuple[str, ...]:
        """The one production process that these searches know."""
        return (PROCESS,)

    def peak_share(
        self,
        mass: Float[Array, ""],
        low: Float[Array, " n_bin"],
        high: Float[Array, " n_bin"],
    ) -> Float[Array, " n_bin"]:
        r"""Share of the selected signal in bins of the squared missing mass.

        $$\frac{\Phi[(h-m^2)/\sigma]-\Phi[(l-m^2)/\sigma]}
          {\sum_R\Phi[(h_R-m^2)/\sigma]-\Phi[(l_R-m^2)/\sigma]}$$

        Args:
            mass: Mass of X [GeV].
            low: Lower edges of the bins [GeV^2].
            high: Upper edges [GeV^2].

        Returns:
            Shares, of sum 1 for bins that cover all regions.
        """
        sigma = self.resolution(mass)

        def between(lower: Float[Array, " n"], upper: Float[Array, " n"]) -> Array:
            return ndtr((upper - mass**2) / sigma) - ndtr((lower - mass**2) / sigma)

        ends = jnp.asarray(self.windows)
        total = jnp.sum(between(ends[:, 0], ends[:, 1]))
        return between(low, high) / jnp.maximum(total, _SMALLEST_SHARE)

    def log_sensitivity(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        r"""Log of the single-event sensitivity to a stable X.

        Args:
            mass: Mass of X [GeV].

        Returns:
            $\ln SES_{\pi X}(m)$.
        """
        return jnp.log(self.single_event_sensitivity) - self.log_acceptance_ratio(mass)

    def background(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Expected background at a mass hypothesis.

        Args:
            mass: Mass of X [GeV].

        Returns:
            Events.
        """
        return jnp.exp(self.log_background(mass))

    def log_invisible(
        self, mediator: Mediator
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Log of the share of X that leaves no trace, and what moves it.

        Args:
            mediator: The new particle.

        Returns:
            ln of the share, and its response to one standard deviation of the end of
            the veto.
        """
        log_escape, slope = self.escape(mediator.mass, mediator.decay_width)
        zero = jnp.zeros_like(mediator.mass)
        invisible = mediator.branching_ratios.get("invisible", zero)
        escaping = (1.0 - invisible) * jnp.exp(log_escape)
        share = invisible + escaping
        is_seen = share > 0.0
        log_share = jnp.where(
            invisible > 0.0,
            jnp.log(jnp.where(is_seen, share, 1.0)),
            log_escape,
        )
        fraction = jnp.where(
            invisible > 0.0, escaping / jnp.where(is_seen, share, 1.0), 1.0
        )
        return log_share, fraction * slope * self.veto_end_error

    def log_signal(
        self, mediator: Mediator
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Log of the expected signal events, and their response to the veto's end.

        Args:
            mediator: The new particle, produced by `PROCESS`.

        Returns:
            ln of the events at nominal nuisances, `LOG_CLOSED` where the decay is
            closed or the search says nothing; and the change of it for one standard
            deviation of the end of the veto (<= 0).

        """
        zero = jnp.zeros_like(mediator.mass)
        strength = mediator.production.get(PROCESS, zero)
        log_share, response = self.log_invisible(mediator)
        is_open = (strength > 0.0) & self.covers(mediator.mass)
        log_strength = jnp.log(jnp.where(is_open, strength, 1.0))
        log_events = log_strength + log_share - self.log_sensitivity(mediator.mass)
        log_events = jnp.maximum(log_events, LOG_CLOSED)
        return (
            jnp.where(is_open, log_events, LOG_CLOSED),
            jnp.where(is_open, response, 0.0),
        )

    def observed_count(self, mass: Float[Array, ""]) -> ReconstructedCount:
        """What the search saw at a mass: its count, given or reconstructed.

        Args:
            mass: Mass of X [GeV], one at which the search says something.

        Returns:
            The count.
        """
        if self.n_observed is not None:
            return ReconstructedCount.given(jnp.zeros_like(mass) + self.n_observed)
        if self.is_count_expected:
            return ReconstructedCount.given(self.background(mass))
        if self.published is None:
            msg = f"channel {self.name} has neither a limit nor a count"
            raise InputError(msg)
        return ReconstructedCount.from_limit(
            self.published(mass) - self.log_sensitivity(mass),
            self.background(mass),
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
        seen = self.observed_count(mediator.mass)
        log_events, veto = self.log_signal(mediator)
        own = log_responses(self.nuisances, "signal")
        is_open = self.covers(mediator.mass)
        region = SearchRegion(
            name=self.name,
            observed=seen.n,
            signal=(
                SignalTerm(
                    PROCESS,
                    log_events + seen.log_factor,
                    (*own, LogResponse(self.veto_nuisance, veto)),
                ),
            ),
            background=(
                BackgroundTerm(
                    "background",
                    self.background(mediator.mass),
                    log_responses(self.nuisances, "background"),
                ),
            ),
            is_open=is_open,
            is_found=seen.is_found | ~is_open,
            is_effective=self.published is not None,
        )
        return (region,)

    @property
    def unit(self) -> str:
        """Limits without a model are on the branching ratio."""
        return "BR(K+ -> pi+ X)"

    @property
    def unit_final_state(self) -> str:
        """Limits are for an X that decays to what the veto sees."""
        return "visible"

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
                jnp.exp(self.log_sensitivity(mass)),
                "for one event of a stable X",
            ),
            Fact(
                "invisible_probability",
                "leaves no trace",
                jnp.exp(self.log_invisible(mediator)[0]),
                "of X",
            ),
            Fact(
                "signal_factor",
                "factor",
                jnp.exp(self.observed_count(mass).log_factor),
                "on the signal; above 1 where the limit is below that for no event",
            ),
            Fact(
                "branching_ratio",
                "made with",
                mediator.production.get(PROCESS, zero),
                self.unit,
            ),
        )

    @property
    def count_words(self) -> str:
        """Where the count comes from."""
        if self.published is None:
            return "observed"
        if self.is_count_expected:
            return "as many as expected"
        whose = "a given" if OWN_LIMIT in self.changes else "the published"
        return f"reconstructed from {whose} limit"

    def largest_counts(self) -> tuple[LargestCount, ...]:
        """The given count, and the largest background where the search is open."""
        at = np.asarray(self.log_background.nodes)
        grid = np.unique(np.concatenate([at, np.ravel(self.segments)]))
        values = np.exp(np.interp(grid, at, np.asarray(self.log_background.values)))
        is_open = [(grid >= low) & (grid <= high) for low, high in self.segments]
        largest = np.max(values[np.any(is_open, axis=0)], initial=0.0)
        seen = 0.0 if self.n_observed is None else float(self.n_observed)
        return (LargestCount(seen, float(largest)),)

    def caveats(self, preset: str) -> tuple[str, ...]:
        """Where the counts come from.

        Args:
            preset: Production preset of the model, which does not matter here.

        Returns:
            Sentences.
        """
        del preset
        if self.published is None:
            return ()
        if self.is_count_expected:
            return (f"{self.name} is assumed to see as many events as expected",)
        whose = "a given" if OWN_LIMIT in self.changes else "its published"
        return (
            f"the counts of {self.name} are reconstructed from {whose} limit for "
            "stable X; lifetimes, models and other levels are ours",
        )
