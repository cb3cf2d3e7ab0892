"""Maps of searches for K+ -> pi+ X: gaps, combinations, two-sided exclusion."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

import bsmfit
from bsmfit.channels.pi_invisible import PROCESS
from bsmfit.channels.search_region import LARGEST_SPREAD
from bsmfit.core.constants import (
    HBAR,
    HBAR_C,
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.errors import BsmfitError, InputError
from bsmfit.physics.mediator import Mediator
from bsmfit.scan.contour import coupling_edges, excluded_polygons
from bsmfit.scan.runner import Status, run_plane

RUN1, PI0 = "na62-pi-invisible-run1", "na62-pi0-invisible"
MK, MP = KAON_CHARGED_MASS, PION_CHARGED_MASS
LIFETIME = 2e-9
BRANCHING_RATIO_MASSES = np.array([0.05, 0.08, 0.13, 0.1545, 0.2, 0.258, 0.27, 0.36])
SCALAR_MASSES = np.array([0.05, 0.1, 0.13, 0.2, 0.23, 0.25, 0.28, 0.34])
RATIOS = np.geomspace(1e-12, 1e-6, 40)
MIXINGS = np.geomspace(1e-10, 1e-2, 161)


@pytest.fixture(scope="module")
def channels():
    return {name: bsmfit.load_channel(name) for name in (RUN1, PI0)}


@pytest.fixture(scope="module")
def branching_ratio_maps(channels):
    """A model whose coupling is the branching ratio; stable below 0.1 GeV, else 2 ns.

    Returns:
        The maps of each search and of both, and how often the model was traced.
    """
    n_traces = 0

    def model(mass, coupling):
        nonlocal n_traces
        n_traces += 1
        width = jnp.where(mass < 0.1, 0.0, HBAR / LIFETIME)
        return Mediator(
            mass, width, {"visible": jnp.ones_like(mass)}, {PROCESS: coupling}
        )

    own = bsmfit.Model(model, name="branching-ratio", coupling="ratio")
    planes = {}
    for names in ((RUN1,), (PI0,), (RUN1, PI0)):
        point = bsmfit.ExclusionPoint.from_model(own, [channels[n] for n in names])
        if len(names) == 1:
            # fewer counts than needed for the tails of the expected limits
            kernel = dataclasses.replace(point.kernel, n_max=20)
            point = dataclasses.replace(point, kernel=kernel)
        planes[names] = run_plane(
            point, BRANCHING_RATIO_MASSES, coupling=RATIOS, chunk_points=80
        )
    return planes, n_traces


@pytest.fixture(scope="module")
def scalar_map(channels):
    return bsmfit.scan_plane(
        bsmfit.load_model("dark-scalar"),
        channels[RUN1],
        mass=SCALAR_MASSES,
        coupling=MIXINGS,
    )


def marginal_limit(n, b, spread):
    """Limit of a count by scipy, the signal's factor averaged over by 60 nodes."""
    theta, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()

    def cls(log_signal):
        rate = np.exp(log_signal + spread * theta) + b
        return weight @ special.gammaincc(n + 1, rate) / special.gammaincc(n + 1, b)

    return np.exp(optimize.brentq(lambda x: cls(x) - 0.1, -3.0, 8.0, xtol=1e-13))


def count_of(channel, mass):
    """Count that makes the published limit, and the factor where none does."""
    at = jnp.array(mass)
    target = float(jnp.exp(channel.published(at) - channel.log_sensitivity(at)))
    b, own = float(channel.background(at)), np.log(1.12)
    floor = marginal_limit(0.0, b, own)
    if target <= floor:
        return 0.0, floor / target
    found = optimize.brentq(lambda n: marginal_limit(n, b, own) - target, 0.0, 40.0)
    return found, 1.0


def row_of(plane, mass):
    """The fields of a plane at one mass."""
    place = int(np.flatnonzero(mass == BRANCHING_RATIO_MASSES)[0])
    return {name: values[place] for name, values in plane.items()}


def limit_of(plane, mass):
    """Branching ratio at which the signal of a map is at its limit."""
    row = row_of(plane, mass)
    ratio = row["n_up_obs"] / row["n_signal"] * RATIOS
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    return ratio[0]


@pytest.mark.parametrize("mass", [0.05, 0.08])
def test_stable_x_has_the_published_limit(branching_ratio_maps, channels, mass):
    published = float(jnp.exp(channels[RUN1].published(jnp.array(mass))))
    found = limit_of(branching_ratio_maps[0][RUN1,], mass)
    assert found == pytest.approx(published, rel=1e-4)


