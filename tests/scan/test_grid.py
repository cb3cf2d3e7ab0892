from __future__ import annotations

import numpy as np
import pytest

from bsmfit.errors import InputError
from bsmfit.scan.grid import Axis, parse_axis


def test_log_axis_has_equal_ratios_and_exact_ends():
    points = parse_axis("1e-7:1e-5:21", name="coupling").points()
    assert points.size == 21
    assert points[0] == 1e-7
    assert points[-1] == 1e-5
    np.testing.assert_allclose(points[1:] / points[:-1], 10**0.1, rtol=1e-12)


def test_linear_axis_has_equal_steps():
    points = parse_axis("0.2:0.7:6:lin", name="mass").points()
    np.testing.assert_allclose(np.diff(points), 0.1, rtol=1e-12)


@pytest.mark.parametrize("text", ["0.2:0.7:6:lin", "1e-07:0.1:7", "0.1:0.3:2"])
def test_axis_is_read_back_to_the_last_bit(text: str):
    axis = parse_axis(text, name="mass")
    assert parse_axis(str(axis), name="mass") == axis


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.7:0.2:50", ["reversed", "0.2:0.7:50"]),
        ("0.2:0.2:50", ["empty"]),
        ("", ["LO:HI:N"]),
        ("0.2:0.7", ["LO:HI:N"]),
        ("0.2::50", ["LO:HI:N"]),
        ("0.2:0.7:50:lin:x", ["LO:HI:N"]),
        ("low:0.7:50", ["'low'", "not a number"]),
        ("0.2:0.7:many", ["'many'", "whole number"]),
        ("0.2:0.7:5.5", ["'5.5'", "whole number"]),
        ("0.2:0.7:1", ["at least 2", "0.2 alone"]),
        ("0.2:0.2:0", ["at least 2"]),
        ("0:0.7:50", ["above 0"]),
        ("-1:0.7:50", ["above 0"]),
        ("nan:0.7:50", ["finite"]),
        ("0.2:inf:50", ["finite"]),
        ("0.2:0.7:50:cubic", ["'log' or 'lin'"]),
    ],
)
def test_bad_range_says_what_is_wrong(text: str, words: list[str]):
    with pytest.raises(InputError) as caught:
        parse_axis(text, name="mass")
    message = str(caught.value)
    assert message.startswith("mass range")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_axis_made_in_python_is_checked_too():
    with pytest.raises(InputError, match="reversed"):
        Axis(2.0, 1.0, 5)
