"""The result of a scan: one labelled dataset, one NetCDF file.

The dataset is the interface between a scan and everything drawn or exported from it.
Its attributes say what was computed (model, preset, channels, level, method, ensemble,
inputs) and follow the CF conventions, so that it is readable without bsmfit.

    run_plane --> build_dataset --> write_scan --> scan.nc --> read_scan
    blocks -------------------> write_stitched --> scan.nc

Behind its content a file carries the SHA-256 of it, which other readers of NetCDF pass
over: a file of which a bit was changed, in an axis or an attribute too, is not read.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from bsmfit.core.argument import file_path
from bsmfit.errors import DataFileError, InputError
from bsmfit.inference.counts.expected import QUANTILE_LEVELS
from bsmfit.scan.atomic import atomic_file
from bsmfit.scan.plan import ScanPlan
from bsmfit.scan.provenance import published_label
from bsmfit.scan.runner import Status
from bsmfit.scan.scan_checks import REQUIRED_VARIABLES, check_scan, check_storable
from bsmfit.scan.sealed_file import read_sealed, write_sealed
from bsmfit.scan.stitched_file import stitched

__all__ = [
    "build_dataset",
    "coupling_name",
    "first_axis_name",
    "read_scan",
    "write_scan",
    "write_stitched",
]

_LONG_NAMES = {
    "n_signal": "expected signal events",
    "n_up_obs": "observed upper limit on signal events",
    "n_up_exp": "expected upper limit on signal events without signal",
    "cls_obs": "observed CLs",
    "cls_exp": "expected CLs without signal",
    "cls_exp_quantiles": "quantiles of the expected CLs without signal",
    "cls_obs_single": "observed CLs of each search alone",
    "n_obs": "observed events",
    "status": "status of the point",
}
_DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError),
    *(MemoryError, OverflowError),
)
_AGAIN = "delete it, or pass --overwrite to compute it again"


def build_dataset(
    plane: dict[str, np.ndarray],
    plan: ScanPlan,
    *,
    mass: np.ndarray,
    coupling: np.ndarray,
    parameter: np.ndarray | None = None,
    searches: Sequence[str] = (),
    method: str = "exact",
    ensemble: str = "marginal",
    further: Sequence[tuple[str, Sequence[float]]] = (),
) -> xr.Dataset:
    """Label the arrays of a plane.

    Args:
        plane: What `run_plane` returned.
        plan: The plan of the scan.
        mass: Masses [GeV]; one where a parameter is on the first axis.
        coupling: Couplings [1].
        parameter: Values of the parameter of the plan on the first axis, if one is.
        searches: Names of the searches, of a combination.
        method: How the limit was computed: ``"exact"``, ``"asymptotic"``, ...
        ensemble: What the nuisances do in the ensemble: ``"marginal"``, ...
        further: Name and values of axes beside mass and coupling; the arrays hold the
            rows of all planes then, the last of these axes fastest.

    Returns:
        Dataset with the dimensions (mass, <coupling>) and ``quantile``; the variables
        n_signal, cls_obs, cls_exp, n_obs (mass) and status; n_up_obs and n_up_exp of
        one region, cls_exp_quantiles and cls_obs_single (``search``) of several; and
        the plan in its attributes. Where the plan has a parameter on its first axis,
        its name stands for ``mass``, which is a coordinate without dimension. Further
        axes come before all others.
    """
    name = plan.coupling_name
    first = plan.parameter or "mass"
    n_first = mass.size if parameter is None else parameter.size
    more = tuple(axis for axis, _ in further)
    shape = tuple(len(values) for _, values in further)
    plane = {
        key: array.reshape(*shape, n_first, *array.shape[1:])
        for key, array in plane.items()
    }
    axes = (*more, first, name)
    dims = {
        "n_up_exp": (*axes, "quantile"),
        "cls_exp": (*axes, "quantile")[: plane["cls_exp"].ndim],
        "cls_exp_quantiles": (*axes, "quantile"),
        "cls_obs_single": (*more, "search", first, name),
        "n_obs": (*more, first),
    }
    if "cls_obs_single" in plane:
        by_search = np.moveaxis(plane["cls_obs_single"], -1, len(more))
        plane = plane | {"cls_obs_single": by_search}
    variables = {
        key: (dims.get(key, axes), plane[key], {"long_name": text, "units": "1"})
        for key, text in _LONG_NAMES.items()
        if key in plane
    }
    dataset = xr.Dataset(
        variables,
        coords={
            **{
                axis: (axis, np.asarray(values, float), {"long_name": axis})
                for axis, values in further
            },
            **_first_axis(plan, mass, parameter),
            name: (name, coupling, {"long_name": name, "units": "1"}),
            "quantile": (
                "quantile",
                np.array(QUANTILE_LEVELS),
                {
                    "long_name": "quantile of the expected upper limit",
                    "units": "1",
                    "comment": "the lowest is the strongest limit",
                },
            ),
        },
        attrs=_attributes(plan) | {"method": method, "ensemble": ensemble},
    )
    if "cls_obs_single" in dataset:
        dataset = dataset.assign_coords(search=list(searches))
    dataset["status"].attrs = {
        "long_name": _LONG_NAMES["status"],
        "flag_values": np.array([code.value for code in Status], dtype=np.int8),
        "flag_meanings": " ".join(code.name.lower() for code in Status),
    }
    return dataset


def coupling_name(dataset: xr.Dataset) -> str:
    """Return the name of the coupling, the last dimension of a plane."""
    return str(dataset["n_signal"].dims[-1])


def first_axis_name(dataset: xr.Dataset) -> str:
    """Return the name of the first dimension of a plane: the mass or a parameter."""
    return str(dataset["n_signal"].dims[-2])


def write_scan(dataset: xr.Dataset, path: Path | str) -> None:
    """Write a dataset as NetCDF, whole or not at all.

    Args:
        dataset: Result of a scan.
        path: The file, usually ``scan.nc``.

    Raises:
        InputError: It is not the result of one scan, or has an attribute that is
            neither text nor numbers.
        OutputError: It cannot be written; an older file is left as it was.
    """
    path = file_path("path", path)
    check_scan(dataset, needed=REQUIRED_VARIABLES, with_further=True)
    check_storable(dataset)
    encoding = {
        str(name): {"zlib": True, "complevel": 4, "shuffle": True}
        for name, variable in dataset.data_vars.items()
        if variable.ndim > 1
    }
    # in memory first: HDF5 does not survive a disk that fills while it writes
    try:
        content = bytes(dataset.to_netcdf(engine="h5netcdf", encoding=encoding))
    except (TypeError, ValueError) as error:
        msg = f"a variable or attribute of the dataset cannot be stored: {error}"
        raise InputError(msg) from error
    with atomic_file(path) as temporary:
        write_sealed(temporary, content)


def write_stitched(
    template: xr.Dataset,
    blocks: Iterable[tuple[range, bytes]],
    path: Path | str,
    *,
    block_rows: int,
) -> None:
    """Write the result of a scan from its blocks, whole or not at all.

    Args:
        template: The result, with any numbers in its variables.
        blocks: Rows and NetCDF of each block, in order
            (`bsmfit.scan.stitched_file.stitched`).
        path: The file, usually ``scan.nc``.
        block_rows: Rows of a block, save the last of a plane.

    Raises:
        InputError: As `write_scan`.
        OutputError: As `write_scan`.
    """
    path = file_path("path", path)
    check_scan(template, needed=REQUIRED_VARIABLES, with_further=True)
    check_storable(template)
    content = stitched(template, blocks, block_rows=block_rows)
    with atomic_file(path) as temporary, content.getbuffer() as view:
        write_sealed(temporary, view)


def read_scan(path: Path | str) -> xr.Dataset:
    """Read a dataset into memory and check that it is a whole scan.

    Args:
        path: What `write_scan` wrote.

    Returns:
        The dataset; the file is closed.

    Raises:
        InputError: `path` is not a path.
        DataFileError: No such file, not NetCDF, not the result of a scan, or changed
            since it was written.
    """
    path = file_path("path", path)
    dataset = _load(path)
    try:
        return check_scan(
            dataset, str(path), needed=REQUIRED_VARIABLES, with_further=True
        )
    except InputError as error:
        raise DataFileError(str(error)) from error


def _load(path: Path) -> xr.Dataset:
    """Read a file into memory, if it is what was written."""
    if not path.is_file():
        msg = f"{path} is not a readable scan: there is no such file"
        raise DataFileError(msg)
    try:
        content = read_sealed(path)
    except DataFileError:
        raise
    except ValueError as error:
        msg = f"{path} is not a readable scan: it {error}; {_AGAIN}"
        raise DataFileError(msg) from error
    try:
        # h5netcdf forgets to close a file whose root it cannot read, and Python says so
        # on stderr when it deletes the half-made object: look at the root before
        with h5py.File(io.BytesIO(content), "r") as root:
            root.attrs.get("plan_hash")
        with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as stored:
            return stored.load()
    except _DAMAGE as error:  # sealed by somebody else
        msg = f"{path} is not a readable scan ({type(error).__name__}); {_AGAIN}"
        raise DataFileError(msg) from error


def _first_axis(
    plan: ScanPlan, mass: np.ndarray, parameter: np.ndarray | None
) -> dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]]:
    """The mass as an axis, or a parameter as one and the mass as a number."""
    words = {"long_name": "mass", "units": "GeV"}
    if not plan.parameter or parameter is None:
        return {"mass": (("mass",), mass, words)}
    name = plan.parameter
    return {
        name: ((name,), parameter, {"long_name": name, "units": "1"}),
        "mass": ((), mass[0], words),
    }


def _attributes(plan: ScanPlan) -> dict[str, str | float]:
    """Return the attributes that say what a result is."""
    channels = " + ".join(plan.channels)
    at_mass = f" at {float(plan.mass.split(':')[0]):g} GeV" if plan.parameter else ""
    return {
        "Conventions": "CF-1.11",
        "title": f"{plan.model}{at_mass}: exclusion by {channels} at "
        f"{100 * plan.cl:.8g} % CL",
        "source": f"bsmfit {plan.version}",
        "comment": published_label(plan.channels, dict(plan.inputs)),
        "model": plan.model,
        "preset": plan.preset or "default",
        "channels": json.dumps(plan.channels),
        "cl": plan.cl,
        "ordering": plan.ordering,
        "first_axis": plan.parameter or "mass",
        "version": plan.version,
        "inputs": json.dumps(dict(plan.inputs), sort_keys=True),
        "plan": plan.to_json(),
        "plan_hash": plan.identity(),
    }
