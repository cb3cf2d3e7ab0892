"""HEPData tables in YAML and CSV: same numbers, right units, faults by name.

All numbers are made up. YAML follows the submission schema, CSV the download format.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bsmfit.catalogue.hepdata.limit import read_limit_curve
from bsmfit.catalogue.hepdata.spectrum import read_missing_mass_spectrum
from bsmfit.catalogue.hepdata.table import HepDataTable, read_hepdata_table
from bsmfit.catalogue.limit_curves import limit_at
from bsmfit.errors import DataFileError, InputError, UnknownNameError

SPECTRUM_YAML = """
independent_variables:
- header: {name: 'Squared missing mass', units: GeV$^2$/c$^4$}
  values:
  - {low: 0.01, high: 0.02}
  - {low: 0.02, high: 0.04}
  - {low: 0.05, high: 0.06}
dependent_variables:
- header: {name: Observed}
  qualifiers:
  - {name: SQRT(S), units: GeV, value: 11.8}
  values:
  - {value: 3}
  - {value: 0}
  - value: 1.0
- header: {name: 'K+ --> pi+ nu nubar', units: ''}
  values:
  - value: 1.5
    errors:
    - {symerror: 0.3, label: stat}
    - {asymerror: {plus: 0.4, minus: -0.2}, label: sys}
  - value: 2.5e-1
    errors:
    - {symerror: 10%, label: stat}
  - value: 1e-2
- header: {name: Upstream}
  values:
  - {value: 0.5}
  - {value: 0.25}
  - {value: 0.125}
"""
SPECTRUM_CSV = """\
#: table_doi: 10.17182/hepdata.0.v1/t1
#: name: Figure 0
#: description: Made up, in three bins
#: keyword cmenergies: 11.8
#: SQRT(S) [GeV],,,11.8
Squared missing mass [GeV^2],Squared missing mass [GeV^2] LOW,\
Squared missing mass [GeV^2] HIGH,Observed
0.015,0.01,0.02,3
0.03,0.02,0.04,0
0.055,0.05,0.06,1

#: SQRT(S) [GeV],,,
Squared missing mass [GeV^2],Squared missing mass [GeV^2] LOW,\
Squared missing mass [GeV^2] HIGH,K+ --> pi+ nu nubar,stat +,stat -,sys +,sys -
0.015,0.01,0.02,1.5,0.3,-0.3,0.4,-0.2
0.03,0.02,0.04,0.25,0.025,-0.025,,
0.055,0.05,0.06,0.01,,,,

Squared missing mass [GeV^2],Squared missing mass [GeV^2] LOW,\
Squared missing mass [GeV^2] HIGH,Upstream
0.015,0.01,0.02,0.5
0.03,0.02,0.04,0.25
0.055,0.05,0.06,0.125
"""
LIMIT_YAML = """
independent_variables:
- header: {name: X mass, units: MeV/c2}
  values: [{value: 0.0}, {value: 1.5}, {value: 3.0}, {value: 150.0}, {value: 151.5}]
dependent_variables:
- header: {name: Obs. BR UL}
  values: [{value: 1e-11}, {value: 3e-11}, {value: 2e-11}, {value: 8e-12},
    {value: 5.0E-12}]
"""
LIMIT_CSV = """\
#: name: Figure 0-a
X mass [MeV/c2],Obs. BR UL
0.0,1e-11
1.5,3e-11
3.0,2e-11
150.0,8e-12
151.5,5.0E-12
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def message_of(reader, path, **arguments) -> str:
    with pytest.raises(DataFileError) as caught:
        reader(path, **arguments)
    return str(caught.value)


# --- tables ---------------------------------------------------------------------------


def assert_same(first: HepDataTable, second: HepDataTable) -> None:
    assert [c.name for c in first.columns] == [c.name for c in second.columns]
    for ours, theirs in zip(first.columns, second.columns, strict=True):
        for name in ("values", "low", "high"):
            one, other = getattr(ours, name), getattr(theirs, name)
            assert (one is None) == (other is None)
            if one is not None:
                np.testing.assert_allclose(one, other, rtol=1e-15)
        assert list(ours.errors) == list(theirs.errors)
        for label, error in ours.errors.items():
            np.testing.assert_allclose(error.plus, theirs.errors[label].plus)
            np.testing.assert_allclose(error.minus, theirs.errors[label].minus)


