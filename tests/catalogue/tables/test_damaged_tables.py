"""Tables of somebody else: damaged, too large, or with numbers that cannot be."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest

from bsmfit.catalogue.tables.archive import read_arrays, write_archive
from bsmfit.catalogue.tables.metadata import read_metadata
from bsmfit.catalogue.tables.table_files import (
    read_acceptance_table,
    read_yield_table,
)
from bsmfit.errors import DataFileError

METADATA = {"distance_m": 82.0, "beam_momentum_gev": 400.0}
YIELDS = {
    "masses": np.array([0.1, 0.2, 0.4]),
    "reduced_lifetimes": np.linspace(-2.0, 2.0, 5),
    "processes": np.array(["pi0-decay", "eta-decay"]),
    "reduced_log_yield": np.zeros((3, 5, 2), np.float32),
}
GRID = (2, 2, 2, 2)
ACCEPTANCE = {
    "masses": np.array([0.1, 0.2]),
    "momenta": np.array([10.0, 400.0]),
    "angles": np.array([0.0, 0.01]),
    "vertices": np.array([105.0, 180.0]),
    "acceptance": np.full(GRID, 0.5, np.float32),
    "error": np.full(GRID, 0.01, np.float32),
}


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped(entries) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return stream.getvalue()


def archive_of(arrays) -> bytes:
    metadata = {"metadata": np.array(json.dumps(METADATA))}
    return zipped([(f"{k}.npy", npy(v)) for k, v in {**arrays, **metadata}.items()])


def header(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + text.ljust(118).encode()


def patched(offset: int, value: int) -> bytes:
    """An archive with one byte of its first entry in the directory changed."""
    content = bytearray(archive_of(YIELDS))
    content[content.find(b"PK\1\2") + offset] = value
    return bytes(content)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "yields.npz"
    write_archive(path, YIELDS, METADATA)
    assert read_yield_table(path).processes == ("pi0-decay", "eta-decay")
    return path


DAMAGED = {
    "empty": b"",
    "text": b"hello",
    "npy": npy(YIELDS["masses"]),
    "cut": archive_of(YIELDS)[:400],
    "encrypted": patched(8, 1),
    "compression": patched(10, 99),
    "size": patched(27, 255),
    "twice": None,
    "pickle": zipped([("masses.npy", header("(3,)", "|O"))]),
    "80 TB": zipped([("masses.npy", header("(10000000000000,)"))]),
    "overflow": zipped([("masses.npy", header("(99999999999999999999, 9)"))]),
    "dictionary": zipped([("masses.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16)]),
    "version": zipped([("masses.npy", b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16)]),
    "many": zipped([(f"{i}.npy", b"") for i in range(1001)]),
}


@pytest.mark.parametrize("kind", DAMAGED)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_damaged_archive_is_refused(kind, table):
    content = DAMAGED[kind]
    if content is None:
        content = zipped([("masses.npy", npy(m)) for m in ([0.1, 0.2], [0.2, 0.4])])
    table.write_bytes(content)
    for read in (read_yield_table, read_arrays, read_metadata):
        with pytest.raises(DataFileError, match=r"yields\.npz"):
            read(table)


def test_zip_bomb_is_refused_before_it_unpacks(table):
    block = b"\0" * 100_000_000
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("masses.npy", block, compresslevel=1)
    content = stream.getvalue()
    size = struct.pack("<I", 4_000_000_000)
    place = content.find(b"PK\1\2") + 24
    table.write_bytes(content[:place] + size + content[place + 4 :])
    with pytest.raises(DataFileError, match="unpacks to more than 1 GB"):
        read_arrays(table)


def test_pipe_and_device_are_refused(tmp_path):
    pipe, device = tmp_path / "pipe.npz", tmp_path / "zero.npz"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        with pytest.raises(DataFileError, match="pipe or a device"):
            read_yield_table(path)


def test_digest_of_own_table_is_compared(table):
    content = table.read_bytes()
    other = content[:-1] + bytes([content[-1] ^ 1])
    table.write_bytes(other)
    with pytest.raises(DataFileError, match="not that of its digest"):
        read_yield_table(table)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"masses": np.array(["a", "b", "c"])}, "masses holds <U1"),
        ({"masses": YIELDS["masses"][::-1]}, "0.4 comes before 0.2"),
        ({"masses": 1e3 * YIELDS["masses"]}, "masses is 200 GeV"),
        ({"masses": np.array([0.1, np.nan, 0.4])}, "'masses' holds numbers that"),
        ({"masses": np.array([0.1, 0.1, 0.4])}, "0.1 comes before 0.1"),
        ({"masses": np.array(0.1)}, "must be a list of nodes"),
        ({"reduced_log_yield": np.zeros((3, 5, 2), int)}, "must hold floats"),
        ({"reduced_log_yield": np.full((3, 5, 2), 1e30)}, r"is 1e\+30"),
        ({"reduced_log_yield": np.zeros((3, 4, 2))}, r"must have \(3, 5, 2\)"),
        ({"processes": np.array(["a", "a"])}, "has 'a' twice"),
        ({"processes": np.array([b"a", b"b"])}, "must be a list of names"),
        ({"reduced_lifetimes": np.array([0.0, 1, 2, 3, 5])}, "evenly spaced"),
        ({"metadata": {"distance_m": float("nan")}}, "distance_m is nan"),
        ({"metadata": {"distance_m": "82"}}, "distance_m is '82'"),
        ({"metadata": {"distance_m": 10**400}}, "distance_m is an integer of"),
        ({"metadata": {"beam_momentum_gev": True}}, "beam_momentum_gev is True"),
        ({"metadata": {"beam_momentum_gev": None}}, "beam_momentum_gev is None"),
    ],
)
def test_yields_that_cannot_be_are_refused(change, words, table):
    metadata = METADATA | change.pop("metadata", {})
    write_archive(table, YIELDS | change, metadata)
    with pytest.raises(DataFileError, match=words):
        read_yield_table(table)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"acceptance": np.full(GRID, 1.5, np.float32)}, "acceptance is 1.5 1"),
        ({"angles": np.array([0.0, 10.0])}, "angles is 10 rad"),
        ({"error": np.full(GRID, -0.1)}, "at or above 0"),
        ({"alignment": np.full(GRID, 2.0)}, "alignment is 2"),
        ({"momenta": np.array([1e4, 4e5])}, "momenta is 400000 GeV"),
    ],
)
def test_acceptance_that_cannot_be_is_refused(change, words, tmp_path):
    path = tmp_path / "acceptance.npz"
    write_archive(path, ACCEPTANCE, {})
    assert read_acceptance_table(path).acceptance.shape == GRID
    write_archive(path, ACCEPTANCE | change, {})
    with pytest.raises(DataFileError, match=words):
        read_acceptance_table(path)
