from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.physics_tables import load_alp_widths
from bsmfit.core.constants import HBAR_C
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.alp_couplings_at_scale import FERMIONS
from bsmfit.physics.axion_like_particle import AxionLikeParticle
from bsmfit.physics.mediator import is_physical, lifetime_length
from bsmfit.physics.model import Model

MIXED = {"gluon": 0.7, "weak": 0.3, "hypercharge": -0.4, "top": 0.2, "muon": 1.0}


@pytest.fixture(scope="module")
def widths():
    return load_alp_widths()


@pytest.fixture(scope="module")
def mixed(widths):
    """A particle with couplings to everything, and its mediator as one program."""
    particle = AxionLikeParticle.from_scale(MIXED, widths, scale=1e3)
    return particle, jax.jit(lambda mass, f: particle(mass, f))


def test_every_rate_falls_with_the_square_of_the_decay_constant(mixed):
    """Units: all rates are 1/f^2 times a function of the mass."""
    one, two = (mixed[1](jnp.array(0.25), jnp.array(f)) for f in (1e6, 2e6))
    assert float(one.decay_width / two.decay_width) == pytest.approx(4.0)
    for process, rate in one.production.items():
        assert float(rate / two.production[process]) == pytest.approx(4.0)
    for state, share in one.branching_ratios.items():
        assert float(share) == pytest.approx(float(two.branching_ratios[state]))


def test_couplings_and_decay_constant_scale_together(widths):
    """c and f enter as c/f alone."""
    found = [
        AxionLikeParticle.from_scale(
            {name: factor * value for name, value in MIXED.items()}, widths, scale=1e3
        )(jnp.array(0.3), jnp.array(factor * 1e6))
        for factor in (1.0, 10.0)
    ]
    for one, two in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10)


def test_all_numbers_are_physical_and_differentiable_across_thresholds(mixed):
    """1e4 masses over the whole range, the thresholds and poles among them."""
    rng = np.random.default_rng(7)
    special = [0.1349768, 0.147, 0.2113168, 0.354107, 0.40493, 0.41412, 0.547862]
    special += [0.6833, 0.82700, 0.95778, 2.54, 0.27914]
    near = np.concatenate([np.array(special) * (1 + x) for x in (-1e-9, 0, 1e-9)])
    masses = np.concatenate(
        [near, np.exp(rng.uniform(np.log(1e-3), np.log(3), 10_000))]
    )
    particle = mixed[0]

    def numbers(mass, f):
        mediator = particle(mass, f)
        leaves = jnp.stack(jax.tree.leaves(mediator))
        return leaves, is_physical(mediator), sum(mediator.branching_ratios.values())

    def at(mass):
        f, one = jnp.array(1e6), jnp.array(1.0)
        found, slope = jax.jvp(lambda m: numbers(m, f)[0], (mass,), (one,))
        _, in_scale = jax.jvp(lambda g: numbers(mass, g)[0], (f,), (one,))
        return found, slope, in_scale, *numbers(mass, f)[1:]

    *values, is_right, total = jax.jit(jax.vmap(at))(jnp.asarray(masses))
    assert all(np.isfinite(value).all() for value in values)
    assert np.all(is_right)
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


def test_zero_coupling_makes_nothing(widths):
    particle = AxionLikeParticle.from_scale(
        {"hypercharge": 1.0}, widths, scale=1e3, scanned="photon_coupling"
    )(jnp.array(0.3), jnp.array(0.0))
    assert float(particle.decay_width) == 0.0
    assert all(float(rate) == 0.0 for rate in particle.production.values())


def test_a_photon_coupled_particle_lives_as_its_lagrangian_says(widths):
    """g = 1e-4 / GeV at 100 MeV: 3.97 mm."""
    particle = AxionLikeParticle.from_scale(
        {"hypercharge": 1.0}, widths, scale=1e3, scanned="photon_coupling"
    )(jnp.array(0.1), jnp.array(1e-4))
    assert float(lifetime_length(particle)) == pytest.approx(3.97e-3, rel=0.002)


def test_a_fermion_coupled_particle_lives_by_its_lightest_leptons(widths):
    """ee at 10 MeV, g_Y = 1e-4: 1.16e7 m, less what the top quark adds to c_ee."""
    particle = AxionLikeParticle.from_scale(
        dict.fromkeys(FERMIONS, 1.0), widths, scale=1e3, scanned="yukawa_coupling"
    )(jnp.array(0.01), jnp.array(1e-4))
    length = HBAR_C / float(particle.decay_width)
    assert 0.85 * 1.16e7 < length < 1.16e7
    assert float(particle.branching_ratios["ee"]) > 0.999


def test_gradients_reach_the_couplings(mixed):
    """A fit of Wilson coefficients needs them."""
    particle = mixed[0]

    def rate(values):
        moved = jax.tree.map(lambda leaf: leaf, particle)
        object.__setattr__(moved.couplings, "values", values)
        return moved(jnp.array(0.3), jnp.array(1e6)).production["b-to-kaon"]

    values = particle.couplings.values
    slope = jax.grad(rate)(values)
    assert float(slope[-1]) == pytest.approx(2 * float(rate(values) / values[-1]))


def test_what_is_no_particle_is_refused(widths):
    with pytest.raises(InputError, match="never made"):
        AxionLikeParticle.from_scale({"gluon": 0.0}, widths, scale=1e3)
    with pytest.raises(InputError, match="246"):
        AxionLikeParticle.from_scale({"gluon": 1.0}, widths, scale=100.0)
    with pytest.raises(UnknownNameError, match="kaon-to-pion"):
        AxionLikeParticle.from_scale(
            {"gluon": 1.0}, widths, scale=1e3, processes=("kaon-to-pio",)
        )


@pytest.mark.parametrize("f", [0.0, -1e6])
def test_a_decay_constant_that_is_not_positive_is_refused(mixed, f):
    model = Model(mixed[0], name="mine", coupling="decay_constant")
    with pytest.raises(InputError, match=r"at or above 0|decay_constant f_a"):
        model(jnp.array(0.3), jnp.array(f))
