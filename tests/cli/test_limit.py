import json
import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import gammaincc
from typer.testing import CliRunner

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.models import load_model
from bsmfit.channels.search_region import log_total_signal
from bsmfit.cli.app import app
from bsmfit.scan.exclusion_point import ExclusionPoint


@pytest.fixture(scope="module")
def run():
    runner = CliRunner()

    def invoke(*arguments):
        return runner.invoke(app, ["limit", "na62-dump-mumu", *arguments])

    return invoke


def test_a_background_known_to_a_factor_has_an_observed_limit():
    """Counts beyond the exact sums: once the program wrote them all out, and hung."""
    options = ["--observed", "30", "--background", "30", "--json"]
    result = CliRunner().invoke(app, ["limit", "na62-dump-ee", *options])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["expected"], report["expected_status"]) == (None, "too_many_events")

    numbers = {"observed": 30, "background": 30.0}
    channel = load_channel("na62-dump-ee", overrides=numbers)
    (region,) = channel.unit_regions(None, jnp.zeros(()))
    theta, weights = np.polynomial.hermite_e.hermegauss(150)
    spreads = [
        math.hypot(*(response.size for response in term.responses))
        for term in (region.signal[0], region.background[0])
    ]
    factors = [np.exp(spread * theta) for spread in spreads]
    assert factors[1].max() > 1e6  # the published error: one event on 0.0094

    def at_most_30(signal):
        rates = signal * factors[0][:, None] + 30.0 * factors[1][None, :]
        return weights @ gammaincc(31.0, rates) @ weights

    truth = brentq(lambda s: at_most_30(s) / at_most_30(0.0) - 0.1, 1.0, 100.0)
    assert report["limit"] == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize(("n", "known"), [(0, 2.302585), (1, 3.873879), (3, 6.6648)])
def test_limits_at_few_events_alike(run, n, known):
    result = run("--observed", str(n), "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    # 22 % on the signal loosen the limit of a known one by a few percent
    assert known < report["limit"] < 1.08 * known
    assert (report["method"], report["ensemble"]) == ("exact", "marginal")
    assert report["n_observed"] == n
    assert list(report["expected"].values()) == sorted(report["expected"].values())


def test_asymptotic_formulae_are_computed_with_a_warning(run):
    result = run("--observed", "0", "--method", "asymptotic", "--json")
    assert result.exit_code == 0
    assert 1.3 < json.loads(result.stdout)["limit"] < 1.6
    assert "events stand behind the asymptotic formulae" in result.stderr


def test_credible_limit_says_so(run):
    result = run("--method", "bayes", "--cl", "0.95")
    assert result.exit_code == 0
    assert "credible, coverage not guaranteed" in result.stdout
    assert "95 % CL" in result.stdout


def test_limit_on_a_model_is_that_of_the_map(run):
    arguments = ["--mass", "0.3", "--model", "dark-photon", "--coupling", "1e-6"]
    report = json.loads(run(*arguments, "--json").stdout)
    point = ExclusionPoint.from_model(
        load_model("dark-photon"), [load_channel("na62-dump-mumu")], cl=0.90
    )
    mapped = point(jnp.array(0.3), jnp.array(1e-6))
    np.testing.assert_allclose(
        report["limit"], mapped.n_up_obs / mapped.n_signal, rtol=1e-5
    )


def test_further_parameters_of_a_model_are_taken():
    numbers = {"mass_ratio": 0.4, "epsilon": 1e-5}
    words = ["limit", "na62-pi4e", "--model", "dark-cascade", "--json"]
    words += ["--mass", "0.08", "--coupling", "1e-6"]
    for name, value in numbers.items():
        words += ["--parameter", f"{name}={value}"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["parameters"] == numbers
    model = load_model("dark-cascade").with_parameters(**numbers)
    (region,) = load_channel("na62-pi4e").regions(
        model(jnp.array(0.08), jnp.array(1e-6))
    )
    n_signal = float(jnp.exp(log_total_signal((region,))))
    assert report["expected_signal"] == pytest.approx(n_signal, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cl", "90"], "did you mean 0.9"),
        (["--lifetime-ns", "3"], "--lifetime-ns has no meaning for na62-dump-mumu"),
        (["--model", "dark-photon"], "--model needs --mass and --coupling"),
        (["--coupling", "1e-6"], "--coupling, --preset, --process and --parameter"),
        (["--parameter", "epsilon=1e-4"], "--process and --parameter need --model"),
        (["--parameter", "epsilon=1e-4,1e-3"], "a limit is for one point"),
        (
            ["--model", "dark-photon", "--mass", "9", "--coupling", "1e-6"],
            "lies outside the table of na62-dump-mumu",
        ),
        (
            ["--model", "dark-photon", "--mass", "0.3", "--coupling", "-1"],
            "must be above 0",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("channel", "mass", "lifetime_ns"),
    [
        ("na62-pi4e", "0.05", "1000"),
        ("na62-pi-invisible-run1", "0.2", "0.01"),
        ("na62-k-mu-n", "0.3", "0.01"),
    ],
)
def test_no_limit_on_a_branching_ratio_is_above_1(channel, mass, lifetime_ns):
    arguments = ["limit", channel, "--mass", mass, "--lifetime-ns", lifetime_ns]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["limit"] is None
    assert set(report["expected"].values()) == {None}
    assert report["status"] == report["expected_status"] == "unbounded"
    assert report["reason"].startswith("no branching ratio up to 1 is excluded")


def test_a_search_for_decays_takes_a_particle_without_lifetime_for_prompt():
    """Near the limit quoted for 250 MeV, 1.3e-10; `invisible` searches say stable."""
    arguments = ["limit", "na62-pi-mumu", "--mass", "0.25"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    report = json.loads(result.stdout)
    assert report["lifetime_ns"] == 0.0
    assert report["unit"] == "BR(kaon-to-pion) BR(mumu)"
    assert report["limit"] == pytest.approx(1.3e-10, rel=0.1)
    assert "decaying at once" in CliRunner().invoke(app, arguments).stdout


def test_a_search_of_unknown_background_expects_no_limit():
    result = CliRunner().invoke(app, ["limit", "na62-pi0-pi-minus-mu-e", "--json"])
    report = json.loads(result.stdout)
    assert report["limit"] == pytest.approx(2.9e-10, rel=0.002)
    assert report["expected"] is None
    assert report["expected_status"] == "unknown_background"
    words = CliRunner().invoke(app, ["limit", "na62-pi0-pi-minus-mu-e"]).stdout
    assert "unknown, as the background is" in words
