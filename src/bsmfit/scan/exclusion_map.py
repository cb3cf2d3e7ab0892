"""An exclusion map: model x channels x grid -> labelled dataset.

`ExclusionPoint` is the whole chain at one point, from the mediator to the limit, as a
pure function that the runner maps over the plane; `scan_plane` checks what was asked,
runs it and labels the result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.errors import InputError, PrecisionError, UnknownNameError
from bsmfit.inference.exclusion import Exclusion, exclusion
from bsmfit.inference.expected import count_ceiling
from bsmfit.inference.significance import significance
from bsmfit.likelihood.beam_dump import beam_dump_counting_model
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.quadrature import NuisanceQuadrature
from bsmfit.physics.mediator import Mediator, is_physical
from bsmfit.physics.model import Model
from bsmfit.scan.blocks import BlockFolder
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import (
    CHUNK_POINTS,
    PointResult,
    Progress,
    Status,
    run_plane,
)
from bsmfit.scan.store import build_dataset

__all__ = [
    "AxisLike",
    "ExclusionPoint",
    "LocalSignificance",
    "as_axis",
    "caveats",
    "check_masses",
    "production_processes",
    "scan_plane",
]


AxisLike = (
    Axis | PointList | np.ndarray | jax.Array | list[float] | tuple[float, float, int]
)
"""What a user may write for an axis."""


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
        cls, model: Model, channels: Sequence[BeamDumpChannel], *, cl: float = 0.9
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
        require_x64("a scan")
        _check_types(model, channels, cl)
        if not 0.0 < cl < 1.0:
            msg = f"cl = {cl:g} must lie between 0 and 1, for example 0.9"
            raise InputError(msg)
        names = [channel.name for channel in channels]
        if not names or len(set(names)) != len(names):
            msg = f"give one or more different channels, not {names}"
            raise InputError(msg)
        processes = production_processes(model)
        _check_nuisances(model, processes)
        selected = tuple(channel.select(processes) for channel in channels)
        _check_precision(model, selected)
        counting = beam_dump_counting_model(selected, model.nuisances)
        n_observed = sum(channel.n_observed for channel in channels)
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
        status = jnp.where(is_physical(mediator), status, int(Status.INVALID_MODEL))
        return PointResult(
            n_signal=result.n_signal,
            n_up_obs=result.n_up_obs,
            n_up_exp=result.n_up_exp,
            cls_obs=result.cls_obs,
            cls_exp=result.cls_exp,
            n_obs=self.observed_count(mass),
            status=status,
        )


def scan_plane(
    model: Model,
    channels: Sequence[BeamDumpChannel] | BeamDumpChannel,
    *,
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
    cl: float = 0.9,
    blocks: BlockFolder | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Scan a plane of mass and coupling.

    Args:
        model: The new physics.
        channels: One or more searches, combined.
        mass: Mass axis [GeV]: (low, high, points) with equal ratios, an array of
            masses, or an `Axis`; that of the first channel where None.
        coupling: Coupling axis, likewise.
        cl: Confidence level, within (0, 1).
        blocks: Where finished rows are kept; nothing is kept where None. They are
            found again by the digest of the plan, which covers every number of the
            model and the channels but not the code of a function of your own.
        progress: Called with (points done, points in all).

    Returns:
        Dataset over (mass, coupling): signal, limits, CLs, status, and in its
        attributes everything the numbers depend on.

    Raises:
        InputError: An axis that is empty, reversed or outside what the model and the
            channels cover, or a confidence level outside (0, 1).
        UnknownNameError: A production process that a channel has no yields for.
    """
    selected = (channels,) if isinstance(channels, BeamDumpChannel) else tuple(channels)
    point = ExclusionPoint.from_model(model, selected, cl=cl)
    masses = as_axis(mass if mass is not None else selected[0].default_mass)
    couplings = as_axis(
        coupling if coupling is not None else selected[0].default_coupling
    )
    check_masses(model, selected, masses)
    plan = ScanPlan.from_parts(
        model, selected, mass=masses, coupling=couplings, cl=point.cl
    )
    plane = run_plane(
        point,
        masses.points(),
        coupling=couplings.points(),
        blocks=blocks,
        chunk_points=_chunk_points(point),
        progress=progress,
    )
    dataset = build_dataset(
        plane, plan, mass=masses.points(), coupling=couplings.points()
    )
    dataset.attrs["caveats"] = json.dumps(caveats(model, selected))
    if model.particle:
        dataset["mass"].attrs["symbol"] = f"$m_{{{model.particle}}}$"
    return dataset


