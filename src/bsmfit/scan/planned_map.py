"""A map that is about to be computed: its plan, its axes and the chain of a point."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bsmfit.channels.channel import Channel
from bsmfit.physics.model import Model
from bsmfit.scan.blocks import BlockCut, cut_plane
from bsmfit.scan.devices import Device
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.scan.further_axes import FurtherAxes
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.parameter_axis import ParameterPoint
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import join_rows, run_rows

__all__ = ["PlannedMap"]


@dataclass(frozen=True)
class PlannedMap:
    """Everything that computing any part of a map needs.

    Attributes:
        model: The new physics.
        channels: The searches.
        point: The chain of one point.
        first: The first axis: masses [GeV], or the values of a parameter.
        coupling: Coupling axis.
        plan: What the numbers depend on.
        chunk_points: Points that each of the devices evaluates at once.
        devices: Where blocks are computed.
        further: Values of further parameters, of which each combination is a plane.
    """

    model: Model
    channels: tuple[Channel, ...]
    point: ExclusionPoint | ParameterPoint
    first: Axis | PointList
    coupling: Axis | PointList
    plan: ScanPlan
    chunk_points: int
    devices: tuple[Device, ...]
    further: FurtherAxes = field(default_factory=FurtherAxes)

    @property
    def exclusion(self) -> ExclusionPoint:
        """The chain of one point as a function of mass and coupling."""
        point = self.point
        return point.point if isinstance(point, ParameterPoint) else point

    def cut(self, block_points: int | None = None) -> BlockCut:
        """Cut the plane into blocks.

        Args:
            block_points: Points of a block, at least a row.

        Returns:
            The cut.
        """
        return cut_plane(
            self.first.points().size,
            self.coupling.points().size,
            chunk_points=self.chunk_points,
            block_points=block_points,
            n_plane=self.further.n_plane,
            n_device=len(self.devices),
        )

    def compute(
        self,
        rows: range,
        cut: BlockCut,
        count: Callable[[int], None] | None = None,
    ) -> dict[str, np.ndarray]:
        """Compute one block: a pure function of the plan, the rows and the cut.

        Args:
            rows: The rows of the block.
            cut: How the plane is cut.
            count: Called with the number of points that were just done.

        Returns:
            The arrays of the block, as `bsmfit.scan.runner.run_rows`.
        """
        first, couplings = self.first.points(), self.coupling.points()
        n, parts = first.size, []
        for plane in range(rows.start // n, -(-rows.stop // n)):
            some = range(max(rows.start - plane * n, 0), min(rows.stop - plane * n, n))
            parts.append(
                run_rows(
                    self._point_of(plane),
                    first,
                    some,
                    coupling=couplings,
                    cut=cut,
                    devices=self.devices,
                    count=count,
                )
            )
        return join_rows(parts)

    def _point_of(self, plane: int) -> ExclusionPoint | ParameterPoint:
        """The chain with the parameters of a plane: arguments of one program."""
        if not self.further.axes:
            return self.point
        model = self.exclusion.model.with_parameters(**self.further.values(plane))
        point = dataclasses.replace(self.exclusion, model=model)
        if isinstance(self.point, ParameterPoint):
            return dataclasses.replace(self.point, point=point)
        return point
