"""Maps over a further parameter of a model: scanned, or profiled over.

model(mass, coupling, other) --one plane for each value--> dataset with a third axis
--weakest exclusion--> plane in which the parameter is profiled
"""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from bsmfit.channels.channel import Channel
from bsmfit.core.argument import choice, instance
from bsmfit.errors import InputError
from bsmfit.physics.model import Model
from bsmfit.scan.exclusion_map import AxisLike, scan_plane

__all__ = ["profile_parameter", "scan_parameter"]


def scan_parameter(
    model: Model,
    channels: Sequence[Channel] | Channel,
    *,
    parameter: str,
    values: Sequence[float],
    mass: AxisLike | None = None,
    coupling: AxisLike | None = None,
    cl: float = 0.9,
) -> xr.Dataset:
    """Planes of mass and coupling at several values of a further parameter.

    Args:
        model: The new physics, with the parameter.
        channels: The searches.
        parameter: Name of the parameter.
        values: Its values, one or more, all different; ascending in the result.
        mass: Mass axis, as for `scan_plane`.
        coupling: Coupling axis, likewise.
        cl: Confidence level.

    Returns:
        The dataset of `scan_plane` with the parameter as a first dimension;
        `scan_plane` itself takes several parameters.

    Raises:
        UnknownNameError: The model has no such parameter.
        InputError: No value, one twice, or what `scan_plane` refuses.
    """
    hint = 'write bsmfit.load_model("dark-photon")'
    model = instance("model", model, Model, hint=hint)
    choice(f"parameter of model {model.name!r},", parameter, model.parameters)
    return scan_plane(
        model,
        channels,
        mass=mass,
        coupling=coupling,
        parameters={parameter: values},
        cl=cl,
    )


def profile_parameter(dataset: xr.Dataset, parameter: str) -> xr.Dataset:
    r"""The plane in which a parameter is profiled: excluded for every value of it.

    At each point the value with the largest observed CLs is taken, with all that
    belongs to it: $CL_s(m, g) = \max_o CL_s(m, g, o)$ over the values scanned, so that
    an excluded point is excluded whatever the parameter is. Where nothing is known for
    one value nothing is excluded.

    Args:
        dataset: What `scan_parameter` returned.
        parameter: Name of the parameter.

    Returns:
        The plane, with the value taken at each point as a variable of that name.

    Raises:
        UnknownNameError: The dataset has no such axis.
        InputError: It is no such dataset.
    """
    hint = "give what scan_parameter returned"
    dataset = instance("dataset", dataset, xr.Dataset, hint=hint)
    choice("axis of the dataset,", parameter, map(str, dataset.dims))
    if "cls_obs" not in dataset or parameter not in dataset["cls_obs"].dims:
        msg = f"dataset has no cls_obs along {parameter}; {hint}"
        raise InputError(msg)
    # nan, where nothing is known, excludes nothing
    weakest = dataset["cls_obs"].fillna(2.0).argmax(parameter)
    first = dataset.isel({parameter: 0}, drop=True)
    # what is the same along the coupling, such as a count, is so for all values
    taken = {
        str(name): variable.isel({parameter: weakest}).drop_vars(parameter)
        for name, variable in dataset.data_vars.items()
        if set(weakest.dims) <= set(variable.dims)
    }
    plane = first.assign(
        {name: value.transpose(*first[name].dims) for name, value in taken.items()}
    )
    for name, value in plane.data_vars.items():
        value.attrs = dict(first[name].attrs)
    values = dataset[parameter].values[weakest.values]
    plane[f"{parameter}_taken"] = (weakest.dims, values)
    ends = f"{dataset[parameter].values.min():g} to {dataset[parameter].values.max():g}"
    title = f"{plane.attrs['title']}, for every {parameter} from {ends}"
    before = plane.attrs.get("profiled")
    plane.attrs["title"] = title
    plane.attrs["profiled"] = f"{before}, {parameter}" if before else parameter
    return plane
