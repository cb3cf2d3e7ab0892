"""Names of shipped files, paths of others, and hashes."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from bsmfit.catalogue.files import (
    data_root,
    display_path,
    hash_files,
    list_geometries,
    list_models,
    list_record_folders,
    locate_geometry,
    locate_model,
    locate_record,
    model_root,
    read_text,
    sha256_of,
)
from bsmfit.catalogue.records import (
    channel_records,
    locate_channel,
    read_beam_dump_record,
    read_geometry,
    read_model_card,
)
from bsmfit.errors import DataFileError, UnknownNameError


def test_shipped_names_are_found() -> None:
    assert "NA62_2303.08666" in list_record_folders()
    assert list_geometries() == ("CHARM_dump", "NA62_dump", "NuCal_dump")
    assert "dark-photon" in list_models()
    assert set(channel_records()) >= {"na62-dump-mumu", "na62-dump-ee"}


def test_channel_is_found_by_id_and_by_folder() -> None:
    assert locate_channel("na62-dump-mumu") == locate_channel("NA62_2303.08666")


@pytest.mark.parametrize(
    ("locate", "name", "guess"),
    [
        (locate_channel, "na62-dump-mumuu", "na62-dump-mumu"),
        (locate_record, "NA62_2303.0866", "NA62_2303.08666"),
        (locate_model, "dark-foton", "dark-photon"),
        (locate_geometry, "NA62-dump", "NA62_dump"),
    ],
)
def test_unknown_name_gets_the_closest_one(locate, name, guess) -> None:
    with pytest.raises(UnknownNameError) as caught:
        locate(name)
    assert f"{name!r}; did you mean {guess!r}?" in str(caught.value)


def test_user_files_are_read_by_path(tmp_path) -> None:
    card = tmp_path / "mine.yaml"
    shutil.copy(model_root() / "dark-photon.yaml", card)
    assert read_model_card(card) == read_model_card("dark-photon")
    assert read_model_card(str(card)) == read_model_card("dark-photon")

    folder = tmp_path / "search"
    shutil.copytree(data_root() / "NA62_2303.08666", folder)
    assert read_beam_dump_record(folder) == read_beam_dump_record("na62-dump-mumu")
    shutil.copy(data_root() / "NA62_dump" / "geometry.yaml", folder)
    mine = read_geometry("./geometry.yaml", beside=folder)
    assert mine == read_geometry("NA62_dump")


def test_user_file_with_a_bare_name_is_a_path_by_its_suffix(
    tmp_path, monkeypatch
) -> None:
    shutil.copy(model_root() / "dark-photon.yaml", tmp_path / "mine.yaml")
    monkeypatch.chdir(tmp_path)
    assert read_model_card("mine.yaml").name == "dark-photon"


def test_hash_is_that_of_the_bytes(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n1\n")
    assert sha256_of(path) == hashlib.sha256(b"a\n1\n").hexdigest()
    with pytest.raises(DataFileError, match="does not exist"):
        sha256_of(tmp_path / "b.csv")


def test_shipped_files_are_named_alike_on_every_machine() -> None:
    path = data_root() / "NA62_dump" / "geometry.yaml"
    assert display_path(path) == "data/NA62_dump/geometry.yaml"
    hashes = hash_files([path, model_root() / "dark-photon.yaml", path])
    assert list(hashes) == ["data/NA62_dump/geometry.yaml", "models/dark-photon.yaml"]
    assert all(len(digest) == 64 for digest in hashes.values())


def test_pipes_and_devices_are_refused_and_never_waited_for(tmp_path) -> None:
    pipe = tmp_path / "record.yaml"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        for read in (read_text, sha256_of):
            with pytest.raises(DataFileError, match="no regular file but a pipe or a"):
                read(path)


def test_text_larger_than_its_limit_is_refused_unread(tmp_path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("x" * 1001)
    assert len(read_text(path, max_bytes=1001)) == 1001
    with pytest.raises(DataFileError, match=r"a\.yaml has more than 0\.001 MB"):
        read_text(path, max_bytes=1000)
    with path.open("wb") as stream:
        stream.truncate(10**13)  # sparse: it would not fit into memory
    with pytest.raises(DataFileError, match="has more than 5 MB"):
        read_beam_dump_record(path)


def lowest_free_descriptor() -> int:
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


def test_reading_leaves_no_file_open(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a")
    free = lowest_free_descriptor()
    read_text(path)
    with pytest.raises(DataFileError, match="directory"):
        read_text(tmp_path)
    assert lowest_free_descriptor() == free
