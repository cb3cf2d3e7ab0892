"""Vector-meson mixing: quoted values, and kinematics by explicit boosts."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.core.constants import PROTON_MASS
from bsmfit.physics.vector_mixing import (
    VECTOR_MIXINGS,
    mixed_lab_kinematics,
    mixing_squared,
)


@pytest.mark.parametrize(
    ("process", "mass", "expected"),
    [
        ("rho-mixing", 0.775, 0.101),
        ("rho-mixing", 0.5, 9.7e-3),
        ("omega-mixing", 0.7823, 2.56),
        ("phi-mixing", 1.019, 30.4),
    ],
)
def test_quoted_mixing_angles(process: str, mass: float, expected: float) -> None:
    found = mixing_squared(VECTOR_MIXINGS[process], jnp.array(mass))
    assert float(found) == pytest.approx(expected, rel=6e-3)


@pytest.mark.parametrize("process", VECTOR_MIXINGS)
def test_mixing_tends_to_the_photon_limit_at_small_mass(process: str) -> None:
    # e / g_V up to the square of width over mass.
    vector = VECTOR_MIXINGS[process]
    limit = 4.0 * np.pi / 137.036 / vector.coupling**2
    found = float(mixing_squared(vector, jnp.array(0.0)))
    correction = (vector.width / vector.mass) ** 2
    assert found == pytest.approx(limit / (1.0 + correction), rel=1e-5)


@pytest.mark.parametrize("process", VECTOR_MIXINGS)
def test_mixing_gradient_through_the_pole(process: str) -> None:
    vector = VECTOR_MIXINGS[process]
    for mass in (0.3, vector.mass - 0.5 * vector.width, vector.mass, 1.5):
        check_grads(
            jax.jit(partial(mixing_squared, vector)),
            (jnp.array(mass),),
            order=1,
            eps=1e-6,
            atol=1e-3,
            rtol=1e-3,
        )


def boost(beta: float) -> np.ndarray:
    gamma = 1.0 / np.sqrt((1.0 - beta) * (1.0 + beta))
    matrix = np.eye(4)
    matrix[[0, 3], [0, 3]] = gamma
    matrix[0, 3] = matrix[3, 0] = gamma * beta
    return matrix


@pytest.mark.parametrize("mass", [0.22, 0.7, 1.3])
@pytest.mark.parametrize(
    ("momentum", "angle"), [(2.0, 0.2), (40.0, 0.005), (90.0, 0.0)]
)
def test_momentum_in_the_centre_of_mass_is_kept(
    mass: float, momentum: float, angle: float
) -> None:
    beta = 400.0 / (np.hypot(400.0, PROTON_MASS) + PROTON_MASS)
    for vector in VECTOR_MIXINGS.values():
        lab = mixed_lab_kinematics(
            jnp.array(momentum),
            jnp.array(angle),
            meson_mass=vector.mass,
            mass=jnp.array(mass),
        )
        k, theta = float(lab.momentum), float(lab.angle)
        vectors = [
            np.array([np.hypot(p, m), p * np.sin(a), 0.0, p * np.cos(a)])
            for p, a, m in ((momentum, angle, vector.mass), (k, theta, mass))
        ]
        before, after = (boost(-beta) @ vector4 for vector4 in vectors)
        np.testing.assert_allclose(after[1:], before[1:], rtol=1e-9, atol=1e-10)


def test_unshifted_mass_changes_nothing() -> None:
    rho = VECTOR_MIXINGS["rho-mixing"]
    momentum, angle = jnp.array([3.0, 25.0, 120.0]), jnp.array([0.1, 0.0, 0.002])
    lab = mixed_lab_kinematics(
        momentum, angle, meson_mass=rho.mass, mass=jnp.array(rho.mass)
    )
    np.testing.assert_allclose(lab.momentum, momentum, rtol=1e-12)
    np.testing.assert_allclose(lab.angle, angle, rtol=1e-10, atol=1e-14)


def test_kinematics_gradient_in_mass() -> None:
    def kinematics(mass: jax.Array) -> jax.Array:
        lab = mixed_lab_kinematics(
            jnp.array(25.0), jnp.array(0.004), meson_mass=0.775, mass=mass
        )
        return jnp.stack([lab.momentum, 1e3 * lab.angle])

    check_grads(jax.jit(kinematics), (jnp.array(0.4),), order=1, modes=("fwd", "rev"))
    on_axis = jax.jacfwd(
        lambda m: (
            mixed_lab_kinematics(
                jnp.array(25.0), jnp.array(0.0), meson_mass=0.775, mass=m
            ).angle
        )
    )(jnp.array(0.4))
    assert float(on_axis) == 0.0
