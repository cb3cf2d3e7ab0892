"""Dark-photon width against the published computation of arXiv:1801.04847.

Comparison values: the authors' public code run at unit mixing [public code, its
hadronic part digitised]. 5 % below 0.9 GeV and 15 % up to 1.5 GeV; 25 MeV around the
omega and 15 MeV around the phi, where digitised widths say little, are left out.
The table in data/hadrons shares digitised ancestors with these values above 1.08 GeV,
so the agreement there checks the transcription, not the physics.
"""

from __future__ import annotations

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.core.constants import HBAR_C, OMEGA_MASS, PHI_MASS
from bsmfit.physics.dark_photon_width import branching_ratios, total_width
from bsmfit.physics.hadronic_ratio import HadronicRatio

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "data" / "hadrons" / "exclusive_ratios.csv"
REFERENCE = ROOT.parent / "shared" / "reference"

pytestmark = pytest.mark.validation

# mass [GeV], c tau epsilon^2 [m], BR(ee), BR(mumu), BR(hadrons), tolerance
PUBLISHED = [
    (0.01, 8.1126e-12, 1.0, 0.0, 0.0, 1e-4),
    (0.25, 1.8809e-13, 0.5796, 0.4204, 0.0, 1e-3),
    (0.5, 6.510e-14, 0.4013, 0.3961, 0.2026, 0.05),
    (0.7, 1.674e-14, 0.1445, 0.1440, 0.7115, 0.05),
    (0.9, 2.356e-14, 0.2614, 0.2611, 0.4776, 0.05),
    (1.5, 1.276e-14, 0.2359, 0.2358, 0.5283, 0.15),
]
# The same from two other programs (MIT, BSD-3): spread of the field.
OTHER = [
    (0.5, 6.547e-14),
    (0.5, 6.510e-14),
    (0.7, 1.707e-14),
    (0.7, 1.674e-14),
    (0.9, 2.413e-14),
    (0.9, 2.372e-14),
]


def _rows(path: Path) -> list[dict[str, str]]:
    lines = path.read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.fixture(scope="module")
def ratio() -> HadronicRatio:
    rows = _rows(TABLE)
    return HadronicRatio.from_table(
        {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    )


def _decay_length(mass: float, ratio: HadronicRatio) -> float:
    width = total_width(jnp.array(mass), jnp.array(1.0), hadronic_ratio=ratio)
    return HBAR_C / float(width)


@pytest.mark.parametrize(
    ("mass", "length", "ee", "mumu", "had", "tolerance"), PUBLISHED
)
def test_decay_length_and_branching_ratios_are_reproduced(
    ratio: HadronicRatio,
    mass: float,
    length: float,
    ee: float,
    mumu: float,
    had: float,
    tolerance: float,
) -> None:
    assert _decay_length(mass, ratio) == pytest.approx(length, rel=tolerance)
    fractions = branching_ratios(jnp.array(mass), hadronic_ratio=ratio)
    values = [float(fractions[name]) for name in ("ee", "mumu", "hadrons")]
    np.testing.assert_allclose(values, (ee, mumu, had), rtol=tolerance, atol=1e-4)


@pytest.mark.parametrize(("mass", "length"), OTHER)
def test_decay_length_lies_within_the_spread_of_other_programs(
    ratio: HadronicRatio, mass: float, length: float
) -> None:
    assert _decay_length(mass, ratio) == pytest.approx(length, rel=0.05)


@pytest.mark.parametrize(
    ("low", "high", "tolerance"),
    [(0.0015, 0.27, 1e-3), (0.27, 0.9, 0.05), (0.9, 1.5, 0.15)],
)
def test_width_follows_the_reference_table(
    ratio: HadronicRatio, low: float, high: float, tolerance: float
) -> None:
    path = REFERENCE / "theory" / "dp_widths_br_darkcast.csv"
    if not path.exists():
        pytest.skip("reference table not on this machine")
    rows = _rows(path)
    mass = np.array([float(row["m_GeV"]) for row in rows])
    expected = np.array([float(row["Gamma_total"]) for row in rows])
    keep = (mass >= low) & (mass <= high)
    keep &= (abs(mass - OMEGA_MASS) > 0.025) & (abs(mass - PHI_MASS) > 0.015)
    width = jax.vmap(lambda m: total_width(m, jnp.ones_like(m), hadronic_ratio=ratio))(
        jnp.asarray(mass[keep])
    )
    np.testing.assert_allclose(np.asarray(width), expected[keep], rtol=tolerance)
