"""Whether a dataset is the result of one scan.

Everything drawn, exported or stored goes through `check_scan`: a dataset that was
concatenated, cut or made elsewhere is refused with what to do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from bsmfit.core.argument import instance, level
from bsmfit.core.array_argument import check_range
from bsmfit.errors import InputError

__all__ = [
    "REQUIRED_ATTRIBUTES",
    "REQUIRED_VARIABLES",
    "check_scan",
    "check_storable",
    "has_result",
]

REQUIRED_VARIABLES = (
    "n_signal",
    "cls_obs",
    "cls_exp",
    "n_obs",
    "status",
)
"""Variables of every result that is stored."""

REQUIRED_ATTRIBUTES = (
    "model",
    "channels",
    "method",
    "ensemble",
    "version",
    "plan",
    "cl",
)
"""Attributes of every result."""

_HINT = "give what bsmfit.scan_plane or bsmfit.read_scan returned"


def check_scan(
    dataset: object,
    name: str = "dataset",
    *,
    needed: Sequence[str] = ("n_signal", "status"),
    with_further: bool = False,
) -> xr.Dataset:
    """Refuse what is not the result of one scan.

    Args:
        dataset: What was given for one.
        name: What it is called in messages.
        needed: Variables that it must have; those of a contour where nothing is
            given, `REQUIRED_VARIABLES` for a whole result.
        with_further: Whether it may have axes before mass and coupling, as a file may;
            what draws or traces a plane takes none.

    Returns:
        The dataset.

    Raises:
        InputError: It is no dataset, lacks a variable, an axis or an attribute, has
            further axes, or its axes do not ascend.
    """
    scan = instance(name, dataset, xr.Dataset, hint=_HINT)
    missing = [key for key in needed if key not in scan.variables]
    missing += [key for key in REQUIRED_ATTRIBUTES if key not in scan.attrs]
    if missing:
        lacking = ", ".join(missing)
        msg = f"{name} is not the result of a scan: it lacks {lacking}; {_HINT}"
        raise InputError(msg)
    more, base = _axes(scan, name, with_further=with_further)
    plane = (*more, *base)
    for axis in plane:
        _check_axis(scan, axis, name, is_positive=axis in base)
    allowed = {
        "n_up_obs": (plane,),
        "n_up_exp": ((*plane, "quantile"),),
        "cls_exp": (plane, (*plane, "quantile")),
        "cls_exp_quantiles": ((*plane, "quantile"),),
        "cls_obs_single": ((*more, "search", *base),),
        "n_obs": ((*more, base[0]),),
    }
    known = dict.fromkeys([*REQUIRED_VARIABLES, *allowed])
    for key in (key for key in known if key in scan.variables):
        dims = tuple(str(dim) for dim in scan[key].dims)
        if dims not in allowed.get(key, (plane,)):
            axes = ", ".join(dims) or "none"
            msg = f"{name}: {key} has the axes {axes}, not those of a scan; {_HINT}"
            raise InputError(msg)
        kinds = "iu" if key == "status" else "fiu"
        if scan[key].dtype.kind not in kinds:
            msg = (
                f"{name}: {key} holds {scan[key].dtype}, no numbers of a scan; {_HINT}"
            )
            raise InputError(msg)
    level(scan.attrs["cl"], name=f"of {name}")
    for key in REQUIRED_ATTRIBUTES:
        if key != "cl" and not isinstance(scan.attrs[key], str):
            msg = f"{name}: the attribute {key} is no text; {_HINT}"
            raise InputError(msg)
    _check_channels(scan.attrs["channels"], name)
    _check_listing(scan, "inputs", dict, name)
    _check_listing(scan, "caveats", list, name)
    return scan


def has_result(dataset: xr.Dataset) -> bool:
    """Whether any point of a result has numbers that mean something.

    Args:
        dataset: Result of a scan.

    Returns:
        Whether any has the status ``ok``, by the flags that the file itself explains.
    """
    status = dataset["status"]
    names = str(status.attrs["flag_meanings"]).split()
    ok = np.atleast_1d(status.attrs["flag_values"])[names.index("ok")]
    return bool((status.values == ok).any())


def check_storable(dataset: xr.Dataset) -> None:
    """Refuse attributes that NetCDF does not know.

    Args:
        dataset: Result of a scan.

    Raises:
        InputError: An attribute is neither text nor numbers.
    """
    owners = {"the dataset": dataset.attrs}
    owners |= {str(name): v.attrs for name, v in dataset.variables.items()}
    for owner, attributes in owners.items():
        for key, value in attributes.items():
            entries = np.asarray(value)
            if entries.dtype.kind not in "fiuU" or entries.ndim > 1:
                msg = (
                    f"the attribute {key!r} of {owner} is a {type(value).__name__}, "
                    "which NetCDF does not store; write text or numbers, or delete it"
                )
                raise InputError(msg)


def _axes(
    scan: xr.Dataset, name: str, *, with_further: bool
) -> tuple[tuple[str, ...], tuple[str, str]]:
    """Names of further axes, and of those of the plane."""
    dims = tuple(str(dim) for dim in scan["n_signal"].dims)
    first = str(scan.attrs.get("first_axis", "mass"))
    is_known = with_further and all(dim in scan.coords for dim in dims[:-2])
    if len(dims) >= 2 and dims[-2] == first and (is_known or len(dims) == 2):
        return dims[:-2], (dims[-2], dims[-1])
    more = [dim for dim in dims if dim != first][:-1]
    advice = f"select one, dataset.isel({more[0]}=0)" if more else _HINT
    if len(dims) == 2:
        advice = f'transpose it, dataset.transpose("{first}", "{dims[0]}", ...)'
    msg = (
        f"{name}: n_signal and status must have the axes {first} and coupling, not "
        f"{', '.join(dims) or 'none'}; {advice}"
    )
    raise InputError(msg)


def _check_axis(scan: xr.Dataset, axis: str, name: str, *, is_positive: bool) -> None:
    """Refuse an axis without finite coordinates that ascend, above 0 in a plane."""
    if axis not in scan.coords or scan.sizes[axis] == 0:
        msg = f"{name}: the axis {axis} has no coordinates; {_HINT}"
        raise InputError(msg)
    points: Float[np.ndarray, " n_point"] = scan[axis].values
    if points.dtype.kind not in "fiu":
        msg = f"{name}: the coordinates of {axis} are {points.dtype}, no numbers"
        raise InputError(msg)
    if is_positive:
        check_range(f"{name}: {axis}", points, low=0.0, is_low_open=True)
    elif not np.isfinite(points).all():
        msg = f"{name}: the coordinates of {axis} must be finite"
        raise InputError(msg)
    if not (np.diff(points) > 0).all():
        msg = (
            f"{name}: the points of {axis} must ascend without repetition; write "
            f"dataset.sortby({axis!r}).drop_duplicates({axis!r})"
        )
        raise InputError(msg)


def _check_channels(channels: object, name: str) -> None:
    """Refuse an attribute that does not list the searches."""
    try:
        names = json.loads(channels) if isinstance(channels, str) else None
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        msg = f"{name}: the attribute channels is no list of names; {_HINT}"
        raise InputError(msg)


def _check_listing(scan: xr.Dataset, key: str, kind: type, name: str) -> None:
    """Refuse an attribute that is there and not JSON of its kind."""
    given = scan.attrs.get(key)
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        found = given
    if given is not None and not isinstance(found, kind):
        msg = f"{name}: the attribute {key} is no JSON of its kind; {_HINT}"
        raise InputError(msg)
