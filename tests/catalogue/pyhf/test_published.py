"""Workspaces as they are published: shared names, fixed parameters, two together."""

from __future__ import annotations

import copy
import json
import os

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

import bsmfit
from bsmfit.catalogue.pyhf.workspace import load_pyhf_workspace
from bsmfit.errors import DataFileError, InputError, UnknownNameError
from bsmfit.export.pyhf_parameters import pyhf_constant, pyhf_parameters
from bsmfit.export.pyhf_workspace import to_pyhf_workspace
from bsmfit.likelihood.likelihood import combine

MU = {"name": "mu", "type": "normfactor", "data": None}
LUMI = {"name": "lumi", "type": "lumi", "data": None}
SET_LUMI = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0]}


def modifier(kind, name, data=None):
    return {"name": name, "type": kind, "data": data}


def workspace(channels, observed, parameters=()):
    return {
        "channels": [
            {"name": name, "samples": samples} for name, samples in channels.items()
        ],
        "observations": [
            {"name": name, "data": data} for name, data in observed.items()
        ],
        "measurements": [
            {"name": "m", "config": {"poi": "mu", "parameters": list(parameters)}}
        ],
        "version": "1.0.0",
    }


def analysis(channel, signal, background, error, observed, staterror):
    """One channel with a luminosity and an uncertainty of its background."""
    signal = {"name": "sig", "data": [signal], "modifiers": [MU, LUMI]}
    background = {
        "name": "bkg",
        "data": [background],
        "modifiers": [
            LUMI,
            modifier("staterror", staterror, [error]),
            modifier("normsys", "xs", {"hi": 1.1, "lo": 0.9}),
        ],
    }
    channels = {channel: [signal, background]}
    return workspace(channels, {channel: [observed]}, [SET_LUMI])


def same_names():
    return [
        analysis("SR", 6.0, 40.0, 3.0, 44, "mc"),
        analysis("SR", 4.0, 25.0, 2.0, 24, "mc"),
    ]


def shared_staterror(names=("A", "B")):
    """Two channels whose staterrors have one name."""
    rows = {
        names[0]: ([5.0, 8.0], [40.0, 60.0], [4.0, 5.0]),
        names[1]: ([3.0, 2.0], [30.0, 35.0], [3.0, 4.0]),
    }
    channels = {
        name: [
            {"name": "x", "data": signal, "modifiers": [MU]},
            {
                "name": "y",
                "data": background,
                "modifiers": [modifier("staterror", "k", errors)],
            },
        ]
        for name, (signal, background, errors) in rows.items()
    }
    return workspace(channels, {names[0]: [42, 63], names[1]: [28, 36]})


def differences(likelihood, content, *, has_fixed=True):
    """-ln L of pyhf minus ours at random points, without the documented constant."""
    pyhf = pytest.importorskip("pyhf")
    space = pyhf.Workspace(content)
    model = space.model()
    data = space.data(model)
    arrays = likelihood.arrays()
    rng = np.random.default_rng(5)
    found = []
    for _ in range(4):
        mu = jnp.array(rng.uniform(0.0, 3.0))
        x = jnp.array(rng.normal(0.0, 0.7, len(arrays.parameter_names)))
        point = np.array(model.config.suggested_init())
        for name, value in pyhf_parameters(likelihood, mu, x).items():
            point[model.config.par_slice(name)] = value
        ours = arrays.negative_log_likelihood(mu, x)
        constant = pyhf_constant(likelihood, has_fixed=has_fixed)
        found.append(-model.logpdf(point, data)[0] - float(ours) - constant)
    return np.array(found)


def test_a_staterror_name_in_two_channels_is_one_parameter_for_each_bin():
    for names in (("A", "B"), ("B", "A")):  # pyhf sorts its channels
        content = shared_staterror(names)
        likelihood = load_pyhf_workspace(content)
        np.testing.assert_allclose(differences(likelihood, content), 0.0, atol=1e-10)
        exported = to_pyhf_workspace(likelihood).workspace
        np.testing.assert_allclose(differences(likelihood, exported), 0.0, atol=1e-10)
    # pyhf 0.7.6 with minuit, CLs 95 %: 1.81998 to 1.82000
    limit = bsmfit.upper_limit(likelihood, cl=0.95, method="asymptotic")
    np.testing.assert_allclose(limit.value, 1.81998, rtol=2e-5)


def test_sigmas_of_a_shared_staterror_are_those_of_its_channels_in_order():
    content = shared_staterror(("B", "A"))
    settings = {"name": "k", "sigmas": [0.1, 0.2, 0.3, 0.4]}  # A, then B
    content["measurements"][0]["config"]["parameters"] = [settings]
    likelihood = load_pyhf_workspace(content)
    first = likelihood.regions[0].background[0].responses[0]
    np.testing.assert_array_equal(first.relative_errors, [0.3, 0.4])
    np.testing.assert_allclose(differences(likelihood, content), 0.0, atol=1e-10)


