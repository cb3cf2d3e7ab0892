"""Shipped searches for K+ -> pi+ X: backgrounds, tables, and what is refused."""

from __future__ import annotations

import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

import bsmfit
from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.pi_invisible import background_density
from bsmfit.catalogue.records import read_pi_invisible_record
from bsmfit.catalogue.tables.metadata import read_metadata
from bsmfit.catalogue.tables.pi_invisible_build import table_inputs
from bsmfit.catalogue.tables.table_files import read_invisible_table, table_path
from bsmfit.errors import DataFileError

RUN1 = "na62-pi-invisible-run1"
NAMES = (
    RUN1,
    "na62-pi-invisible-2017",
    "na62-pi-invisible-2016-2022",
    "na62-pi0-invisible",
    "na62-pi-invisible-run1-count",
    "na62-pi-invisible-2016-2022-count",
)


@pytest.fixture
def folder(tmp_path):
    """A user's own copy of the record of Run 1 with its table and limit."""
    copied = tmp_path / "mine"
    shutil.copytree(data_root() / "NA62_2103.15389", copied)
    return copied


def rewrite(folder, old, new):
    path = folder / "record.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def test_own_copy_is_the_shipped_search(folder):
    own = bsmfit.load_channel(folder / "record.yaml")
    shipped = bsmfit.load_channel(RUN1)
    mass = jnp.array(0.2)
    assert float(own.log_sensitivity(mass)) == float(shipped.log_sensitivity(mass))
    assert float(own.background(mass)) == float(shipped.background(mass))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{low: 15.0, high: 45.0, unit: GeV", "{low: 15.0, high: 40.0, unit: GeV"),
        ("{value: 7.58, unit: events", "{value: 7.6, unit: events"),
    ],
    ids=["window", "weight"],
)
def test_table_of_another_selection_is_refused(folder, old, new):
    path = rewrite(folder, old, new)
    with pytest.raises(DataFileError, match="was made with another samples") as caught:
        bsmfit.load_channel(path)
    assert "bsmfit tables build --channel" in str(caught.value)


def test_missing_table_is_refused_with_the_command_that_makes_it(folder):
    (folder / "forward.npz").unlink()
    with pytest.raises(DataFileError, match="no such table; make it with `bsmfit"):
        bsmfit.load_channel(folder / "record.yaml")


def test_limit_that_does_not_cover_a_segment_is_refused(folder):
    path = rewrite(folder, "{low: 0.154, high: 0.2595}", "{low: 0.15, high: 0.2595}")
    with pytest.raises(DataFileError, match=r"covers the segment 0\.15 to 0\.2595 GeV"):
        bsmfit.load_channel(path)


def test_sources_of_a_number_do_not_make_a_table_stale(folder):
    old = "recalled from the publications; fits the published range of m_X"
    assert bsmfit.load_channel(rewrite(folder, old, "another source")).name == RUN1


@pytest.mark.parametrize("name", NAMES)
def test_tables_state_the_inputs_of_their_records(name):
    made = read_metadata(table_path("forward", name))["inputs"]
    assert made == table_inputs(name)


def test_density_of_the_background_sums_to_the_events_of_the_record():
    record = read_pi_invisible_record(RUN1)
    table = read_invisible_table(table_path("forward", RUN1))
    squared_mass, density = background_density(record, table)
    total = record.neutrino_events.value + record.background.value
    assert total == pytest.approx(17.04)
    assert np.trapezoid(density, squared_mass) == pytest.approx(total, rel=2e-3)
    gap = (squared_mass > 0.0101) & (squared_mass < 0.0259)
    assert np.all(density[gap] == 0.0)


@pytest.fixture(scope="module")
def run1():
    """Search, grid and density of the background, and the table."""
    record = read_pi_invisible_record(RUN1)
    table = read_invisible_table(table_path("forward", RUN1))
    return bsmfit.load_channel(RUN1), background_density(record, table), table


@pytest.mark.parametrize("mass", [0.06, 0.08, 0.18, 0.2, 0.22])
def test_background_far_from_the_edges_is_that_of_a_window_of_the_peak(run1, mass):
    r"""$2\sqrt\pi\,\sigma\rho$, with the density at the mass."""
    channel, density, _ = run1
    sigma = float(channel.resolution(jnp.array(mass)))
    expected = 2.0 * np.sqrt(np.pi) * sigma * np.interp(mass**2, *density)
    found = float(channel.background(jnp.array(mass)))
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("mass", [0.0, 0.098, 0.162, 0.258])
def test_background_near_an_edge_is_that_of_the_rest_of_the_peak(run1, mass):
    """Share of the Gaussian inside by the error function, information by quad."""
    channel, density, table = run1
    sigma = float(table.resolution[np.argmin(np.abs(table.masses - mass))])
    share, information = 0.0, 0.0
    for low, high in ((0.0, 0.01), (0.026, 0.068)):
        ends = (np.array([low, high]) - mass**2) / (np.sqrt(2.0) * sigma)
        share += 0.5 * np.diff(special.erf(ends))[0]
        near = np.clip(mass**2 + sigma * np.array([-6.0, 6.0]), low, high)

        def integrand(x):
            peak = np.exp(-0.5 * ((x - mass**2) / sigma) ** 2)
            return (peak / np.sqrt(2 * np.pi) / sigma) ** 2 / np.interp(x, *density)

        information += integrate.quad(integrand, near[0] + 1e-9, near[1] - 1e-9)[0]
    found = float(channel.background(jnp.array(mass)))
    assert found == pytest.approx(share**2 / information, rel=0.01)


def test_counted_search_has_the_background_of_the_whole_region():
    channel = bsmfit.load_channel("na62-pi-invisible-run1-count")
    for mass in (0.01, 0.1, 0.2):
        assert float(channel.background(jnp.array(mass))) == pytest.approx(17.04)


def test_sensitivity_at_the_reference_mass_is_that_of_the_record():
    channel = bsmfit.load_channel("na62-pi0-invisible")
    found = float(jnp.exp(channel.log_sensitivity(jnp.array(0.1349768))))
    assert found == pytest.approx(0.2067 / 4.0e9, rel=2e-3)


@pytest.mark.parametrize(
    ("mass", "ratio"), [(0.06, 0.95), (0.08, 0.97), (0.2, 1.9), (0.23, 2.1)]
)
def test_acceptance_ratio_is_near_those_of_two_independent_simulations(
    run1, mass, ratio
):
    """Toys without the detectors behind the straws; they differ by 5 to 10 %."""
    channel = run1[0]
    found = float(jnp.exp(channel.log_acceptance_ratio(jnp.array(mass))))
    assert found == pytest.approx(ratio, rel=0.12)


@pytest.mark.parametrize("name", NAMES[:3])
def test_density_of_neutrinos_sums_to_one_event(name):
    """But for what is lost at negative squared masses, 1 %."""
    table = read_invisible_table(table_path("forward", name))
    total = 0.0
    for region in read_pi_invisible_record(name).samples[0].regions:
        low = region.missing_mass_squared.low
        high = region.missing_mass_squared.high
        inside = (table.masses**2 >= low) & (table.masses**2 <= high)
        nodes, values = table.masses[inside] ** 2, table.neutrino_density[inside]
        total += np.trapezoid(values, nodes)
        total += values[0] * (nodes[0] - low) + values[-1] * (high - nodes[-1])
    lost = table.neutrino_density[0] * table.resolution[0] / np.sqrt(2.0 * np.pi)
    assert total - lost == pytest.approx(1.0, abs=0.015)
