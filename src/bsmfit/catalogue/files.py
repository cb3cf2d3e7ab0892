"""Where the shipped data and model cards are, and what is in a file.

The data and the cards are part of the package (`bsmfit/_resources`), found through
`importlib.resources`, so that an installed wheel carries them. Everything that takes a
name of a shipped file takes the path of a user's own file as well: what looks like a
path (a `Path`, a suffix ``.yaml``, or a separator) is one, anything else is a name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

from bsmfit.catalogue.digests import DIGEST_FILE, shipped_digests
from bsmfit.core.argument import file_path, text
from bsmfit.core.regular_file import open_regular, read_regular
from bsmfit.errors import DataFileError, UnknownNameError

__all__ = [
    "MAX_TEXT_BYTES",
    "data_root",
    "display_path",
    "hash_files",
    "is_shipped",
    "list_geometries",
    "list_models",
    "list_record_folders",
    "locate_geometry",
    "locate_kaon_setup",
    "locate_model",
    "locate_record",
    "model_root",
    "read_bytes",
    "read_text",
    "sha256_of",
]

MAX_TEXT_BYTES = 200_000_000
"""Largest text file that is read: a workspace or a table of other people."""

_YAML_SUFFIXES = (".yaml", ".yml")


def data_root() -> Path:
    """Return the folder of the shipped records and tables.

    Returns:
        The folder with one folder per published result.
    """
    return _resource("data")


def model_root() -> Path:
    """Return the folder of the shipped model cards.

    Returns:
        The folder with one YAML file per benchmark.
    """
    return _resource("models")


def list_record_folders() -> tuple[str, ...]:
    """List the shipped published results.

    Returns:
        Folder names, sorted.

    Examples:
        >>> "NA62_2303.08666" in list_record_folders()
        True
    """
    return _folders_with("record.yaml")


def list_geometries() -> tuple[str, ...]:
    """List the shipped geometries.

    Returns:
        Folder names, sorted.
    """
    return _folders_with("geometry.yaml")


def list_models() -> tuple[str, ...]:
    """List the shipped model cards.

    Returns:
        Names, sorted.
    """
    return tuple(sorted(path.stem for path in model_root().glob("*.yaml")))


def locate_record(name: str | Path) -> Path:
    """Find the file of a record.

    Args:
        name: Name of a shipped folder, or path of a record file or of its folder.

    Returns:
        Path of the record file.

    Raises:
        UnknownNameError: There is no shipped folder of that name.
    """
    if _is_path(name):
        path = Path(name)
        return path / "record.yaml" if path.is_dir() else path
    _check_name("record", name, list_record_folders())
    return data_root() / name / "record.yaml"


def locate_geometry(name: str | Path, *, beside: Path | None = None) -> Path:
    """Find the file of a geometry.

    Args:
        name: Name of a shipped folder, or path of a geometry file or of its folder.
        beside: Folder that a relative path starts from (that of the record that names
            the geometry); None: the working directory.

    Returns:
        Path of the geometry file.

    Raises:
        UnknownNameError: There is no shipped folder of that name.
    """
    if _is_path(name):
        path = (beside or Path()) / Path(name).expanduser()
        return path / "geometry.yaml" if path.is_dir() else path
    _check_name("geometry", name, list_geometries())
    return data_root() / name / "geometry.yaml"


def locate_kaon_setup(name: str | Path, *, beside: Path | None = None) -> Path:
    """Find the file of a setup of searches in kaon decays.

    Args:
        name: Name of a shipped folder, or path of a setup file or of its folder.
        beside: Folder that a relative path starts from; None: the working directory.

    Returns:
        Path of the setup file.

    Raises:
        UnknownNameError: There is no shipped folder of that name.
    """
    if _is_path(name):
        path = (beside or Path()) / Path(name).expanduser()
        return path / "setup.yaml" if path.is_dir() else path
    _check_name("setup", name, _folders_with("setup.yaml"))
    return data_root() / name / "setup.yaml"


def locate_model(name: str | Path) -> Path:
    """Find the file of a model card.

    Args:
        name: Name of a shipped card, or path of a card.

    Returns:
        Path of the card.

    Raises:
        UnknownNameError: There is no shipped card of that name.

    Examples:
        >>> locate_model("dark-photon").name
        'dark-photon.yaml'
    """
    if _is_path(name):
        return Path(name)
    _check_name("model", name, list_models())
    return model_root() / f"{name}.yaml"


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """Read a regular file, if it is what it was when it was shipped.

    Args:
        path: The file; what its user wrote is taken as it is.
        max_bytes: Its largest size.

    Returns:
        Its content.

    Raises:
        DataFileError: It is missing, no regular file, unreadable, too large, or a
            shipped file that was changed.
    """
    name = display_path(path)
    content = read_regular(path, max_bytes=max_bytes, name=name)
    known = shipped_digests(data_root()).get(name) if is_shipped(path) else None
    if known is not None and hashlib.sha256(content).hexdigest() != known:
        msg = (
            f"{name} was changed or damaged: its SHA-256 is not that in "
            f"data/{DIGEST_FILE}; install bsmfit again, or give the path of a copy of "
            "your own (where the change is meant: python tools/write_digests.py)"
        )
        raise DataFileError(msg)
    return content


def read_text(path: Path, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Read a UTF-8 text file.

    Args:
        path: The file.
        max_bytes: Its largest size.

    Returns:
        Its text, without a byte-order mark.

    Raises:
        DataFileError: As `read_bytes`, or it is empty or not UTF-8.
    """
    text = _decode(path, read_bytes(path, max_bytes=max_bytes))
    if not text.strip():
        msg = f"{display_path(path)} is empty"
        raise DataFileError(msg)
    return text