def test_two_analyses_with_one_luminosity_have_pyhfs_limit():
    first, second = same_names()
    loaded = [
        load_pyhf_workspace(content, prefix=prefix, shared=("lumi", "xs"))
        for content, prefix in ((first, "cms"), (second, "atlas"))
    ]
    joint = combine(loaded)
    assert [region.name for region in joint.regions] == ["cms_SR", "atlas_SR"]
    names = joint.arrays().parameter_names
    assert set(names) == {"lumi", "cms_mc[0]", "atlas_mc[0]", "xs"}
    limit = bsmfit.upper_limit(joint, cl=0.95, method="asymptotic")
    # pyhf 0.7.6 with minuit, of the workspace joined by hand, CLs 95 %, code 4
    np.testing.assert_allclose(limit.value, 2.42819, rtol=5e-5)


def test_prefixes_in_combine_do_the_same_as_prefixes_on_import():
    contents = same_names()
    by_import = combine(
        [
            load_pyhf_workspace(content, prefix=prefix, shared=["lumi"])
            for content, prefix in zip(contents, "ab", strict=True)
        ]
    )
    plain = [load_pyhf_workspace(content) for content in contents]
    with pytest.raises(InputError, match=r"region 'SR' occurs twice.*prefixes=\['a'"):
        combine(plain)
    later = combine(plain, prefixes=["a", "b"], shared=["lumi"])
    assert jax.tree.structure(by_import) == jax.tree.structure(later)
    assert later.arrays().parameter_names == (
        "lumi",
        "a_mc[0]",
        "a_xs",
        "b_mc[0]",
        "b_xs",
    )


def test_a_prefixed_staterror_of_two_channels_keeps_pyhfs_parameters():
    content = shared_staterror()
    likelihood = load_pyhf_workspace(content, prefix="x")
    found = pyhf_parameters(likelihood, 1.0, jnp.arange(4.0))
    np.testing.assert_allclose(
        found["x_k"], [1.0, 1 + 5 / 60, 1 + 2 * 3 / 30, 1 + 3 * 4 / 35]
    )


FIXED = {
    "lumi": (LUMI, {**SET_LUMI, "sigmas": [0.1]}),
    "normsys": (modifier("normsys", "z", {"hi": 1.2, "lo": 0.7}), {"name": "z"}),
    "histosys": (
        modifier("histosys", "z", {"hi_data": [3.0, 4.0], "lo_data": [1.0, 3.0]}),
        {"name": "z"},
    ),
    "staterror": (modifier("staterror", "z", [0.4, 0.0]), {"name": "z"}),
    "shapesys": (modifier("shapesys", "z", [0.4, 0.5]), {"name": "z"}),
    "shapesys without error": (modifier("shapesys", "z", [0.4, 0.0]), {"name": "z"}),
    "normfactor": (modifier("normfactor", "z"), {"name": "z"}),
}


@pytest.mark.parametrize("kind", FIXED)
def test_the_constraint_of_a_fixed_parameter_is_in_the_constant(kind):
    fixed, settings = FIXED[kind]
    signal = {"name": "s", "data": [3.0, 1.5], "modifiers": [MU]}
    background = {"name": "b", "data": [2.0, 4.0], "modifiers": [fixed]}
    content = workspace(
        {"sr": [signal, background]}, {"sr": [3, 5]}, [{**settings, "fixed": True}]
    )
    likelihood = load_pyhf_workspace(content)
    np.testing.assert_allclose(differences(likelihood, content), 0.0, atol=1e-10)
    exported = to_pyhf_workspace(likelihood).workspace
    found = differences(likelihood, exported, has_fixed=False)
    np.testing.assert_allclose(found, 0.0, atol=1e-10)
    if kind == "lumi":
        expected = np.log(0.1) + 0.5 * np.log(2.0 * np.pi)
        np.testing.assert_allclose(pyhf_constant(likelihood), expected, rtol=1e-14)


def test_a_nuisance_fixed_in_one_and_free_in_another_is_no_common_one():
    free, fixed = same_names()
    fixed["measurements"][0]["config"]["parameters"] = [{**SET_LUMI, "fixed": True}]
    plain = [load_pyhf_workspace(content) for content in (free, fixed)]
    with pytest.raises(InputError, match="'lumi' is fixed in one of them and free"):
        combine(plain, prefixes=["a", "b"], shared=["lumi"])
    joint = combine(plain, prefixes=["a", "b"])
    assert [name for name, _ in joint.fixed] == ["b_lumi"]


@pytest.mark.parametrize("counts", [[413.2, 287.5], [9.99999993922529e-09, 0.0]])
def test_counts_that_are_not_whole_are_kept(counts):
    signal = {"name": "s", "data": [5.0, 3.0], "modifiers": [MU]}
    background = {"name": "b", "data": [413.0, 287.0], "modifiers": []}
    content = workspace({"SR": [signal, background]}, {"SR": counts})
    observed = load_pyhf_workspace(content).regions[0].observed
    np.testing.assert_array_equal(observed, counts)


# --- what must be refused -------------------------------------------------------------


