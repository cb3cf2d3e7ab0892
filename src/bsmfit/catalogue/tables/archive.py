"""Archives of arrays (npz), read whole and checked before they are believed.

Every entry is read to its end, so that its checksum is compared; what `write_archive`
wrote carries the SHA-256 of its entries as the comment of the archive, and shipped
files have theirs in ``data/SHA256SUMS``. Sizes are compared with those that a header
claims before memory is taken.

    bytes --read_bytes--> zip entries --checksum, header--> arrays
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bsmfit.catalogue.digests import write_digests
from bsmfit.catalogue.files import (
    data_root,
    display_path,
    is_shipped,
    model_root,
    read_bytes,
)
from bsmfit.errors import DataFileError, OutputError

__all__ = ["MAX_ARCHIVE_BYTES", "read_arrays", "write_archive"]

MAX_ARCHIVE_BYTES = 200_000_000
"""Largest archive that is read, and a fifth of the most that it may unpack to."""

_MAX_UNPACKED = 5 * MAX_ARCHIVE_BYTES
_MAX_ENTRIES = 1_000
_COMMENT = b"bsmfit-sha256:"

# What readers of zip files and of array headers raise where bytes are not what they
# claim: nothing else happens in the block that catches them.
_DAMAGE = (
    *(OSError, ValueError, LookupError, RuntimeError, TypeError, OverflowError),
    *(EOFError, MemoryError, SyntaxError, NotImplementedError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)


def read_arrays(path: Path, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Read arrays of an archive.

    Args:
        path: The file.
        names: Which of them; all where None.

    Returns:
        The arrays by name.

    Raises:
        DataFileError: It is missing, no regular file, too large, no archive of arrays,
            or damaged; or it lacks one of the arrays.
    """
    shown = display_path(path)
    content = read_bytes(path, max_bytes=MAX_ARCHIVE_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = _checked_entries(archive)
            if names is None:
                _check_comment(archive, entries)
            arrays = {
                name: _array(archive.read(entry))
                for name, entry in entries.items()
                if names is None or name in names
            }
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        msg = f"{shown}: not a readable table file ({reason:.200})"
        raise DataFileError(msg) from None
    for name in names or ():
        if name not in arrays:
            msg = f"{shown}: has no array {name!r}"
            raise DataFileError(msg)
    return arrays


def write_archive(
    path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]
) -> None:
    """Write a table file; identical content gives an identical file.

    The digest of a shipped table that is made again is written with it.

    Args:
        path: Where to.
        arrays: Arrays by name.
        metadata: How they were made.

    Raises:
        OutputError: The file cannot be written; an older one is left as it was.
    """
    everything = {**arrays, "metadata": np.array(json.dumps(metadata, sort_keys=True))}
    part = path.with_suffix(".part")
    sha = hashlib.sha256()
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, array in everything.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
                # A fixed date makes the file a function of its content.
                entry = zipfile.ZipInfo(f"{name}.npy")
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, buffer.getvalue(), compresslevel=9)
                _add(sha, name, buffer.getvalue())
            archive.comment = _COMMENT + sha.hexdigest().encode()
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"cannot write {path}: {error.strerror}"
        raise OutputError(msg) from error
    if is_shipped(path):
        write_digests(data_root(), model_root())


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Entries by the name of their array, of sizes and kinds that can be."""
    found = archive.infolist()
    names = [entry.filename.removesuffix(".npy") for entry in found]
    if len(set(names)) < len(names):
        msg = "an array is there twice"
        raise ValueError(msg)
    if len(found) > _MAX_ENTRIES:
        msg = f"more than {_MAX_ENTRIES} arrays"
        raise ValueError(msg)
    if sum(entry.file_size for entry in found) > _MAX_UNPACKED:
        msg = f"unpacks to more than {_MAX_UNPACKED / 1e9:g} GB, the most that is read"
        raise ValueError(msg)
    if any(
        e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in found
    ):
        msg = "an array is neither stored nor deflated"
        raise ValueError(msg)
    if any(entry.flag_bits & 1 for entry in found):
        msg = "an array is encrypted"
        raise ValueError(msg)
    return dict(zip(names, found, strict=True))


def _check_comment(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]
) -> None:
    """Compare the digest that `write_archive` left, where there is one."""
    if not archive.comment:
        return
    sha = hashlib.sha256()
    for name, entry in entries.items():
        _add(sha, name, archive.read(entry))
    if archive.comment != _COMMENT + sha.hexdigest().encode():
        msg = "its content is not that of its digest; make it again"
        raise ValueError(msg)


def _array(content: bytes) -> np.ndarray:
    """An array from its file, once the header claims no more than what is there."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(stream)
    n_bytes = len(content) - stream.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != n_bytes:
        msg = f"a header claims {dtype} of shape {shape}, but {n_bytes} bytes follow"
        raise ValueError(msg)
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _add(sha: hashlib._Hash, name: str, content: bytes) -> None:
    # with lengths, so that no two sequences of entries join to the same
    sha.update(f"{name}:{len(content)}:".encode())
    sha.update(content)