def sha256_of(path: Path) -> str:
    """Hash the content of a file.

    Args:
        path: The file.

    Returns:
        SHA-256 as 64 hexadecimal digits.

    Raises:
        DataFileError: It cannot be read.
    """
    with open_regular(path, name=display_path(path)) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_files(paths: Iterable[Path]) -> dict[str, str]:
    """Hash every input of a result.

    Args:
        paths: The files, in any order; repeated ones count once.

    Returns:
        SHA-256 by displayed path, sorted by path.
    """
    return {display_path(path): sha256_of(path) for path in sorted(set(paths))}


def display_path(path: Path) -> str:
    """Return how a message and a result name a file.

    A shipped file is named from ``data/`` or ``models/`` on, the same on every machine;
    another file as it was given.

    Args:
        path: The file.

    Returns:
        Its name.
    """
    for name, root in (("data", data_root()), ("models", model_root())):
        if path.is_relative_to(root):
            return f"{name}/{path.relative_to(root).as_posix()}"
    return path.as_posix()


def is_shipped(path: Path) -> bool:
    """Whether a file is among those of the package.

    Args:
        path: The file.

    Returns:
        True below `data_root` and `model_root`.
    """
    return path.is_relative_to(data_root()) or path.is_relative_to(model_root())


@cache
def _resource(name: str) -> Path:
    root = Path(str(resources.files("bsmfit").joinpath("_resources", name)))
    if not root.is_dir():
        msg = (
            f"the installed bsmfit has no folder {root.as_posix()}; install the "
            "package again, from a wheel or with symlinks enabled"
        )
        raise DataFileError(msg)
    return root


def _folders_with(file_name: str) -> tuple[str, ...]:
    return tuple(
        sorted(path.parent.name for path in data_root().glob(f"*/{file_name}"))
    )


def _check_name(kind: str, name: str | Path, known: tuple[str, ...]) -> None:
    if str(name) not in known:
        raise UnknownNameError.from_choices(kind, str(name), known)


def _is_path(name: str | Path) -> bool:
    if isinstance(name, str):
        name = text("name", name, hint="`bsmfit list` shows the names")
    file_path("name", name)
    if isinstance(name, Path):
        return True
    return "/" in name or "\\" in name or name.lower().endswith(_YAML_SUFFIXES)


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = (
            f"{display_path(path)}, line {line}: byte 0x{content[error.start]:02x} is "
            "not UTF-8; save the file as UTF-8 text"
        )
        raise DataFileError(msg) from None
