"""Meson decays: quoted branching ratios, thresholds, and four-vector closure."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from jaxtyping import TypeCheckError

from bsmfit.core.constants import ETA_MASS
from bsmfit.errors import UnknownNameError
from bsmfit.physics.meson_decay import (
    MESON_DECAYS,
    MesonDecay,
    daughter_lab_kinematics,
    meson_branching_ratio,
    two_body_momentum,
)

REFERENCE = (
    Path(__file__).parents[2].parent / "shared/reference/theory/dp_production_br.csv"
)
DECAYS = list(MESON_DECAYS.values())


def threshold(decay: MesonDecay) -> float:
    return decay.parent_mass - decay.recoil_mass


@pytest.mark.parametrize(
    ("process", "mass", "expected"),
    [
        ("pi0-decay", 0.0, 1.9765),
        ("pi0-decay", 0.1, 0.1814),
        ("eta-decay", 0.1, 0.711),
        ("omega-decay", 0.1, 0.0791),
        ("omega-decay", 0.3, 0.0491),
        ("omega-decay", 0.2, 0.0835 * 0.800),
        ("omega-decay", 0.4, 0.0835 * 0.355),
    ],
)
def test_quoted_branching_ratios(process: str, mass: float, expected: float) -> None:
    found = meson_branching_ratio(MESON_DECAYS[process], jnp.array(mass))
    assert float(found) == pytest.approx(expected, rel=1.5e-3)


@pytest.mark.skipif(not REFERENCE.exists(), reason="reference table not here")
def test_branching_ratios_against_the_reference_table() -> None:
    table = np.genfromtxt(REFERENCE, delimiter=",", names=True, skip_header=1)
    columns = {
        "pi0-decay": "pi0_gammaA",
        "eta-decay": "eta_gammaA",
        "eta-prime-decay": "etap_gammaA",
        "omega-decay": "omega_pi0A",
    }
    mass = jnp.asarray(table["m_GeV"])
    for process, column in columns.items():
        found = meson_branching_ratio(MESON_DECAYS[process], mass)
        np.testing.assert_allclose(found, table[column], rtol=2e-4, atol=1e-12)


@pytest.mark.parametrize("decay", DECAYS, ids=lambda decay: decay.process)
def test_massless_limit_is_the_number_of_photons(decay: MesonDecay) -> None:
    found = meson_branching_ratio(decay, jnp.array(0.0))
    expected = decay.n_photon * decay.branching_ratio
    assert float(found) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("process", "mass", "expected"),
    [
        ("omega-decay", 0.0, 0.913),
        ("phi-decay", 0.0, 0.360),
        ("omega-decay", 0.2, 0.903),
        ("omega-decay", 0.3, 0.887),
        ("omega-decay", 0.4, 0.856),
    ],
)
def test_public_code_factor_is_not_normalised(
    process: str, mass: float, expected: float
) -> None:
    decay = MESON_DECAYS[process]
    found = meson_branching_ratio(decay, jnp.array(mass), factor="public-code")
    assert float(found) / decay.branching_ratio == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("decay", DECAYS, ids=lambda decay: decay.process)
@pytest.mark.parametrize("factor", ["textbook", "public-code"])
def test_closed_decay_is_exactly_zero_with_finite_gradient(
    decay: MesonDecay, factor: str
) -> None:
    function = jax.jit(
        jax.value_and_grad(partial(meson_branching_ratio, decay, factor=factor))
    )
    for mass in (threshold(decay), threshold(decay) + 1e-6, 2.0):
        value, slope = function(jnp.array(mass))
        assert float(value) == 0.0
        assert float(slope) == 0.0
    value, slope = function(jnp.array(threshold(decay) - 1e-5))
    assert float(value) > 0.0
    assert np.isfinite(float(slope))


@pytest.mark.parametrize("decay", DECAYS, ids=lambda decay: decay.process)
def test_branching_ratio_gradient(decay: MesonDecay) -> None:
    function = jax.jit(partial(meson_branching_ratio, decay))
    for mass in (0.3 * threshold(decay), 0.9 * threshold(decay)):
        check_grads(function, (jnp.array(mass),), order=1, eps=1e-6)


def test_unknown_factor_is_refused() -> None:
    # The run-time type check of the tests speaks first, the package's own otherwise.
    with pytest.raises((UnknownNameError, TypeCheckError)):
        meson_branching_ratio(DECAYS[0], jnp.array(0.1), factor="other")  # pyright: ignore


def test_two_body_momentum_conserves_energy() -> None:
    q = float(two_body_momentum(1.0, 0.3, jnp.array(0.45)))
    assert np.hypot(q, 0.3) + np.hypot(q, 0.45) == pytest.approx(1.0, rel=1e-14)
    assert float(two_body_momentum(1.0, 0.5, jnp.array(0.5))) == 0.0
    assert float(jax.grad(partial(two_body_momentum, 1.0, 0.5))(jnp.array(0.6))) == 0.0


def boosted_by_matrices(
    momentum: np.ndarray, parent_mass: float, star: np.ndarray
) -> np.ndarray:
    """Boost a four-vector given on the axes (theta-hat, phi-hat, flight)."""
    p = np.linalg.norm(momentum)
    flight = momentum / p
    theta, phi = np.arccos(flight[2]), np.arctan2(flight[1], flight[0])
    theta_hat = np.array(
        [np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), -np.sin(theta)]
    )
    phi_hat = np.array([-np.sin(phi), np.cos(phi), 0.0])
    axes = np.stack([theta_hat, phi_hat, flight], axis=1)
    velocity = momentum / np.hypot(p, parent_mass)
    gamma = np.hypot(p, parent_mass) / parent_mass
    boost = np.eye(4)
    boost[0, 0] = gamma
    boost[0, 1:] = boost[1:, 0] = gamma * velocity
    boost[1:, 1:] += (
        (gamma - 1.0) * np.outer(velocity, velocity) / (velocity @ velocity)
    )
    return boost @ np.concatenate([star[:1], axes @ star[1:]])


def test_lab_kinematics_close_on_an_independent_boost() -> None:
    generator = np.random.default_rng(11)
    for decay in DECAYS:
        mass = 0.6 * threshold(decay)
        p, theta, phi = generator.uniform([0.5, 1e-3, -3.0], [200.0, 1.5, 3.0])
        cosine, phi_star = generator.uniform([-1.0, 0.0], [1.0, 6.28])
        lab = daughter_lab_kinematics(
            jnp.array(p),
            jnp.array(theta),
            azimuth=jnp.array(phi),
            cos_theta_star=jnp.array(cosine),
            phi_star=jnp.array(phi_star),
            parent_mass=decay.parent_mass,
            recoil_mass=decay.recoil_mass,
            mass=jnp.array(mass),
        )
        q = float(
            two_body_momentum(decay.parent_mass, decay.recoil_mass, jnp.array(mass))
        )
        sine = np.sqrt(1.0 - cosine**2)
        direction = np.array([sine * np.cos(phi_star), sine * np.sin(phi_star), cosine])
        meson = p * np.array(
            [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
        )
        daughter = boosted_by_matrices(
            meson, decay.parent_mass, np.array([np.hypot(q, mass), *(q * direction)])
        )
        k, angle, azimuth = (float(x) for x in lab)
        found = k * np.array(
            [
                np.sin(angle) * np.cos(azimuth),
                np.sin(angle) * np.sin(azimuth),
                np.cos(angle),
            ]
        )
        np.testing.assert_allclose(found, daughter[1:], rtol=1e-10, atol=1e-10)
        assert np.hypot(k, mass) == pytest.approx(daughter[0], rel=1e-12)
        # what is left of the meson has the mass of the other daughter
        energy = np.hypot(p, decay.parent_mass) - np.hypot(k, mass)
        recoil2 = energy**2 - np.sum((meson - found) ** 2)
        assert recoil2 == pytest.approx(decay.recoil_mass**2, abs=1e-9 * p**2)


def kinematics_of_eta(mass: jax.Array, cosine: jax.Array, angle: jax.Array):
    return daughter_lab_kinematics(
        jnp.full_like(angle, 30.0),
        angle,
        azimuth=jnp.zeros_like(angle),
        cos_theta_star=cosine,
        phi_star=jnp.full_like(angle, 0.4),
        parent_mass=ETA_MASS,
        recoil_mass=0.0,
        mass=mass,
    )


@pytest.mark.parametrize("mass", [0.0, 0.2, 0.5478, ETA_MASS, 0.9])
def test_kinematics_are_finite_even_where_the_decay_is_closed(mass: float) -> None:
    cosine = jnp.array([-1.0, 0.3, 1.0, 1.0])
    angle = jnp.array([0.0, 0.002, 0.0, 0.01])

    def total(m: jax.Array) -> jax.Array:
        lab = kinematics_of_eta(m, cosine, angle)
        return jnp.sum(lab.momentum) + jnp.sum(lab.angle) + jnp.sum(lab.azimuth)

    value, slope = jax.value_and_grad(total)(jnp.array(mass))
    assert np.isfinite(float(value))
    assert np.isfinite(float(slope))


def test_kinematics_gradient_in_mass() -> None:
    def momentum(mass: jax.Array) -> jax.Array:
        lab = kinematics_of_eta(mass, jnp.array(0.3), jnp.array(0.004))
        return jnp.stack([lab.momentum, 1e3 * lab.angle, lab.azimuth])

    check_grads(jax.jit(momentum), (jnp.array(0.3),), order=1, modes=("fwd", "rev"))


def test_kinematics_broadcast() -> None:
    lab = kinematics_of_eta(
        jnp.array(0.2), jnp.zeros((5, 1)) + 0.1, jnp.full((1, 3), 0.002)
    )
    assert lab.momentum.shape == (5, 3)
