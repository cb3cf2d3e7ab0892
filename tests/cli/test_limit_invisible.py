"""``bsmfit limit`` for searches for K+ -> pi+ X, X invisible."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from bsmfit.cli.app import app
from bsmfit.cli.limit_invisible import invisible_in_words
from bsmfit.cli.words import QUANTILE_NAMES

RUN_1 = "na62-pi-invisible-run1"
# arXiv:2103.15389, limits for stable X on both sides of 0.2 GeV, digitised
BELOW, ABOVE = (0.199561, 1.060e-11), (0.201754, 9.078e-12)


def published_limit(mass):
    logs = np.interp(mass, [BELOW[0], ABOVE[0]], np.log([BELOW[1], ABOVE[1]]))
    return math.exp(logs)


def run(*arguments):
    return CliRunner().invoke(app, ["limit", *arguments])


@pytest.fixture(scope="module")
def report():
    """Of an X that lives a second, and hardly ever decays in the detector."""
    result = run(RUN_1, "--mass", "0.2", "--lifetime-ns", "1e9", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_limit_for_a_long_lived_particle_is_the_published_one(report):
    assert report["limit"] == pytest.approx(published_limit(0.2), rel=1e-4)
    assert report["unit"] == "BR(K+ -> pi+ X)"
    assert report["count"] == "reconstructed from the published limit"
    assert (report["status"], report["cl"]) == ("ok", 0.9)
    assert 1.0 - 1e-6 < report["invisible_probability"] <= 1.0
    expected = [report["expected"][name] for name in QUANTILE_NAMES]
    assert expected == sorted(expected)


def test_words_have_every_number_and_its_unit(report):
    text = invisible_in_words(report)
    for words in (
        RUN_1,
        "mass 0.2 GeV, lifetime 1e+09 ns",
        "reconstructed from the published limit",
        "expected without signal",
        "for one event of a stable X",
        "limit (90 % CL)",
        "e-11 on BR(K+ -> pi+ X)",
        "at 1 sigma",
        "CLs, exact, marginal",
    ):
        assert words in text
    assert "stable\n" in invisible_in_words(report | {"lifetime_ns": None})


def test_limit_on_a_model_is_that_on_the_branching_ratio_it_predicts():
    """A scalar of 0.2 GeV with this mixing lives 20 ms; no theory uncertainty."""
    arguments = ["--model", "dark-scalar", "--preset", "na62-run1"]
    arguments += ["--mass", "0.2", "--coupling", "1e-9", "--json"]
    report = json.loads(run(RUN_1, *arguments).stdout)
    limit = report["limit"] * report["branching_ratio"]
    assert limit == pytest.approx(published_limit(0.2), rel=1e-4)
    # BR = C (2 p / m_K) sin^2(theta), C of the preset, two-body momentum p
    m_kaon, m_pion, mass = 0.493677, 0.13957039, 0.2
    product = (m_kaon**2 - (m_pion + mass) ** 2) * (m_kaon**2 - (m_pion - mass) ** 2)
    ratio = 1.51e-3 * math.sqrt(product) / m_kaon**2 * 1e-9
    assert report["branching_ratio"] == pytest.approx(ratio, rel=1e-6)
    assert report["lifetime_ns"] > 1e6
    text = invisible_in_words(report)
    assert "dark-scalar (na62-run1), sin_theta_squared = 1e-09" in text
    assert "of the signal of the model" in text


MODEL = ["--model", "dark-scalar", "--mass", "0.2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "needs --mass [GeV], within 0 to 0.11 and 0.154 to 0.2595 GeV"),
        (["--mass", "0.13"], "only at 0 to 0.11 and 0.154 to 0.2595 GeV"),
        (["--mass", "0.36"], "says nothing there"),
        (["--mass", "nan"], "says nothing there"),
        (["--mass", "0.2", "--lifetime-ns", "-1"], "lifetime = -1 ns must be above 0"),
        (["--mass", "0.2", "--lifetime-ns", "0"], "lifetime = 0 ns must be above 0"),
        (["--mass", "0.2", "--lifetime-ns", "nan"], "must be above 0 and finite"),
        (["--mass", "0.2", "--cl", "90"], "did you mean 0.9"),
        (["--mass", "0.2", "--observed", "3"], "its count is reconstructed"),
        (["--mass", "0.2", "--method", "toys"], "--method auto or exact"),
        (["--mass", "0.2", "--method", "bayes"], "--method auto or exact"),
        (["--mass", "0.2", "--toys", "10"], "--toys has no meaning"),
        (["--mass", "0.2", "--seed", "2"], "--seed has no meaning"),
        (["--mass", "0.2", "--ensemble", "marginal"], "--ensemble has no meaning"),
        (["--mass", "0.2", "--coupling", "1e-9"], "need --model"),
        (MODEL, "--model needs --mass and --coupling"),
        ([*MODEL, "--coupling", "0"], "coupling = 0 must be above 0"),
        ([*MODEL, "--coupling", "1e-9", "--lifetime-ns", "2"], "predicts the lifetime"),
        ([*MODEL, "--coupling", "1e-9", "--preset", "pol"], "did you mean 'pole-mass'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words):
    result = run(RUN_1, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_count_beyond_the_sums_is_refused():
    result = run(f"{RUN_1}-count", "--mass", "0.2", "--observed", "61")
    assert result.exit_code == 2
    assert "0 to 60 events" in result.stderr


def test_model_that_does_not_reach_the_mass_is_refused():
    arguments = ["--mass", "0.0005", "--coupling", "1e-9", "--model", "dark-scalar"]
    result = run(RUN_1, *arguments)
    assert result.exit_code == 2
    assert "mass = 0.0005 GeV lies outside dark-scalar (0.0011 to 2 GeV)" in (
        result.stderr
    )