@pytest.mark.parametrize(("name", "mass"), [(PI0, 0.13), (RUN1, 0.2), (RUN1, 0.258)])
def test_a_lifetime_loosens_the_limit(branching_ratio_maps, channels, name, mass):
    """Published limit over the escape, loosened by the error of the veto's end."""
    channel = channels[name]
    at = jnp.array(mass)
    log_escape, slope = channel.escape(at, jnp.array(HBAR / LIFETIME))
    n, _ = count_of(channel, mass)
    b, own = float(channel.background(at)), np.log(1.12)
    spread = np.hypot(own, 5.0 * float(slope))
    loosened = marginal_limit(n, b, spread) / marginal_limit(n, b, own)
    expected = float(jnp.exp(channel.published(at) - log_escape)) * loosened
    plane = branching_ratio_maps[0][name,]
    assert limit_of(plane, mass) == pytest.approx(expected, rel=2e-3)
    n_obs = row_of(plane, mass)["n_obs"]
    assert n_obs == pytest.approx(n, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "mass"), [(RUN1, 0.05), (PI0, 0.13), (RUN1, 0.2), (RUN1, 0.258)]
)
def test_a_closed_search_changes_nothing(branching_ratio_maps, name, mass):
    """Joint CLs are those of the search that is open, which is alone there."""
    joint = row_of(branching_ratio_maps[0][RUN1, PI0], mass)
    alone = row_of(branching_ratio_maps[0][name,], mass)
    np.testing.assert_allclose(joint["cls_obs"], alone["cls_obs"], atol=1e-8)
    single = joint["cls_obs_single"][:, (RUN1, PI0).index(name)]
    np.testing.assert_allclose(single, alone["cls_obs"], atol=1e-8)
    other = joint["cls_obs_single"][:, 1 - (RUN1, PI0).index(name)]
    np.testing.assert_allclose(other, 1.0, atol=1e-12)


def test_a_weak_search_hardly_matters(branching_ratio_maps, channels):
    """At 154.5 MeV both are open; that of the pi0 region is 50 times less sensitive."""
    row = row_of(branching_ratio_maps[0][RUN1, PI0], 0.1545)
    assert row["n_obs"] == pytest.approx(
        sum(count_of(channel, 0.1545)[0] for channel in channels.values()), rel=1e-3
    )
    alone = row["cls_obs_single"]
    is_near = (alone[:, 0] > 0.03) & (alone[:, 0] < 0.3)
    assert is_near.sum() >= 3
    np.testing.assert_allclose(row["cls_obs"][is_near], alone[is_near, 0], rtol=0.05)


def test_scan_traces_the_chain_once(branching_ratio_maps):
    """Four chunks of the plane, one program for each map."""
    # for its processes, its identity, its regions, and once in the program
    assert branching_ratio_maps[1] == 12


@pytest.mark.parametrize("mass", [0.27, 0.36])
def test_beyond_all_segments_and_all_phase_space_there_is_no_sensitivity(
    branching_ratio_maps, mass
):
    for plane in branching_ratio_maps[0].values():
        row = row_of(plane, mass)
        assert np.all(row["status"] == Status.NO_SENSITIVITY)
        for name in set(row) - {"n_obs", "status"}:
            assert np.isnan(row[name]).all()


def test_gap_is_never_excluded(scalar_map):
    gap = scalar_map.sel(mass=0.13)
    assert np.all(gap["status"] == Status.NO_SENSITIVITY)
    edges = coupling_edges(scalar_map)
    assert np.isnan(edges.lower[SCALAR_MASSES == 0.13]).all()
    outer = [polygon.outer for polygon in excluded_polygons(scalar_map)]
    assert len(outer) >= 2
    for ring in outer:
        below = np.all(ring[:, 0] <= 0.1 * 1.0001)
        above = np.all(ring[:, 0] >= 0.2 * 0.9999)
        assert below or above


def test_exclusion_by_limit_and_by_cls_are_the_same(scalar_map, branching_ratio_maps):
    names = ("status", "n_signal", "n_up_obs", "cls_obs", "n_up_exp")
    for plane in (scalar_map, branching_ratio_maps[0][RUN1,]):
        status, *fields = (np.asarray(plane[name]) for name in names)
        n_signal, n_up, cls, expected = (field[status == Status.OK] for field in fields)
        assert n_signal.size >= 200
        clear = np.abs(n_signal / n_up - 1.0) > 3e-3
        np.testing.assert_array_equal((n_signal > n_up)[clear], (cls < 0.1)[clear])
        assert np.all((cls >= 0.0) & (cls <= 1.0))
        assert np.all(np.diff(expected, axis=-1) >= 0.0)


def test_theory_error_of_a_fifth_loosens_the_limit_by_the_marginal_factor(
    scalar_map, channels
):
    """Weak mixing, where the scalar escapes: 12 % and 20 % in quadrature."""
    channel, both = channels[RUN1], np.hypot(np.log(1.12), np.log(1.2))
    for mass in (0.05, 0.2):
        n, _ = count_of(channel, mass)
        expected = marginal_limit(n, float(channel.background(jnp.array(mass))), both)
        found = float(scalar_map["n_up_obs"].sel(mass=mass).values[0])
        assert found == pytest.approx(expected, rel=1e-4)


def test_exclusion_is_two_sided_where_the_scalar_is_short_lived(scalar_map):
    edges = coupling_edges(scalar_map)
    for mass in (0.23, 0.25):
        at = mass == SCALAR_MASSES
        assert edges.n_crossings[at] == 2
        assert 1e-9 < edges.lower[at][0] < edges.upper[at][0] < 1e-3


