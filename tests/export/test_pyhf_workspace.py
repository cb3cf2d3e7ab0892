"""Exported workspaces, evaluated by pyhf, against the likelihood they came from."""

from __future__ import annotations

import builtins
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.pyhf.workspace import load_pyhf_workspace
from bsmfit.errors import InputError, OutputError
from bsmfit.export.pyhf_parameters import pyhf_constant, pyhf_parameters
from bsmfit.export.pyhf_workspace import to_pyhf_workspace, validate_pyhf, write_pyhf
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    Gamma,
    LogNormal,
    Morph,
    Sideband,
    TruncatedNormal,
)

pyhf = pytest.importorskip("pyhf")

CODES = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code4p"}}
N_RANDOM = 12


@jax.jit
def our_nll(likelihood, strength, parameters):
    arrays = likelihood.arrays()
    return jax.vmap(arrays.negative_log_likelihood)(strength, parameters)


def pyhf_nll(workspace, points, settings=None):
    workspace = pyhf.Workspace(workspace)
    keywords = {"modifier_settings": settings} if settings else {}
    model = workspace.model(**keywords)
    data = workspace.data(model)
    values = []
    for point in points:
        parameters = np.array(model.config.suggested_init())
        for name, value in point.items():
            parameters[model.config.par_slice(name)] = value
        values.append(-model.logpdf(parameters, data)[0])
    return np.array(values)


def random_points(likelihood, seed=5):
    rng = np.random.default_rng(seed)
    names = jax.eval_shape(Likelihood.arrays, likelihood).parameter_names
    centre = np.array([2.0 if name == "control" else 0.0 for name in names])
    shift = rng.normal(0.0, 0.6, (N_RANDOM, len(names)))
    return jnp.array(rng.uniform(0.0, 3.0, N_RANDOM)), jnp.array(centre + shift)


def difference_of_nll(likelihood, workspace, *, mapped_by=None, settings=None):
    strength, parameters = random_points(likelihood)
    points = [
        pyhf_parameters(mapped_by or likelihood, mu, x)
        for mu, x in zip(strength, parameters, strict=True)
    ]
    theirs = pyhf_nll(workspace, points, settings)
    ours = np.asarray(our_nll(likelihood, strength, parameters))
    return 2.0 * (theirs - ours - pyhf_constant(likelihood))


def one_bin(background_responses=(), signal_responses=(), **keywords):
    return Likelihood.from_regions(
        [
            Region(
                "sr",
                3,
                [Term("signal", 4.0, signal_responses)],
                [Term("fakes", 2.0, background_responses)],
            )
        ],
        **keywords,
    )


@pytest.fixture(scope="module")
def rich():
    """Everything that HistFactory evaluates as this package does."""
    mc = BinFactors("mc", [0.1, 0.2, 0.3], "normal")
    lumi = TruncatedNormal("lumi", 0.1)
    tracks = Asymmetric("tracks", 1.1, 0.85)
    multi = Gamma("multiplicity", 0.4)
    spectrum = [
        tracks,
        Morph("shape", [2.2, 1.1, 0.5], [1.7, 0.95, 0.8]),
        Asymmetric("shape", 1.1, 0.95),
        mc,
        lumi,
    ]
    first = Region(
        "sr/a b",
        [3, 1, 2],
        [Term("signal", [1.0, 2.0, 0.5], [tracks, lumi, mc])],
        [
            Term("muons", [2.0, 1.0, 0.6], spectrum),
            Term(
                "pions",
                [0.5, 0.4, 0.3],
                [BinFactors("beam [%]", [0.3, 0.4, 0.5]), Free("k")],
            ),
            Term("rest", [0.5, 0.4, 0.3], [multi, TruncatedNormal("trigger", 0.2)]),
        ],
    )
    second = Region(
        "sr2",
        1,
        [Term("signal", 1.5, [tracks])],
        [
            Term("fakes", 0.02, [Sideband("control", 9)]),
            Term("photons", 0.5, [Gamma("photon rate", 0.25)]),
            Term("rest", 0.2, [multi]),
        ],
    )
    return Likelihood.from_regions([first, second])


