"""The rows of the report on B mesons: verdicts, and yields of tables against events."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.kinds.beam_dump import load_channel
from bsmfit.catalogue.records import read_beam_dump_record, read_geometry
from bsmfit.catalogue.spectrometers import selected_spectrometer
from bsmfit.catalogue.tables.yield_build import process_points
from bsmfit.core.constants import MUON_MASS
from bsmfit.validation.beauty import beauty_rows
from bsmfit.validation.direct_pairs import direct_yields, strict_pair


@pytest.mark.slow
@pytest.mark.validation
def test_every_judged_row_passes():
    rows = beauty_rows()
    assert [row for row in rows if row.verdict == "fail"] == []
    assert sum(row.verdict == "pass" for row in rows) >= 40
    assert all(row.verdict == "reported" for row in rows if "norm of" in row.quantity)


@pytest.mark.slow
@pytest.mark.parametrize("mass", [0.3, 1.5])
def test_shipped_yields_are_those_of_direct_events(mass):
    """No acceptance table, no interpolation: vertices and decays drawn one by one."""
    channel = load_channel("na62-dump-mumu").select(["b-to-kaon"])
    selection = read_beam_dump_record("na62-dump-mumu").selection
    spectrometer = selected_spectrometer(read_geometry("NA62_dump"), selection)
    lengths = np.array([0.03, 0.1, 1.0, 100.0]) * mass / 0.3
    direct = direct_yields(
        process_points("b-to-kaon", mass, beam_momentum=400.0, reach=(20.0, 0.02)),
        mass,
        lengths,
        daughter_mass=MUON_MASS,
        decay_volume=(105.0, 180.0),
        impact_point=spectrometer.impact_point,
        selection=partial(strict_pair, spectrometer=spectrometer),
    )
    table = jax.vmap(lambda length: channel.yields(jnp.asarray(mass), length)[0])(
        jnp.asarray(lengths)
    )
    # the angles of the table end at 9 mrad
    np.testing.assert_allclose(np.exp(table), direct, rtol=0.06)
