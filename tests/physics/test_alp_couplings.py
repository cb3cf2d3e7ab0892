from __future__ import annotations

import math

import jax.numpy as jnp
import pytest

from bsmfit.core.constants import FINE_STRUCTURE, HIGGS_VEV
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.alp_couplings import LowEnergyCouplings, inverse_decay_constant
from bsmfit.physics.alp_couplings_at_scale import FERMIONS
from bsmfit.physics.alp_photon_coupling import photon_width
from bsmfit.physics.alp_widths import alp_leptonic_width


def test_running_is_linear():
    parts = [{"gluon": 1.0}, {"top": -0.5}]
    low = [LowEnergyCouplings.from_scale(part, scale=1e3).values for part in parts]
    both = LowEnergyCouplings.from_scale({"gluon": 1.0, "top": -0.5}, scale=1e3)
    assert jnp.allclose(both.values, low[0] + low[1], rtol=1e-12)


def test_photon_coupling_gives_the_width_of_its_lagrangian():
    """g^2 m^3 / 64 pi for g a F Fdual / 4."""
    mass, g = jnp.array(0.1), jnp.array(2e-4)
    inverse = inverse_decay_constant(g, "photon_coupling", scale=1e3)
    width = inverse**2 * photon_width(mass, jnp.array(1.0))
    assert float(width) == pytest.approx(4e-8 * 1e-3 / (64 * math.pi), rel=1e-12)


def test_yukawa_coupling_gives_the_width_of_a_yukawa_interaction():
    """i (g_Y m/v) a psibar gamma5 psi: y^2 m_a beta / 8 pi."""
    mass, lepton = jnp.array(0.5), 0.1
    inverse = inverse_decay_constant(jnp.array(1e-3), "yukawa_coupling", scale=1e3)
    width = inverse**2 * alp_leptonic_width(mass, lepton_mass=lepton)
    y, beta = 1e-3 * lepton / HIGGS_VEV, math.sqrt(1 - 4 * lepton**2 / 0.25)
    assert float(width) == pytest.approx(y**2 * 0.5 * beta / (8 * math.pi))


def test_gluon_coupling_uses_alpha_s_at_the_scale():
    ratio = [
        inverse_decay_constant(jnp.array(1.0), "gluon_coupling", scale=scale)
        for scale in (1e3, 4e3 * math.pi)
    ]
    assert float(ratio[0]) == pytest.approx(math.pi / 0.0885, rel=0.01)
    assert float(ratio[1]) > float(ratio[0])
    one = inverse_decay_constant(jnp.array(1.0), "photon_coupling", scale=1e3)
    assert float(one) == pytest.approx(math.pi / FINE_STRUCTURE)


@pytest.mark.parametrize("given", [{}, {"gluon": 0.0}, dict.fromkeys(FERMIONS, 0.0)])
def test_no_coupling_at_all_is_refused(given):
    with pytest.raises(InputError, match="never made"):
        LowEnergyCouplings.from_scale(given, scale=1e3)


def test_unknown_names_and_numbers_are_refused():
    with pytest.raises(UnknownNameError, match="gluon"):
        LowEnergyCouplings.from_scale({"gluons": 1.0}, scale=1e3)
    with pytest.raises(InputError, match="coupling top"):
        LowEnergyCouplings.from_scale({"top": float("nan")}, scale=1e3)
    with pytest.raises(InputError, match="246"):
        LowEnergyCouplings.from_scale({"top": 1.0}, scale=91.0)
    with pytest.raises(UnknownNameError, match="decay_constant"):
        inverse_decay_constant(jnp.array(1.0), "decay_constnt", scale=1e3)
