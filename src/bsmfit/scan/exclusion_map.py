"""An exclusion map: model x channels x grid -> labelled dataset.

`ExclusionPoint` is the whole chain at one point, from the mediator to the limit, as a
pure function that the runner maps over the plane; `scan_plane` checks what was asked,
runs it and labels the result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from bsmfit._x64 import require_x64
from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.errors import InputError
from bsmfit.inference.exclusion import Exclusion, exclusion
from bsmfit.inference.expected import count_ceiling
from bsmfit.inference.significance import significance
from bsmfit.likelihood.beam_dump import beam_dump_counting_model
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.quadrature import NuisanceQuadrature
from bsmfit.physics.model import Model
from bsmfit.scan.blocks import BlockFolder
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import PointResult, Progress, Status, run_plane
from bsmfit.scan.store import build_dataset

__all__ = [
    "AxisLike",
    "ExclusionPoint",
    "as_axis",
    "caveats",
    "check_masses",
    "production_processes",
    "scan_plane",
]


AxisLike = Axis | PointList | np.ndarray | tuple[float, float, int]
"""What a user may write for an axis."""


def production_processes(model: Model) -> tuple[str, ...]:
    """Production processes of a model, found by evaluating its shapes only.

    Args:
        model: The model.

    Returns:
        Names of the processes.
    """
    one = jax.ShapeDtypeStruct((), jnp.result_type(float))
    return tuple(eqx.filter_eval_shape(model, one, one).production)


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
        if not 0.0 < cl < 1.0:
            msg = f"cl = {cl:g} must lie between 0 and 1, for example 0.9"
            raise InputError(msg)
        names = [channel.name for channel in channels]
        if not names or len(set(names)) != len(names):
            msg = f"give one or more different channels, not {names}"
            raise InputError(msg)
        processes = production_processes(model)
        selected = tuple(channel.select(processes) for channel in channels)
        counting = beam_dump_counting_model(selected, model.nuisances)
        n_observed = sum(channel.n_observed for channel in channels)
        quadrature = NuisanceQuadrature.from_model(counting)
        return cls(
            model=model,
            channels=selected,
            counting=counting,
            quadrature=quadrature,
            cl=cl,
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
        mediator = self.model(mass, coupling)
        return jnp.concatenate([c.log_signal(mediator) for c in self.channels])

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
        counts = [channel.observed_count(mass) for channel in self.channels]
        return exclusion(
            self.log_signal(mass, coupling),
            self.counting,
            quadrature=self.quadrature,
            n_observed=sum(counts[1:], start=counts[0]),
            cl=self.cl,
            n_max=self.n_max,
        )

    def local_significance(self) -> dict[str, float | int]:
        """Significance of all observed events over the background alone.

        No look-elsewhere effect: the whole signal region of every channel is one count.

        Returns:
            Observed events, p value, and Z in both conventions.
        """
        n_observed = sum(channel.n_observed for channel in self.channels)
        result = significance(
            jnp.asarray(n_observed), self.counting, quadrature=self.quadrature
        )
        return {
            "n_observed": n_observed,
            "p_value": float(result.p_value),
            "z_one_sided": float(result.z_one_sided),
            "z_two_sided": float(result.z_two_sided),
        }

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
        counts = [channel.observed_count(mass) for channel in self.channels]
        result = self.exclusion(mass, coupling)
        status = jnp.where(
            result.is_converged, int(Status.OK), int(Status.NOT_CONVERGED)
        )
        return PointResult(
            n_signal=result.n_signal,
            n_up_obs=result.n_up_obs,
            n_up_exp=result.n_up_exp,
            cls_obs=result.cls_obs,
            cls_exp=result.cls_exp,
            n_obs=sum(counts[1:], start=counts[0]),
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
        blocks: Where finished rows are kept; nothing is kept where None.
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
    plan = ScanPlan.from_parts(model, selected, mass=masses, coupling=couplings, cl=cl)
    plane = run_plane(
        point,
        masses.points(),
        coupling=couplings.points(),
        blocks=blocks,
        progress=progress,
    )
    dataset = build_dataset(
        plane, plan, mass=masses.points(), coupling=couplings.points()
    )
    dataset.attrs["caveats"] = json.dumps(caveats(model, selected))
    dataset.attrs["local_significance"] = json.dumps(point.local_significance())
    if model.particle:
        dataset["mass"].attrs["symbol"] = f"$m_{{{model.particle}}}$"
    return dataset


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
    if isinstance(axis, np.ndarray):
        return PointList(tuple(axis.tolist()))
    return Axis(*axis)


def caveats(model: Model, channels: Sequence[BeamDumpChannel]) -> list[str]:
    """What a reader of a result must know about the combination of its inputs.

    Args:
        model: The new physics.
        channels: The searches.

    Returns:
        Sentences, none where there is nothing to say.
    """
    return [
        f"the selection efficiency of {channel.name} is calibrated with the preset "
        f"{channel.calibrated_preset!r}; with {model.preset!r} it absorbs a production "
        "that this preset does not have, and the limits are too strong or too weak by "
        "that difference"
        for channel in channels
        if channel.calibrated_preset not in ("", model.preset)
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
