from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from bsmfit.detector.acceptance import acceptance_slab, pair_acceptance

MUON = 0.10566
POINTS = qmc.Sobol(3, rng=1).random(4096)


def fraction(spectrometer, mass, momentum, angle, vertex, anisotropy=0.0) -> float:
    return float(
        pair_acceptance(
            jnp.array(mass),
            jnp.array(momentum),
            jnp.array(angle),
            jnp.array(vertex),
            points=jnp.asarray(POINTS),
            daughter_mass=jnp.array(MUON),
            anisotropy=jnp.array(anisotropy),
            spectrometer=spectrometer,
        )
    )


def independent_fraction(s, mass, momentum, angle, vertex_z, n=200_000) -> float:
    """The same fraction by plain Monte Carlo, boosts and tracks written afresh."""
    rng = np.random.default_rng(7)
    phi, azimuth = rng.uniform(0, 2 * np.pi, (2, n))
    cosine = rng.uniform(-1, 1, n)
    sine = np.sqrt(1 - cosine**2)
    energy = np.hypot(momentum, mass)
    k = np.sqrt(mass**2 / 4 - MUON**2)
    parent = momentum * np.array(
        [
            np.sin(angle) * np.cos(phi),
            np.sin(angle) * np.sin(phi),
            np.full(n, np.cos(angle)),
        ]
    )
    rest = k * np.array([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
    ok = np.ones(n, bool)
    vertex = np.array(s.impact_point)[:, None] + parent / parent[2] * (
        vertex_z - float(s.impact_point[2])
    )
    for sign, charge in ((1, 1), (-1, -1)):
        q = sign * rest
        # general boost by the parent's four-velocity
        along = (parent * q).sum(0) / mass
        p = q + parent / mass * (along / (energy / mass + 1) + mass / 2)
        size = np.sqrt((p**2).sum(0))
        ok &= (size > float(s.momentum_min)) & (p[2] > 0)
        tx, ty = p[0] / p[2], p[1] / p[2]
        qx = p[0] + charge * float(s.magnet_kick)
        qz = np.sqrt(np.maximum(size**2 - qx**2 - p[1] ** 2, 1e-6))
        zm = float(s.magnet_z)

        def at(z, tx=tx, ty=ty, qx=qx, qz=qz, py=p[1], zm=zm):
            if z < zm:
                return vertex[0] + tx * (z - vertex_z), vertex[1] + ty * (z - vertex_z)
            x = vertex[0] + tx * (zm - vertex_z) + qx / qz * (z - zm)
            return x, vertex[1] + ty * (zm - vertex_z) + py / qz * (z - zm)

        for z, hole, inner, outer in zip(
            *(
                np.array(v)
                for v in (
                    s.straw_z,
                    s.straw_hole_x,
                    s.straw_inner_radius,
                    s.straw_outer_radius,
                )
            ),
            strict=True,
        ):
            x, y = at(z)
            ok &= (np.hypot(x - hole, y) > inner) & (np.hypot(x, y) < outer)
        x, y = at(float(s.muv3_z))
        ok &= np.hypot(x, y) > float(s.muv3_inner_radius)
        ok &= np.maximum(abs(x), abs(y)) < float(s.muv3_half_side)
    return ok.mean()


@pytest.mark.parametrize(
    ("mass", "momentum", "angle", "vertex"),
    [
        (0.25, 60.0, 0.002, 110.0),
        (0.4, 120.0, 0.0035, 150.0),
        (0.55, 200.0, 0.001, 175.0),
        (0.22, 300.0, 0.0008, 106.0),
    ],
)
def test_agrees_with_an_independent_monte_carlo(
    spectrometer, mass, momentum, angle, vertex
):
    ours = fraction(spectrometer, mass, momentum, angle, vertex)
    truth = independent_fraction(spectrometer, mass, momentum, angle, vertex)
    assert ours == pytest.approx(truth, abs=0.008)


def test_full_detector_without_cuts_accepts_everything(spectrometer):
    open_detector = dataclasses.replace(
        spectrometer,
        straw_inner_radius=jnp.zeros(4),
        straw_outer_radius=jnp.full(4, 1e9),
        muv3_inner_radius=jnp.array(0.0),
        muv3_half_side=jnp.array(1e9),
        momentum_min=jnp.array(0.0),
    )
    assert fraction(open_detector, 0.3, 100.0, 0.003, 140.0) == 1.0
    # and the weight of a polarised decay is normalised
    assert fraction(open_detector, 0.3, 100.0, 0.003, 140.0, 0.8) == pytest.approx(
        1.0, abs=1e-3
    )


def test_slab_is_the_same_function_on_a_grid(spectrometer):
    momenta, angles, vertices = (
        jnp.array([40.0, 90.0]),
        jnp.array([0.001, 0.003]),
        jnp.array([110.0, 160.0]),
    )
    points = jnp.asarray(POINTS[:256])
    shifts = jnp.zeros((2, 2, 2, 3))
    slab = acceptance_slab(
        jnp.array(0.3),
        momenta=momenta,
        angles=angles,
        vertices=vertices,
        points=points,
        shifts=shifts,
        daughter_mass=jnp.array(MUON),
        anisotropy=jnp.array(0.0),
        spectrometer=spectrometer,
    )
    single = pair_acceptance(
        jnp.array(0.3),
        momenta[1],
        angles[0],
        vertices[1],
        points=points,
        daughter_mass=jnp.array(MUON),
        anisotropy=jnp.array(0.0),
        spectrometer=spectrometer,
    )
    assert float(slab[1, 0, 1]) == float(single)
