from __future__ import annotations

import pytest
import xarray as xr

from bsmfit.errors import InputError
from bsmfit.scan.provenance import data_label, is_published, published_label

CLAIM = "NA62 data, bsmfit reinterpretation"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [({}, True), ({"is_published": 1}, True), ({"is_published": 0}, False)],
)
def test_a_result_is_published_unless_it_says_otherwise(
    attributes: dict[str, int], expected: bool
):
    assert is_published(xr.Dataset(attrs=attributes)) is expected


@pytest.mark.parametrize("value", ["false", "0", 2, -1, 0.5])
def test_other_values_of_the_flag_are_refused(value: object):
    with pytest.raises(InputError, match="0 or 1"):
        is_published(xr.Dataset(attrs={"is_published": value}))


def test_one_changed_result_of_several_takes_the_claim_away():
    published = xr.Dataset(attrs={"comment": CLAIM})
    changed = xr.Dataset(attrs={"comment": CLAIM, "is_published": 0})
    assert data_label(published, published) == CLAIM
    assert "not the published NA62 data" in data_label(published, changed)


def test_own_words_about_a_changed_search_are_kept():
    words = "ten times the protons of NA62"
    changed = xr.Dataset(attrs={"comment": words, "is_published": 0})
    assert data_label(changed) == words


def test_the_label_names_the_experiments_of_the_channels():
    inputs = ["CHARM_1985_ee/record.yaml", "NA62_dump/geometry.yaml", "models/a.yaml"]
    both = published_label(["charm-dump-ee", "na62-dump-ee"], inputs)
    assert both == "CHARM and NA62 data, bsmfit reinterpretation"
    assert published_label(["mine"], ["folder/record.yaml"]) == CLAIM
    changed = xr.Dataset(attrs={"comment": both, "is_published": 0})
    assert data_label(changed).endswith("not the published CHARM and NA62 data")