@pytest.fixture
def as_users_call(monkeypatch):
    """Call functions without the type checks that only the tests have."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"prefix": "a b"}, InputError, "prefix = 'a b'; give letters"),
        ({"prefix": 3}, InputError, "prefix = 3; give letters"),
        ({"shared": ["lumi"]}, InputError, "no effect without a prefix"),
        ({"prefix": "a", "shared": "lumi"}, InputError, "give names in a list"),
        ({"prefix": "a", "shared": ["lum"]}, UnknownNameError, "did you mean 'lumi'"),
        ({"prefix": "a", "shared": ["mc"]}, InputError, "leave them out of shared"),
        ({"measurement": 3}, InputError, r"measurement is 3; give one of \['m'\]"),
        ({"normsys": 3}, InputError, "normsys = 3; give 'code4' or 'code1'"),
    ],
)
def test_arguments_of_another_kind_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        load_pyhf_workspace(same_names()[0], **arguments)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("source", [None, 3, ["a"], "", '{"a":\n1}'])
def test_a_source_of_another_kind_is_named(source):
    with pytest.raises(InputError, match="must be the path of a file, but is"):
        load_pyhf_workspace(source)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("prefixes", "shared", "message"),
    [
        (["a"], (), "1 prefixes for 2 likelihoods; give one for each"),
        ("ab", (), "give names in a list"),
        (["a", 2], (), "give names in a list"),
        (["a", "a"], (), "region 'a_SR' occurs twice.*give other prefixes"),
        (["a", "b"], ["lum"], "unknown nuisance in shared 'lum'; did you mean 'lumi'"),
        (None, ["lumi"], "no effect without a prefix"),
    ],
)
def test_prefixes_that_do_not_fit_are_named(prefixes, shared, message):
    plain = [load_pyhf_workspace(content) for content in same_names()]
    with pytest.raises(InputError, match=message):
        combine(plain, prefixes=prefixes, shared=shared)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("given", [None, [None], ["a"], 3])
def test_combine_of_something_else_is_named(given):
    with pytest.raises(InputError, match="not a"):
        combine(given)


def test_one_prefix_is_enough_to_tell_two_apart():
    plain = [load_pyhf_workspace(content) for content in same_names()]
    joint = combine(plain, prefixes=["", "b"])
    assert [region.name for region in joint.regions] == ["SR", "b_SR"]


TEXTS = {
    "key twice": (
        ('"poi": "mu"', '"poi": "mu", "poi": "nu"'),
        "the key 'poi' occurs twice in one object, 'mu' and 'nu'; remove one of them",
    ),
    "data twice": (
        ('"data": [6.0]', '"data": [6.0], "data": [60.0]'),
        "the key 'data' of 'sig' occurs twice in one object",
    ),
    "nan": (("[6.0]", "[NaN]"), "NaN is no number of JSON"),
    "infinite": (("[6.0]", "[1e999]"), "Input should be a finite number"),
    "long integer": (("[6.0]", f"[{'9' * 5000}]"), "a number has too many digits"),
    "large integer": (
        ('"hi": 1.1', f'"hi": {"9" * 400}'),
        "hi = 999.*both must be above 0",
    ),
    "deep": (("[6.0]", "[" * 200 + "]" * 200), "nested too deeply"),
    "very deep": (("[6.0]", "[" * 100000), "nested too deeply|is not JSON"),
    "deep modifier": (
        ('{"hi": 1.1, "lo": 0.9}', "[" * 60 + "]" * 60),
        "nested too deeply|data must hold hi and lo",
    ),
    "text": (("[6.0]", '["6"]'), r"data\[0\]: .*valid number .given: '6'."),
    "no inits": (
        ('"sigmas": [0.02]', '"sigmas": []'),
        "auxdata and one sigma",
    ),
    "no sigma": (('"sigmas": [0.02]', '"sigmas": [0.0]'), "sigmas is 0; it must be"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_content_that_cannot_be_meant_is_refused_in_one_line(case, tmp_path):
    (old, new), message = TEXTS[case]
    text = json.dumps(same_names()[0])
    assert old in text
    path = tmp_path / "workspace.json"
    path.write_text(text.replace(old, new))
    with pytest.raises(DataFileError, match=message) as caught:
        load_pyhf_workspace(path)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_a_fixed_factor_without_a_value_is_named():
    content = copy.deepcopy(same_names()[0])
    background = content["channels"][0]["samples"][1]
    background["modifiers"].append(modifier("normfactor", "k"))
    settings = {"name": "k", "inits": [], "fixed": True}
    content["measurements"][0]["config"]["parameters"].append(settings)
    with pytest.raises(DataFileError, match=r"is fixed at \[\]; it must be 0 or above"):
        load_pyhf_workspace(content)


def test_a_pipe_and_a_large_file_are_refused(tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    with pytest.raises(DataFileError, match="no regular file"):
        load_pyhf_workspace(pipe)
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(300 * 2**20)  # sparse: takes no room
    with pytest.raises(DataFileError, match="has more than 200 MB, the most that"):
        load_pyhf_workspace(large)
