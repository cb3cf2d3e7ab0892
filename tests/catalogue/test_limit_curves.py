"""Readers of published limits: interpolation, gaps, and messages for faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsmfit.catalogue.limit_curves import (
    LimitCurve,
    limit_at,
    read_lifetime_csv,
    read_limit_csv,
    read_scalar_edge_csv,
)
from bsmfit.errors import DataFileError

STABLE = """# made up
mass_gev,branching_ratio_limit,segment,provenance
0,1e-11,low,published
0.1,1e-9,low,digitised
0.2,1e-10,high,derived
0.25,1e-10,high,digitised
"""
LIFETIME = """mass_gev,lifetime_ps,branching_ratio_limit
0.01,100,3e-10
0.02,100,4e-10
0.01,500,2e-10
"""
EDGE = """mass_gev,mixing_squared,segment
0.01,3e-8,low
0.02,2e-8,low
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text)
    return path


def test_curve_has_the_numbers_and_the_segments_of_the_file(tmp_path) -> None:
    curve = read_limit_csv(write(tmp_path, STABLE))
    assert curve.mass.tolist() == [0.0, 0.1, 0.2, 0.25]
    assert curve.limit.tolist() == [1e-11, 1e-9, 1e-10, 1e-10]
    assert curve.segments == ((0.0, 0.1), (0.2, 0.25))
    assert curve.provenance == ("published", "digitised", "derived", "digitised")


def test_limit_is_geometric_mean_halfway_and_nan_in_gap_and_beyond(tmp_path) -> None:
    curve = read_limit_csv(write(tmp_path, STABLE))
    at = limit_at(curve, np.array([0.05, 0.1, 0.15, 0.2, 0.3]))
    np.testing.assert_allclose(at, [1e-10, 1e-9, np.nan, 1e-10, np.nan], rtol=1e-12)
    assert np.isnan(limit_at(curve, np.array(-0.01)))


@settings(deadline=None)
@given(
    steps=st.lists(st.floats(1e-4, 1e-2), min_size=2, max_size=20),
    slope=st.floats(-50.0, 50.0),
    position=st.floats(0.0, 1.0),
)
def test_exponential_curve_is_interpolated_exactly(steps, slope, position) -> None:
    mass = np.cumsum(np.array(steps))
    ends = (float(mass[0]), float(mass[-1]))
    limit = 1e-11 * np.exp(slope * mass)
    curve = LimitCurve(mass, limit, (ends,), ("assumed",) * mass.size)
    point = min(max(ends[0] + position * (ends[1] - ends[0]), ends[0]), ends[1])
    expected = 1e-11 * np.exp(slope * point)
    assert limit_at(curve, np.array(point)) == pytest.approx(expected, rel=1e-10)


def test_lifetimes_come_in_seconds(tmp_path) -> None:
    limits = read_lifetime_csv(write(tmp_path, LIFETIME))
    np.testing.assert_allclose(limits.lifetime, [1e-10, 1e-10, 5e-10], rtol=1e-15)
    assert limits.mass.tolist() == [0.01, 0.02, 0.01]
    assert limits.limit.tolist() == [3e-10, 4e-10, 2e-10]


def test_scalar_edge_has_its_numbers(tmp_path) -> None:
    edge = read_scalar_edge_csv(write(tmp_path, EDGE))
    assert edge.mixing_squared.tolist() == [3e-8, 2e-8]
    assert edge.segments == ((0.01, 0.02),)


FAULTS = {
    "disorder": (
        read_limit_csv,
        STABLE.replace("0.25,", "0.15,"),
        "t.csv: mass_gev must rise, but 0.15 comes after 0.2",
    ),
    "mass twice": (
        read_limit_csv,
        STABLE.replace("0.25,", "0.2,"),
        "mass_gev must rise, but 0.2 comes after 0.2",
    ),
    "zero limit": (
        read_limit_csv,
        STABLE.replace("0.1,1e-9", "0.1,0"),
        "branching_ratio_limit is 0 in row 2 of the table but must be > 0",
    ),
    "negative mass": (
        read_limit_csv,
        STABLE.replace("0,1e-11", "-0.1,1e-11"),
        "t.csv:3:1: mass_gev is -0.1 but must be >= 0",
    ),
    "nan": (
        read_limit_csv,
        STABLE.replace("0.1,1e-9", "0.1,nan"),
        "branching_ratio_limit is nan but must be a finite number",
    ),
    "segment comes back": (
        read_limit_csv,
        STABLE.replace("0.25,1e-10,high", "0.25,1e-10,low"),
        "the segment 'low' begins twice",
    ),
    "provenance": (
        read_limit_csv,
        STABLE.replace("derived", "deriveed"),
        "unknown provenance 'deriveed'; did you mean 'derived'?",
    ),
    "column": (
        read_limit_csv,
        STABLE.replace("mass_gev", "mass_mev"),
        "unknown column 'mass_mev'; did you mean 'mass_gev'?",
    ),
    "lifetimes in disorder": (
        read_lifetime_csv,
        LIFETIME.replace("500", "50"),
        "but 0.01 GeV at 50 ps comes after 0.02 GeV at 100 ps",
    ),
    "masses of a lifetime in disorder": (
        read_lifetime_csv,
        LIFETIME.replace("0.02,100", "0.01,100"),
        "mass_gev rise for each lifetime",
    ),
    "zero lifetime": (
        read_lifetime_csv,
        LIFETIME.replace("500", "0"),
        "lifetime_ps is 0 in row 3 of the table but must be > 0",
    ),
    "negative mixing": (
        read_scalar_edge_csv,
        EDGE.replace("3e-8", "-3e-8"),
        "mixing_squared is -3e-08 in row 1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_named(fault, tmp_path) -> None:
    reader, text, expected = fault
    with pytest.raises(DataFileError) as caught:
        reader(write(tmp_path, text))
    assert expected in str(caught.value)
