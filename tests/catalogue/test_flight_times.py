"""Flight times from limits by lifetime: found again, filled, and refused."""

from __future__ import annotations

import numpy as np
import pytest

from bsmfit.catalogue.kinds.flight_times import read_flight_times
from bsmfit.errors import DataFileError

MASSES = np.array([0.2, 0.25, 0.3])
LIMITS = np.array([1e-10, 3e-10, 2e-10])
HEAD = "mass_gev,lifetime_ps,branching_ratio_limit\n"


def written(tmp_path, rows):
    path = tmp_path / "limit_by_lifetime.csv"
    path.write_text(HEAD + "".join(f"{m},{t},{u:.12g}\n" for m, t, u in rows))
    return path


def rows_of(share, *, skip=()):
    return [
        (mass, tau, limit / share(tau))
        for tau in (100, 1000)
        for mass, limit in zip(MASSES, LIMITS, strict=True)
        if (mass, tau) not in skip
    ]


def decayed(tau):
    return -np.expm1(-160.0 / tau)


def survived(tau):
    return np.exp(-160.0 / tau)


@pytest.mark.parametrize(("share", "sees_decays"), [(decayed, True), (survived, False)])
def test_the_flight_time_that_made_limits_is_found(tmp_path, share, sees_decays):
    path = written(tmp_path, rows_of(share))
    found = read_flight_times(path, MASSES, LIMITS, sees_decays=sees_decays)
    np.testing.assert_allclose(found.times, 160e-12, rtol=1e-8)
    np.testing.assert_allclose(np.exp(found.log_lifetimes), [1e-10, 1e-9])


def test_holes_take_the_next_longer_lifetime_and_else_the_next_shorter(tmp_path):
    rows = rows_of(survived, skip={(0.3, 100), (0.2, 1000)})
    path = written(tmp_path, rows)
    found = read_flight_times(path, MASSES, LIMITS, sees_decays=False)
    np.testing.assert_allclose(found.times, 160e-12, rtol=1e-8)


def test_errors_of_reading_are_no_flight(tmp_path):
    path = written(
        tmp_path, [(m, 100, 0.97 * u) for m, u in zip(MASSES, LIMITS, strict=True)]
    )
    found = read_flight_times(path, MASSES, LIMITS, sees_decays=False)
    assert np.all(np.asarray(found.times) <= 1e-15)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [(m, 100, 0.5 * u) for m, u in zip(MASSES, LIMITS, strict=True)],
            ["GeV the limit for 100 ps is 0.5 times", "only weakens"],
        ),
        (
            [(0.2, 100, 2e-10), (0.25, 100, 6e-10)],
            ["no limit", "0.3 GeV", "0.2 to 0.25"],
        ),
        ([(0.25, 100, 6e-10), (0.2, 100, 2e-10)], ["lifetime_ps must rise"]),
        ([(0.2, 0, 1e-10)], ["lifetime_ps is 0", "> 0"]),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, rows, words):
    path = written(tmp_path, rows)
    with pytest.raises(DataFileError) as caught:
        read_flight_times(path, MASSES, LIMITS, sees_decays=True)
    for word in ("limit_by_lifetime.csv", *words):
        assert word in str(caught.value)
