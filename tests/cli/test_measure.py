"""The command ``bsmfit measure``."""

import json

import pytest
from typer.testing import CliRunner

from bsmfit.catalogue.pi_nunu import load_pi_nunu
from bsmfit.catalogue.records import pi_nunu_names
from bsmfit.cli.app import app
from bsmfit.cli.measure import LimitMethod, _chosen
from bsmfit.cli.measure_words import measurement_in_words


def run(*arguments):
    return CliRunner().invoke(app, ["measure", *arguments])


@pytest.fixture(scope="module")
def outcome():
    return run("na62-pi-nunu-2016", "--cl", "0.9", "--json")


def test_report_has_every_number_with_its_method(outcome):
    assert outcome.exit_code == 0, outcome.output
    report = json.loads(outcome.stdout)
    assert (report["n_observed"], report["background"]) == (1, pytest.approx(0.152))
    assert report["expected_signal"] == pytest.approx(0.267)
    # 1.0 / 8.4 of it
    assert report["expected_signal_external_error"] == pytest.approx(0.267 / 8.4)
    # 1 event less 0.152, each of 3.146e-10
    assert report["branching_ratio"] == pytest.approx(0.848 * 8.4e-11 / 0.267, rel=1e-6)
    assert report["low"] < report["branching_ratio"] < report["high"]
    assert report["interval_method"] == "profile"
    assert "fewer than 10" in report["interval_reason"]
    assert report["significance_method"] == "exact"
    assert report["posterior_low"] < report["posterior_mean"] < report["posterior_high"]
    assert report["posterior_prior"].startswith("flat")
    (limit,) = report["upper_limits"]
    # published: 11e-10 at 90 % CL (PDG 2026)
    assert limit["branching_ratio"] == pytest.approx(11e-10, rel=0.10)
    assert (limit["cl"], limit["method"], limit["status"]) == (0.9, "exact", "ok")


def test_words_say_unit_and_method(outcome):
    text = measurement_in_words(json.loads(outcome.stdout))
    for words in (
        "26.68 +",
        "e-11 (68.27 % CL, profile)",
        "0.152 +0.093 -0.035 events",
        "external",
        "one-sided",
        "prior flat in the branching ratio",
        "limit (90 % CL)",
        "CLs, exact, marginal",
        "exact, 1 events in all",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["na62-pi-nunu-run"], "did you mean 'na62-pi-nunu-run1'"),
        (["na62-dump-mumu"], "`bsmfit limit na62-dump-mumu`"),
        (["na62-pi-nunu-2016", "--cl", "90"], "did you mean 0.9"),
        (["na62-pi-nunu-2016", "--cl", "0"], "not between 0 and 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_help_has_an_example_and_the_names_of_the_data_sets():
    result = run("--help")
    assert result.exit_code == 0
    text = " ".join(result.stdout.replace("│", " ").split())
    assert "Example: bsmfit measure na62-pi-nunu-run1" in text
    assert all(name in text for name in pi_nunu_names())


@pytest.mark.parametrize("name", pi_nunu_names())
def test_limits_are_asymptotic_from_ten_events_on_and_say_how_to_get_exact_ones(name):
    channel = load_pi_nunu(name)
    chosen, reason = _chosen(channel, LimitMethod.AUTO)
    assert f"{channel.n_observed} events in all" in reason
    if channel.n_observed < 10:
        assert chosen is LimitMethod.EXACT
    else:
        assert chosen is LimitMethod.ASYMPTOTIC
        assert "--method exact" in reason
    for method in (LimitMethod.EXACT, LimitMethod.ASYMPTOTIC):
        assert _chosen(channel, method)[0] is method
