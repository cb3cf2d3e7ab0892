"""A parameter on the first axis: lifetime and branching ratio at one mass."""

from __future__ import annotations

import re

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.core.constants import HBAR
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.export.contour_csv import read_contour, write_contour
from bsmfit.plot.exclusion import plot_exclusion
from bsmfit.scan.store import read_scan, write_scan

MASS = 0.22
# the longest lifetimes are a factor of 10 apart
LIFETIMES = [10.0, 30.0, 300.0, 1e3, 1e4, 1e5, 1e6, 1e7]
RATIOS = (1e-9, 1e-1, 33)


@pytest.fixture(scope="module")
def model():
    return bsmfit.load_model("b-to-k-a-to-mumu")


@pytest.fixture(scope="module")
def muons():
    return bsmfit.load_channel("na62-dump-mumu")


@pytest.fixture(scope="module")
def plane(model, muons):
    axis = {"lifetime_ps": LIFETIMES}
    return bsmfit.scan_plane(
        model, muons, mass=MASS, coupling=RATIOS, parameter=axis, cl=0.9
    )


@pytest.fixture(scope="module")
def limits(plane):
    """Upper limit on the branching ratio: the signal is proportional to it."""
    ratio = plane["branching_ratio"].values[0]
    at = plane.isel(branching_ratio=0)
    return (ratio * at["n_up_obs"] / at["n_signal"]).values


def test_a_row_is_the_map_at_that_lifetime(plane, model, muons):
    fixed = bsmfit.scan_plane(
        model.with_parameters(lifetime_ps=300.0), muons, mass=[MASS], coupling=RATIOS
    )
    for name in ("n_signal", "cls_obs", "n_up_obs"):
        np.testing.assert_allclose(
            plane[name].sel(lifetime_ps=300.0), fixed[name][0], rtol=1e-10
        )
    assert plane["n_signal"].dims == ("lifetime_ps", "branching_ratio")
    assert float(plane["mass"]) == MASS
    assert "parameters" not in plane.attrs


def test_short_lives_do_not_reach_the_volume_and_long_ones_pass_it(limits):
    """A long-lived particle decays inside with a probability of 1 / lifetime."""
    assert limits[0] > 1.0
    lowest = int(np.argmin(limits))
    assert 0 < lowest < len(limits) - 1
    assert limits[-1] / limits[-2] == pytest.approx(10.0, rel=1e-3)
    assert limits[-2] / limits[-3] == pytest.approx(10.0, rel=1e-2)


def test_edges_are_those_of_the_limits(plane, limits):
    edges = bsmfit.coupling_edges(plane)
    np.testing.assert_array_equal(edges.mass, LIFETIMES)
    inside = limits < RATIOS[1]
    np.testing.assert_allclose(edges.lower[inside], limits[inside], rtol=1e-6)
    assert np.isnan(edges.lower[~inside]).all()


def test_the_model_has_the_lifetime_and_the_product(model):
    mediator = model.with_parameters(lifetime_ps=5.0)(
        jnp.asarray(MASS), jnp.asarray(0.3)
    )
    assert HBAR / float(mediator.decay_width) == pytest.approx(5e-12)
    assert float(mediator.production["b-to-kaon"]) == pytest.approx(0.3)
    assert float(mediator.branching_ratios["mumu"]) == 1.0


def test_kstar_follows_from_the_form_factors():
    """Closed form at a massless particle: A_0(0) = 0.374, f_0(0) = 0.330."""
    both = bsmfit.load_model("b-to-k-a-to-ee", "kaon-and-kstar")
    made = both(jnp.asarray(0.0011), jnp.asarray(0.5)).production
    beauty, kaon, kstar = 5.27941, 0.493677, 0.89167
    # lambda^(1/2) = 1 - m_K^2 / m_B^2 where the particle has no mass
    of_kaon = (1.0 - (kaon / beauty) ** 2) ** 3 * 0.330**2
    of_kstar = (1.0 - (kstar / beauty) ** 2) ** 3 * (1.364 - 0.990) ** 2
    ratio = float(made["b-to-kstar"] / made["b-to-kaon"])
    assert ratio == pytest.approx(of_kstar / of_kaon, rel=1e-3)


def test_an_escaping_particle_is_an_invisible_one():
    """K+ -> pi+ a: the signal rises with the lifetime to that of a stable particle."""
    model = bsmfit.load_model("k-to-pi-a")
    search = bsmfit.load_channel("na62-pi-invisible-2016-2022")
    mass, ratio = jnp.asarray(0.05), jnp.asarray(1e-10)

    @eqx.filter_jit
    def events(mediator):
        signal = [term for r in search.regions(mediator) for term in r.signal]
        return sum(jnp.exp(term.log_events) for term in signal)

    lives = (100.0, 1e3, 1e4, 1e9)
    seen = [
        float(events(model.with_parameters(lifetime_ps=t)(mass, ratio))) for t in lives
    ]
    assert (np.diff(seen) > 0.0).all()
    one, zero = jnp.ones(()), jnp.zeros(())
    stable = bsmfit.Mediator(mass, zero, {"invisible": one}, {"kaon-to-pion": ratio})
    assert seen[-1] == pytest.approx(float(events(stable)), rel=1e-4)


def test_files_and_figure_name_the_axis(plane, tmp_path):
    write_scan(plane, tmp_path / "scan.nc")
    assert read_scan(tmp_path / "scan.nc").equals(plane)
    write_contour(plane, tmp_path / "contour.csv")
    contour = read_contour(tmp_path / "contour.csv")
    assert (contour.first_name, contour.coupling_name) == (
        "lifetime_ps",
        "branching_ratio",
    )
    assert contour.header["mass"] == "0.22 GeV"
    axes = plot_exclusion(plane).axes[0]
    assert axes.get_xlabel() == r"$\tau$ [ns]"
    assert axes.get_xlim() == pytest.approx((0.01, 1e4))
    assert r"\mathcal{B}(a\to \mu\mu)" in axes.get_ylabel()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coupling": (1e-3, 2.0, 5)}, "largest value that it can have, 1"),
        ({"mass": (0.22, 0.3, 4)}, "the mass is one number"),
        ({"parameter": {"lifetime_ps": (0.0, 1.0, 4)}}, "above 0"),
        ({"parameter": {"lifetime_ps": 1.0, "mass": 1.0}}, "one parameter"),
    ],
)
def test_what_cannot_be_is_refused(model, muons, change, words):
    given = {"mass": MASS, "coupling": RATIOS, "parameter": "lifetime_ps"} | change
    with pytest.raises(InputError, match=words):
        bsmfit.scan_plane(model, muons, **given)


def test_parameters_are_checked(model, muons):
    with pytest.raises(InputError, match=re.escape("must be above 0 (in ps)")):
        model.with_parameters(lifetime_ps=0.0)
    with pytest.raises(UnknownNameError, match="did you mean 'lifetime_ps'"):
        bsmfit.scan_plane(model, muons, mass=MASS, parameter="lifetime")
    bare = bsmfit.Model(model.function, name="bare", parameters={"lifetime_ps": 1.0})
    with pytest.raises(InputError, match="no usual axis of lifetime_ps"):
        bsmfit.scan_plane(
            bare, muons, mass=MASS, coupling=RATIOS, parameter="lifetime_ps"
        )
