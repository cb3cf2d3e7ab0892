from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.citations import bibliography
from bsmfit.catalogue.describe import describe
from bsmfit.catalogue.files import data_root, model_root
from bsmfit.catalogue.kinds.rare_decay import rare_decay_names
from bsmfit.catalogue.kinds.registry import names_with
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.published import load_published_limit
from bsmfit.catalogue.records import (
    channel_names,
    locate_channel,
    model_names,
    pi_nunu_names,
    preset_names,
)
from bsmfit.catalogue.tables.metadata import read_metadata
from bsmfit.catalogue.tables.table_files import read_yield_table, table_path
from bsmfit.errors import DataFileError, UnknownNameError


def test_names_are_known():
    assert model_names() == (
        "alp-fermion",
        "alp-gluon",
        "alp-photon",
        "axion-pair-rate",
        "b-minus-l",
        "b-to-k-a-to-ee",
        "b-to-k-a-to-mumu",
        "baryon",
        "cascade-rate",
        "dark-axion-pair",
        "dark-cascade",
        "dark-photon",
        "dark-photon-invisible",
        "dark-scalar",
        "fv-axion",
        "heavy-neutral-lepton",
        "k-to-pi-a",
        "k-to-pi-a-to-gammagamma",
        "k-to-pi-a-to-mumu",
        "l-e-minus-l-mu",
        "l-mu-minus-l-tau",
        "protophobic",
    )
    rare = rare_decay_names()
    assert tuple(name for name in channel_names() if name not in rare) == (
        "charm-dump-ee",
        "charm-dump-mumu",
        "e787-pi-gammagamma",
        "e949-pi-invisible",
        "na48-pi-mumu",
        "na62-dump-ee",
        "na62-dump-gammagamma",
        "na62-dump-hadrons",
        "na62-dump-mumu",
        "na62-k-e-n",
        "na62-k-mu-n",
        "na62-pi-e-n",
        "na62-pi-gammagamma",
        "na62-pi-invisible-2016-2022",
        "na62-pi-invisible-2016-2022-count",
        "na62-pi-invisible-2017",
        "na62-pi-invisible-run1",
        "na62-pi-invisible-run1-count",
        "na62-pi-mumu",
        "na62-pi0-invisible",
        "na62-pi4e",
        "nucal-dump-ee",
    )
    assert set(names_with("build_yields")) == {
        name for name in channel_names() if "-dump-" in name
    }
    assert "full" in preset_names("dark-photon")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_model("dark-foton"), "unknown model 'dark-foton'; did you mean"),
        (
            lambda: load_model("dark-photon", "ful"),
            "preset of dark-photon, 'ful'; did you mean 'full'",
        ),
        (lambda: load_channel("na62-dump-mumuu"), "did you mean 'na62-dump-mumu'"),
        (lambda: describe("na62-dump-mumuu"), "did you mean 'na62-dump-mumu'"),
        (lambda: describe("na62-pi-nunu-run"), "did you mean 'na62-pi-nunu-run1'"),
        (
            lambda: load_channel("na62-pi-invisible-run"),
            "did you mean 'na62-pi-invisible-run1'",
        ),
    ],
)
def test_unknown_names_get_the_closest_one(call, message):
    with pytest.raises(UnknownNameError, match=message):
        call()


@pytest.mark.parametrize("preset", preset_names("dark-photon"))
def test_every_preset_makes_a_model(preset):
    model = load_model("dark-photon", preset)
    assert model.preset == preset
    assert all(len(digest) == 64 for _, digest in model.inputs)


def test_channel_names_its_inputs_by_folder():
    names = [name for name, _ in load_channel("na62-dump-mumu").inputs]
    assert names == [
        "NA62_2303.08666/record.yaml",
        "NA62_2303.08666/yields.npz",
        "NA62_dump/geometry.yaml",
    ]


def copied_record(tmp_path: Path) -> Path:
    """A user's own copy of a shipped search."""
    folder = tmp_path / "mine"
    shutil.copytree(data_root() / "NA62_2303.08666", folder)
    return folder / "record.yaml"


def test_record_of_the_users_own_works_by_path(tmp_path):
    mine = load_channel(copied_record(tmp_path))
    shipped = load_channel("na62-dump-mumu")
    assert float(mine.protons_on_target) == float(shipped.protons_on_target)


