"""The table of rare decays, and limits of single ones, on the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from bsmfit.catalogue.kinds.rare_decay import rare_decay_names
from bsmfit.cli.app import app

run = CliRunner().invoke


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("figure") / "decays.png"
    result = run(app, ["rare-decays", "--json", "--plot", str(path)])
    assert result.exit_code == 0, result.output
    assert path.stat().st_size > 10_000
    return json.loads(result.stdout)


def test_the_table_has_every_search_with_its_published_limit(table):
    rows = {row["channel"]: row for row in table["searches"]}
    assert set(rows) == set(rare_decay_names())
    for row in rows.values():
        assert row["observed"] == pytest.approx(row["published"], rel=0.03)
    unknown = rows["na62-pi0-pi-minus-mu-e"]
    assert unknown["n_observed"] is unknown["expected"] is None
    assert unknown["is_independent"] is False


def test_people_get_a_table():
    result = run(app, ["rare-decays"])
    assert result.exit_code == 0
    assert "K+ -> mu- nu e+ e+" in result.stdout
    assert "8.13e-11" in result.stdout


def test_two_searches_for_one_decay_are_told_apart():
    result = run(app, ["rare-decays"])
    lines = [line for line in result.stdout.splitlines() if "K+ -> pi- e+ e+" in line]
    assert len(lines) == 2
    assert ["data of 2017" in line for line in lines] == [False, True]


# one count, an assumed count, and three regions with sources of background
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("na62-pi-minus-mu-mu", marks=pytest.mark.slow),
        pytest.param("na62-pi0-pi-plus-mu-plus-e-minus", marks=pytest.mark.slow),
        "na62-mu-minus-nu-e-e",
    ],
)
def test_single_limits_are_those_of_the_table(table, name):
    result = run(app, ["limit", name, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["n_observed"] < 10  # of the signal region, not of sidebands
    (row,) = [row for row in table["searches"] if row["channel"] == name]
    assert report["limit"] == pytest.approx(row["observed"], rel=1e-4)
    if row["expected"] is not None:
        # sources of background apart, or their sum
        expected = report["expected"]["median"]
        assert expected == pytest.approx(row["expected"], rel=2e-3)
    assert report["unit"] == f"BR({row['decay']})"
    assert (report["method"], report["cl"]) == ("exact", 0.9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["limit", "na62-pi-minus-mu-mu", "--mass", "0.2"], "--mass has no effect"),
        (["limit", "na62-pi-minus-mu-mu", "--lifetime-ns", "1"], "has no meaning"),
        (["limit", "na62-pi-minus-mumu"], "did you mean 'na62-pi-minus-mu-mu'"),
        (["rare-decays", "--cl", "0.2"], "0.2"),
        (["rare-decays", "--plot", "x.gif"], ".png"),
    ],
)
def test_bad_input_is_one_line(arguments, words):
    result = run(app, arguments)
    assert result.exit_code == 2
    (line,) = [text for text in result.stderr.splitlines() if text]
    assert words in line
