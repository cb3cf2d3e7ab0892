"""Cards of projections: what searches would say with other numbers."""

from __future__ import annotations

from pathlib import Path

from bsmfit.catalogue.files import data_root
from bsmfit.core.argument import file_path
from bsmfit.errors import UnknownNameError

__all__ = ["locate_override", "projection_names"]

_FOLDER = "projections"


def projection_names() -> tuple[str, ...]:
    """Names of the shipped cards of projections.

    Returns:
        Names, sorted.

    Examples:
        >>> "na62-dump-1e18" in projection_names()
        True
    """
    return tuple(sorted(path.stem for path in (data_root() / _FOLDER).glob("*.yaml")))


def locate_override(name: str | Path) -> Path:
    """Find a card.

    Args:
        name: Name of a shipped card, or path of a card.

    Returns:
        Its path.

    Raises:
        UnknownNameError: There is no shipped card of that name.
    """
    path = file_path("overrides", name)
    if isinstance(name, Path) or path.suffix in (".yaml", ".yml") or "/" in str(name):
        return path
    if name not in projection_names():
        kind = "projection"
        raise UnknownNameError.from_choices(kind, name, projection_names())
    return data_root() / _FOLDER / f"{name}.yaml"
