r"""A search for $K^+\to\pi^+X$ with X invisible: from a mediator to expected events.

$$N = \frac{BR(K^+\to\pi^+X)}{SES_{\pi X}(m)}
  \big[B_{inv} + (1-B_{inv})\,P_{esc}(m,\tau)\big],\qquad
  SES_{\pi X}(m) = \frac{SES_{\pi\nu\bar\nu}}{r(m)}$$

An X that decays into anything visible before the end of the veto is lost; one that
decays behind it, or into nothing visible, counts. The limit in the coupling is
therefore two-sided where the lifetime follows from the coupling.

What the search saw comes in one of two forms:

- a *published limit* curve for stable X, from which the count that makes it is
  reconstructed at each mass (`bsmfit.inference.effective_count`);
- an *observed count* in the whole signal region.

Where the search says nothing (the $\pi^0$ band, outside the published masses, above
$m_K-m_\pi$) it is closed: no signal, and the map marks the point.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.channels.beam_dump import LOG_CLOSED, ChannelNuisance
from bsmfit.core.interpolation import CubicCurve
from bsmfit.detector.escape import EscapeTable
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["PROCESS", "PiInvisibleChannel", "StableLimit"]

PROCESS = "kaon-to-pion"
"""The production process of these searches; its strength is BR(K+ -> pi+ X)."""


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
            mediator: The new particle; it must be produced by `PROCESS`.

        Returns:
            ln of the events at nominal nuisances, `LOG_CLOSED` where the decay is
            closed or the search says nothing; and the change of it for one standard
            deviation of the end of the veto (<= 0).

        Raises:
            InputError: The model is not produced in kaon decays.
        """
        if PROCESS not in mediator.production:
            known = ", ".join(map(repr, mediator.production))
            msg = (
                f"channel {self.name} needs the production process {PROCESS!r}; the "
                f"model has {known or 'none'} (see: bsmfit list presets)"
            )
            raise InputError(msg)
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
