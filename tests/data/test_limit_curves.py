"""The shipped limits on K+ -> pi+ X: sizes, gaps, and numbers read independently.

The numbers compared with are a table of limits at round masses that was made from the
same readings by other hands, with two or three digits; PDG statements; and the relation
between the limit and the edge of the dark scalar, which are two independent files.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.limit_curves import (
    limit_at,
    read_lifetime_csv,
    read_limit_csv,
    read_scalar_edge_csv,
)

DATA_2017, RUN_1, DATA_2022, PI0 = (
    data_root() / f"NA62_{arxiv}"
    for arxiv in ("2011.11329", "2103.15389", "2507.17286", "2010.07644")
)
FOLDERS = (DATA_2017, RUN_1, DATA_2022, PI0)
WITH_LIFETIME = (DATA_2017, RUN_1, DATA_2022)

# mass [MeV]: limits of 2017, 2016-18, 2016-22. nan: beyond the reading, not compared.
STABLE = {
    0: (2.1e-10, np.nan, 2.91e-11),
    10: (1.9e-10, 4.52e-11, 2.64e-11),
    20: (1.6e-10, 3.98e-11, 2.14e-11),
    30: (1.3e-10, 3.31e-11, 2.41e-11),
    40: (9.6e-11, 2.44e-11, 1.91e-11),
    50: (7.9e-11, 2.53e-11, 1.62e-11),
    60: (7.1e-11, 2.15e-11, 2.11e-11),
    70: (6.7e-11, 2.57e-11, 2.51e-11),
    80: (5.9e-11, 2.64e-11, 1.43e-11),
    90: (6.0e-11, 4.08e-11, 1.62e-11),
    100: (1.0e-10, 7.48e-11, 4.19e-11),
    110: (np.nan, 5.72e-10, np.nan),
    155: (1.8e-9, 2.15e-10, 2.16e-10),
    160: (1.8e-10, 3.33e-11, 2.44e-11),
    170: (5.2e-11, 1.57e-11, 1.51e-11),
    180: (4.3e-11, 2.36e-11, 1.0e-11),
    190: (5.0e-11, 1.88e-11, 6.7e-12),
    200: (5.6e-11, 1.03e-11, 8.27e-12),
    210: (4.5e-11, 9.01e-12, 4.36e-12),
    220: (4.4e-11, 1.08e-11, 5.96e-12),
    230: (4.9e-11, 1.44e-11, 5.39e-12),
    240: (5.2e-11, 2.0e-11, 8.92e-12),
    250: (7.5e-11, 1.36e-11, 1.1e-11),
    260: (1.1e-10, np.nan, np.nan),
}
# mass [MeV]: limit over that for a stable X, 2016-18, at 100 ps, 500 ps, 2 ns, 5 ns
LIFETIME_RATIOS = {
    50: (39.9, 2.43, 1.26, 1.10),
    70: (150.0, 3.38, 1.40, 1.15),
    90: (527.0, 4.72, 1.56, 1.20),
    170: (np.nan, 15.6, 2.20, 1.39),
    210: (np.nan, 27.6, 2.56, 1.48),
    250: (np.nan, 42.3, 2.84, 1.55),
}


@pytest.mark.parametrize("column", range(3), ids=("2017", "2016-18", "2016-22"))
def test_limits_are_those_of_the_table(column) -> None:
    curve = read_limit_csv(WITH_LIFETIME[column] / "limit_stable.csv")
    expected = np.array([values[column] for values in STABLE.values()])
    ours = limit_at(curve, 1e-3 * np.array(list(STABLE), dtype=np.float64))
    rounding = (
        0.05 if column == 0 else 0.012
    )  # half of the last of two digits, or three
    is_known = np.isfinite(expected)
    np.testing.assert_allclose(ours[is_known], expected[is_known], rtol=rounding)


def test_nothing_is_held_beyond_the_ends_of_a_reading() -> None:
    for folder, mass in (
        (DATA_2017, (0.110, 0.154)),
        (RUN_1, (0.260,)),
        (DATA_2022, (0.110, 0.154, 0.260)),
        (PI0, (0.1095, 0.156)),
    ):
        curve = read_limit_csv(folder / "limit_stable.csv")
        assert np.isnan(limit_at(curve, np.array(mass))).all()


def test_sizes_are_those_of_the_readings() -> None:
    sizes = [read_limit_csv(f / "limit_stable.csv").mass.size for f in FOLDERS]
    # Readings of 191, 462, 193 and 199 masses: 462 thinned to 121 (and one added at
    # zero mass), two replaced, six left out and an end added.
    assert sizes == [191, 122, 193, 194]
    sizes = [
        np.unique(limits.lifetime, return_counts=True)[1].tolist()
        for limits in (
            read_lifetime_csv(folder / "limit_by_lifetime.csv")
            for folder in WITH_LIFETIME
        )
    ]
    # multiples of 10 MeV, from 10 to 100 and from 160 to 250 or 260, where a reading is
    assert sizes == [[3, 8, 16, 21, 21, 21], [9, 20, 20, 20], [10, 20, 20, 20, 20, 20]]


@pytest.mark.parametrize("folder", WITH_LIFETIME, ids=lambda folder: folder.name)
def test_gap_around_the_pi0_is_empty_and_stays_a_gap(folder) -> None:
    curve = read_limit_csv(folder / "limit_stable.csv")
    assert len(curve.segments) == 2
    assert not np.any((curve.mass > 0.110) & (curve.mass < 0.154))
    assert np.isnan(limit_at(curve, np.linspace(0.1101, 0.1539, 50))).all()
    mass = read_lifetime_csv(folder / "limit_by_lifetime.csv").mass
    assert not np.any((mass > 0.105) & (mass < 0.155))


def test_points_known_from_hepdata_are_exact_and_called_published() -> None:
    curve = read_limit_csv(DATA_2022 / "limit_stable.csv")
    # HEPData 10.17182/hepdata.160245, table 3
    assert curve.mass[:2].tolist() == [0.0, 0.0014]
    assert curve.limit[:2].tolist() == [2.912e-11, 2.975e-11]
    assert curve.provenance[:2] == ("published", "published")
    assert set(curve.provenance[2:]) == {"digitised"}


@pytest.mark.parametrize(
    ("folder", "low", "high", "best"),
    [
        # PDG: best limits at 160-250, 160-260, up to 260 and 130-140 MeV, one digit
        (DATA_2017, 0.160, 0.250, 5e-11),
        (RUN_1, 0.160, 0.260, 1e-11),
        (DATA_2022, 0.0, 0.260, 5e-12),
        (PI0, 0.130, 0.140, 9e-10),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_best_limit_is_that_of_the_pdg(folder, low, high, best) -> None:
    curve = read_limit_csv(folder / "limit_stable.csv")
    inside = curve.limit[(curve.mass >= low) & (curve.mass <= high)]
    assert 0.8 * best < inside.min() < 1.05 * best


def test_pi0_region_is_that_of_the_table() -> None:
    curve = read_limit_csv(PI0 / "limit_stable.csv")
    assert curve.segments == ((0.11, 0.155),)
    mass = np.array([0.115, 0.120, 0.125, 0.130, 0.135, 0.140, 0.145, 0.150, 0.155])
    limit = [1.8e-8, 2.9e-9, 1.2e-9, 9.3e-10, 9.3e-10, 9.8e-10, 1.7e-9, 1.4e-8, 7.0e-7]
    # the table has the nearest point of a reading that goes in steps
    np.testing.assert_allclose(limit_at(curve, mass), limit, rtol=0.08)
    assert curve.limit[0] == pytest.approx(2.5e-7, rel=0.08)


def test_lifetime_weakens_the_limit_as_in_the_table() -> None:
    stable = read_limit_csv(RUN_1 / "limit_stable.csv")
    limits = read_lifetime_csv(RUN_1 / "limit_by_lifetime.csv")
    for mass_mev, expected in LIFETIME_RATIOS.items():
        at_mass = np.isclose(limits.mass, 1e-3 * mass_mev)
        ratio = limits.limit[at_mass] / limit_at(stable, limits.mass[at_mass])
        known = [value for value in expected if not np.isnan(value)]
        np.testing.assert_allclose(ratio, known, rtol=0.015)


@pytest.mark.parametrize("folder", WITH_LIFETIME, ids=lambda folder: folder.name)
def test_limit_falls_with_the_lifetime_and_none_is_at_the_end_of_a_figure(
    folder,
) -> None:
    limits = read_lifetime_csv(folder / "limit_by_lifetime.csv")
    assert np.all(limits.limit < 4e-8)
    for mass in np.unique(limits.mass):
        falling = limits.limit[limits.mass == mass]
        # rows of 2016-22 wobble by 15 % where the lifetime hardly matters
        assert np.all(np.diff(falling) < 0.15 * falling[1:])
        assert falling[0] > falling[-1]


def test_scalar_edge_has_the_published_digits() -> None:
    edge = read_scalar_edge_csv(RUN_1 / "scalar_edge.csv")
    assert edge.mass.size == 12 + 54
    assert edge.segments == ((1e-5, 0.11), (0.154, 0.26))
    np.testing.assert_allclose(np.diff(edge.mass[12:]), 0.002, rtol=1e-9)
    region_1 = [3.594e-8, 3.293e-8, 2.874e-8, 2.383e-8, 1.768e-8, 1.836e-8, 1.576e-8]
    region_1 += [1.902e-8, 1.964e-8, 3.071e-8, 5.568e-8, 4.412e-7]
    assert edge.mixing_squared[:12].tolist() == region_1
    for mass, expected in {
        0.154: 2.443e-7,
        0.160: 2.866e-8,
        0.170: 1.347e-8,
        0.180: 2.023e-8,
        0.190: 1.735e-8,
        0.200: 9.582e-9,
        0.202: 8.385e-9,
        0.210: 8.559e-9,
        0.220: 1.080e-8,
        0.230: 1.673e-8,
        0.240: 3.162e-8,
        0.250: 1.795e-8,
        0.260: 3.659e-8,
    }.items():
        at = np.argmin(np.abs(edge.mass - mass))
        assert edge.mixing_squared[at] == expected
    assert edge.mixing_squared.min() == 8.385e-9


def test_limit_and_scalar_edge_differ_by_the_momentum_of_the_scalar() -> None:
    # BR(K+ -> pi+ S) is sin^2(theta) times the momentum of S times a constant; the
    # constant is not tested. Two files of different origin.
    curve = read_limit_csv(RUN_1 / "limit_stable.csv")
    edge = read_scalar_edge_csv(RUN_1 / "scalar_edge.csv")
    kaon, pion = 0.493677, 0.139570
    s = edge.mass
    momentum = np.sqrt((kaon**2 - (pion + s) ** 2) * (kaon**2 - (pion - s) ** 2))
    constant = limit_at(curve, s) / edge.mixing_squared / momentum
    low = constant[(s > 0.015) & (s < 0.115)]
    high = constant[(s > 0.165) & (s < 0.2105)]
    assert low.size == 10
    assert high.size == 23
    np.testing.assert_allclose(low / low.mean(), 1.0, atol=0.025)
    np.testing.assert_allclose(high / low.mean(), 1.0, atol=0.045)


def test_limit_at_zero_mass_is_reconstructed_from_the_scalar_edge_and_says_so() -> None:
    curve = read_limit_csv(RUN_1 / "limit_stable.csv")
    edge = read_scalar_edge_csv(RUN_1 / "scalar_edge.csv")
    # massless S: 2 p / m_K = 1 - (m_pi / m_K)^2; 1.51e-3 from 20 to 110 MeV
    momentum = 1.0 - (0.139570 / 0.493677) ** 2
    expected = 1.51e-3 * momentum * edge.mixing_squared[0]
    assert curve.mass[0] == 0.0
    assert curve.limit[0] == pytest.approx(expected, rel=5e-4)
    assert curve.provenance[0] == "reconstructed"
    assert curve.provenance.count("reconstructed") == 1


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_files_say_where_their_numbers_come_from(folder) -> None:
    known = set(re.findall(r"^@\w+\{([^,]+),", (folder / "refs.bib").read_text(), re.M))
    assert known == {folder.name.replace("_", "-", 1)}
    for path in folder.glob("*.csv"):
        text = path.read_text()
        assert f"# texkey: {next(iter(known))}" in text
        for word in ("# units:", "# provenance:", "# licence:"):
            assert word in text
        assert f"`{path.name}`" in (folder / "README.md").read_text()
