"""A map that is about to be computed: its plan, its axes and the chain of a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bsmfit.channels.channel import Channel
from bsmfit.physics.model import Model
from bsmfit.scan.blocks import BlockCut, cut_plane
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.parameter_axis import ParameterPoint
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import run_rows

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
        chunk_points: Points that this device evaluates at once.
    """

    model: Model
    channels: tuple[Channel, ...]
    point: ExclusionPoint | ParameterPoint
    first: Axis | PointList
    coupling: Axis | PointList
    plan: ScanPlan
    chunk_points: int

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
        )

    def compute(self, rows: range, cut: BlockCut) -> dict[str, np.ndarray]:
        """Compute one block: a pure function of the plan, the rows and the cut.

        Args:
            rows: The rows of the block.
            cut: How the plane is cut.

        Returns:
            The arrays of the block, as `bsmfit.scan.runner.run_rows`.
        """
        first, couplings = self.first.points(), self.coupling.points()
        return run_rows(self.point, first, rows, coupling=couplings, cut=cut)
