from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bsmfit.errors import DataFileError, InputError, OutputError
from bsmfit.scan.sealed_file import sealed, unsealed
from bsmfit.scan.store import coupling_name, read_scan, write_scan


def test_scan_is_read_back_with_every_attribute(make_scan, make_toy, tmp_path: Path):
    dataset = make_scan(make_toy(mass_failing=0.7))
    write_scan(dataset, tmp_path / "scan.nc")
    again = read_scan(tmp_path / "scan.nc")
    xr.testing.assert_identical(again, dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nc"]


def test_dataset_follows_the_contract(make_scan, make_toy):
    dataset = make_scan(make_toy(mass_failing=0.7))
    plane = ("mass", "epsilon")
    assert coupling_name(dataset) == "epsilon"
    assert {str(name): variable.dims for name, variable in dataset.items()} == {
        "n_signal": plane,
        "n_up_obs": plane,
        "n_up_exp": (*plane, "quantile"),
        "cls_obs": plane,
        "cls_exp": plane,
        "n_obs": ("mass",),
        "status": plane,
    }
    levels = dataset["quantile"].values
    np.testing.assert_allclose(levels, [0.023, 0.16, 0.5, 0.84, 0.977], atol=2e-3)
    assert dataset["status"].dtype == np.int8
    assert dataset["status"].attrs["flag_values"].tolist() == [0, 1, 2, 3, 4]
    assert dataset["status"].attrs["flag_meanings"] == (
        "ok not_converged invalid_model no_sensitivity excluded_mass"
    )
    for name in ("mass", "epsilon", *dataset.data_vars):
        assert dataset[name].attrs["long_name"]
        if name != "status":
            assert dataset[name].attrs["units"]
    assert dataset.attrs["cl"] == 0.9
    assert dataset.attrs["method"] == "exact"
    assert dataset.attrs["ensemble"] == "marginal"
    assert json.loads(dataset.attrs["channels"]) == ["na62-dump-mumu"]
    assert json.loads(dataset.attrs["inputs"]) == {"record.yaml": "ab12"}


def test_same_scan_gives_the_same_bytes(make_scan, toy, tmp_path: Path):
    for name in ("a.nc", "b.nc"):
        write_scan(make_scan(toy), tmp_path / name)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_missing_folder_and_full_disk_are_output_errors(
    make_scan, toy, tmp_path: Path, monkeypatch
):
    with pytest.raises(OutputError, match=r"cannot write .*scan\.nc"):
        write_scan(make_scan(toy), tmp_path / "nowhere" / "scan.nc")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_scan(make_scan(toy), tmp_path / "scan.nc")
    assert not list(tmp_path.iterdir())


def test_disk_that_fills_while_hdf5_writes_leaves_nothing(
    make_scan, toy, tmp_path: Path
):
    source, target = tmp_path / "in.nc", tmp_path / "out" / "scan.nc"
    target.parent.mkdir()
    write_scan(make_scan(toy), source)
    program = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from bsmfit.errors import OutputError
        from bsmfit.scan.store import read_scan, write_scan
        dataset = read_scan(Path(sys.argv[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        try:
            write_scan(dataset, Path(sys.argv[2]))
        except OutputError as error:
            print("refused:", error)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused:")
    assert done.stderr == ""
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("content", [b"", b"not a netcdf file", b"\x89HDF\r\n\x1a\n"])
def test_file_that_is_no_scan_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "scan.nc"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="not a readable scan"):
        read_scan(path)


@pytest.mark.parametrize(
    "content", [b"", b"garbage" * 100, b"\x89HDF\r\n\x1a\n" + bytes(2000), None]
)
def test_sealed_garbage_is_refused_without_a_word_on_stderr(
    make_scan, toy, tmp_path: Path, capfd, content: bytes | None
):
    path = tmp_path / "scan.nc"
    if content is None:  # a bit of the symbol table of the root
        write_scan(make_scan(toy), path)
        damaged = bytearray(unsealed(path.read_bytes()))
        damaged[64] ^= 1
        content = bytes(damaged)
    path.write_bytes(sealed(content))
    with pytest.raises(DataFileError, match="not a readable scan"):
        read_scan(path)
    gc.collect()
    assert capfd.readouterr().err == ""


def test_scan_without_status_or_level_is_refused(make_scan, toy, tmp_path: Path):
    dataset = make_scan(toy).drop_vars("status")
    dataset.attrs = dict(dataset.attrs)
    del dataset.attrs["cl"]
    with pytest.raises(InputError, match="lacks status, cl"):
        write_scan(dataset, tmp_path / "scan.nc")
    assert not list(tmp_path.iterdir())
