"""A point function with a known contour, and its plane as a dataset."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import xarray as xr
from jaxtyping import Array, Float

from bsmfit.scan.grid import Axis
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.runner import PointResult, run_plane
from bsmfit.scan.store import build_dataset

UP_OBS = 2.302585092994046  # -ln 0.1: the exact limit for nothing observed at 90 % CL
UP_EXP = (2.302585092994046, 2.4, 2.6, 3.9, 5.3)


class DumpToy(eqx.Module):
    """S = A g^4 m^2 exp(-B g^2 m): production, then decay before the detector."""

    strength: Float[Array, ""]
    slope: Float[Array, ""]
    mass_failing: Float[Array, ""]

    def __call__(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> PointResult:
        n_signal = (
            self.strength
            * coupling**4
            * mass**2
            * jnp.exp(-self.slope * coupling**2 * mass)
        )
        up = jnp.array(UP_EXP)
        return PointResult(
            n_signal=n_signal,
            n_up_obs=up[0],
            n_up_exp=up,
            cls_obs=jnp.exp(-n_signal),
            cls_exp=jnp.exp(-n_signal),
            n_obs=jnp.where(mass > 0.5, 1, 0),
            status=jnp.where(mass > self.mass_failing, 2, 0),
        )

    def edges(self, mass: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
        """Exact contour: the two real branches of Lambert's W."""
        slope, strength = float(self.slope), float(self.strength)
        argument = -0.5 * slope * np.sqrt(limit / strength)
        low, high = (
            np.sqrt(-2.0 / (slope * mass) * scipy.special.lambertw(argument, k).real)
            for k in (0, -1)
        )
        return low, high


@pytest.fixture
def make_toy() -> Callable[..., DumpToy]:
    def make(mass_failing: float = 1e9) -> DumpToy:
        return DumpToy(jnp.array(1e26), jnp.array(3e12), jnp.array(mass_failing))

    return make


@pytest.fixture
def toy(make_toy: Callable[..., DumpToy]) -> DumpToy:
    return make_toy()


@pytest.fixture
def make_plan() -> Callable[..., ScanPlan]:
    def make(**changes: object) -> ScanPlan:
        fields = {
            "model": "dark-photon",
            "preset": None,
            "channels": ("na62-dump-mumu",),
            "coupling_name": "epsilon",
            "mass": "0.2:0.8:31",
            "coupling": "1e-07:1e-05:161",
            "cl": 0.9,
            "inputs": (("record.yaml", "ab12"),),
        }
        return ScanPlan(**(fields | changes))  # pyright: ignore[reportArgumentType]

    return make


@pytest.fixture
def make_scan(make_plan: Callable[..., ScanPlan]) -> Callable[..., xr.Dataset]:
    def make(point: DumpToy, n_coupling: int = 161, low: float = 1e-7) -> xr.Dataset:
        mass = Axis(0.2, 0.8, 31).points()
        coupling = Axis(low, 1e-5, n_coupling).points()
        plane = run_plane(point, mass, coupling=coupling, chunk_points=1000)
        return build_dataset(plane, make_plan(), mass=mass, coupling=coupling)

    return make