def test_record_without_table_says_how_to_make_it(tmp_path):
    path = copied_record(tmp_path)
    (path.parent / "yields.npz").unlink()
    with pytest.raises(DataFileError, match="bsmfit tables build"):
        load_channel(path)


@pytest.mark.parametrize("content", [b"", b"not a table", b"PK\x03\x04broken"])
def test_broken_table_is_named(tmp_path, content):
    path = copied_record(tmp_path)
    (path.parent / "yields.npz").write_bytes(content)
    with pytest.raises(DataFileError, match="not a readable table"):
        load_channel(path)


def test_table_with_a_nan_or_without_an_array_is_refused(tmp_path):
    path = tmp_path / "yields.npz"
    with np.load(table_path("yields", "na62-dump-mumu")) as archive:
        arrays = dict(archive)
    arrays["reduced_log_yield"] = arrays["reduced_log_yield"].copy()
    arrays["reduced_log_yield"][3, 5, 0] = np.nan
    np.savez(path, **arrays)
    with pytest.raises(DataFileError, match="'reduced_log_yield' holds numbers"):
        read_yield_table(path)
    del arrays["masses"]
    np.savez(path, **arrays)
    with pytest.raises(DataFileError, match="no array 'masses'"):
        read_yield_table(path)


@pytest.mark.parametrize("channel", names_with("build_tables"))
def test_tables_state_how_they_were_made(channel):
    is_dump = channel in names_with("build_yields")
    tables = sorted(table_path("yields", channel).parent.glob("*.npz"))
    assert tables
    for path in tables:
        metadata = read_metadata(path)
        assert metadata["provenance"] == "computed"
        assert metadata["channel"] == channel
        for key in ("made_by", "units", "content"):
            assert metadata[key]
        made_from = metadata if is_dump else metadata["inputs"]
        assert len(made_from["geometry_sha256"]) == 64


def test_shipped_tables_fit_into_the_budget():
    total = sum(path.stat().st_size for path in data_root().glob("*/*.npz"))
    assert total < 30e6


@pytest.mark.parametrize("name", [*channel_names(), *model_names(), *pi_nunu_names()])
def test_description_has_provenance_everywhere(name):
    text = str(describe(name))
    assert any(f"[{word}]" in text for word in ("published", "derived", "assumed"))


def described(name: str) -> dict[str, dict[str, str]]:
    return {title: dict(rows) for title, rows in describe(name)}


def test_search_for_an_invisible_particle_is_described_with_all_inputs():
    found = described("na62-pi-invisible-run1")
    head = found["channel na62-pi-invisible-run1"]
    # PDG 2026: sensitivity 0.839e-11, background 7.03 events
    assert head["BR of one pi nu nu"].startswith("8.39e-12 +- 5.4e-13  [published]")
    assert head["other background"].startswith("7.03 +1.05 -0.82 events  [published]")
    assert head["masses"] == "0 to 0.11 GeV and 0.154 to 0.2595 GeV"
    assert "limit_stable.csv" in head["published limit"]
    sample = found["sample data-2018"]
    assert sample["region 2, momentum"].startswith("15 to 45 GeV  [unverified]")
    setup = found["setup NA62_kaon"]
    assert "[calibrated]" in setup["end of the veto"]
    assert "0.19 GeV, 0.5 ns: limit 21.54 times" in setup["calibrated at"]
    assert set(found["nuisances"]) == {"na62_pi_x_acceptance", "na62_veto_end"}
    assert "bsmfit" in found["tables"]["forward"]
    assert (
        "observed"
        in described("na62-pi-invisible-run1-count")[
            "channel na62-pi-invisible-run1-count"
        ]
    )


def test_measurement_is_described_with_the_periods_it_has():
    found = described("na62-pi-nunu-2016-2017")
    assert {"period 2016", "period 2017"} <= set(found)
    assert "period 2018" not in found
    # PDG 2026 (NA62:2018ctf): 1 event, sensitivity 3.15e-10
    assert found["period 2016"]["observed"].startswith("1 events  [published]")
    assert found["period 2016"]["sensitivity"].startswith("3.15e-10  [published]")
    (nuisance,) = found["nuisances"].values()
    assert "sensitivity of 2016, 2017 [derived]" in nuisance
    factors = described("na62-pi-nunu-run1")["period 2018"]
    assert factors["2018_s2: acceptance signal"].startswith("0.0637 +- 0.0064")


