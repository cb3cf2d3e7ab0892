"""Single bits that flip in files: never a traceback, never another number.

A file of which one bit was flipped is refused, or says the same as before. A small
seeded sample runs always, 25,000 flips with ``-m slow``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsmfit.errors import DataFileError, OutputError

N_SAMPLE, N_ALL = 60, 25_000


@dataclasses.dataclass
class Case:
    """A file, and what it says: `says` raises where the file is refused."""

    path: Path
    says: Callable[[], Any]


def _digest(arrays: dict[str, np.ndarray]) -> str:
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return sha.hexdigest()


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """A package whose data can be damaged."""
    from bsmfit.catalogue.files import data_root

    root = tmp_path / "shipped" / "data"
    for name in ("NA62_2502.04241", "NA62_2303.08666"):
        shutil.copytree(data_root() / name, root / name)
    shutil.copy(data_root() / "SHA256SUMS", root)
    monkeypatch.setattr("bsmfit.catalogue.files.data_root", lambda: root)
    monkeypatch.setattr("bsmfit.catalogue.tables.archive.data_root", lambda: root)
    return root


def scan_case(folder: Path, make_dataset) -> Case:
    from bsmfit.scan.content_digest import content_digest
    from bsmfit.scan.store import read_scan, write_scan

    path = folder / "scan.nc"
    write_scan(make_dataset(n_mass=7, n_coupling=5), path)
    return Case(path, lambda: content_digest(read_scan(path)))


def cite_case(folder: Path, make_dataset) -> Case:
    from bsmfit.scan.result_inputs import read_inputs

    return Case(scan_case(folder, make_dataset).path, lambda: read_inputs(folder))


def contour_case(folder: Path, make_dataset) -> Case:
    from bsmfit.export.contour_csv import read_contour, write_contour

    path = folder / "contour.csv"
    write_contour(make_dataset(n_mass=21, n_coupling=31), path)

    def says():
        found = read_contour(path)
        rings = [r for p in found.polygons for r in (p.outer, *p.holes)]
        arrays = {str(i): ring for i, ring in enumerate(rings)}
        return _digest(arrays), found.header, found.coupling_name

    return Case(path, says)


def block_case(folder: Path, make_dataset) -> Case:
    from bsmfit.scan.blocks import BlockFolder

    del make_dataset
    blocks, rows = BlockFolder(folder / "blocks", "a" * 64), range(3)
    values = np.random.default_rng(1).random((3, 4))
    blocks.save(rows, {"n_signal": values, "status": np.zeros((3, 4), np.int8)})

    def says():
        found, is_whole = blocks.load(rows), blocks.is_whole(rows)
        assert (found is not None) == is_whole
        if found is None:
            raise DataFileError("computed again")
        return _digest(found)

    return Case(next((folder / "blocks").iterdir()), says)


def manifest_case(folder: Path, make_dataset) -> Case:
    from bsmfit.scan.batch.manifest import Manifest
    from bsmfit.scan.batch.run_card import RunCard
    from bsmfit.scan.blocks import BlockCut

    del make_dataset
    card = RunCard(model="dark-photon", channels=("na62-dump-mumu",))
    Manifest(card, "a" * 64, BlockCut(5, 2, 1), n_coupling=30).write(folder)
    return Case(folder / "batch.json", lambda: Manifest.read(folder))


def plan_case(folder: Path, make_dataset) -> Case:
    """A folder with blocks is continued only by the plan that it names."""
    from bsmfit.scan.plan import ScanPlan, claim_folder

    plan = ScanPlan.from_json(make_dataset(n_mass=3, n_coupling=3).attrs["plan"])
    claim_folder(folder, plan)
    (folder / "blocks").mkdir()
    return Case(folder / "plan.json", lambda: claim_folder(folder, plan))


def own_table_case(folder: Path, make_dataset) -> Case:
    from bsmfit.catalogue.tables.archive import read_arrays, write_archive

    del make_dataset
    random, path = np.random.default_rng(2), folder / "yields.npz"
    arrays = {
        "masses": np.linspace(0.1, 0.5, 6),
        "reduced_log_yield": random.normal(size=(6, 5, 2)).astype(np.float32),
        "processes": np.array(["pi0-decay", "eta-decay"]),
    }
    write_archive(path, arrays, {"distance_m": 82.0})
    return Case(path, lambda: _digest(read_arrays(path)))


def table_case(root: Path) -> Case:
    from bsmfit.catalogue.tables.table_files import read_yield_table

    path = root / "NA62_2502.04241" / "yields-k-k-pi0.npz"

    def says():
        found = read_yield_table(path)
        return found.processes, _digest({"a": np.asarray(found.table.values)})

    return Case(path, says)


def metadata_case(root: Path) -> Case:
    from bsmfit.catalogue.tables.metadata import read_metadata

    path = root / "NA62_2502.04241" / "yields-k-k-pi0.npz"
    return Case(path, lambda: read_metadata(path))


def record_case(root: Path) -> Case:
    from bsmfit.catalogue.records import read_beam_dump_record

    path = root / "NA62_2303.08666" / "record.yaml"
    return Case(path, lambda: read_beam_dump_record(path))


def curve_case(root: Path) -> Case:
    from bsmfit.catalogue.files import read_text

    path = next((root / "NA62_2303.08666").glob("*.csv"))
    return Case(path, lambda: read_text(path))


def digests_case(root: Path) -> Case:
    """Damaged digests refuse a file that is whole, or let it pass as it is."""
    made = record_case(root)
    return Case(root / "SHA256SUMS", made.says)


RESULTS = [
    *(scan_case, cite_case, contour_case, block_case),
    *(manifest_case, plan_case, own_table_case),
]
SHIPPED = [table_case, metadata_case, record_case, curve_case, digests_case]


def flip(case: Case, n_flip: int, seed: int) -> int:
    """Flip one bit at a time; the number of flips that were refused."""
    before, whole = case.says(), case.path.read_bytes()
    random, n_refused = np.random.default_rng(seed), 0
    for bit in random.integers(8 * len(whole), size=n_flip).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        case.path.write_bytes(damaged)
        try:
            found = case.says()
        except (DataFileError, OutputError):
            n_refused += 1
            continue
        assert found == before, f"bit {bit} of {case.path.name} changes what it says"
    case.path.write_bytes(whole)
    assert case.says() == before
    return n_refused


# flips that may pass: dates in headers of zip entries, lines of other files
LOWEST_SHARE = {own_table_case: 0.5, digests_case: 0.0}


def check(make: Callable, case: Case, n_flip: int) -> None:
    n_refused = flip(case, n_flip, seed=13)
    assert n_refused >= LOWEST_SHARE.get(make, 0.98) * n_flip


@pytest.mark.parametrize("make", RESULTS)
def test_flip_in_a_result_is_found(make, make_dataset, tmp_path):
    check(make, make(tmp_path, make_dataset), N_SAMPLE)


@pytest.mark.parametrize("make", SHIPPED)
def test_flip_in_shipped_data_is_found(make, shipped):
    check(make, make(shipped), N_SAMPLE)


@pytest.mark.slow
@pytest.mark.parametrize("make", RESULTS)
def test_all_flips_in_a_result_are_found(make, make_dataset, tmp_path):
    n_kind = len(RESULTS) + len(SHIPPED)
    check(make, make(tmp_path, make_dataset), -(-N_ALL // n_kind))


@pytest.mark.slow
@pytest.mark.parametrize("make", SHIPPED)
def test_all_flips_in_shipped_data_are_found(make, shipped):
    n_kind = len(RESULTS) + len(SHIPPED)
    check(make, make(shipped), -(-N_ALL // n_kind))


def test_every_shipped_file_has_its_digest():
    from bsmfit.catalogue.digests import shipped_digests
    from bsmfit.catalogue.files import data_root, model_root

    known = shipped_digests(data_root())
    for name, root in (("data", data_root()), ("models", model_root())):
        paths = [p for p in root.rglob("*") if p.suffix in {".yaml", ".csv", ".npz"}]
        assert len(paths) > 10
        for path in paths:
            key = f"{name}/{path.relative_to(root).as_posix()}"
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            assert known.get(key) == digest, f"run python tools/write_digests.py: {key}"