def test_both_formats_give_the_same_table(tmp_path) -> None:
    from_yaml = read_hepdata_table(write(tmp_path, "t.yaml", SPECTRUM_YAML))
    from_csv = read_hepdata_table(write(tmp_path, "t.csv", SPECTRUM_CSV))
    assert_same(from_yaml, from_csv)
    assert from_yaml.name == "t"
    assert from_csv.name == "Figure 0"
    assert from_csv.description == "Made up, in three bins"
    for table in (from_yaml, from_csv):
        assert table.columns[0].name == "Squared missing mass"
        error = table.column("k+ --> PI+ nu nubar").errors["sys"]
        assert error.plus.tolist() == [0.4, 0.0, 0.0]
        assert error.minus.tolist() == [-0.2, 0.0, 0.0]


def test_packed_block_is_the_same_table_as_one_block_per_variable(tmp_path) -> None:
    packed = """Squared missing mass [GeV^2] LOW,Squared missing mass [GeV^2] HIGH,\
Observed,K+ --> pi+ nu nubar,stat +,stat -,sys +,sys -,Upstream
0.01,0.02,3,1.5,0.3,-0.3,0.4,-0.2,0.5
0.02,0.04,0,0.25,10%,-10%,0,0,0.25
0.05,0.06,1,0.01,0,0,-,-,0.125
"""
    assert_same(
        read_hepdata_table(write(tmp_path, "packed.csv", packed)),
        read_hepdata_table(write(tmp_path, "blocks.csv", SPECTRUM_CSV)),
    )


def test_name_in_brackets_is_the_unit_in_both_formats(tmp_path) -> None:
    path = write(
        tmp_path,
        "t.yaml",
        LIMIT_YAML.replace("name: X mass, units: MeV/c2", "name: 'X mass [MeV/c2]'"),
    )
    for table in (
        read_hepdata_table(path),
        read_hepdata_table(write(tmp_path, "t.csv", LIMIT_CSV)),
    ):
        assert (table.columns[0].name, table.columns[0].unit) == ("X mass", "MeV/c2")


