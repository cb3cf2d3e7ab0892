"""The SHA-256 that a file of results carries behind its content.

Other readers of NetCDF pass over it. A file that was cut off, or of which a bit was
changed, in a number, an axis or an attribute, is not taken for what was written.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bsmfit.core.regular_file import read_regular

__all__ = ["MAX_SEALED_BYTES", "read_sealed", "sealed", "unsealed", "write_sealed"]

MAX_SEALED_BYTES = 4_000_000_000
"""Largest file of results that is read; a map of 10^8 points is below it."""

_SEAL = b"\nbsmfit-sha256:"


def sealed(content: bytes) -> bytes:
    """What to write for some content.

    Args:
        content: The content.

    Returns:
        The content and its seal.

    Examples:
        >>> unsealed(sealed(b"numbers"))
        b'numbers'
    """
    return content + _mark(content)


def unsealed(whole: bytes) -> bytes:
    """The content of what `sealed` made.

    Args:
        whole: What is in the file.

    Returns:
        The content.

    Raises:
        ValueError: It carries no digest, or another one than that of the content.

    Examples:
        >>> unsealed(sealed(b"numbers").replace(b"n", b"N", 1))
        Traceback (most recent call last):
        ...
        ValueError: was changed or damaged after it was written
    """
    content, mark, digest = whole.rpartition(_SEAL)
    if not mark:
        msg = "carries no digest"
        raise ValueError(msg)
    if mark + digest != _mark(content):
        msg = "was changed or damaged after it was written"
        raise ValueError(msg)
    return content


def read_sealed(path: Path) -> bytes:
    """The content of a file that carries its digest.

    Args:
        path: The file.

    Returns:
        The content.

    Raises:
        DataFileError: It is missing, no regular file, unreadable or too large.
        ValueError: It carries no digest, or another one than that of the content.
    """
    return unsealed(read_regular(path, max_bytes=MAX_SEALED_BYTES))


def write_sealed(path: Path, content: bytes | memoryview) -> None:
    """Write a file that carries the digest of its content.

    Args:
        path: The file.
        content: The content; no copy is made of it.

    Raises:
        OSError: It cannot be written.
    """
    with path.open("wb") as file:
        file.write(content)
        file.write(_mark(content))


def _mark(content: bytes | memoryview) -> bytes:
    return _SEAL + hashlib.sha256(content).hexdigest().encode()
