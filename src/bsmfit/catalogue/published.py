"""Published limits that are shipped with the record of a search."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from bsmfit.catalogue.kinds.registry import kind_of

__all__ = ["PublishedLimit", "load_published_limit"]


@dataclass(frozen=True)
class PublishedLimit:
    """The excluded interval of couplings by mass, as published.

    Attributes:
        mass: Masses [GeV].
        lower: Lowest excluded coupling, the geometric mean of all readings.
        upper: Highest excluded coupling, likewise; None where only the lower edge is
            shipped.
        model: Name of the benchmark that the limit is about.
        source: Publication.
    """

    mass: Float64[np.ndarray, " n_mass"]
    lower: Float64[np.ndarray, " n_mass"]
    upper: Float64[np.ndarray, " n_mass"] | None
    model: str
    source: str


def load_published_limit(channel: str | Path) -> PublishedLimit | None:
    """Read the published limit of a search on the coupling of a model.

    Args:
        channel: Channel id, or path of a record.

    Returns:
        The limit, or None where the record has none.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: The record or the contour is not valid.
    """
    kind = kind_of(channel)
    published_limit = getattr(kind, "published_limit", None)
    return None if published_limit is None else published_limit(channel)
