"""Faults in YAML files: the message names file, line, key, value and choice."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from bsmfit.catalogue import schema_errors, yaml_file
from bsmfit.catalogue.files import data_root, model_root
from bsmfit.catalogue.records import (
    read_beam_dump_record,
    read_geometry,
    read_model_card,
)
from bsmfit.catalogue.yaml_file import load_yaml, top_level_text
from bsmfit.catalogue.yaml_tree import parse_yaml
from bsmfit.errors import BsmfitError, DataFileError, closest_name

RECORD = (data_root() / "NA62_2303.08666" / "record.yaml").read_text()
CARD = (model_root() / "dark-photon.yaml").read_text()
GEOMETRY = (data_root() / "NA62_dump" / "geometry.yaml").read_text()


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def message_of(path: Path, content: str | bytes, reader) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataFileError) as caught:
        reader(path)
    message = str(caught.value)
    assert "pydantic" not in message
    assert "http" not in message
    assert "Input should" not in message
    assert path.name in message
    return message


RECORD_FAULTS = {
    "unknown key": (
        "momentum_min:",
        "momentum_minn:",
        ["unknown key 'momentum_minn' in selection", "did you mean 'momentum_min'?"],
    ),
    "unknown key lists the allowed ones": (
        "half_width:",
        "zzz: 1\n  half_width:",
        ["unknown key 'zzz' in mass_window (allowed: half_width, method)"],
    ),
    "text for a number": (
        "value: 1.4e17",
        "value: many",
        ["protons_on_target.value = 'many' must be a number"],
    ),
    "quoted number": (
        "value: 1.4e17",
        'value: "1.4e17"',
        ["'1.4e17' must be a number, without quotes"],
    ),
    "nan": ("value: 1.4e17", "value: .nan", ["nan must be a finite number"]),
    "infinite": ("value: 1.4e17", "value: -.inf", ["-inf must be a finite number"]),
    "too long": (
        "value: 1.4e17",
        "value: " + "9" * 5000,
        ["inf must be a finite number"],
    ),
    "negative": (
        "value: 1.4e17",
        "value: -1.4e17",
        ["protons_on_target.value is -1.4e+17 protons but must be > 0"],
    ),
    "no value": (
        "value: 1.4e17",
        "value:",
        ["protons_on_target.value = (empty) must be a number"],
    ),
    "wrong unit": (
        "unit: protons",
        "unit: GeV",
        ["protons_on_target.unit is 'GeV' but must be 'protons'"],
    ),
    "no unit": (
        "  unit: protons\n",
        "",
        ["the key 'unit' is missing in protons_on_target"],
    ),
    "missing key": (
        "title: Search for dark photon decays to mu+ mu- at NA62\n",
        "",
        ["the key 'title' is missing"],
    ),
    "choice": (
        "final_state: mumu",
        "final_state: mumumu",
        [
            "final_state = 'mumumu' must be 'ee', 'mumu', 'hadrons' or 'gammagamma'",
            "did you mean 'mumu'?",
        ],
    ),
    "provenance": (
        "provenance: unverified",
        "provenance: unverifed",
        ["= 'unverifed' must be 'published'", "did you mean 'unverified'?"],
    ),
    "number for text": (
        'arxiv: "2303.08666"',
        "arxiv: 2303.08666",
        ["arxiv = 2303.08666 must be text; put it in quotes"],
    ),
    "list": (
        "detectors: [straw, muv3]",
        "detectors: straw",
        ["selection.detectors = 'straw' must be a list"],
    ),
    "list entry": (
        "detectors: [straw, muv3]",
        "detectors: [straw, muv4]",
        ["selection.detectors[1] = 'muv4'", "did you mean 'muv3'?"],
    ),
    "empty list": (
        "detectors: [straw, muv3]",
        "detectors: []",
        ["selection.detectors = [] must have at least 1 entries"],
    ),
    "efficiency above 1": (
        "value: 0.907\n",
        "value: 1.6\n",
        ["selection_efficiency.value is 1.6 1 but must be > 0 and <= 1"],
    ),
    "fractional count": (
        "value: 1\n",
        "value: 1.5\n",
        ["counts.n_observed.value = 1.5 must be a whole number"],
    ),
    "truth value for a count": (
        "value: 1\n",
        "value: true\n",
        ["counts.n_observed.value = true must be a whole number"],
    ),
    "negative count": (
        "value: 1\n",
        "value: -1\n",
        ["counts.n_observed.value = -1 must be >= 0"],
    ),
    "masses against count": (
        "value: 1\n",
        "value: 2\n",
        ["counts.observed_masses has 1 masses but n_observed is 2"],
    ),
    "volume backwards": (
        "value: 105.0",
        "value: 205.0",
        ["selection.decay_volume.end.value is 180 m but must lie beyond start = 205 m"],
    ),
    "resolution lengths": (
        "sigma: [0.001, 0.003]",
        "sigma: [0.001]",
        ["mass_resolution.sigma has 1 values but mass has 2 nodes"],
    ),
    "resolution order": (
        "mass: [0.3, 0.5]",
        "mass: [0.5, 0.3]",
        ["mass_resolution.mass must increase strictly, but 0.3 follows 0.5"],
    ),
    "nuisance twice": (
        "na62_dump_mumu_background",
        "na62_dump_pot",
        ["nuisances names 'na62_dump_pot' twice"],
    ),
    "nuisance size": (
        "size: 0.20",
        "size: 0",
        ["nuisances[0].size = 0 must be > 0"],
    ),
    "point without calibration": (
        "provenance: calibrated",
        "provenance: assumed",
        ["selection_efficiency.provenance is 'assumed'", "'calibrated'"],
    ),
    "calibrated elsewhere": (
        "    preset: bremsstrahlung",
        "    preset: full",
        ["calibrated_at.preset is 'full' but must be default_preset"],
    ),
    "contour outside": (
        "published_contour: contour.csv",
        "published_contour: ../contour.csv",
        ["published_contour is '../contour.csv' but must be the relative path"],
    ),
    "key twice": (
        "final_state: mumu",
        "final_state: mu\nfinal_state: mumu",
        ["'final_state' is given twice; the first one is in line"],
    ),
    "key no text": ("id: na62", "1: na62", ["a key must be text, but '1' is not"]),
    "alias": (
        "experiment: NA62",
        "experiment: &a NA62\nx: *a",
        ["an alias (*name) is not allowed"],
    ),
    "tag": (
        "experiment: NA62",
        "experiment: !!python/name:os.system NA62",
        ["a tag (tag:yaml.org,2002:python/name:os.system) is not allowed"],
    ),
    "open bracket": (
        "detectors: [straw, muv3]",
        "detectors: [straw, muv3",
        ["column", "expected ',' or ']'"],
    ),
    "tab": ("experiment: NA62", "\texperiment: NA62", ["a tab is not allowed here"]),
}


@pytest.mark.parametrize("fault", RECORD_FAULTS.values(), ids=RECORD_FAULTS.keys())
def test_fault_in_a_record_is_named_with_line_key_value_and_choice(
    fault, tmp_path
) -> None:
    old, new, expected = fault
    assert old in RECORD
    path = tmp_path / "mine.yaml"
    message = message_of(path, RECORD.replace(old, new, 1), read_beam_dump_record)
    for part in expected:
        assert part in message
    assert "line " in message
    assert "\n" not in message  # one fault, one sentence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value: 1.4e17", "value: many"),
        ("final_state: mumu", "final_state: mumumu"),
        ("momentum_min:", "momentum_minn:"),
        ("size: 0.20", "size: -1"),
    ],
)
def test_line_is_that_of_the_faulty_key(old, new, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    message = message_of(path, RECORD.replace(old, new, 1), read_beam_dump_record)
    assert f"mine.yaml, line {line_of(RECORD, old)}:" in message


def test_calibrated_number_without_its_point_is_refused(tmp_path) -> None:
    text = RECORD.replace("provenance: published", "provenance: calibrated", 1)
    message = message_of(tmp_path / "mine.yaml", text, read_beam_dump_record)
    assert "protons_on_target.provenance is 'calibrated'" in message
    assert "'calibrated_at'" in message


def test_every_fault_is_listed_in_the_order_of_the_file(tmp_path) -> None:
    text = RECORD.replace("size: 0.20", "size: big").replace("1.4e17", "many")
    message = message_of(tmp_path / "mine.yaml", text, read_beam_dump_record)
    first, second, third = message.splitlines()
    assert first.endswith("has 2 faults:")
    assert "protons_on_target.value" in second
    assert "nuisances[0].size" in third


def test_missing_keys_are_listed_together(tmp_path) -> None:
    message = message_of(tmp_path / "mine.yaml", "id: a\n", read_beam_dump_record)
    assert "the keys 'experiment', 'texkey', 'arxiv'" in message
    assert "'statistics' are missing" in message


FILE_FAULTS = {
    "empty": ("", "is empty"),
    "comments only": ("# nothing\n", "is empty (it has comments only)"),
    "list": ("- a\n", "must be a mapping of keys to values, but is a list"),
    "word": ("hello", "but is the value 'hello'"),
    "not UTF-8": (b"id: a\ntitle: \xff\n", "line 2: byte 0xff is not UTF-8"),
    "control character": ("id: a\x00\n", "line 1: a control character"),
    "nested": ("[" * 5000, "nested too deeply"),
    "second document": ("a: 1\n---\nb: 2\n", "line 2, column 1: a second document"),
    "unclosed quote": ("a: 'b\n", "line 2, column 1"),
    "list as key": ("? [a]\n: 1\n", "a key must be text, but this one is not"),
}


@pytest.mark.parametrize("fault", FILE_FAULTS.values(), ids=FILE_FAULTS.keys())
def test_file_that_is_no_mapping_is_refused(fault, tmp_path) -> None:
    content, expected = fault
    assert expected in message_of(tmp_path / "mine.yaml", content, load_yaml)


def test_directory_and_missing_file_are_refused(tmp_path) -> None:
    with pytest.raises(DataFileError, match="is a directory; give a file in it"):
        read_model_card(tmp_path)
    (tmp_path / "other.yaml").write_text("a: 1\n")
    with pytest.raises(DataFileError, match=r"does not exist; its folder has other\.y"):
        read_model_card(tmp_path / "mine.yaml")
    with pytest.raises(DataFileError, match="nor does its folder"):
        read_model_card(tmp_path / "nowhere" / "mine.yaml")


CARD_FAULTS = {
    "form factor": (
        "form_factor: none",
        "form_factor: vdm",
        ["form_factor = 'vdm' must be 'none', 'vmd' or 'ua'", "did you mean 'vmd'?"],
    ),
    "default preset": (
        "default_preset: bremsstrahlung",
        "default_preset: bremstrahlung",
        ["default_preset is 'bremstrahlung'", "did you mean 'bremsstrahlung'?"],
    ),
    "name with a blank": (
        "  mixing:",
        "  mixing one:",
        ["the key presets.mixing one must match"],
    ),
    "mass range backwards": (
        "[0.0011, 2.0]",
        "[2.0, 0.1]",
        ["mass_range is [2, 0.1] GeV but must be [lower, upper]"],
    ),
    "half a mass range": (
        "[0.0011, 2.0]",
        "[2.0]",
        ["mass_range = [2.0] must have at least 2 entries"],
    ),
    "unknown process": (
        "processes: [proton-bremsstrahlung]",
        "processes: [proton-bremstrahlung]",
        ["processes[0] = 'proton-brem", "did you mean 'proton-bremsstrahlung'?"],
    ),
    "unknown key": (
        "nuisances: []",
        "nuisance: []",
        ["'nuisance' in presets.bremsstrahlung; did you mean 'nuisances'?"],
    ),
    "benchmark": ("pbc: BC1", "pbc: BC12", ["pbc = 'BC12' must match"]),
}


@pytest.mark.parametrize("fault", CARD_FAULTS.values(), ids=CARD_FAULTS.keys())
def test_fault_in_a_model_card_is_named(fault, tmp_path) -> None:
    old, new, expected = fault
    assert old in CARD
    text = CARD.replace(old, new, 1)
    message = message_of(tmp_path / "mine.yaml", text, read_model_card)
    for part in expected:
        assert part in message
    assert "\n" not in message


GEOMETRY_FAULTS = {
    "unknown key in a list": (
        "- name: straw-2\n",
        "- name: straw-2\n    hole_y: 1\n",
        "unknown key 'hole_y' in straw[1]; did you mean 'hole_x'?",
    ),
    "unknown key in a named entry": (
        "      start: {value: 102.0",
        "      strat: {value: 102.0",
        "in alternatives.decay_volume.alpinist; did you mean 'start'?",
    ),
    "order": (
        "value: 241.495",
        "value: 141.495",
        "lkr.z.value is 141.495 m but must lie beyond straw[3].z = 218.885 m",
    ),
    "magnet": (
        "value: 197.0,",
        "value: 97.0,",
        "magnet.z.value is 97 m but must lie between the first and the last chamber",
    ),
    "unit": (
        "value: 0.101, unit: m",
        "value: 101, unit: mm",
        "straw[0].hole_x.unit is 'mm' but must be 'm'",
    ),
    "annulus": (
        "value: 1.465",
        "value: 0.1",
        "lkr.outer_radius.value is 0.1 m but must exceed hole_radius = 0.15 m",
    ),
    "square": (
        "value: 1.32,",
        "value: 0.1,",
        "muv3.half_side.value is 0.1 m but must exceed hole_radius = 0.11 m",
    ),
    "hole": (
        "value: 0.114,",
        "value: 1.114,",
        "straw[1].outer_radius.value is 1 m but must exceed |hole_x| + hole_radius",
    ),
}


@pytest.mark.parametrize("fault", GEOMETRY_FAULTS.values(), ids=GEOMETRY_FAULTS.keys())
def test_fault_in_a_geometry_is_named(fault, tmp_path) -> None:
    old, new, expected = fault
    assert old in GEOMETRY
    text = GEOMETRY.replace(old, new, 1)
    message = message_of(tmp_path / "mine.yaml", text, read_geometry)
    assert expected in message
    assert "line " in message


def test_numbers_and_words_follow_yaml_1_2(tmp_path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(
        "a: 1.4e17\nb: 1e-6\nc: 010\nd: no\ne: on\nf: true\ng: ~\nh: 1:30\n"
        "i: 2024-01-01\nj: -.5\nk: .nan\nl: '1'\nm: 1_000\nn: 0x1F\n"
    )
    content = load_yaml(path).content
    assert math.isnan(content.pop("k"))
    assert content == {
        "a": 1.4e17,
        "b": 1e-6,
        "c": 10,
        "d": "no",
        "e": "on",
        "f": True,
        "g": None,
        "h": "1:30",
        "i": "2024-01-01",
        "j": -0.5,
        "l": "1",
        "m": "1_000",
        "n": "0x1F",
    }


def test_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + CARD.replace("\n", "\r\n").encode())
    assert read_model_card(path).name == "dark-photon"


def test_every_message_is_a_bsmfit_error(tmp_path) -> None:
    with pytest.raises(BsmfitError):
        read_model_card(tmp_path / "absent.yaml")


def test_fifty_of_very_many_faults_are_described(monkeypatch, tmp_path) -> None:
    """Looking for the closest of 20 keys, 3e5 times, took minutes."""
    guesses = []

    def guess(given, allowed):
        guesses.append(given)
        return closest_name(given, allowed)

    monkeypatch.setattr(schema_errors, "closest_name", guess)
    text = RECORD + "".join(f"titel{i}: 1\n" for i in range(20_000))
    message = message_of(tmp_path / "mine.yaml", text, read_beam_dump_record)
    first, *others = message.splitlines()
    assert first.endswith("mine.yaml has 50 and 19950 more faults:")
    assert len(others) == 50
    assert "'titel0'; did you mean 'title'?" in others[0]
    assert len(guesses) <= 4 * 50  # twice a fault, at most two looks each


def test_very_long_key_is_shortened_in_its_message(tmp_path) -> None:
    text = RECORD + "? " + "k" * 1_000_000 + "\n: 1\n"
    message = message_of(tmp_path / "mine.yaml", text, read_beam_dump_record)
    assert "unknown key 'kkk" in message
    assert len(message) < 1000


def test_what_is_handed_out_is_the_callers_own(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(CARD)
    first = load_yaml(path)
    first.content["name"] = "changed"
    first.content["presets"].clear()
    first.lines.clear()
    read_model_card(path).presets.clear()
    assert load_yaml(path).content["name"] == "dark-photon"
    assert load_yaml(path).lines[("name",)] == line_of(CARD, "name:")
    assert read_model_card(path).presets


def test_file_that_was_changed_is_read_again_whatever_its_date(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: 1\n")
    status = path.stat()
    assert load_yaml(path).content == {"a": 1}
    path.write_text("a: 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_yaml(path).content == {"a": 2}


def test_same_text_is_parsed_once(monkeypatch, tmp_path) -> None:
    parsed = []

    def parse(text, rules):
        parsed.append(text)
        return parse_yaml(text, rules)

    monkeypatch.setattr(yaml_file, "parse_yaml", parse)
    text = f"a: {tmp_path}\n"  # not met before
    for name in ("one.yaml", "two.yaml", "one.yaml"):
        (tmp_path / name).write_text(text)
        assert load_yaml(tmp_path / name).path.name == name
    assert parsed == [text]


def test_text_at_the_top_level_is_read_without_the_schema(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("id: a-b\nkind: 3\nnobody: knows\n")
    assert top_level_text(path, "id") == "a-b"
    assert top_level_text(path, "kind") is None
    assert top_level_text(path, "title") is None
