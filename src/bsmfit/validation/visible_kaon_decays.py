r"""Validation of limits by mass and lifetime: searches in kaon decays known by curves.

The limits are inputs. What is judged is how they depend on the lifetime: whether limits
for one lifetime and the law $1-e^{-T/\tau}$ give those for the others, and whether the
flight times of kaons at rest are those of one length, calibrated at one point. A
geometry of the NA62 beam alone is compared too, and misses; it is reported, as another
reading of E949's limit on a dark scalar is.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
import numpy as np

from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.kinds.resonance_limit_channel import load_resonance_limit
from bsmfit.catalogue.limit_curves import LifetimeLimits, read_lifetime_csv
from bsmfit.catalogue.records import read_kaon_setup
from bsmfit.channels.resonance_limit import ResonanceLimitChannel
from bsmfit.core.constants import (
    HBAR,
    HBAR_C,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.detector.in_flight_escape import InFlightEscape
from bsmfit.physics.kaon_to_pion import (
    relative_momentum,
    scalar_branching_ratio,
    scalar_coefficient,
)
from bsmfit.validation.targets import ValidationRow

__all__ = ["visible_kaon_decay_rows"]

_MUONS, _PHOTONS, _AT_REST = "na62-pi-mumu", "na62-pi-gammagamma", "e949-pi-invisible"
_FOLDERS: Final = {
    _MUONS: "NA62_2507.17286_pi_mu_mu",
    _PHOTONS: "NA62_2507.17286_pi_gamma_gamma",
    _AT_REST: "E949_0903.0030",
}
_SOURCES: Final = {
    _MUONS: "arXiv:2507.17286, digitised",
    _PHOTONS: "arXiv:2507.17286 and 2311.01837, digitised",
    _AT_REST: "arXiv:0903.0030, digitised",
}
_QUOTED: Final = {
    _MUONS: {0.22: 5.6e-11, 0.25: 1.3e-10, 0.28: 1.7e-10, 0.3: 1.4e-10, 0.32: 1.2e-10},
    _PHOTONS: {0.22: 5.1e-9, 0.25: 4.5e-9, 0.3: 4.6e-9, 0.34: 3.0e-9},
}
"""Prompt limits by mass [GeV], two digits of the same readings."""

# search, lifetime [s] that flight times are taken from, masses [GeV]
_LAWS: Final = (
    (_MUONS, 1e-8, (0.22, 0.25, 0.28, 0.31)),
    (_PHOTONS, 2e-9, (0.22, 0.26, 0.3, 0.34)),
)
_REST_POINTS: Final = (
    (0.01, 1e-10),
    (0.025, 1e-10),
    (0.05, 2e-10),
    (0.1, 5e-10),
    (0.1, 1e-9),
    (0.17, 2e-9),
    (0.2, 2e-9),
    (0.25, 5e-9),
)
_CALIBRATION: Final = (0.1, 1e-9)
_SCALAR_EDGE: Final = {
    0.0323829: 2.47195e-4,
    0.0526766: 2.29605e-4,
    0.0729102: 2.03147e-4,
    0.0928547: 1.77091e-4,
    0.103405: 2.03147e-4,
    0.164828: 8.16632e-4,
    0.179425: 5.65605e-4,
    0.191999: 5.07911e-4,
    0.202838: 5.29068e-4,
}
"""E949's limit on sin(theta) of a dark scalar by mass [GeV], as FORESEE (MIT) draws it:
commit 2d6431f, Models/DarkHiggs/model/lines/bounds_E949.txt, another reading."""
_FIRST_CHAMBER: Final = 183.5
"""Where a vertex of muons can no longer be seen [m], the first chamber of STRAW."""


def _limits(name: str) -> LifetimeLimits:
    return read_lifetime_csv(data_root() / _FOLDERS[name] / "limit_by_lifetime.csv")


def _log_limit(rows: LifetimeLimits, mass: float, lifetime: float) -> float:
    """Ln of a published limit, linear between its masses."""
    mine = np.isclose(rows.lifetime, lifetime, atol=0.0)
    return float(np.interp(mass, rows.mass[mine], np.log(rows.limit[mine])))


def _log_base(search: ResonanceLimitChannel, mass: float) -> float:
    return float(search.published(jnp.asarray(mass)))


def _quoted_rows() -> list[ValidationRow]:
    """Limits that come out because they were put in."""
    rows = []
    for name, quoted in _QUOTED.items():
        search = load_resonance_limit(name)
        for mass, published in quoted.items():
            rows.append(
                ValidationRow(
                    target=f"{name}, prompt limit",
                    quantity=f"BR(K+ -> pi+ X) BR at {1e3 * mass:.4g} MeV",
                    published=published,
                    ours=math.exp(_log_base(search, mass)),
                    tolerance=0.15,
                    is_independent=False,
                    source=_SOURCES[name],
                    note="an input, quoted with two digits from the same reading; "
                    "neighbouring masses differ by more than 10 %",
                )
            )
    return rows


def _law_rows() -> list[ValidationRow]:
    """Limits for all lifetimes from those for one, by one flight time."""
    rows = []
    for name, base, masses in _LAWS:
        search, table = load_resonance_limit(name), _limits(name)
        others = [
            t for t in np.unique(table.lifetime) if not np.isclose(t, base, atol=0.0)
        ]
        for mass in masses:
            prompt = _log_base(search, mass)
            loss = _log_limit(table, mass, base) - prompt
            time = -base * math.log(-math.expm1(-loss))
            for lifetime in others:
                published = math.exp(_log_limit(table, mass, lifetime) - prompt)
                rows.append(
                    ValidationRow(
                        target=f"{name}, limit by lifetime",
                        quantity=f"UL ratio at {_point(mass, lifetime)}, "
                        f"from {1e9 * base:.3g} ns",
                        published=published,
                        ours=-1.0 / math.expm1(-time / lifetime),
                        tolerance=0.1,
                        source=_SOURCES[name],
                        note="one flight time, of one published lifetime, for all",
                    )
                )
    return rows


def _point(mass: float, lifetime: float) -> str:
    return f"{1e3 * mass:.4g} MeV, {1e9 * lifetime:.3g} ns"


def _momentum_at_rest(mass: float) -> float:
    """Momentum of X from a kaon at rest [GeV]."""
    return 0.5 * KAON_CHARGED_MASS * float(relative_momentum(jnp.asarray(mass)))


def _rest_rows() -> list[ValidationRow]:
    """Losses of E949 from one length of flight, calibrated at one point."""
    search, table = load_resonance_limit(_AT_REST), _limits(_AT_REST)

    def log_loss(mass: float, lifetime: float) -> float:
        return _log_limit(table, mass, lifetime) - _log_base(search, mass)

    mass, lifetime = _CALIBRATION
    length = log_loss(mass, lifetime) / _slowness(mass, lifetime)
    rows = []
    for mass, lifetime in _REST_POINTS:
        is_calibration = (mass, lifetime) == _CALIBRATION
        rows.append(
            ValidationRow(
                target=f"{_AT_REST}, limit by lifetime",
                quantity=f"ln UL ratio at {_point(mass, lifetime)}",
                published=log_loss(mass, lifetime),
                ours=length * _slowness(mass, lifetime),
                tolerance=0.1,
                is_independent=not is_calibration,
                source=_SOURCES[_AT_REST],
                note="calibration point of the length"
                if is_calibration
                else f"one length of flight, {length:.2f} m",
            )
        )
    return rows


def _slowness(mass: float, lifetime: float) -> float:
    """Lifetimes per length of flight [1/m]: m / (p c tau)."""
    return mass / (_momentum_at_rest(mass) * lifetime * HBAR_C / HBAR)


def _edge_rows() -> list[ValidationRow]:
    """E949's limit on a dark scalar, below 2 m_mu, where it hardly decays inside."""
    search = load_resonance_limit(_AT_REST)
    rows = []
    for mass, published in _SCALAR_EDGE.items():
        unit = scalar_branching_ratio(
            jnp.asarray(mass), coefficient=scalar_coefficient()
        )
        rows.append(
            ValidationRow(
                target=f"{_AT_REST}, dark scalar",
                quantity=f"sin(theta), lower edge at {1e3 * mass:.4g} MeV",
                published=published,
                ours=math.sqrt(math.exp(_log_base(search, mass)) / float(unit)),
                tolerance=None,
                source="FORESEE, commit 2d6431f, bounds_E949.txt",
                note="another reading of the limit, with another BR(K+ -> pi+ S)",
            )
        )
    return rows


