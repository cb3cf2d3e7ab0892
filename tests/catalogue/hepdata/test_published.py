"""Tables as they are published: gaps, bounds, qualifiers, lifetimes, other separators.

All numbers are made up. What must come out is what a reader of the table would say.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

from bsmfit.catalogue.hepdata.lifetimes import read_lifetime_curves
from bsmfit.catalogue.hepdata.limit import read_limit_curve
from bsmfit.catalogue.hepdata.spectrum import read_missing_mass_spectrum
from bsmfit.catalogue.hepdata.table import read_hepdata_table
from bsmfit.catalogue.limit_curves import limit_at
from bsmfit.errors import BsmfitError, DataFileError, InputError, UnknownNameError


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def message_of(reader, path, **arguments) -> str:
    with pytest.raises(BsmfitError) as caught:
        reader(path, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def limits(*given: str, unit: str = "MeV") -> str:
    rows = [f"{10 * number},{text}" for number, text in enumerate(given, 1)]
    return "\n".join([f"MASS [{unit}],Obs. BR UL", *rows, ""])


# --- gaps and bounds ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["-", "--", "---", "", "n/a", "N/A", "nan", "*", "—", "...", "null"]
)
def test_a_mass_without_a_limit_is_a_gap(text, tmp_path) -> None:
    path = write(tmp_path, "t.csv", limits("1e-10", "2e-10", text, "3e-10", "4e-10"))
    curve = read_limit_curve(path)
    np.testing.assert_allclose(curve.mass, [0.01, 0.02, 0.04, 0.05])
    np.testing.assert_allclose(curve.limit, [1e-10, 2e-10, 3e-10, 4e-10])
    np.testing.assert_allclose(curve.segments, [(0.01, 0.02), (0.04, 0.05)])
    found = limit_at(curve, np.array([0.02, 0.03, 0.04]))
    np.testing.assert_allclose(found, [2e-10, np.nan, 3e-10])


def test_a_gap_of_one_bin_beside_an_expected_limit(tmp_path) -> None:
    text = """#: name: limits
#: qualifier CL,90
MASS [MEV],MASS [MEV] LOW,MASS [MEV] HIGH,Obs. BR UL,Exp. BR UL,1 sigma +,1 sigma -
110,108,112,1.2e-10,1.1e-10,0.3e-10,-0.2e-10
114,112,116,-,1.1e-10,0.3e-10,-0.2e-10
118,116,120,1.4e-10,1.2e-10,0.3e-10,-0.2e-10
"""
    curve = read_limit_curve(write(tmp_path, "t.csv", text))
    np.testing.assert_allclose(curve.segments, [(0.110,) * 2, (0.118,) * 2])
    assert curve.limit.tolist() == [1.2e-10, 1.4e-10]


@pytest.mark.parametrize(
    "text", ["< 3.1e-11", "<3.1e-11", "<=3.1e-11", "≤ 3.1e-11", r"$\leq$ 3.1e-11"]
)
def test_a_bound_is_an_upper_limit(text, tmp_path) -> None:
    yaml = f"""dependent_variables:
- header: {{name: 'BR upper limit'}}
  qualifiers: [{{name: CL, value: 90}}]
  values: [{{value: '---'}}, {{value: '-'}}, {{value: '{text}'}}, {{value: 2.2e-11}}]
independent_variables:
- header: {{name: 'm_X', units: MeV}}
  values: [{{value: 10}}, {{value: 20}}, {{value: 30}}, {{value: 40}}]
"""
    path = write(tmp_path, "t.yaml", yaml)
    curve = read_limit_curve(path)
    np.testing.assert_allclose(curve.mass, [0.03, 0.04])
    assert curve.limit.tolist() == [3.1e-11, 2.2e-11]
    np.testing.assert_allclose(curve.segments, [(0.03, 0.04)])
    column = read_hepdata_table(path).column("BR upper limit")
    assert column.bounds == ("", "", "<", "")


def test_a_bound_is_neither_a_mass_nor_a_count(tmp_path) -> None:
    path = write(tmp_path, "t.csv", limits("1e-10").replace("10,", "<10,"))
    assert "'MASS' is < 10 in row 1 but must be a" in message_of(read_limit_curve, path)
    text = "mm2 [GeV^2] LOW,mm2 [GeV^2] HIGH,Data,SM\n0,1,{},{}\n"
    for cells in (("<3", "1"), ("3", "<1")):
        path = write(tmp_path, "t.csv", text.format(*cells))
        assert "a number of events, not a bound" in message_of(
            read_missing_mass_spectrum, path
        )


# --- qualifiers and lifetimes ---------------------------------------------------------

QUALIFIERS_YAML = """dependent_variables:
- header: {name: 'Upper limit on BR'}
  qualifiers: [{name: lifetime, units: NS, value: 1.0}]
  values: [{value: 3.0e-10}, {value: 2.0e-10}]
