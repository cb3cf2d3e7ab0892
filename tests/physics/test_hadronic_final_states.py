from __future__ import annotations

from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.physics_tables import load_hadronic_ratio
from bsmfit.physics.dark_photon_width import (
    exclusive_widths,
    fractions,
    total_width,
)
from bsmfit.physics.final_states import CHARGED_PAIR_NAMES
from bsmfit.physics.hadronic_final_states import CHARGED_PAIR_STATES, hadronic_ratios
from bsmfit.records.dump_regions_record import DumpRegion


@pytest.fixture(scope="module")
def ratio():
    return load_hadronic_ratio()


@pytest.fixture(scope="module")
def ratios(ratio):
    return jax.jit(lambda mass: hadronic_ratios(mass, hadronic_ratio=ratio))


@pytest.mark.parametrize("mass", [0.01, 0.2, 0.5, 0.783, 1.0, 1.0195, 1.06, 1.3, 1.5])
def test_final_states_add_up_to_all_hadrons(ratio, mass):
    at, one = jnp.array(mass), jnp.array(1.0)
    widths = exclusive_widths(at, one, hadronic_ratio=ratio)
    whole = total_width(at, one, hadronic_ratio=ratio)
    np.testing.assert_allclose(float(sum(widths.values())), float(whole), rtol=1e-12)
    assert all(float(width) >= 0.0 for width in widths.values())
    assert float(sum(fractions(widths).values())) == pytest.approx(1.0, rel=1e-12)


def test_charged_kaons_are_those_of_the_phi_and_half_of_the_table(ratio, ratios):
    """B(K+K-) / B(K0K0bar) of the phi is .491 / .339, whatever its propagator."""
    share = float(ratios(jnp.array(1.0195))["k+k-"])
    both = float(ratio.by_final_state(jnp.array(1.0195))["kaon_pair"])
    assert share / both == pytest.approx(0.491 / 0.830, abs=0.005)
    share = float(ratios(jnp.array(1.3))["k+k-"])
    assert share == pytest.approx(0.5 * 0.229, rel=1e-6)  # the table at 1.3 GeV
    third = float(ratios(jnp.array(1.5))["k+k-pi0"])
    assert third == pytest.approx(0.0477 / 6.0, rel=1e-6)


@pytest.fixture(scope="module")
def rates(ratio):
    """Ratios and their slopes."""

    def both(mass):
        at = partial(hadronic_ratios, hadronic_ratio=ratio)
        return jax.jvp(at, (mass,), (jnp.ones_like(mass),))

    return jax.jit(both)


@pytest.mark.parametrize("name", CHARGED_PAIR_STATES)
def test_closed_is_zero_and_gradients_are_finite_across_the_threshold(rates, name):
    threshold = CHARGED_PAIR_STATES[name].threshold
    for step in (-1e-3, 0.0, 1e-9, 1e-3):
        values, slopes = rates(jnp.array(threshold + step))
        assert np.isfinite(slopes[name])
        if step <= 0.0:
            assert float(values[name]) == 0.0


def test_records_and_physics_know_the_same_final_states():
    field = DumpRegion.model_fields["final_state"]
    assert set(get_args(field.annotation)) == set(CHARGED_PAIR_STATES)
    assert tuple(CHARGED_PAIR_STATES) == CHARGED_PAIR_NAMES
