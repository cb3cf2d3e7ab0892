"""How a table was made: the metadata of its file, read without its numbers."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bsmfit.catalogue.files import display_path, open_regular
from bsmfit.errors import DataFileError

__all__ = ["numbers_of", "read_metadata"]

_ENTRY = "metadata.npy"
_MAX_BYTES = 1_000_000


def read_metadata(path: Path) -> dict[str, Any]:
    """How a table was made.

    Args:
        path: The table file.

    Returns:
        The content of its metadata.

    Raises:
        DataFileError: The file is not a table file, or its metadata is damaged.

    Examples:
        >>> from bsmfit.catalogue.records import locate_channel
        >>> table = locate_channel("na62-dump-mumu").with_name("yields.npz")
        >>> read_metadata(table)["final_state"]
        'mumu'
    """
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            if archive.getinfo(_ENTRY).file_size > _MAX_BYTES:
                msg = f"{display_path(path)}: its metadata is larger than any we write"
                raise DataFileError(msg)
            content = archive.read(_ENTRY)  # whole, so that its checksum is compared
        text = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        metadata = json.loads(str(text))
    except KeyError:
        msg = f"{display_path(path)}: has no array 'metadata'"
        raise DataFileError(msg) from None
    except DataFileError:
        raise
    except (
        *(ValueError, EOFError, RuntimeError, NotImplementedError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        msg = f"{display_path(path)}: not a readable table file ({error})"
        raise DataFileError(msg) from None
    if not isinstance(metadata, dict):
        msg = f"{display_path(path)}: its metadata is no mapping of keys to values"
        raise DataFileError(msg)
    return metadata


def numbers_of(content: object) -> object:
    """Numbers and names of a part of a record, without their sources.

    Args:
        content: The part, as JSON has it.

    Returns:
        The same with each quantity as its value; a key that is absent and one without
        content are the same.
    """
    if isinstance(content, dict):
        if "value" in content:
            return content["value"]
        given = {key: value for key, value in content.items() if value is not None}
        return {key: numbers_of(value) for key, value in given.items()}
    return content
