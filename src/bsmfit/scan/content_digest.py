"""One number for everything that a result says, whenever and wherever it was made."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import xarray as xr

from bsmfit.scan.provenance import VOLATILE_ATTRIBUTES

__all__ = ["content_digest"]


def content_digest(dataset: xr.Dataset) -> str:
    """SHA-256 over variables, axes and the attributes that are not volatile.

    Two results of one plan agree in it whatever way they were computed: at once, in
    workers, in an array of jobs, or continued after a kill.

    Args:
        dataset: Result of a scan.

    Returns:
        The digest, in hexadecimal.

    Examples:
        >>> one = xr.Dataset({"a": ("x", [1.0])}, attrs={"created": "today"})
        >>> content_digest(one) == content_digest(one.assign_attrs(created="later"))
        True
        >>> content_digest(one) == content_digest(one + 1.0)
        False
    """
    sha = hashlib.sha256()
    kept = {k: v for k, v in dataset.attrs.items() if k not in VOLATILE_ATTRIBUTES}
    _add(sha, "attributes", _plain(kept))
    for name in sorted(map(str, dataset.variables)):
        variable = dataset[name].variable
        values = np.asarray(variable.values)
        _add(
            sha, "variable", json.dumps([name, list(map(str, variable.dims))]).encode()
        )
        _add(sha, "attributes", _plain(variable.attrs))
        if values.dtype.kind in "biuf":
            little = values.astype(values.dtype.newbyteorder("<"))
            _add(sha, f"{little.dtype.str} {values.shape}", little.tobytes())
        else:
            _add(sha, f"text {values.shape}", json.dumps(values.tolist()).encode())
    return sha.hexdigest()


def _add(sha: hashlib._Hash, kind: str, content: bytes) -> None:
    # with their lengths, so that no two sequences of entries join to the same
    sha.update(f"{kind}:{len(content)}:".encode())
    sha.update(content)


def _plain(attributes: dict) -> bytes:
    """Attributes as text, the same in memory and read from a file."""
    plain = {str(k): np.asarray(v).tolist() for k, v in attributes.items()}
    return json.dumps(plain, sort_keys=True).encode()
