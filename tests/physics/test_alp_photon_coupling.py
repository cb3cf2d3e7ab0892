from __future__ import annotations

import cmath

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_photon_coupling import (
    fermion_loop,
    gluon_amplitude_low_mass,
    gluon_amplitude_sign,
    other_photon_coupling,
    photon_width,
)
from bsmfit.physics.alp_running import LOW_COUPLINGS


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.999, 1.001, 1.3, 30.0])
def test_loop_is_the_complex_closed_form(ratio):
    """1 - tau arcsin^2(tau^(-1/2)) continued to tau < 1 from above the cut."""
    tau = ratio**-2
    f = cmath.asin(complex(ratio, 1e-14))
    expected = 1.0 - tau * f**2
    real, imaginary = fermion_loop(jnp.array(2.0 * ratio), 1.0)
    assert float(real) == pytest.approx(expected.real, abs=1e-4)
    assert abs(float(imaginary)) == pytest.approx(abs(expected.imag), abs=1e-4)


def test_loop_of_light_and_heavy_fermions():
    assert float(fermion_loop(jnp.array(1.0), 1e-6)[0]) == pytest.approx(1.0, abs=1e-6)
    tau = (2 * 5.0 / 0.3) ** 2
    heavy = fermion_loop(jnp.array(0.3), 5.0)[0]
    assert float(heavy) == pytest.approx(-1.0 / (3.0 * tau), rel=0.01)


def test_loop_is_differentiable_across_its_threshold():
    masses = 2.0 * (1.0 + jnp.array([-1e-3, -1e-9, 0.0, 1e-9, 1e-3]))
    slopes = jax.vmap(jax.grad(lambda m: fermion_loop(m, 1.0)[0]))(masses)
    assert np.isfinite(slopes).all()


def test_decay_length_of_a_photon_coupled_particle():
    """g = 1e-4 / GeV: 3.97 m at 10 MeV, 3.97 mm at 100 MeV."""
    coupling = (1e-4 * np.pi * 137.035999) ** 2
    for mass, length in ((0.01, 3.97), (0.1, 3.97e-3)):
        width = photon_width(jnp.array(mass), jnp.array(coupling))
        assert 1.973269804e-16 / float(width) == pytest.approx(length, rel=0.002)


def test_gluon_amplitude_of_a_massless_particle_and_across_the_pion():
    assert float(gluon_amplitude_low_mass(jnp.array(1e-3))) == pytest.approx(
        -1.92, rel=1e-3
    )
    below, above = (gluon_amplitude_low_mass(jnp.array(m)) for m in (0.12, 0.147))
    assert float(below) < -3.0 < 0.0 < float(above)
    signs = [gluon_amplitude_sign(jnp.array(m)) for m in (0.1, 0.14, 0.3, 0.6, 0.8)]
    assert [float(s) for s in signs] == [-1, 1, -1, 1, -1]


def test_light_particles_do_not_see_heavy_fermions():
    values = {"photon": 0.7, "bottom": 1.0, "top": 1.0, "tau": 1.0}
    low = LowEnergyCouplings(jnp.asarray([values.get(n, 0.0) for n in LOW_COUPLINGS]))
    real, imaginary = other_photon_coupling(jnp.array(0.05), low)
    assert float(real) == pytest.approx(0.7, abs=2e-4)
    assert float(imaginary) == 0.0
