"""Compiled programs kept between runs of the command line.

JAX can keep what XLA compiled in a folder. The command line gives it one in the user's
cache folder; the library never does. Three things are made sure of here:

- Hosts that share a home do not meet: the folder is named by the versions of bsmfit,
  JAX, jaxlib and Python and by the processor's model and flags. JAX itself tells
  devices, XLA flags and programs apart.
- Runs side by side, killed runs and full disks leave no half-written program: JAX
  writes into a folder of this process, which begins with links to the programs that are
  kept, and whole new ones are renamed into place when the process ends.
- It never gets in the way: a folder that cannot be used is left alone.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.metadata
import logging
import platform
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

from bsmfit._version import __version__

__all__ = [
    "VARIABLE",
    "cache_root",
    "host_key",
    "keep_programs",
    "open_programs",
    "start_compilation_cache",
]

VARIABLE = "BSMFIT_CACHE"
"""Environment variable: a folder, or ``off``."""

MAX_BYTES = 500_000_000
"""Size of all that is kept; one scan takes 0.3 MB."""

_PREFIX = "process-"
_SUFFIX = "-cache"  # JAX's own
_ABANDONED = 7 * 86_400.0  # seconds: no scan takes a week
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_LOGGER = logging.getLogger(__name__)


def start_compilation_cache(environment: Mapping[str, str]) -> dict[str, str]:
    """Prepare the folder and say how JAX is told of it.

    Nothing is done where JAX is imported already or has a folder of its own, or where
    the folder cannot be made or written to.

    Args:
        environment: The process's environment variables.

    Returns:
        Environment variables that JAX reads when it is imported; none where there is
        no cache.
    """
    root = cache_root(environment)
    if (
        root is None
        or "jax" in sys.modules
        or "JAX_COMPILATION_CACHE_DIR" in environment
    ):
        return {}
    mine = open_programs(root)
    if mine is None:
        return {}
    atexit.register(keep_programs, mine)
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(mine),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        # Those would put the name of the folder into the key of every program.
        "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
    }
    return settings | {key: environment[key] for key in settings if key in environment}


def open_programs(root: Path) -> Path | None:
    """Make the folder of this process, with links to the programs that are kept.

    Args:
        root: The folder for the programs of all hosts and versions.

    Returns:
        The folder, for `keep_programs` at the end; None where it cannot be made.
    """
    kept = root / host_key()
    try:
        kept.mkdir(parents=True, exist_ok=True)
        _tidy(root)
        mine = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=kept))
        for path in _programs(kept):
            (mine / path.name).symlink_to(path)
    except OSError as error:
        _LOGGER.debug("no compiled programs are kept in %s: %s", root, error)
        return None
    return mine


def keep_programs(mine: Path) -> None:
    """Move the new programs of this process to those that are kept.

    Args:
        mine: What `open_programs` returned; the folder is removed.
    """
    try:
        for path in _programs(mine):
            if not path.is_symlink() and _is_whole(path.read_bytes()):
                path.replace(mine.parent / path.name)
    except OSError as error:
        _LOGGER.debug("programs in %s are not kept: %s", mine, error)
    shutil.rmtree(mine, ignore_errors=True)


def cache_root(environment: Mapping[str, str]) -> Path | None:
    """Find the folder for the programs of all hosts and versions.

    Args:
        environment: The process's environment variables.

    Returns:
        The folder of ``BSMFIT_CACHE``, else ``bsmfit/programs`` in ``XDG_CACHE_HOME``
        (where that is an absolute path) or in ``~/.cache``; None where it is switched
        off or there is no home.

    Examples:
        >>> cache_root({"XDG_CACHE_HOME": "/scratch"}).as_posix()
        '/scratch/bsmfit/programs'
        >>> cache_root({"BSMFIT_CACHE": "off"}) is None
        True
    """
    chosen = environment.get(VARIABLE, "")
    if chosen.lower() == "off":
        return None
    if chosen:
        return Path(chosen).absolute()
    shared = environment.get("XDG_CACHE_HOME", "")
    home = environment.get("HOME", "")
    if Path(shared).is_absolute():
        return Path(shared) / "bsmfit" / "programs"
    return Path(home) / ".cache" / "bsmfit" / "programs" if home else None


def host_key() -> str:
    """Name what compiled programs depend on besides themselves.

    Returns:
        Versions, and a digest of them and of the processor's model and flags: XLA uses
        every instruction that the processor has.
    """
    versions = [
        f"{name}-{importlib.metadata.version(name)}" for name in ("jax", "jaxlib")
    ]
    parts = [
        f"bsmfit-{__version__}",
        *versions,
        f"python-{platform.python_version()}",
        platform.system(),
        platform.machine(),
        *_processor(Path("/proc/cpuinfo")),
    ]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return f"bsmfit-{__version__}-{versions[0]}-{digest}"


def _processor(path: Path) -> list[str]:
    """Model and flags of the processors, each kind once."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return [platform.processor()]
    names = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features")
    names += ("CPU implementer", "CPU part", "CPU variant", "CPU revision")
    return sorted({line for line in lines if line.partition(":")[0].strip() in names})


def _programs(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(_SUFFIX)]


def _is_whole(content: bytes) -> bool:
    """Whether a program was written to its end: a full disk cuts it off."""
    if content.startswith(_ZSTANDARD):
        return _is_whole_zstandard(content)
    decompressor = zlib.decompressobj()
    try:
        decompressor.decompress(content)
    except zlib.error:
        return False
    return decompressor.eof


def _is_whole_zstandard(content: bytes) -> bool:
    """The same where JAX found a module for this better compression."""
    for name in ("compression.zstd", "zstandard"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        try:
            module.decompress(content)
        except module.ZstdError:
            return False
        return True
    return False


def _tidy(root: Path) -> None:
    """Remove folders of killed processes, and the oldest programs above the limit."""
    now = time.time()
    programs: list[tuple[float, int, Path]] = []
    for path in root.glob("*/*"):
        try:
            status = path.lstat()
        except FileNotFoundError:  # by a process beside this one
            continue
        if path.name.endswith(_SUFFIX):
            programs.append((status.st_mtime, status.st_size, path))
        elif path.name.startswith(_PREFIX) and now - status.st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)
    excess = sum(size for _, size, _ in programs) - MAX_BYTES
    for _, size, path in sorted(programs):
        if excess <= 0:
            break
        path.unlink(missing_ok=True)
        excess -= size
