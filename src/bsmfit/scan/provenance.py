"""Whose data a result shows, for titles of figures and headers of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import xarray as xr

from bsmfit.errors import InputError

if TYPE_CHECKING:
    from bsmfit.scan.devices import Device

__all__ = [
    "VOLATILE_ATTRIBUTES",
    "circumstances",
    "data_label",
    "is_published",
    "published_label",
]

VOLATILE_ATTRIBUTES = ("created", "jax_version", "device")
"""Attributes of a result that no number depends on."""

_CLAIM = " data, bsmfit reinterpretation"
_DEFAULT = "NA62"


def circumstances(devices: Sequence[Device] | None = None) -> dict[str, str]:
    """When and on what a result was computed: the `VOLATILE_ATTRIBUTES`.

    Args:
        devices: The devices; those that JAX prefers where None.

    Returns:
        The attributes.
    """
    import jax

    from bsmfit.scan.devices import describe_devices, local_devices

    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "jax_version": jax.__version__,
        "device": describe_devices(local_devices() if devices is None else devices),
    }


def published_label(channels: Iterable[str], inputs: Iterable[str]) -> str:
    """Say whose published data a result is made from.

    Args:
        channels: Channel ids, which begin with the experiment in small letters.
        inputs: Data files, as ``FOLDER/FILE``; folders of records begin with the
            experiment.

    Returns:
        A label with the experiments in the order of the channels; NA62 where a
        channel's is not among the folders.

    Examples:
        >>> published_label(["charm-dump-ee"], ["CHARM_1985_ee/record.yaml"])
        'CHARM data, bsmfit reinterpretation'
    """
    known = [name.partition("/")[0].partition("_")[0] for name in inputs]
    named = {experiment.lower(): experiment for experiment in known}
    found = [named.get(name.partition("-")[0], _DEFAULT) for name in channels]
    return " and ".join(dict.fromkeys(found)) + _CLAIM


def is_published(dataset: xr.Dataset) -> bool:
    """Whether every search of a result is used as it was published.

    Args:
        dataset: Result of a scan; its attribute `is_published` is 0 where a search was
            changed (exposure, efficiency, counts, background), and 1 or absent
            otherwise.

    Returns:
        False where a search was changed.

    Raises:
        InputError: An attribute that is neither 0 nor 1.

    Examples:
        >>> is_published(xr.Dataset(attrs={"is_published": 0}))
        False
    """
    value = dataset.attrs.get("is_published", 1)
    if value not in (0, 1):
        msg = (
            f"the attribute is_published of a result is 0 or 1, not {value!r}; set "
            "dataset.attrs['is_published'] = 0 where a search was changed"
        )
        raise InputError(msg)
    return bool(value)


def data_label(*datasets: xr.Dataset) -> str:
    """Say whose data some results show.

    Args:
        *datasets: Results of scans, one or more.

    Returns:
        The attribute `comment` of the first one; where a search was changed in any of
        them, that of the first such one, without a claim to be the published data.

    Examples:
        >>> data_label(xr.Dataset(attrs={"is_published": 0}))
        'Changed inputs, not the published NA62 data'
    """
    changed = [dataset for dataset in datasets if not is_published(dataset)]
    label = str((changed or datasets)[0].attrs.get("comment", _DEFAULT + _CLAIM))
    if changed and label.endswith(_CLAIM):
        experiments = label.removesuffix(_CLAIM)
        return f"Changed inputs, not the published {experiments} data"
    return label
