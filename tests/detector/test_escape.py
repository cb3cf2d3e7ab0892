"""Escape of a long-lived X: integrals over vertex and momentum, and its table."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate

from bsmfit.core.constants import (
    HBAR,
    HBAR_C,
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.detector.escape import EscapeTable, log_escape

MK, MP = KAON_CHARGED_MASS, PION_CHARGED_MASS
START, END, VETO, BEAM = 105.0, 165.0, 252.0, 75.0
DECAY_LENGTH = 564.0
SPEED_OF_LIGHT = 299792458.0


@jax.jit
def direct(log_rate, path, momentum, weight):
    return log_escape(
        log_rate, path_over_momentum=path, momentum=momentum, weight=weight
    )


def nodes(low, high, n):
    x, weight = np.polynomial.legendre.leggauss(n)
    return 0.5 * (high - low) * (x + 1.0) + low, 0.5 * (high - low) * weight


@pytest.fixture(scope="module")
def sums():
    """Gauss nodes over vertices of the decay law and pion momenta of 15 to 45 GeV."""
    z, z_weight = nodes(START, END, 48)
    pion, pion_weight = nodes(15.0, 45.0, 48)
    momentum = np.tile(BEAM - pion, 48)
    weight = np.outer(z_weight * np.exp(-(z - START) / DECAY_LENGTH), pion_weight)

    @jax.jit
    def evaluate(log_rate, veto_end):
        path = (veto_end - jnp.asarray(np.repeat(z, 48))) / jnp.asarray(momentum)
        return direct(
            log_rate, path, jnp.asarray(momentum), jnp.asarray(weight.ravel())
        )

    return evaluate


def minus_log_by_quadrature(rate):
    """-ln of the double integral, the smallest exponent taken out of it."""
    smallest = rate * (VETO - END) / (BEAM - 15.0)

    def law(z):
        return np.exp(-(z - START) / DECAY_LENGTH)

    def surviving(z, pion):
        exponent = rate * (VETO - z) / (BEAM - pion) - smallest
        return law(z) * np.exp(-exponent)

    value, _ = integrate.dblquad(
        surviving, 15.0, 45.0, START, END, epsabs=0.0, epsrel=1e-10
    )
    norm = 30.0 * DECAY_LENGTH * -np.expm1(-(END - START) / DECAY_LENGTH)
    return smallest - np.log(value / norm)


@pytest.mark.parametrize("log_rate", [-6.0, -2.0, -0.5, 0.7, 1.8])
def test_escape_is_the_double_integral(sums, log_rate):
    g, _ = sums(jnp.array(log_rate), jnp.array(VETO))
    expected = minus_log_by_quadrature(np.exp(log_rate))
    np.testing.assert_allclose(np.exp(g), expected, rtol=1e-7)


@pytest.mark.parametrize("log_rate", [-16.0, -40.0])
def test_long_lifetime_has_the_mean_path(sums, log_rate):
    """To first order; the mean over the decay law in closed form."""
    length, tail = END - START, np.exp(-(END - START) / DECAY_LENGTH)
    mean_z = START + DECAY_LENGTH - length * tail / (1.0 - tail)
    inverse = np.log((BEAM - 15.0) / (BEAM - 45.0)) / 30.0
    g, h = sums(jnp.array(log_rate), jnp.array(VETO))
    expected = log_rate + np.log((VETO - mean_z) * inverse)
    assert float(g) == pytest.approx(expected, abs=3e-7)
    assert float(h) == pytest.approx(log_rate + np.log(inverse), abs=3e-7)


def test_short_lifetime_has_the_shortest_path_of_the_fastest_x(sums):
    """The integral about the corner z = 165 m, p = 60 GeV, to leading order."""
    rate = 1e4
    fastest, path = BEAM - 15.0, VETO - END
    exponent = rate * path / fastest
    by_z, by_momentum = rate / fastest, rate * path / fastest**2
    norm = 30.0 * DECAY_LENGTH * (np.exp((END - START) / DECAY_LENGTH) - 1.0)
    expected = exponent + np.log(by_z * by_momentum * norm)
    before_end, z_weight = nodes(0.0, 0.6, 40)
    z = END - before_end
    pion, pion_weight = nodes(15.0, 15.5, 40)
    momentum = np.tile(BEAM - pion, 40)
    weight = np.outer(z_weight * np.exp((END - z) / DECAY_LENGTH), pion_weight)
    path = (VETO - np.repeat(z, 40)) / momentum
    g, h = direct(
        jnp.log(jnp.array(rate)), *map(jnp.asarray, (path, momentum, weight.ravel()))
    )
    # log_escape is normalised to these nodes, which are a corner of the whole
    share = np.log(weight.sum() / norm)
    assert float(jnp.exp(g)) - share == pytest.approx(expected, rel=1e-5)
    assert float(jnp.exp(h)) == pytest.approx(by_z, rel=1e-3)


def test_decays_without_weight_do_not_count():
    path, momentum = np.array([1.0, 5.0, 2.0]), np.array([40.0, 20.0, 50.0])
    weight, rate = np.array([0.1, 0.0, 0.3]), np.exp(-0.3)
    g, h = direct(jnp.array(-0.3), *map(jnp.asarray, (path, momentum, weight)))
    surviving = weight * np.exp(-rate * path)
    assert float(jnp.exp(g)) == pytest.approx(-np.log(surviving.sum() / 0.4))
    slope = rate * (surviving / momentum).sum() / surviving.sum()
    assert float(jnp.exp(h)) == pytest.approx(slope)


@pytest.mark.parametrize("log_rate", [-10.0, -1.0, 1.0, 3.0])
def test_slope_is_the_change_with_the_end_of_the_veto(sums, log_rate):
    rate, step = jnp.array(log_rate), 1e-3
    _, h = sums(rate, jnp.array(VETO))
    up, down = (
        float(jnp.exp(sums(rate, jnp.array(VETO + sign * step))[0]))
        for sign in (1.0, -1.0)
    )
    assert float(jnp.exp(h)) == pytest.approx((up - down) / (2.0 * step), rel=1e-6)


@pytest.mark.parametrize(
    ("mass", "lifetime", "expected", "tolerance"),
    [
        (0.02, 100e-12, 0.2385, 1e-3),
        (0.10, 100e-12, 1.58e-3, 5e-3),
        (0.10, 500e-12, 0.2386, 1e-3),
        (0.20, 500e-12, 0.0619, 2e-3),
        (0.20, 10e-9, 0.863, 1e-3),
        (0.25, 2e-9, 0.404, 2e-3),
    ],
)
def test_values_of_an_independent_integral(mass, lifetime, expected, tolerance):
    """75 GeV kaons, flat z of 105 to 170 m, end at 246.9 m, pions of 15 to 35 GeV.

    p_X = 75 GeV - p_pi; the numbers are of an independent program, to the digits given.
    """
    rest = np.sqrt((MK**2 - (MP + mass) ** 2) * (MK**2 - (MP - mass) ** 2)) / (2 * MK)
    fastest = BEAM / MK * (np.hypot(rest, MP) + rest)
    z, z_weight = nodes(105.0, 170.0, 64)
    pion, pion_weight = nodes(15.0, min(35.0, fastest), 64)
    momentum = np.tile(BEAM - pion, 64)
    path = (246.9 - np.repeat(z, 64)) / momentum
    weight = np.outer(z_weight, pion_weight).ravel()
    g, _ = direct(
        jnp.log(jnp.array(mass / (SPEED_OF_LIGHT * lifetime))),
        *map(jnp.asarray, (path, momentum, weight)),
    )
    assert float(jnp.exp(-jnp.exp(g))) == pytest.approx(expected, rel=tolerance)


@pytest.fixture(scope="module")
def halved(table):
    """Interpolation through every second mass and rate of a simulated table."""
    near = slice(17, 22, 2)
    return EscapeTable.from_nodes(
        table.masses[near], table.log_rates[::2], table.escape[near, ::2]
    )


@pytest.fixture(scope="module")
def evaluate(halved):
    return jax.jit(lambda mass, width: halved(mass, width))


@pytest.fixture(scope="module")
def evaluate_all(halved):
    return jax.jit(jax.vmap(lambda mass, width: halved(mass, width)))


def width_of(mass, log_rate):
    return jnp.array(np.exp(log_rate) * HBAR_C / mass)


def test_table_between_its_nodes_is_the_direct_evaluation(table, evaluate_all):
    """At a node of the mass to 1e-3 in ln P; between masses to 1e-3 of ln P.

    Between masses single decays enter and leave the selection.
    """
    for place, floor in ((19, 1.0), (18, 0.0), (20, 0.0)):
        mass = table.masses[place]
        width = np.exp(table.log_rates[1::2]) * HBAR_C / mass
        log_share, slope = evaluate_all(jnp.full(width.shape, mass), jnp.asarray(width))
        direct = -np.exp(table.escape[place, 1::2])
        error = np.abs(np.asarray(log_share) - direct[:, 0])
        likely = direct[:, 0] > -20.0
        assert np.all(error[likely] < 1e-3 * np.maximum(floor, -direct[likely, 0]))
        np.testing.assert_allclose(slope, direct[:, 1], rtol=2e-3)


def test_beyond_the_nodes_both_ends_are_straight_lines(evaluate):
    """Of slope 1 in v: exact at long lifetimes, where only the mean path is left."""
    mass = jnp.array(0.2)
    first, longer = (evaluate(mass, width_of(0.2, v)) for v in (-17.0, -19.0))
    np.testing.assert_allclose(
        np.array(longer) / np.array(first), np.exp(-2.0), rtol=1e-9
    )
    short = float(evaluate(mass, width_of(0.2, 6.0))[0])
    assert short == pytest.approx(
        float(evaluate(mass, width_of(0.2, 4.0))[0]) * np.exp(2.0), rel=1e-9
    )


def test_stable_particle_escapes_exactly_with_finite_gradients(halved, evaluate):
    mass, stable = jnp.array(0.2), jnp.array(0.0)
    assert tuple(map(float, evaluate(mass, stable))) == (0.0, 0.0)
    jacobian = jax.jit(jax.jacrev(lambda m, w: jnp.stack(halved(m, w)), (0, 1)))
    for width in (0.0, 1e-120, 1e-60, 1e-15, 1e-10, 1.0):
        slopes = jacobian(mass, jnp.array(width))
        assert all(np.isfinite(slope).all() for slope in slopes)


def test_gradients_are_those_of_finite_differences(evaluate_all):
    lifetimes = jnp.array([1e-11, 3e-10, 5e-9, 1e-5])

    def by_lifetime(mass, log_lifetime):
        log_share, slope = evaluate_all(mass, HBAR / jnp.exp(log_lifetime))
        return jnp.log(-log_share), jnp.log(-slope)

    check_grads(
        jax.jit(by_lifetime),
        (jnp.full(4, 0.2007), jnp.log(lifetimes)),
        order=1,
        modes=("rev",),
        eps=1e-6,
        rtol=1e-4,
    )
