"""Published limits that are shipped with the record of a search."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from bsmfit.catalogue.limit_curves import read_scalar_edge_csv
from bsmfit.catalogue.records import (
    locate_channel,
    read_beam_dump_record,
    read_contour,
    read_pi_invisible_record,
    record_kind,
)

__all__ = ["PublishedLimit", "load_published_limit"]

_SCALAR_EDGE = "scalar_edge.csv"


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
    if record_kind(channel) == "pi-invisible":
        return _scalar_edge(channel)
    record = read_beam_dump_record(channel)
    if record.published_contour is None:
        return None
    path = locate_channel(channel).parent / record.published_contour
    columns = read_contour(path).columns
    masses = np.unique(columns["mass_gev"])

    def mean(name: str) -> np.ndarray:
        logs = np.log(columns[name])
        at = [logs[columns["mass_gev"] == mass].mean() for mass in masses]
        return np.exp(np.array(at))

    return PublishedLimit(
        mass=masses,
        lower=mean("epsilon_lower"),
        upper=mean("epsilon_upper"),
        model=record.model,
        source=f"{record.experiment}, arXiv:{record.arxiv} (digitised)",
    )


def _scalar_edge(channel: str | Path) -> PublishedLimit | None:
    """The lower edge for a dark scalar, where it lies beside the record."""
    path = locate_channel(channel).parent / _SCALAR_EDGE
    if not path.exists():
        return None
    record = read_pi_invisible_record(channel)
    edge = read_scalar_edge_csv(path)
    return PublishedLimit(
        mass=edge.mass,
        lower=edge.mixing_squared,
        upper=None,
        model="dark-scalar",
        source=f"{record.experiment}, arXiv:{record.arxiv}",
    )
