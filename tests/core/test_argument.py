from __future__ import annotations

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.core.argument import (
    HIGHEST_LEVEL,
    LOWEST_LEVEL,
    choice,
    file_path,
    instances,
    level,
    real_number,
    text,
    whole_number,
)
from bsmfit.core.array_argument import check_range, random_key, real_array, scalar
from bsmfit.errors import InputError, UnknownNameError


@pytest.mark.parametrize(
    "given", [2, 2.0, np.float32(2.0), np.int64(2), np.array(2.0), jnp.array(2.0)]
)
def test_every_kind_of_real_number_is_one(given):
    number = real_number("x", given, low=0.0)
    assert type(number) is float
    assert number == 2.0
    assert real_array("x", given).tolist() == 2.0


def test_open_and_closed_ends():
    assert real_number("x", 0.0, low=0.0) == 0.0
    assert real_number("x", 1.0, high=1.0) == 1.0
    with pytest.raises(InputError, match=r"x = 0\.0 is not a number above 0"):
        real_number("x", 0.0, low=0.0, is_low_open=True)
    with pytest.raises(InputError, match="below 1"):
        real_number("x", 1.0, high=1.0, is_high_open=True)


def test_traced_number_is_named_where_it_must_be_known():
    def wants(value):
        return real_number("n", value, hint="use a float")

    with pytest.raises(InputError, match=r"n is traced by jax.*use a float"):
        jax.jit(wants)(1.0)
    with pytest.raises(InputError, match="cl = traced"):
        jax.jit(lambda cl: level(cl))(0.9)


def test_level_reaches_as_far_as_limits_are_solved():
    assert level(LOWEST_LEVEL) == LOWEST_LEVEL
    assert level(HIGHEST_LEVEL) == HIGHEST_LEVEL
    for given in (0.5 * LOWEST_LEVEL, math.nextafter(1.0, 0.0)):
        with pytest.raises(InputError, match=r"for example 0\.9"):
            level(given)


def test_percent_is_recognised():
    with pytest.raises(InputError, match=r"did you mean 0\.95"):
        level(95)


def test_a_whole_float_counts_and_a_fraction_does_not():
    assert whole_number("n", 1e4, low=1, high=10**8) == 10_000
    with pytest.raises(InputError, match=r"n = 3\.7 is not a whole number from 0 to 5"):
        whole_number("n", 3.7, low=0, high=5)
    with pytest.raises(InputError, match="an integer of 1329 bits"):
        whole_number("n", 10**400, low=0, high=5)


def test_misspelt_choice_has_its_closest():
    with pytest.raises(UnknownNameError, match="did you mean 'exact'"):
        choice("method", "exakt", ("exact", "toys"))
    with pytest.raises(UnknownNameError, match="a name is text, not int"):
        choice("method", 3, ("exact", "toys"))


def test_path_may_be_text_or_a_path_with_one_of_the_endings():
    for given in ("a/b.PNG", Path("a/b.PNG")):
        assert file_path("path", given, suffixes=(".png",)) == Path("a/b.PNG")
    with pytest.raises(InputError, match=r"must end in \.png or \.pdf; write 'b\.png'"):
        file_path("path", "b.svg", suffixes=(".png", ".pdf"))


def test_arrays_keep_their_values_and_traced_ones_their_identity():
    given = jnp.array([0.1, 0.2])
    assert real_array("x", given) is given
    assert real_array("x", [given[0], 3]).tolist() == [0.1, 3.0]
    assert jax.jit(lambda x: real_array("x", [x, 2.0]))(1.0).tolist() == [1.0, 2.0]
    assert real_array("x", np.float32(0.5)).dtype == jnp.float64


@pytest.mark.parametrize("given", [1j, "1", None, True, {}, [1, [2]], [1, "a"]])
def test_what_is_no_real_number_is_refused(given):
    with pytest.raises(InputError, match="must be a real number or an array"):
        real_array("x", given)


def test_complex_numbers_are_refused_when_traced_too():
    with pytest.raises(InputError, match="x = a traced number must be a real number"):
        jax.jit(lambda x: real_array("x", x))(1j)


def test_scalar_has_no_axes():
    with pytest.raises(InputError, match=r"mass has the shape \(2,\)"):
        scalar("mass", [0.1, 0.2])


def test_range_of_an_array_names_the_first_number_outside():
    check_range("x", [0.0, 1.0], low=0.0, high=1.0)
    for bad in (-0.5, 1.5, math.nan, math.inf):
        with pytest.raises(InputError, match=f"x: {bad:g} is not a number"):
            check_range("x", [0.5, bad, -9.0], low=0.0, high=1.0)


def test_list_of_objects_names_the_wrong_one():
    assert instances("names", iter(["a", "b"]), str, hint="") == ("a", "b")
    with pytest.raises(InputError, match=r"names\[1\] is a int, not a str"):
        instances("names", ["a", 3], str, hint="")
    with pytest.raises(InputError, match="names is a str, not a list"):
        instances("names", "ab", str, hint="")


def test_both_kinds_of_random_keys_are_keys():
    for key in (jax.random.key(0), jax.random.PRNGKey(0)):
        assert random_key("key", key) is key
    with pytest.raises(InputError, match=r"jax\.random\.key\(0\)"):
        random_key("key", 0)


def test_blank_text_is_none():
    with pytest.raises(InputError, match="name = ' ' must be text"):
        text("name", " ")