- header: {name: 'Upper limit on BR'}
  qualifiers: [{name: lifetime, units: NS, value: 10.0}]
  values: [{value: 1.0e-10}, {value: 0.7e-10}]
independent_variables:
- header: {name: 'MASS', units: GEV}
  values: [{value: 0.16}, {value: 0.17}]
"""
QUALIFIERS_CSV = """#: lifetime [NS],1.0,10.0
MASS [GEV],Upper limit on BR,Upper limit on BR
0.16,3.0e-10,1.0e-10
0.17,2.0e-10,0.7e-10
"""
QUALIFIERS_BLOCKS = """#: name: two blocks
#: lifetime [NS],1.0
MASS [GEV],Upper limit on BR
0.16,3.0e-10
0.17,2.0e-10

#: lifetime [NS],10.0
MASS [GEV],Upper limit on BR
0.16,1.0e-10
0.17,0.7e-10
"""
VARIABLE_YAML = """dependent_variables:
- header: {name: 'BR upper limit'}
  qualifiers: [{name: CL, value: 90}]
  values: [{value: 3.0e-10}, {value: 2.0e-10}, {value: 1.0e-10}, {value: 0.7e-10}]
independent_variables:
- header: {name: 'MASS', units: MEV}
  values: [{value: 160}, {value: 170}, {value: 160}, {value: 170}]
- header: {name: 'Lifetime', units: NS}
  values: [{value: 1}, {value: 1}, {value: 10}, {value: 10}]
"""
VARIABLE_CSV = """MASS [MEV],Lifetime [NS],BR upper limit
160,1,3.0e-10
170,1,2.0e-10
160,10,1.0e-10
170,10,0.7e-10
"""
LIFETIMES = {
    "qualifiers.yaml": QUALIFIERS_YAML,
    "qualifiers.csv": QUALIFIERS_CSV,
    "blocks.csv": QUALIFIERS_BLOCKS,
    "variable.yaml": VARIABLE_YAML,
    "variable.csv": VARIABLE_CSV,
}


@pytest.mark.parametrize("name", LIFETIMES)
def test_each_lifetime_has_its_curve(name, tmp_path) -> None:
    path = write(tmp_path, name, LIFETIMES[name])
    curves = read_lifetime_curves(path)
    np.testing.assert_allclose(list(curves), [1e-9, 1e-8], rtol=1e-14)
    expected = [[3.0e-10, 2.0e-10], [1.0e-10, 0.7e-10]]
    for curve, limit in zip(curves.values(), expected, strict=True):
        np.testing.assert_allclose(curve.mass, [0.16, 0.17])
        assert curve.limit.tolist() == limit
    for given, limit in zip((1, "10"), expected, strict=True):
        curve = read_limit_curve(path, select={"Lifetime": given})
        assert curve.limit.tolist() == limit


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "qualifiers.yaml",
            "2 columns that are called 'Upper limit on BR', which differ in lifetime "
            "[NS]: 1.0, 10.0; choose one of them, for example "
            "select={'lifetime': '1.0'}",
        ),
        (
            "variable.yaml",
            "the limit also depends on 'Lifetime' [NS], which is 1, 10; choose one: "
            "select={'Lifetime': 1}",
        ),
        ("variable.csv", "choose its value: select={'Lifetime': 1}"),
    ],
)
def test_a_curve_of_several_lifetimes_must_be_chosen(name, message, tmp_path) -> None:
    path = write(tmp_path, name, LIFETIMES[name])
    assert message in message_of(read_limit_curve, path)
    assert read_limit_curve(path, select={"lifetime": 1.0}).limit[0] == 3e-10


@pytest.mark.parametrize(
    ("select", "error", "message"),
    [
        ({"lifetime": 2}, DataFileError, "'Lifetime' is never 2; choose one of 1, 10"),
        ({"CL": 95}, DataFileError, "no column has CL = 95; choose one of 90"),
        ({"lifetim": 1}, UnknownNameError, "did you mean 'Lifetime'?"),
        ({"lifetime": "long"}, InputError, "the column holds numbers"),
    ],
)
def test_a_choice_that_is_not_there_is_named(select, error, message, tmp_path) -> None:
    path = write(tmp_path, "t.yaml", VARIABLE_YAML)
    with pytest.raises(error) as caught:
        read_limit_curve(path, select=select)
    assert message in str(caught.value)


def test_a_table_without_lifetimes_is_named(tmp_path) -> None:
    path = write(tmp_path, "t.csv", limits("1e-10"))
    message = message_of(read_lifetime_curves, path)
    assert "neither a variable nor a qualifier is called Lifetime" in message
    stable = QUALIFIERS_YAML.replace("value: 10.0", "value: stable")
    path = write(tmp_path, "t.yaml", stable)
    assert "is 'stable', not a number" in message_of(read_lifetime_curves, path)
    curve = read_limit_curve(path, select={"lifetime": "stable"})
    assert curve.limit.tolist() == [1e-10, 0.7e-10]


# --- formats --------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_semicolons_and_tabs_part_fields_as_well(separator, tmp_path) -> None:
    text = """#: name: spectrum
