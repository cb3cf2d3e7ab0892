"""Imported workspaces against pyhf's own model of them."""

from __future__ import annotations

import copy
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.pyhf.workspace import load_pyhf_workspace
from bsmfit.errors import BsmfitError, DataFileError, InputError, UnknownNameError
from bsmfit.export.pyhf_parameters import pyhf_constant, pyhf_parameters
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.response import Asymmetric, LogNormal, Morph

N_RANDOM = 10
MU = {"name": "mu", "type": "normfactor", "data": None}
LUMI = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.05], "inits": [1.0]}
LUMI["bounds"] = [[0.5, 1.5]]


def modifier(kind, name="alpha", data=None):
    return {"name": name, "type": kind, "data": data}


def sample(name, data, *modifiers):
    return {"name": name, "data": data, "modifiers": list(modifiers)}


def workspace(channels, observed, parameters=(), poi="mu"):
    return {
        "channels": [
            {"name": name, "samples": list(samples)}
            for name, samples in channels.items()
        ],
        "observations": [
            {"name": name, "data": list(data)} for name, data in observed.items()
        ],
        "measurements": [
            {"name": "limit", "config": {"poi": poi, "parameters": list(parameters)}}
        ],
        "version": "1.0.0",
    }


def two_bins(*modifiers, parameters=(), on_signal=()):
    signal = sample("signal", [3.0, 1.5], MU, *on_signal)
    background = sample("background", [2.0, 4.0], *modifiers)
    channels = {"sr": [signal, background]}
    return workspace(channels, {"sr": [3, 5]}, parameters)


NORMSYS = modifier("normsys", data={"hi": 1.2, "lo": 0.7})
HISTOSYS = modifier("histosys", data={"hi_data": [2.5, 4.1], "lo_data": [1.8, 3.0]})
KINDS = {
    "normfactor": two_bins(modifier("normfactor", "k")),
    "normsys": two_bins(NORMSYS),
    "histosys": two_bins(HISTOSYS),
    "one name, both": two_bins(NORMSYS, HISTOSYS),
    "shapesys": two_bins(modifier("shapesys", "mc", [0.4, 0.5])),
    "staterror": two_bins(
        modifier("staterror", "mc", [0.4, 0.2]),
        on_signal=[modifier("staterror", "mc", [0.3, 0.6])],
    ),
    "lumi": two_bins(modifier("lumi", "lumi"), parameters=[LUMI]),
}


def published_like():
    """Two channels, all kinds of modifiers, names as they occur in the wild."""
    lumi = modifier("lumi", "lumi")
    scale = modifier("normsys", "JES[eta 0/1]", {"hi": 1.1, "lo": 0.93})
    shape = {"hi_data": [4.5, 2.0, 1.2], "lo_data": [3.4, 2.2, 0.8]}
    stat = modifier("staterror", "staterror_SR", [0.3, 0.2, 0.2])
    return workspace(
        {
            "SR": [
                sample("signal", [1.0, 2.0, 3.0], MU, lumi, scale, stat),
                sample(
                    "tt",
                    [4.0, 2.1, 1.0],
                    modifier("histosys", "JES[eta 0/1]", shape),
                    scale,
                    lumi,
                    stat,
                ),
                sample("fakes", [1.0, 0.5, 0.2], modifier("shapesys", "f", [0.3] * 3)),
            ],
            "CR": [
                sample("tt", [40.0], modifier("normfactor", "k_tt"), scale, lumi),
                sample("signal", [0.5], MU),
            ],
        },
        {"CR": [44], "SR": [5, 4, 3]},
        [LUMI, {"name": "mu", "bounds": [[0, 20]], "inits": [1.0]}],
    )


@jax.jit
def our_nll(likelihood, strength, parameters):
    arrays = likelihood.arrays()
    return jax.vmap(arrays.negative_log_likelihood)(strength, parameters)


