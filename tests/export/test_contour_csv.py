from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bsmfit.errors import DataFileError, OutputError
from bsmfit.export.contour_csv import _digest_line, read_contour, write_contour
from bsmfit.scan.contour import excluded_polygons


def test_two_islands_and_a_hole_survive_the_round_trip(make_dataset, tmp_path: Path):
    dataset = make_dataset("islands")
    write_contour(dataset, tmp_path / "contour.csv")
    found = read_contour(tmp_path / "contour.csv")
    exact = excluded_polygons(dataset)
    assert sorted(len(polygon.holes) for polygon in found.polygons) == [0, 1]
    for ours, theirs in zip(found.polygons, exact, strict=True):
        np.testing.assert_allclose(ours.outer, theirs.outer, rtol=1e-11)
        for hole, other in zip(ours.holes, theirs.holes, strict=True):
            np.testing.assert_allclose(hole, other, rtol=1e-11)
    assert found.coupling_name == "epsilon"


def test_file_is_a_plain_table_with_ids_first(make_dataset, tmp_path: Path):
    path = tmp_path / "contour.csv"
    write_contour(make_dataset("islands"), path)
    lines = path.read_text().splitlines()
    table = [line for line in lines if not line.startswith("#")]
    assert table[0] == "polygon_id,ring_id,mass_gev,epsilon"
    n_skipped = len(lines) - len(table) + 1
    numbers = np.loadtxt(path, delimiter=",", skiprows=n_skipped)
    assert set(numbers[:, 0]) == {0, 1}
    assert set(numbers[:, 1]) == {0, 1}
    assert numbers[:, 2].min() > 0.215


def test_header_says_what_the_contour_is(make_dataset, tmp_path: Path):
    write_contour(make_dataset(), tmp_path / "contour.csv", quantity="expected")
    header = read_contour(tmp_path / "contour.csv").header
    assert header["model"] == "dark-photon"
    assert header["preset"] == "brems"
    assert header["channels"] == "na62-dump-mumu"
    assert header["cl"] == "0.9"
    assert header["method"] == "exact"
    assert header["ensemble"] == "marginal"
    assert header["label"] == "NA62 data, bsmfit reinterpretation"
    assert header["quantity"].startswith("expected limit")
    assert "GeV" in header["units"]
    assert header["version"].startswith("bsmfit ")
    assert header["inputs"] == '{"record.yaml": "ab12"}'


def test_empty_contour_is_a_header_and_no_rows(make_dataset, tmp_path: Path):
    dataset = make_dataset()
    dataset = dataset.assign(n_signal=0.0 * dataset["n_signal"])
    write_contour(dataset, tmp_path / "contour.csv")
    assert read_contour(tmp_path / "contour.csv").polygons == ()


def test_joint_map_has_its_ordering_and_its_single_searches(
    make_joint_dataset, tmp_path: Path
):
    plane = np.linspace(-1.0, 1.0, 21) + np.zeros((9, 1))
    dataset = make_joint_dataset(plane, a=plane - 0.5, b=plane).assign_attrs(
        ordering="sum", channels=json.dumps(["a", "b"])
    )
    write_contour(dataset, tmp_path / "contour.csv")
    write_contour(dataset, tmp_path / "a.csv", search="a")
    joint = read_contour(tmp_path / "contour.csv")
    single = read_contour(tmp_path / "a.csv")
    assert joint.header["quantity"] == "observed limit: excluded where CLs < 1 - cl"
    assert joint.header["ordering"] == "sum"
    assert "search" not in joint.header
    assert single.header["search"] == "a alone, of the channels above"
    # the fields cross zero at half and at three quarters of 10^-7 to 10^-5
    for contour, edge in ((joint, 1e-6), (single, 10**-5.5)):
        assert contour.polygons[0].outer[:, 1].min() == pytest.approx(edge, rel=1e-9)


def test_changed_search_is_not_called_published_data(make_dataset, tmp_path: Path):
    write_contour(make_dataset().assign_attrs(is_published=0), tmp_path / "c.csv")
    header = read_contour(tmp_path / "c.csv").header
    assert header["label"] == "Changed inputs, not the published NA62 data"


def test_path_may_be_a_text(make_dataset, tmp_path: Path):
    path = str(tmp_path / "contour.csv")
    write_contour(make_dataset(), path)
    assert read_contour(path).coupling_name == "epsilon"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mass,epsilon\n",
        "polygon_id,ring_id,mass_gev,epsilon\n0,0,0.3\n",
        "polygon_id,ring_id,mass_gev,epsilon\n0,x,0.3,1e-6\n",
        "polygon_id,ring_id,mass_gev,epsilon\n0,0,0.3,1e-6\n0,0,0.4,1e-6\n",
        "polygon_id,ring_id,mass_gev,epsilon\n0,1,0.3,1e-6\n0,1,0.3,1e-6\n",
    ],
)
def test_malformed_file_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "contour.csv"
    path.write_text(f"{_digest_line(text.splitlines())}\n{text}")
    with pytest.raises(DataFileError, match=r"contour\.csv"):
        read_contour(path)


def test_unwritable_folder_is_an_output_error(make_dataset, tmp_path: Path):
    with pytest.raises(OutputError, match="cannot write"):
        write_contour(make_dataset(), tmp_path / "nowhere" / "contour.csv")


def test_changed_vertex_and_lost_lines_are_refused(make_dataset, tmp_path: Path):
    path = tmp_path / "contour.csv"
    write_contour(make_dataset(), path)
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    vertex = lines[-1].replace("0.", "1.", 1)
    assert vertex != lines[-1]
    for changed in ("".join([*lines[:-1], vertex]), "".join(lines[:-4]), text[:40]):
        path.write_text(changed)
        with pytest.raises(DataFileError, match="SHA-256 of its lines"):
            read_contour(path)
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert read_contour(path).polygons
