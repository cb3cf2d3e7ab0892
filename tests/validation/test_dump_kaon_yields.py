"""Yields of kaons of the dump against events drawn one by one."""

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
from bsmfit.physics.dump_kaons import DUMP_KAON_PROCESSES
from bsmfit.validation.direct_pairs import direct_yields, strict_pair


@pytest.mark.slow
@pytest.mark.parametrize("process", DUMP_KAON_PROCESSES)
def test_shipped_yields_of_kaons_are_those_of_direct_events(process):
    mass = 0.25
    channel = load_channel("na62-dump-mumu").select([process])
    selection = read_beam_dump_record("na62-dump-mumu").selection
    spectrometer = selected_spectrometer(read_geometry("NA62_dump"), selection)
    lengths = np.array([0.03, 0.1, 1.0, 100.0])
    direct = direct_yields(
        process_points(process, mass, beam_momentum=400.0),
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
    np.testing.assert_allclose(np.exp(table), direct, rtol=0.05)
