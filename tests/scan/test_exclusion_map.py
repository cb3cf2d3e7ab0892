from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.mediator import Mediator
from bsmfit.scan.exclusion_map import default_axes
from bsmfit.scan.grid import PointList


@pytest.fixture(scope="module")
def parts():
    return bsmfit.load_model("dark-photon"), bsmfit.load_channel("na62-dump-mumu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mass": (0.2, 0.5, 5)}, "0.21132 to 2 GeV; choose masses inside it"),
        ({"mass": (0.3, 2.2, 5)}, "goes beyond what dark-photon and na62-dump-mumu"),
        ({"mass": (0.5, 0.3, 5)}, "is reversed"),
        ({"mass": (0.3, 0.3, 5)}, "is empty"),
        ({"coupling": (0.0, 1e-5, 5)}, "above 0"),
        ({"mass": np.array([0.3, 0.25])}, "strictly ascending"),
        ({"mass": np.array([0.3, np.nan])}, "finite"),
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


def own_model(**changes):
    """A model of one's own; `changes` replace fields of its mediator."""

    def function(mass, coupling):
        fields = {
            "mass": mass,
            "decay_width": 1e-3 * coupling**2 * mass,
            "branching_ratios": {"mumu": 0.4 + 0.0 * mass},
            "production": {"proton-bremsstrahlung": coupling**2},
        }
        fields |= {key: value(mass, coupling) for key, value in changes.items()}
        return Mediator(**fields)

    return bsmfit.Model(function, name="mine", coupling="g")


SMALL = {"mass": np.array([0.3, 0.4]), "coupling": (1e-7, 1e-5, 5)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"branching_ratios": lambda m, g: {"mumu": 3.0 + 0.0 * m}},
        {"branching_ratios": lambda m, g: {"mumu": -0.1 + 0.0 * m}},
        {"branching_ratios": lambda m, g: {"mumu": jnp.nan * m}},
        {"production": lambda m, g: {"proton-bremsstrahlung": -(g**2)}},
        {"decay_width": lambda m, g: -g},
    ],
)
def test_unphysical_mediator_has_no_result(parts, changes):
    result = bsmfit.scan_plane(own_model(**changes), parts[1], **SMALL)
    assert np.all(result["status"] == 2)
    assert np.isnan(result["n_signal"]).all()
    assert result["status"].attrs["flag_meanings"].split()[2] == "invalid_model"


def test_a_stable_particle_is_not_excluded(parts):
    model = own_model(decay_width=lambda m, g: 0.0 * g)
    result = bsmfit.scan_plane(model, parts[1], **SMALL)
    assert np.all(result["status"] == 0)
    np.testing.assert_array_equal(result["n_signal"], 0.0)
    np.testing.assert_allclose(result["cls_obs"], 1.0, rtol=1e-12)


def test_one_mass_is_a_scan(parts):
    result = bsmfit.scan_plane(*parts, mass=0.3, coupling=(1e-7, 1e-5, 40))
    assert result.sizes["mass"] == 1
    edges = bsmfit.coupling_edges(result)
    assert 3e-7 < edges.lower[0] < edges.upper[0] < 1e-5


def test_the_default_plane_has_both_sides_of_the_mass_window(parts):
    model, channel = parts
    masses, _ = default_axes(model, [channel])
    points = masses.points()
    for node in channel.mass_nodes:
        beside = points[np.abs(points / node - 1.0) < 1e-6]
        assert beside.size == 2
        assert beside[0] < node < beside[1]


def test_physical_mediator_has_one(parts):
    assert np.all(bsmfit.scan_plane(own_model(), parts[1], **SMALL)["status"] == 0)


def test_nuisance_of_a_process_that_is_not_there_is_refused(parts):
    nuisance = bsmfit.ProductionNuisance("norm", 2.0, ("proton-brems",))
    model = dataclasses.replace(own_model(), nuisances=(nuisance,))
    with pytest.raises(InputError, match="did you mean 'proton-bremsstrahlung'"):
        bsmfit.scan_plane(model, parts[1], **SMALL)


# Without the type checks of the tests, as a user meets them.
WRONG_TYPES = {
    "scan('dark-photon', channel)": "not a Model",
    "scan(model, 'na62-dump-mumu')": "not a search",
    "scan(model, channel, cl='0.9')": "must be a number",
    "scan(model, channel, mass='0.2:0.3:4')": "must be a real number or an array",
    "scan(model, channel, mass=(0.2, 0.3))": "an axis is",
    "scan(Model(lambda m, g: (m, g), name='a'), channel)": "return a bsmfit.Mediator",
    "scan(Model(lambda m, g: Mediator(m, g, {}, {}), name='a'), channel)": (
        "names no production process"
    ),
    "Model(model.function, name='a', coupling='mass')": "names the axis of",
    "Model(model.function, name='a', mass_range=(2.0, 1.0))": "is reversed",
    "ProductionNuisance('norm', 2.0, 'proton-bremsstrahlung')": (
        "processes is a string"
    ),
}


def test_wrong_types_are_one_clear_message():
    code = (
        "import bsmfit\nfrom bsmfit import Mediator, Model, ProductionNuisance\n"
        "from bsmfit.errors import InputError\nbsmfit.enable_x64()\n"
        "scan = bsmfit.scan_plane\n"
        "model = bsmfit.load_model('dark-photon')\n"
        "channel = bsmfit.load_channel('na62-dump-mumu')\n"
        f"for call in {list(WRONG_TYPES)!r}:\n"
        "    try: eval(call)\n"
        "    except InputError as error: print(error)\n"
        "    else: print('no error')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    messages = done.stdout.strip().splitlines()
    assert len(messages) == len(WRONG_TYPES)
    for message, expected in zip(messages, WRONG_TYPES.values(), strict=True):
        assert expected in message


def test_axis_may_be_a_list_or_a_jax_array(parts):
    for masses in ([0.25, 0.3, 0.4], jnp.array([0.25, 0.3, 0.4])):
        result = bsmfit.scan_plane(*parts, mass=masses, coupling=(1e-7, 1e-5, 3))
        np.testing.assert_allclose(result["mass"], [0.25, 0.3, 0.4])


def test_changed_number_is_another_scan(parts):
    model, channel = parts
    more = dataclasses.replace(
        channel, protons_on_target=10 * channel.protons_on_target
    )
    plans = [
        bsmfit.scan_plane(model, c, **SMALL).attrs["plan_hash"]
        for c in (channel, more, channel)
    ]
    assert plans[0] == plans[2] != plans[1]


@pytest.mark.slow
def test_changed_function_of_the_same_name_is_another_scan(parts):
    models = [
        bsmfit.Model(function, name="x", coupling="epsilon")
        for function in (
            lambda m, e: parts[0].function(m, e),
            lambda m, e: parts[0].function(m, 2.0 * e),
        )
    ]
    plans = [bsmfit.scan_plane(m, parts[1], **SMALL).attrs["plan_hash"] for m in models]
    assert plans[0] != plans[1]
