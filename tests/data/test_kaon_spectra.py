"""The shipped spectra of kaons against runs with other seeds by another script."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bsmfit.catalogue.tables.table_files import KAON_SPECTRA, read_meson_spectra
from bsmfit.physics.dump_kaons import DUMP_KAON_PROCESSES

FOLDER = Path(__file__).resolve().parents[2] / "data" / "meson_spectra_400GeV"
FORWARD = "p>20 GeV, theta<5 mrad"
PP_SCALE = 39.858 / 32.881  # all events of a generator over the inelastic ones

# Pythia 8.317, 1e6 SoftQCD:all events [computed]: all, and forward
INDEPENDENT = {
    "kaon_plus": (0.36696, 0.025395),
    "kaon_minus": (0.27842, 0.013618),
    "kaon_short": (0.30216, 0.016886),
    "kaon_long": (0.30223, 0.016923),
}


@pytest.fixture(scope="module")
def metadata():
    with np.load(FOLDER / f"{KAON_SPECTRA[400.0]}.npz", allow_pickle=False) as file:
        return json.loads(str(file["metadata"]))


@pytest.mark.parametrize("name", INDEPENDENT)
def test_yields_per_interaction_are_those_of_independent_runs(metadata, name):
    counted = metadata["yields"][name]["counted"]
    everything, forward = (PP_SCALE * value for value in INDEPENDENT[name])
    assert counted["all"]["per_interaction"] == pytest.approx(everything, rel=0.01)
    assert counted[FORWARD]["per_interaction"] == pytest.approx(forward, rel=0.025)


def test_neutral_kaons_come_in_equal_parts(metadata):
    entries = metadata["yields"]
    long, short = (
        entries[name]["counted"][FORWARD]["count"]
        for name in ("kaon_long", "kaon_short")
    )
    assert abs(long - short) < 5.0 * np.sqrt(long + short)


def test_every_process_of_kaons_in_the_dump_has_its_spectra():
    spectra = read_meson_spectra(KAON_SPECTRA[400.0])
    for kaon in DUMP_KAON_PROCESSES.values():
        assert {*kaon.spectra} <= set(spectra)
    assert sum(spectra["kaon-plus"].counts.ravel()) > 4e5
