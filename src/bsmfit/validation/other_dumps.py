r"""Validation of dumps of other laboratories: the scalar behind the CHARM dump.

The published region of a scalar that mixes with the Higgs boson (1809.01876, as drawn
by a public code) has scalars from kaons of the dump and from B mesons, and a simple
acceptance. Hard particles make the upper edge, where every lifetime is short against
the distance; they come from B mesons, so that it is judged. Slow ones, from kaons, make
the lower edge, which is judged where the yields have kaons and reported where not.
"""

from __future__ import annotations

import numpy as np

from bsmfit.catalogue.kinds.beam_dump_channel import load_beam_dump
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.published import load_published_limit
from bsmfit.errors import DataFileError
from bsmfit.scan.contour import coupling_edges
from bsmfit.scan.exclusion_map import scan_plane
from bsmfit.validation.targets import ValidationRow

__all__ = ["other_dump_rows"]

_MUONS, _ELECTRONS = "charm-dump-mumu", "charm-dump-ee"
_SOURCE = "FORESEE (MIT), region of CHARM, digitised; 1809.01876 [unverified]"
_FACTOR = 1.3
"""Largest accepted ratio of couplings, sin(theta)."""

_JUDGED_FROM = 0.2222
"""Below, on the steep edge at the threshold of muons, rows are reported [GeV]."""

_KAONS = "dump-kaon-to-pion"
_WITHOUT = "B mesons alone; kaons of the dump are not in the yields"

_BELOW_MUONS = {0.0304: 3.048e-3, 0.0574: 2.141e-3, 0.1049: 1.574e-3, 0.2091: 1.044e-3}
"""Lower edge in sin(theta) below the threshold of muons, by mass [GeV], same source."""


def _muon_rows(preset: str) -> list[ValidationRow]:
    limit = load_published_limit(_MUONS)
    if limit is None or limit.upper is None:
        msg = f"{_MUONS}: the record has no published contour to validate against"
        raise DataFileError(msg)
    channel = load_beam_dump(_MUONS)
    has_kaons = _KAONS in channel.processes
    result = scan_plane(
        load_model("dark-scalar", preset),
        channel,
        mass=limit.mass,
        coupling=(1.0e-9, 1.0e-2, 800),
    )
    edges = coupling_edges(result)
    rows = []
    for side, published, ours, is_complete in (
        ("lower", limit.lower, edges.lower, has_kaons),
        ("upper", limit.upper, edges.upper, True),
    ):
        for mass, theirs, mine in zip(limit.mass, published, ours, strict=True):
            is_judged = is_complete and mass >= _JUDGED_FROM
            rows.append(
                ValidationRow(
                    target=f"CHARM, scalar, {side} edge, {preset}",
                    quantity=f"sin(theta) at {mass:.4g} GeV",
                    published=float(np.sqrt(theirs)),
                    ours=float(np.sqrt(mine)),
                    tolerance=_FACTOR - 1.0 if is_judged else None,
                    source=_SOURCE,
                    note="" if is_complete else _WITHOUT,
                )
            )
    return rows


def _electron_rows() -> list[ValidationRow]:
    masses = np.array(list(_BELOW_MUONS))
    channel = load_beam_dump(_ELECTRONS)
    result = scan_plane(
        load_model("dark-scalar", "inclusive"),
        channel,
        mass=masses,
        coupling=(1.0e-8, 1.0, 800),
    )
    ours = np.sqrt(coupling_edges(result).lower)
    return [
        ValidationRow(
            target="CHARM, scalar, lower edge below 2 m_mu, inclusive",
            quantity=f"sin(theta) at {mass:.4g} GeV",
            published=published,
            ours=float(mine),
            tolerance=None,
            source=_SOURCE,
            note="e+ e- alone; published with gamma gamma"
            if _KAONS in channel.processes
            else f"e+ e- alone; {_WITHOUT}",
        )
        for (mass, published), mine in zip(_BELOW_MUONS.items(), ours, strict=True)
    ]


def other_dump_rows() -> list[ValidationRow]:
    """All rows of this group.

    Returns:
        Edges of the scalar behind the CHARM dump, by preset.
    """
    return _muon_rows("pole-mass") + _muon_rows("inclusive") + _electron_rows()
