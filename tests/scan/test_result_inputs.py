"""What went into a result, read from its file alone."""

from __future__ import annotations

import os

import h5py
import pytest

from bsmfit.errors import DataFileError
from bsmfit.scan.result_inputs import read_inputs
from bsmfit.scan.sealed_file import sealed
from bsmfit.scan.store import write_scan


def test_inputs_are_those_of_the_plan(make_dataset, tmp_path):
    dataset = make_dataset(n_mass=3, n_coupling=4)
    write_scan(dataset, tmp_path / "scan.nc")
    assert read_inputs(tmp_path / "scan.nc") == ("record.yaml",)
    assert read_inputs(tmp_path) == ("record.yaml",)


def test_what_is_not_there_is_not_advised_to_be_deleted(tmp_path):
    for path in (tmp_path, tmp_path / "nosuch"):
        with pytest.raises(
            DataFileError, match=r"does not exist.*give a scan\.nc"
        ) as e:
            read_inputs(path)
        assert "delete" not in str(e.value)
        assert "--overwrite" not in str(e.value)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + b"\0" * 600])
def test_file_that_is_no_result_is_refused(content, tmp_path):
    path = tmp_path / "scan.nc"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="not the result of a scan, or is damaged"):
        read_inputs(path)


@pytest.mark.parametrize("text", ["{", "[1]", "3", ""])
def test_damaged_attribute_is_refused(text, tmp_path):
    with h5py.File(tmp_path / "scan.nc", "w") as file:
        file.attrs["inputs"] = text
    seal(tmp_path / "scan.nc")
    with pytest.raises(DataFileError, match="not the result of a scan, or is damaged"):
        read_inputs(tmp_path)


def test_result_without_inputs_and_pipe_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.nc", "w") as file:
        file["a"] = 1
    seal(tmp_path / "other.nc")
    with pytest.raises(DataFileError, match="KeyError"):
        read_inputs(tmp_path / "other.nc")
    os.mkfifo(tmp_path / "scan.nc")
    with pytest.raises(DataFileError, match="no regular file"):
        read_inputs(tmp_path)


def test_result_without_a_digest_is_refused(tmp_path):
    with h5py.File(tmp_path / "scan.nc", "w") as file:
        file.attrs["inputs"] = "{}"
    with pytest.raises(DataFileError, match="carries no digest"):
        read_inputs(tmp_path)


def seal(path):
    path.write_bytes(sealed(path.read_bytes()))
