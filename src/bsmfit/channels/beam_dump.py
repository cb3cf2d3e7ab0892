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
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bsmfit.detector.yields import YieldTable
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.mediator import Mediator, lifetime_length

__all__ = ["LOG_CLOSED", "BeamDumpChannel", "ChannelNuisance", "MassWindow"]

LOG_CLOSED = -1.0e5
"""Log of the expected events of a closed process or decay: zero, without infinities."""


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


class MassWindow(eqx.Module):
    """Which of the observed events count at a mass hypothesis.

    Attributes:
        event_masses: Reconstructed masses of the observed events [GeV].
        masses: Nodes of the mass resolution [GeV].
        resolutions: Mass resolution at the nodes [GeV].
        half_width: Half width of the window, in units of the resolution.
    """

    event_masses: Float[Array, " n_event"]
    masses: Float[Array, " n_node"]
    resolutions: Float[Array, " n_node"]
    half_width: Float[Array, ""]

    def count(self, mass: Float[Array, ""]) -> Int[Array, ""]:
        """Number of observed events inside the window.

        Args:
            mass: Mass hypothesis [GeV].

        Returns:
            Events with a mass closer than `half_width` resolutions.
        """
        resolution = jnp.interp(mass, self.masses, self.resolutions)
        inside = jnp.abs(self.event_masses - mass) < self.half_width * resolution
        return jnp.sum(inside)


class BeamDumpChannel(eqx.Module):
    """One search in beam-dump mode, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-dump-mumu"``.
        final_state: Name of the visible final state, for example ``"mumu"``.
        mass_range: Masses covered by the yield table, lowest and highest [GeV].
        default_mass: Mass axis of a scan that names none: low, high, points [GeV].
        default_coupling: Coupling axis of a scan that names none.
        n_observed: Observed events in the whole signal region.
        efficiency_preset: Production preset that the efficiency belongs to.
        nuisances: Uncertainties of the channel's own inputs.
        inputs: Digests of the data files that went into it, by file name.
        protons_on_target: Protons on target.
        efficiency: Selection and trigger efficiency on top of the acceptance.
        background: Expected background events in the signal region.
        yields: Accepted decays per proton of every production process.
        window: Which events count at which mass.
    """

    name: str = eqx.field(static=True)
    final_state: str = eqx.field(static=True)
    mass_range: tuple[float, float] = eqx.field(static=True)
    default_mass: tuple[float, float, int] = eqx.field(static=True)
    default_coupling: tuple[float, float, int] = eqx.field(static=True)
    n_observed: int = eqx.field(static=True)
    efficiency_preset: str = eqx.field(static=True)
    nuisances: tuple[ChannelNuisance, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    protons_on_target: Float[Array, ""]
    efficiency: Float[Array, ""]
    background: Float[Array, ""]
    yields: YieldTable
    window: MassWindow

    @property
    def processes(self) -> tuple[str, ...]:
        """Production processes that the channel has a yield for."""
        return self.yields.processes

    def select(self, processes: Sequence[str]) -> BeamDumpChannel:
        """The same search with the yields of some production processes only.

        Args:
            processes: Names of the processes to keep.

        Returns:
            A channel that evaluates faster and has fewer signal terms.
        """
        return dataclasses.replace(self, yields=self.yields.select(processes))

    def log_signal(self, mediator: Mediator) -> Float[Array, " n_process"]:
        """Log of the expected signal events by production process.

        Args:
            mediator: The new particle; its production processes must all be known to
                the channel, and its branching ratios must name the final state.

        Returns:
            One logarithm for every process of the channel's table; `LOG_CLOSED` for a
            process that the mediator does not have, for closed ones and outside the
            masses of the table.

        Raises:
            UnknownNameError: A production process that has no yield table.
            InputError: The model has no branching ratio into the final state.
        """
        for process in mediator.production:
            if process not in self.processes:
                kind = "production process"
                raise UnknownNameError.from_choices(kind, process, self.processes)
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
        log_yield = self.yields(mediator.mass, lifetime_length(mediator))
        log_rate = _safe_log(
            self.protons_on_target
            * self.efficiency
            * mediator.branching_ratios[self.final_state]
        )
        low, high = self.mass_range
        is_inside = (mediator.mass >= low) & (mediator.mass <= high)
        is_open = (strengths > 0.0) & (log_rate > LOG_CLOSED) & is_inside
        log_signal = _safe_log(strengths) + log_yield + log_rate
        return jnp.where(is_open, log_signal, LOG_CLOSED)

    def observed_count(self, mass: Float[Array, ""]) -> Int[Array, ""]:
        """Observed events at a mass hypothesis.

        Args:
            mass: Mass [GeV].

        Returns:
            Number of events inside the mass window.
        """
        return self.window.count(mass)


def _safe_log(value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Logarithm of a positive number, `LOG_CLOSED` with zero gradient of any other."""
    is_positive = value > 0.0
    return jnp.where(
        is_positive, jnp.log(jnp.where(is_positive, value, 1.0)), LOG_CLOSED
    )
