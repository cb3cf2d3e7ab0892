"""Numbers as they are written down on paper."""

from __future__ import annotations

import math

import pytest

from bsmfit.core.written_number import written_float, written_int


@pytest.mark.parametrize("text", ["0", "-1.5", "+2e-6", " 3 ", "1E5", ".5", "inf"])
def test_number_is_what_python_reads(text: str):
    assert written_float(text) == float(text)


def test_nan_is_a_number_that_callers_judge():
    assert math.isnan(written_float("nan"))


@pytest.mark.parametrize("text", ["", "1_0", "1e1_0", "1,5", "٣", "１", "0x1F", "--1"])
def test_what_is_no_number_on_paper_is_refused(text: str):
    with pytest.raises(ValueError, match="is not a number"):
        written_float(text)


@pytest.mark.parametrize("text", ["", "1_0", "1.0", "1e3", "٣", "0b1"])
def test_what_is_no_whole_number_is_refused(text: str):
    with pytest.raises(ValueError, match="is not a whole number"):
        written_int(text)


def test_whole_number_may_have_a_sign():
    assert written_int("-12") == -12