def _chunk_points(point: ExclusionPoint) -> int:
    """Points evaluated at once, fewer where each has many nodes to average over."""
    n_node = point.quadrature.signal_weights.size
    return max(256, CHUNK_POINTS // max(1, n_node // 128))


def as_axis(axis: AxisLike) -> Axis | PointList:
    """An axis from what a user may write for one.

    Args:
        axis: (low, high, points) for equal ratios, an array of points, or an axis.

    Returns:
        The axis.

    Raises:
        InputError: An axis that is empty, reversed or not positive.
    """
    if isinstance(axis, Axis | PointList):
        return axis
    try:
        if isinstance(axis, tuple):
            low, high, n_points = axis
            return Axis(float(low), float(high), int(n_points))
        return PointList(tuple(float(point) for point in np.asarray(axis)))
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        msg = (
            f"an axis is (low, high, points) or an array of points, not {axis!r}; "
            "for example (0.2, 0.6, 200)"
        )
        raise InputError(msg) from error


def _check_types(model: object, channels: Sequence[object], cl: object) -> None:
    """Refuse what is not a model, a channel or a level, in words."""
    if not isinstance(model, Model):
        msg = (
            f"the model is a {type(model).__name__}, not a bsmfit.Model; load one with "
            'bsmfit.load_model("dark-photon") or wrap a function: '
            'bsmfit.Model(function, name="mine")'
        )
        raise InputError(msg)
    for channel in channels:
        if not isinstance(channel, BeamDumpChannel):
            msg = (
                f"a channel is a {type(channel).__name__}, not a channel; load it with "
                'bsmfit.load_channel("na62-dump-mumu")'
            )
            raise InputError(msg)
    if isinstance(cl, str | bytes) or not np.isscalar(cl):
        msg = f"cl = {cl!r} must be a number between 0 and 1, for example 0.9"
        raise InputError(msg)


def _check_nuisances(model: Model, processes: Sequence[str]) -> None:
    """Refuse an uncertainty of a process that the model does not have."""
    for nuisance in model.nuisances:
        for process in nuisance.processes:
            if process not in processes:
                kind = f"process of nuisance {nuisance.name!r},"
                raise UnknownNameError.from_choices(kind, process, processes)


def _check_precision(model: Model, channels: Sequence[BeamDumpChannel]) -> None:
    """Refuse parts that were made before 64-bit floats were switched on."""
    for part in (model, *channels):
        for leaf in jax.tree.leaves(eqx.filter(part, eqx.is_inexact_array)):
            if leaf.dtype != jnp.float64:
                msg = (
                    f"{part.name} was made with {leaf.dtype} floats: call "
                    "bsmfit.enable_x64() first, then load or make it again"
                )
                raise PrecisionError(msg)


def caveats(model: Model, channels: Sequence[BeamDumpChannel]) -> list[str]:
    """What a reader of a result must know about the combination of its inputs.

    Args:
        model: The new physics.
        channels: The searches.

    Returns:
        Sentences, none where there is nothing to say.
    """
    return [
        f"the selection efficiency of {channel.name} belongs to the preset "
        f"{channel.efficiency_preset!r}: with {model.preset!r} it carries the norm of "
        "another production, and the limit is off by as much"
        for channel in channels
        if channel.efficiency_preset != model.preset
    ]


def check_masses(
    model: Model, channels: Sequence[BeamDumpChannel], masses: Axis | PointList
) -> None:
    """Refuse masses that the model or all channels know nothing about.

    A mass below the table of one of several channels is fine: the channel is closed
    there and adds nothing.

    Args:
        model: The new physics.
        channels: The searches.
        masses: The mass axis [GeV].

    Raises:
        InputError: A mass outside.
    """
    low = max(model.mass_range[0], min(c.mass_range[0] for c in channels))
    high = min(model.mass_range[1], max(c.mass_range[1] for c in channels))
    if masses.low < low or masses.high > high:
        names = ", ".join(channel.name for channel in channels)
        msg = (
            f"mass range {masses.low:g} to {masses.high:g} GeV goes beyond what "
            f"{model.name} and {names} cover, {low:.5g} to {high:.5g} GeV; "
            "choose masses inside it"
        )
        raise InputError(msg)