def _geometry_rows() -> list[ValidationRow]:
    """NA62's muons from beam and decay volume alone: the vertex is not modelled."""
    setup = read_kaon_setup("NA62_kaon")
    flight = InFlightEscape(
        parent_mass=KAON_CHARGED_MASS,
        parent_lifetime=KAON_CHARGED_LIFETIME,
        recoil_mass=PION_CHARGED_MASS,
        parent_momentum=setup.beam.momentum.value,
        start=setup.decay_volume.start.value,
        end=setup.decay_volume.end.value,
        veto_end=_FIRST_CHAMBER,
    )
    search, table = load_resonance_limit(_MUONS), _limits(_MUONS)
    rows = []
    for mass in (0.22, 0.25, 0.28, 0.31):
        for lifetime in (1e-9, 1e-7):
            survives = flight.log_probability(
                jnp.asarray(mass), jnp.asarray(HBAR / lifetime)
            )
            published = _log_limit(table, mass, lifetime) - _log_base(search, mass)
            rows.append(
                ValidationRow(
                    target=f"{_MUONS}, decay in flight",
                    quantity=f"UL ratio at {_point(mass, lifetime)}",
                    published=math.exp(published),
                    ours=-1.0 / math.expm1(float(survives)),
                    tolerance=None,
                    source=_SOURCES[_MUONS],
                    note="any decay before the first chamber counts; the common vertex "
                    "of pion and muons is not modelled",
                )
            )
    return rows


def visible_kaon_decay_rows() -> list[ValidationRow]:
    """All rows of the searches for visible X by mass and lifetime, and of E949.

    Returns:
        Inputs, laws of the lifetime, and a geometry that misses.
    """
    return _quoted_rows() + _law_rows() + _rest_rows() + _edge_rows() + _geometry_rows()
