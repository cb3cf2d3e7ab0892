"""Splitting functions against Dirac algebra, quadrature and quoted integrals."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from bsmfit.core.constants import FINE_STRUCTURE, PROTON_MASS
from bsmfit.errors import UnknownNameError
from bsmfit.physics.bremsstrahlung import (
    MOMENTUM_FRACTION_MAX,
    MOMENTUM_FRACTION_MIN,
    QRA_MASS_MIN,
    TRANSVERSE_MOMENTUM_MAX,
    bremsstrahlung_rate,
    gauge_invariant_rate,
    off_shell_form_factor_squared,
    splitting_bb,
    splitting_bb_integrated,
    splitting_dirac,
    splitting_interference,
    splitting_pauli,
    splitting_qra,
)
from bsmfit.physics.proton_cross_section import cross_section_ratio
from bsmfit.physics.proton_form_factor import (
    FormFactorValue,
    vmd_form_factor_squared,
)

BLUEMLEIN_BRUNNER = ("proton-bremsstrahlung", "proton-bremsstrahlung-alternative")

# Integrals over 0.1 < z < 0.9, pT < 1 GeV with the cross-section ratio, per interacting
# proton and mixing squared, deterministic quadrature [computed for the project's
# physics notes by other code].
MASSES = (0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0, 1.5)
INTEGRALS = {
    "proton-bremsstrahlung": (
        *(7.685e-3, 7.451e-3, 6.794e-3, 6.058e-3, 5.699e-3),
        *(5.356e-3, 4.728e-3, 3.703e-3, 2.637e-3, 1.618e-3),
    ),
    "proton-bremsstrahlung-alternative": (
        *(7.772e-3, 7.655e-3, 7.078e-3, 6.332e-3, 5.960e-3),
        *(5.603e-3, 4.945e-3, 3.869e-3, 2.747e-3, 1.676e-3),
    ),
}


def integrate(
    function: Callable[..., jax.Array],
    *,
    z_range: tuple[float, float] = (MOMENTUM_FRACTION_MIN, MOMENTUM_FRACTION_MAX),
    pt_max: float = TRANSVERSE_MOMENTUM_MAX,
) -> float:
    """Integrate over ln z and pT with Gauss-Legendre nodes (relative error < 1e-8)."""
    x, weight = np.polynomial.legendre.leggauss(48)
    low, high = np.log(z_range)
    z = np.exp(0.5 * (high - low) * (x + 1.0) + low)
    z_weight = 0.5 * (high - low) * weight * z
    pt = 0.5 * pt_max * (x + 1.0)
    pt_weight = 0.5 * pt_max * weight * 2.0 * pt
    values = function(jnp.asarray(z[:, None]), jnp.asarray(pt[None, :] ** 2))
    return float(z_weight @ np.asarray(values) @ pt_weight)


@pytest.mark.parametrize("process", INTEGRALS)
@pytest.mark.parametrize("index", range(10))
def test_integrated_bluemlein_brunner_rate(process: str, index: int) -> None:
    mass = jnp.array(MASSES[index])
    found = integrate(lambda z, pt2: bremsstrahlung_rate(process, z, pt2, mass))
    assert found == pytest.approx(INTEGRALS[process][index], rel=1e-3)


@pytest.mark.parametrize(
    ("z_range", "pt_max", "expected"),
    [
        ((0.1, 0.9), 0.5, 2.611e-3),
        ((0.1, 0.9), 1.5, 8.086e-3),
        ((0.1, 0.9), 2.0, 9.955e-3),
        ((0.1, 0.95), 1.0, 5.747e-3),
        ((0.2, 0.9), 1.0, 2.896e-3),
    ],
)
def test_integration_ranges_at_350_mev(
    z_range: tuple[float, float], pt_max: float, expected: float
) -> None:
    found = integrate(
        lambda z, pt2: bremsstrahlung_rate(
            "proton-bremsstrahlung", z, pt2, jnp.array(0.35)
        ),
        z_range=z_range,
        pt_max=pt_max,
    )
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("bracket", ["default", "alternative"])
@pytest.mark.parametrize(("z", "mass"), [(0.1, 0.05), (0.3, 0.35), (0.9, 1.5)])
def test_closed_form_is_the_integral_over_transverse_momentum(
    bracket: str, z: float, mass: float
) -> None:
    def integrand(pt: float) -> float:
        value = splitting_bb(
            jnp.array(z), jnp.array(pt**2), jnp.array(mass), bracket=bracket
        )
        return 2.0 * pt * float(value)

    expected, _ = quad(integrand, 0.0, 1.2, epsrel=1e-10)
    found = splitting_bb_integrated(
        jnp.array(z), jnp.array(mass), transverse_momentum_max=1.2, bracket=bracket
    )
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_closed_form_anchor() -> None:
    found = splitting_bb_integrated(jnp.array(0.3), jnp.array(0.35))
    assert float(found) == pytest.approx(8.5608e-3, rel=1e-4)


# ---- independent light-front calculation of the Dirac and Pauli splitting functions

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


@pytest.mark.parametrize(
    ("mass", "expected"), [(0.05, 0.196), (0.1, 0.049), (0.2, 0.0130), (0.3, 0.0067)]
)
def test_quasi_real_approximation_diverges_at_small_mass(
    mass: float, expected: float
) -> None:
    # Quoted with the fixed-width VMD form factor, cutoff 1.5 GeV, total cross sections.
    m = jnp.array(mass)
    form_factor = float(vmd_form_factor_squared(m, width="fixed"))
    found = form_factor * integrate(
        lambda z, pt2: (
            splitting_qra(z, pt2, m)
            * off_shell_form_factor_squared(z, pt2, m)
            * cross_section_ratio(z)
        )
    )
    assert found == pytest.approx(expected, rel=0.012)
    assert QRA_MASS_MIN == 0.3


def test_rates_are_positive_and_broadcast() -> None:
    z = jnp.linspace(0.05, 0.95, 19)[:, None, None]
    pt_squared = jnp.linspace(0.0, 4.0, 17)[None, :, None]
    mass = jnp.array([0.01, 0.1, 0.3, 0.7, 1.2, 2.0])[None, None, :]
    for process in BLUEMLEIN_BRUNNER:
        rate = bremsstrahlung_rate(process, z, pt_squared, mass)
        assert rate.shape == (19, 17, 6)
        assert float(jnp.min(rate)) > 0.0


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


@pytest.mark.parametrize("process", BLUEMLEIN_BRUNNER)
def test_rates_are_differentiable(process: str) -> None:
    def rate(z: jax.Array, pt_squared: jax.Array, mass: jax.Array) -> jax.Array:
        return bremsstrahlung_rate(process, z, pt_squared, mass)

    check_grads(
        jax.jit(rate),
        (jnp.array(0.3), jnp.array(0.2), jnp.array(0.4)),
        order=1,
        modes=("fwd", "rev"),
    )
    slope = jax.grad(rate, argnums=2)(jnp.array(0.3), jnp.array(0.0), jnp.array(0.0))
    assert float(slope) == 0.0


def test_unknown_names_are_refused() -> None:
    one = jnp.array(0.5)
    with pytest.raises(UnknownNameError, match="proton-bremsstrahlung"):
        bremsstrahlung_rate("proton-bremstrahlung", one, one, one)
