r"""A search for $K^+\to\pi^+X$ with X invisible: from a mediator to expected events.

$$N = \frac{BR(K^+\to\pi^+X)}{SES_{\pi X}(m)}
  \big[B_{inv} + (1-B_{inv})\,P_{esc}(m,\tau)\big],\qquad
  SES_{\pi X}(m) = \frac{SES_{\pi\nu\bar\nu}}{r(m)}$$

An X that decays into anything visible before the end of the veto is lost; one that
decays behind it, or into nothing visible, counts. The limit in the coupling is
therefore two-sided where the lifetime follows from the coupling.

What the search saw comes in one of two forms:

- a *published limit* curve for stable X, from which the count that makes it is
  reconstructed at each mass (`bsmfit.likelihood.effective_count`);
- an *observed count* in the whole signal region.

Where the search says nothing (the $\pi^0$ band, outside the published masses, above
$m_K-m_\pi$) it is closed: no signal, and the map marks the point.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float
from numpy.typing import ArrayLike

from bsmfit.channels.beam_dump import LOG_CLOSED, ChannelNuisance
from bsmfit.core.interpolation import CubicCurve
from bsmfit.detector.escape import EscapeTable
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["PROCESS", "PiInvisibleChannel", "StableLimit"]

PROCESS = "kaon-to-pion"
"""The production process of these searches; its strength is BR(K+ -> pi+ X)."""

_SMALLEST_SHARE = 1e-12
_OWN_LIMIT = "+own-limit"


class StableLimit(eqx.Module):
    """Upper limits on BR(K+ -> pi+ X) for stable X, by mass.

    Attributes:
        masses: Nodes [GeV], increasing.
        log_limits: ln of the limits at the nodes.
        cl: Their confidence level.
    """

    masses: Float[Array, " n_mass"]
    log_limits: Float[Array, " n_mass"]
    cl: float = eqx.field(static=True)

    def __call__(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Log of the limit at a mass, linear between the nodes.

        Args:
            mass: Mass of X [GeV]; clamped to the nodes.

        Returns:
            ln of the branching ratio.
        """
        return jnp.interp(mass, self.masses, self.log_limits)


class PiInvisibleChannel(eqx.Module):
    """One search, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-pi-invisible-run1"``.
        datasets: Data that went into it; searches of the same data are not independent.
        segments: Masses at which the search says something, (low, high) [GeV].
        regions: Windows of the squared missing mass, (low, high) [GeV^2].
        default_mass: Mass axis of a scan that names none: low, high, points [GeV], in
            equal steps.
        default_coupling: Coupling axis by model, likewise in equal ratios.
        nuisances: Log-normal uncertainties of the signal and of the background.
        veto_nuisance: Name of the uncertainty of the end of the veto.
        inputs: Digests of the data files that went into it, by file name.
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
    """

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    segments: tuple[tuple[float, float], ...] = eqx.field(static=True)
    regions: tuple[tuple[float, float], ...] = eqx.field(static=True)
    default_mass: tuple[float, float, int] = eqx.field(static=True)
    default_coupling: tuple[tuple[str, tuple[float, float, int]], ...] = eqx.field(
        static=True
    )
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
        nodes, values = np.asarray(masses, float), np.asarray(limits, float)
        self._check_limit(nodes, values, cl)
        ends = (float(nodes[0]), float(nodes[-1]))
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
        curve = StableLimit(jnp.asarray(nodes), jnp.asarray(np.log(values)), cl)
        inputs = [pair for pair in self.inputs if "limit_stable.csv" not in pair[0]]
        return dataclasses.replace(
            self,
            name=f"{self.name.removesuffix(_OWN_LIMIT)}{_OWN_LIMIT}",
            segments=kept,
            published=curve,
            inputs=tuple(inputs),
        )

    def _check_limit(self, masses: np.ndarray, limits: np.ndarray, cl: float) -> None:
        """Refuse a curve that is none."""
        if self.n_observed is not None:
            msg = (
                f"{self.name} has a count of its own; give the limit to a search that "
                "reconstructs its counts, such as na62-pi-invisible-run1"
            )
        elif masses.ndim != 1 or masses.shape != limits.shape or masses.size < 2:
            msg = (
                "masses and limits must be lists of one length, 2 or more; their "
                f"shapes are {masses.shape} and {limits.shape}"
            )
        elif not (np.diff(masses) > 0.0).all():
            at = int(np.argmin(np.diff(masses) > 0.0))
            msg = f"masses must increase: {masses[at + 1]:g} follows {masses[at]:g} GeV"
        elif not ((limits > 0.0) & (limits < 1.0)).all():
            worst = limits[~((limits > 0.0) & (limits < 1.0))][0]
            msg = f"limits on a branching ratio lie between 0 and 1; one is {worst:g}"
        elif not 0.0 < cl < 1.0:
            msg = f"cl = {cl:g} must lie between 0 and 1, for example 0.9"
        else:
            return
        raise InputError(msg)

    @property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest mass at which the search says something [GeV]."""
        return self.segments[0][0], self.segments[-1][1]

    def is_sensitive(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether the search says anything at a mass.

        Args:
            mass: Mass of X [GeV].

        Returns:
            True inside one of the segments.
        """
        inside = [(mass >= low) & (mass <= high) for low, high in self.segments]
        return jnp.any(jnp.stack(inside))

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

        ends = jnp.asarray(self.regions)
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

    def check_production(self, processes: Iterable[str]) -> None:
        """Refuse a model that is not produced in kaon decays.

        Args:
            processes: Production processes of the model.

        Raises:
            InputError: `PROCESS` is not among them.
        """
        if PROCESS not in processes:
            known = ", ".join(map(repr, processes))
            msg = (
                f"channel {self.name} needs the production process {PROCESS!r}; the "
                f"model has {known or 'none'} (see: bsmfit list presets)"
            )
            raise InputError(msg)

    def log_signal(
        self, mediator: Mediator
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Log of the expected signal events, and their response to the veto's end.

        Args:
            mediator: The new particle; it must be produced by `PROCESS`.

        Returns:
            ln of the events at nominal nuisances, `LOG_CLOSED` where the decay is
            closed or the search says nothing; and the change of it for one standard
            deviation of the end of the veto (<= 0).

        Raises:
            InputError: The model is not produced in kaon decays.
        """
        self.check_production(mediator.production)
        strength = mediator.production[PROCESS]
        log_share, response = self.log_invisible(mediator)
        is_open = (strength > 0.0) & self.is_sensitive(mediator.mass)
        log_strength = jnp.log(jnp.where(is_open, strength, 1.0))
        log_events = log_strength + log_share - self.log_sensitivity(mediator.mass)
        log_events = jnp.maximum(log_events, LOG_CLOSED)
        return (
            jnp.where(is_open, log_events, LOG_CLOSED),
            jnp.where(is_open, response, 0.0),
        )