def test_missing_value_is_nan_and_equal_labels_are_numbered(tmp_path) -> None:
    text = """
independent_variables:
- {header: {name: x}, values: [{value: 1}, {value: 010}]}
dependent_variables:
- header: {name: y}
  values:
  - value: '-'
  - value: 2
    errors: [{symerror: 1}, {symerror: 2}, {asymerror: {plus: 3, minus: -4}}]
"""
    x, y = read_hepdata_table(write(tmp_path, "t.yaml", text)).columns
    assert x.values.tolist() == [1.0, 10.0]
    assert np.isnan(y.values[0])
    assert list(y.errors) == ["error", "error 2", "error 3"]
    assert y.errors["error 3"].minus.tolist() == [0.0, -4.0]


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(
            st.floats(-1e6, 1e6),
            st.floats(1e-3, 1e3),
            st.floats(-1e9, 1e9),
            *(st.floats(0.0, 1e3),) * 2,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_table_reads_back_from_both_formats(rows, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("hepdata")
    low = [start for start, *_ in rows]
    high = [start + width for start, width, *_ in rows]
    content = {
        "independent_variables": [
            {
                "header": {"name": "x", "units": "GeV"},
                "values": [
                    {"low": a, "high": b} for a, b in zip(low, high, strict=True)
                ],
            }
        ],
        "dependent_variables": [
            {
                "header": {"name": "y, of x"},
                "values": [
                    {
                        "value": value,
                        "errors": [
                            {"label": "a", "asymerror": {"plus": up, "minus": -down}}
                        ],
                    }
                    for _, _, value, up, down in rows
                ],
            }
        ],
    }
    lines = ['x [GeV] LOW,x [GeV] HIGH,"y, of x",a +,a -']
    for a, b, (_, _, value, up, down) in zip(low, high, rows, strict=True):
        lines.append(f"{a!r},{b!r},{value!r},{up!r},{-down!r}")
    tables = [
        read_hepdata_table(write(folder, "t.yml", yaml.safe_dump(content))),
        read_hepdata_table(write(folder, "t.csv", "\n".join(lines))),
    ]
    for table in tables:
        x, y = table.columns
        assert x.low is not None
        assert x.high is not None
        assert x.low.tolist() == low
        assert x.high.tolist() == high
        assert y.values.tolist() == [row[2] for row in rows]
        assert y.errors["a"].plus.tolist() == [row[3] for row in rows]
        assert y.errors["a"].minus.tolist() == [-row[4] for row in rows]


def test_column_is_found_by_letters_and_digits_only(tmp_path) -> None:
    table = read_hepdata_table(write(tmp_path, "t.csv", SPECTRUM_CSV))
    assert table.column("$upstream$").values.tolist() == [0.5, 0.25, 0.125]
    with pytest.raises(UnknownNameError) as caught:
        table.column("Upstrem")
    assert "unknown column of Figure 0 'Upstrem'; did you mean 'Upstream'?" in str(
        caught.value
    )


YAML_FAULTS = {
    "no list": ("- a\n", "t.yaml: the top level must be a mapping"),
    "misspelt block": (
        SPECTRUM_YAML.replace(
            "dependent_variables:\n- header: {name: O",
            "x: 0\ndependent_variable:\n- header: {name: O",
        ),
        "the key 'dependent_variables' is missing; is it the key 'dependent_variable'",
    ),
    "no variables": (
        "independent_variables: []\n",
        "t.yaml: independent_variables must be a list of at least one entry",
    ),
    "misspelt key": (
        SPECTRUM_YAML.replace("{value: 0.25}", "{valeu: 0.25}"),
        "dependent_variables[2] 'Upstream', values[1]: the key 'value' is missing; is "
        "it the key 'valeu', misspelt? (found: valeu)",
    ),
    "bin without end": (
        SPECTRUM_YAML.replace("low: 0.05, high: 0.06", "low: 0.05"),
        "values[2]: the key 'high' is missing",
    ),
    "value among bins": (
        SPECTRUM_YAML.replace("low: 0.05, high: 0.06", "value: 0.05"),
        "values[2]: the key 'low' is missing",
    ),
    "text": (
        SPECTRUM_YAML.replace("{value: 0.25}", "{value: many}"),
        "'Upstream', values[1].value is 'many' but must be a finite number, or -",
    ),
    "infinite": (
        SPECTRUM_YAML.replace("{value: 0.25}", "{value: inf}"),
        "values[1].value is 'inf' but must be",
    ),
    "list": (
        SPECTRUM_YAML.replace("{value: 0.25}", "{value: [1]}"),
        "values[1].value is a list but must be",
    ),
    "error": (
        SPECTRUM_YAML.replace("symerror: 0.3", "symmerror: 0.3"),
        "errors[0]: the key 'asymerror' or 'symerror' is missing",
    ),
    "one side": (
        SPECTRUM_YAML.replace("{plus: 0.4, minus: -0.2}", "{plus: 0.4}"),
        "errors[1].asymerror: the key 'minus' is missing",
    ),
    "lengths": (
        SPECTRUM_YAML.replace("  - {value: 0.125}\n", ""),
        "dependent_variables[2] 'Upstream' has 2 values, but 'Squared missing mass' "
        "has 3",
    ),
    "submission": (
        "name: Figure 0\ndata_file: figure_0.yaml\n",
        "is a submission.yaml, which lists tables; give the file of one table, for "
        "example figure_0.yaml",
    ),
    "two documents": ("a: 1\n---\nb: 2\n", "give the file of one table"),
    "syntax": ("a: [1\nb: 2\n", "t.yaml, line 2"),
    "control": ("a: \x07\n", "a control character is not allowed"),
    "empty": ("", "t.yaml is empty"),
}


@pytest.mark.parametrize("fault", YAML_FAULTS.values(), ids=YAML_FAULTS.keys())
def test_fault_in_yaml_is_named(fault, tmp_path) -> None:
    text, expected = fault
    message = message_of(read_hepdata_table, write(tmp_path, "t.yaml", text))
    assert expected in message
    assert "t.yaml" in message


CSV_FAULTS = {
    "comments only": ("#: name: a\n", "t.csv has comments only"),
    "no rows": ("x,y\n", "t.csv:1: the table has a header but no rows"),
    "short row": (
        "x,y\n1\n",
        "t.csv:2: the row has 1 fields, but the header in line 1",
    ),
    "text": ("x,y\n1,a\n", "t.csv:2:2: y is 'a' but must be a finite number"),
    "low only": ("x LOW,y\n1,2\n", "t.csv:1:1: behind 'x LOW' there must be 'x HIGH'"),
    "value and low": ("x,x LOW,y\n1,2,3\n", "t.csv:1:2: behind 'x LOW' there must be"),
    "high only": ("x HIGH,y\n1,2\n", "t.csv:1:1: no column is there that 'x HIGH'"),
    "plus only": ("x,a +\n1,2\n", "t.csv:1:2: behind 'a +' there must be 'a -'"),
    "minus only": ("x,a -\n1,2\n", "t.csv:1:2: no column is there that 'a -' belongs"),
    "error first": ("a +,a -\n1,2\n", "t.csv:1:1: no column is there that 'a +'"),
    "blocks": ("x,y\n1,2\n\nx,z\n1,2\n3,4\n", "t.csv:4: the block has 2 rows, but the"),
    "quote": ('x,y\n1,"2\n', "t.csv:2: not valid CSV"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS.values(), ids=CSV_FAULTS.keys())
def test_fault_in_csv_is_named(fault, tmp_path) -> None:
    text, expected = fault
    path = write(tmp_path, "t.csv", text)
    assert expected in message_of(read_hepdata_table, path)


def test_other_suffix_and_missing_file_are_named(tmp_path) -> None:
    message = message_of(read_hepdata_table, tmp_path / "t.root")
    assert "t.root: a HEPData table must be a file .yaml, .yml, .csv" in message
    assert "does not exist" in message_of(read_hepdata_table, tmp_path / "t.csv")


# --- limits ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.yaml", "t.csv"])
def test_limit_curve_is_in_gev_with_a_gap(name, tmp_path) -> None:
    text = LIMIT_YAML if name == "t.yaml" else LIMIT_CSV
    curve = read_limit_curve(write(tmp_path, name, text))
    expected = [0.0, 0.0015, 0.003, 0.150, 0.1515]
    np.testing.assert_allclose(curve.mass, expected, rtol=1e-15)
    assert curve.limit.tolist() == [1e-11, 3e-11, 2e-11, 8e-12, 5e-12]
    np.testing.assert_allclose(curve.segments, [(0, 0.003), (0.15, 0.1515)])
    assert curve.provenance == ("published",) * 5
    assert np.isnan(limit_at(curve, np.array(0.1)))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("MeV", 1e-3),
        ("MEV", 1e-3),
        ("MeV/c^2", 1e-3),
        ("MeV/$c^{2}$", 1e-3),
        (r"\mathrm{MeV}/c^2", 1e-3),
        ("GEV", 1.0),
        ("GeV/c**2", 1.0),
        ("GeV c$^{-2}$", 1.0),
        ("GeV/c²", 1.0),
        ("keV", 1e-6),
    ],
)
def test_units_of_mass(unit, factor, tmp_path) -> None:
    masses = np.array([0.0015, 0.003, 0.15, 0.1515]) / factor
    rows = "".join(f"{mass!r},1e-11\n" for mass in masses.tolist())
    path = write(tmp_path, "t.csv", f"X mass [{unit}],Obs. BR UL\n{rows}")
    curve = read_limit_curve(path, widest_step=200.0)
    np.testing.assert_allclose(curve.mass, [0.0015, 0.003, 0.15, 0.1515])
    assert len(curve.segments) == 1


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("1", 1.0), (r"$\times 10^{-11}$", 1e-11), ("10^-3", 1e-3), ("1e-2", 1e-2)],
)
def test_limit_may_be_in_powers_of_ten(unit, factor, tmp_path) -> None:
    text = LIMIT_CSV.replace("Obs. BR UL", f"Obs. BR UL [{unit}]")
    curve = read_limit_curve(write(tmp_path, "t.csv", text))
    np.testing.assert_allclose(curve.limit[0], factor * 1e-11, rtol=1e-14)


