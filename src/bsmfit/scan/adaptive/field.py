r"""The field whose zero is a contour, at any points of a plane, and its slope.

For one region $F = \ln(N_{signal}/N_{up})$; for several
$F = \ln(\ln\mathrm{CL_s} / \ln(1-\mathrm{cl}))$: the field of
`bsmfit.scan.contour.log_ratio`, in natural logarithms and not clipped. Points come as
a list. Those of one mass are computed together, since the limits of one region depend
on the mass alone or nearly so, and all calls have one shape: all passes of a refinement
and all steps of Newton's method run one compiled program, on the devices of the scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.sharding import Mesh
from jaxtyping import Array, Float

from bsmfit.scan.contour import quantile_index
from bsmfit.scan.devices import (
    Device,
    by_row,
    local_devices,
    on_all_devices,
    over_devices,
    row_mesh,
)
from bsmfit.scan.runner import PointFunction, PointResult, Status

__all__ = ["ContourField", "FieldProgram", "grid_values", "log_field"]

ROWS, COLUMNS = 8, 4
"""Masses of one call on each device, and couplings at each of them."""

_LEAST_EVENTS, _LEAST_LOG_CLS = 1e-300, 1e-12


def log_field(
    result: PointResult, quantity: str, *, cl: Float[Array, ""]
) -> Float[Array, ""]:
    r"""The field of one quantity; excluded where it is above 0.

    It is no lower than where $N = 10^{-300}$ or $-\ln\mathrm{CL_s} = 10^{-12}$.

    Args:
        result: The numbers of a point.
        quantity: One of `bsmfit.scan.contour.QUANTITIES`.
        cl: Confidence level.

    Returns:
        $\ln(N/N_{up})$ where limits in events were solved, else
        $\ln(\ln\mathrm{CL_s}/\ln(1-\mathrm{cl}))$.
    """
    index = quantile_index(quantity)
    if result.n_up_obs is not None:
        limit = result.n_up_obs
        if index is not None:
            assert result.n_up_exp is not None  # solved together with n_up_obs
            limit = result.n_up_exp[..., index]
        tested = jnp.maximum(result.n_signal, _LEAST_EVENTS)
        return jnp.log(tested) - jnp.log(jnp.maximum(limit, _LEAST_EVENTS))
    cls = result.cls_obs
    if index is not None:
        assert result.cls_exp_quantiles is not None  # of all kernels without limits
        cls = result.cls_exp_quantiles[..., index]
    minus_log = -jnp.log(jnp.clip(cls, jnp.finfo(cls.dtype).tiny, 1.0))
    threshold = jnp.log(-jnp.log1p(-cl))
    return jnp.log(jnp.maximum(minus_log, _LEAST_LOG_CLS)) - threshold


class ContourField(eqx.Module):
    """The fields of some quantities at one point.

    Attributes:
        point: The numbers of one point.
        cl: Confidence level.
        quantities: Names of the quantities.
    """

    point: PointFunction
    cl: Float[Array, ""]
    quantities: tuple[str, ...] = eqx.field(static=True)

    def __call__(
        self, log_mass: Float[Array, ""], log_coupling: Float[Array, ""]
    ) -> Float[Array, " n_quantity"]:
        """The fields at one place.

        Args:
            log_mass: Natural logarithm of the mass [GeV].
            log_coupling: Natural logarithm of the coupling.

        Returns:
            One number for each quantity; nan where the point has no result.
        """
        mass, coupling = jnp.exp(log_mass), jnp.exp(log_coupling)
        result = self.point(mass, coupling)
        fields = [log_field(result, name, cl=self.cl) for name in self.quantities]
        is_known = (result.status == int(Status.OK)) & jnp.isfinite(result.n_signal)
        return jnp.where(is_known, jnp.stack(fields), jnp.nan)


@eqx.filter_jit
def _evaluate_rows(
    contour_field: ContourField,
    log_mass: Float[Array, " n_row"],
    log_coupling: Float[Array, "n_row n_column"],
    mesh: Mesh,
) -> tuple[
    Float[Array, "n_row n_column n_quantity"], Float[Array, "n_row n_column n_quantity"]
]:
    """Fields and derivatives along the coupling; compiled once per structure."""

    def rows(
        own_field: ContourField,
        log_mass: Float[Array, " n_own"],
        log_coupling: Float[Array, "n_own n_column"],
    ) -> tuple[Float[Array, "n_own n_column _"], Float[Array, "n_own n_column _"]]:
        """The rows of one device."""

        def row(
            one_mass: Float[Array, ""], some: Float[Array, " n_column"]
        ) -> tuple[Float[Array, "n_column _"], Float[Array, "n_column _"]]:
            def one(at: Float[Array, ""]) -> Float[Array, " n_quantity"]:
                return own_field(one_mass, at)

            return jax.vmap(lambda at: jax.jvp(one, (at,), (jnp.ones_like(at),)))(some)

        return jax.vmap(row)(log_mass, log_coupling)

    return over_devices(rows, contour_field, mesh, rows=(log_mass, log_coupling))


@dataclass
class FieldProgram:
    """Evaluates fields at lists of points, and keeps what it found.

    Attributes:
        contour_field: The fields of one point.
        devices: Where it is computed.
        n_row: Masses of one call on each device.
        n_column: Couplings at each of them; shorter lists are padded.
        places: The points so far, call by call: natural logarithms of mass and
            coupling.
        values: The fields there.
    """

    contour_field: ContourField
    devices: Sequence[Device] = field(default_factory=local_devices)
    n_row: int = ROWS
    n_column: int = COLUMNS
    places: list[Float[np.ndarray, "_ 2"]] = field(default_factory=list)
    values: list[Float[np.ndarray, "_ n_quantity"]] = field(default_factory=list)

    @property
    def n_evaluated(self) -> int:
        """Points so far."""
        return sum(len(some) for some in self.places)

    def evaluate(
        self, places: Float[np.ndarray, "n_point 2"]
    ) -> tuple[
        Float[np.ndarray, "n_point n_quantity"], Float[np.ndarray, "n_point n_quantity"]
    ]:
        """Values of all quantities, and their derivatives along the coupling.

        Args:
            places: Natural logarithms of mass [GeV] and coupling.

        Returns:
            The fields, and their derivatives by the logarithm of the coupling; nan
            where a point has no result.
        """
        values = np.empty((len(places), len(self.contour_field.quantities)))
        slopes = np.empty_like(values)
        mesh = row_mesh(self.devices)
        on_all = on_all_devices(self.contour_field, mesh)
        rows, n_row = self._rows(places), self.n_row * mesh.size
        for first in range(0, len(rows), n_row):
            some = rows[first : first + n_row]
            some += some[-1:] * (n_row - len(some))
            indices = np.array(
                [row + row[-1:] * (self.n_column - len(row)) for row in some]
            )
            found = _evaluate_rows(
                on_all,
                by_row(places[indices[:, 0], 0], mesh),
                by_row(places[indices, 1], mesh),
                mesh,
            )
            values[indices], slopes[indices] = map(np.asarray, found)
        self.places.append(places)
        self.values.append(values)
        return values, slopes

    def _rows(self, places: Float[np.ndarray, "n_point 2"]) -> list[list[int]]:
        """Indices of points of one mass, as many together as a row holds."""
        by_mass: dict[float, list[int]] = {}
        for k, log_mass in enumerate(places[:, 0].tolist()):
            by_mass.setdefault(log_mass, []).append(k)
        return [
            some[first : first + self.n_column]
            for some in by_mass.values()
            for first in range(0, len(some), self.n_column)
        ]


def grid_values(
    dataset: xr.Dataset, quantities: Sequence[str]
) -> Float[np.ndarray, "n_mass n_coupling n_quantity"]:
    """The same fields on the grid of a scan.

    Args:
        dataset: Result of a scan.
        quantities: Names of the quantities.

    Returns:
        The fields, nan where a point has no result.
    """
    names = ["n_signal", "cls_obs", "cls_exp", "status"]
    names += [n for n in ("n_up_obs", "n_up_exp", "cls_exp_quantiles") if n in dataset]
    numbers = {name: jnp.asarray(dataset[name].values) for name in names}
    cl = jnp.asarray(float(dataset.attrs["cl"]))

    def one(some: dict[str, Array]) -> Float[Array, " n_quantity"]:
        result = PointResult(n_obs=jnp.zeros(()), **some)
        return jnp.stack([log_field(result, name, cl=cl) for name in quantities])

    fields = np.asarray(jax.vmap(jax.vmap(one))(numbers))
    is_known = dataset["status"].values == int(Status.OK)
    return np.where(is_known[..., None], fields, np.nan)