def differences_of_nll(content, *, unused=(), **codes):
    """-2 ln L of pyhf minus ours, without the documented constant."""
    pyhf = pytest.importorskip("pyhf")
    likelihood = load_pyhf_workspace(content, **codes)
    space = pyhf.Workspace(content)
    settings = {
        kind: {"interpcode": codes.get(kind, default)}
        for kind, default in (("normsys", "code4"), ("histosys", "code4p"))
    }
    model = space.model(modifier_settings=settings)
    data = space.data(model)
    n_parameter = jax.eval_shape(Likelihood.arrays, likelihood).n_parameter
    rng = np.random.default_rng(11)
    strength = jnp.array(rng.uniform(0.0, 3.0, N_RANDOM))
    parameters = jnp.array(rng.normal(0.0, 0.7, (N_RANDOM, n_parameter)))
    parameters = parameters.at[:, jnp.array(unused, int)].set(0.0)
    ours = np.asarray(our_nll(likelihood, strength, parameters))
    theirs = []
    for mu, x in zip(strength, parameters, strict=True):
        point = np.array(model.config.suggested_init())
        for name, value in pyhf_parameters(likelihood, mu, x).items():
            point[model.config.par_slice(name)] = value
        theirs.append(-model.logpdf(point, data)[0])
    return 2.0 * (np.array(theirs) - ours - pyhf_constant(likelihood))


@pytest.mark.parametrize("kind", KINDS)
def test_every_modifier_gives_pyhfs_likelihood(kind):
    np.testing.assert_allclose(differences_of_nll(KINDS[kind]), 0.0, atol=1e-10)


def test_the_other_codes_give_pyhfs_likelihood():
    content = KINDS["one name, both"]
    difference = differences_of_nll(content, normsys="code1", histosys="code0")
    np.testing.assert_allclose(difference, 0.0, atol=1e-10)


def test_a_workspace_of_two_channels_gives_pyhfs_likelihood():
    np.testing.assert_allclose(differences_of_nll(published_like()), 0.0, atol=1e-10)


def test_samples_with_the_parameter_of_interest_are_signal():
    likelihood = load_pyhf_workspace(published_like())
    region = likelihood.regions[0]
    assert [term.name for term in region.signal] == ["signal"]
    assert [term.name for term in region.background] == ["tt", "fakes"]
    assert [response.name for response in region.background[0].responses] == [
        "JES[eta 0/1]",
        "JES[eta 0/1]",
        "lumi",
        "staterror_SR",
    ]


def test_interpolation_is_what_was_asked_for():
    reciprocal = two_bins(modifier("normsys", data={"hi": 1.25, "lo": 0.8}))
    responses = [
        load_pyhf_workspace(content, **codes).regions[0].background[0].responses[0]
        for content, codes in (
            (reciprocal, {}),
            (reciprocal, {"normsys": "code1"}),
            (KINDS["normsys"], {"normsys": "code1"}),
            (KINDS["histosys"], {"histosys": "code0"}),
        )
    ]
    assert isinstance(responses[0], Asymmetric)
    assert responses[0].interpolation == "code4"
    assert isinstance(responses[1], LogNormal)
    assert responses[2].interpolation == "code1"
    assert isinstance(responses[3], Morph)
    assert responses[3].interpolation == "code0"


def test_staterror_sums_the_samples_of_its_channel():
    region = load_pyhf_workspace(KINDS["staterror"]).regions[0]
    errors = region.signal[0].responses[0].relative_errors
    np.testing.assert_allclose(
        errors, [np.hypot(0.4, 0.3) / 5.0, np.hypot(0.2, 0.6) / 5.5]
    )


def test_a_bin_without_error_has_no_factor():
    content = two_bins(modifier("staterror", "mc", [0.4, 0.0]))
    # pyhf fixes it at 1; here it is a parameter that moves nothing, taken at 0
    difference = differences_of_nll(content, unused=[1])
    np.testing.assert_allclose(difference, 0.0, atol=1e-10)


