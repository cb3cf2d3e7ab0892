"""Derivatives of the expected events and of the limit, against independent sums.

The direct sum samples production, decay and tracks with pseudo-random numbers of its
own, in NumPy, with kinematics written afresh; only the splitting rate, the detector
positions and the numbers of the selection are shared. The particle is transverse about
its flight: decays count 1 + lambda cos^2. The derivative in ln epsilon is exact:
4 - 2 <(z - z0)/L>.
"""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.catalogue.records import read_beam_dump_record, read_geometry
from bsmfit.core.constants import HBAR_C, MUON_MASS
from bsmfit.physics.bremsstrahlung import bremsstrahlung_rate

CHANNEL = "na62-dump-mumu"
POINTS = [
    (0.25, 1.0e-6),
    (0.30, 4.05e-7),
    (0.30, 1.0e-5),
    (0.40, 1.5e-6),
    (0.52, 6.0e-7),
]


@lru_cache(maxsize=1)
def point() -> bsmfit.ExclusionPoint:
    return bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model("dark-photon"), [bsmfit.load_channel(CHANNEL)]
    )


def log_events(mass, log_coupling):
    return jax.nn.logsumexp(point().log_signal(mass, jnp.exp(log_coupling)))


def log_limit(mass, log_coupling):
    return point().exclusion(mass, jnp.exp(log_coupling)).log_strength_limit


def at(mass, coupling):
    return jnp.array(mass), jnp.log(jnp.array(coupling))