def test_expected_limits_beside_the_observed_one_are_let_pass(tmp_path) -> None:
    text = "$M_{X}$ [GeV],OBSERVED UL,Exp. UL,+1 sigma\n0.1,0.1,2,3\n0.11,0.2,3,4\n"
    curve = read_limit_curve(write(tmp_path, "t.csv", text))
    assert curve.limit.tolist() == [0.1, 0.2]


LIMIT_FAULTS = {
    "no unit": ((" [MeV/c2]", ""), "'X mass' has no unit (allowed: GeV, GeV/c^2, MeV"),
    "unit": (
        ("MeV/c2", "MeV^2/c4"),
        "'X mass' has the unit 'MeV^2/c4'; did you mean 'MeV/c^2'?",
    ),
    "unit of limit": (
        ("BR UL", "BR UL [GeV]"),
        "'Obs. BR UL' has the unit 'GeV', but it must be a pure number",
    ),
    "no mass": (
        ("X mass", "X masss"),
        "(found: X masss, Obs. BR UL); 'X masss' may be meant; another name can be "
        "given as mass=",
    ),
    "no limit": (("Obs. BR UL", "Efficiency"), "no column is called Obs. BR UL or"),
    "two limits": (
        ("Obs. BR UL\n", "Obs. BR UL,Upper limit\n"),
        "several columns fit, 'Obs. BR UL', 'Upper limit'; give one of them as limit=",
    ),
    "unexpected": (
        ("Obs. BR UL\n", "Obs. BR UL,lifetime [ps]\n"),
        "unexpected column 'lifetime' (found: 'X mass', 'Obs. BR UL', 'lifetime')",
    ),
    "disorder": (
        ("150.0", "1.0"),
        "'X mass' is 1 in row 4 but must be above that of the row before",
    ),
    "negative mass": (
        ("\n0.0,", "\n-1.0,"),
        "'X mass' is -1 in row 1 but must be at or",
    ),
    "zero": (("3e-11", "0"), "'Obs. BR UL' is 0 in row 2 but must be above 0"),
    "above one": (("3e-11", "3"), "'Obs. BR UL' is 3 in row 2 but must be a branching"),
    "heavy": (("151.5", "1515"), "'X mass' is 1515 in row 5 but must be below that of"),
    "twice": (("151.5", "150"), "'X mass' is 0.15 GeV in the rows 4, 5; keep one"),
    "lower": (("3e-11", ">3e-11"), "'Obs. BR UL' is > 3e-11 in row 2 but must be an"),
}


