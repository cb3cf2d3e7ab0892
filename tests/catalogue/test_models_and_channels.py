from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bsmfit.catalogue.channels import channel_names, load_channel
from bsmfit.catalogue.citations import bibliography
from bsmfit.catalogue.describe import describe
from bsmfit.catalogue.files import data_root, model_root
from bsmfit.catalogue.models import load_model, model_names, preset_names
from bsmfit.catalogue.published import load_published_limit
from bsmfit.catalogue.table_files import read_metadata, read_yield_table, table_path
from bsmfit.errors import DataFileError, UnknownNameError


def test_names_are_known():
    assert model_names() == (
        "dark-photon",
        "dark-photon-invisible",
        "dark-scalar",
        "fv-axion",
    )
    assert channel_names() == ("na62-dump-ee", "na62-dump-mumu")
    assert "full" in preset_names("dark-photon")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_model("dark-foton"), "unknown model 'dark-foton'; did you mean"),
        (lambda: load_model("dark-photon", "ful"), "preset 'ful'; did you mean 'full'"),
        (lambda: load_channel("na62-dump-mumuu"), "did you mean 'na62-dump-mumu'"),
        (lambda: describe("na62-dump-mumuu"), "did you mean 'na62-dump-mumu'"),
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


@pytest.mark.parametrize("channel", channel_names())
@pytest.mark.parametrize("kind", ["acceptance", "yields"])
def test_tables_state_how_they_were_made(channel, kind):
    metadata = read_metadata(table_path(kind, channel))
    assert metadata["provenance"] == "computed"
    assert metadata["channel"] == channel
    for key in ("made_by", "units", "geometry_sha256", "content"):
        assert metadata[key]


def test_shipped_tables_fit_into_the_budget():
    total = sum(path.stat().st_size for path in data_root().glob("*/*.npz"))
    assert total < 30e6


@pytest.mark.parametrize("name", [*channel_names(), *model_names()])
def test_description_has_provenance_everywhere(name):
    text = str(describe(name))
    assert any(f"[{word}]" in text for word in ("published", "derived", "assumed"))


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
    assert np.all(limit.lower < limit.upper)
    assert load_published_limit("na62-dump-ee") is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("value: 10.0\n    unit: GeV", "value: 30.0\n    unit: GeV", "selection"),
        ("detectors: [straw, muv3]", "detectors: [straw]", "selection"),
        ("final_state: mumu", "final_state: ee", "final state"),
    ],
)
def test_table_of_another_selection_is_refused(tmp_path, old, new, what):
    path = copied_record(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataFileError, match=f"made with another {what}"):
        load_channel(path)


def test_event_outside_the_masses_of_the_search_is_refused(tmp_path):
    path = copied_record(tmp_path)
    text = path.read_text(encoding="utf-8").replace("value: 0.411", "value: 411.0", 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match="has 411 GeV, outside the masses"):
        load_channel(path)
