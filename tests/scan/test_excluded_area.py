from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import xarray as xr

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.scan.contour import excluded_polygons
from bsmfit.scan.excluded_area import combination_gain, excluded_area
from bsmfit.scan.runner import Status

# the plane of the fixtures: 215 to 800 MeV, 1e-7 to 1e-5
WIDTH, HEIGHT = math.log(0.8 / 0.215), math.log(100.0)
N_MASS, N_COUPLING = 121, 161


def unit_axes() -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of mass and coupling, each from 0 to 1."""
    x, y = np.linspace(0.0, 1.0, N_MASS), np.linspace(0.0, 1.0, N_COUPLING)
    return x[:, None] + 0.0 * y, y[None, :] + 0.0 * x[:, None]


def above(height: np.ndarray | float) -> np.ndarray:
    """A field that is positive above a height, and linear in the logarithm."""
    _, y = unit_axes()
    return y - height


def with_field(dataset: xr.Dataset, field: np.ndarray) -> xr.Dataset:
    return dataset.assign(n_signal=dataset["n_up_obs"] * 10.0**field)


@pytest.mark.parametrize(("left", "right"), [(0.25, 0.25), (0.2, 0.7), (-0.5, 0.5)])
def test_area_above_a_straight_line_is_exact(make_dataset, left: float, right: float):
    x, _ = unit_axes()
    dataset = with_field(make_dataset(), above(left + (right - left) * x))
    # below zero the line has left the plane: the area of the triangle under it is cut
    foot = max(0.0, -left / (right - left)) if right != left else 0.0
    missing = 0.5 * (max(left, 0.0) + right) * (1.0 - foot)
    area = excluded_area(dataset)
    assert area == pytest.approx((1.0 - missing) * WIDTH * HEIGHT, rel=1e-12)


def test_hole_is_subtracted_and_islands_are_added(make_dataset):
    x, y = unit_axes()
    left, right = np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5)
    field = np.maximum(0.06 - np.abs(left - 0.14), 0.15 - right)
    dataset = with_field(make_dataset(), field)
    exact = math.pi * (0.20**2 - 0.08**2 + 0.15**2)
    assert any(polygon.holes for polygon in excluded_polygons(dataset))
    area = excluded_area(dataset) / (WIDTH * HEIGHT)
    assert area == pytest.approx(exact, rel=2e-3)


def test_masses_without_a_result_have_no_area(make_dataset):
    dataset = with_field(make_dataset(), above(0.5))
    status = dataset["status"].copy()
    status[30:61] = int(Status.NO_SENSITIVITY)
    # 32 of 120 steps touch one of the 31 masses
    exact = 0.5 * (1.0 - 32 / 120) * WIDTH * HEIGHT
    assert excluded_area(dataset.assign(status=status)) == pytest.approx(exact)


def test_area_is_in_natural_logarithms_whatever_the_units(make_dataset):
    dataset = with_field(make_dataset(), above(0.25))
    scaled = dataset.assign_coords(
        mass=1e3 * dataset["mass"], epsilon=1e12 * dataset["epsilon"]
    )
    assert excluded_area(scaled) == pytest.approx(0.75 * WIDTH * HEIGHT, rel=1e-12)


def test_expected_area_follows_the_limit(make_joint_dataset):
    dataset = make_joint_dataset(above(0.5), a=above(0.6), b=above(0.7))
    unit = WIDTH * HEIGHT
    for quantity, shift in (("expected", 0.0), ("expected+2sigma", -0.3)):
        area = excluded_area(dataset, quantity)
        assert area == pytest.approx((0.5 + shift) * unit, rel=1e-12)
    assert excluded_area(dataset, search="b") == pytest.approx(0.3 * unit, rel=1e-12)
    with pytest.raises(UnknownNameError, match="known: a, b"):
        excluded_area(dataset, search="c")


def test_gain_over_nested_searches_is_that_over_the_stronger(make_joint_dataset):
    gain = combination_gain(make_joint_dataset(above(0.5), a=above(0.6), b=above(0.75)))
    unit = WIDTH * HEIGHT
    assert gain.joint_area == pytest.approx(0.5 * unit, rel=1e-12)
    assert gain.union_area == pytest.approx(0.4 * unit, rel=1e-12)
    assert gain.ratio == pytest.approx(1.25, rel=1e-12)
    with pytest.raises(FrozenInstanceError):
        gain.ratio = 2.0  # pyright: ignore[reportAttributeAccessIssue]


def test_union_of_crossing_searches_is_counted_once(make_joint_dataset):
    x, _ = unit_axes()
    rising, falling = above(0.2 + 0.6 * x), above(0.8 - 0.6 * x)
    gain = combination_gain(make_joint_dataset(above(0.2), a=rising, b=falling))
    # under the roof of the two lines: 0.2 at the ends, 0.5 in the middle
    assert gain.union_area == pytest.approx(0.65 * WIDTH * HEIGHT, rel=1e-12)
    assert gain.ratio == pytest.approx(0.8 / 0.65, rel=1e-12)


def test_searches_that_share_no_mass_gain_nothing(make_joint_dataset):
    half = N_MASS // 2 + 1
    low, high = above(0.4), above(0.4)
    low[half:], high[: half - 1] = np.nan, np.nan
    dataset = make_joint_dataset(above(0.4), low=low, high=high)
    gain = combination_gain(dataset)
    assert gain.ratio == pytest.approx(1.0, rel=1e-12)
    for name in ("low", "high"):
        area = excluded_area(dataset, search=name)
        assert area == pytest.approx(0.3 * WIDTH * HEIGHT, rel=1e-12)


def test_gain_without_any_exclusion_alone(make_joint_dataset):
    nothing = above(2.0)
    gain = combination_gain(make_joint_dataset(nothing, a=nothing, b=nothing))
    assert (gain.joint_area, gain.union_area, gain.ratio) == (0.0, 0.0, 1.0)
    gain = combination_gain(make_joint_dataset(above(0.5), a=nothing, b=nothing))
    assert gain.joint_area > 0.0
    assert gain.ratio == math.inf


def test_one_mass_has_no_area(make_joint_dataset):
    dataset = make_joint_dataset(above(0.5), a=above(0.6), b=above(0.7))
    one = dataset.isel(mass=[7])
    assert excluded_area(one) == 0.0
    assert combination_gain(one).ratio == 1.0


def test_gain_of_one_search_is_refused(make_dataset):
    with pytest.raises(InputError, match="several channels"):
        combination_gain(make_dataset())