def test_upper_edge_is_that_of_an_independent_integral(scalar_map, channels):
    """B s P(s) = BR_up with P averaged over decays of 75 GeV kaons.

    The vertex follows the decay law in 105 to 165 m, p_X = 75 GeV - p_pi with uniform
    p_pi of 15 to 45 GeV. The limit grows by the error of the veto's end.
    """
    mass, at = 0.25, jnp.array(0.25)
    mediator = bsmfit.load_model("dark-scalar")(at, jnp.array(1.0))
    unit_ratio = float(mediator.production[PROCESS])
    unit_width = float(mediator.decay_width)
    length = 75.0 / MK * KAON_CHARGED_LIFETIME * 299792458.0
    z = 105.0 + 60.0 * (np.arange(400) + 0.5) / 400
    momentum = 75.0 - (15.0 + 30.0 * (np.arange(300) + 0.5) / 300)
    weight = np.exp(-(z - 105.0) / length) / np.exp(-(z - 105.0) / length).sum() / 300
    path = (252.0 - z)[:, None] / momentum[None, :] * mass / HBAR_C
    n, factor = count_of(channels[RUN1], mass)
    b = float(channels[RUN1].background(at))
    stable = float(jnp.exp(channels[RUN1].published(at)))
    stable /= marginal_limit(n, b, np.log(1.12))
    own = np.hypot(np.log(1.12), np.log(1.2))

    def excess(log_mixing):
        exponent = np.exp(log_mixing) * unit_width
        surviving = weight[:, None] * np.exp(-exponent * path)
        escape = surviving.sum()
        slope = exponent * mass / HBAR_C * (surviving / momentum).sum() / escape
        spread = min(np.hypot(own, 5.0 * slope), LARGEST_SPREAD)
        limit = stable * marginal_limit(n, b, spread)
        return log_mixing + np.log(unit_ratio * escape / limit)

    # the largest rate lies about where the mean path is one decay length
    peak = -np.log(unit_width * (weight @ path.mean(axis=1)) * 300)
    assert factor >= 1.0
    assert excess(peak) > 0.0
    expected = np.exp(optimize.brentq(excess, peak, peak + 4.0))
    found = coupling_edges(scalar_map).upper[mass == SCALAR_MASSES][0]
    assert found == pytest.approx(expected, rel=0.04)


def test_searches_of_the_same_data_are_refused(channels):
    model = bsmfit.load_model("fv-axion")
    both = [channels[RUN1], bsmfit.load_channel("na62-pi-invisible-2016-2022")]
    with pytest.raises(InputError, match=r"share data \(na62-2016, na62-2017"):
        bsmfit.ExclusionPoint.from_model(model, both)


@pytest.mark.slow
def test_searches_of_two_kinds_are_one_map(channels):
    """Where the dump search is closed, kaons and both together say the same."""
    model = bsmfit.load_model("dark-photon", "bremsstrahlung-and-kaons")
    dump = bsmfit.load_channel("na62-dump-mumu")
    grid = {"mass": np.array([0.1, 0.25]), "coupling": np.geomspace(3e-8, 3e-6, 9)}
    both = bsmfit.scan_plane(model, [dump, channels[RUN1]], **grid)
    assert list(both["search"].values) == ["na62-dump-mumu", RUN1]
    assert both.attrs["ordering"] == "likelihood-ratio"
    closed = both.sel(mass=0.1)
    np.testing.assert_allclose(
        closed["cls_obs"], closed["cls_obs_single"].sel(search=RUN1), atol=1e-9
    )
    alone = bsmfit.scan_plane(model, dump, **grid | {"mass": np.array([0.25])})
    np.testing.assert_allclose(
        both["cls_obs_single"].sel(search="na62-dump-mumu", mass=0.25),
        alone["cls_obs"][0],
        atol=1e-9,
    )


def test_model_made_in_the_dump_is_refused_in_one_message(channels):
    model = bsmfit.load_model("dark-photon", "bremsstrahlung")
    with pytest.raises(BsmfitError) as caught:
        bsmfit.ExclusionPoint.from_model(model, [channels[RUN1]])
    message = str(caught.value)
    assert "needs the production process 'kaon-to-pion'" in message
    assert "'proton-bremsstrahlung'" in message
    assert "\n" not in message


def test_nuisance_of_another_process_is_refused(channels):
    def function(mass, coupling):
        one = jnp.ones_like(mass)
        return Mediator(mass, 0.0 * mass, {"invisible": one}, {PROCESS: coupling})

    nuisance = bsmfit.ProductionNuisance("norm", 1.2, ("kaon-to-pions",))
    model = bsmfit.Model(function, name="own", nuisances=(nuisance,))
    with pytest.raises(BsmfitError, match="did you mean 'kaon-to-pion'"):
        bsmfit.ExclusionPoint.from_model(model, [channels[RUN1]])
