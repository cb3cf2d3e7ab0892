"""A third parameter of a model: fixed, scanned, profiled."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.scan.further_parameter import profile_parameter, scan_parameter
from bsmfit.scan.identity import computation_digest

PLANE = {"mass": [0.25, 0.3], "coupling": (1e-7, 1e-5, 12)}


def muonic(mass, coupling, share):
    one = jnp.ones_like(mass)
    return bsmfit.Mediator(
        mass=mass,
        decay_width=1e-3 * coupling**2 * mass,
        branching_ratios={"mumu": share * one, "invisible": (1.0 - share) * one},
        production={"proton-bremsstrahlung": coupling**2},
    )


@pytest.fixture(scope="module")
def model():
    return bsmfit.Model(muonic, name="muonic", parameters={"share": 0.5})


@pytest.fixture(scope="module")
def muons():
    return bsmfit.load_channel("na62-dump-mumu")


@pytest.fixture(scope="module")
def scanned(model, muons):
    values = [0.02, 0.5, 1.0]
    return scan_parameter(model, muons, parameter="share", values=values, **PLANE)


def test_a_fixed_parameter_is_that_of_the_function(model, muons, scanned):
    def half(mass, coupling):
        return muonic(mass, coupling, 0.5)

    plain = bsmfit.scan_plane(bsmfit.Model(half, name="half"), muons, **PLANE)
    fixed = bsmfit.scan_plane(model, muons, **PLANE)
    np.testing.assert_allclose(plain["n_signal"], fixed["n_signal"], rtol=1e-12)
    assert json.loads(fixed.attrs["parameters"]) == {"share": 0.5}
    np.testing.assert_allclose(
        scanned["n_signal"].sel(share=0.5), fixed["n_signal"], rtol=1e-12
    )


def test_signal_is_linear_in_the_share(scanned):
    one = scanned["n_signal"].sel(share=1.0)
    for value in (0.02, 0.5):
        np.testing.assert_allclose(
            scanned["n_signal"].sel(share=value), value * one, rtol=1e-10
        )


def test_profiled_is_excluded_for_every_value(scanned):
    plane = profile_parameter(scanned, "share")
    every = (scanned["cls_obs"] < 0.1).all("share")
    np.testing.assert_array_equal(plane["cls_obs"] < 0.1, every)
    # fewest events are weakest
    is_seen = plane["n_signal"].values > 1e-3
    assert np.all(plane["share_taken"].values[is_seen] == 0.02)
    assert plane["cls_obs"].dims == ("mass", "coupling")
    assert plane["n_obs"].dims == ("mass",)
    assert plane.attrs["profiled"] == "share"


def test_planes_are_drawn_as_any_other(scanned, tmp_path):
    bsmfit.plot_exclusion(scanned.sel(share=1.0), tmp_path / "one.png")
    plane = profile_parameter(scanned, "share")
    bsmfit.plot_exclusion(plane, tmp_path / "all.png")
    assert bsmfit.coupling_edges(plane).lower.shape == (2,)


def test_another_value_is_another_scan(model, muons):
    other = model.with_parameters(share=0.6)
    assert computation_digest(model, [muons]) == computation_digest(model, [muons])
    assert computation_digest(model, [muons]) != computation_digest(other, [muons])


def test_bad_parameters_are_refused(model, muons):
    with pytest.raises(UnknownNameError, match="did you mean 'share'"):
        model.with_parameters(shares=0.5)
    with pytest.raises(InputError, match="parameter 'share' = nan"):
        model.with_parameters(share=float("nan"))
    with pytest.raises(InputError, match="named in parameters"):
        bsmfit.Model(muonic, name="muonic")
    with pytest.raises(InputError, match="two numbers and other"):
        bsmfit.Model(muonic, name="muonic", parameters={"other": 1.0})
    with pytest.raises(InputError, match="different values"):
        scan_parameter(model, muons, parameter="share", values=[])
    with pytest.raises(UnknownNameError, match="did you mean 'share'"):
        scan_parameter(model, muons, parameter="shar", values=[0.1])
