from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.tables.yield_build import transverse_share
from bsmfit.core.constants import PION_NEUTRAL_MASS as PI0
from bsmfit.detector.charged_pair_acceptance import (
    PhotonCuts,
    are_photons_accepted,
    charged_pair_moments,
)
from bsmfit.detector.charged_pair_decays import n_coordinate
from bsmfit.physics.hadronic_final_states import CHARGED_PAIR_STATES

CUTS = PhotonCuts(jnp.array(1.0), jnp.array(0.1))
RHO, WIDTH = 0.77526, 0.1491


@pytest.fixture(scope="module")
def detector(spectrometer):
    return dataclasses.replace(
        spectrometer, momentum_min=jnp.array(5.0), required=("straw", "lkr")
    )


def moments(detector, name, point, n=2**17, cuts=CUTS):
    state = CHARGED_PAIR_STATES[name]
    points = np.random.default_rng(1).random((n, 1 + n_coordinate(state)))
    return charged_pair_moments(
        *map(jnp.array, point),
        points=jnp.asarray(points),
        state=state,
        cuts=cuts,
        spectrometer=detector,
    )


def fraction(*arguments, **options):
    return float(moments(*arguments, **options)[0])


def two_body(rng, mass, a, b):
    """Back-to-back four-momenta of an isotropic decay, (E, x, y, z) by row."""
    p = np.sqrt((mass**2 - (a + b) ** 2) * (mass**2 - (a - b) ** 2)) / (2 * mass)
    n = np.size(mass)
    v = rng.normal(size=(3, n))
    v *= p / np.linalg.norm(v, axis=0)
    return [np.vstack([np.sqrt(p**2 + m**2) * np.ones(n), s * v])
            for s, m in ((1, a), (-1, b))]  # fmt: skip


def boost(q, parent):
    """Lorentz matrix of the parent applied to q."""
    mass = np.sqrt(parent[0] ** 2 - (parent[1:] ** 2).sum(0))
    gamma, u = parent[0] / mass, parent[1:] / mass
    along = (u * q[1:]).sum(0)
    return np.vstack([gamma * q[0] + along, q[1:] + u * (along / (1 + gamma) + q[0])])


def dot(a, b):
    return a[0] * b[0] - (a[1:] * b[1:]).sum(0)


def breit_wigner(s, a, b):
    p = np.sqrt(np.maximum((s - (a + b) ** 2) * (s - (a - b) ** 2), 0) / (4 * s))
    r = RHO**2
    p0 = np.sqrt((r - (a + b) ** 2) * (r - (a - b) ** 2) / (4 * r))
    return r / (r - s - 1j * r * WIDTH * (p / p0) ** 3 / np.sqrt(s))


