"""The whole chain at one point of a plane, from the mediator to the limit.

A pure function of mass and coupling, which `bsmfit.scan.exclusion_map` maps over a
plane and `jax.grad` differentiates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.channels.channel import Channel
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.inference.counts.exclusion import Exclusion, exclusion
from bsmfit.inference.counts.expected import count_ceiling
from bsmfit.inference.intervals.significance import significance
from bsmfit.likelihood.beam_dump import beam_dump_counting_model
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.quadrature import NuisanceQuadrature
from bsmfit.physics.mediator import Mediator, is_physical
from bsmfit.physics.model import Model
from bsmfit.scan.point_checks import check_nuisances, check_parts
from bsmfit.scan.runner import PointResult, Status

__all__ = ["ExclusionPoint", "LocalSignificance", "production_processes"]


def production_processes(model: Model) -> tuple[str, ...]:
    """Production processes of a model, found by evaluating its shapes only.

    Args:
        model: The model.

    Returns:
        Names of the processes.
    """
    one = jax.ShapeDtypeStruct((), jnp.result_type(float))
    mediator = eqx.filter_eval_shape(model, one, one)
    if not isinstance(mediator, Mediator):
        msg = (
            f"the function of model {model.name!r} returns a "
            f"{type(mediator).__name__}; it must return a bsmfit.Mediator"
        )
        raise InputError(msg)
    if not mediator.production:
        msg = f"model {model.name!r} names no production process"
        raise InputError(msg)
    return tuple(mediator.production)


@dataclass(frozen=True)
class LocalSignificance:
    """How surprising the observed events are without a signal.

    Attributes:
        n_observed: Observed events.
        masses_gev: Their masses.
        p_value: Probability of as many or more.
        z_one_sided: Standard deviations, one-sided.
        z_two_sided: Standard deviations, two-sided.
    """

    n_observed: int
    masses_gev: tuple[float, ...]
    p_value: float
    z_one_sided: float
    z_two_sided: float


class ExclusionPoint(eqx.Module):
    """The whole chain at one point of a plane.

    Attributes:
        model: The new physics.
        channels: The searches, with the yields of the model's processes only.
        counting: Signal and background terms and their nuisances.
        quadrature: Nodes for the nuisances.
        cl: Confidence level.
        n_max: Largest count that is treated.
    """

    model: Model
    channels: tuple[BeamDumpChannel, ...]
    counting: CountingModel
    quadrature: NuisanceQuadrature
    cl: float = eqx.field(static=True)
    n_max: int = eqx.field(static=True)

    @classmethod
    def from_model(
        cls, model: Model, channels: Sequence[Channel], *, cl: float = 0.9
    ) -> ExclusionPoint:
        """Join a model and channels into one statistical model.

        Args:
            model: The new physics.
            channels: The searches, one or more.
            cl: Confidence level, within (0, 1).

        Returns:
            The function of one point.

        Raises:
            InputError: No channel, one channel twice, or a confidence level outside
                (0, 1).
            UnknownNameError: A production process that a channel has no yields for.
        """
        check_parts(model, channels, cl)
        searches = [c for c in channels if isinstance(c, BeamDumpChannel)]
        if len(searches) < len(channels):
            msg = (
                "ExclusionPoint is for beam-dump searches; scan_plane and "
                "bsmfit.scan.exclusion_map.exclusion_point take every kind"
            )
            raise InputError(msg)
        processes = production_processes(model)
        check_nuisances(model, processes)
        for channel in searches:
            for process in processes:
                if process not in channel.processes:
                    kind = f"production process of {model.name} in {channel.name},"
                    raise UnknownNameError.from_choices(
                        kind, process, channel.processes
                    )
        selected = tuple(channel.select(processes) for channel in searches)
        counting = beam_dump_counting_model(selected, model.nuisances)
        n_observed = sum(channel.n_observed for channel in searches)
        quadrature = NuisanceQuadrature.from_model(counting)
        return cls(
            model=model,
            channels=selected,
            counting=counting,
            quadrature=quadrature,
            cl=float(cl),
            n_max=count_ceiling(counting, quadrature, n_observed=n_observed),
        )

    def log_signal(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> Float[Array, " n_signal"]:
        """Log of the expected signal events of every channel and process.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            Logarithms at nominal nuisances.
        """
        return self._log_signal(self.model(mass, coupling))

    def exclusion(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> Exclusion:
        """Limits and CLs at one point.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            The exclusion, differentiable in mass, coupling and all inputs.
        """
        return self._exclusion(mass, self.log_signal(mass, coupling))

    def observed_count(self, mass: Float[Array, ""]) -> Int[Array, ""]:
        """Observed events of all channels at a mass hypothesis.

        Args:
            mass: Mass [GeV].

        Returns:
            Number of events inside the mass windows.
        """
        counts = [channel.observed_count(mass) for channel in self.channels]
        return sum(counts[1:], start=counts[0])

    def _log_signal(self, mediator: Mediator) -> Float[Array, " n_signal"]:
        return jnp.concatenate([c.log_signal(mediator) for c in self.channels])

    def _exclusion(
        self, mass: Float[Array, ""], log_signal: Float[Array, " n_signal"]
    ) -> Exclusion:
        return exclusion(
            log_signal,
            self.counting,
            quadrature=self.quadrature,
            n_observed=self.observed_count(mass),
            cl=self.cl,
            n_max=self.n_max,
        )

    def local_significance(self) -> LocalSignificance:
        """Significance of all observed events over the background alone.

        No look-elsewhere effect: the whole signal region of every channel is one count.

        Returns:
            Observed events and their masses, p value, and Z in both conventions.
        """
        n_observed = sum(channel.n_observed for channel in self.channels)
        result = significance(
            jnp.asarray(n_observed), self.counting, quadrature=self.quadrature
        )
        return LocalSignificance(
            n_observed=n_observed,
            masses_gev=tuple(
                float(mass) for c in self.channels for mass in c.window.event_masses
            ),
            p_value=float(result.p_value),
            z_one_sided=float(result.z_one_sided),
            z_two_sided=float(result.z_two_sided),
        )

    def __call__(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> PointResult:
        """The numbers of one point of a map.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            The result for the runner.
        """
        mediator = self.model(mass, coupling)
        result = self._exclusion(mass, self._log_signal(mediator))
        status = jnp.where(
            result.is_converged, int(Status.OK), int(Status.NOT_CONVERGED)
        )
        # a stable particle has no place in a search for its decays
        is_valid = is_physical(mediator) & (mediator.decay_width > 0.0)
        status = jnp.where(is_valid, status, int(Status.INVALID_MODEL))
        return PointResult(
            n_signal=result.n_signal,
            n_up_obs=result.n_up_obs,
            n_up_exp=result.n_up_exp,
            cls_obs=result.cls_obs,
            cls_exp=result.cls_exp,
            n_obs=self.observed_count(mass),
            status=status,
        )
