"""Limits by mass and lifetime come out again, for any X and any experiment."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.limit_curves import read_lifetime_csv
from bsmfit.channels.search_region import LOG_CLOSED
from bsmfit.core.constants import HBAR, HBAR_C, KAON_CHARGED_MASS
from bsmfit.errors import InputError
from bsmfit.likelihood.effective_count import BackgroundNodes, effective_log_limit
from bsmfit.physics.kaon_to_pion import KAON_TO_PION, relative_momentum

SHARED = Path(__file__).parents[2].parent / "shared/reference/kpix"
# folder, reading, and the lifetime that the reading gives to the curve by mass [ps]
SEARCHES = {
    "na62-pi-mumu": ("NA62_2507.17286_pi_mu_mu", "na62_kpimumu", 0.0),
    "na62-pi-gammagamma": (
        "NA62_2507.17286_pi_gamma_gamma",
        "na62_kpigammagamma",
        0.0,
    ),
    "na48-pi-mumu": ("NA48_1612.04723", "na482_kpimumu", 10.0),
    "e787-pi-gammagamma": ("E787_hep-ex_9708011", "e787_kpigamma", 10.0),
    "e949-pi-invisible": ("E949_0903.0030", "e949_kpiInv", 10000.0),
}


@pytest.fixture(scope="module")
def searches():
    return {name: bsmfit.load_channel(name) for name in SEARCHES}


@pytest.fixture(scope="module")
def limit_of():
    """Limit on the branching ratio, or the product, for a mass and a lifetime."""

    def at(search, mass, lifetime):
        width = HBAR / lifetime
        (region,) = search.regions(search.unit_particle(mass, width))
        log_events, _ = effective_log_limit(
            region.observed,
            BackgroundNodes.known(search.background),
            spread=jnp.asarray(1e-6),
            cl=0.9,
        )
        return jnp.exp(log_events - region.signal[0].log_events)

    return jax.jit(jax.vmap(at, (None, 0, 0)))


@pytest.mark.parametrize("name", SEARCHES)
def test_the_published_limits_for_all_lifetimes_come_out(name, searches, limit_of):
    search = searches[name]
    rows = read_lifetime_csv(data_root() / SEARCHES[name][0] / "limit_by_lifetime.csv")
    low, high = search.mass_range
    kept = (rows.mass >= low) & (rows.mass <= high)
    kept = np.flatnonzero(kept)[::4]
    found = limit_of(
        search, jnp.asarray(rows.mass[kept]), jnp.asarray(rows.lifetime[kept])
    )
    ratio = np.asarray(found) / rows.limit[kept]
    # near zero mass E949's readings lie up to 4 % below that for a stable X
    assert np.median(ratio) == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose(ratio, 1.0, rtol=0.05)
    assert np.mean(abs(ratio - 1.0) < 1e-4) > 0.97


@pytest.mark.skipif(not SHARED.exists(), reason="the reference tables are not shipped")
@pytest.mark.parametrize("name", SEARCHES)
def test_every_row_is_that_of_the_reference_table(name, searches):
    folder, reading, base = SEARCHES[name]
    table = np.loadtxt(
        SHARED / f"alpaca_{reading}_2d.csv", delimiter=",", skiprows=2, comments="#"
    )
    table = table[table[:, 0] > 0.0]
    is_base = table[:, 1] == base
    published = searches[name].published
    np.testing.assert_allclose(published.masses, table[is_base, 0])
    np.testing.assert_allclose(np.exp(published.log_limits), table[is_base, 2])
    rows = read_lifetime_csv(data_root() / folder / "limit_by_lifetime.csv")
    ours = np.stack([rows.mass, 1e12 * rows.lifetime, rows.limit], axis=1)
    rest = table[~is_base]
    rest = rest[np.lexsort((rest[:, 0], rest[:, 1]))]
    np.testing.assert_allclose(ours, rest)


@pytest.mark.parametrize(
    ("name", "mass", "limit", "at_1_ns"),
    [
        ("na62-pi-mumu", 0.250, 1.3e-10, 1.9e-9),
        ("na62-pi-mumu", 0.280, 1.7e-10, 3.3e-9),
        ("na62-pi-mumu", 0.300, 1.4e-10, 2.6e-9),
        ("na62-pi-gammagamma", 0.250, 4.5e-9, None),
        ("na62-pi-gammagamma", 0.340, 3.0e-9, None),
    ],
)
def test_limits_are_near_those_quoted_elsewhere(
    name, mass, limit, at_1_ns, searches, limit_of
):
    """Quoted from the same reading with two digits, at rounded masses."""
    found = limit_of(searches[name], jnp.full(2, mass), jnp.array([1e-18, 1e-9]))
    assert float(found[0]) == pytest.approx(limit, rel=0.1)
    if at_1_ns is not None:
        assert float(found[1]) == pytest.approx(at_1_ns, rel=0.1)


def test_limits_grow_with_the_lifetime_and_in_proportion_at_the_end(searches, limit_of):
    for name in ("na62-pi-mumu", "na62-pi-gammagamma", "na48-pi-mumu"):
        lifetimes = np.geomspace(1e-14, 1e-5, 60)
        found = limit_of(searches[name], jnp.full(60, 0.26), jnp.asarray(lifetimes))
        steps = np.diff(np.log(np.asarray(found))) / np.diff(np.log(lifetimes))
        assert np.all(steps >= -1e-9)
        assert steps[-1] == pytest.approx(1.0, abs=1e-4)
        assert abs(steps[0]) < 1e-6


@pytest.fixture(scope="module")
def log_events():
    """ln of the events of a search for shares of final states, by one program each."""

    @jax.jit
    def at(search, shares, mass, width):
        particle = bsmfit.Mediator(mass, width, shares, {KAON_TO_PION: 1e-9})
        (region,) = search.regions(particle)
        return region.signal[0].log_events

    def of(search, shares, *, mass, width=1e-3):
        full = dict.fromkeys(("ee", "mumu", "gammagamma", "invisible"), 0.0) | shares
        return float(at(search, full, mass, width))

    return of


def test_only_decays_to_the_final_state_count(searches, log_events):
    search = searches["na62-pi-gammagamma"]
    full = log_events(search, {"gammagamma": 1.0}, mass=0.3)
    half = log_events(search, {"gammagamma": 0.5, "ee": 0.5}, mass=0.3)
    assert half - full == pytest.approx(np.log(0.5))
    assert log_events(search, {"ee": 1.0}, mass=0.3) == LOG_CLOSED
    stable = log_events(search, {"gammagamma": 1.0}, mass=0.3, width=0.0)
    assert stable == LOG_CLOSED
    with pytest.raises(
        InputError, match="the model has 'gamma-gamma': call it 'gammag"
    ):
        search.regions(bsmfit.Mediator(0.3, 0.0, {"gamma-gamma": 1.0}, {}))


def test_invisible_decays_are_never_lost(searches, log_events):
    search = searches["e949-pi-invisible"]
    stable = log_events(search, {"ee": 1.0}, mass=0.2, width=0.0)
    width = HBAR / 2e-9
    lost = log_events(search, {"ee": 1.0}, mass=0.2, width=width) - stable
    half = {"ee": 0.5, "invisible": 0.5}
    found = log_events(search, half, mass=0.2, width=width) - stable
    assert lost < -1.0
    assert found == pytest.approx(np.log(0.5 + 0.5 * np.exp(lost)))


def test_gaps_are_closed(searches, log_events):
    search = searches["e949-pi-invisible"]
    for mass, is_open in ((0.001, False), (0.1, True), (0.13, False), (0.2, True)):
        assert bool(search.covers(jnp.array(mass))) == is_open
        found = log_events(search, {"ee": 1.0}, mass=mass, width=0.0)
        assert (found > LOG_CLOSED) == is_open
    with pytest.raises(InputError, match=r"only at 0\.00116162 to 0\.115 and 0\.1511"):
        search.check_unit(0.13, None)


def test_kaons_at_rest_let_x_fly_one_length(searches):
    """E949: one length, that of the detector, for all masses and lifetimes.

    Where a fair share of X decays, so that errors of reading do not matter. Its
    momentum follows from energy and momentum alone.
    """
    search = searches["e949-pi-invisible"]
    lengths = []
    for lifetime in (1e-10, 2e-10, 5e-10, 1e-9, 2e-9, 5e-9):
        for mass in (0.01, 0.025, 0.05, 0.1, 0.17, 0.2, 0.25):
            time = search.flight.flight_time(jnp.array(mass), jnp.log(lifetime))
            if float(time) > lifetime:
                at_mass = relative_momentum(jnp.array(mass))
                momentum = 0.5 * KAON_CHARGED_MASS * float(at_mass)
                lengths.append(float(time) * HBAR_C / HBAR * momentum / mass)
    assert len(lengths) > 15
    assert np.ptp(lengths) / np.mean(lengths) < 0.06
    assert 1.3 < np.mean(lengths) < 1.6


def test_muons_are_lost_as_by_one_length_of_flight(searches):
    """NA62: 1 - exp(-T/tau) with one T holds from 0.1 to 100 ns, to 7 %."""
    search = searches["na62-pi-mumu"]
    for mass in (0.22, 0.24, 0.26, 0.28, 0.3, 0.32):
        times = np.array(
            [
                float(search.flight.flight_time(jnp.array(mass), jnp.log(lifetime)))
                for lifetime in (1e-10, 1e-9, 1e-8, 1e-7)
            ]
        )
        assert np.ptp(times) / times.mean() < 0.07


def test_a_signal_has_slopes_in_mass_coupling_and_lifetime(searches):
    scalar = bsmfit.load_model("dark-scalar")
    search = searches["na62-pi-mumu"]
    low, high = search.mass_range

    def signal(mass, log_coupling):
        (region,) = search.regions(scalar(mass, jnp.exp(log_coupling)))
        return region.signal[0].log_events

    masses = jnp.array([0.2, low - 1e-9, low, 0.25, high, high + 1e-9, 0.36])
    slope = jax.jit(jax.vmap(jax.value_and_grad(signal, (0, 1)), (0, None)))
    for coupling in (1e-10, 1e-6, 1e-2):
        values, slopes = slope(masses, jnp.log(coupling))
        assert np.all(np.isfinite(values))
        assert all(np.all(np.isfinite(one)) for one in slopes)
        assert [bool(v > LOG_CLOSED) for v in values] == [0, 0, 1, 1, 1, 0, 0]
