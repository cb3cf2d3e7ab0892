"""Whose data a result shows, for titles of figures and headers of files."""

from __future__ import annotations

import xarray as xr

from bsmfit.errors import InputError

__all__ = ["data_label", "is_published"]

_PUBLISHED = "NA62 data, bsmfit reinterpretation"
_CHANGED = "Changed inputs, not the published NA62 data"


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
    label = str((changed or datasets)[0].attrs.get("comment", _PUBLISHED))
    return _CHANGED if changed and label == _PUBLISHED else label
