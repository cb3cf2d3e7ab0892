"""Published contours that a scan can be compared with, as points of a figure."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from bsmfit.catalogue.published import load_published_limit
from bsmfit.catalogue.records import channel_names
from bsmfit.scan.provenance import is_published

__all__ = ["PublishedContour", "published_contours"]


@dataclass(frozen=True)
class PublishedContour:
    """A contour that somebody published, drawn as points over ours.

    Attributes:
        mass: Masses of its points [GeV].
        coupling: Couplings of its points.
        source: Where it is from, for the legend, for example
            ``"NA62, arXiv:2303.08666, fig. 14"``.
    """

    mass: Float[np.ndarray, " n_point"]
    coupling: Float[np.ndarray, " n_point"]
    source: str


def published_contours(dataset: xr.Dataset) -> list[PublishedContour]:
    """Published contours that a scan can be compared with.

    Args:
        dataset: Result of a scan.

    Returns:
        The contours of its channels, where they are shipped and of the same model; none
        where a search of the scan was changed.
    """
    if not is_published(dataset):
        return []
    known = channel_names()
    contours = []
    for name in json.loads(dataset.attrs["channels"]):
        limit = load_published_limit(name) if name in known else None
        if limit is not None and limit.model == dataset.attrs["model"]:
            edges = [limit.lower] if limit.upper is None else [limit.lower, limit.upper]
            contours.append(
                PublishedContour(
                    mass=np.concatenate([limit.mass] * len(edges)),
                    coupling=np.concatenate(edges),
                    source=limit.source,
                )
            )
    return contours