M_MISS^2 [GEV^2];M_MISS^2 [GEV^2] LOW;M_MISS^2 [GEV^2] HIGH;Data;Total background;\
sys +;sys -
0.005;0.0;0.01;12;11.2;1.1;-1.0
0.015;0.01;0.02;5;4.2;0.5;-0.5
"""
    path = write(tmp_path, "t.csv", text.replace(";", separator))
    spectrum = read_missing_mass_spectrum(path)
    assert spectrum.observed.tolist() == [12, 5]
    np.testing.assert_allclose(spectrum.edges, [[0.0, 0.01], [0.01, 0.02]])
    background = spectrum.background["Total background"]
    assert background.expected.tolist() == [11.2, 4.2]
    assert background.errors["sys"].minus.tolist() == [-1.0, -0.5]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", ",\n"),
        lambda text: text.replace("e-", "e−"),
        lambda text: text.replace(",", " , "),
        lambda text: '#: description: The "best", at 90 % CL\n' + text,
    ],
)
def test_what_editors_and_spreadsheets_do_changes_nothing(change, tmp_path) -> None:
    path = write(tmp_path, "t.csv", change(limits("1e-10", "2e-10")))
    assert read_limit_curve(path).limit.tolist() == [1e-10, 2e-10]


def test_falling_masses_are_turned_round(tmp_path) -> None:
    text = "MASS [MeV],Obs. BR UL\n30,3e-10\n20,-\n10,1e-10\n5,2e-10\n"
    curve = read_limit_curve(write(tmp_path, "t.csv", text))
    np.testing.assert_allclose(curve.mass, [0.005, 0.01, 0.03])
    assert curve.limit.tolist() == [2e-10, 1e-10, 3e-10]
    np.testing.assert_allclose(curve.segments, [(0.005, 0.01), (0.03, 0.03)])


@pytest.mark.parametrize(
    "header",
    ["MASS (MeV)", "M(X) IN MEV", "'m_X, MeV'", "m_X / MeV", "m(X) [MeV c$^{-2}$]"],
)
def test_a_unit_may_stand_outside_square_brackets(header, tmp_path) -> None:
    text = limits("1e-10", "2e-10").replace("MASS [MeV]", header.replace("'", '"'))
    curve = read_limit_curve(write(tmp_path, "t.csv", text))
    np.testing.assert_allclose(curve.mass, [0.01, 0.02])


@pytest.mark.parametrize("unit", ["%", "10^{-2}", "10⁻²", "× 10^{-2}", "10**-2"])
def test_units_of_limits_in_many_spellings(unit, tmp_path) -> None:
    text = limits("0.5", "1").replace("Obs. BR UL", f"Obs. BR UL [{unit}]")
    curve = read_limit_curve(write(tmp_path, "t.csv", text))
    np.testing.assert_allclose(curve.limit, [0.005, 0.01])


REFUSED = {
    "1,000": "'1,000' but must be a finite number, or - for none; write 1000 if the",
    "1,000,000": "write 1000000",
    "1,5e-11": "write 1.5e-11",
    "inf": "'inf' but must be a finite number",
    "1e400": "'1e400' but must be a finite number",
    "1_0": "'1_0' but must be",
    "2 e-11": "a number has no blanks",
    "5%": "write it without %, or give the unit % in the header",
    "<": "a bound without a number",
    ">1e-11": "is > 1e-11 in row 2 but must be an upper limit",
    "-1e-11": "'Obs. BR UL' is -1e-11 in row 2 but must be above 0",
    "0": "'Obs. BR UL' is 0 in row 2 but must be above 0",
    "3.1": "need that unit in the header: 'BR UL [10^-11]'",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_number_that_cannot_be_meant_is_named(text, tmp_path) -> None:
    csv = limits("1e-10", f'"{text}"', "1e-10")
    message = message_of(read_limit_curve, write(tmp_path, "t.csv", csv))
    assert REFUSED[text] in message
    assert "t.csv" in message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[MeV]", "[meV]", "the unit 'meV'; did you mean 'MeV'?"),
        ("[MeV]", "[GeV]", "'MASS' is 10 in row 1 but must be below that of the kaon"),
        ("[MeV]", "", "'MASS' has no unit (allowed: GeV"),
        ("[MeV],", "[MeV]|", "the row has 2 fields, but the header in line 1 has 1"),
        ("20,", "10,", "'MASS' is 0.01 GeV in the rows 1, 2; keep one of them"),
        ("20,", "40,", "above that of the row before; sort the rows by mass"),
        ("20,", "-,", "'MASS' is no value in row 2 but must be at or above 0"),
    ],
)
def test_a_table_that_cannot_be_meant_is_named(old, new, message, tmp_path) -> None:
    text = limits("1e-10", "2e-10", "3e-10").replace(old, new)
    assert message in message_of(read_limit_curve, write(tmp_path, "t.csv", text))


# --- safety ---------------------------------------------------------------------------


def nine_times(levels: int) -> str:
    """A few lines of aliases that stand for 9^levels entries."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        entries = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{entries}]")
    return "\n".join(lines) + "\n"