def direct_sum(mass: float, coupling: float, *, n=400_000, seed=3):
    """ln N and d ln N / d ln epsilon by plain Monte Carlo."""
    rng = np.random.default_rng(seed)
    geometry = read_geometry("NA62_dump")
    record = read_beam_dump_record(CHANNEL)
    start = record.selection.decay_volume.start.value
    end = record.selection.decay_volume.end.value
    impact = geometry.dump.impact_point
    z0 = impact.z.value
    # production: z even in the logarithm, pT squared even in ln(pT^2 + Lambda^2)
    x = 0.1 * 9.0 ** rng.random(n)
    scale = mass**2 * (1 - x) + x**2 * 0.938272**2
    reach = np.log1p(1.0 / scale)
    pt2 = scale * np.expm1(reach * rng.random(n))
    weight = x * np.log(9.0) * (pt2 + scale) * reach
    weight *= np.asarray(
        bremsstrahlung_rate(
            "proton-bremsstrahlung", jnp.asarray(x), jnp.asarray(pt2), jnp.full(n, mass)
        )
    )
    p = np.sqrt((400.0 * x) ** 2 - mass**2)
    phi = rng.uniform(0, 2 * np.pi, n)
    parent = np.array(
        [np.sqrt(pt2) * np.cos(phi), np.sqrt(pt2) * np.sin(phi), np.sqrt(p**2 - pt2)]
    )
    z = rng.uniform(start, end, n)
    particle = point().model(jnp.array(mass), jnp.array(coupling))
    length = parent[2] / mass * HBAR_C / float(particle.decay_width)
    log_decay = -(z - z0) / length + np.log((end - start) / length)
    # decay and tracks
    cosine = rng.uniform(-1, 1, n)
    azimuth = rng.uniform(0, 2 * np.pi, n)
    k = np.sqrt(mass**2 / 4 - MUON_MASS**2)
    sine = np.sqrt(1 - cosine**2)
    rest = k * np.array([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
    energy = np.hypot(p, mass)
    vertex = np.array([0.0 * z, impact.y.value + 0.0 * z]) + parent[:2] / parent[2] * (
        z - z0
    )
    ok = np.ones(n, bool)
    kick, magnet = geometry.magnet.momentum_kick.value, geometry.magnet.z.value
    selection = record.selection
    ends = {geometry.straw[0].z.value: [], geometry.lkr.z.value: []}
    for sign in (1, -1):
        along = (parent * sign * rest).sum(0) / mass
        q = sign * rest + parent / mass * (along / (energy / mass + 1) + mass / 2)
        size = np.sqrt((q**2).sum(0))
        ok &= (size > record.selection.momentum_min.value) & (q[2] > 0)
        q = np.where(ok, q, 1.0)
        bent = np.array([q[0] + sign * kick, q[1]])
        bent_z = np.sqrt(np.maximum(np.where(ok, size, 9.0) ** 2 - (bent**2).sum(0), 1))

        def position(plane, q=q, bent=bent, bent_z=bent_z):
            if plane < magnet:
                return vertex + q[:2] / q[2] * (plane - z)
            return (
                vertex + q[:2] / q[2] * (magnet - z) + bent / bent_z * (plane - magnet)
            )

        for chamber in geometry.straw:
            px, py = position(chamber.z.value)
            ok &= np.hypot(px - chamber.hole_x.value, py) > selection.hole_radius.value
            ok &= np.hypot(px, py) < chamber.outer_radius.value
        px, py = position(geometry.muv3.z.value)
        ok &= np.hypot(px, py) > geometry.muv3.hole_radius.value
        ok &= np.maximum(abs(px), abs(py)) < geometry.muv3.half_side.value
        for plane, impacts in ends.items():
            impacts.append(position(plane))
    close = selection.close_tracks
    apart = [np.hypot(*np.subtract(*impacts)) for impacts in ends.values()]
    ok &= (apart[0] > close.straw_separation.value) & (
        apart[1] > close.lkr_separation.value
    )
    beta_squared = 1 - 4 * MUON_MASS**2 / mass**2
    aligned = beta_squared / (2 - beta_squared)
    weight *= (1 + aligned * cosine**2) / (1 + aligned / 3)
    shift = log_decay.max()
    terms = np.where(ok, weight * np.exp(log_decay - shift), 0.0)
    total = terms.sum()
    rate = float(particle.branching_ratios["mumu"]) * coupling**2
    norm = record.protons_on_target.value * record.selection_efficiency.value * rate
    log_n = np.log(norm * total / n) + shift
    slope = 4.0 - 2.0 * (terms * (z - z0) / length).sum() / total
    error = np.sqrt((terms**2).sum()) / total
    return log_n, slope, error


@pytest.mark.slow
@pytest.mark.parametrize(("mass", "coupling"), POINTS)
def test_events_and_slope_agree_with_a_direct_sum(mass, coupling):
    expected, slope, error = direct_sum(mass, coupling)
    value, gradient = jax.value_and_grad(log_events, argnums=1)(*at(mass, coupling))
    assert float(value) == pytest.approx(expected, abs=0.006 + 3 * error)
    assert float(gradient) == pytest.approx(slope, rel=0.004, abs=0.02)
    if coupling == 1.0e-5:
        assert float(gradient) < -50.0


@pytest.fixture(scope="module", params=[log_events, log_limit])
def with_gradient(request):
    """A function and its derivative in the logarithm of the coupling."""
    point()  # its tables are made outside of any trace
    return jax.jit(request.param), jax.jit(jax.grad(request.param, argnums=1))


@pytest.mark.parametrize(("mass", "coupling"), POINTS)
def test_gradient_in_log_coupling_agrees_with_finite_differences(
    with_gradient, mass, coupling
):
    function, gradient_of = with_gradient
    mass, log_coupling = at(mass, coupling)
    gradient = gradient_of(mass, log_coupling)
    step = 1e-5
    difference = (
        function(mass, log_coupling + step) - function(mass, log_coupling - step)
    ) / (2 * step)
    assert float(gradient) == pytest.approx(float(difference), rel=1e-6, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("mass", "coupling"), [(0.30, 4.05e-7), (0.45, 1.2e-6)])
def test_gradient_in_mass_agrees_with_a_direct_difference(mass, coupling):
    """Common random numbers on both sides; 8 MeV apart, so the error is a few 0.1."""
    low, high = (direct_sum(mass + d, coupling)[0] for d in (-0.008, 0.008))
    gradient = jax.grad(log_events)(*at(mass, coupling))
    assert float(gradient) == pytest.approx((high - low) / 0.016, abs=0.6)


def test_gradients_are_finite_on_the_whole_plane_and_at_the_threshold():
    masses = jnp.concatenate(
        [
            jnp.array([2 * MUON_MASS, 2 * MUON_MASS + 1e-9, 0.21132, 1.0]),
            jnp.linspace(0.212, 0.99, 24),
        ]
    )
    couplings = jnp.geomspace(1e-9, 1e-2, 15)

    def both(function):
        return jax.jit(
            jax.vmap(
                jax.vmap(jax.value_and_grad(function, argnums=(0, 1)), (None, 0)),
                (0, None),
            )
        )(masses, jnp.log(couplings))

    for function in (log_events, log_limit):
        value, gradients = both(function)
        assert np.isfinite(value).all()
        for gradient in gradients:
            assert np.isfinite(gradient).all()


def test_gradient_in_nuisances_is_the_response():
    """At nominal nuisances d ln N / d theta is the log of kappa, exactly."""
    likelihood = point().likelihood(jnp.array(0.3), jnp.array(1e-6))
    arrays = likelihood.arrays()
    n_signal = arrays.structure.n_signal

    def log_signal_events(theta):
        yields = arrays.term_yields(arrays.parameters_from_normal(theta))
        return jnp.log(jnp.sum(yields[:n_signal]))

    names = likelihood.arrays().parameter_names
    gradient = jax.grad(log_signal_events)(jnp.zeros(len(names)))
    found = dict(zip(names, np.asarray(gradient), strict=True))
    assert found["na62_dump_pot"] == pytest.approx(np.log(1.2), rel=1e-12)
    assert found["na62_dump_mumu_efficiency"] == pytest.approx(np.log(1.1), rel=1e-12)
    assert found["na62_dump_mumu_background"] == 0.0
