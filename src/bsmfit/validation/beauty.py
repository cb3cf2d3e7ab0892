r"""Validation of particles from B mesons: branching ratios and projections.

Contours in lifetime and $BR(B\to KX)\,BR(X\to\mu\mu)$ at 2.3 events: figures of
arXiv:1810.11336 for $10^{18}$ protons, and those of the program ALPINIST. What the norm
of the figures contains (which decays of B mesons, cross section, cuts) is not known, so
that it is reported and their *shape* is judged: the branching ratio along the edge of
long lifetimes, over its median, and the lifetime along the other edge, with the norm of
the first. The program is public with its tables, so that its contours are compared as
they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from bsmfit.catalogue.records import read_geometry
from bsmfit.catalogue.spectrometers import make_spectrometer
from bsmfit.catalogue.tables.yield_build import process_points
from bsmfit.core.constants import ELECTRON_MASS, HBAR, HBAR_C, MUON_MASS
from bsmfit.physics.beauty_to_strange import (
    beauty_scalar_branching_ratio,
    beauty_scalar_coefficient,
)
from bsmfit.validation.direct_pairs import direct_yields, strict_pair
from bsmfit.validation.targets import ValidationRow

__all__ = ["beauty_rows"]

_PROTONS, _EVENTS = 1e18, 2.3
_PICOSECOND = 1e-12 * HBAR_C / HBAR
"""c tau of one picosecond [m]."""

_TOLERANCE = 0.30

_FIGURE = "arXiv:1810.11336, projection, as digitised by ALPaca (MIT)"
_PROGRAM = "ALPINIST (BSD-3), contour in lifetime and BR [public code]"
_PROGRAM_PROTONS = 1.4e17
"""Protons of its contours: the lines of 164.286 events of its tables in lifetime and
BR, at every lifetime. The tables are for 1e19 protons by the code beside them, and
164.286 is 2.3 x 1e19 / 1.4e17."""
_PROGRAM_VOLUME = (102.0, 183.0)
"""Its decay volume [m], up to the first chamber. Both muons are in the chambers and
above 5 GeV; K* follows from K by the form factors."""
_DIGITISED = {
    0.3: (
        (1.97, 2.33, 2.68, 3.03, 3.39, 4.10, 4.80, 5.51),
        (-6.18, -7.47, -7.97, -8.12, -8.05, -7.49, -6.86, -6.13),
    ),
    0.6: (
        (2.33, 2.68, 3.03, 3.39, 4.10, 4.80, 5.51),
        (-6.12, -7.29, -7.76, -7.86, -7.46, -6.86, -6.16),
    ),
    1.2: (
        (2.33, 2.68, 3.03, 3.39, 4.10, 4.80, 5.51),
        (-4.36, -5.97, -6.88, -7.26, -7.11, -6.47, -5.85),
    ),
}
"""log10 of lifetimes [ps] and of BR(B -> K a) BR(a -> mu mu), by mass [GeV]. At shorter
lifetimes the reading of 0.6 and 1.2 GeV goes on as a straight line, to ratios above
1."""

_COMPUTED = {
    0.22: (
        (19.507, 27.632, 41.888, 74.004, 144.54, 691.15, 3543.7, 14454.0, 227600.0),
        (
            1.9055e-2,
            6.9183e-4,
            2.5119e-5,
            1.2023e-6,
            1.2442e-7,
            1.9055e-8,
            3.3113e-8,
            1.0828e-7,
            1.5849e-6,
        ),
    ),
    0.24: (
        (22.136, 30.555, 47.863, 83.176, 173.78, 912.01, 5287.1, 20893.0, 315750.0),
        (
            1.4454e-2,
            5.2481e-4,
            2.1510e-5,
            1.1452e-6,
            1.0391e-7,
            1.9313e-8,
            4.3652e-8,
            1.4686e-7,
            2.0893e-6,
        ),
    ),
}
"""Lifetimes [ps] and BR(X -> mu mu) at BR(B -> K X) = 1, by mass [GeV]."""

_ELECTRONS = (
    (758.58, 4834.7, 22792.0, 216480.0),
    (3.1661e-8, 7.5858e-8, 3.02e-7, 2.7542e-6),
)
"""The same for X -> e e of 0.22 GeV, on the edge of long lifetimes."""

_LONG_LIVED = 400.0
"""From here on [ps] a point is on the edge of long lifetimes, where the branching ratio
is compared; below, the lifetime is."""


def _ratio_rows() -> list[ValidationRow]:
    coefficient = beauty_scalar_coefficient()
    numbers = (
        ("b-to-kaon", 0.0, 0.43, 0.10, "FORESEE (MIT), text [public code]"),
        ("b-to-kaon", 0.0, 0.4267, 0.10, "SensCalc (BSD-3), table [public code]"),
        ("b-to-kaon", 0.5, 0.48, 0.17, "GRENDEL, test, +- 0.08 [public code]"),
        ("b-to-kstar", 0.0, 0.4737, 0.20, "SensCalc (BSD-3), table [public code]"),
        ("b-to-strange", 0.5, 5.3, 0.15, "GRENDEL, test, +- 0.8 [public code]"),
        ("b-to-strange", 0.5, 6.63, None, "SensCalc (BSD-3), table [public code]"),
        ("b-to-kaon", 0.0, 1.75, None, "ALPINIST (BSD-3): 16 in place of 64 pi"),
    )
    return [
        ValidationRow(
            target="B -> K(*) S",
            quantity=f"BR / sin^2(theta), {process}, at {mass} GeV",
            published=published,
            ours=float(
                beauty_scalar_branching_ratio(
                    process, jnp.asarray(mass), coefficient=coefficient
                )
            ),
            tolerance=tolerance,
            source=source,
        )
        for process, mass, published, tolerance, source in numbers
    ]


def _yield_of(
    mass: float,
    *,
    kstar_share: float,
    volume: tuple[float, float] = (105.0, 180.0),
    daughter_mass: float = MUON_MASS,
) -> Callable[[np.ndarray], Float[np.ndarray, " n"]]:
    """Accepted decays per proton at BR(B -> K X) = 1, as a function of c tau [m]."""
    geometry = read_geometry("NA62_dump")
    spectrometer = make_spectrometer(geometry, detectors=["straw"], momentum_min=5.0)
    selection = partial(strict_pair, spectrometer=spectrometer)

    def total(lengths: np.ndarray) -> np.ndarray:
        parts = [
            share
            * direct_yields(
                process_points(process, mass, beam_momentum=400.0, reach=(5.0, 0.012)),
                mass,
                lengths,
                daughter_mass=daughter_mass,
                decay_volume=volume,
                impact_point=spectrometer.impact_point,
                selection=selection,
            )
            for process, share in (("b-to-kaon", 1.0), ("b-to-kstar", kstar_share))
            if share > 0.0
        ]
        return np.sum(parts, axis=0)

    return total


def _kstar_share(mass: float) -> float:
    """Rate of B -> K* a over that of B -> K a, by the form factors."""
    ratios = [
        float(beauty_scalar_branching_ratio(name, jnp.asarray(mass), coefficient=1.0))
        for name in ("b-to-kstar", "b-to-kaon")
    ]
    return ratios[0] / ratios[1]


def _contour_rows(
    target: str,
    mass: float,
    points: np.ndarray,
    *,
    source: str,
    yields: Callable[[np.ndarray], np.ndarray],
    note: str,
    protons: float | None = None,
) -> list[ValidationRow]:
    """Branching ratio along one edge and lifetime along the other.

    For `protons`; where None for 1e18, with their norm as a row of its own.
    """
    lifetimes, ratios = points
    grid = np.geomspace(0.5 * lifetimes[0], 2.0 * lifetimes[-1], 160)
    exposure = _PROTONS if protons is None else protons
    limit = _EVENTS / (exposure * yields(grid * _PICOSECOND))
    ours = np.exp(np.interp(np.log(lifetimes), np.log(grid), np.log(limit)))
    is_long = lifetimes >= _LONG_LIVED
    row = partial(ValidationRow, target=target, source=source)
    rows, norm, what_ratio = [], 1.0, "BR"
    if protons is None:
        norm = float(np.exp(np.median(np.log(ours[is_long] / ratios[is_long]))))
        what_ratio = "BR over the norm"
        rows.append(
            row(
                quantity=f"norm of our branching ratio at {mass} GeV",
                published=1.0,
                ours=norm,
                tolerance=None,
                note=note,
            )
        )
    falling = slice(0, int(np.argmin(limit)) + 1)
    for lifetime, ratio, mine, is_branch in zip(
        lifetimes, ratios, ours / norm, is_long, strict=True
    ):
        if is_branch:
            what = f"{what_ratio}, {lifetime:.4g} ps, {mass} GeV"
            values = (float(ratio), float(mine))
        else:
            what = f"lifetime [ps] at BR = {ratio:.3g}, {mass} GeV"
            log_limit, at = np.log(limit[falling] / norm), np.log(grid[falling])
            found = np.exp(np.interp(-np.log(ratio), -log_limit, at))
            values = (float(lifetime), float(found))
        rows.append(
            row(
                quantity=what,
                published=values[0],
                ours=values[1],
                tolerance=_TOLERANCE,
                note="" if protons is None else note,
            )
        )
    return rows


def _projection_rows() -> list[ValidationRow]:
    rows = []
    for mass, logs in _DIGITISED.items():
        rows += _contour_rows(
            "B -> K a, a -> mu mu, projection",
            mass,
            10.0 ** np.asarray(logs),
            source=_FIGURE,
            yields=_yield_of(mass, kstar_share=0.0),
            note="B -> K a alone, E > 5 GeV; with K* in the ratio of the form factors "
            f"it is {1.0 / (1.0 + _kstar_share(mass)):.2f} of that",
        )
    return rows


def _program_rows() -> list[ValidationRow]:
    """Contours of a program with its exposure and acceptance; nothing is normalised."""
    cases: list[tuple[str, float, float, tuple[tuple[float, ...], ...]]] = [
        ("mu mu", MUON_MASS, mass, points) for mass, points in _COMPUTED.items()
    ]
    cases.append(("e e", ELECTRON_MASS, 0.22, _ELECTRONS))
    rows = []
    for pair, lepton_mass, mass, points in cases:
        rows += _contour_rows(
            f"B -> K(*) X, X -> {pair}, 1.4e17 protons",
            mass,
            np.asarray(points),
            source=_PROGRAM,
            yields=_yield_of(
                mass,
                volume=_PROGRAM_VOLUME,
                kstar_share=_kstar_share(mass),
                daughter_mass=lepton_mass,
            ),
            protons=_PROGRAM_PROTONS,
            note="" if pair == "mu mu" else "it asks for clusters, we for tracks",
        )
    return rows


def beauty_rows() -> list[ValidationRow]:
    """All rows of this group.

    Returns:
        Branching ratios, projections, and contours of another program.
    """
    return _ratio_rows() + _projection_rows() + _program_rows()