def independent_fraction(s, name, point, n=150_000, transverse=False):
    """Plain Monte Carlo by accept and reject, all kinematics written afresh.

    A transverse vector has the amplitude epsilon . a, summed over two polarisations
    across its flight, with a the momentum of a pion or the normal of three.
    """
    state = CHARGED_PAIR_STATES[name]
    mass, momentum, angle, vertex_z = point
    c, k = state.charged_mass, state.n_neutral
    rng = np.random.default_rng(5)
    m12 = rng.uniform(2 * c, mass - k * PI0, n) if k else np.full(n, mass)
    m34 = rng.uniform(2 * PI0, mass - 2 * c, n) if k == 2 else np.full(n, PI0)
    ok = m12 + m34 < mass if k else np.ones(n, bool)
    m12, m34 = m12[ok], m34[ok]
    n = m12.size
    weight, rest = np.ones(n), []
    if k:
        pair, recoil = two_body(rng, np.full(n, mass), m12, m34)
        plus, minus = (boost(q, pair) for q in two_body(rng, m12, c, c))
        q = np.linalg.norm(pair[1:], axis=0)
        weight = q * np.sqrt(m12**2 / 4 - c**2)
        rest = [recoil]
        if k == 2:
            rest = [boost(x, recoil) for x in two_body(rng, m34, PI0, PI0)]
            weight *= np.sqrt(m34**2 / 4 - PI0**2)
        axis = np.cross(plus[1:].T, minus[1:].T).T
        if state.matrix_element == "rho-pi":
            amplitude = breit_wigner(dot(plus + minus, plus + minus), c, c)
            for one in (plus, minus):
                amplitude += breit_wigner(dot(one + recoil, one + recoil), c, PI0)
            weight *= np.abs(amplitude) ** 2 * (axis**2).sum(0)
    else:
        plus, minus = two_body(rng, m12, c, c)
        axis = plus[1:]
    phi = rng.uniform(0, 2 * np.pi, n)
    p = momentum * np.array([np.sin(angle) * np.cos(phi), np.sin(angle) * np.sin(phi),
                             np.full(n, np.cos(angle))])  # fmt: skip
    parent = np.vstack([np.full(n, np.hypot(momentum, mass)), p])
    if transverse:
        first = np.cross(p.T, [1.0, 0.0, 0.0]).T
        second = np.cross(p.T, first.T).T
        axis = axis / np.linalg.norm(axis, axis=0)
        weight = weight * sum(
            ((e / np.linalg.norm(e, axis=0) * axis).sum(0)) ** 2
            for e in (first, second)
        )
    vertex = np.array(s.impact_point)[:, None] + p / p[2] * (
        vertex_z - float(s.impact_point[2])
    )
    good = np.ones(n, bool)
    zm, kick = float(s.magnet_z), float(s.magnet_kick)
    for track, charge in ((boost(plus, parent), 1), (boost(minus, parent), -1)):
        t = track[1:]
        size = np.linalg.norm(t, axis=0)
        good &= (size > 5.0) & (t[2] > 0)
        x1 = vertex[:2] + t[:2] / t[2] * (zm - vertex_z)
        bent = np.vstack([t[0] + charge * kick, t[1]])
        slope = bent / np.sqrt(np.maximum(size**2 - (bent**2).sum(0), 1e-6))
        planes = [*np.array(s.straw_z), float(s.lkr_z)]
        holes = [*np.array(s.straw_hole_x), 0.0]
        for i, (z, hole) in enumerate(zip(planes, holes, strict=True)):
            x = vertex[:2] + t[:2] / t[2] * (z - vertex_z) if z < zm else (
                x1 + slope * (z - zm))  # fmt: skip
            inner, outer = (0.15, 1.465) if i == 4 else (0.1, 1.0)
            good &= np.hypot(x[0] - hole, x[1]) > inner
            good &= np.hypot(x[0], x[1]) < outer
    impacts = []
    for meson in rest:
        for photon in two_body(rng, np.full(n, PI0), 0.0, 0.0):
            f = boost(boost(photon, meson), parent)
            x = vertex[:2] + f[1:3] / f[3] * (float(s.lkr_z) - vertex_z)
            radius = np.hypot(*x)
            good &= (f[0] > 1.0) & (f[3] > 0) & (radius > 0.15) & (radius < 1.465)
            impacts.append(x)
    for i, x in enumerate(impacts):
        for y in impacts[:i]:
            good &= np.hypot(*(x - y)) > 0.1
    mean = (weight * good).sum() / weight.sum()
    error = np.sqrt((weight**2 * (good - mean) ** 2).sum()) / weight.sum()
    share = 0.98823**k
    return mean * share, error * share


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("pi+pi-", (0.7, 120.0, 0.002, 150.0)),
        ("pi+pi-pi0", (0.8, 150.0, 0.002, 140.0)),
        ("pi+pi-2pi0", (1.2, 250.0, 0.001, 165.0)),
        ("k+k-pi0", (1.4, 180.0, 0.0015, 155.0)),
    ],
)
def test_agrees_with_an_independent_monte_carlo(detector, name, point):
    truth, error = independent_fraction(detector, name, point)
    ours = fraction(detector, name, point)
    assert truth > 0.01
    assert ours == pytest.approx(truth, abs=4.0 * 1.5 * error)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("pi+pi-", (0.9, 60.0, 0.003, 170.0)),
        ("pi+pi-pi0", (0.8, 150.0, 0.002, 140.0)),
        ("k+k-", (1.2, 120.0, 0.002, 150.0)),
    ],
)
def test_transverse_vectors_agree_with_polarisation_vectors(detector, name, point):
    truth, error = independent_fraction(detector, name, point, transverse=True)
    isotropic, second = moments(detector, name, point)
    weight = transverse_share(name, point[0])
    assert float(isotropic + weight * second) == pytest.approx(truth, abs=6.0 * error)
    assert abs(weight * float(second)) > 0.02 * float(isotropic)


def test_states_without_spin_axis_have_no_second_moment(detector):
    assert float(moments(detector, "k+k-pi0", (1.4, 180.0, 0.0015, 155.0))[1]) == 0.0
    assert transverse_share("k+k-pi0", 1.4) == 0.0


def test_full_detector_without_cuts_accepts_all_that_decays_to_photons(detector):
    everything = dataclasses.replace(
        detector,
        straw_inner_radius=jnp.zeros(4),
        straw_outer_radius=jnp.full(4, 1e9),
        lkr_inner_radius=jnp.array(0.0),
        lkr_outer_radius=jnp.array(1e9),
        momentum_min=jnp.array(0.0),
    )
    none = PhotonCuts(jnp.array(0.0), jnp.array(0.0))
    for name in ("pi+pi-", "pi+pi-2pi0"):
        share = CHARGED_PAIR_STATES[name].photon_share
        seen = fraction(everything, name, (0.9, 200.0, 0.001, 140.0), 1024, none)
        assert seen == pytest.approx(share, abs=1e-3)


def test_photons_too_soft_too_close_or_outside_are_refused(detector):
    vertex = jnp.array([[0.0, 0.0, 141.5]])
    at = lambda x, energy: energy * jnp.array([[x / 100.0, 0.0, 1.0]])  # noqa: E731

    def seen(*photons):
        return bool(
            are_photons_accepted(vertex, photons, cuts=CUTS, spectrometer=detector)[0]
        )

    assert seen()
    assert seen(at(0.5, 10.0), at(-0.5, 10.0))
    assert not seen(at(0.5, 10.0), at(-0.5, 0.9))  # soft
    assert not seen(at(0.5, 10.0), at(0.59, 10.0))  # 9 cm apart
    assert seen(at(0.5, 10.0), at(0.61, 10.0))
    assert not seen(at(0.14, 10.0))  # the hole
    assert not seen(at(1.5, 10.0))  # the edge
    assert not seen(at(0.5, -10.0))  # upstream