@pytest.mark.parametrize("fault", LIMIT_FAULTS.values(), ids=LIMIT_FAULTS.keys())
def test_fault_in_limit_is_named(fault, tmp_path) -> None:
    (old, new), expected = fault
    text = LIMIT_CSV.replace(old, new)
    if new.endswith("\n"):  # one more column
        lines = text.splitlines()
        text = "\n".join([*lines[:2], *(f"{line},1" for line in lines[2:])])
    message = message_of(read_limit_curve, write(tmp_path, "t.csv", text))
    assert expected in message
    assert message.startswith(tmp_path.as_posix())


def test_named_columns_are_taken_and_others_let_pass(tmp_path) -> None:
    text = "scalar mass [GeV],bound,efficiency\n0.1,1e-9,0.5\n0.2,2e-9,0.5\n"
    path = write(tmp_path, "t.csv", text)
    curve = read_limit_curve(path, mass="Scalar mass", limit="bound")
    assert curve.limit.tolist() == [1e-9, 2e-9]


# --- spectra --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.yaml", "t.csv"])
def test_spectrum_has_bins_counts_and_backgrounds(name, tmp_path) -> None:
    text = SPECTRUM_YAML if name == "t.yaml" else SPECTRUM_CSV
    spectrum = read_missing_mass_spectrum(write(tmp_path, name, text))
    assert spectrum.edges.tolist() == [[0.01, 0.02], [0.02, 0.04], [0.05, 0.06]]
    assert spectrum.observed.tolist() == [3, 0, 1]
    assert list(spectrum.background) == ["K+ --> pi+ nu nubar", "Upstream"]
    signal = spectrum.background["K+ --> pi+ nu nubar"]
    assert signal.expected.tolist() == [1.5, 0.25, 0.01]
    total = signal.total_error()  # 0.3 and 0.4: a right-angled triangle
    np.testing.assert_allclose(total.plus, [0.5, 0.025, 0.0])
    np.testing.assert_allclose(total.minus, [-np.hypot(0.3, 0.2), -0.025, 0.0])


