r"""Validation of axion-like particles: running, K -> pi a, B -> K a and lifetimes.

Rates are compared with a public code, ALPaca 1.2.0, for the benchmarks with new physics
at 1 TeV. It turns the names of the couplings into $c/f$ in its own way: with $v$ =
307.9 GeV, $\alpha$ = 1/126.5 and $\alpha_s$ = 0.0900 at 1 TeV, where we have 246.2 GeV,
$\alpha(0)$ and 0.0883. Rates are therefore compared at the same $c/f$, and at the same
name in rows that do not count. It matches at 100 GeV with the pole mass of the top
quark: 12 % in rates from one logarithm, 40 % in those from two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import jax.numpy as jnp

from bsmfit.catalogue.tables.physics_tables import load_alp_widths
from bsmfit.core.constants import FINE_STRUCTURE, HBAR_C, HIGGS_VEV
from bsmfit.physics.alp_couplings import LowEnergyCouplings, inverse_decay_constant
from bsmfit.physics.alp_couplings_at_scale import COUPLINGS, FERMIONS
from bsmfit.physics.alp_production import alp_branching_ratio
from bsmfit.physics.alp_running import (
    running_matrix,
    strong_coupling,
)
from bsmfit.physics.primakoff import photon_absorption_cross_section
from bsmfit.validation.targets import ValidationRow

__all__ = ["axion_like_rows"]

_TEV: Final = 1e3
_CODE: Final = "ALPaca 1.2.0 (MIT), run [public code]"

_BENCHMARKS: Final[Mapping[str, tuple[dict[str, float], str, float, float]]] = {
    "BC9": (
        {"hypercharge": 1.0},
        "photon_coupling",
        1e-4,
        FINE_STRUCTURE * 126.503,
    ),
    "BC10": (
        dict.fromkeys(FERMIONS, 1.0),
        "yukawa_coupling",
        1e-4,
        HIGGS_VEV / 307.936,
    ),
    "BC11": ({"gluon": 1.0}, "gluon_coupling", 1e-6, strong_coupling(_TEV) / 0.090035),
}
"""Direction, coupling, its value, and c/f of the code over ours at that value."""

_KAON: Final = {
    "BC9": {
        0.001: 8.5797e-13,
        0.05: 8.46213e-13,
        0.1: 7.9967e-13,
        0.12: 7.5318e-13,
        0.16: 8.13344e-13,
        0.2: 7.10004e-13,
        0.25: 5.9004e-13,
        0.3: 4.28952e-13,
    },
    "BC10": {
        0.001: 8.11048e-12,
        0.05: 7.99799e-12,
        0.1: 7.68068e-12,
        0.12: 7.49841e-12,
        0.16: 6.97296e-12,
        0.2: 6.33318e-12,
        0.25: 5.26284e-12,
        0.3: 3.78271e-12,
    },
    "BC11": {
        0.001: 1.13386e-9,
        0.05: 1.13653e-9,
        0.1: 1.14534e-9,
        0.12: 1.24561e-9,
        0.16: 6.77748e-10,
        0.2: 7.07977e-10,
        0.25: 5.70243e-10,
        0.3: 3.73489e-10,
    },
}
"""BR(K+ -> pi+ a) by mass [GeV]."""

_BEAUTY: Final = {"BC9": 3.5085e-10, "BC10": 2.52251e-9, "BC11": 5.95517e-11}
"""BR(B+ -> K+ a) at 0.3 GeV."""

_TOLERANCE: Final = {"BC9": 0.5, "BC10": 0.5, "BC11": 0.15}
_NEAR_PION: Final = (0.12, 0.16)

_POLE: Final = "15 and 25 MeV from the pole at the mass of the neutral pion"
_LOGARITHM: Final = (
    "two logarithms: 0.6 of our rate with matching at 100 GeV and the pole mass of the "
    "top quark, as there"
)


def _ours(bench: str, process: str, mass: float, *, is_same_ratio: bool) -> float:
    """Branching ratio at the value of the coupling, or at the c/f of the code."""
    direction, scanned, value, ratio = _BENCHMARKS[bench]
    low = LowEnergyCouplings.from_scale(direction, scale=_TEV)
    inverse = inverse_decay_constant(jnp.asarray(value), scanned, scale=_TEV)
    rate = inverse**2 * alp_branching_ratio(process, jnp.asarray(mass), low)
    return float(rate) * (ratio**2 if is_same_ratio else 1.0)


def _running_rows() -> list[ValidationRow]:
    values = running_matrix(4e3 * math.pi)[-1]
    row: dict[str, float] = dict(zip(COUPLINGS, values, strict=True))
    numbers = (
        ("gluon", "c_GG", -5.7e-5, 0.10, -6.1e-5),
        ("weak", "c_WW", -2.8e-5, 0.05, -2.8e-5),
        ("top", "c_tt", 1.85e-2, 0.05, 1.9e-2),
        ("hypercharge", "c_BB", -1.69e-7, 0.10, -1.8e-7),
    )
    rows = []
    for name, symbol, code, tolerance, paper in numbers:
        what = f"k_D / (V_ti* V_tj) of {symbol} = 1 at 4 pi TeV"
        for published, source, judged in (
            (code, _CODE, tolerance),
            (paper, "arXiv:2110.10698 as quoted in ALPINIST [unverified]", None),
        ):
            rows.append(
                ValidationRow(
                    target="ALP running",
                    quantity=what,
                    published=published,
                    ours=float(row[name]),
                    tolerance=judged,
                    source=source,
                )
            )
    return rows


def _kaon_rows() -> list[ValidationRow]:
    return [
        ValidationRow(
            target="ALP K+ -> pi+ a",
            quantity=f"{bench} at {mass} GeV, same {'c/f' if is_same else 'coupling'}",
            published=published,
            ours=_ours(bench, "kaon-to-pion", mass, is_same_ratio=is_same),
            tolerance=None if mass in _NEAR_PION else _TOLERANCE[bench],
            is_independent=is_same,
            source=_CODE,
            note=_POLE if mass in _NEAR_PION else "",
        )
        for bench, rates in _KAON.items()
        for is_same in (True, False)
        for mass, published in rates.items()
        if is_same or mass == 0.001
    ]


def _beauty_rows() -> list[ValidationRow]:
    return [
        ValidationRow(
            target="ALP B+ -> K+ a",
            quantity=f"{bench} at 0.3 GeV, same {'c/f' if is_same else 'coupling'}",
            published=published,
            ours=_ours(bench, "b-to-kaon", 0.3, is_same_ratio=is_same),
            tolerance=_TOLERANCE[bench] if is_same else None,
            is_independent=is_same,
            source=_CODE,
            note="" if bench == "BC10" else _LOGARITHM,
        )
        for bench, published in _BEAUTY.items()
        for is_same in (True, False)
    ]


def _lifetime_rows() -> list[ValidationRow]:
    """Gluons alone, over 1/f^2, and photons in copper."""
    widths = load_alp_widths()
    gluon = LowEnergyCouplings(jnp.zeros(12).at[0].set(1.0))
    foresee = {0.01: 4.77001e-6, 0.0302: 1.70288e-7, 0.07943: 7.94882e-9}
    rows = []
    for mass, published in foresee.items():
        by_state = widths.by_final_state(jnp.asarray(mass), gluon)
        total = sum(float(width) for width in by_state.values())
        rows.append(
            ValidationRow(
                target="ALP lifetime",
                quantity=f"c tau at {mass} GeV, g = 1/GeV of G Gdual [m]",
                published=published,
                ours=HBAR_C / total / (2.0 * math.pi**2) ** 2,
                tolerance=0.20,
                is_independent=mass < 0.07,
                source="FORESEE (MIT), ALP-g, c tau [public code]",
                note="from 70 MeV on the code and our table share arXiv:1811.03474",
            )
        )
    rows.append(
        ValidationRow(
            target="Primakoff",
            quantity="absorption of photons in copper [barn]",
            published=6.4,
            ours=photon_absorption_cross_section(),
            tolerance=0.02,
            source="7 A / (9 N_A X_0), PDG radiation length [computed elsewhere]",
        )
    )
    return rows


def axion_like_rows() -> list[ValidationRow]:
    """Running, production and lifetimes of axion-like particles.

    Returns:
        One row by number.
    """
    return _running_rows() + _kaon_rows() + _beauty_rows() + _lifetime_rows()