def test_pyhf_gives_the_same_likelihood_for_every_kind_of_response(rich):
    export = to_pyhf_workspace(rich)
    assert [entry.reason for entry in export.differences] == []
    difference = difference_of_nll(rich, export.workspace)
    np.testing.assert_allclose(difference, 0.0, atol=1e-10)


def test_the_constant_is_the_width_of_the_gaussian_factors(rich):
    expected = np.log(0.1) + np.sum(np.log([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(pyhf_constant(rich), expected, rtol=1e-14)


def test_exporting_and_importing_gives_the_same_likelihood(rich):
    workspace = to_pyhf_workspace(rich).workspace
    again = load_pyhf_workspace(json.loads(json.dumps(workspace)))
    assert [region.name for region in again.regions][:2] == ["sr/a b", "sr2"]
    # the model of the same workspace is the common ground: names may be ordered anew
    strength, parameters = random_points(again)
    points = [
        pyhf_parameters(again, mu, x)
        for mu, x in zip(strength, parameters, strict=True)
    ]
    ours = np.asarray(our_nll(again, strength, parameters)) + pyhf_constant(again)
    np.testing.assert_allclose(2 * (pyhf_nll(workspace, points) - ours), 0, atol=1e-10)
    arrays, before = (jax.eval_shape(Likelihood.arrays, each) for each in (again, rich))
    assert before.n_parameter == arrays.n_parameter


def test_log_normal_factors_are_exact_by_code_1_and_nearly_so_by_code_4():
    likelihood = one_bin([LogNormal("k", 1.3)], [LogNormal("protons", 1.2)])
    export = to_pyhf_workspace(likelihood, normsys="code1")
    assert export.differences == ()
    exact = difference_of_nll(likelihood, export.workspace, settings=CODES)
    np.testing.assert_allclose(exact, 0.0, atol=1e-10)
    notes = to_pyhf_workspace(likelihood).differences
    assert [(note.term, note.nuisance) for note in notes] == [
        ("signal", "protons"),
        ("fakes", "k"),
    ]
    near = difference_of_nll(likelihood, export.workspace)
    assert 0.0 < np.max(np.abs(near)) < 1e-6


@pytest.mark.parametrize("kappa", [1.1, 1.3, 2.0, 0.5])
def test_the_reported_difference_is_that_of_pyhfs_own_interpolation(kappa):
    note = to_pyhf_workspace(one_bin([LogNormal("k", kappa)])).differences
    theta = np.linspace(-1.0, 1.0, 401)
    code4 = pyhf.interpolators.code4([[[[1 / kappa], [1.0], [kappa]]]])
    theirs = np.asarray(code4(theta[None, :])).ravel()
    largest = np.max(np.abs(theirs - kappa**theta))
    np.testing.assert_allclose(note[0].largest if note else 0.0, largest, atol=1e-12)


def test_what_is_cut_off_or_kinked_here_is_reported():
    shape = Morph("shape", [1.0], [2.4], "code0")
    likelihood = one_bin([shape], [TruncatedNormal("wide", 0.5)])
    notes = {n.nuisance: n for n in to_pyhf_workspace(likelihood).differences[:2]}
    # 1 - 0.5 * 3 = -0.5
    np.testing.assert_allclose(notes["wide"].largest, 0.5)
    assert "code0" in notes["shape"].reason
    last = to_pyhf_workspace(likelihood).differences[-1]
    # 2 - 3 = -1 of 2 at +3
    np.testing.assert_allclose(last.largest, 0.5, rtol=1e-12)


def test_bins_without_error_are_fixed_in_pyhf():
    likelihood = Likelihood.from_regions(
        [
            Region(
                "sr",
                [3, 1],
                [Term("signal", [1.0, 1.0])],
                [Term("b", [2.0, 1.0], [BinFactors("mc", [0.2, 0.0])])],
            )
        ]
    )
    workspace = to_pyhf_workspace(likelihood).workspace
    assert workspace["channels"][0]["samples"][1]["modifiers"][0]["data"] == [0.4, 0.0]
    parameters = jnp.array([0.3, 0.0])
    point = pyhf_parameters(likelihood, 1.0, parameters)
    assert point["mc"] == pytest.approx([np.exp(0.3), 1.0])
    ours = our_nll(likelihood, jnp.ones(1), parameters[None])[0]
    theirs = pyhf_nll(workspace, [point])[0]
    # 1e8 auxiliary events stand for no error, and cost digits
    assert theirs - ours - pyhf_constant(likelihood) == pytest.approx(0.0, abs=1e-5)


def test_factors_of_bins_that_terms_share_become_a_control_channel():
    shared = BinFactors("mc", [0.2, 0.3])
    likelihood = Likelihood.from_regions(
        [
            Region(
                "mc",
                [3, 1],
                [Term("signal", [1.0, 1.0], [shared])],
                [Term("b", [2.0, 1.0], [shared])],
            )
        ]
    )
    workspace = to_pyhf_workspace(likelihood).workspace
    assert workspace["channels"][1]["name"] == "mc_control"
    np.testing.assert_allclose(
        difference_of_nll(likelihood, workspace), 0.0, atol=1e-10
    )


def test_schema_errors_say_what_is_wrong():
    validate_pyhf(to_pyhf_workspace(one_bin()).workspace, "workspace")
    with pytest.raises(InputError, match="not a pyhf workspace"):
        validate_pyhf({"channels": []}, "workspace")


def test_without_pyhf_the_check_names_the_extra(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("pyhf"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"pip install 'bsmfit\[pyhf\]'"):
        validate_pyhf({}, "workspace")


def with_events():
    events = EventDensities([[1.0]], [[0.2]])
    return Likelihood.from_regions(
        [Region("sr", 1, [Term("s", 1.0)], [Term("b", 0.1)], events)]
    )


@pytest.mark.parametrize(
    ("make", "keywords", "message"),
    [
        (with_events, {}, "region 'sr' has densities of single events"),
        (
            lambda: one_bin(
                [LogNormal("a", 1.1)],
                [LogNormal("b", 1.2)],
                correlations={("a", "b"): 0.5},
            ),
            {},
            r"'a' \(region 'sr', term 'fakes'\) and 'b' .* partially correlated",
        ),
        (
            lambda: one_bin([TruncatedNormal("a", 0.1), TruncatedNormal("b", 0.1)]),
            {},
            "term 'fakes': the Gaussian factor 'a' multiplies",
        ),
        (
            lambda: one_bin([BinFactors("a/b", [0.1], "normal")]),
            {},
            "staterror with '/' in its name",
        ),
        (lambda: one_bin([LogNormal("mu", 1.1)]), {}, "'mu' is also a nuisance"),
        (
            lambda: Likelihood.from_regions([Region("r", 0, [], [Term("b", 1.0)])]),
            {},
            "no region has a signal term",
        ),
        (one_bin, {"normsys": "code2"}, "unknown normsys 'code2'"),
    ],
)
def test_what_histfactory_cannot_express_is_refused(make, keywords, message):
    with pytest.raises(InputError, match=message):
        to_pyhf_workspace(make(), **keywords)


def test_files_are_written_whole_or_not_at_all(tmp_path):
    workspace = to_pyhf_workspace(one_bin(), strength_name="strength").workspace
    write_pyhf(workspace, tmp_path / "workspace.json")
    assert json.loads((tmp_path / "workspace.json").read_text()) == workspace
    assert workspace["measurements"][0]["config"]["poi"] == "strength"
    with pytest.raises(OutputError, match="cannot write"):
        write_pyhf({"a": float("nan")}, tmp_path / "bad.json")
    assert not (tmp_path / "bad.json").exists()