def test_fixed_parameters_are_taken_out():
    fixed = {"fixed": True}
    parameters = [
        {"name": "k", "inits": [1.5], **fixed},
        {"name": "alpha", "inits": [0.0], **fixed},
        {**LUMI, **fixed},
        {"name": "mc", **fixed},
    ]
    content = two_bins(
        modifier("normfactor", "k"),
        HISTOSYS,
        modifier("histosys", "other", {"hi_data": [2.2, 4.2], "lo_data": [1.9, 3.9]}),
        modifier("lumi", "lumi"),
        modifier("shapesys", "mc", [0.4, 0.5]),
        parameters=parameters,
    )
    term = load_pyhf_workspace(content).regions[0].background[0]
    assert [response.name for response in term.responses] == ["other"]
    np.testing.assert_allclose(term.yields, [3.0, 6.0])
    np.testing.assert_allclose(term.responses[0].yields_up, [3.3, 6.3])


def test_sigmas_of_the_measurement_replace_those_of_the_samples():
    content = two_bins(
        modifier("staterror", "mc", [0.4, 0.1]),
        parameters=[{"name": "mc", "sigmas": [0.3, 0.2]}],
    )
    np.testing.assert_allclose(differences_of_nll(content), 0.0, atol=1e-10)


def test_a_measurement_is_chosen_by_name(tmp_path):
    content = two_bins(NORMSYS)
    other = {"name": "second", "config": {"poi": "k", "parameters": []}}
    content["measurements"].append(other)
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(content))
    assert load_pyhf_workspace(path, measurement="limit").regions[0].signal
    with pytest.raises(DataFileError, match="no sample carries the parameter of int"):
        load_pyhf_workspace(str(path), measurement="second")
    with pytest.raises(UnknownNameError, match="did you mean 'second'"):
        load_pyhf_workspace(path, measurement="secnd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"bad.json is not JSON: line 1, column 2: Expecting property name"),
        ("[1, 2]", r"bad.json is not a pyhf workspace: the top level"),
        ("null", r"bad.json is not a pyhf workspace: the top level"),
        ("3", r"bad.json is not a pyhf workspace: the top level"),
        ("{}", r"bad.json is not a pyhf workspace: channels: Field required"),
        ("", r"bad.json is empty"),
    ],
)
def test_files_that_are_not_workspaces_are_named(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(DataFileError, match=message):
        load_pyhf_workspace(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataFileError, match=r"none\.json"):
        load_pyhf_workspace(tmp_path / "none.json")


WHERE = "channel 'sr', sample 'background', modifier 'alpha' "


def with_parameter(kind, data, **settings):
    entry = {"name": "alpha", **settings}
    return two_bins(modifier(kind, data=data), parameters=[entry])


def changed(change):
    content = copy.deepcopy(two_bins(NORMSYS))
    change(content)
    return content


HI_LO = {"hi": 1.2, "lo": 0.8}
BAD = {
    "shapefactor": (two_bins(modifier("shapefactor")), WHERE + ".*not supported"),
    "unknown kind": (two_bins(modifier("magic")), "allowed are histosys, lumi"),
    "poi twice": (
        two_bins(on_signal=[MU]),
        "sample 'signal': modifier normfactor 'mu' occurs twice",
    ),
    "poi of another kind": (
        two_bins(modifier("normsys", "mu", HI_LO)),
        "parameter of interest must be a normfactor",
    ),
    "poi fixed": (
        two_bins(parameters=[{"name": "mu", "fixed": True}]),
        "parameter of interest 'mu' is fixed",
    ),
    "several pois": (
        changed(lambda w: w["measurements"][0]["config"].update(poi=["mu", "nu"])),
        r"measurements\[0\].config.poi: Input should be a valid string",
    ),
    "normsys at zero": (
        two_bins(modifier("normsys", data={"hi": 1.2, "lo": 0.0})),
        WHERE + r".*lo = 0.0; both must be above 0",
    ),
    "normsys without low": (
        two_bins(modifier("normsys", data={"hi": 1.2})),
        "data must hold hi and lo",
    ),
    "histosys of one bin": (
        two_bins(modifier("histosys", data={"hi_data": [1.0], "lo_data": [1.0, 2.0]})),
        "data must be 2 numbers, not 1 entries",
    ),
    "negative histosys": (
        two_bins(
            modifier("histosys", data={"hi_data": [1.0, -0.1], "lo_data": [1.0, 2.0]})
        ),
        "-0.1 is not a number at or above 0",
    ),
    "lumi without sigma": (
        two_bins(modifier("lumi", "lumi")),
        "auxdata and one sigma",
    ),
    "lumi elsewhere": (
        two_bins(modifier("lumi", "lumi"), parameters=[{**LUMI, "auxdata": [36.1]}]),
        r"auxdata \[36.1\] in the measurement; only 1 can be read",
    ),
    "moved auxdata": (
        with_parameter("normsys", HI_LO, auxdata=[0.5]),
        WHERE + r".*auxdata \[0.5\]",
    ),
    "sigma of a normsys": (
        with_parameter("normsys", HI_LO, sigmas=[2.0]),
        "has no sigmas, but the measurement sets them",
    ),
    "factors of a shapesys": (
        with_parameter("shapesys", [0.5, 0.5], factors=[1.0, 1.0]),
        r"only those of the modifier itself can be read, \[16.0, 64.0\]",
    ),
    "fixed elsewhere": (
        with_parameter("normsys", HI_LO, inits=[1.0], fixed=True),
        r"is fixed at \[1.0\]; only 0 can be read",
    ),
    "negative factor": (
        with_parameter("normfactor", None, inits=[-1.0], fixed=True),
        "is fixed at -1; it must be 0 or above",
    ),
    "shared shapesys": (
        two_bins(
            modifier("shapesys", data=[0.4, 0.5]),
            on_signal=[modifier("shapesys", data=[0.4, 0.5])],
        ),
        "sr/signal has factors of the same name; give every sample its own",
    ),
    "wrong number of bins": (
        changed(lambda w: w["observations"][0].update(data=[1])),
        "sample 'signal': 2 bins, but 1 observed",
    ),
    "no observation": (
        changed(lambda w: w["channels"].append({**w["channels"][0], "name": "cr"})),
        "channel 'cr': there are no observed events",
    ),
    "observation of nothing": (
        changed(lambda w: w["observations"][0].update(name="other")),
        "observed events of 'other', not a channel",
    ),
    "text for a number": (
        changed(lambda w: w["observations"][0].update(data=["3", 1])),
        r"observations\[0\].data\[0\]: Input should be a valid number",
    ),
    "nan": (
        changed(lambda w: w["observations"][0].update(data=[float("nan"), 1])),
        r"observations\[0\].data\[0\]: Input should be a finite number",
    ),
    "version": (changed(lambda w: w.update(version="2.0")), "version '2.0'; only"),
    "two channels of a name": (
        changed(lambda w: w["channels"].append(w["channels"][0])),
        "channel sr occurs twice",
    ),
    "nothing": (changed(lambda w: w.update(measurements=[])), "has no measurement"),
    "negative yield": (
        changed(lambda w: w["channels"][0]["samples"][1].update(data=[-1.0, 2.0])),
        "workspace: region 'sr', term 'background': yields: -1 is not a number",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_named(case):
    content, message = BAD[case]
    with pytest.raises(BsmfitError, match=message):
        load_pyhf_workspace(content)


def test_unknown_codes_are_refused():
    with pytest.raises(InputError, match="normsys = 'code2'; give 'code4' or 'code1'"):
        load_pyhf_workspace(two_bins(), normsys="code2")
