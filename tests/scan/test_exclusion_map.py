from __future__ import annotations

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.mediator import Mediator
from bsmfit.scan.grid import PointList


@pytest.fixture(scope="module")
def parts():
    return bsmfit.load_model("dark-photon"), bsmfit.load_channel("na62-dump-mumu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mass": (0.2, 0.5, 5)}, "0.21132 to 1 GeV; choose masses inside it"),
        ({"mass": (0.3, 1.2, 5)}, "goes beyond what dark-photon and na62-dump-mumu"),
        ({"mass": (0.5, 0.3, 5)}, "is reversed"),
        ({"mass": (0.3, 0.3, 5)}, "is empty"),
        ({"coupling": (0.0, 1e-5, 5)}, "above 0"),
        ({"mass": np.array([0.3, 0.25])}, "strictly ascending"),
        ({"mass": np.array([0.3, np.nan])}, "finite"),
        ({"mass": np.array([0.3])}, "at least 2"),
        ({"cl": 1.0}, "between 0 and 1"),
        ({"cl": 0.0}, "between 0 and 1"),
    ],
)
def test_bad_input_is_one_clear_message(parts, options, message):
    with pytest.raises(InputError, match=message):
        bsmfit.scan_plane(*parts, **options)


def test_channels_must_differ(parts):
    model, channel = parts
    for channels in ([], [channel, channel]):
        with pytest.raises(InputError, match="different channels"):
            bsmfit.scan_plane(model, channels)


def test_process_without_yields_is_named(parts):
    def odd(mass, coupling):
        return Mediator(mass, coupling**2, {"mumu": mass}, {"eta-decays": coupling})

    with pytest.raises(UnknownNameError, match="did you mean 'eta-decay'"):
        bsmfit.scan_plane(bsmfit.Model(odd, name="odd"), parts[1])


def test_dataset_of_the_main_job(parts):
    masses = np.array([0.25, 0.30, 0.411, 0.50])
    result = bsmfit.scan_plane(*parts, mass=masses, coupling=(1e-7, 1e-5, 60))
    assert result.sizes == {"mass": 4, "epsilon": 60, "quantile": 5}
    np.testing.assert_array_equal(result["n_obs"], [0, 0, 1, 0])
    limits = result["n_up_obs"].values
    assert np.all(limits[0] == limits[1])
    # one event: between the known-background limit and a third more
    assert 3.87 < limits[2, 0] < 4.2
    assert np.all(result["status"] == 0)
    attributes = result.attrs
    assert attributes["preset"] == "bremsstrahlung"
    assert attributes["ensemble"] == "marginal"
    assert "NA62_2303.08666/record.yaml" in json.loads(attributes["inputs"])
    assert result["mass"].attrs["symbol"] == "$m_{A'}$"


def test_bands_have_width_although_the_counts_have_none(parts):
    result = bsmfit.scan_plane(
        *parts, mass=np.array([0.3, 0.35]), coupling=(1e-7, 1e-5, 4)
    )
    bands = result["n_up_exp"].values[0, 0]
    kappa = np.exp(np.hypot(np.log(1.2), np.log(1.1)))
    # 98.4 % of the outcomes are zero events, so that the bands follow the exposure
    np.testing.assert_allclose(bands[2] / bands[1], kappa, rtol=0.03)
    np.testing.assert_allclose(bands[1] / bands[0], kappa, rtol=0.03)


def test_more_exposure_never_loosens_the_limit(parts):
    model, channel = parts
    lower = []
    for factor in (1.0, 3.0):
        more = dataclasses.replace(
            channel, protons_on_target=factor * channel.protons_on_target
        )
        edges = bsmfit.coupling_edges(
            bsmfit.scan_plane(
                model, more, mass=np.array([0.3, 0.4]), coupling=(1e-7, 1e-5, 400)
            )
        )
        lower.append(edges.lower)
    ratio = lower[1] / lower[0]
    assert np.all(ratio < 1.0)
    # the events go as the fourth power of epsilon or, where lifetimes matter, less
    assert np.all(ratio < 3.0**-0.25)
    assert np.all(ratio > 3.0**-0.40)


def test_point_list_is_written_to_the_last_bit():
    values = (0.1, 0.1 + 2**-54 + 0.2)
    assert tuple(map(float, str(PointList(values)).split(","))) == values


def test_closed_below_the_table_of_one_of_two_channels(parts):
    model, muons = parts
    both = [bsmfit.load_channel("na62-dump-ee"), muons]
    point = bsmfit.ExclusionPoint.from_model(model, both)
    log_signal = point.log_signal(jnp.array(0.1), jnp.array(1e-6))
    assert float(log_signal[0]) > -20
    assert float(log_signal[1]) < -1e4
