"""Commented CSV tables: content, and messages with file, line and field."""

from __future__ import annotations

import numpy as np
import pytest

from bsmfit.catalogue.csv_file import read_csv
from bsmfit.errors import DataFileError

FAULTS = {
    "empty": ("", "t.csv is empty"),
    "comments only": ("# a\n", "comments only: no header row"),
    "header only": ("mass_gev,eps\n", "t.csv:1: the table has a header but no rows"),
    "long row": (
        "mass_gev,eps\n1,2\n1,2,3\n",
        "t.csv:3:3: the row has 3 fields, but the header has 2 (mass_gev, eps)",
    ),
    "short row": ("mass_gev,eps\n1\n", "t.csv:2:2: the row has 1 fields"),
    "text": (
        "# a\nmass_gev,eps\n1,abc\n",
        "t.csv:3:2: eps is 'abc' but must be a finite number",
    ),
    "empty field": ("mass_gev,eps\n,1\n", "t.csv:2:1: mass_gev is empty but must"),
    "nan": ("mass_gev,eps\n1,nan\n", "t.csv:2:2: eps is nan but must be a finite"),
    "infinite": ("mass_gev,eps\n1,inf\n", "t.csv:2:2: eps is inf but must be"),
    "negative": ("mass_gev,eps\n1,-1e-7\n", "t.csv:2:2: eps is -1e-7 but must be >= 0"),
    "underscore": ("mass_gev,eps\n1,1_0\n", "t.csv:2:2: eps is '1_0' but must be"),
    "unknown column": (
        "mas_gev,eps\n1,2\n",
        "t.csv:1:1: unknown column 'mas_gev'; did you mean 'mass_gev'?",
    ),
    "missing column": (
        "mass_gev\n1\n",
        "t.csv:1: the column 'eps' is missing (found: mass_gev)",
    ),
    "column twice": ("mass_gev,eps,eps\n1,2,3\n", "the column 'eps' is given twice"),
    "quote": ('mass_gev,eps\n1,"2\n', "t.csv:2: not valid CSV"),
    "not UTF-8": (b"mass_gev,eps\n1,\xb5\n", "line 2: byte 0xb5 is not UTF-8"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_named_with_file_line_and_field(fault, tmp_path) -> None:
    content, expected = fault
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataFileError) as caught:
        read_csv(path, numbers=("mass_gev", "eps"), minimum={"eps": 0.0})
    assert expected in str(caught.value)


def test_missing_file_and_directory_are_named(tmp_path) -> None:
    with pytest.raises(DataFileError, match="does not exist"):
        read_csv(tmp_path / "t.csv", numbers=("a",))
    with pytest.raises(DataFileError, match="is a directory"):
        read_csv(tmp_path, numbers=("a",))


def test_columns_are_float64_and_text_arrays_and_comments_are_kept(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        b'\xef\xbb\xbf# source\r\n\r\n who , eps\r\nA,1\r\n"B, C",2e-7\r\n'
    )
    table = read_csv(path, numbers=("eps",), text=("who",))
    assert table.comments == ("source",)
    assert table.columns["eps"].dtype == np.float64
    np.testing.assert_array_equal(table.columns["eps"], [1.0, 2e-7])
    assert table.columns["who"].tolist() == ["A", "B, C"]


def test_nan_stands_only_where_it_is_allowed(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,nan\n")
    columns = read_csv(path, numbers=("a", "b"), nan_allowed=("b",)).columns
    assert np.isnan(columns["b"][0])
    path.write_text("a,b\n1,inf\n")
    with pytest.raises(DataFileError, match="must be a number or nan"):
        read_csv(path, numbers=("a", "b"), nan_allowed=("b",))
