"""Dirac and Pauli splitting functions against explicit Dirac algebra."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.core.constants import FINE_STRUCTURE, PROTON_MASS
from bsmfit.physics.bremsstrahlung import bremsstrahlung_rate
from bsmfit.physics.gauge_invariant_bremsstrahlung import (
    gauge_invariant_rate,
    splitting_dirac,
    splitting_interference,
    splitting_pauli,
)
from bsmfit.physics.proton_cross_section import cross_section_ratio
from bsmfit.physics.proton_form_factor import FormFactorValue

METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
_PAULI = [
    np.array([[0, 1], [1, 0]], complex),
    np.array([[0, -1j], [1j, 0]]),
    np.diag([1.0 + 0j, -1.0]),
]
GAMMA = [
    np.kron(_PAULI[2], np.eye(2)),
    *(np.kron(1j * _PAULI[1], sigma) for sigma in _PAULI),
]


def slash(vector: np.ndarray) -> np.ndarray:
    return sum(METRIC[i, i] * vector[i] * GAMMA[i] for i in range(4))


def light_front(plus: float, minus: float, x: float, y: float) -> np.ndarray:
    return np.array([0.5 * (plus + minus), x, y, 0.5 * (plus - minus)])


def spinors(momentum: np.ndarray) -> list[np.ndarray]:
    """Light-front spinors (p-slash + m) gamma^+ chi / norm, normalised to 2 m."""
    gamma_plus = GAMMA[0] + GAMMA[3]
    found = []
    for chi in np.eye(4)[:2]:
        u = (slash(momentum) + PROTON_MASS * np.eye(4)) @ gamma_plus @ chi
        norm = (u.conj() @ GAMMA[0] @ u).real
        found.append(u * np.sqrt(2.0 * PROTON_MASS / norm))
    return found


def splitting_from_amplitude(
    z: float, pt: float, mass: float, form_factors: tuple[complex, complex]
) -> float:
    r"""Evaluate $4\pi\alpha\,z(1-z)/(16\pi^2H^2)\;\tfrac12\sum|V|^2$ numerically.

    The vertex is F1 gamma^mu - i/(2 m_p) sigma^{mu nu} (p - p')_nu F2 between
    light-front spinors; the longitudinal polarisation is shifted by q/m.
    """
    plus, qx, qy = 3.0, pt * np.cos(0.7), pt * np.sin(0.7)
    proton = light_front(plus, PROTON_MASS**2 / plus, 0.0, 0.0)
    remnant_plus = (1.0 - z) * plus
    remnant = light_front(
        remnant_plus, (PROTON_MASS**2 + pt**2) / remnant_plus, -qx, -qy
    )
    transfer = METRIC @ (proton - remnant)
    vertex = []
    for mu in range(4):
        sigma = sum(
            0.5j * (GAMMA[mu] @ GAMMA[nu] - GAMMA[nu] @ GAMMA[mu]) * transfer[nu]
            for nu in range(4)
        )
        dirac, pauli = form_factors
        vertex.append(dirac * GAMMA[mu] - 0.5j / PROTON_MASS * pauli * sigma)
    polarisations = [
        light_front(0.0, 2.0 * qx / (z * plus), 1.0, 0.0),
        light_front(0.0, 2.0 * qy / (z * plus), 0.0, 1.0),
        light_front(0.0, -2.0 * mass / (z * plus), 0.0, 0.0),
    ]
    total = 0.0
    for polarisation in polarisations:
        operator = sum(METRIC[i, i] * polarisation[i] * vertex[i] for i in range(4))
        for before in spinors(proton):
            for after in spinors(remnant):
                total += abs(after.conj() @ GAMMA[0] @ operator @ before) ** 2
    h = pt**2 + (1.0 - z) * mass**2 + (z * PROTON_MASS) ** 2
    factor = z * (1.0 - z) / (16.0 * np.pi**2 * h**2)
    return 4.0 * np.pi * FINE_STRUCTURE * factor * 0.5 * total


def test_gamma_matrices_and_spinors_are_what_they_should_be() -> None:
    for i in range(4):
        for j in range(4):
            anticommutator = GAMMA[i] @ GAMMA[j] + GAMMA[j] @ GAMMA[i]
            np.testing.assert_allclose(anticommutator, 2 * METRIC[i, j] * np.eye(4))
    p = light_front(2.0, (PROTON_MASS**2 + 0.25) / 2.0, 0.3, 0.4)
    total = sum(np.outer(u, u.conj() @ GAMMA[0]) for u in spinors(p))
    np.testing.assert_allclose(total, slash(p) + PROTON_MASS * np.eye(4), atol=1e-13)


def test_dirac_and_pauli_splitting_functions_follow_from_the_vertex() -> None:
    generator = np.random.default_rng(7)
    for _ in range(20):
        z, pt, mass = generator.uniform([0.05, 0.0, 0.02], [0.95, 1.5, 1.8])
        dirac, pauli = generator.normal(size=4).view(complex)
        arguments = (jnp.array(z), jnp.array(pt**2), jnp.array(mass))
        w1, w2, w12 = (
            float(function(*arguments))
            for function in (splitting_dirac, splitting_pauli, splitting_interference)
        )
        assert w1 == pytest.approx(
            splitting_from_amplitude(z, pt, mass, (1.0, 0.0)), rel=1e-11
        )
        assert w2 == pytest.approx(
            splitting_from_amplitude(z, pt, mass, (0.0, 1.0)), rel=1e-11
        )
        mixed = (
            abs(dirac) ** 2 * w1
            + abs(pauli) ** 2 * w2
            + (dirac * np.conj(pauli)).real * w12
        )
        expected = splitting_from_amplitude(z, pt, mass, (dirac, pauli))
        assert mixed == pytest.approx(expected, rel=1e-11)


def integrate(function) -> float:
    """Integrate over 0.1 < z < 0.9 and pT < 1 GeV."""
    x, weight = np.polynomial.legendre.leggauss(48)
    z, z_weight = 0.5 + 0.4 * x, 0.4 * weight
    pt, pt_weight = 0.5 * (x + 1.0), 0.5 * weight
    values = function(jnp.asarray(z[:, None]), jnp.asarray(pt[None, :] ** 2))
    return float(z_weight @ np.asarray(values) @ (pt_weight * 2.0 * pt))


def test_dirac_splitting_integrates_to_bluemlein_brunner() -> None:
    for mass, tolerance in ((0.05, 0.02), (0.3, 0.02), (1.0, 0.02), (1.5, 0.05)):
        m = jnp.array(mass)
        dirac = integrate(
            lambda z, pt2, m=m: splitting_dirac(z, pt2, m) * cross_section_ratio(z)
        )
        reference = integrate(
            lambda z, pt2, m=m: bremsstrahlung_rate("proton-bremsstrahlung", z, pt2, m)
        )
        assert dirac == pytest.approx(reference, rel=tolerance)


def test_gauge_invariant_rate_reduces_to_the_dirac_part() -> None:
    arguments = (jnp.array(0.4), jnp.array(0.1), jnp.array(0.5))
    one, zero = jnp.array(1.0), jnp.array(0.0)
    dirac = FormFactorValue(one, zero)
    rate = gauge_invariant_rate(
        *arguments, dirac=dirac, pauli=FormFactorValue(zero, zero)
    )
    scale = float(rate) / float(splitting_dirac(*arguments))
    both = gauge_invariant_rate(*arguments, dirac=dirac, pauli=dirac)
    expected = scale * float(
        splitting_dirac(*arguments)
        + splitting_pauli(*arguments)
        + splitting_interference(*arguments)
    )
    assert float(both) == pytest.approx(expected, rel=1e-13)


def test_rate_is_differentiable() -> None:
    factors = {
        "dirac": FormFactorValue(jnp.array(1.3), jnp.array(0.2)),
        "pauli": FormFactorValue(jnp.array(-1.1), jnp.array(0.5)),
    }

    def rate(z: jax.Array, pt_squared: jax.Array, mass: jax.Array) -> jax.Array:
        return gauge_invariant_rate(z, pt_squared, mass, **factors)

    point = (jnp.array(0.3), jnp.array(0.2), jnp.array(0.4))
    check_grads(jax.jit(rate), point, order=1, modes=("fwd", "rev"))
