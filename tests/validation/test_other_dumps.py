"""The rows of the report on dumps of other laboratories, and yields against events."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.kinds.beam_dump_channel import load_beam_dump
from bsmfit.catalogue.records import read_beam_dump_record, read_dump_geometry
from bsmfit.catalogue.spectrometers import selected_detector
from bsmfit.catalogue.tables.yield_build import process_points
from bsmfit.core.constants import ELECTRON_MASS, MUON_MASS
from bsmfit.physics.primakoff import NUCLEI
from bsmfit.validation.direct_pairs import direct_yields
from bsmfit.validation.other_dumps import other_dump_rows


@pytest.mark.validation
def test_every_judged_row_passes():
    rows = other_dump_rows()
    assert [row for row in rows if row.verdict == "fail"] == []
    has_kaons = "dump-kaon-to-pion" in load_beam_dump("charm-dump-mumu").processes
    assert sum(row.verdict == "pass" for row in rows) == (20 if has_kaons else 10)
    assert all(row.verdict == "reported" for row in rows if "below" in row.target)


@pytest.mark.parametrize(
    ("name", "process", "mass", "daughter_mass"),
    [
        pytest.param(
            "charm-dump-mumu", "b-to-kaon", 0.25, MUON_MASS, marks=pytest.mark.slow
        ),
        pytest.param(
            "nucal-dump-ee", "pi0-decay", 0.05, ELECTRON_MASS, marks=pytest.mark.slow
        ),
        pytest.param(
            "nucal-dump-ee",
            "proton-bremsstrahlung",
            0.3,
            ELECTRON_MASS,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "na62-dump-gammagamma", "b-to-kaon", 0.3, 0.0, marks=pytest.mark.slow
        ),
        pytest.param(
            "na62-dump-gammagamma", "b-to-kstar", 2.0, 0.0, marks=pytest.mark.slow
        ),
        ("na62-dump-gammagamma", "primakoff", 0.1, 0.0),
        pytest.param(
            "na62-dump-gammagamma", "eta-mixing", 0.3, 0.0, marks=pytest.mark.slow
        ),
        pytest.param(
            "nucal-dump-ee", "primakoff", 0.05, ELECTRON_MASS, marks=pytest.mark.slow
        ),
        pytest.param(
            "nucal-dump-ee", "pi0-mixing", 0.1, ELECTRON_MASS, marks=pytest.mark.slow
        ),
    ],
)
def test_shipped_yields_are_those_of_direct_events(name, process, mass, daughter_mass):
    """No acceptance table, no interpolation: vertices and decays drawn one by one."""
    record = read_beam_dump_record(name)
    geometry = read_dump_geometry(record.geometry)
    detector = selected_detector(geometry, record.selection)
    volume = record.selection.decay_volume
    points = process_points(
        process,
        mass,
        beam_momentum=geometry.beam.momentum.value,
        reach=(2.0, 0.021),
        meson_range=(2.0, np.inf),
        nucleus=NUCLEI[geometry.dump.layers[0].material],
    )
    lengths = np.array([0.1, 1.0, 100.0]) * mass / 0.3
    direct = direct_yields(
        points,
        mass,
        lengths,
        daughter_mass=daughter_mass,
        decay_volume=(volume.start.value, volume.end.value),
        impact_point=detector.impact_point,
        selection=lambda pairs: detector.accepts_pair(pairs[0], pairs[1:]),
    )
    channel = load_beam_dump(name).select([process])
    table = jax.vmap(lambda length: channel.yields(jnp.asarray(mass), length)[0])(
        jnp.asarray(lengths)
    )
    np.testing.assert_allclose(np.exp(table), direct, rtol=0.08)
