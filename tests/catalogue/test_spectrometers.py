"""Selections that do not go with their geometry, and geometries out of order."""

from __future__ import annotations

import pytest

from bsmfit.catalogue.files import locate_geometry
from bsmfit.catalogue.records import (
    channel_records,
    read_beam_dump_record,
    read_dump_geometry,
)
from bsmfit.catalogue.spectrometers import selected_detector
from bsmfit.catalogue.tables.table_files import meson_spectra_path
from bsmfit.catalogue.tables.yield_build import processes_at
from bsmfit.errors import DataFileError
from bsmfit.physics.beauty_to_strange import BEAUTY_PROCESSES

WINDOW, SPECTROMETER = "charm-dump-ee", "na62-dump-ee"


def selection_of(name: str, **changes: object):
    selection = read_beam_dump_record(name).selection
    return selection.model_copy(update=changes)


def geometry_of(name: str):
    return read_dump_geometry(read_beam_dump_record(name).geometry)


CROSSING = read_beam_dump_record(WINDOW).selection.crossing
CLOSE = read_beam_dump_record(SPECTROMETER).selection.close_tracks


@pytest.mark.parametrize(
    ("geometry", "changes", "message"),
    [
        (WINDOW, {"crossing": None}, "crossing is missing; CHARM_dump has no spectro"),
        (WINDOW, {"close_tracks": CLOSE}, "close_tracks needs a spectrometer"),
        (WINDOW, {"detectors": ("lkr",)}, "names 'lkr'; CHARM_dump has calorimeter"),
        (SPECTROMETER, {"crossing": CROSSING}, "NA62_dump has a spectrometer"),
        (SPECTROMETER, {"detectors": ("calorimeter",)}, "has straw, chod, lkr, muv3"),
    ],
)
def test_selection_of_another_detector_is_refused(geometry, changes, message):
    with pytest.raises(DataFileError, match=message):
        selected_detector(geometry_of(geometry), selection_of(geometry, **changes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value: 515.0", "value: 400.0", "must lie beyond start = 480 m"),
        ("shape: rectangle", "shape: square", "must be 'rectangle' or 'ellipse'"),
        ("half_width: {value: 1.5", "half_width: {value: 0.0", "must be > 0"),
        ("calorimeter:\n", "calorimetre:\n", "did you mean 'calorimeter'?"),
    ],
)
def test_fault_in_a_geometry_with_a_window_is_named(old, new, message, tmp_path):
    text = locate_geometry("CHARM_dump").read_text()
    assert old in text
    (tmp_path / "geometry.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        read_dump_geometry(tmp_path / "geometry.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("channel", "old", "new", "message"),
    [
        (
            "nucal-dump-ee",
            "counts:\n",
            "mass_window:\n  half_width: {value: 2.0, unit: sigma_m, "
            "provenance: assumed, source: a}\n  method: a\ncounts:\n",
            "mass_window is given, but counts has no observed_masses",
        ),
        (
            "nucal-dump-ee",
            "final_state: ee",
            "final_state: gammagamma",
            "selection.photons is needed by the final state 'gammagamma'",
        ),
    ],
)
def test_entries_that_do_not_go_together_are_named(
    channel, old, new, message, tmp_path
):
    text = channel_records()[channel].read_text()
    (tmp_path / "record.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        read_beam_dump_record(tmp_path / "record.yaml")
    assert message in str(caught.value)


def test_processes_are_those_with_spectra_at_the_beam():
    assert set(BEAUTY_PROCESSES) < set(processes_at(400.0))
    assert not set(BEAUTY_PROCESSES) & set(processes_at(70.0))
    assert "pi0-decay" in processes_at(70.0)
    assert all("bremsstrahlung" in process for process in processes_at(120.0))
    assert set(BEAUTY_PROCESSES) <= set(processes_at(400.0, "gammagamma"))
    assert "pi0-decay" not in processes_at(400.0, "gammagamma")
    with pytest.raises(DataFileError, match=r"of 120 GeV protons .* of 70 and 400"):
        meson_spectra_path("pp_inelastic", 120.0)
