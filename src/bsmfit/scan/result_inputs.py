"""Which data files went into a result, read without the result itself."""

from __future__ import annotations

import io
import json
from pathlib import Path

import h5py

from bsmfit.errors import DataFileError
from bsmfit.scan.sealed_file import read_sealed

__all__ = ["read_inputs"]


def read_inputs(path: Path) -> tuple[str, ...]:
    """Data files that a scan depends on, from its file.

    Args:
        path: A ``scan.nc``, or the folder that it is in.

    Returns:
        The files as the result names them, ``FOLDER/FILE``.

    Raises:
        DataFileError: There is no such file, or it is not the result of a scan, or
            it was changed since it was written.
    """
    file = path / "scan.nc" if path.is_dir() else path
    advice = "give a scan.nc, or the folder that `bsmfit scan` wrote it into"
    if not file.is_file():
        msg = f"{file} does not exist or is no regular file; {advice}"
        raise DataFileError(msg)
    try:
        content = read_sealed(file)
        with h5py.File(io.BytesIO(content), "r") as stored:
            inputs = json.loads(str(stored.attrs["inputs"]))
        return tuple(sorted(inputs.keys()))
    except (OSError, KeyError, ValueError, AttributeError, RuntimeError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        msg = (
            f"{file} is not the result of a scan, or is damaged "
            f"({reason:.100}); {advice}"
        )
        raise DataFileError(msg) from error
