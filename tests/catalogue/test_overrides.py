"""Cards with own numbers: projections and what-ifs."""

import json

import pytest
from typer.testing import CliRunner

import bsmfit
from bsmfit.catalogue.overrides import all_overridden, read_override
from bsmfit.catalogue.projections import projection_names
from bsmfit.cli.app import app
from bsmfit.errors import DataFileError, InputError, UnknownNameError


@pytest.fixture(scope="module")
def muons():
    return bsmfit.load_channel("na62-dump-mumu")


def write(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", projection_names())
def test_shipped_projections_fit_their_searches(name):
    card = read_override(name)
    assert card.summary
    assert card.assumption
    assert card.channels
    for channel in card.channels:
        changed = bsmfit.load_channel(channel, overrides=name)
        assert changed.name == f"{channel}+{name}"
        assert not changed.is_published
        assert changed.inputs[-1][0] == f"projections/{name}.yaml"


def test_kaons_of_the_projections_follow_from_the_count():
    error = 51**0.5 / (51 - 18)
    for name, goal in (
        ("na62-kaons-15-percent", 0.15),
        ("kaon-successor-5-percent", 0.05),
    ):
        (numbers,) = read_override(name).channels.values()
        factor = (error / goal) ** 2
        assert numbers.background_factor == pytest.approx(factor, rel=1e-3)
        assert numbers.sensitivity == pytest.approx(4.217e-12 / factor, rel=1e-3)


def test_numbers_of_all_and_of_one(tmp_path, muons):
    path = write(
        tmp_path,
        "protons: 1e18\nchannels:\n  na62-dump-ee: {protons: 2e18, observed: 1}\n",
    )
    electrons = bsmfit.load_channel("na62-dump-ee")
    both = all_overridden([muons, electrons], path)
    assert [float(c.protons_on_target) for c in both] == [1e18, 2e18]
    assert both[0].name == "na62-dump-mumu+mine"
    assert both[1].changes == ("2e+18-protons", "1-observed")


def test_the_others_stay_as_they_are(muons):
    kaons = bsmfit.load_channel("na62-pi4e")
    both = all_overridden([muons, kaons], "na62-dump-1e18")
    assert both[1] is kaons
    assert both[0] is not muons


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("protonz: 1e18\n", "did you mean 'protons'"),
        ("efficiency: 2.0\n", "efficiency"),
        ("observed: -1\n", "observed"),
        ("channels: {na62-dump-mumu: {observed: -1}}\n", "na62-dump-mumu.observed"),
        ("background: 1.0\nbackground_factor: 2.0\n", "not both"),
        ("nuisances: [{name: a, sizes: 0.1}]\n", "did you mean 'size'"),
    ],
)
def test_bad_cards_are_refused_with_the_place(tmp_path, text, words):
    with pytest.raises(DataFileError, match=words) as caught:
        read_override(write(tmp_path, text))
    assert "mine.yaml" in str(caught.value)


def test_bad_names_are_corrected(tmp_path, muons):
    with pytest.raises(UnknownNameError, match="did you mean 'na62-dump-1e18'"):
        read_override("na62-dump-1e19")
    path = write(tmp_path, "channels: {na62-dump-mumo: {protons: 1e18}}\n")
    with pytest.raises(UnknownNameError, match="did you mean 'na62-dump-mumu'"):
        read_override(path)
    with pytest.raises(InputError, match="changes nothing of na62-dump-mumu"):
        bsmfit.load_channel("na62-dump-mumu", overrides="na62-kaons-15-percent")


def invoke(*arguments):
    return CliRunner().invoke(app, [*arguments])


def test_limit_takes_own_numbers_and_says_so(tmp_path):
    plain = json.loads(invoke("limit", "na62-dump-mumu", "--json").stdout)
    assert plain["changes"] == []
    options = ("--background", "0.5", "--observed", "0")
    report = json.loads(invoke("limit", "na62-dump-mumu", *options, "--json").stdout)
    assert report["background"] == 0.5
    assert report["n_observed"] == 0
    assert report["changes"] == ["background-0.5", "0-observed"]
    # no event: the limit does not know the background
    assert 2.30 < report["limit"] < 2.5
    card = write(tmp_path, "background: 0.5\nobserved: 0\n")
    by_card = invoke("limit", "na62-dump-mumu", "--override", str(card))
    assert "changed by hand: background-0.5, 0-observed" in by_card.stdout


def test_scan_writes_what_was_changed(tmp_path):
    result = invoke(
        *("scan", "dark-photon", "--channel", "na62-dump-mumu"),
        *("--channel", "na62-pi4e", "--no-figure", "--preset", "bremsstrahlung"),
    )
    assert result.exit_code == 2  # the model makes nothing for the kaon search
    out = tmp_path / "scan"
    result = invoke(
        *("scan", "dark-photon", "--channel", "na62-dump-mumu"),
        *("--protons", "na62-dump-mumu=1e18", "--observed", "0", "--out", str(out)),
        *("--mass", "0.3:0.5:3", "--coupling", "1e-7:1e-5:9", "--no-figure"),
    )
    assert result.exit_code == 0, result.output
    dataset = bsmfit.read_scan(out / "scan.nc")
    name = "na62-dump-mumu+1e+18-protons+0-observed"
    assert json.loads(dataset.attrs["changes"]) == {
        name: ["1e+18-protons", "0-observed"]
    }
    assert name in dataset.attrs["title"]
    assert dataset.attrs["is_published"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--protons", "many"), "--protons 'many' is no number"),
        (("--protons", "na62-dump-ee=1e18"), "unknown channel of --protons"),
        (("--protons", "1e18", "--protons", "2e18"), "given already"),
        (("--efficiency", "1.2"), "efficiency = 1.2"),
        (("--observed", "1.5"), "is no whole number"),
        (("--observed", "-1"), "n_observed = -1"),
        (("--override", "na62-dump-1e19"), "did you mean"),
        (("--override", "nowhere.yaml"), "does not exist"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_two(options, words):
    result = invoke("limit", "na62-dump-mumu", *options)
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_projections_are_listed():
    assert "na62-dump-1e18" in invoke("list", "projections").stdout
