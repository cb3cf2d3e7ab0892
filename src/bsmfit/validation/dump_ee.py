"""The NA62 search for A' -> e+ e- in beam-dump mode (2312.12055), and both leptons.

The norms of the preset `published-leptonic` were fitted to the lower edges of two
published contours, that of electrons and that of muons. Its rows show how well three
norms and one efficiency describe both: consistency, of which nothing counts as a
success. The other presets are reported: what the efficiencies give with a production
that was not fitted.
"""

from __future__ import annotations

import numpy as np

from bsmfit.catalogue.kinds.beam_dump import load_channel, published_limit
from bsmfit.catalogue.models import load_model
from bsmfit.errors import DataFileError
from bsmfit.scan.contour import coupling_edges
from bsmfit.scan.exclusion_map import scan_plane
from bsmfit.validation.targets import ValidationRow

__all__ = ["FITTED", "dump_ee_rows", "edge_rows"]

FITTED = "published-leptonic"
_REPORTED = ("bremsstrahlung", "mesons-bremsstrahlung", "full", "form-factor-mixing")
_FEW = (0.02, 0.05, 0.12, 0.25, 0.40)
"""Masses at which presets that were not fitted are reported [GeV]."""

_NOTCH = (0.404, 0.425)
_SEARCHES = {
    "na62-dump-ee": {
        "coupling": (1.0e-7, 4.0e-4, 3000),
        "judged": (0.02, 0.45),
        "tolerance": {"lower": 0.10, "upper": 0.20},
        "source": "2312.12055, observed contour, digitised",
    },
    "na62-dump-mumu": {
        "coupling": (1.0e-7, 2.0e-5, 2000),
        "judged": (0.27, 0.52),
        "tolerance": {"lower": 0.05, "upper": 0.10},
        "source": "2303.08666, figure 14, digitised",
    },
}


def edge_rows(
    channel: str, preset: str, *, masses: tuple[float, ...] | None = None
) -> list[ValidationRow]:
    """Both edges of one preset at the masses of the published contour.

    Args:
        channel: ``"na62-dump-ee"`` or ``"na62-dump-mumu"``.
        preset: Production preset of the dark photon.
        masses: Which of them [GeV]; all outside the notch by default.

    Returns:
        Two rows by mass; judged where the preset was fitted, never independent.

    Raises:
        DataFileError: The record has no published contour.
    """
    limit = published_limit(channel)
    if limit is None or limit.upper is None:
        msg = f"{channel}: the record has no published contour to validate against"
        raise DataFileError(msg)
    about = _SEARCHES[channel]
    kept = (limit.mass < _NOTCH[0]) | (limit.mass > _NOTCH[1])
    if channel == "na62-dump-ee":
        kept = np.ones_like(kept)
    if masses is not None:
        kept &= np.isclose(limit.mass[:, None], masses).any(axis=1)
    chosen = limit.mass[kept]
    edges = coupling_edges(
        scan_plane(
            load_model("dark-photon", preset),
            load_channel(channel),
            mass=chosen,
            coupling=about["coupling"],
        )
    )
    rows = []
    for side, theirs, ours in (
        ("lower", limit.lower[kept], edges.lower),
        ("upper", limit.upper[kept], edges.upper),
    ):
        for mass, published, mine in zip(chosen, theirs, ours, strict=True):
            is_judged = (
                preset == FITTED and about["judged"][0] <= mass <= about["judged"][1]
            )
            rows.append(
                ValidationRow(
                    target=f"{channel} {side} edge, {preset}",
                    quantity=f"epsilon at {mass:.4g} GeV",
                    published=float(published),
                    ours=float(mine),
                    tolerance=about["tolerance"][side] if is_judged else None,
                    is_independent=False,
                    source=about["source"],
                    note="norms fitted to the lower edges"
                    if preset == FITTED
                    else "efficiency of another preset",
                )
            )
    return rows


def dump_ee_rows() -> list[ValidationRow]:
    """All rows of the electrons, and the muons with the norms that both contours imply.

    Returns:
        Rows, preset by preset.
    """
    rows = edge_rows("na62-dump-ee", FITTED) + edge_rows("na62-dump-mumu", FITTED)
    rows += edge_rows("na62-dump-ee", _REPORTED[0])
    for preset in _REPORTED[1:]:
        rows += edge_rows("na62-dump-ee", preset, masses=_FEW)
    return rows