def test_observed_and_expected_may_be_in_two_tables(tmp_path) -> None:
    head = "$m^2_{\\mathrm{miss}}$ [MeV$^2$] LOW,$m^2_{\\mathrm{miss}}$ [MeV$^2$] HIGH"
    data = write(tmp_path, "a.csv", f"{head},Data\n0,100,2\n100,200,5\n")
    text = "m_miss^2 [GeV^2/c^4] LOW,m_miss^2 [GeV^2/c^4] HIGH,SM\n"
    text += "0,0.0001,2.5\n0.0001,0.0002,4\n"
    spectrum = read_missing_mass_spectrum([data, write(tmp_path, "b.csv", text)])
    np.testing.assert_allclose(spectrum.edges, [[0, 1e-4], [1e-4, 2e-4]], rtol=1e-14)
    assert spectrum.observed.tolist() == [2, 5]
    assert spectrum.background["SM"].expected.tolist() == [2.5, 4.0]
    other = write(tmp_path, "c.csv", text.replace("0.0001,0.0002", "0.0001,0.0003"))
    message = message_of(read_missing_mass_spectrum, [data, other])
    assert "c.csv has other bins than" in message
    with pytest.raises(InputError, match="no path of a HEPData table"):
        read_missing_mass_spectrum([])


def test_bins_of_centres_have_half_a_step_on_either_side(tmp_path) -> None:
    text = "missing mass squared [(GeV/c^2)^2],N_obs,SM\n-0.01,1,1\n0,2,1\n0.01,0,1\n"
    spectrum = read_missing_mass_spectrum(write(tmp_path, "t.csv", text))
    expected = [[-0.015, -0.005], [-0.005, 0.005], [0.005, 0.015]]
    np.testing.assert_allclose(spectrum.edges, expected, atol=1e-15)
    np.testing.assert_array_equal(spectrum.edges[1:, 0], spectrum.edges[:-1, 1])


def test_columns_can_be_chosen(tmp_path) -> None:
    text = "q [GeV^2] LOW,q [GeV^2] HIGH,seen,a,b,total,signal\n0,1,3,1,2,3,9\n"
    path = write(tmp_path, "t.csv", text)
    spectrum = read_missing_mass_spectrum(
        path, mass_squared="q", observed="seen", background=["a", "b"]
    )
    assert list(spectrum.background) == ["a", "b"]
    assert spectrum.observed.tolist() == [3]
    arguments = {"mass_squared": "q", "observed": "seen"}
    empty = read_missing_mass_spectrum(path, background=[], **arguments)
    assert empty.background == {}