YAML_REFUSED = {
    "aliases of aliases": (nine_times(10), "more than 600000 keys and values"),
    "alias of itself": (
        "a: &a [*a]\n",
        "*a repeats nothing that ends above it",
    ),
    "key twice": ("a: 1\na: 2\n", "line 2, column 1: the key 'a' is given twice"),
    "value twice": (
        VARIABLE_YAML.replace("{value: 3.0e-10}", "{value: 3e-10, value: 3e-9}"),
        "the first one is in line 4",
    ),
    "key that is a list": ("? [a]\n: 1\n", "a key must be text"),
    "deep": ("[" * 500 + "]" * 500, "nested too deeply"),
    "very deep": ("[" * 100_000, "nested too deeply"),
    "comments": ("# nothing\n", "has comments only"),
    "large": ("a: 1\n" * 900_000, "has more than 4 MB, the most that is read"),
    "object": (
        "!!python/object/apply:os.system ['true']\n",
        "is not allowed; write a plain value",
    ),
}


@pytest.mark.parametrize("case", YAML_REFUSED)
def test_yaml_that_is_made_to_harm_is_refused_quickly(case, tmp_path) -> None:
    text, message = YAML_REFUSED[case]
    path = write(tmp_path, "t.yaml", text)
    start = time.process_time()
    assert message in message_of(read_hepdata_table, path)
    assert time.process_time() - start < 5.0


def test_an_alias_of_a_tool_is_followed(tmp_path) -> None:
    text = VARIABLE_YAML.replace(
        "  values: [{value: 1},", "  values: [&one {value: 1},"
    )
    text = text.replace("&one {value: 1}, {value: 1}", "&one {value: 1}, *one")
    assert "*one" in text
    curves = read_lifetime_curves(write(tmp_path, "t.yaml", text))
    np.testing.assert_allclose(list(curves), [1e-9, 1e-8])


def test_a_pipe_is_refused_unread(tmp_path) -> None:
    for name in ("t.yaml", "t.csv"):
        os.mkfifo(tmp_path / name)
        message = message_of(read_hepdata_table, tmp_path / name)
        assert "is no regular file" in message


@pytest.mark.parametrize(
    ("reader", "arguments", "message"),
    [
        (
            read_hepdata_table,
            {"path": None},
            "must be the path of a file, but is of ty",
        ),
        (read_limit_curve, {"path": ""}, "must be the path of a file, but is ''"),
        (read_limit_curve, {"mass": 3}, "mass=3; give the name of a column"),
        (read_limit_curve, {"select": "x"}, "select is 'x'; give names and values"),
        (read_limit_curve, {"select": {1: 2}}, "select has 1: 2; give a name and a"),
        (read_limit_curve, {"widest_step": "a"}, "widest_step = 'a'; give a number"),
        (read_limit_curve, {"widest_step": -1.0}, "widest_step = -1.0; give a number"),
        (read_missing_mass_spectrum, {"path": 3}, "a HEPData table is 3; give a path"),
    ],
)
def test_arguments_of_another_kind_are_named(
    reader, arguments, message, tmp_path, monkeypatch
) -> None:
    # as a user calls it: without the type checks that only the tests have
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    path = write(tmp_path, "t.csv", limits("1e-10"))
    with pytest.raises(InputError) as caught:
        reader(**{"path": path, **arguments})
    assert message in str(caught.value)