@pytest.mark.parametrize("channel", channel_names())
def test_everything_that_a_channel_is_made_of_can_be_cited(channel):
    loaded = load_channel(channel)
    text = bibliography([name for name, _ in loaded.inputs])
    assert "not shipped" not in text
    paper = locate_channel(channel).read_text("utf-8")
    key = next(line for line in paper.splitlines() if line.startswith("texkey: "))
    assert key.removeprefix("texkey: ") in text
    if "\nsetup: NA62_kaon\n" in paper:
        assert "NA62-1703.08501" in text


def test_bibliography_covers_all_folders():
    text = bibliography(["NA62_2303.08666/record.yaml", "models/dark-photon.yaml"])
    assert "2303.08666" in text
    assert text.count("@") >= 3
    assert "not shipped" in bibliography(["elsewhere/record.yaml"])
    assert (model_root() / "refs.bib").is_file()


def test_published_limit_is_where_the_record_says():
    limit = load_published_limit("na62-dump-mumu")
    assert limit is not None
    assert limit.model == "dark-photon"
    assert limit.upper is not None
    assert np.all(limit.lower < limit.upper)
    electrons = load_published_limit("na62-dump-ee")
    assert electrons is not None
    assert electrons.upper is not None
    assert np.all(electrons.lower < electrons.upper)


def test_published_limit_of_run_1_is_the_lower_edge_of_the_scalar():
    limit = load_published_limit("na62-pi-invisible-run1")
    assert limit is not None
    assert limit.upper is None
    assert (limit.model, limit.source) == ("dark-scalar", "NA62, arXiv:2103.15389")
    # strongest limit of the publication, 8.385e-9 at 202 MeV
    best = int(np.argmin(limit.lower))
    assert limit.mass[best] == pytest.approx(0.202)
    assert limit.lower[best] == pytest.approx(8.385e-9)


@pytest.mark.parametrize(
    "channel",
    [name for name in names_with("build_tables") if name.startswith("na62-pi-inv")],
)
def test_other_searches_in_kaon_decays_have_no_published_coupling(channel):
    if channel != "na62-pi-invisible-run1":
        assert load_published_limit(channel) is None


def copied_kaon_record(tmp_path: Path) -> Path:
    folder = tmp_path / "kaon"
    shutil.copytree(data_root() / "NA62_2103.15389", folder)
    return folder / "record.yaml"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("veto_nuisance:", "veto_nuisanc:", "did you mean 'veto_nuisance'"),
        ("high: 0.2595", "high: 0.27", "no piece of the limit"),
        ("momentum: {low: 15.0", "momentum: {low: 16.0", "made with another samples"),
        ("file: limit_stable.csv", "file: nowhere.csv", "does not exist"),
        ("setup: NA62_kaon", "setup: NA62_kaons", "did you mean 'NA62_kaon'"),
        (
            "id: na62-pi-invisible-run1\n",
            "id: mine\n",
            "metadata: channel is 'na62-pi-invisible-run1', but must be 'mine'",
        ),
    ],
)
def test_fault_in_a_record_of_kaon_decays_is_named(tmp_path, old, new, words):
    path = copied_kaon_record(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises((DataFileError, UnknownNameError), match=words):
        load_channel(path)


def test_record_of_kaon_decays_without_table_says_how_to_make_it(tmp_path):
    path = copied_kaon_record(tmp_path)
    (path.parent / "forward.npz").unlink()
    with pytest.raises(DataFileError, match="bsmfit tables build --channel"):
        load_channel(path)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "value: 10.0\n    unit: GeV",
            "value: 30.0\n    unit: GeV",
            "made with another selection",
        ),
        ("detectors: [straw, muv3]", "detectors: [straw]", "made with another sel"),
        ("final_state: mumu", "final_state: ee", "made with another final state"),
        ("id: na62-dump-mumu\n", "id: mine\n", "but must be 'mine', the id in .*yaml"),
    ],
)
def test_table_of_another_selection_is_refused(tmp_path, old, new, what):
    path = copied_record(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataFileError, match=what):
        load_channel(path)


def test_event_outside_the_masses_of_the_search_is_refused(tmp_path):
    path = copied_record(tmp_path)
    text = path.read_text(encoding="utf-8").replace("value: 0.411", "value: 411.0", 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match="has 411 GeV, outside the masses"):
        load_channel(path)