BINS = "mm2 [GeV^2] LOW,mm2 [GeV^2] HIGH"
SPECTRUM_FAULTS = {
    "overlap": (
        f"{BINS},Data,SM\n0,2,1,1\n1,3,1,1\n",
        "'mm2' is the bin 1 to 3 in row 2 but must be above the bin before",
    ),
    "unsorted": (f"{BINS},Data,SM\n2,3,1,1\n1,2,1,1\n", "is the bin 1 to 2 in row 2"),
    "reversed": (f"{BINS},Data,SM\n3,2,1,1\n", "must be a bin with low < high"),
    "nan edge": (f"{BINS},Data,SM\n-,2,1,1\n", "must be a bin with low < high"),
    "unequal": (
        "mm2 [GeV^2],Data,SM\n0,1,1\n1,1,1\n4,1,1\n",
        "'mm2' is 1 in row 2 but must be 2: without edges, bins have one width",
    ),
    "centres in disorder": (
        "mm2 [GeV^2],Data,SM\n0,1,1\n-1,1,1\n",
        "'mm2' is -1 in row 2 but must be above the centre before",
    ),
    "one centre": ("mm2 [GeV^2],Data,SM\n0,1,1\n", "no width is known"),
    "unit": (
        "mm2 [GeV],Data,SM\n0,1,1\n1,1,1\n",
        "'mm2' has the unit 'GeV'; did you mean 'GeV^2'?",
    ),
    "no bins": ("x [GeV^2],Data,SM\n0,1,1\n", "no column is called Squared missing"),
    "no observed": (
        f"{BINS},Observd,SM\n0,1,1,1\n",
        "no column is called Observed or Observed events or Observed data or Obs. or "
        "Obs. events or Data or Data events or N_obs or Number of observed events "
        "(found: Observd, SM); 'Observd' may be meant; another name can be given as "
        "observed=",
    ),
    "two observed": (f"{BINS},Data,Obs.\n0,1,1,1\n", "several columns fit, 'Data', 'O"),
    "negative count": (
        f"{BINS},Data,SM\n0,1,-1,1\n",
        "'Data' is -1 in row 1 but must be a whole number of events, 0 or above",
    ),
    "half a count": (f"{BINS},Data,SM\n0,1,0.5,1\n", "'Data' is 0.5 in row 1"),
    "no count": (f"{BINS},Data,SM\n0,1,-,1\n", "'Data' is no value in row 1"),
    "negative background": (
        f"{BINS},Data,SM\n0,1,1,-0.1\n",
        "'SM' is -0.1 in row 1 but must be 0 or above",
    ),
    "no background value": (f"{BINS},Data,SM\n0,1,1,-\n", "'SM' is no value in row 1"),
    "density": (
        f"{BINS},Data,SM [events/GeV^2]\n0,1,1,1\n",
        "'SM' has the unit 'events/GeV^2', but it must be events per bin",
    ),
    "total": (
        f"{BINS},Data,SM,Total expected\n0,1,1,1,1\n",
        "is 'Total expected' a background of its own? Say which columns add up to the "
        "whole background: background=[...] (found: 'SM', 'Total expected')",
    ),
    "signal": (f"{BINS},Data,X signal\n0,1,1,1\n", "is 'X signal' a background"),
    "no background": (f"{BINS},Data\n0,1,1\n", "no column of expected events"),
    "background twice": (
        f"{BINS},Data,SM,SM\n0,1,1,1,1\n",
        "two columns of expected events are called 'SM'",
    ),
}


@pytest.mark.parametrize("fault", SPECTRUM_FAULTS.values(), ids=SPECTRUM_FAULTS.keys())
def test_fault_in_spectrum_is_named(fault, tmp_path) -> None:
    text, expected = fault
    message = message_of(read_missing_mass_spectrum, write(tmp_path, "t.csv", text))
    assert expected in message
    assert message.startswith(tmp_path.as_posix())


def test_total_alone_is_the_background(tmp_path) -> None:
    path = write(tmp_path, "t.csv", f"{BINS},Data,Total expected\n0,1,1,1.5\n")
    spectrum = read_missing_mass_spectrum(path)
    assert spectrum.background["Total expected"].expected.tolist() == [1.5]
