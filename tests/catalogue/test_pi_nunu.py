"""The shipped record of K+ -> pi+ nu nubar: complete, sourced, consistent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.pi_nunu import load_pi_nunu, sensitivity_factors
from bsmfit.catalogue.records import channel_records, pi_nunu_names, read_pi_nunu_record
from bsmfit.catalogue.yaml_file import load_yaml
from bsmfit.errors import InputError, UnknownNameError

FOLDER = data_root() / "NA62_pi_nunu"
RUN1 = "na62-pi-nunu-run1"


@pytest.fixture(scope="module")
def record():
    return read_pi_nunu_record(RUN1)


def sourced_numbers(content: Any, sourced: bool) -> Iterator[tuple[bool, Any]]:
    """Yield every number with whether a mapping around it has provenance and source."""
    if isinstance(content, dict):
        here = sourced or {"provenance", "source"} <= content.keys()
        for value in content.values():
            yield from sourced_numbers(value, here)
    elif isinstance(content, list):
        for value in content:
            yield from sourced_numbers(value, sourced)
    elif isinstance(content, int | float):
        yield sourced, content


def test_every_number_has_provenance_and_source():
    numbers = list(sourced_numbers(load_yaml(FOLDER / "pi_nunu.yaml").content, False))
    assert len(numbers) > 60
    assert [value for has, value in numbers if not has] == []


def test_references_are_in_the_bibliography_and_unverified_numbers_in_the_readme():
    text = (FOLDER / "pi_nunu.yaml").read_text()
    bibliography = (FOLDER / "refs.bib").read_text()
    known = set(re.findall(r"^@\w+\{([^,]+),", bibliography, re.M))
    cited = set(re.findall(r"NA62:\d{4}[a-z]{3}", text))
    assert cited == known
    readme = (FOLDER / "README.md").read_text()
    assert "## Unverified" in readme
    assert all(name in readme for name in pi_nunu_names())


def test_names_and_the_closest_one():
    assert set(pi_nunu_names()) == {
        "na62-pi-nunu-2016",
        "na62-pi-nunu-2016-2017",
        "na62-pi-nunu-run1",
        "na62-pi-nunu-2016-2022",
    }
    with pytest.raises(UnknownNameError, match="did you mean 'na62-pi-nunu-run1'"):
        load_pi_nunu("na62-pi-nunu-run")
    with pytest.raises(UnknownNameError, match="did you mean 'computed'"):
        load_pi_nunu(RUN1, sensitivity="compute")
    assert not set(pi_nunu_names()) & set(channel_records())


@pytest.mark.parametrize(
    ("name", "n_observed", "background", "signal"),
    [
        # PDG 2026 and the talk of M. Soldani, Excited QCD 2024
        ("na62-pi-nunu-2016", 1, 0.152, 0.267),
        ("na62-pi-nunu-2016-2017", 3, 1.612, 2.427),
        ("na62-pi-nunu-run1", 20, 7.03, 10.01),
        ("na62-pi-nunu-2016-2022", 51, 18.0, 19.92),
    ],
)
def test_sums_of_the_record_are_the_published_ones(
    name, n_observed, background, signal
):
    channel = load_pi_nunu(name)
    assert channel.n_observed == n_observed
    assert float(channel.background()) == pytest.approx(background, rel=2e-3)
    assert float(channel.expected_signal().events) == pytest.approx(signal, rel=1e-3)


def test_backgrounds_by_source_add_up_to_the_totals_of_2018(record):
    # totals of the talk: 1.11 +0.40 -0.22 and 4.31 +0.91 -0.72
    subsets = {s.name: s for c in record.categories for s in c.subsets}
    for name, total, up, down in (
        ("2018_s1", 1.11, 0.40, 0.22),
        ("2018_s2", 4.31, 0.91, 0.72),
    ):
        events = [source.events for source in subsets[name].backgrounds]
        errors = [(e.uncertainty, e.uncertainty_down or e.uncertainty) for e in events]
        assert sum(e.value for e in events) == pytest.approx(total, abs=1e-9)
        np.testing.assert_allclose(
            np.hypot.reduce(np.array(errors, float)), (up, down), atol=0.011
        )


def test_shared_errors_are_the_published_ones(record):
    sizes = {nuisance.name: nuisance.size for nuisance in record.nuisances}
    assert sizes["na62_pi_nunu_sensitivity_run1"] == pytest.approx(
        0.054 / 0.839, abs=5e-5
    )
    assert sizes["na62_pi_nunu_sensitivity_2021_2022"] == pytest.approx(
        0.29 / 8.48, abs=5e-5
    )


def test_stated_and_computed_sensitivities_agree(record):
    stated = load_pi_nunu(RUN1).subsets
    computed = load_pi_nunu(RUN1, sensitivity="computed").subsets
    for first, second in zip(stated, computed, strict=True):
        # published factors have two or three digits
        assert float(first.sensitivity) == pytest.approx(
            float(second.sensitivity), rel=5e-3
        )
    # of 2016 and 2017 no factors are known
    assert float(stated[0].sensitivity) == float(computed[0].sensitivity)
    with pytest.raises(InputError, match="it has: 2018_s1, 2018_s2"):
        sensitivity_factors(record, "2017")
    with pytest.raises(UnknownNameError, match="did you mean '2018_s1'"):
        sensitivity_factors(record, "2018s1")


def test_digest_of_the_record_is_kept():
    ((name, digest),) = load_pi_nunu(RUN1).inputs
    assert name == "NA62_pi_nunu/pi_nunu.yaml"
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
