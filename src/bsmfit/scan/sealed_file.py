"""The SHA-256 that a file of results carries behind its content.

Other readers of NetCDF pass over it. A file that was cut off, or of which a bit was
changed, in a number, an axis or an attribute, is not taken for what was written.
"""

from __future__ import annotations

import hashlib

__all__ = ["sealed", "unsealed"]

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


def _mark(content: bytes) -> bytes:
    return _SEAL + hashlib.sha256(content).hexdigest().encode()
