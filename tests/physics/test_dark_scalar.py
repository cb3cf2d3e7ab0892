from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.physics_tables import load_scalar_widths
from bsmfit.core.constants import KAON_CHARGED_MASS, MUON_MASS, PION_CHARGED_MASS
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.dark_scalar import DARK_SCALAR_PROCESSES, DarkScalar
from bsmfit.physics.mediator import is_physical, lifetime_length


@pytest.fixture(scope="module")
def scalar() -> DarkScalar:
    return DarkScalar(1.596e-3, load_scalar_widths())


def test_every_rate_is_proportional_to_the_squared_mixing(scalar):
    one, two = (scalar(jnp.array(0.3), jnp.array(s)) for s in (1e-8, 2e-8))
    assert float(two.decay_width / one.decay_width) == pytest.approx(2.0)
    ratio = two.production["kaon-to-pion"] / one.production["kaon-to-pion"]
    assert float(ratio) == pytest.approx(2.0)
    assert one.branching_ratios == two.branching_ratios


def test_zero_mixing_makes_nothing(scalar):
    particle = scalar(jnp.array(0.3), jnp.array(0.0))
    assert float(particle.production["kaon-to-pion"]) == 0.0
    assert float(particle.decay_width) == 0.0


def test_lifetime_at_a_known_point(scalar):
    # EventCalc and FORESEE: c tau = 0.707 and 0.721 m at 0.25 GeV, sin^2 = 1e-6
    particle = scalar(jnp.array(0.25), jnp.array(1e-6))
    assert float(lifetime_length(particle)) == pytest.approx(0.706, rel=0.005)


@pytest.mark.parametrize("mass", [0.002, 0.1, 0.25, 0.35, 0.8, 1.2, 2.0])
def test_branching_ratios_sum_to_one(scalar, mass):
    particle = scalar(jnp.array(mass), jnp.array(1e-8))
    assert bool(is_physical(particle))
    shares = np.array(list(particle.branching_ratios.values()))
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)


def test_dominant_final_state_changes_at_thresholds(scalar):
    for mass, state in ((0.2, "ee"), (0.25, "mumu"), (0.35, "pi+pi-")):
        shares = scalar(jnp.array(mass), jnp.array(1e-8)).branching_ratios
        assert max(shares, key=lambda name: float(shares[name])) == state


def test_pairs_are_shared_out_by_charge_as_isospin_0_says(scalar):
    widths = scalar.widths.by_final_state(jnp.array(1.3))
    shares = scalar(jnp.array(1.3), jnp.array(1e-8)).branching_ratios
    total = sum(float(width) for width in widths.values())
    for name, whole, share in (
        ("pi+pi-", "pipi", 2 / 3),
        ("pi0pi0", "pipi", 1 / 3),
        ("k+k-", "kk", 1 / 2),
        ("k0k0bar", "kk", 1 / 2),
    ):
        expected = share * float(widths[whole]) / total
        assert float(shares[name]) == pytest.approx(expected, rel=1e-12)
    assert not {"pipi", "kk"} & set(shares)


def test_all_fields_have_finite_gradients_around_thresholds(scalar):
    thresholds = (
        2 * MUON_MASS,
        2 * PION_CHARGED_MASS,
        KAON_CHARGED_MASS - PION_CHARGED_MASS,
        4 * PION_CHARGED_MASS,
        2 * KAON_CHARGED_MASS,
    )
    masses = np.outer(thresholds, [1 - 1e-9, 1.0, 1 + 1e-9]).ravel()
    slope = jax.jacfwd(lambda m: scalar(m, jnp.array(1e-8)))
    slopes = jax.jit(jax.vmap(slope))(jnp.array(masses))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))


def test_batches_are_points(scalar):
    masses = jnp.array([0.05, 0.22, 0.3])
    mapped = jax.jit(jax.vmap(scalar, (0, None)))(masses, jnp.array(1e-8))
    single = [float(scalar(m, jnp.array(1e-8)).decay_width) for m in masses]
    np.testing.assert_allclose(mapped.decay_width, single, rtol=1e-12)


def test_beauty_scalar_has_the_rates_of_the_card_and_finite_gradients():
    scalar = DarkScalar(
        1.596e-3,
        load_scalar_widths(),
        processes=DARK_SCALAR_PROCESSES,
        beauty_coefficient=4.411,
    )
    particle = scalar(jnp.array(0.3), jnp.array(2e-6))
    assert set(particle.production) == set(DARK_SCALAR_PROCESSES)
    assert float(particle.production["b-to-kaon"]) == pytest.approx(
        2e-6 * 0.468, rel=0.01
    )
    masses = jnp.array([2.0, 2.2, 3.5539, 3.7393, 3.99])
    slope = jax.jit(jax.vmap(jax.jacfwd(lambda m: scalar(m, jnp.array(1e-8)))))
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(slope(masses)))


def test_production_by_beauty_needs_its_coefficient():
    with pytest.raises(InputError, match="needs beauty_coefficient"):
        DarkScalar(1.6e-3, load_scalar_widths(), processes=("b-to-kaon",))
    with pytest.raises(UnknownNameError, match="did you mean 'kaon-to-pion'"):
        DarkScalar(1.6e-3, load_scalar_widths(), processes=("kaon-to-pio",))
